"""What ends a grant: its contributor's retraction, a withdrawal, its end; nothing else that refers to it."""

import json
from datetime import timedelta
from typing import Any, Final

import polars as pl
import pytest

from api.evidence import ledger
from api.world import World
from graph.events import CLASSES
from tests.api.door import Door, refused
from tests.api.world import event

HOUR: Final = timedelta(hours=1)
ABOUT: Final[dict[str, dict[str, Any]]] = {  # what refers to a grant and leaves it as it is
    "a correction": {"kind": "event.corrected", "fields": json.dumps({"channel": "cash"})},
    "a dispute": {"kind": "dispute.opened", "statement": "I never said so"},
    "a dispute that was upheld": {"kind": "dispute.resolved", "outcome": "upheld"},
    "somebody else's retraction": {"kind": "event.retracted", "contributor": "another-bank"},
    "a retraction of another event of that id": {"kind": "event.retracted", "ref_event": "grant-2", "contributor": "b"},
    "a retraction that is yet to come": {"kind": "event.retracted", "happened_at": HOUR},
}


class Desk(Door):
    """Two people, each with a grant to the service that is an event of a bank."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.sign_up()
        self.people = [str(p) for p in self.scores.filter(pl.col("score") >= 600)["person"][:2]]
        said = {"purpose": "perks", "classes": ",".join(CLASSES), "service": "inn/hotel"}
        for n, person in enumerate(self.people, 1):
            self.tell("consent.granted", person, f"grant-{n}", **said)

    def allowed(self) -> list[int]:
        """How many classes each of them lets the service ask about, as the person sees it."""
        found = []
        for person in self.people:
            headers = self.bearer(self.issue("subject", person))
            lines = self.client.get("/v1/me/consents", headers=headers).json()["in_force"]
            found.append(sum(line["service"] == "inn/hotel" for line in lines))
        return found

    def tell(self, kind: str, person: str, name: str, **fields: Any) -> None:
        told = event(kind, person, self.now + fields.pop("happened_at", timedelta()), name, **fields)
        assert ledger.append(self.world.database, told, self.now).accepted == 1


@pytest.mark.parametrize("what", ABOUT)
def test_what_refers_to_a_grant_does_not_revoke_it(town: World, what: str) -> None:
    desk = Desk(town)
    fields = {"ref_event": "grant-1", **ABOUT[what]}
    desk.tell(person=desk.people[0], name="about-it", **fields)
    assert desk.allowed() == [len(CLASSES)] * 2
    assert desk.put(desk.people[0]).json().get("code") in (None, "features_stale")  # and not `no_consent`
    assert desk.put(desk.people[1]).status_code == 200


def test_its_contributors_retraction_ends_that_grant_and_no_other(town: World) -> None:
    desk = Desk(town)
    desk.tell("event.retracted", desk.people[0], "about-it", ref_event="grant-1")
    assert desk.allowed() == [0, len(CLASSES)]
    refused(desk.put(desk.people[0]), 403, "no_consent")
    assert desk.put(desk.people[1]).status_code == 200
