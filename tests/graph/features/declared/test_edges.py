"""Windows and conditions at their edges, worked out by hand, on every evaluator."""

import pytest

from graph.evidence.visibility import visible_with_consents
from tests.graph.features.declared.declarations import definitions
from tests.graph.features.declared.evaluators import by_duckdb, by_polars, by_reference
from tests.graph.story import enrol, moment, story

PAYMENTS = """
    2023-02-28 payment.made ann > shop amount=1 currency=CNY
    2023-02-28T00:00:00.000001 payment.made ann > shop amount=2 currency=CNY
    2023-03-01 payment.made ann > shop amount=4 currency=CNY
    2024-01-31T23:59 payment.made ann > shop amount=8 currency=CNY
    2024-02-29 payment.made ann > shop amount=16 currency=CNY
    2024-02-29 payment.made ann > bob amount=32 currency=CNY"""


def value(line: str, text: str = PAYMENTS, at: str = "2024-02-29") -> int | None:
    """The value of ann's feature, the same of each evaluator."""
    view, consents = visible_with_consents(story(f"{enrol('ann', 'bob')}\n{text}"), moment(at), moment(at), "perks")
    features = definitions(f"- {{id: a.one, about: a, of: payment.made, {line}}}")
    tables = [by(view, consents, features, moment(at)) for by in (by_reference, by_polars, by_duckdb)]
    values = {table.row(0, named=True)["a.one"] for table in tables}
    assert len(values) == 1
    return values.pop()


SUM = "measure: sum, value: amount, currency: CNY"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{SUM}, window: all", 63),
        (f"{SUM}, window: 999999d", 63),
        (f"{SUM}, window: {{months: 1200}}", 63),
        # 12 months before 29 February is 28 February at the same time, which is left out
        (f"{SUM}, window: {{months: 12}}", 62),
        # 365 days before 29 February 2024 is 1 March 2023, which is left out
        (f"{SUM}, window: 365d", 56),
        (f"{SUM}, window: 1s", 48),
        # January alone; then February 2023 to January 2024
        (f"{SUM}, window: {{full_months: 1}}", 8),
        (f"{SUM}, window: {{full_months: 12}}", 15),
        # exactly `as_of` has the age 0
        (f"{SUM}, where: age == 0s", 48),
        (f"{SUM}, where: happened_on == as_of", 48),
        (f"{SUM}, where: happened_on >= as_of - 29d", 56),
        (f"{SUM}, where: time_of_day >= 23h", 8),
        (f"{SUM}, where: other in lists.pilot_cities", None),
        # two at one moment: the highest
        ("measure: latest, value: amount, currency: CNY", 32),
        ("measure: days_since, where: amount < 0.16 CNY", 28),
        # from 1 March 2023 to 31 January 2024 at 23:59: 336 whole days
        ("measure: longest_gap", 336),
        ("measure: busiest, value: other, within: 1s", 2),
        # 6 payments, of which one is to a person: 0.1666
        ("measure: share, where: other_is_person, digits: 3", 167),
        # 63 / 6 = 10.5, up; down without a digit
        ("measure: mean, value: amount, currency: CNY", 11),
        ("measure: mean, value: amount, currency: CNY, rounding: down", 10),
        # the mean of 1 and 2 is 1.5, their standard deviation 0.5
        ("measure: spread, value: amount, currency: CNY, where: amount <= 0.02 CNY, digits: 1", 5),
        ("measure: spread, value: amount, currency: CNY, where: amount <= 0.02 CNY", 1),
        # 7 + 8 in 12 months; 3 months of 12; 15 / 12 / 8 = 0.15625
        ("measure: monthly_mean, value: amount, currency: CNY, window: {full_months: 12}, digits: 2", 125),
        ("measure: monthly_share, window: {full_months: 12}", 25),
        ("measure: monthly_steadiness, value: amount, currency: CNY, window: {full_months: 12}", 16),
        # they hold since `as_of` alone
        ("measure: time_share, where: amount >= 0.16 CNY", 0),
    ],
)
def test_a_value_worked_out_by_hand(line: str, expected: int | None) -> None:
    assert value(line) == expected


def test_a_share_of_time_ends_now_and_counts_equal_moments_once() -> None:
    text = """
    2024-02-01 payment.made ann > shop amount=1 currency=CNY
    2024-02-11 payment.made ann > shop amount=9 currency=CNY
    2024-02-11 payment.made ann > shop amount=1 currency=CNY
    2024-02-21 payment.made ann > shop amount=1 currency=CNY"""
    # from the 11th to the 21st, of 28 days: 0.357
    assert value("measure: time_share, where: amount > 0.05 CNY", text) == 36
    # all of the time is now: nothing to divide by
    assert value("measure: time_share, where: amount > 0.05 CNY", text, "2024-02-01") is None


def test_what_is_recorded_late_counts_from_then_on() -> None:
    text = "2024-02-01 payment.made ann > shop amount=5 currency=CNY recorded=2024-02-10"
    assert value(SUM, text, "2024-02-09") is None
    assert value(SUM, text, "2024-02-10") == 5


def test_spreads_with_parts_in_common_are_missing_without_a_value() -> None:
    """Polars computes equal parts of expressions once, outside of any condition: there a division by 0 raised an error."""
    view, consents = visible_with_consents(
        story(f"{enrol('ann', 'bob')}\n{PAYMENTS}"), moment("2024-02-29"), moment("2024-02-29"), "perks"
    )
    line = "about: a, of: payment.made, measure: spread, value: amount, currency: CNY, where: amount > 9 CNY"
    features = definitions(f"- {{id: a.one, {line}, missing: zero}}\n- {{id: a.two, {line}}}")
    for by in (by_reference, by_polars, by_duckdb):
        row = by(view, consents, features, moment("2024-02-29")).filter(person="ann").row(0, named=True)
        assert (row["a.one"], row["a.two"]) == (0, None)
