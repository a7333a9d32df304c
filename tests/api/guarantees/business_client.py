"""The API over a random business, for contributors, people and operators: a database of its own, and an application that many share."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from api.access import tokens
from api.evidence import ledger
from api.evidence.load import LoadReport, load_file
from api.features import builds
from api.features.builds import Build
from api.http import dependencies
from api.http.app import attach_context, create_app
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from api.store.database import open_database, reading
from api.store.tables import EVENTS, FEATURES
from engine.decide.evaluators import Evaluators
from tests.api.database_templates import Template
from tests.api.refresh_town import Refresher
from tests.business_events import EventWriter, consent, enrolment
from tests.effort import by_effort
from tests.random_business import CLASSES, NOW, PEOPLE, SHOP, Business, Row, random_business

SEEDS: Final = st.integers(0, 2**32)
_APPS: Final[list[FastAPI]] = []
_CHUNK: Final = 7  # events of a submission at most


def at_length(usual: int, full: int) -> settings:
    """The examples of a law. A seed is not shrunk: a smaller one is no smaller case. Examples share what a test's fixtures give."""
    phases, shared = (Phase.explicit, Phase.reuse, Phase.generate), [HealthCheck.function_scoped_fixture]
    return settings(max_examples=by_effort(usual, full), deadline=None, phases=phases, suppress_health_check=shared)


class BusinessClient:
    """Everyone is enrolled; people and the shop consent to everything from long ago, unless you leave someone out."""

    def __init__(self, business: Business, url: str, chooser: Random, *, silent: Sequence[str] = ()) -> None:
        self.business, self.now, self.chooser = business, NOW + timedelta(hours=1), chooser
        self.writer = EventWriter(chooser, business.vocabulary)
        self.database = open_database(url)
        self.evaluators = Evaluators(business.release)
        self.context = AppContext(self.database, self.evaluators)
        app = attach_context(_APPS.pop(), self.context) if _APPS else create_app(self.context)
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.app, self.http = app, TestClient(app, raise_server_exceptions=False)
        self._tokens: dict[str, str] = {}
        self.state(*map(enrolment, PEOPLE), *(consent(p) for p in (*PEOPLE, SHOP) if p not in silent))

    def close(self) -> None:
        self.app.dependency_overrides.clear()
        self.app.state._state.clear()
        _APPS.append(self.app)
        self.evaluators.close()
        self.database.dispose()

    def call(
        self, method: str, path: str, body: object = None, caller: str = "bank", role: str = "subject", **headers: str
    ) -> Any:
        if caller + role not in self._tokens:
            self._tokens[caller + role] = tokens.issue(self.database, role, caller, caller, NOW).secret
        bearer = {"Authorization": f"Bearer {self._tokens[caller + role]}", **headers}
        return self.http.request(method, f"/v1{path}", json=body, headers=bearer)

    def me(self, person: str, path: str = "", language: str = "en") -> Any:
        response = self.call("GET", f"/me{path}", caller=person, **{"Accept-Language": language})
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, person: str, path: str, body: object) -> Any:
        response = self.call("POST", f"/me{path}", body, caller=person)
        assert response.status_code in (200, 201), response.text
        return response.json()

    def submit(self, rows: Sequence[Row], party: str = "bank") -> list[Any]:
        """Send events as a contributor; the result of each."""
        body = "\n".join(json.dumps(row, ensure_ascii=self.chooser.random() < 0.5) for row in rows)
        headers = {"Content-Type": "application/x-ndjson"}
        if party + "contributor" not in self._tokens:
            self.call("GET", "/events/submissions", caller=party, role="contributor")
        headers["Authorization"] = f"Bearer {self._tokens[party + 'contributor']}"
        response = self.http.post("/v1/events", content=body.encode(), headers=headers)
        assert response.status_code == 200, response.text
        results: list[Any] = response.json()["rows"]
        return results

    def send(self, *rows: Row, party: str = "bank") -> None:
        """Send events in submissions of random sizes; each must be accepted."""
        at = 0
        while at < len(rows):
            size = self.chooser.randint(1, _CHUNK)
            results = self.submit(rows[at : at + size], party)
            assert {r["result"] for r in results} == {"accepted"}, [
                (r, row) for r, row in zip(results, rows[at:], strict=False)
            ]
            at += size

    def state(self, *rows: Row) -> None:
        """Record statements of people from long ago, as the desk did."""
        frame = pl.DataFrame([row | {"contributor": "desk"} for row in rows], infer_schema_length=None)
        times = frame.with_columns(
            pl.col("happened_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_zone="UTC", time_unit="us")
        )
        assert ledger.append(self.database, times, NOW, vocabulary=self.business.vocabulary).accepted == len(rows)

    def load(self, path: Path) -> LoadReport:
        return load_file(self.database, path, now=lambda: self.now, vocabulary=self.business.vocabulary)

    def build(self) -> Build:
        """Features and scores that follow the clock."""
        build = builds.build_features(
            self.database, self.now, "perks", self.now, follows=True, release=self.business.release
        )
        score_everyone(self.context, build)
        return build

    def refresh(self) -> None:
        Refresher(self.database, self.evaluators).run(self.now)

    def features(self, person: str) -> dict[str, str]:
        """The features of a person that the rules declare, as the API shows them; none if the person has no row."""
        response = self.call("GET", "/me/features", caller=person)
        if response.status_code != 200:
            assert response.json()["code"] == "unknown_person", response.text
            return {}
        items = {item["feature"]: item["value"] for item in response.json()["items"]}
        return {name: value for name, value in items.items() if name in self.business.release.programs[0].declarations}

    def all_features(self) -> dict[str, dict[str, str]]:
        return {person: self.features(person) for person in PEOPLE}

    def stored_events(self) -> list[tuple[Any, ...]]:
        """Every row of the ledger, whole."""
        with reading(self.database) as connection:
            return [tuple(row) for row in connection.execute(EVENTS.select().order_by(EVENTS.c.seq))]

    def stored_features(self) -> dict[str, Any]:
        """The values of each person in the newest build, those that nobody may use too."""
        with reading(self.database) as connection:
            build = builds.require_build(connection)
            rows = connection.execute(FEATURES.select().where(FEATURES.c.build == build.id)).mappings().all()
        return {row["person"]: json.loads(row["values"]) for row in rows}

    def class_of(self, name: str) -> frozenset[str]:
        """The classes of evidence that a feature needs."""
        return self.business.release.programs[0].schema[name].classes


@contextmanager
def business_client(seed: int, template: Template, server: str = "", **options: Any) -> Iterator[BusinessClient]:
    """A client over the business that follows from the seed, in a database of its own."""
    chooser = Random(seed)
    business = random_business(chooser, ties=options.pop("ties", None), features=4)
    with TemporaryDirectory() as folder, template.lend(server, Path(folder)) as url:
        client = BusinessClient(business, url, chooser, **options)
        try:
            yield client
        finally:
            client.close()


def needing(client: BusinessClient, features: dict[str, str], classes: Sequence[str] = CLASSES) -> set[str]:
    """Those of the features that need one of the classes."""
    return {name for name in features if client.class_of(name) & set(classes)}
