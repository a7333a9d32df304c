"""Resolve comparisons of amounts of money to comparisons of whole numbers of minor units.

Two amounts in one currency compare as numbers. Two in different currencies compare by the rates of the release, and are
unknown without them. An event names the currency of its amount in a field, so a comparison there has a branch for each
currency that we can convert. We know the rates when we check a file, so no engine knows of currencies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from engine.lang.model.conditions import And, AttrsEqual, Cmp, Comparison, Const, Int, Not, Num, Op, Or, Same, Truth
from engine.lang.model.rates import ExchangeRates, factor, rounded


@dataclass(frozen=True)
class Amount:
    """One side of a comparison: a number of units, `more_digits` finer than minor units.

    `currency` is that of all its values; or `field` is the attribute that names each value's own. `most` is its largest
    magnitude. `text` is what the rule file says.
    """

    num: Num
    currency: str
    field: str
    more_digits: int
    most: int
    text: str = ""


def comparison(op: Comparison, left: Amount, right: Amount, rates: ExchangeRates | None) -> Truth:
    """The condition that compares two amounts."""
    if left.field and right.field:
        return _two_fields(op, left, right, rates)
    if left.field or right.field:
        currencies = rates.currencies if rates else ()
        return _by_currency(
            op, left, right, tuple(dict.fromkeys((left.currency or right.currency, *currencies))), rates
        )
    return _in_currencies(op, left, right, left.currency, right.currency, rates)


def _by_currency(
    op: Comparison, left: Amount, right: Amount, currencies: tuple[str, ...], rates: ExchangeRates | None
) -> Truth:
    """One branch for each currency of the field; for any other currency, the comparison is unknown."""
    field = left.field or right.field
    branches: list[Truth] = []
    tests = [Same(field, currency) for currency in currencies]
    for test in tests:
        own, other = (left.currency or test.value), (right.currency or test.value)
        branches.append(And((test, _in_currencies(op, left, right, own, other, rates))))
    other_currency = Not(Or(tuple(tests)) if len(tests) > 1 else tests[0])
    return Or((*branches, And((other_currency, Const(None, cause=field)))))


def _two_fields(op: Comparison, left: Amount, right: Amount, rates: ExchangeRates | None) -> Truth:
    one = _in_currencies(op, left, right, "", "", rates)
    if left.field == right.field:
        return one
    same = AttrsEqual(left.field, right.field)
    branches: list[Truth] = [And((same, one))]
    convertible_pairs: list[Truth] = [same]
    currencies = rates.currencies if rates else ()
    for first, second in ((a, b) for a in currencies for b in currencies if a != b):
        test = And((Same(left.field, first), Same(right.field, second)))
        branches.append(And((*test.parts, _in_currencies(op, left, right, first, second, rates))))
        convertible_pairs.append(test)
    return Or((*branches, And((Not(Or(tuple(convertible_pairs))), Const(None, cause=right.field)))))


def _in_currencies(
    op: Comparison, left: Amount, right: Amount, own: str, other: str, rates: ExchangeRates | None
) -> Truth:
    """The comparison of amounts in these currencies. We convert a constant, and round it, or else multiply both sides."""
    worth = factor(rates, other, own)
    if worth is None:
        missing = own if rates and other in rates.currencies else other
        return Const(None, f"{left.text} {op} {right.text}", f"rates.{missing}")
    if own == other:
        most_digits = max(left.more_digits, right.more_digits)
        return Cmp(op, *(_times(side.num, 10 ** (most_digits - side.more_digits)) for side in (left, right)))
    if isinstance(right.num, Int):
        return Cmp(op, left.num, _converted(right, right.num, worth, left))
    if isinstance(left.num, Int):
        return Cmp(op, _converted(left, left.num, 1 / worth, right), right.num)
    scaled = worth * Fraction(10) ** (left.more_digits - right.more_digits)
    return Cmp(op, _times(left.num, scaled.denominator), _times(right.num, scaled.numerator))


def _converted(side: Amount, constant: Int, worth: Fraction, other: Amount) -> Int:
    """The constant in the other side's currency and digits. Beyond the other side's range, we clip it."""
    minor_units = rounded(Fraction(constant.value, 10**side.more_digits) * worth)
    value = minor_units * 10**other.more_digits
    limit = other.most + 1
    return Int(max(-limit, min(value, limit)), constant.text)


def largest(amount: Amount, rates: ExchangeRates | None, other: Amount) -> int:
    """The largest intermediate result of a comparison of the two amounts."""
    return max(_sizes(amount, other, rates))


def _sizes(left: Amount, right: Amount, rates: ExchangeRates | None) -> Iterator[int]:
    most_digits = max(left.more_digits, right.more_digits)
    yield left.most * 10 ** (most_digits - left.more_digits)
    yield right.most * 10 ** (most_digits - right.more_digits)
    firsts = (left.currency,) if left.currency else rates.currencies if rates else ()
    seconds = (right.currency,) if right.currency else rates.currencies if rates else ()
    for own, other in ((a, b) for a in firsts for b in seconds if a != b):
        worth = factor(rates, other, own)
        if worth and not isinstance(left.num, Int) and not isinstance(right.num, Int):
            scaled = worth * Fraction(10) ** (left.more_digits - right.more_digits)
            yield left.most * scaled.denominator
            yield right.most * scaled.numerator


def _times(num: Num, by: int) -> Num:
    if by == 1:
        return num
    return Int(num.value * by, num.text) if isinstance(num, Int) else Op("*", num, Int(by), scaling=True)
