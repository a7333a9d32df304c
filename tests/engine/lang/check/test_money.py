"""Amounts of money in conditions: each with its currency, compared by rates, the same on the reference and on columns.

The oracle converts each amount by fractions, and knows nothing of how a condition is compiled.
"""

from decimal import Decimal
from fractions import Fraction
from operator import eq, ge, gt, le, lt, ne
from random import Random
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from engine.decide.decide import ReferenceEvaluator, decide, question_from_record
from engine.decide.explain import explanation
from engine.lang.check.release import check, release_of, stored_release
from engine.lang.check.resolve import Scope
from engine.lang.engines import columns, reference
from engine.lang.engines.trace import atoms
from engine.lang.model import currencies as own_currencies
from engine.lang.model.conditions import Truth, names
from engine.lang.model.problems import Problem, Report
from engine.lang.model.rates import ExchangeRates, rounded
from engine.lang.model.types import Attribute, Type
from engine.lang.syntax import expressions, source
from graph.evidence import currencies as graph_currencies
from tests.effort import by_effort
from tests.engine.small_rules import DAY, KINDS, PERSON, SCHEMA, base, make_question

OPS = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
RATES = ExchangeRates("CNY", "2024-03-01", (("CLF", "271.5"), ("JPY", "0.0482"), ("KWD", "23.4")))
CURRENCIES = ("CNY", "JPY", "KWD", "CLF", "EUR")  # of 2, 0, 3, 4 and 2 digits; nobody has a rate of the last
FEATURES = {
    f"sums.{currency.lower()}": Attribute(
        f"sums.{currency.lower()}",
        Type("money", own_currencies.CURRENCY_DIGITS[currency], low=-(10**9), high=10**9, currency=currency),
    )
    for currency in CURRENCIES
}


def compiled(
    text: str, schema: dict[str, Attribute], rates: ExchangeRates | None
) -> tuple[Truth | None, list[Problem]]:
    """A condition over these names, and the problems."""
    report = Report(rates=rates)
    node = source.read("x.yaml", f'when: "{text}"', report)
    assert isinstance(node, source.Mapping)
    value = node.entries[0][1]
    assert isinstance(value, source.Scalar)
    expr = expressions.parse(value, report)
    return (Scope(schema, {}, report, {}).condition(expr) if expr else None), report.problems


def worth(amount: int, currency: str, to: str, rates: ExchangeRates | None) -> Fraction | None:
    """The exact amount in minor units of another currency."""
    table = {"CNY": Fraction(1), **{c: Fraction(Decimal(r)) for c, r in rates.by_currency}} if rates else {}
    if currency == to or amount == 0:
        return Fraction(amount)
    if currency not in table or to not in table:
        return None
    digits = own_currencies.CURRENCY_DIGITS
    return Fraction(amount, 10 ** digits[currency]) * table[currency] / table[to] * 10 ** digits[to]


def written(amount: int, currency: str) -> str:
    return f"{Decimal(amount).scaleb(-own_currencies.CURRENCY_DIGITS[currency]):f} {currency}"


def in_columns(condition: Truth, values: dict[str, Any]) -> bool | None:
    types = {n: pl.String if n.endswith("currency") else pl.Int64 for n in values}
    frame = nw.from_native(pl.DataFrame([values], schema=types).lazy())
    result: pl.DataFrame = frame.select(status=columns.truth(condition, DAY)).to_native().collect()
    return result["status"][0]


def test_both_tables_of_currencies_are_the_same() -> None:
    assert own_currencies.CURRENCY_DIGITS == graph_currencies.CURRENCY_DIGITS


@pytest.mark.parametrize("rates", [None, RATES], ids=["without rates", "with rates"])
def test_random_comparisons_of_events_are_those_of_the_oracle(rates: ExchangeRates | None) -> None:
    schema, chooser, statuses = dict(KINDS["sale"].fields), Random(1), set()
    for _ in range(by_effort(150, 2_000)):
        limit, own, of = chooser.randint(-400, 400), chooser.choice(CURRENCIES), chooser.choice(CURRENCIES)
        op = chooser.choice(sorted(OPS))
        condition, problems = compiled(f"price {op} {written(limit, of)}", schema, rates)
        assert condition is not None, problems
        converted = worth(limit, of, own, rates)
        near = 0 if converted is None else rounded(converted)
        price = chooser.choice([near - 1, near, near + 1, chooser.randint(-400, 400), None])
        expected = None if price is None or converted is None else OPS[op](price, near)
        values = {"price": price, "price_currency": own}
        assert reference.truth(condition, values) is expected, (values, op, limit, of)
        assert in_columns(condition, values) is expected
        statuses.add(expected)
    assert statuses == {True, False, None}


@pytest.mark.parametrize("rates", [None, RATES], ids=["without rates", "with rates"])
def test_random_comparisons_of_two_fields_and_of_two_features_are_exact(rates: ExchangeRates | None) -> None:
    chooser, statuses = Random(2), set()
    for _ in range(by_effort(100, 1_000)):
        op, first, second = chooser.choice(sorted(OPS)), chooser.choice(CURRENCIES), chooser.choice(CURRENCIES)
        one = chooser.randint(1, 3_000)
        exact = worth(one, first, second, rates)
        other = chooser.choice([0 if exact is None else int(exact), chooser.randint(1, 3_000)])
        expected = None if exact is None and other else OPS[op](one if other == 0 else exact, other)
        fields = {"price": one, "price_currency": first, "fee": other, "fee_currency": second}
        if other:  # a field that is 0 has a currency all the same
            condition, problems = compiled(f"price {op} fee", dict(KINDS["sale"].fields), rates)
            assert condition is not None, problems
            assert reference.truth(condition, fields) is expected, (fields, op)
            assert in_columns(condition, fields) is expected
            statuses.add(expected)
        condition, problems = compiled(f"sums.{first.lower()} {op} sums.{second.lower()}", FEATURES, rates)
        if other and condition is not None and first != second:
            values = {f"sums.{first.lower()}": one, f"sums.{second.lower()}": other}
            assert reference.truth(condition, values) is expected, (values, op)
        assert condition is not None or {p.code for p in problems} == {"R106"}
    assert statuses == {True, False, None}


