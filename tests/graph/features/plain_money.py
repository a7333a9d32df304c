"""The sums and counts of payments and balances, row by row and by their definitions in the catalogue: the oracle of
`graph.features.behaviour` and `graph.features.capacity`. (`plain_payments` has the patterns and the flows.)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from tests.graph.features.plain_payments import Payment, before, share

INCOME = ("wage", "pension", "benefit")
LARGEST_SUM, LARGEST_RATIO, LARGEST_BALANCE = 9 * 10**15, 999_999, 10**13


@dataclass(frozen=True)
class Paid(Payment):
    category: str | None = None


@dataclass(frozen=True)
class Balance:
    at: datetime
    person: str
    amount: int
    currency: str


def plain(
    payments: list[Paid], balances: list[Balance], people: set[str], person: str, as_of: datetime, zone: tzinfo = UTC
) -> dict[str, int | None]:
    """The features of `person`, by name; `people` are the parties who are people. All that is given may be seen."""
    start = before(as_of.astimezone(zone), 24)
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
        "capacity.payers": len(payers),
        "capacity.spending_steadiness": steadiness([p for p in paid if month(p.at, zone) in year], zone),
        "capacity.balance_low_share": share(sum(b.amount < 0 for b in readings), len(readings)),
        "capacity.balance_months": balance_months(readings, paid),
    }


def month(at: datetime, zone: tzinfo) -> tuple[int, int]:
    here = at.astimezone(zone)
    return here.year, here.month


def months(payments: Iterable[Paid], zone: tzinfo) -> set[tuple[int, int]]:
    return {month(p.at, zone) for p in payments}


def full_months(as_of: datetime, zone: tzinfo) -> set[tuple[int, int]]:
    """The last twelve that are over."""
    year, this = month(as_of, zone)
    return {(year - (this <= back), (this - back - 1) % 12 + 1) for back in range(1, 13)}


def days_since(last: datetime | None, as_of: datetime) -> int | None:
    return None if last is None else (as_of - last).days


def currency(moved: Iterable[Paid | Balance]) -> str | None:
    """The only one, or None."""
    found = {m.currency for m in moved}
    return found.pop() if len(found) == 1 else None


def total(payments: Iterable[Paid], most: int = LARGEST_SUM) -> int:
    return min(sum(p.amount for p in payments), most)


def money(payments: list[Paid]) -> int | None:
    return total(payments) if not payments or currency(payments) else None


def quotient(part: int, whole: int) -> int | None:
    """In hundredths, at most the largest that is kept."""
    found = share(part, whole)
    return None if found is None else min(found, LARGEST_RATIO)


def income_cover(received: list[Paid], paid: list[Paid]) -> int | None:
    if not currency(paid) or (received and currency(received) != currency(paid)):
        return None
    return quotient(total(received), total(paid))


def steadiness(paid: list[Paid], zone: tzinfo) -> int | None:
    if not currency(paid):
        return None
    spent = [total([p for p in paid if month(p.at, zone) == m], LARGEST_SUM // 12) for m in months(paid, zone)]
    return share(sum(spent), 12 * max(spent))


def balance_months(readings: list[Balance], paid: list[Paid]) -> int | None:
    """The mean is in whole minor units, rounded down; below zero it pays for nothing."""
    if not currency(readings) or currency(readings) != currency(paid):
        return None
    held = sum(max(-LARGEST_BALANCE, min(LARGEST_BALANCE, b.amount)) for b in readings)
    return quotient(24 * (max(held, 0) // len(readings)), total(paid))
