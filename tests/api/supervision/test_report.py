"""The yearly report: its counts, and that you cannot derive anything about a small group."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from api.runtime.context import AppContext
from api.store.database import writing
from api.store.tables import MONITORED_ATTRIBUTES
from api.supervision import report
from api.supervision.report import Tally
from tests.api.audit_client import AuditClient, tamper

GROUPS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 60), min_size=1, max_size=7)
MIN_GROUP_SIZE = 20


@given(GROUPS)
def test_no_small_group_is_shown_or_derivable_by_subtraction(people: Mapping[str, int]) -> None:
    """From the total and the shown groups you get only the sum of the hidden groups: two or more, and not of few people."""
    hidden = report.hidden_values(people, MIN_GROUP_SIZE)
    assert {v for v, n in people.items() if n < MIN_GROUP_SIZE} <= hidden
    if hidden and len(people) > 1:
        assert len(hidden) >= 2
    if hidden and sum(people.values()) >= MIN_GROUP_SIZE:
        assert sum(people[v] for v in hidden) >= MIN_GROUP_SIZE


@given(GROUPS)
def test_no_more_groups_are_hidden_than_necessary(people: Mapping[str, int]) -> None:
    """If we showed any of the additionally hidden groups, you could derive a small one."""
    hidden = report.hidden_values(people, MIN_GROUP_SIZE)
    small = {v for v, n in people.items() if n < MIN_GROUP_SIZE}
    for count in range(len(hidden - small)):
        for fewer in combinations(sorted(hidden - small), count):
            rest = small | set(fewer)
            assert len(rest) < 2 or sum(people[v] for v in rest) < MIN_GROUP_SIZE


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(1, 60), st.integers(0, 9), st.integers(0, 9))))
def test_a_hidden_group_has_no_numbers_and_changes_no_others(counts: Mapping[str, tuple[int, int, int]]) -> None:
    def show_groups(counts_by_value: Mapping[str, tuple[int, int, int]]) -> dict[str, Any]:
        tallies = [Tally(v, n, {"ADMIT": a, "DECLINE": d}) for v, (n, a, d) in counts_by_value.items()]
        return {g.value: g for g in report.publishable_groups(tallies, MIN_GROUP_SIZE)}

    groups = show_groups(counts)
    hidden = {v for v, g in groups.items() if g.hidden}
    for v in hidden:
        assert (groups[v].people, groups[v].outcomes, groups[v].admit_rate, groups[v].ratio) == (None,) * 4
    other_groups = show_groups({v: (n, 9 - a, d) if v in hidden else (n, a, d) for v, (n, a, d) in counts.items()})
    assert groups == other_groups


def test_rates_and_the_four_fifths_rule_are_as_computed_by_hand() -> None:
    """a: 30 of 40 is 0.75; b: 22 of 40 is 0.55, which is 0.733 of it; c: 31 of 50 is 0.62, 0.827 of it. We do not count REFUSED."""
    groups = report.publishable_groups(
        [
            Tally("a", 40, {"ADMIT": 30, "DECLINE": 10, "REFUSED": 60}),
            Tally("b", 40, {"ADMIT": 22, "PARTIAL": 8, "UNSCORABLE": 10}),
            Tally("c", 50, {"ADMIT": 31, "DECLINE": 19}),
        ],
        MIN_GROUP_SIZE,
    )
    assert [(g.admit_rate, g.ratio, g.under_four_fifths) for g in groups] == [
        (0.75, 1.0, False),
        (0.55, 0.733, True),
        (0.62, 0.827, False),
    ]


@pytest.fixture
def client(town: AppContext) -> AuditClient:
    return AuditClient(town)


def test_a_year_is_counted_by_perk_month_outcome_and_group(client: AuditClient) -> None:
    decisions = [*client.decide_many(30, timedelta(days=1)), client.decide(client.people[0], "bicycle", 9_900)]
    erased_person = decisions[29].question.subject
    values = [
        (p, "ab"[n % 2] if n < 26 else "c") for n, p in enumerate(client.people[:28])
    ]  # 13 a, 13 b, 2 c, 1 not given, 1 left
    with writing(client.context.database) as connection:
        rows = [{"person": p, "attribute": "region", "value": v} for p, v in values]
        connection.execute(insert(MONITORED_ATTRIBUTES).values(rows))
    tamper(client.context.database, f"delete from decision_subjects where subject = '{erased_person}'")
    years = {a.decided_at.year for a in decisions}
    reports = [
        report.yearly_report(client.context.database, year, client.now + timedelta(days=40), 5, "UTC") for year in years
    ]
    assert sum(r.decisions for r in reports) == 31
    assert sum(r.erased for r in reports) == 1
    counts = {(c.perk, c.month, c.outcome): c.decisions for r in reports for c in r.counts}
    for (perk, month, outcome), n in counts.items():
        assert n == sum((a.question.perk, a.decided_at.month, a.outcome) == (perk, month, outcome) for a in decisions)
    if len(years) == 1:
        groups = {g.value: g for g in reports[0].attributes[0].groups}
        assert {v for v, g in groups.items() if g.hidden} == {"c", report.NOT_GIVEN, "a"}
        people_of_b = {p for p, v in values if v == "b"}
        assert groups["b"].people == 13
        assert sum((groups["b"].outcomes or {}).values()) == sum(a.question.subject in people_of_b for a in decisions)


def test_months_are_counted_in_the_time_zone_of_the_rules(client: AuditClient) -> None:
    """23:30 UTC on the last day of a month is 07:30 of the next month in Shanghai; the same holds for years."""
    year = client.now.year
    decision = client.decide(client.people[0], at=datetime(year, 12, 31, 23, 30, tzinfo=UTC))
    client.now = datetime(year, 12, 31, 23, 40, tzinfo=UTC)
    assert client.get(f"report/{year}").json()["decisions"] == 0
    payload = client.get(f"report/{year + 1}").json()
    assert [(c["month"], c["outcome"], c["decisions"]) for c in payload["counts"]] == [(1, decision.outcome, 1)]
    assert (payload["complete"], client.get(f"report/{year}").json()["complete"]) == (False, True)
    assert client.get(f"report/{year + 2}").json()["hint"] == f"up to {year + 1}"
    utc_report = report.yearly_report(client.context.database, year, client.now, 5, "UTC")
    assert [(c.month, c.decisions) for c in utc_report.counts] == [(12, 1)]


def test_the_report_for_a_supervisor_names_no_person(client: AuditClient) -> None:
    decisions = client.decide_many(3)
    response = client.get(f"report/{decisions[0].decided_at.year}")
    assert response.json()["decisions"] == 3
    assert response.json()["smallest_group"] == 20
    assert not [p for p in client.people if p in response.text]
