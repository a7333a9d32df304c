"""A town with a merchant's service and a person who lets it ask: what the stories of the desk begin from."""

from dataclasses import dataclass
from typing import Any

import httpx2

from api.access import tokens
from api.features import builds
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from api.store import clock

CLASSES = ["identity", "relationship", "behaviour", "credit"]


@dataclass(frozen=True)
class TownServer:
    """The API of a server, by role: tokens and requests."""

    address: str
    context: AppContext

    def token(self, role: str, party: str) -> str:
        """A new token."""
        return tokens.issue(self.context.database, role, party, party, clock.now()).secret

    def call(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """The JSON of an answer."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.request(method, f"{self.address}{path}", json=body, headers=headers, timeout=60).json()

    @property
    def people(self) -> list[str]:
        """People with a score, the highest first."""
        scores = builds.scores(self.context.database, current_build(self.context)).drop_nulls("score")
        return list(scores.sort("score", descending=True)["person"])

    def consent(self, merchant: str, person: str, service: str = "rooms") -> None:
        """The person lets the merchant's service ask."""
        form = {"service": service, "subject": person, "classes": CLASSES}
        request = self.call("POST", "/v1/consents", self.token("merchant", merchant), form)
        path = f"/v1/me/consents/{request['id']}/grant"
        answer = self.call("POST", path, self.token("subject", person), {"classes": CLASSES})
        assert answer["state"] == "granted"

    def ask(self, merchant: str, person: str, amount: int = 50_000) -> Any:
        """The answer to a question of the service `rooms`."""
        number = f"T-{clock.now().timestamp():.6f}".replace(".", "-")
        form = {"transaction_id": number, "service": "rooms", "subject": person, "amount": amount}
        return self.call("POST", "/v1/eligibility", self.token("merchant", merchant), form)

    def order(self, merchant: str, person: str, number: str = "O-1", text: str = "two nights") -> Any:
        """An order that waits for the person."""
        decision = self.ask(merchant, person)
        form = {
            "out_order_no": number,
            "service": "rooms",
            "decision_id": decision["decision_id"],
            "service_introduction": text,
            "risk_fund": {"amount": decision["waived_amount"]},
        }
        return self.call("POST", "/v1/orders", self.token("merchant", merchant), form)
