"""The sums by day equal a count over all rows, whoever counts them and in however many pieces."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update

from api.store.database import reading, writing
from api.store.tables import ANSWER_SUMS, ENDING_SUMS, SUM_PROGRESS
from api.supervision import daily_sums
from engine.lang.model import timezones
from tests.api.supervision.sum_rows import insert_decision, insert_move, insert_order

SHANGHAI, KATHMANDU, NEW_YORK = "Asia/Shanghai", "Asia/Kathmandu", "America/New_York"
START = datetime(2026, 10, 20, tzinfo=UTC)
OUTCOMES = ("ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE", "REFUSED")
ANSWERS = st.lists(
    st.tuples(st.integers(0, 30 * 86400), st.sampled_from(("hotel", "car")), st.sampled_from(OUTCOMES)), max_size=25
)


def _sums(database: Engine, timezone: str = SHANGHAI, first_day: int = 0) -> daily_sums.DailySums:
    with reading(database) as connection:
        return daily_sums.read(connection, first_day, timezone)


def _day(at: datetime, timezone: str) -> int:
    return (at.astimezone(timezones.zone(timezone)).date() - date(1970, 1, 1)).days


def _clear(database: Engine) -> None:
    with writing(database) as connection:
        for table in (ANSWER_SUMS, ENDING_SUMS):
            connection.execute(delete(table))
        connection.execute(update(SUM_PROGRESS).values(decision=0, move=0))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ANSWERS, st.integers(1, 7), st.sampled_from((SHANGHAI, KATHMANDU, NEW_YORK)))
def test_answers_are_counted_once_in_any_number_of_steps(
    database: Engine, monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, str, str]], batch: int, timezone: str
) -> None:
    """With a change of the clocks in New York, and an offset of 5:45 in Kathmandu. The chain of the database grows on."""
    _clear(database)
    monkeypatch.setattr(daily_sums, "BATCH", batch)
    with reading(database) as connection:
        last_seq = daily_sums._newest(connection)[0]
    with writing(database) as connection:
        connection.execute(update(SUM_PROGRESS).values(decision=last_seq))
        for n, (seconds, perk, outcome) in enumerate(answers, last_seq + 1):
            insert_decision(connection, n, START + timedelta(seconds=seconds), perk, outcome)
    expected = Counter((_day(START + timedelta(seconds=s), timezone), perk, outcome) for s, perk, outcome in answers)
    steps = count()
    assert +_sums(database, timezone).answers == expected  # nothing is stored yet: the reader counts
    while daily_sums.add_new(database, timezone):
        next(steps)
        assert +_sums(database, timezone).answers == expected
    assert +_sums(database, timezone).answers == expected
    assert next(steps) >= (len(answers) - 1) // batch


def test_orders_count_when_they_end_by_the_band_in_which_we_admitted(database: Engine) -> None:
    day = timedelta(days=1)
    with writing(database) as connection:
        moves = count(1)
        for n, (band, path) in enumerate(
            [
                ("good", ("due", "settled")),
                ("good", ("due", "overdue", "settled")),
                ("poor", ("due", "due", "overdue")),
                ("fair", ("in_service", "cancelled")),
                ("fair", ("due",)),
            ],
            1,
        ):
            insert_decision(connection, n, START, "hotel", "ADMIT", band)
            order = insert_order(connection, n, START)
            states = ("created", "in_service", *path)
            for step, (before, after) in enumerate(pairwise(states)):
                insert_move(connection, next(moves), order, before, after, START + step * day)
    first = _day(START, SHANGHAI)
    expected = {(first + 2, "good"): 2, (first + 3, "poor"): 1}
    for _ in range(2):
        sums = _sums(database)
        assert dict(sums.endings) == expected
        assert dict(+sums.overdue) == {(first + 2, "good"): 1, (first + 3, "poor"): 1}
        daily_sums.add_new(database, SHANGHAI)


def test_days_before_the_first_are_left_out(database: Engine) -> None:
    with writing(database) as connection:
        for n in range(1, 6):
            insert_decision(connection, n, START + timedelta(days=n), "hotel", "ADMIT")
    first = _day(START + timedelta(days=4), SHANGHAI)
    assert _sums(database, first_day=first).answers.total() == 2
    daily_sums.add_new(database, SHANGHAI)
    assert _sums(database, first_day=first).answers.total() == 2


def test_a_reader_adds_no_more_than_the_tail_and_says_how_far_it_is_behind(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_sums, "TAIL", 3)
    with writing(database) as connection:
        for n in range(1, 6):
            insert_decision(connection, n, START, "hotel", "ADMIT")
    with reading(database) as connection:
        sums = daily_sums.read(connection, 0, SHANGHAI)
        assert (sums.answers.total(), daily_sums.behind(connection, sums)) == (3, 2)
    assert not daily_sums.add_new(database, SHANGHAI)
    with reading(database) as connection:
        sums = daily_sums.read(connection, 0, SHANGHAI)
        assert (sums.answers.total(), daily_sums.behind(connection, sums)) == (5, 0)


def test_nothing_new_needs_no_write(database: Engine) -> None:
    assert not daily_sums.add_new(database, SHANGHAI)
    assert not daily_sums.add_new(database, SHANGHAI)
