"""A person with two ids, a registry that may link them, and a merchant."""

from typing import Any

import polars as pl

from api.evidence import ledger, link_sources
from api.runtime.context import AppContext
from api.supervision import audit
from graph.evidence.vocabulary import CLASSES
from tests.api.order_client import OrderClient
from tests.api.refresh_town import Refresher
from tests.api.town import END, NOW, event

REGISTRY = "registry"
SECOND = "second-id"
AT = END.isoformat().replace("+00:00", "Z")


class LinkedClient(OrderClient):
    """A merchant over a town in which one more id is enrolled. `link` sends the registry's statement by the API."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.first = self.person
        link_sources.allow(context.database, REGISTRY, NOW)
        self.registry = self.issue("contributor", REGISTRY)
        self.append(event("person.enrolled", SECOND, event_id="second", identity_level=2))
        self.grant(SECOND)
        self.refresh()

    def append(self, events: pl.DataFrame) -> None:
        assert ledger.append(self.context.database, events, self.now).accepted == events.height

    def grant(self, person: str, classes: str = ",".join(CLASSES), **fields: Any) -> None:
        name = f"grant-{next(self.numbers)}"
        fields = {"purpose": "perks", "classes": classes} | fields
        self.append(event("consent.granted", person, event_id=name, **fields))

    def withdraw(self, person: str, **fields: Any) -> None:
        name = f"withdrawal-{next(self.numbers)}"
        self.append(event("consent.withdrawn", person, event_id=name, **{"purpose": "perks"} | fields))

    def refresh(self) -> None:
        Refresher(self.context.database, self.context.evaluators).run(self.now)

    def send(self, *rows: dict[str, Any], token: str | None = None) -> list[dict[str, Any]]:
        answer = self.http.post("/v1/events", json=list(rows), headers=self.bearer(token or self.registry))
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["rows"]
        return results

    def link(self, token: str | None = None, **fields: Any) -> dict[str, Any]:
        row = {"event_id": "link", "kind": "person.same_as", "subject": self.first, "other": SECOND, "happened_at": AT}
        (result,) = self.send(row | fields, token=token)
        self.refresh()
        return result

    def retract(self) -> None:
        row = {"kind": "event.retracted", "subject": self.first, "ref_event": "link", "happened_at": AT}
        assert self.send(row | {"event_id": "undo"})[0]["result"] == "accepted"
        self.refresh()

    def me(self, person: str, path: str = "") -> Any:
        return self.http.get(f"/v1/me{path}", headers=self.bearer(self.issue("subject", person)))


def assert_chain_holds(client: OrderClient) -> None:
    assert audit.verify(client.context.database).first_break is None
