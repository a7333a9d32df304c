"""What later decisions read of earlier ones is bound by the chain: whoever changes any of it is found out. On both databases."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from api.database import reading
from api.decisions import decisions
from api.supervision import audit
from api.world import World
from tests.api.audited import tampered, undone
from tests.api.door import Door, refused

COLUMNS = {
    "subject": "'nobody-else'",
    "merchant": "'somewhere'",
    "transaction_id": "'T-999'",
    "context": """'{"nights":59}'""",
    "held_since": "1700000000000000",
    "salt": "'00'",
    "record": "replace(record, 'merchant', 'salesman')",
}


@pytest.fixture
def door(town: World) -> Door:
    return Door(town)


def asked(door: Door) -> dict[str, int]:
    """Two merchants ask about two people who let them, and about two who do not: the `seq` of each by what it is."""
    ann, bob, *others = door.scores.filter(door.scores["score"] >= 700)["person"].to_list()
    lodge = door.issue("merchant", "lodge")
    for person in (ann, bob):
        for token in (door.token, lodge):
            door.now += timedelta(minutes=1)
            assert door.ask(person, token, amount=100, context={"nights": 3}).status_code == 200
            assert door.ask(person, token, perk="bicycle", amount=10_000).status_code == 200
    for person, token in ((others[0], door.token), (others[1], lodge)):
        refused(door.put(person, token, context={"nights": 2}), 403, "no_consent")
    with reading(door.world.database) as connection:
        rows = connection.execute(text("select seq, perk, outcome from decisions order by seq")).all()
    seqs = {"a room": rows[0].seq, "a bicycle": rows[-3].seq, "refused": rows[-2].seq, "refused last": rows[-1].seq}
    assert [r.outcome for r in rows[-2:]] == ["REFUSED"] * 2
    assert rows[-3].perk == "bicycle"
    return seqs


def broken(door: Door) -> tuple[int | None, str] | None:
    found = audit.verify(door.world.database).broken
    return found and (found.seq, found.what)


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # what is compared is the same on both
def test_no_column_beside_a_decision_or_a_refusal_can_be_changed_unseen(door: Door) -> None:
    for what, seq in asked(door).items():
        for column, value in COLUMNS.items():
            with undone(door.world.database):
                tampered(door.world.database, f"update decision_subjects set {column} = {value} where seq = {seq}")
                found = broken(door)
            assert found is not None, (what, column)
            assert found[0] == seq
            assert found[1] in (
                "its record was altered",
                f"what later questions read of it was altered: {column}",
            ), (what, column)
    assert broken(door) is None


def test_a_decision_that_is_a_transaction_s_is_verified_with_it(door: Door) -> None:
    """As every decision is that a merchant asks for."""
    asked(door)
    with reading(door.world.database) as connection:
        query = "select count(*) from decision_subjects where transaction_id is not null"
        assert connection.execute(text(query)).scalar() == 8
    assert broken(door) is None


def declined(door: Door) -> str:
    """Somebody who has not earned the bicycle."""
    for person in door.scores.filter(door.scores["score"].is_between(350, 600))["person"]:
        if door.ask(person, perk="bicycle", amount=10_000).json()["outcome"] == "DECLINE":
            return str(person)
    raise AssertionError("everybody may have a bicycle")


def test_a_bicycle_got_by_a_forged_moment_is_found_out_even_when_it_is_put_right(door: Door) -> None:
    person = declined(door)
    other = next(p for p in door.scores["person"] if p != person)
    door.ask(other, perk="bicycle", amount=10_000)
    since = decisions.micros(door.now - timedelta(days=1))
    mine = f"where subject = '{person}'"
    tampered(door.world.database, f"update decision_subjects set held_since = {since} {mine}")
    assert door.ask(person, perk="bicycle", amount=10_000).json()["outcome"] == "ADMIT"
    found = broken(door)
    assert found is not None
    assert found[1] == "what later questions read of it was altered: held_since"
    first = f"select min(seq) from decision_subjects {mine}"
    tampered(door.world.database, f"update decision_subjects set held_since = null where seq = ({first})")
    found = broken(door)
    assert found is not None
    assert found[1] == "it took the perk as held since another moment than the decision before it says"


def test_a_question_that_is_refused_ends_no_hold_and_breaks_nothing(door: Door) -> None:
    """Whoever has no consent could take a perk away by asking."""
    person = next(p for p in door.scores.filter(door.scores["score"] >= 700)["person"])
    first = door.ask(person, perk="bicycle", amount=10_000).json()
    held = decisions.record_of(door.world.database, first["decision_id"])["decision"]["held_since"]
    assert held is not None
    lodge = door.issue("merchant", "lodge")
    door.sign_up(lodge, "bicycle")
    refused(door.put(person, lodge, service="bicycle", amount=10_000), 403, "no_consent")
    door.now += timedelta(days=1)
    again = door.ask(person, perk="bicycle", amount=10_000).json()
    question = decisions.record_of(door.world.database, again["decision_id"])["decision"]["question"]
    assert question["held_since"] == held
    assert broken(door) is None


def test_a_record_holds_the_request_as_it_came(door: Door) -> None:
    asked(door)
    with reading(door.world.database) as connection:
        rows = connection.execute(text("select subject, context, record from decision_subjects")).all()
    for subject, context, record in rows:
        said = json.loads(record)
        assert (said["subject"], said["context"]) == (subject, json.loads(context))


def test_an_order_of_a_decision_that_is_gone_is_found_out(door: Door) -> None:
    person = door.anyone(700)
    answer = door.ask(person, amount=100).json()
    form = {"out_order_no": "O-1", "service": "hotel", "decision_id": answer["decision_id"]}
    form |= {"risk_fund": {"amount": 100}, "service_introduction": "a room"}
    assert door.client.post("/v1/orders", json=form, headers=door.bearer(door.token)).status_code == 201
    gone = ("delete from decisions", "delete from decision_subjects")
    tampered(door.world.database, *gone, f"update chain_head set length = 0, hash = '{decisions.FIRST}'")
    found = audit.verify(door.world.database).broken
    assert found is not None
    assert (found.id, found.what) == (answer["decision_id"], "there is an order of it, and no decision")
