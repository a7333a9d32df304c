"""A grant ends by its contributor's retraction, a withdrawal or its end date. Other events that refer to it change
nothing.
"""

import json
from datetime import timedelta
from typing import Any, Final

import polars as pl
import pytest

from api.evidence import ledger
from api.runtime.context import AppContext
from graph.evidence.vocabulary import CLASSES
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import event

HOUR: Final = timedelta(hours=1)
REFERRING_EVENTS: Final[dict[str, dict[str, Any]]] = {  # events that refer to a grant and leave it unchanged
    "a correction": {"kind": "event.corrected", "fields": json.dumps({"channel": "cash"})},
    "a dispute": {"kind": "dispute.opened", "statement": "I never said so"},
    "a dispute that was upheld": {"kind": "dispute.resolved", "outcome": "upheld"},
    "somebody else's retraction": {"kind": "event.retracted", "contributor": "another-bank"},
    "a retraction of another event of that id": {"kind": "event.retracted", "ref_event": "grant-2", "contributor": "b"},
    "a retraction that is yet to come": {"kind": "event.retracted", "happened_at": HOUR},
}


class GrantClient(MerchantClient):
    """Two people, each with a grant to the service that is an event of a bank."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.sign_up()
        self.people = [str(p) for p in self.scores.filter(pl.col("score") >= 600)["person"][:2]]
        consent_fields = {"purpose": "perks", "classes": ",".join(CLASSES), "service": "inn/hotel"}
        for n, person in enumerate(self.people, 1):
            self.append_event("consent.granted", person, f"grant-{n}", **consent_fields)

    def count_permitted_classes(self) -> list[int]:
        """How many classes each of them lets the service ask about, as the person sees it."""
        class_counts = []
        for person in self.people:
            headers = self.bearer(self.issue("subject", person))
            permissions = self.http.get("/v1/me/consents", headers=headers).json()["in_force"]
            class_counts.append(sum(permission["service"] == "inn/hotel" for permission in permissions))
        return class_counts

    def append_event(self, kind: str, person: str, event_id: str, **fields: Any) -> None:
        events = event(kind, person, self.now + fields.pop("happened_at", timedelta()), event_id, **fields)
        assert ledger.append(self.context.database, events, self.now).accepted == 1


@pytest.mark.parametrize("case", REFERRING_EVENTS)
def test_other_events_that_refer_to_a_grant_do_not_revoke_it(town: AppContext, case: str) -> None:
    client = GrantClient(town)
    fields = {"ref_event": "grant-1", **REFERRING_EVENTS[case]}
    client.append_event(person=client.people[0], event_id="about-it", **fields)
    assert client.count_permitted_classes() == [len(CLASSES)] * 2
    assert client.post_question(client.people[0]).json().get("code") in (None, "features_stale")  # and not `no_consent`
    assert client.post_question(client.people[1]).status_code == 200


def test_a_retraction_by_its_contributor_ends_only_that_grant(town: AppContext) -> None:
    client = GrantClient(town)
    client.append_event("event.retracted", client.people[0], "about-it", ref_event="grant-1")
    assert client.count_permitted_classes() == [0, len(CLASSES)]
    assert_problem(client.post_question(client.people[0]), 403, "no_consent")
    assert client.post_question(client.people[1]).status_code == 200
