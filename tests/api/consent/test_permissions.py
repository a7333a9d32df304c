"""A grant ends by its contributor's retraction, a withdrawal or its end date. Other events that refer to it change
nothing.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
import pytest
from sqlalchemy import Engine

from api.consent import consents, permissions
from api.evidence import ledger
from api.runtime.context import AppContext
from api.store.database import fetch_rows, reading
from graph.evidence.vocabulary import CLASSES
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import NOW, build_features, event

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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


def test_a_question_is_answered_by_the_consents_for_the_purpose_of_the_newest_build(database: Engine) -> None:
    """Ann consents to rent with one class and to perks with two. The newest of three builds is neither the first nor the last
    purpose in the alphabet.
    """
    for purpose, classes in (("perks", ("identity", "credit")), ("rent", ("identity",)), ("loans", ("credit",))):
        assert consents.give_consent(database, consents.Consent("ann", purpose, classes, None), NOW)
    for purpose, expected in (("rent", {"identity"}), ("loans", {"credit"}), ("perks", {"identity", "credit"})):
        build_features(database, NOW, purpose, NOW)
        with reading(database) as connection:
            (rows,) = fetch_rows(connection, permissions.consent_query(["ann"], NOW))
        assert {row[1] for row in rows} == {purpose}
        assert permissions.allowed_classes(rows, [("ann", None)], NOW) == {("ann", None): expected}


def test_a_service_whose_grants_have_all_ended_is_no_longer_named() -> None:
    """Times in microseconds: the grant to the hotel ends at 20, that of the credit class to the bikes too."""
    rows = [
        ("ann", "perks", "inn/hotel", "consent.granted", "identity,credit", 20, 10),
        ("ann", "perks", "inn/bikes", "consent.granted", "credit", 20, 10),
        ("ann", "perks", "inn/bikes", "consent.granted", "identity", None, 11),
    ]
    open_bikes = {"identity": permissions.Grant(11, None)}
    ended = permissions.collect_grants(rows, EPOCH + timedelta(microseconds=20))
    assert ended == {("ann", "perks"): {"inn/bikes": open_bikes}}
    in_force = permissions.collect_grants(rows, EPOCH + timedelta(microseconds=19))
    both, credit = (
        {"identity": permissions.Grant(10, 20), "credit": permissions.Grant(10, 20)},
        permissions.Grant(10, 20),
    )
    assert in_force == {("ann", "perks"): {"inn/hotel": both, "inn/bikes": {"credit": credit, **open_bikes}}}
