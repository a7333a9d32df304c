"""A clock that was ahead once: we stop while it is ahead, and its stored times do no harm once it is right again."""

import logging
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from api.decisions.decisions import DecisionResult, recorded_inputs
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.http import dependencies
from api.jobs import order_clock
from api.jobs.order_clock import ticking_orders
from api.runtime.context import AppContext
from api.store import clock
from api.store.clock import EPOCH, micros
from api.store.clock import day as day_of
from api.store.database import open_database, reading
from api.supervision import audit, digests
from engine.errors import Rejected
from tests.api.audit_client import AuditClient, tamper
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient

CLOCK_LEAD = timedelta(days=400)
SQLITE_ONLY = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # where the database makes no difference


@pytest.fixture
def client(town: AppContext) -> OrderClient:
    return OrderClient(town)


@pytest.fixture
def audit_client(town: AppContext) -> AuditClient:
    return AuditClient(town)


@pytest.fixture
def real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steady clock agrees with the machine's clock, and began a second ago."""
    monkeypatch.setattr(clock, "_anchor", (datetime.now(UTC) - timedelta(seconds=1), clock._seconds() - 1))


def set_clock_ahead(monkeypatch: pytest.MonkeyPatch, lead: timedelta) -> None:
    monkeypatch.setattr(clock, "wall", lambda: datetime.now(UTC) + lead)


def decide_ahead(context: AppContext, person: str, merchant: str = "inn", at: datetime | None = None) -> DecisionResult:
    """An answer of a server with a clock ahead, from before we refused such clocks."""
    assert at is not None
    question = EligibilityQuestion(merchant, "T-ahead", person, "", 50_000, "", at, service="hotel")
    return answer_question(context, question)


def count_decisions(context: AppContext) -> int:
    with reading(context.database) as connection:
        return int(connection.execute(text("select count(*) from decisions")).scalar_one())


