"""Compare the outcomes of the challenger's orders with the champion's: how many were overdue, and how many were disputed.

In a shadow, only the champion answers. So there are outcomes of its orders alone: of those that both releases admit, and of those that
the champion alone admits, which the challenger would have declined. What the challenger alone admits has no outcome, and we state
its rate for the cases that none or all of them turn out badly.

The sets of the two releases overlap, but their difference needs the disjoint parts alone. With b orders that both admit, at a rate of
B, and c orders that the champion alone admits, at a rate of C, the champion's rate minus the rate of the orders that both admit is

    (bB + cC) / (b + c) - B = c / (b + c) * (C - B)

So we take Newcombe's interval of C - B, and scale it by w = c / (b + c), the share of the champion's orders that the challenger would
decline. The error of w is independent of that of C - B. We add its part, (C - B) times the error of w, in squares, as Zou and Donner do.

One person may have several orders, which tend to end alike, and orders in both parts. We count a part as so many orders fewer as its
clusters vary more than independent orders would (the design effect), and take the correlation of the two parts from their people.

- Newcombe, Statistics in Medicine 17, 1998, method 10; Zou and Donner, Statistics in Medicine 27, 2008: with a correlation.
- Kish, Survey Sampling, Wiley 1965, chapter 5: the variance of a rate of clusters, and the design effect. Rao and Scott, A simple
  method for the analysis of clustered binary data, Biometrics 48, 1992: rates with the size divided by it.

The intervals are of 95 %, for one look at a time that you fixed. Take orders whose outcome is final, for both releases from the same
time: a late order is overdue only after its due date.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import hypot, sqrt
from typing import Any, Final

from engine.proportions import Limits, difference, normal_quantile, wilson

OVERDUE, DISPUTED = "overdue", "disputed"
BOTH, CHAMPION, CHALLENGER = "both", "champion", "challenger"
CONFIDENCE: Final = 0.95
_Estimate = tuple[float | None, float | None, float | None]  # with its lower and its upper limit


@dataclass(frozen=True)
class PersonOutcomes:
    """What came of one person's orders.

    `admitted_by` is the release that admits them: both, the champion or the challenger alone. In a partial release, it is the one
    that answered. Give several rows of a person, one for each order or each release, as you like.
    """

    person: str
    admitted_by: str
    orders: int
    overdue: int = 0
    disputed: int = 0


@dataclass(frozen=True)
class BadRate:
    """The share of bad outcomes among orders, with its interval; without orders, all shares are None."""

    bad: int
    orders: int
    people: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ShadowOutcomes:
    """The outcomes under one measure, in a shadow.

    `difference` is the champion's rate minus that of the orders that both admit: what the challenger would save by declining.
    `challenger_bounds` and `difference_bounds` count the orders without an outcome too: first as if none, then as if all were bad.
    """

    measure: str
    champion: BadRate
    both: BadRate
    champion_only: BadRate
    challenger_only_orders: int
    challenger_bounds: Limits | None
    difference: float | None
    low: float | None
    high: float | None
    difference_bounds: Limits | None

    def as_dict(self) -> dict[str, Any]:
        """For a JSON answer: shares rounded to six decimals."""
        return _rounded_fields(asdict(self))


@dataclass(frozen=True)
class ArmOutcomes:
    """The outcomes under one measure, of the two arms of a partial release. `difference` is champion minus challenger."""

    measure: str
    champion: BadRate
    challenger: BadRate
    difference: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """For a JSON answer: shares rounded to six decimals."""
        return _rounded_fields(asdict(self))


@dataclass(frozen=True)
class _OrderGroup:
    """The orders and bad outcomes of each person in one part."""

    counts: Mapping[str, tuple[int, int]]

    @cached_property
    def orders(self) -> int:
        return sum(orders for orders, _ in self.counts.values())

    @cached_property
    def bad(self) -> int:
        return sum(bad for _, bad in self.counts.values())

    @property
    def rate(self) -> float:
        return self.bad / self.orders

    @cached_property
    def residuals(self) -> dict[str, float]:
        """How far each person's bad outcomes are from the rate."""
        return {person: bad - self.rate * orders for person, (orders, bad) in self.counts.items()}

    @property
    def effective_orders(self) -> float:
        """The number of independent orders that would be as informative; the number of orders if each person has one."""
        independent = self.orders * self.rate * (1 - self.rate)
        if not independent:  # nothing varies: as if all orders of a person ended alike
            return self.orders**2 / sum(orders**2 for orders, _ in self.counts.values())
        return self.orders / max(1.0, sum(residual**2 for residual in self.residuals.values()) / independent)

    @property
    def limits(self) -> Limits:
        return wilson(self.rate, self.effective_orders, normal_quantile(CONFIDENCE))

    def as_rate(self) -> BadRate:
        rate, (low, high) = (self.rate, self.limits) if self.orders else (None, (None, None))
        return BadRate(self.bad, self.orders, len(self.counts), rate, low, high)


