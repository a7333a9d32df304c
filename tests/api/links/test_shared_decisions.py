"""Decisions about linked ids go on counting for each id when its person ends the link, and stop when the link was wrong."""

import json
from collections.abc import Callable

import polars as pl
import pytest
from sqlalchemy import func, select

from api.people import disputes
from api.people.erasure import erase
from api.runtime.context import AppContext
from api.store.tables import ORDER_MOVES, SHARED_DECISIONS
from tests.api.linked_client import AT, REGISTRY, LinkedClient, assert_chain_holds
from tests.api.merchant_client import assert_problem
from tests.api.town import NOW


class TwoScores(LinkedClient):
    """Two ids that each get perks. `second` is the other one."""

    def __init__(self, context: AppContext, *, linked: bool = True) -> None:
        super().__init__(context)
        self.second = str(self.scores.filter(pl.col("score") >= 750)["person"][1])
        self.consent(self.second)
        if linked:
            self.link(other=self.second)


@pytest.fixture
def client(town: AppContext) -> TwoScores:
    return TwoScores(town)


def withdraw(client: TwoScores) -> None:
    client.withdraw(client.first, classes="identity")
    client.refresh()


def dispute(client: TwoScores) -> None:
    body = {"contributor": REGISTRY, "event_id": "link", "statement": "this is not me"}
    token = client.issue("subject", client.second)
    assert client.http.post("/v1/me/disputes", json=body, headers=client.bearer(token)).status_code == 201
    client.refresh()


def uphold(client: TwoScores) -> None:
    dispute(client)
    (opened,) = disputes.list_disputes(client.context.database, waiting=True)
    disputes.resolve_dispute(client.context.database, opened["id"], "upheld", None, "ops", client.now)
    client.refresh()


def correct(client: TwoScores) -> None:
    """The registry meant another id."""
    row = {"kind": "event.corrected", "ref_event": "link", "fields": {"other": "third-id"}, "subject": client.first}
    assert client.send(row | {"event_id": "move", "happened_at": AT})[0]["result"] == "accepted"
    client.refresh()


def retract_a_correction(client: TwoScores) -> None:
    """The link was to another id at first. A correction moved it here, and its source takes that back."""
    row = {"kind": "event.retracted", "ref_event": "here", "subject": client.first, "event_id": "back"}
    assert client.send(row | {"happened_at": AT})[0]["result"] == "accepted"
    client.refresh()


def outcome(client: TwoScores, person: str | None = None) -> str:
    answer = client.ask(person or client.second)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["outcome"])


def shares(client: TwoScores) -> int:
    with client.context.database.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(SHARED_DECISIONS)).scalar_one())


@pytest.mark.parametrize("end", [withdraw, dispute])
def test_a_person_who_ends_a_link_gets_no_second_set_of_perks(
    client: TwoScores, end: Callable[[TwoScores], object]
) -> None:
    for number in range(3):
        client.start_order(f"O-{number}")
    end(client)
    assert outcome(client) == "DECLINE", "three orders are in service under the other id"
    assert_chain_holds(client)


@pytest.mark.parametrize("end", [LinkedClient.retract, uphold, correct])
def test_a_wrong_link_leaves_no_orders_of_the_other_id(client: TwoScores, end: Callable[[TwoScores], object]) -> None:
    for number in range(3):
        client.start_order(f"O-{number}")
    assert outcome(client) == "DECLINE"
    end(client)
    assert outcome(client) == "ADMIT"
    assert_chain_holds(client)


def test_the_end_of_a_correction_ends_what_the_corrected_link_shared(town: AppContext) -> None:
    client = TwoScores(town, linked=False)
    client.link(other="third-id")
    row = {"kind": "event.corrected", "ref_event": "link", "fields": {"other": client.second}, "subject": client.first}
    assert client.send(row | {"event_id": "here", "happened_at": AT})[0]["result"] == "accepted"
    client.refresh()
    for number in range(3):
        client.start_order(f"O-{number}")
    assert outcome(client) == "DECLINE"
    retract_a_correction(client)
    assert outcome(client) == "ADMIT"


def test_orders_from_before_the_link_count_after_it_once_a_decision_counted_them(town: AppContext) -> None:
    client = TwoScores(town, linked=False)
    for number in range(3):
        client.start_order(f"O-{number}")
    assert outcome(client) == "ADMIT", "nobody knows yet"
    client.link(other=client.second)
    assert outcome(client) == "DECLINE"
    dispute(client)
    assert outcome(client) == "DECLINE"
    assert_chain_holds(client)


def test_a_newer_answer_under_the_other_id_still_replaces_the_older_after_the_link(client: TwoScores) -> None:
    older = client.decide()["decision_id"]
    newer = client.ask(client.second).json()["decision_id"]
    dispute(client)
    assert_problem(client.create_order("O-old", older), 409, "decision_superseded")
    client.consented_subjects[client.token, "hotel"].add(client.second)
    assert client.create_order("O-new", newer).status_code == 201
    assert_chain_holds(client)


def test_an_order_counts_the_orders_of_the_other_id(client: TwoScores) -> None:
    for number in range(2):
        client.start_order(f"O-{number}")
    decision = client.ask(client.second).json()
    assert decision["outcome"] == "ADMIT"
    dispute(client)
    order = client.create_order("O-second", decision["decision_id"]).json()
    with client.context.database.connect() as connection:
        query = select(ORDER_MOVES.c.counts).where(ORDER_MOVES.c.order == order["order_id"])
        counts = json.loads(connection.execute(query).scalar_one())
    assert (counts["in_service"], len(counts["shared"])) == (2, 2)
    assert client.confirm(order["order_id"], client.issue("subject", client.second)).status_code == 200
    assert outcome(client, client.first) == "DECLINE", "the third is the other id's"
    assert_chain_holds(client)


def test_erasure_takes_the_shares_of_a_person_away(client: TwoScores) -> None:
    client.decide()
    assert shares(client) == 2, "one decision, which counts for both ids"
    erase(client.context.database, client.second, NOW)
    assert shares(client) == 1
    erase(client.context.database, client.first, NOW)
    assert shares(client) == 0
    assert_chain_holds(client)


def test_nobody_shares_a_decision_without_a_link(town: AppContext) -> None:
    client = TwoScores(town, linked=False)
    client.decide()
    assert shares(client) == 0
