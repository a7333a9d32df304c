"""A contributor at the door of events."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api import deps
from api.access import tokens
from api.world import World
from engine.engines import Engines
from tests.api.apps import app_over
from tests.api.world import shipped

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
LINES = "application/x-ndjson"


@cache
def engines() -> Engines:
    return Engines(shipped())


class Door:
    """The contributor `bank` at the door; other contributors by their name."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, NOW
        app = app_over(World(engine, engines()))
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}

    def bearer(self, party: str = "bank", role: str = "contributor") -> dict[str, str]:
        if party + role not in self.tokens:
            self.tokens[party + role] = tokens.issue(self.engine, role, party, party, NOW).secret
        return {"Authorization": f"Bearer {self.tokens[party + role]}"}

    def post(self, body: bytes, kind: str = LINES, party: str = "bank", query: str = "", **headers: str) -> Any:
        headers = {"Content-Type": kind, **self.bearer(party), **headers}
        return self.client.post(f"/v1/events{query}", content=body, headers=headers)

    def send(self, *rows: dict[str, object], party: str = "bank", query: str = "") -> dict[str, Any]:
        response = self.post(lines(*rows), party=party, query=query)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        assert [row["row"] for row in found["rows"]] == list(range(len(found["rows"])))
        for result, count in (("accepted", "accepted"), ("duplicate", "duplicates"), ("refused", "refused")):
            assert found[count] == sum(row["result"] == result for row in found["rows"])
        assert all((row["reason"] is None) == (row["result"] != "refused") for row in found["rows"])
        return found

    def get(self, path: str, party: str = "bank") -> Any:
        return self.client.get(f"/v1/events/{path}", headers=self.bearer(party))


def payment(event_id: str = "p1", **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": "payment.made", "subject": "ann", "other": "shop"}
    return common | {"happened_at": "2024-03-01T09:30:00Z", "amount": 1200, "currency": "CNY"} | changes


def about(kind: str, event_id: str, ref: str, **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": kind, "subject": "ann", "ref_event": ref}
    return common | {"happened_at": "2024-03-02T09:30:00Z"} | changes


def lines(*rows: dict[str, object]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def results(found: dict[str, Any]) -> list[str]:
    return [row["result"] for row in found["rows"]]