def test_no_money_is_no_money_in_every_currency() -> None:
    condition, _ = compiled("price > 0 JPY", dict(KINDS["sale"].fields), None)
    assert condition
    assert reference.truth(condition, {"price": 1, "price_currency": "EUR"}) is True
    assert reference.truth(condition, {"price": 0, "price_currency": "EUR"}) is False


def test_an_amount_in_a_currency_without_a_rate_says_why_it_is_unknown() -> None:
    rule = '  - {id: rich, dimension: money, when: "sums.cny > 150000 JPY", points: 5, reason: cover}\n'
    files = base() | {"trust.yaml": base()["trust.yaml"].replace("rules:\n", f"rules:\n{rule}")}
    schema = {**SCHEMA, "sums.cny": FEATURES["sums.cny"]}
    schema["sums.cny"] = Attribute("sums.cny", FEATURES["sums.cny"].type, "behaviour")
    program = release_of(files, schema, KINDS).at(DAY)
    values = {**PERSON, "sums.cny": 900_000_000}
    assert explanation(program, values, 670, DAY, "rich").unknown == ("rates.JPY",)
    rates = "kind: rates\nbase: CNY\ndate: 2024-03-01\nrates: {JPY: 0.0482}\n"
    with_rates = release_of({**files, "rates.yaml": rates}, schema, KINDS).at(DAY)
    (atom,) = explanation(with_rates, {**values, "sums.cny": 63_100}, 670, DAY, "rich").atoms
    assert (atom.text, atom.status, atom.value, atom.threshold, atom.distance) == (
        *("sums.cny > 150000 JPY", False, "631.00 CNY", "7230.00 CNY", "+6599.01 CNY"),
    )


def test_an_explanation_shows_amounts_with_their_currency() -> None:
    condition, _ = compiled("sums.cny >= 640.00 CNY", FEATURES, None)
    assert condition
    (atom,) = atoms(condition, {"sums.cny": 63_100}, FEATURES)
    assert (atom.text, atom.value, atom.threshold) == ("sums.cny >= 640.00 CNY", "631.00 CNY", "640.00 CNY")
    assert atom.distance == "+9.00 CNY"


RATES_FILE = "kind: rates\nbase: CNY\ndate: 2024-03-01\nrates: {EUR: 7.5, USD: 7.1}\n"


def with_rates(rate: str = "7.5") -> dict[str, str]:
    perks = base()["perks.yaml"].replace("request.amount <= 500 CNY", "request.amount <= 80 EUR")
    return {**base(), "perks.yaml": perks, "rates.yaml": RATES_FILE.replace("7.5", rate)}


def test_a_decision_records_the_rates_that_its_rules_used_and_replays_under_them() -> None:
    values = {**PERSON, "credit.missed": 1}
    release = release_of(with_rates(), SCHEMA, KINDS)
    question = make_question("room", 60_000, "CNY", values)
    decision = decide(ReferenceEvaluator(release.at(DAY)), question)
    record = decision.record()
    assert record["rates"] == {"base": "CNY", "date": "2024-03-01", "rates": {"EUR": "7.5"}}
    assert record["version"] == 8
    newer = release_of(with_rates("7.4"), SCHEMA, KINDS)
    assert newer.id != release.id
    stored = stored_release(record["release"], release.files, SCHEMA, KINDS)
    replayed = decide(ReferenceEvaluator(stored.at(DAY)), question_from_record(record))
    assert replayed.canonical() == decision.canonical()


def test_rules_that_convert_nothing_record_no_rates() -> None:
    release = release_of({**base(), "rates.yaml": RATES_FILE}, SCHEMA, KINDS)
    record = decide(ReferenceEvaluator(release.at(DAY)), make_question("room", 60_000, "CNY", PERSON)).record()
    assert "rates" not in record


@pytest.mark.parametrize("currency", ["CNY", "JPY", "KWD", "CLF"])
def test_a_perk_can_be_in_any_currency_with_its_minor_units(currency: str) -> None:
    digits = own_currencies.CURRENCY_DIGITS[currency]
    finest = f"{Decimal(1).scaleb(-digits):f} {currency}"
    perks = (
        f"kind: perks\nperks:\n  - id: room\n    about: a room\n    currency: {currency}\n    most: 500 {currency}\n"
        f"    valid_hours: 24\n    step: {finest}\n    tiers:\n      - {{id: t, when: true, waive: {{up_to: {finest}}}}}\n"
    )
    files = {name: text for name, text in base().items() if name != "orders.yaml"} | {"perks.yaml": perks}
    release, problems = check(files, SCHEMA, KINDS)
    assert release, problems
    perk = release.at(DAY).perk("room")
    assert perk
    assert (perk.most, perk.step, perk.tiers[0].up_to) == (500 * 10**digits, 1, 1)


def test_names_of_a_comparison_are_the_amount_and_its_currency() -> None:
    condition, _ = compiled("price > 1 CNY", dict(KINDS["sale"].fields), None)
    assert condition
    assert set(names(condition)) == {"price", "price_currency"}