@pytest.mark.usefixtures("real_clock")
def test_a_server_with_a_clock_ahead_gives_no_answers_until_it_is_right(
    client: OrderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.consent(client.person)
    client.http.app.dependency_overrides.pop(dependencies.get_now)  # type: ignore[attr-defined]
    before = count_decisions(client.context)
    for lead in (timedelta(days=1, minutes=1), CLOCK_LEAD):
        set_clock_ahead(monkeypatch, lead)
        problem = assert_problem(client.post_question(client.person), 503, "clock_ahead")
        assert problem["detail"] == f"the clock is {lead.days} days ahead"
        assert_problem(client.create_order(decision="0" * 32), 503, "clock_ahead")
    assert count_decisions(client.context) == before
    for lead in (timedelta(hours=23), timedelta(0), timedelta(days=-400)):
        set_clock_ahead(monkeypatch, lead)
        assert client.post_question(client.person).status_code != 503
    assert count_decisions(client.context) > before


@pytest.mark.usefixtures("real_clock")
@SQLITE_ONLY
def test_background_work_waits_until_the_clock_is_right(
    client: OrderClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unpaid order does not become overdue by a clock that is ahead."""
    client.create_due_order()
    monkeypatch.setattr(order_clock, "INTERVAL_SECONDS", 0.01)
    set_clock_ahead(monkeypatch, CLOCK_LEAD)
    with caplog.at_level(logging.ERROR, "iftah"), ticking_orders(lambda: client.context):
        time.sleep(0.1)
    assert client.state() == "due"
    assert [r.message for r in caplog.records] == [
        "orders by the clock: not done: the clock: the clock is 400 days ahead "
        "(set this machine's clock right; if it is right now, restart the server)"
    ]


@SQLITE_ONLY
def test_a_question_stamped_far_ahead_of_the_steady_clock_is_refused(
    client: OrderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.decide()
    monkeypatch.setattr(clock, "_anchor", (client.now, clock._seconds()))
    for late in (timedelta(hours=23), timedelta(hours=23)):  # within a day of one of them
        client.now += late
        client.decide()
    client.now += CLOCK_LEAD
    assert_problem(client.ask(client.person), 503, "clock_ahead")
    client.now -= CLOCK_LEAD
    assert client.decide()["outcome"] == "ADMIT"


@pytest.mark.parametrize("bare_url", ["postgresql"], indirect=True)
def test_on_postgresql_the_servers_clock_is_the_reference(monkeypatch: pytest.MonkeyPatch, bare_url: str) -> None:
    """A process that starts with a clock ahead has no other reference."""
    set_clock_ahead(monkeypatch, CLOCK_LEAD)
    monkeypatch.setattr(clock, "_anchor", (clock.wall(), clock._seconds()))
    assert clock.now() > datetime.now(UTC) + timedelta(days=399)
    database = open_database(bare_url)
    database.connect().close()
    database.dispose()
    with pytest.raises(Rejected) as error:
        clock.now()
    assert error.value.code == "clock_ahead"
    set_clock_ahead(monkeypatch, timedelta(0))
    assert abs(clock.now() - clock.steady()) < timedelta(minutes=1)


def test_digests_continue_after_a_decision_stamped_ahead(audit_client: AuditClient) -> None:
    """A decision is stamped 400 days ahead right after a digest. Each decision is in exactly one digest, and we can
    prove it.
    """
    first = audit_client.decide(audit_client.people[0])
    midnight = EPOCH + timedelta(days=day_of(audit_client.now) + 1)
    assert len(digests.make_digests(audit_client.context.database, midnight + timedelta(minutes=11))) == 1
    early_result = audit_client.decide(audit_client.people[1], at=midnight + CLOCK_LEAD)
    results = [first, early_result]
    for number, hour in enumerate((9, 33, 57)):
        results.append(audit_client.decide(audit_client.people[2 + number], at=midnight + timedelta(hours=hour)))
        moment = midnight + timedelta(days=number + 1, minutes=11)
        (digest,) = digests.make_digests(audit_client.context.database, moment)
        assert digest.day == day_of(midnight) + number
        assert digests.make_digests(audit_client.context.database, moment) == []
    proofs = [digests.make_proof(audit_client.context.database, result.id) for result in results]
    assert [digests.check_proof(p).dates for p in proofs] == [True] * 5
    assert [p["day"] for p in proofs][:3] == [p["day"] for p in (proofs[0], proofs[2], proofs[2])]
    report = audit.verify(audit_client.context.database)
    assert (report.decisions, report.digests, report.first_break) == (5, 4, None)


def test_a_decision_stamped_ahead_is_digested_without_later_decisions(audit_client: AuditClient) -> None:
    midnight = EPOCH + timedelta(days=day_of(audit_client.now) + 1)
    early_result = audit_client.decide(audit_client.people[0], at=midnight + CLOCK_LEAD)
    (digest,) = digests.make_digests(audit_client.context.database, midnight + timedelta(minutes=11))
    assert digest.day == day_of(audit_client.now)
    assert digests.make_proof(audit_client.context.database, early_result.id)["size"] == 1


def test_a_digest_stamped_ahead_delays_no_other(audit_client: AuditClient) -> None:
    """We store a digest as a server with a clock ahead made it. Its day comes and passes."""
    audit_client.decide(audit_client.people[0], at=audit_client.now + CLOCK_LEAD)
    assert [
        d.day
        for d in digests.make_digests(audit_client.context.database, audit_client.now + CLOCK_LEAD + timedelta(days=2))
    ] == [day_of(audit_client.now + CLOCK_LEAD)]
    audit_client.decide(audit_client.people[1])
    (digest,) = digests.make_digests(audit_client.context.database, audit_client.now + timedelta(days=1))
    assert digest.day == day_of(audit_client.now)
    audit_client.decide(audit_client.people[2], at=audit_client.now + CLOCK_LEAD)
    later_digests = digests.make_digests(
        audit_client.context.database, audit_client.now + CLOCK_LEAD + timedelta(days=3)
    )
    assert [d.day for d in later_digests] == [day_of(audit_client.now + CLOCK_LEAD) + 1]
    report = audit.verify(audit_client.context.database)
    assert (report.decisions, report.digests, report.first_break) == (3, 3, None)


def test_an_answer_stamped_ahead_does_not_block_the_person(client: OrderClient) -> None:
    """The person can make later orders but not from that answer. Its amount uses no cap, and its transaction has
    expired.
    """
    client.consent(client.person)
    lodge = client.issue("merchant", "lodge")
    client.sign_up(lodge)
    client.consent(client.person, lodge)
    early_result = decide_ahead(client.context, client.person, "lodge", client.now + CLOCK_LEAD)
    assert early_result.waived == 50_000
    client.advance(minutes=5)
    assert_problem(client.create_order("O-9", early_result.id, token=lodge), 409, "decision_expired")
    assert client.create_order().json()["state"] == "created"
    assert_problem(client.post_question(client.person, lodge, transaction_id="T-ahead"), 409, "transaction_expired")
    question = recorded_inputs(client.context.database, client.decide(500)["decision_id"])["question"]
    assert [usage["waived"] for usage in question["used"]] == [50_000]  # the order's


def test_amounts_stamped_ahead_do_not_count_for_this_day(client: OrderClient) -> None:
    client.now += CLOCK_LEAD
    for amount in (1, 2, 3, 4, 5):
        assert client.ask(client.person, amount=amount).status_code == 200
    client.now -= CLOCK_LEAD
    assert client.ask(client.person, amount=6).status_code == 200


def test_a_hold_stamped_ahead_starts_now(client: OrderClient) -> None:
    first = client.ask(client.person, perk="bicycle", amount=10_000).json()
    assert first["outcome"] == "ADMIT"
    row = audit.find_decision_row(client.context.database, first["decision_id"])
    held_since = micros(client.now + CLOCK_LEAD)
    where = f"where seq = {row['seq']}"
    tamper(client.context.database, f"update decision_subjects set held_since = {held_since} {where}")
    second = client.ask(client.person, perk="bicycle", amount=10_000).json()
    question = recorded_inputs(client.context.database, second["decision_id"])["question"]
    assert question["held_since"] == question["asked_at"]
