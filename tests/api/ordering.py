"""A merchant who makes orders, and the person whom they are about."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from api.clock import iso
from api.world import World
from tests.api.door import Door

ROOM = [{"name": "room", "amount": 40_000}]


class Counter(Door):
    """A merchant's counter: orders are made, moved and shown by the API."""

    def __init__(self, world: World, callback: str | None = None) -> None:
        super().__init__(world)
        self.person = str(self.scores.filter(pl.col("score") >= 750)["person"][0])
        self.me = self.issue("subject", self.person)
        self.sign_up(callback=callback)
        self.ready[self.token, "hotel"] = set()

    def decided(self, amount: int = 50_000, **changes: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask(self.person, amount=amount, **changes).json()
        assert answer["outcome"] == "ADMIT", answer
        return answer

    def form(self, number: str, decision: str, amount: int = 50_000, **changes: Any) -> dict[str, Any]:
        fund = {"name": "DEPOSIT", "amount": amount}
        said = {"out_order_no": number, "service": "hotel", "decision_id": decision, "risk_fund": fund}
        return said | {"service_introduction": "a room"} | changes

    def order(self, number: str = "O-1", decision: str | None = None, token: str | None = None, **changes: Any) -> Any:
        """A new order of a new decision, unless one is given."""
        form = self.form(number, decision or self.decided()["decision_id"], **changes)
        return self.client.post("/v1/orders", json=form, headers=self.bearer(token or self.token))

    def begun(self, number: str = "O-1", **changes: Any) -> dict[str, Any]:
        """An order in service."""
        made = self.order(number, **changes).json()
        told: dict[str, Any] = self.confirm(made["order_id"]).json()
        assert told["state"] == "in_service", told
        return made

    def due(self, number: str = "O-1", **changes: Any) -> dict[str, Any]:
        """An order to be paid."""
        self.begun(number)
        told: dict[str, Any] = self.complete(number, **changes).json()
        assert told["state"] == "due", told
        return told

    def do(self, number: str, action: str, body: Mapping[str, Any] | None = None, token: str | None = None) -> Any:
        address = f"/v1/orders/{number}/{action}"
        return self.client.post(address, json=body, headers=self.bearer(token or self.token))

    def confirm(self, order_id: str, token: str | None = None) -> Any:
        return self.client.post(f"/v1/me/orders/{order_id}/confirm", headers=self.bearer(token or self.me))

    def cancel(self, number: str = "O-1", reason: str = "rain") -> Any:
        return self.do(number, "cancel", {"cancel_reason": reason})

    def complete(self, number: str = "O-1", **changes: Any) -> Any:
        times = {"start_time": iso(self.now - timedelta(hours=2)), "end_time": iso(self.now - timedelta(hours=1))}
        return self.do(number, "complete", {"post_payments": ROOM, "time_range": times} | changes)

    def seen(self, number: str = "O-1", token: str | None = None) -> Any:
        return self.client.get(f"/v1/orders/{number}", headers=self.bearer(token or self.token))

    def mine(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/v1/me/orders", headers=self.bearer(self.me)).json()["items"]
        return found

    def state(self, number: str = "O-1") -> str:
        return str(self.seen(number).json()["state"])

    def later(self, **time: int) -> datetime:
        self.now += timedelta(**time)
        return self.now
