"""A clock that was once ahead: nothing is kept by it, and what one did keep does no harm when it is right again."""

import logging
import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api import actions, clock, deps
from api.background import timekeeper
from api.background.timekeeper import keeping_time
from api.clock import EPOCH, micros
from api.clock import day as day_of
from api.database import open_database, reading
from api.decisions.decisions import Answered, Asked
from api.supervision import audit, digests
from api.world import World
from engine.errors import Refused
from tests.api.audited import Office, tampered
from tests.api.door import refused
from tests.api.ordering import Counter

AHEAD = timedelta(days=400)
ONCE = pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)  # where the database makes no difference


@pytest.fixture
def counter(town: World) -> Counter:
    return Counter(town)


@pytest.fixture
def office(town: World) -> Office:
    return Office(town)


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steady clock says what the machine's says, and began a second ago."""
    monkeypatch.setattr(clock, "_anchor", (datetime.now(UTC) - timedelta(seconds=1), clock._seconds() - 1))


def leap(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(clock, "wall", lambda: datetime.now(UTC) + by)


def ahead(world: World, person: str, merchant: str = "inn", at: datetime | None = None) -> Answered:
    """An answer of a server whose clock is ahead, made before anything refused it."""
    asked = Asked(merchant, "T-ahead", person, "", 50_000, "", service="hotel")
    assert at is not None
    return actions.eligibility(world, asked, at)


def number(world: World) -> int:
    with reading(world.database) as connection:
        return int(connection.execute(text("select count(*) from decisions")).scalar_one())


@pytest.mark.usefixtures("present")
def test_a_server_whose_clock_leaps_ahead_answers_nothing_until_it_is_right(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.consent(counter.person)
    counter.client.app.dependency_overrides.pop(deps.present)  # type: ignore[attr-defined]
    before = number(counter.world)
    for by in (timedelta(days=1, minutes=1), AHEAD):
        leap(monkeypatch, by)
        said = refused(counter.put(counter.person), 503, "clock_ahead")
        assert said["detail"] == f"the clock is {by.days} days ahead"
        refused(counter.order(decision="0" * 32), 503, "clock_ahead")
    assert number(counter.world) == before
    for by in (timedelta(hours=23), timedelta(0), timedelta(days=-400)):
        leap(monkeypatch, by)
        assert counter.put(counter.person).status_code != 503
    assert number(counter.world) > before


@pytest.mark.usefixtures("present")
@ONCE
def test_the_work_beside_answering_waits_until_the_clock_is_right(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An order that was not paid by a clock that is ahead is not overdue."""
    counter.due()
    monkeypatch.setattr(timekeeper, "EVERY", 0.01)
    leap(monkeypatch, AHEAD)
    app = FastAPI()
    app.state.world = counter.world
    with caplog.at_level(logging.ERROR, "iftah"), keeping_time(app):
        time.sleep(0.1)
    assert counter.state() == "due"
    assert [r.message for r in caplog.records] == [
        "orders by the clock: not done: the clock: the clock is 400 days ahead "
        "(set this machine's clock right; if it is right now, restart the server)"
    ]


@ONCE
def test_a_question_stamped_far_beyond_the_newest_and_the_steady_clock_is_refused(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.decided()
    monkeypatch.setattr(clock, "_anchor", (counter.now, clock._seconds()))
    for late in (timedelta(hours=23), timedelta(hours=23)):  # within a day of one of them
        counter.now += late
        counter.decided()
    counter.now += AHEAD
    refused(counter.ask(counter.person), 503, "clock_ahead")
    counter.now -= AHEAD
    assert counter.decided()["outcome"] == "ADMIT"


@pytest.mark.parametrize("bare_url", ["postgresql"], indirect=True)
def test_on_postgresql_the_server_s_clock_is_right(monkeypatch: pytest.MonkeyPatch, bare_url: str) -> None:
    """A process that starts with a clock that is ahead has nothing else to hold it to."""
    leap(monkeypatch, AHEAD)
    monkeypatch.setattr(clock, "_anchor", (clock.wall(), clock._seconds()))
    assert clock.now() > datetime.now(UTC) + timedelta(days=399)
    engine = open_database(bare_url)
    engine.connect().close()
    engine.dispose()
    with pytest.raises(Refused) as error:
        clock.now()
    assert error.value.code == "clock_ahead"
    leap(monkeypatch, timedelta(0))
    assert abs(clock.now() - clock.steady()) < timedelta(minutes=1)


def test_digests_go_on_after_a_decision_of_a_clock_that_was_ahead(office: Office) -> None:
    """Stamped 400 days ahead right after a digest; every decision is in exactly one digest, and can be proved."""
    first = office.decided(office.people[0])
    midnight = EPOCH + timedelta(days=day_of(office.now) + 1)
    assert len(digests.make(office.world.database, midnight + timedelta(minutes=11))) == 1
    wrong = office.decided(office.people[1], at=midnight + AHEAD)
    made = [first, wrong]
    for number, hour in enumerate((9, 33, 57)):
        made.append(office.decided(office.people[2 + number], at=midnight + timedelta(hours=hour)))
        then = midnight + timedelta(days=number + 1, minutes=11)
        (digest,) = digests.make(office.world.database, then)
        assert digest.day == day_of(midnight) + number
        assert digests.make(office.world.database, then) == []
    proofs = [digests.proof(office.world.database, answered.id) for answered in made]
    assert [digests.check(p).dates for p in proofs] == [True] * 5
    assert [p["day"] for p in proofs][:3] == [p["day"] for p in (proofs[0], proofs[2], proofs[2])]
    found = audit.verify(office.world.database)
    assert (found.decisions, found.digests, found.broken) == (5, 4, None)


def test_a_decision_of_a_clock_ahead_is_digested_though_nothing_comes_after_it(office: Office) -> None:
    midnight = EPOCH + timedelta(days=day_of(office.now) + 1)
    wrong = office.decided(office.people[0], at=midnight + AHEAD)
    (digest,) = digests.make(office.world.database, midnight + timedelta(minutes=11))
    assert digest.day == day_of(office.now)
    assert digests.proof(office.world.database, wrong.id)["size"] == 1


def test_a_digest_of_a_clock_that_was_ahead_holds_up_no_other(office: Office) -> None:
    """As one made before by a server whose clock was ahead; its day comes, and has been."""
    office.decided(office.people[0], at=office.now + AHEAD)
    assert [d.day for d in digests.make(office.world.database, office.now + AHEAD + timedelta(days=2))] == [
        day_of(office.now + AHEAD)
    ]
    office.decided(office.people[1])
    (digest,) = digests.make(office.world.database, office.now + timedelta(days=1))
    assert digest.day == day_of(office.now)
    office.decided(office.people[2], at=office.now + AHEAD)
    later = digests.make(office.world.database, office.now + AHEAD + timedelta(days=3))
    assert [d.day for d in later] == [day_of(office.now + AHEAD) + 1]
    found = audit.verify(office.world.database)
    assert (found.decisions, found.digests, found.broken) == (3, 3, None)


def test_an_answer_of_a_clock_that_was_ahead_keeps_nothing_from_the_person(counter: Counter) -> None:
    """Later orders are made, its own is not, its amount is nobody's cap, and its transaction is over."""
    counter.consent(counter.person)
    lodge = counter.issue("merchant", "lodge")
    counter.sign_up(lodge)
    counter.consent(counter.person, lodge)
    wrong = ahead(counter.world, counter.person, "lodge", counter.now + AHEAD)
    assert wrong.waived == 50_000
    counter.later(minutes=5)
    refused(counter.order("O-9", wrong.id, token=lodge), 409, "decision_expired")
    assert counter.order().json()["state"] == "created"
    refused(counter.put(counter.person, lodge, transaction_id="T-ahead"), 409, "transaction_expired")
    question = actions.recorded(counter.world, counter.decided(500)["decision_id"])["question"]
    assert [used["waived"] for used in question["used"]] == [50_000]  # the order's


def test_amounts_asked_by_a_clock_that_was_ahead_are_not_of_this_day(counter: Counter) -> None:
    counter.now += AHEAD
    for amount in (1, 2, 3, 4, 5):
        assert counter.ask(counter.person, amount=amount).status_code == 200
    counter.now -= AHEAD
    assert counter.ask(counter.person, amount=6).status_code == 200


def test_a_perk_held_since_a_clock_was_ahead_is_held_since_now(counter: Counter) -> None:
    first = counter.ask(counter.person, perk="bicycle", amount=10_000).json()
    assert first["outcome"] == "ADMIT"
    row = audit.whole(counter.world.database, first["decision_id"])
    since = micros(counter.now + AHEAD)
    where = f"where seq = {row['seq']}"
    tampered(counter.world.database, f"update decision_subjects set held_since = {since} {where}")
    again = counter.ask(counter.person, perk="bicycle", amount=10_000).json()
    question = actions.recorded(counter.world, again["decision_id"])["question"]
    assert question["held_since"] == question["asked_at"]
