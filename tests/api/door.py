"""A merchant at the door of a town."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import polars as pl
from fastapi.testclient import TestClient

from api import deps, services
from api.access import tokens
from api.actions import ready
from api.evidence import ledger
from api.features import builds
from api.services import Terms
from api.world import World
from graph.vocabulary import CLASSES
from tests.api.apps import app_over
from tests.api.world import NOW, event


class Door:
    """A merchant at the door: asks, and may move the clock."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, NOW + timedelta(hours=1)
        self.parties: dict[str, str] = {}
        self.ready: dict[tuple[str, str], set[str]] = {}
        self.numbers = count(1)
        app = app_over(world)
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.token = self.issue("merchant", "inn")
        self.scores = builds.scores(world.database, ready(world))

    def issue(self, role: str, party: str, expires: datetime | None = None) -> str:
        token = tokens.issue(self.world.database, role, party, party, NOW, expires).secret
        self.parties[token] = party
        return token

    def sign_up(self, token: str | None = None, service: str = "hotel", **terms: Any) -> None:
        """The merchant signs up for the perk that the service is named by."""
        party = self.parties[token or self.token]
        services.sign_up(self.world.database, party, service, Terms(**{"perk": service} | terms), NOW)

    def consent(self, subject: str, token: str | None = None, service: str = "hotel", **fields: Any) -> None:
        """The person consents to be asked about by the service."""
        number = f"consent-{next(self.numbers)}"
        named = services.named(self.parties[token or self.token], service)
        said = {"purpose": "perks", "classes": ",".join(CLASSES), "service": named} | fields
        ledger.append(self.world.database, event("consent.granted", subject, event_id=number, **said), self.now)

    def ask(self, subject: str, token: str | None = None, *, perk: str = "hotel", **changes: Any) -> Any:
        """A question of a merchant who has signed up and may ask."""
        token = token or self.token
        if (token, perk) not in self.ready:
            self.ready[token, perk] = set()
            self.sign_up(token, perk)
        if subject not in self.ready[token, perk]:
            self.ready[token, perk].add(subject)
            self.consent(subject, token, perk)
        return self.put(subject, token, **{"service": perk} | changes)

    def put(self, subject: str, token: str | None = None, **changes: Any) -> Any:
        """A question as it is."""
        number = f"N-{next(self.numbers)}"
        body = {"transaction_id": number, "service": "hotel", "subject": subject, "amount": 50_000} | changes
        return self.client.post("/v1/eligibility", json=body, headers=self.bearer(token or self.token))

    def show(self, decision_id: str, token: str | None = None) -> Any:
        return self.client.get(f"/v1/decisions/{decision_id}", headers=self.bearer(token or self.token))

    def bearer(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def anyone(self, least: int = 600) -> str:
        return str(self.scores.filter(pl.col("score") >= least)["person"][0])

    def nobody_scored(self) -> str:
        return str(self.scores.filter(pl.col("score").is_null())["person"][0])


def consents(people: Iterable[str], merchant: str, service: str, at: datetime) -> pl.DataFrame:
    """Events by which these people let the service ask."""
    said = {"purpose": "perks", "classes": ",".join(CLASSES), "service": services.named(merchant, service)}
    return pl.concat(event("consent.granted", p, at, event_id=f"{merchant}-{service}-{p}", **said) for p in people)


def refused(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem that the answer tells of."""
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert set(problem) <= {"type", "title", "status", "code", "detail", "where", "hint"}
    assert "Traceback" not in response.text
    return problem
