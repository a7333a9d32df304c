"""The features of payments, slowly and by their definitions: lists, sets and loops over every moment and every pair."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

WEEK, HOUR, DAY = timedelta(days=7), timedelta(hours=1), timedelta(hours=24)


@dataclass(frozen=True)
class Payment:
    at: datetime
    payer: str
    payee: str
    amount: int
    currency: str


def plain(payments: list[Payment], person: str, as_of: datetime, zone: tzinfo = UTC) -> dict[str, int | None]:
    """The features of a person, of what happened until `as_of`, by name, on the clocks of a zone."""
    as_of = as_of.astimezone(zone)
    paid = [p for p in payments if p.payer == person]
    received = [p for p in payments if p.payee == person]
    year = before(as_of, 12)
    recent, came = [p for p in paid if p.at > year], [p for p in received if p.at > year]
    return {
        "behaviour.payees_kept": payees_kept(paid, as_of),
        "behaviour.regularity": regularity(paid, as_of),
        "behaviour.night_share": night_share([p.at.astimezone(zone) for p in recent]),
        "behaviour.burstiness": burstiness([p.at for p in recent]),
        "capacity.inflow_share": inflow_share(received, paid, as_of),
        "capacity.passed_on": passed_on(came, recent) if one_currency(received, paid, as_of) else None,
        "fraud.fan_in": fan([(p.at, p.payer) for p in came]),
        "fraud.fan_out": fan([(p.at, p.payee) for p in recent]),
    }


def before(at: datetime, months: int) -> datetime:
    """By the clocks of the moment's zone; moments of one zone would be compared by what clocks show."""
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    then = at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]), fold=0)
    return then.astimezone(UTC)


def share(part: int, whole: int) -> int | None:
    """In hundredths, halves up."""
    return int((Fraction(100 * part, whole) + Fraction(1, 2)) // 1) if whole else None


def payees_kept(paid: list[Payment], as_of: datetime) -> int | None:
    then = {p.payee for p in paid if before(as_of, 12) < p.at <= before(as_of, 6)}
    now = {p.payee for p in paid if before(as_of, 6) < p.at}
    return share(len(then & now), len(then))


def regularity(paid: list[Payment], as_of: datetime) -> int | None:
    full = [
        (p.payee, shown.month) for p in paid if 1 <= months_ago(shown := p.at.astimezone(as_of.tzinfo), as_of) <= 12
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


def one_currency(received: list[Payment], paid: list[Payment], as_of: datetime) -> bool:
    return len({p.currency for p in (*received, *paid) if p.at > before(as_of, 24)}) == 1


def inflow_share(received: list[Payment], paid: list[Payment], as_of: datetime) -> int | None:
    came = sum(p.amount for p in received if p.at > before(as_of, 24))
    went = sum(p.amount for p in paid if p.at > before(as_of, 24))
    return share(came, came + went) if one_currency(received, paid, as_of) else None


def passed_on(received: list[Payment], paid: list[Payment]) -> int | None:
    came, went = hourly(received), hourly(paid)
    forth = sum(min(money, sum(went.get(h + n * HOUR, 0) for n in range(25))) for h, money in came.items())
    back = sum(min(money, sum(came.get(h - n * HOUR, 0) for n in range(25))) for h, money in went.items())
    return share(min(forth, back), sum(came.values()))


def hourly(payments: list[Payment]) -> dict[datetime, int]:
    found: dict[datetime, int] = {}
    for p in payments:
        hour = p.at.replace(minute=0, second=0, microsecond=0)
        found[hour] = found.get(hour, 0) + p.amount
    return found


def fan(seen: list[tuple[datetime, str]]) -> int:
    """A window that begins later than at a payment holds no more than one that begins at the next."""
    return max((len({p for t, p in seen if begin <= t < begin + WEEK}) for begin, _ in seen), default=0)
