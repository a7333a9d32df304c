"""An answer reads those earlier decisions alone that can still count, and gives what it would give if it read all of them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from api.decisions import decisions
from api.decisions.batch import AMOUNTS_WINDOW, reject_probing
from api.decisions.counting_decisions import MAX_SPENT, spent
from api.decisions.decisions import REFUSED
from api.decisions.exposure import (
    PriorDecision,
    counting_decisions_query,
    exposure_of,
    prior_decisions,
    prior_decisions_query,
)
from api.decisions.question import EligibilityQuestion
from api.people.erasure import erase
from api.runtime.context import AppContext
from api.store.clock import micros
from api.store.database import fetch_rows, open_database, reading
from api.store.tables import COUNTING_DECISIONS
from engine.errors import Rejected
from tests.api.merchant_client import MerchantClient
from tests.api.order_client import OrderClient
from tests.api.town import NOW

MERCHANTS = ("inn", "lodge", "manor")
PERKS = ("hotel", "car")
STATES = (None, None, None, "created", "in_service", "due", "overdue", "settled", "cancelled", "expired")
HOURS = st.integers(0, 60)


@st.composite
def histories(draw: st.DrawFn) -> list[PriorDecision]:
    """One list of decisions, oldest first; clocks of servers differ by less than a day."""
    prior, at = list[PriorDecision](), NOW
    for seq in range(1, draw(st.integers(0, 14)) + 1):
        at += timedelta(hours=draw(HOURS))
        decided_at = at + timedelta(hours=draw(st.integers(0, 23)))
        outcome = draw(st.sampled_from(("ADMIT", "PARTIAL", "DECLINE", REFUSED)))
        state = draw(st.sampled_from(STATES)) if outcome in ("ADMIT", "PARTIAL") else None
        prior.append(
            PriorDecision(
                seq=seq,
                merchant=draw(st.sampled_from(MERCHANTS)),
                perk=draw(st.sampled_from(PERKS)),
                currency="CNY",
                amount=draw(st.integers(1, 7)),
                outcome=outcome,
                waived=draw(st.integers(1, 7)) if outcome in ("ADMIT", "PARTIAL") else 0,
                decided_at=micros(decided_at),
                valid_until=micros(decided_at + timedelta(hours=0 if outcome == REFUSED else draw(HOURS))),
                held_since=draw(st.none() | st.just(micros(NOW))),
                state=state,
                closed_at=micros(at) if state in ("settled", "cancelled", "expired") else None,
            )
        )
    return prior


def counting(prior: Sequence[PriorDecision], after: Sequence[int]) -> list[PriorDecision]:
    """What is left of a list if we take off what is spent after each of these decisions."""
    listed = list[PriorDecision]()
    for place, decision in enumerate(prior):
        listed.append(decision)
        if place in after:
            newest = max(p.decided_at for p in prior[: place + 1])
            useless = spent(listed, datetime.fromtimestamp(newest / 1e6, NOW.tzinfo), AMOUNTS_WINDOW)
            listed = [p for p in listed if p.seq not in useless]
    return listed


def is_probing(prior: Sequence[PriorDecision], merchant: str, amount: int, now: datetime) -> bool:
    question = EligibilityQuestion(merchant, None, "ann", "hotel", amount, "CNY", now, service="rooms")
    try:
        reject_probing(prior, question)
    except Rejected:
        return True
    return False


@given(st.lists(histories(), min_size=1, max_size=2), st.sets(st.integers(0, 13)), st.integers(-23, 80))
def test_what_is_left_gives_the_same_answers_as_all_decisions(
    lists: list[list[PriorDecision]], after: set[int], hours: int
) -> None:
    """Of one id, and of two that are linked: their lists are shortened apart, and read together."""
    numbered = [[replace(p, seq=2 * p.seq + n) for p in prior] for n, prior in enumerate(lists)]
    every = sorted((p for prior in numbered for p in prior), key=lambda p: p.seq)
    left = sorted((p for prior in numbered for p in counting(prior, sorted(after))), key=lambda p: p.seq)
    newest = max((p.decided_at for p in every), default=micros(NOW))
    now = datetime.fromtimestamp(newest / 1e6, NOW.tzinfo) + timedelta(hours=hours)
    for merchant in (*MERCHANTS, "motel"):
        for perk in PERKS:
            assert exposure_of(left, merchant, perk, now) == exposure_of(every, merchant, perk, now)
        for amount in range(1, 9):
            assert is_probing(left, merchant, amount, now) == is_probing(every, merchant, amount, now)
    replaced = {p.seq for p in every if p.stands(now)} - {p.seq for p in left}
    newer = [(p.merchant, p.perk, p.seq) for p in every if p.outcome != REFUSED]
    by_seq = {p.seq: p for p in every}
    assert all(
        any((m, k) == (by_seq[seq].merchant, by_seq[seq].perk) and other > seq for m, k, other in newer)
        for seq in replaced
    )


@pytest.fixture
def client(town: AppContext) -> MerchantClient:
    return MerchantClient(town)


def read(client: MerchantClient, person: str) -> tuple[list[PriorDecision], list[PriorDecision]]:
    """The decisions about a person that an answer reads, and all of them."""
    with reading(client.context.database) as connection:
        queries = counting_decisions_query([person]), prior_decisions_query([person])
        listed, every = fetch_rows(connection, *queries)
    return prior_decisions(listed, [person])[person], prior_decisions(every, [person])[person]


def test_a_list_stays_short_however_many_answers_there_are(client: MerchantClient) -> None:
    person = client.scores["person"][0]
    for number in range(40):
        client.now += timedelta(days=3)
        assert client.ask(person, amount=100 + number).status_code == 200
        listed, every = read(client, person)
        assert len(every) == number + 1
        assert len(listed) <= MAX_SPENT + 2
        for merchant in ("inn", "lodge"):
            now = client.now + timedelta(minutes=5)
            assert exposure_of(listed, merchant, "hotel", now) == exposure_of(every, merchant, "hotel", now)


def test_refusals_leave_the_list_like_answers(client: MerchantClient) -> None:
    for number in range(30):
        client.now += timedelta(days=3)
        assert client.ask("nobody", amount=100 + number).status_code == 403
    listed, every = read(client, "nobody")
    assert (len(every), len(listed) <= MAX_SPENT + 2) == (30, True)


def test_an_order_from_an_early_answer_counts_after_many_further_answers(town: AppContext) -> None:
    client = OrderClient(town)
    client.start_order("O-1")
    person = client.person
    for number in range(MAX_SPENT * 3):
        client.now += timedelta(days=3)
        answer = client.ask(person, amount=100 + number)
    record = decisions.recorded_inputs(client.context.database, answer.json()["decision_id"])
    assert record["question"]["in_service"] == 1
    assert len(record["question"]["used"]) == 1
    listed, every = read(client, person)
    assert len(listed) < len(every)


def test_a_database_from_before_the_lists_gets_them_of_its_decisions(client: MerchantClient) -> None:
    """Two people: the newest answers and refusals count, and what they replaced does not."""
    people, stranger = client.scores["person"][:2].to_list(), client.issue("merchant", "stranger")
    client.sign_up(stranger)
    for number in range(6):
        client.now += timedelta(days=3)
        for person in people:
            client.ask(person, amount=100 + number)
            assert client.post_question(person, stranger, amount=7).status_code == 403
    database = client.context.database
    with database.begin() as connection:
        connection.execute(text("DROP TABLE counting_decisions"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0023'"))
    open_database(database.url.render_as_string(hide_password=False)).dispose()
    for person in people:
        listed, every = read(client, person)
        assert len(listed) < len(every)
        for merchant in ("inn", "lodge"):
            assert exposure_of(listed, merchant, "hotel", client.now) == exposure_of(
                every, merchant, "hotel", client.now
            )
        assert client.ask(person, amount=100).status_code == 200


def test_an_erased_person_leaves_no_list(client: MerchantClient) -> None:
    person = client.scores["person"][0]
    for _ in range(3):
        client.ask(person)
    erase(client.context.database, person, client.now)
    with client.context.database.connect() as connection:
        query = select(func.count()).where(COUNTING_DECISIONS.c.subject == person)
        assert connection.execute(query).scalar_one() == 0
