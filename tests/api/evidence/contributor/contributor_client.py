"""A contributor that sends events by the API."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.access import tokens
from api.http import dependencies
from api.runtime.context import AppContext
from engine.decide.evaluators import Evaluators
from tests.api.app_pool import borrow_app
from tests.api.town import shipped_release

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
NDJSON = "application/x-ndjson"


@cache
def evaluators() -> Evaluators:
    return Evaluators(shipped_release())


class ContributorClient:
    """The contributor `bank`; you name other contributors."""

    def __init__(self, database: Engine) -> None:
        self.database, self.now = database, NOW
        app = borrow_app(AppContext(database, evaluators()))
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}

    def bearer(self, party: str = "bank", role: str = "contributor") -> dict[str, str]:
        if party + role not in self.tokens:
            self.tokens[party + role] = tokens.issue(self.database, role, party, party, NOW).secret
        return {"Authorization": f"Bearer {self.tokens[party + role]}"}

    def post(self, body: bytes, media_type: str = NDJSON, party: str = "bank", query: str = "", **headers: str) -> Any:
        headers = {"Content-Type": media_type, **self.bearer(party), **headers}
        return self.http.post(f"/v1/events{query}", content=body, headers=headers)

    def send(self, *rows: dict[str, object], party: str = "bank", query: str = "") -> dict[str, Any]:
        response = self.post(ndjson(*rows), party=party, query=query)
        assert response.status_code == 200, response.text
        report: dict[str, Any] = response.json()
        assert [row["row"] for row in report["rows"]] == list(range(len(report["rows"])))
        for result, count in (("accepted", "accepted"), ("duplicate", "duplicates"), ("refused", "refused")):
            assert report[count] == sum(row["result"] == result for row in report["rows"])
        assert all((row["reason"] is None) == (row["result"] != "refused") for row in report["rows"])
        return report

    def get(self, path: str, party: str = "bank") -> Any:
        return self.http.get(f"/v1/events/{path}", headers=self.bearer(party))


def payment(event_id: str = "p1", **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": "payment.made", "subject": "ann", "other": "shop"}
    return common | {"happened_at": "2024-03-01T09:30:00Z", "amount": 1200, "currency": "CNY"} | changes


def reference_event(kind: str, event_id: str, ref: str, **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": kind, "subject": "ann", "ref_event": ref}
    return common | {"happened_at": "2024-03-02T09:30:00Z"} | changes


def ndjson(*rows: dict[str, object]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def results(report: dict[str, Any]) -> list[str]:
    return [row["result"] for row in report["rows"]]
