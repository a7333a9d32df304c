"""The yearly report: what is counted, and that nothing about a small group can be had from it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from api.database import writing
from api.supervision import report
from api.supervision.report import Tally
from api.tables import MONITORED
from api.world import World
from tests.api.audited import Office, tampered

GROUPS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 60), min_size=1, max_size=7)
LEAST = 20


@given(GROUPS)
def test_no_small_group_is_shown_nor_to_be_had_by_subtraction(people: Mapping[str, int]) -> None:
    """Whoever knows the whole and what is shown knows only the sum of the hidden: of two groups or more, and not of few."""
    hidden = report.hidden_of(people, LEAST)
    assert {v for v, n in people.items() if n < LEAST} <= hidden
    if hidden and len(people) > 1:
        assert len(hidden) >= 2
    if hidden and sum(people.values()) >= LEAST:
        assert sum(people[v] for v in hidden) >= LEAST


@given(GROUPS)
def test_no_more_is_hidden_than_must_be(people: Mapping[str, int]) -> None:
    """Of the groups that need not be hidden, leaving any out of the hidden would give something away."""
    hidden = report.hidden_of(people, LEAST)
    small = {v for v, n in people.items() if n < LEAST}
    for count in range(len(hidden - small)):
        for fewer in combinations(sorted(hidden - small), count):
            rest = small | set(fewer)
            assert len(rest) < 2 or sum(people[v] for v in rest) < LEAST


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 60), st.integers(0, 9), st.integers(0, 9))))
def test_a_hidden_group_has_no_numbers_and_moves_no_others(drawn: Mapping[str, tuple[int, int, int]]) -> None:
    def shown(of: Mapping[str, tuple[int, int, int]]) -> dict[str, Any]:
        tallies = [Tally(v, n, {"ADMIT": a, "DECLINE": d}) for v, (n, a, d) in of.items()]
        return {g.value: g for g in report.shown(tallies, LEAST)}

    found = shown(drawn)
    hidden = {v for v, g in found.items() if g.hidden}
    for v in hidden:
        assert (found[v].people, found[v].outcomes, found[v].admit_rate, found[v].ratio) == (None,) * 4
    otherwise = shown({v: (n, 9 - a, d) if v in hidden else (n, a, d) for v, (n, a, d) in drawn.items()})
    assert found == otherwise


def test_rates_and_the_four_fifths_are_as_computed_by_hand() -> None:
    """a: 30 of 40 is 0.75; b: 22 of 40 is 0.55, which is 0.733 of it; c: 31 of 50 is 0.62, 0.827 of it. REFUSED is no decision."""
    found = report.shown(
        [
            Tally("a", 40, {"ADMIT": 30, "DECLINE": 10, "REFUSED": 60}),
            Tally("b", 40, {"ADMIT": 22, "PARTIAL": 8, "UNSCORABLE": 10}),
            Tally("c", 50, {"ADMIT": 31, "DECLINE": 19}),
        ],
        LEAST,
    )
    assert [(g.admit_rate, g.ratio, g.under_four_fifths) for g in found] == [
        (0.75, 1.0, False),
        (0.55, 0.733, True),
        (0.62, 0.827, False),
    ]


@pytest.fixture
def office(town: World) -> Office:
    return Office(town)


def test_a_year_is_counted_by_perk_month_outcome_and_group(office: Office) -> None:
    made = [*office.some(30, timedelta(days=1)), office.decided(office.people[0], "bicycle", 9_900)]
    left = made[29].asked.subject
    values = [
        (p, "ab"[n % 2] if n < 26 else "c") for n, p in enumerate(office.people[:28])
    ]  # 13 a, 13 b, 2 c, 1 not given, 1 left
    with writing(office.world.database) as connection:
        rows = [{"person": p, "attribute": "region", "value": v} for p, v in values]
        connection.execute(insert(MONITORED).values(rows))
    tampered(office.world.database, f"delete from decision_subjects where subject = '{left}'")
    years = {a.decided_at.year for a in made}
    reports = [report.yearly(office.world.database, year, office.now + timedelta(days=40), 5, "UTC") for year in years]
    assert sum(r.decisions for r in reports) == 31
    assert sum(r.erased for r in reports) == 1
    counted = {(c.perk, c.month, c.outcome): c.decisions for r in reports for c in r.counts}
    for (perk, month, outcome), n in counted.items():
        assert n == sum((a.asked.perk, a.decided_at.month, a.outcome) == (perk, month, outcome) for a in made)
    if len(years) == 1:
        groups = {g.value: g for g in reports[0].attributes[0].groups}
        assert {v for v, g in groups.items() if g.hidden} == {"c", report.NOT_GIVEN, "a"}
        of_b = {p for p, v in values if v == "b"}
        assert groups["b"].people == 13
        assert sum((groups["b"].outcomes or {}).values()) == sum(a.asked.subject in of_b for a in made)


def test_a_month_is_counted_on_the_clocks_of_the_rules(office: Office) -> None:
    """At 23:30 UTC of the last day it is 07:30 of the next month in Shanghai; so for the year."""
    year = office.now.year
    made = office.decided(office.people[0], at=datetime(year, 12, 31, 23, 30, tzinfo=UTC))
    office.now = datetime(year, 12, 31, 23, 40, tzinfo=UTC)
    assert office.get(f"report/{year}").json()["decisions"] == 0
    found = office.get(f"report/{year + 1}").json()
    assert [(c["month"], c["outcome"], c["decisions"]) for c in found["counts"]] == [(1, made.outcome, 1)]
    assert (found["complete"], office.get(f"report/{year}").json()["complete"]) == (False, True)
    assert office.get(f"report/{year + 2}").json()["hint"] == f"up to {year + 1}"
    utc = report.yearly(office.world.database, year, office.now, 5, "UTC")
    assert [(c.month, c.decisions) for c in utc.counts] == [(12, 1)]


def test_a_supervisor_reads_the_report_and_no_name_is_in_it(office: Office) -> None:
    made = office.some(3)
    found = office.get(f"report/{made[0].decided_at.year}")
    assert found.json()["decisions"] == 3
    assert found.json()["smallest_group"] == 20
    assert not [p for p in office.people if p in found.text]
