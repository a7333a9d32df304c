"""A merchant that makes orders, and the person of these orders."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from api.runtime.context import AppContext
from api.store.clock import iso
from tests.api.merchant_client import MerchantClient

ROOM_PAYMENTS = [{"name": "room", "amount": 40_000}]


class OrderClient(MerchantClient):
    """A merchant that makes, moves and reads orders by the API."""

    def __init__(self, context: AppContext, callback: str | None = None) -> None:
        super().__init__(context)
        self.person = str(self.scores.filter(pl.col("score") >= 750)["person"][0])
        self.person_token = self.issue("subject", self.person)
        self.sign_up(callback=callback)
        self.consented_subjects[self.token, "hotel"] = set()

    def decide(self, amount: int = 50_000, **changes: Any) -> dict[str, Any]:
        decision: dict[str, Any] = self.ask(self.person, amount=amount, **changes).json()
        assert decision["outcome"] == "ADMIT", decision
        return decision

    def order_form(self, number: str, decision: str, amount: int = 50_000, **changes: Any) -> dict[str, Any]:
        fund = {"name": "DEPOSIT", "amount": amount}
        body = {"out_order_no": number, "service": "hotel", "decision_id": decision, "risk_fund": fund}
        return body | {"service_introduction": "a room"} | changes

    def create_order(
        self, number: str = "O-1", decision: str | None = None, token: str | None = None, **changes: Any
    ) -> Any:
        """A new order. Its decision is new unless you pass one."""
        form = self.order_form(number, decision or self.decide()["decision_id"], **changes)
        return self.http.post("/v1/orders", json=form, headers=self.bearer(token or self.token))

    def start_order(self, number: str = "O-1", **changes: Any) -> dict[str, Any]:
        """An order in service."""
        order = self.create_order(number, **changes).json()
        confirmed_order: dict[str, Any] = self.confirm(order["order_id"]).json()
        assert confirmed_order["state"] == "in_service", confirmed_order
        return order

    def create_due_order(self, number: str = "O-1", **changes: Any) -> dict[str, Any]:
        """An order to be paid."""
        self.start_order(number)
        completed_order: dict[str, Any] = self.complete(number, **changes).json()
        assert completed_order["state"] == "due", completed_order
        return completed_order

    def post_action(
        self, number: str, action: str, body: Mapping[str, Any] | None = None, token: str | None = None
    ) -> Any:
        address = f"/v1/orders/{number}/{action}"
        return self.http.post(address, json=body, headers=self.bearer(token or self.token))

    def confirm(self, order_id: str, token: str | None = None) -> Any:
        return self.http.post(f"/v1/me/orders/{order_id}/confirm", headers=self.bearer(token or self.person_token))

    def cancel(self, number: str = "O-1", reason: str = "rain") -> Any:
        return self.post_action(number, "cancel", {"cancel_reason": reason})

    def complete(self, number: str = "O-1", **changes: Any) -> Any:
        times = {"start_time": iso(self.now - timedelta(hours=2)), "end_time": iso(self.now - timedelta(hours=1))}
        return self.post_action(number, "complete", {"post_payments": ROOM_PAYMENTS, "time_range": times} | changes)

    def get_order(self, number: str = "O-1", token: str | None = None) -> Any:
        return self.http.get(f"/v1/orders/{number}", headers=self.bearer(token or self.token))

    def list_my_orders(self) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = self.http.get("/v1/me/orders", headers=self.bearer(self.person_token)).json()[
            "items"
        ]
        return orders

    def state(self, number: str = "O-1") -> str:
        return str(self.get_order(number).json()["state"])

    def advance(self, **time: int) -> datetime:
        self.now += timedelta(**time)
        return self.now
