"""Sums of money in several currencies: converted by rates, or missing, worked out by hand, on every evaluator."""

import pytest

from engine.lang.model.rates import ExchangeRates
from graph.evidence.visibility import visible_with_consents
from tests.graph.features.declared.evaluators import by_duckdb, by_polars, by_reference
from tests.graph.features.declared.random_declarations import declared_definitions
from tests.graph.story import enrol, moment, story

AS_OF = moment("2024-02-29")
PAYMENTS = """
    2024-01-31 payment.made ann > shop amount=100 currency=CNY
    2024-02-01 payment.made ann > shop amount=3 currency=EUR
    2024-02-02 payment.made ann > shop amount=150000 currency=JPY
    2024-02-03 payment.made bob > shop amount=7 currency=CNY
    2024-02-03 payment.made cy > shop amount=9 currency=KWD
    2024-02-03 payment.made cy > shop amount=9 currency=CNY"""
# 1 EUR is 7.5 CNY: 3 cents are 22.5 fen, which are 23; 1 JPY is 0.0482 CNY: 150000 yen are 7230.00 CNY
RATES = ExchangeRates("CNY", "2024-01-01", (("EUR", "7.5"), ("JPY", "0.0482")))


def values(line: str, rates: ExchangeRates | None = RATES, extra: str = "") -> dict[str, int | None]:
    """The value of each person's feature, the same of each evaluator."""
    events = story(f"{enrol('ann', 'bob', 'cy', 'dan')}\n{PAYMENTS}{extra}")
    view, consents = visible_with_consents(events, AS_OF, AS_OF, "perks")
    lines = f"  - {{id: a.one, about: a, of: payment.made, {line}}}\n"
    features = declared_definitions(lines, "UTC", rates=rates)
    tables = [by(view, consents, features, AS_OF) for by in (by_reference, by_polars, by_duckdb)]
    assert len({str(dict(table.select("person", "a.one").rows())) for table in tables}) == 1
    return dict(tables[0].select("person", "a.one").rows())


@pytest.mark.parametrize(
    ("line", "ann", "bob"),
    [
        ("measure: sum, value: amount", 100 + 23 + 723_000, 7),
        ("measure: sum, value: amount, currency: CNY", 723_123, 7),
        # 1.00 CNY is 20.7 yen, 0.03 EUR are 4.7, 0.07 CNY are 1.5
        ("measure: sum, value: amount, currency: JPY", 21 + 5 + 150_000, 1),
        ("measure: max, value: amount, currency: CNY", 723_000, 7),
        ("measure: min, value: amount, currency: CNY", 23, 7),
        ("measure: latest, value: amount, currency: CNY", 723_000, 7),
        # 723123 / 3
        ("measure: mean, value: amount, currency: CNY", 241_041, 7),
        ("measure: range, value: amount, currency: CNY", 722_977, 0),
        ("measure: count, where: amount > 1.00 CNY", 1, None),
        # 0.23 CNY are 3 cents
        ("measure: count, where: amount >= 0.23 CNY", 3, None),
        ("measure: count, where: amount >= 0.03 EUR", 3, None),
    ],
)
def test_amounts_in_several_currencies_are_converted_one_by_one(line: str, ann: int, bob: int | None) -> None:
    actual = values(line)
    assert (actual["ann"], actual["bob"]) == (ann, bob)


@pytest.mark.parametrize("measure", ["sum", "max", "min", "mean", "spread", "latest", "first", "range"])
def test_an_amount_that_no_rate_converts_makes_the_value_missing_and_never_zero(measure: str) -> None:
    actual = values(f"measure: {measure}, value: amount, missing: zero, currency: CNY")
    # both of cy's payments are of one moment, one of them in dinars; dan has none
    assert (actual["cy"], actual["dan"]) == (None, 0)
    assert actual["bob"] is not None


def test_without_rates_only_the_feature_s_own_currency_has_a_value() -> None:
    assert values("measure: sum, value: amount, currency: CNY", None) == {
        "ann": None,
        "bob": 7,
        "cy": None,
        "dan": None,
    }
    assert values("measure: sum, value: amount, currency: JPY", None)["bob"] is None
    only_yen = "\n    2024-02-04 payment.made dan > shop amount=150000 currency=JPY"
    assert values("measure: sum, value: amount, currency: CNY", None, only_yen)["dan"] is None
    assert values("measure: sum, value: amount, currency: JPY", None, only_yen)["dan"] == 150_000


def test_an_amount_outside_of_the_condition_or_window_needs_no_rate() -> None:
    assert values("measure: sum, value: amount, where: currency == 'CNY', currency: CNY")["cy"] == 9


def test_a_yen_is_no_yuan_in_a_condition() -> None:
    """Before amounts had currencies, 150,000 yen met `amount > 100000`, which meant 1,000 yuan."""
    assert values("measure: count, where: amount > 1000 CNY", None)["ann"] is None
    assert values("measure: count, where: amount > 1000 CNY")["ann"] == 1
    assert values("measure: count, where: amount > 100000 JPY", None)["ann"] == 1
