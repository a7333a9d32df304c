"""Metrics: counted and read values, access, and labels that name nobody."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, text

from api.access import tokens
from api.http import dependencies, metrics
from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import writing
from api.store.tables import MESSAGES
from tests.api.app_pool import borrow_app
from tests.api.town import NOW

SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)


class MetricsClient:
    """A monitor on the machine itself."""

    def __init__(self, context: AppContext, host: str = "127.0.0.1") -> None:
        self.context, self.now = context, NOW + timedelta(hours=1)
        app = borrow_app(context)
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, client=(host, 1), raise_server_exceptions=False)

    def read(self, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        response = self.http.get("/metrics", headers=headers)
        assert response.status_code == 200, response.text
        samples = [s for family in text_string_to_metric_families(response.text) for s in family.samples]
        return {(s.name, frozenset(s.labels.items())): s.value for s in samples}


def value(samples: dict[Any, float], name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


@SQLITE_ONLY
def test_requests_are_counted_and_timed_by_route_status_and_code(town: AppContext) -> None:
    client = MetricsClient(town)
    samples_before = client.read()
    for _ in range(3):
        client.http.get("/v1/health")
    client.http.get("/v1/audit/decisions/person-1")
    samples_after = client.read()

    def growth(name: str, **labels: str) -> float:
        return value(samples_after, name, **labels) - value(samples_before, name, **labels)

    assert growth("iftah_requests_total", method="GET", route="/v1/health", status="200", code="") == 3
    assert growth("iftah_request_seconds_count", method="GET", route="/v1/health") == 3
    route = "/v1/audit/decisions/{decision_id}"
    assert growth("iftah_requests_total", method="GET", route=route, status="401", code="no_token") == 1


def test_gauges_are_read_at_the_time_of_the_request(town: AppContext) -> None:
    client = MetricsClient(town)
    rows = [
        {"id": f"m{n}", "merchant": "inn", "order": "o", "event": "e", "url": "u", "body": "b", "attempts": 0}
        | {"created_at": micros(client.now - timedelta(seconds=90 - n)), "next_at": 0, "state": state}
        for n, state in enumerate(("waiting", "waiting", "sent", "failed"))
    ]
    with writing(town.database) as connection:
        connection.execute(insert(MESSAGES).values(rows))
    samples = client.read()
    assert value(samples, "iftah_release", release=town.release.id) == 1
    assert value(samples, "iftah_database_up") == 1
    assert value(samples, "iftah_people") > 50
    assert value(samples, "iftah_build_age_seconds") == 3600
    assert value(samples, "iftah_outbox_waiting") == 2
    assert value(samples, "iftah_outbox_oldest_seconds") == 90
    assert value(samples, "iftah_outbox_failed") == 1


@SQLITE_ONLY
def test_an_unreachable_database_is_reported_and_other_metrics_stay(town: AppContext) -> None:
    client = MetricsClient(town)
    with town.database.begin() as connection:
        connection.execute(text("drop table messages"))
    samples = client.read()
    assert value(samples, "iftah_database_up") == 0
    assert value(samples, "iftah_release", release=town.release.id) == 1


@SQLITE_ONLY
def test_without_a_token_only_localhost_reads_metrics(town: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MetricsClient(town, "::1").read()
    for host in ("192.0.2.7", "not-an-address"):
        response = MetricsClient(town, host).http.get("/metrics")
        assert (response.status_code, response.json()["code"]) == (401, "no_token")
    monkeypatch.setenv("IFTAH_METRICS_TOKEN", "a-token-for-metrics")
    remote_client = MetricsClient(town, "192.0.2.7")
    assert remote_client.read(Authorization="Bearer a-token-for-metrics")
    other_token = tokens.issue(town.database, "admin", "x", "x", NOW).secret
    for headers in ({}, {"Authorization": f"Bearer {other_token}"}, {"Authorization": "Bearer \xff"}):
        response = MetricsClient(town).http.get(
            "/metrics", headers={k: v.encode("latin-1") for k, v in headers.items()}
        )
        assert (response.status_code, response.json()["code"]) == (401, "bad_token")


@SQLITE_ONLY
def test_labels_are_bounded_and_name_no_person(town: AppContext) -> None:
    client = MetricsClient(town)
    for n in range(20):
        client.http.request(f"VERB{n}", f"/v1/person-{n}")
        client.http.get(f"/v1/decisions/person-{n}")
    body = client.http.get("/metrics").text
    assert "person-1" not in body
    assert "VERB1" not in body


@SQLITE_ONLY
def test_outcomes_are_counted(town: AppContext) -> None:
    client = MetricsClient(town)
    count_before = value(client.read(), "iftah_answers_total", outcome="DECLINE")
    metrics.count_answer("DECLINE")
    assert value(client.read(), "iftah_answers_total", outcome="DECLINE") == count_before + 1
