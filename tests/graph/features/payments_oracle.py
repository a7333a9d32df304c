"""Compute the features of payments slowly, by their definitions: with lists, sets and loops over every moment and every
pair.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

WEEK, HOUR, DAY = timedelta(days=7), timedelta(hours=1), timedelta(hours=24)


@dataclass(frozen=True)
class PlainPayment:
    at: datetime
    payer: str
    payee: str
    amount: int
    currency: str


def plain_features(
    payments: list[PlainPayment], person: str, as_of: datetime, zone: tzinfo = UTC
) -> dict[str, int | None]:
    """Compute the features of a person from payments up to `as_of`, by name, in the local time of a zone."""
    as_of = as_of.astimezone(zone)
    paid = [p for p in payments if p.payer == person]
    received = [p for p in payments if p.payee == person]
    year = months_before(as_of, 12)
    recent, recent_received = [p for p in paid if p.at > year], [p for p in received if p.at > year]
    return {
        "behaviour.payee_retention": payee_retention(paid, as_of),
        "behaviour.regularity": regularity(paid, as_of),
        "behaviour.night_share": night_share([p.at.astimezone(zone) for p in recent]),
        "behaviour.burstiness": burstiness([p.at for p in recent]),
        "capacity.net_inflow_share": net_inflow_share(received, paid, as_of),
        "capacity.pass_through_share": pass_through_share(recent_received, recent)
        if one_currency(received, paid, as_of)
        else None,
        "fraud.fan_in": fan([(p.at, p.payer) for p in recent_received]),
        "fraud.fan_out": fan([(p.at, p.payee) for p in recent]),
    }


def months_before(at: datetime, months: int) -> datetime:
    """Go back by the local time of the moment's zone, because Python compares two times of one zone by their local
    time.
    """
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    then = at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]), fold=0)
    return then.astimezone(UTC)


def share(part: int, whole: int) -> int | None:
    """In hundredths, halves up."""
    return int((Fraction(100 * part, whole) + Fraction(1, 2)) // 1) if whole else None


def payee_retention(paid: list[PlainPayment], as_of: datetime) -> int | None:
    then = {p.payee for p in paid if months_before(as_of, 12) < p.at <= months_before(as_of, 6)}
    now = {p.payee for p in paid if months_before(as_of, 6) < p.at}
    return share(len(then & now), len(then))


def regularity(paid: list[PlainPayment], as_of: datetime) -> int | None:
    full = [
        (p.payee, local.month) for p in paid if 1 <= months_ago(local := p.at.astimezone(as_of.tzinfo), as_of) <= 12
    ]
    months: dict[str, set[int]] = {}
    for payee, month in full:
        months.setdefault(payee, set()).add(month)
    return share(sum(len(months[payee]) >= 6 for payee, _ in full), len(full))


def months_ago(at: datetime, as_of: datetime) -> int:
    return (as_of.year - at.year) * 12 + as_of.month - at.month


def night_share(times: list[datetime]) -> int | None:
    timed = [t for t in times if (t.hour, t.minute, t.second, t.microsecond) != (0, 0, 0, 0)]
    return share(sum(t.hour in range(6) for t in timed), len(timed))


def burstiness(times: list[datetime]) -> int | None:
    minutes = sorted(t.replace(second=0, microsecond=0) for t in times)
    gaps = [int((b - a).total_seconds()) // 60 for a, b in pairwise(minutes)]
    if len(gaps) < 5 or not any(gaps):
        return None
    mean = Fraction(sum(gaps), len(gaps))
    variance = sum((g - mean) ** 2 for g in gaps) / len(gaps)
    with localcontext(prec=60):
        s = (Decimal(variance.numerator) / variance.denominator).sqrt()
        m = Decimal(mean.numerator) / mean.denominator
        return int((100 * (s - m) / (s + m) + Decimal("0.5")).quantize(Decimal(1), ROUND_FLOOR))


def one_currency(received: list[PlainPayment], paid: list[PlainPayment], as_of: datetime) -> bool:
    return len({p.currency for p in (*received, *paid) if p.at > months_before(as_of, 24)}) == 1


def net_inflow_share(received: list[PlainPayment], paid: list[PlainPayment], as_of: datetime) -> int | None:
    inflow = sum(p.amount for p in received if p.at > months_before(as_of, 24))
    outflow = sum(p.amount for p in paid if p.at > months_before(as_of, 24))
    return share(inflow, inflow + outflow) if one_currency(received, paid, as_of) else None


def pass_through_share(received: list[PlainPayment], paid: list[PlainPayment]) -> int | None:
    inflow, outflow = hourly(received), hourly(paid)
    forth = sum(min(money, sum(outflow.get(h + n * HOUR, 0) for n in range(25))) for h, money in inflow.items())
    back = sum(min(money, sum(inflow.get(h - n * HOUR, 0) for n in range(25))) for h, money in outflow.items())
    return share(min(forth, back), sum(inflow.values()))


def hourly(payments: list[PlainPayment]) -> dict[datetime, int]:
    sums: dict[datetime, int] = {}
    for p in payments:
        hour = p.at.replace(minute=0, second=0, microsecond=0)
        sums[hour] = sums.get(hour, 0) + p.amount
    return sums


def fan(payments: list[tuple[datetime, str]]) -> int:
    """A window that begins later than at a payment holds no more than one that begins at the next."""
    return max((len({p for t, p in payments if begin <= t < begin + WEEK}) for begin, _ in payments), default=0)
