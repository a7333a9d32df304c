"""Metrics: what is counted and what is read, who may have it, and that its labels name nobody."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, text

from api import deps, metrics
from api.access import tokens
from api.clock import micros
from api.database import writing
from api.tables import MESSAGES
from api.world import World
from tests.api.apps import app_over
from tests.api.world import NOW

ONCE = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


class Watch:
    """Whoever watches the server, from the machine itself."""

    def __init__(self, world: World, host: str = "127.0.0.1") -> None:
        self.world, self.now = world, NOW + timedelta(hours=1)
        app = app_over(world)
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, client=(host, 1), raise_server_exceptions=False)

    def read(self, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        answer = self.client.get("/metrics", headers=headers)
        assert answer.status_code == 200, answer.text
        samples = [s for family in text_string_to_metric_families(answer.text) for s in family.samples]
        return {(s.name, frozenset(s.labels.items())): s.value for s in samples}


def value(found: dict[Any, float], name: str, **labels: str) -> float:
    return found.get((name, frozenset(labels.items())), 0.0)


@ONCE
def test_requests_are_counted_and_timed_by_route_status_and_code(town: World) -> None:
    watch = Watch(town)
    before = watch.read()
    for _ in range(3):
        watch.client.get("/v1/health")
    watch.client.get("/v1/audit/decisions/person-1")
    after = watch.read()

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("iftah_requests_total", method="GET", route="/v1/health", status="200", code="") == 3
    assert grown("iftah_request_seconds_count", method="GET", route="/v1/health") == 3
    route = "/v1/audit/decisions/{decision_id}"
    assert grown("iftah_requests_total", method="GET", route=route, status="401", code="no_token") == 1


def test_what_is_true_now_is_read_when_it_is_asked_for(town: World) -> None:
    watch = Watch(town)
    waiting = [
        {"id": f"m{n}", "merchant": "inn", "order": "o", "event": "e", "url": "u", "body": "b", "attempts": 0}
        | {"created_at": micros(watch.now - timedelta(seconds=90 - n)), "next_at": 0, "state": state}
        for n, state in enumerate(("waiting", "waiting", "sent", "failed"))
    ]
    with writing(town.database) as connection:
        connection.execute(insert(MESSAGES).values(waiting))
    found = watch.read()
    assert value(found, "iftah_release", release=town.release.id) == 1
    assert value(found, "iftah_database_up") == 1
    assert value(found, "iftah_people") > 50
    assert value(found, "iftah_build_age_seconds") == 3600
    assert value(found, "iftah_outbox_waiting") == 2
    assert value(found, "iftah_outbox_oldest_seconds") == 90
    assert value(found, "iftah_outbox_failed") == 1


@ONCE
def test_a_database_that_is_away_is_said_and_the_rest_goes_on(town: World) -> None:
    watch = Watch(town)
    with town.database.begin() as connection:
        connection.execute(text("drop table messages"))
    found = watch.read()
    assert value(found, "iftah_database_up") == 0
    assert value(found, "iftah_release", release=town.release.id) == 1


@ONCE
def test_without_a_token_only_the_machine_itself_reads_them(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watch(town, "::1").read()
    for host in ("192.0.2.7", "not-an-address"):
        refused = Watch(town, host).client.get("/metrics")
        assert (refused.status_code, refused.json()["code"]) == (401, "no_token")
    monkeypatch.setenv("IFTAH_METRICS_TOKEN", "a-token-for-metrics")
    far = Watch(town, "192.0.2.7")
    assert far.read(Authorization="Bearer a-token-for-metrics")
    merchants = tokens.issue(town.database, "admin", "x", "x", NOW).secret
    for given in ({}, {"Authorization": f"Bearer {merchants}"}, {"Authorization": "Bearer \xff"}):
        refused = Watch(town).client.get("/metrics", headers={k: v.encode("latin-1") for k, v in given.items()})
        assert (refused.status_code, refused.json()["code"]) == (401, "bad_token")


@ONCE
def test_labels_are_bounded_and_name_nobody(town: World) -> None:
    watch = Watch(town)
    for n in range(20):
        watch.client.request(f"VERB{n}", f"/v1/person-{n}")
        watch.client.get(f"/v1/decisions/person-{n}")
    text_ = watch.client.get("/metrics").text
    assert "person-1" not in text_
    assert "VERB1" not in text_


@ONCE
def test_outcomes_are_counted(town: World) -> None:
    watch = Watch(town)
    before = value(watch.read(), "iftah_answers_total", outcome="DECLINE")
    metrics.answered("DECLINE")
    assert value(watch.read(), "iftah_answers_total", outcome="DECLINE") == before + 1
