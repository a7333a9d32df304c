"""Compute sums and counts of payments and balances row by row, by the definitions in the catalogue.

This is the oracle of `graph.features.definitions.behaviour` and `graph.features.definitions.capacity`. For the patterns
and the flows see `payments_oracle`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from tests.graph.features.payments_oracle import PlainPayment, months_before, share

INCOME = ("wage", "pension", "benefit")
MAX_SUM, MAX_RATIO, MAX_BALANCE = 9 * 10**15, 999_999, 10**13


@dataclass(frozen=True)
class CategorisedPayment(PlainPayment):
    category: str | None = None


@dataclass(frozen=True)
class Balance:
    at: datetime
    person: str
    amount: int
    currency: str


def plain_features(
    payments: list[CategorisedPayment],
    balances: list[Balance],
    people: set[str],
    person: str,
    as_of: datetime,
    zone: tzinfo = UTC,
) -> dict[str, int | None]:
    """Compute the features of `person`, by name. `people` are the parties that are persons. You pass only visible rows."""
    start = months_before(as_of.astimezone(zone), 24)
    paid = [p for p in payments if p.payer == person and p.at > start]
    received = [p for p in payments if p.payee == person and p.at > start]
    readings = [b for b in balances if b.person == person and b.at > start]
    income = [p for p in received if p.category in INCOME]
    payees, payers = {p.payee for p in paid}, {p.payer for p in received}
    year = full_months(as_of, zone)
    return {
        "behaviour.payments": len(paid),
        "behaviour.payment_total": money(paid),
        "behaviour.active_months": len(months(paid, zone)),
        "behaviour.payees": len(payees),
        "behaviour.categories": len({p.category for p in paid if p.category is not None}),
        "behaviour.recency_days": days_since(max((p.at for p in paid), default=None), as_of),
        "behaviour.out_counterparties": len(payees & people),
        "behaviour.in_counterparties": len(payers & people),
        "behaviour.reciprocity": share(len(payees & payers), len(payees)),
        "capacity.income_months": len(months(income, zone)),
        "capacity.income_total": money(income),
        "capacity.income_regularity": share(len(months(income, zone) & year), 12),
        "capacity.income_cover": income_cover(received, paid),
        "capacity.distinct_payers": len(payers),
        "capacity.spending_steadiness": steadiness([p for p in paid if month(p.at, zone) in year], zone),
        "capacity.balance_low_share": share(sum(b.amount < 0 for b in readings), len(readings)),
        "capacity.balance_months": balance_months(readings, paid),
    }


def month(at: datetime, zone: tzinfo) -> tuple[int, int]:
    local = at.astimezone(zone)
    return local.year, local.month


def months(payments: Iterable[CategorisedPayment], zone: tzinfo) -> set[tuple[int, int]]:
    return {month(p.at, zone) for p in payments}


def full_months(as_of: datetime, zone: tzinfo) -> set[tuple[int, int]]:
    """The last twelve that are over."""
    year, this_month = month(as_of, zone)
    return {(year - (this_month <= back), (this_month - back - 1) % 12 + 1) for back in range(1, 13)}


def days_since(last: datetime | None, as_of: datetime) -> int | None:
    return None if last is None else (as_of - last).days


def currency(items: Iterable[CategorisedPayment | Balance]) -> str | None:
    """The only one, or None."""
    currencies = {m.currency for m in items}
    return currencies.pop() if len(currencies) == 1 else None


def total(payments: Iterable[CategorisedPayment], most: int = MAX_SUM) -> int:
    return min(sum(p.amount for p in payments), most)


def money(payments: list[CategorisedPayment]) -> int | None:
    """In the currency of the shipped sums; the shipped rules have no rate for another."""
    return total(payments) if all(p.currency == "CNY" for p in payments) else None


def quotient(part: int, whole: int) -> int | None:
    """In hundredths, at most the largest that is kept."""
    value = share(part, whole)
    return None if value is None else min(value, MAX_RATIO)


def income_cover(received: list[CategorisedPayment], paid: list[CategorisedPayment]) -> int | None:
    if not currency(paid) or (received and currency(received) != currency(paid)):
        return None
    return quotient(total(received), total(paid))


def steadiness(paid: list[CategorisedPayment], zone: tzinfo) -> int | None:
    if not currency(paid):
        return None
    spent = [total([p for p in paid if month(p.at, zone) == m], MAX_SUM // 12) for m in months(paid, zone)]
    return share(sum(spent), 12 * max(spent))


def balance_months(readings: list[Balance], paid: list[CategorisedPayment]) -> int | None:
    """The mean is in whole minor units, rounded down, and reduced to the largest balance; below zero it pays for nothing."""
    if not currency(readings) or currency(readings) != currency(paid):
        return None
    mean = min(max(sum(b.amount for b in readings), 0) // len(readings), MAX_BALANCE)
    return quotient(24 * mean, total(paid))
