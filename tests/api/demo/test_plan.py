"""The plan of the simulated activity is pure: the same for one seed, in order, and people keep their word by their scores."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from api.demo import plan
from api.demo.names import display_name
from api.demo.parties import MERCHANTS, NAMES
from api.demo.plan import Customer, PromiseKeeping, Purchase

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
SESSIONS = plan.sessions(NOW - plan.PERIOD, NOW)
PEOPLE = [Customer(f"p-{n}", 500 + n % 300 if n % 9 else None, 0.3 if n % 300 < 100 else 0.04) for n in range(1, 900)]


def visits(seed: int = 1) -> list[Purchase]:
    chosen = plan.customers(PEOPLE, seed)
    return [visit for _, some in plan.plan_visits(chosen, MERCHANTS, SESSIONS, seed) for visit in some]


def test_one_seed_is_one_plan() -> None:
    assert visits() == visits()
    assert visits() != visits(2)


def test_visits_fall_into_the_hours_of_asking_in_order() -> None:
    chosen = plan.customers(PEOPLE, 1)
    for session, some in plan.plan_visits(chosen, MERCHANTS, SESSIONS, 1):
        times = [visit.at for visit in some]
        assert times == sorted(times)
        assert all(session.opens_at < at < session.asks_until for at in times)


def test_sessions_follow_each_other_from_the_beginning_to_the_end() -> None:
    assert SESSIONS[0].opens_at - (NOW - plan.PERIOD) < timedelta(days=1)
    assert SESSIONS[-1].closes_at == NOW
    for before, after in pairwise(SESSIONS):
        assert before.opens_at < before.asks_until < before.closes_at == after.opens_at


def test_three_months_have_hundreds_of_questions_and_a_few_people_without_a_score() -> None:
    all_visits = visits()
    assert 300 < len(all_visits) < 600
    unscored = sum(visit.customer.score is None for visit in all_visits)
    assert 0 < unscored < len(all_visits) / 8


@pytest.mark.parametrize("risk", [0.02, 0.1, 0.5])
def test_as_many_orders_are_overdue_as_the_risk_says(risk: float) -> None:
    keeping = PromiseKeeping()
    overdue = sum(keeping.is_overdue(Customer("p-1", 640, risk)) for _ in range(200))
    assert abs(overdue - 200 * risk) <= 1


def test_people_of_like_scores_share_their_risk() -> None:
    people = [Customer("a", 610, 0.0), Customer("b", 640, 0.4), Customer("c", 660, 0.1)]
    assert [one.risk for one in plan.with_common_risk(people)] == [0.2, 0.2, 0.1]


def test_every_party_has_a_name_in_both_languages() -> None:
    for merchant in MERCHANTS:
        assert merchant.party in NAMES
        assert {f"{merchant.party}/{service.id}" for service in merchant.services} <= set(NAMES)
    for party in (*NAMES, "p-1", "client-10043", "m-35", "e-0", "e-7"):
        name = display_name(party, 2_000)
        assert name is not None
        assert name.en.isascii()
        assert not name.zh.isascii()
    assert display_name("somebody", 2_000) is None


def test_a_thousand_people_have_names_of_their_own() -> None:
    assert len({display_name(f"p-{n}", 2_000) for n in range(1, 1_001)}) == 1_000