def compare_in_shadow(rows: Iterable[PersonOutcomes]) -> tuple[ShadowOutcomes, ShadowOutcomes]:
    """The overdue and the disputed orders in a shadow. Cost: O(n)."""
    rows = tuple(rows)
    return _in_shadow(OVERDUE, rows), _in_shadow(DISPUTED, rows)


def compare_arms(rows: Iterable[PersonOutcomes]) -> tuple[ArmOutcomes, ArmOutcomes]:
    """The overdue and the disputed orders in a partial release: two independent arms. Cost: O(n)."""
    rows = tuple(rows)
    return _of_arms(OVERDUE, rows), _of_arms(DISPUTED, rows)


def _in_shadow(measure: str, rows: tuple[PersonOutcomes, ...]) -> ShadowOutcomes:
    both, declined = _part(measure, rows, {BOTH}), _part(measure, rows, {CHAMPION})
    champion = _part(measure, rows, {BOTH, CHAMPION})
    unseen = sum(row.orders for row in rows if row.admitted_by == CHALLENGER)
    count = both.orders + unseen
    bounds = (both.bad / count, (both.bad + unseen) / count) if count else None
    rate = champion.rate if champion.orders else None
    estimate, low, high = _overlapping_difference(champion, both, declined)
    return ShadowOutcomes(
        measure=measure,
        champion=champion.as_rate(),
        both=both.as_rate(),
        champion_only=declined.as_rate(),
        challenger_only_orders=unseen,
        challenger_bounds=bounds,
        difference=estimate,
        low=low,
        high=high,
        difference_bounds=None if rate is None or bounds is None else (rate - bounds[1], rate - bounds[0]),
    )


def _overlapping_difference(champion: _OrderGroup, both: _OrderGroup, declined: _OrderGroup) -> _Estimate:
    """The champion's rate minus that of the orders that both admit."""
    if both.orders and not declined.orders:  # the two sets are one
        return 0.0, 0.0, 0.0
    estimate, low, high = _difference(declined, both)
    if estimate is None or low is None or high is None:
        return None, None, None
    share = _OrderGroup({p: (orders, declined.counts.get(p, (0, 0))[0]) for p, (orders, _) in champion.counts.items()})
    variance = share.rate * (1 - share.rate) / share.effective_orders
    error = normal_quantile(CONFIDENCE) * estimate * sqrt(variance)
    centre = share.rate * estimate
    below, above = share.rate * (estimate - low), share.rate * (high - estimate)
    return centre, centre - hypot(below, error), centre + hypot(above, error)


def _of_arms(measure: str, rows: tuple[PersonOutcomes, ...]) -> ArmOutcomes:
    champion, challenger = _part(measure, rows, {CHAMPION}), _part(measure, rows, {CHALLENGER})
    return ArmOutcomes(measure, champion.as_rate(), challenger.as_rate(), *_difference(champion, challenger))


def _part(measure: str, rows: tuple[PersonOutcomes, ...], releases: set[str]) -> _OrderGroup:
    counts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        if row.admitted_by in releases and row.orders:
            orders, bad = counts[row.person]
            counts[row.person] = orders + row.orders, bad + getattr(row, measure)
    return _OrderGroup(counts)


def _difference(first: _OrderGroup, second: _OrderGroup) -> _Estimate:
    """The rate of the first part minus that of the second, and its interval; None if one has no orders."""
    if not first.orders or not second.orders:
        return None, None, None
    low, high = difference(first.rate, first.limits, second.rate, second.limits, _correlation(first, second))
    return first.rate - second.rate, low, high


def _correlation(first: _OrderGroup, second: _OrderGroup) -> float:
    """The correlation of the two rates, from the people with orders in both parts."""
    one, other = first.residuals, second.residuals
    product = sum(one[person] * other[person] for person in one.keys() & other.keys())
    squares = [sum(residual**2 for residual in residuals.values()) for residuals in (one, other)]
    return product / sqrt(squares[0] * squares[1]) if squares[0] and squares[1] else 0.0


def _rounded_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in fields.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return _rounded_fields(value)
    if isinstance(value, tuple):
        return [_rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value
