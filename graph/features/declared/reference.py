"""Compute features in the simplest possible way, row by row. This evaluator is the oracle of the columns; `few_rows` takes its
measures for the rows of a person.

`view` and `consents` are rows of `graph.evidence.visibility.visible_with_consents`, `ties` those of
`graph.network.build.ties_in_force`, as mappings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from fractions import Fraction
from itertools import pairwise
from math import isqrt
from typing import Any, Final

from graph.catalog import MAX_MONEY
from graph.evidence.months import months_before
from graph.features.declared.definition import (
    CONTRIBUTOR_IDS,
    UNCONVERTIBLE,
    Condition,
    FeatureDefinition,
    MeasuredField,
    in_order,
)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, DAY = timedelta(microseconds=1), timedelta(days=1)
MAX_DEVIATION: Final = 10**12
PlainRow = Mapping[str, Any]
Amount = tuple[int | None, frozenset[str]]  # a value, and the currencies of its events


def reference_features(
    view: Sequence[PlainRow],
    consents: Sequence[PlainRow],
    ties: Sequence[PlainRow],
    definitions: Sequence[FeatureDefinition],
    as_of: datetime,
    zone: tzinfo = UTC,
    also: Iterable[str] = (),
) -> dict[str, dict[str, int | None]]:
    """Return the values of each person enrolled in the view, and of those in `also`, by the name of the feature, internal ones
    too.
    """
    people = {r["subject"] for r in view if r["kind"] == "person.enrolled" and r["for_subject"]} | {*also}
    agreements = {(r["person"], r["data_class"]) for r in consents}
    amounts: dict[str, dict[str, Amount]] = {person: {} for person in people}
    for definition in in_order(tuple(definitions)):
        for person in people:
            if definition.source == "features":
                amount = formula_amount(definition, amounts[person], as_of, zone, definitions)
            elif definition.source == "neighbours":
                amount = (
                    _neighbours(definition, amounts, _near(ties, person, definition.steps), definitions),
                    frozenset(),
                )
            else:
                rows = _own_rows(definition, view, ties, person, people, as_of, zone)
                amount = amount_of(definition, rows, as_of)
            is_agreed = all((person, c) in agreements for c in definition.classes)
            amounts[person][definition.name] = with_bounds(definition, amount, is_agreed)
    return {person: {name: value for name, (value, _) in own.items()} for person, own in amounts.items()}


def with_bounds(definition: FeatureDefinition, amount: Amount, is_agreed: bool) -> Amount:
    """Apply zero, consent, currencies and bounds."""
    value, currencies = amount
    if definition.zero and value is None:
        value = 0
    if not is_agreed or not is_one(currencies):
        value = None
    return None if value is None else max(definition.low, min(value, definition.high)), currencies


def is_one(currencies: frozenset[str]) -> bool:
    """Whether amounts are in one currency, and each could be converted to it."""
    return len(currencies) <= 1 and UNCONVERTIBLE not in currencies


def _own_rows(
    definition: FeatureDefinition,
    view: Sequence[PlainRow],
    ties: Sequence[PlainRow],
    person: str,
    people: set[str],
    as_of: datetime,
    zone: tzinfo,
) -> list[PlainRow]:
    """The person's events or ties that the definition selects, with the names that conditions can read."""
    if definition.source == "ties":
        rows = [{**t, "other": other} for other, t in supporters(ties, person)]
    else:
        rows = []
        for r in view:
            if r["kind"] in definition.kinds and _in_window(definition, r["happened_at"], as_of, zone):
                if definition.side in ("subject", "either") and r["for_subject"] and r["subject"] == person:
                    rows.append(with_times(r, r["other"], as_of, zone) | _net(definition, r, view))
                if definition.side in ("other", "either") and r["for_other"] and r["other"] == person:
                    rows.append(with_times(r, r["subject"], as_of, zone) | _net(definition, r, view))
    return [{**r, "as_of": _local_day(as_of, zone), "other_is_person": r["other"] in people} for r in rows]


def _net(definition: FeatureDefinition, row: PlainRow, view: Sequence[PlainRow]) -> dict[str, int | None]:
    """What the events that take this one back leave of its value."""
    value = definition.value
    if value is None or not value.less:
        return {}
    same = ("contributor", "subject", "other", *([value.currency] if value.currency else []))
    reversal = sum(
        max(r[value.name] or 0, 0)
        for r in view
        if r["kind"] in value.less
        and r["ref_event"] == row["event_id"]
        and r["happened_at"] >= row["happened_at"]
        and all(r[name] == row[name] for name in same)
    )
    own = row[value.name]
    return {value.column: own if own is None or own <= 0 else max(own - reversal, 0)}


def supporters(ties: Sequence[PlainRow], person: str) -> list[tuple[str, PlainRow]]:
    """The people who support a person, each with the tie: a vouch supports only the person whom it is for."""
    return [(t["a"], t) for t in ties if t["b"] == person] + [
        (t["b"], t) for t in ties if t["a"] == person and t["tie"] != "vouch"
    ]


def _near(ties: Sequence[PlainRow], person: str, steps: int) -> set[str]:
    """The people at most so many steps away."""
    near = {other for other, _ in supporters(ties, person)}
    if steps == 2:
        near |= {second for first in near for second, _ in supporters(ties, first)}
    return near - {person}


def _neighbours(
    definition: FeatureDefinition,
    amounts: Mapping[str, Mapping[str, Amount]],
    near: set[str],
    definitions: Sequence[FeatureDefinition],
) -> int | None:
    rows = [{name: amounts[p][name][0] for name in definition.uses} for p in near if p in amounts]
    met = [r for r in rows if _is_met(definition.where, r)]
    if definition.measure == "count":
        return len(met) or None
    if definition.measure == "share":
        known_rows = [r for r in rows if definition.where is None or definition.where.row(r) is not None]
        return _rounded(definition, len(met), len(known_rows), 10**definition.digits)
    values = [v for r in met if (v := r[str(definition.neighbour)]) is not None]
    own = 10 ** next(d.digits for d in definitions if d.name == definition.neighbour)
    return _rounded(definition, sum(values) * 10**definition.digits, len(values) * own)


def _in_window(definition: FeatureDefinition, at: datetime, as_of: datetime, zone: tzinfo) -> bool:
    window = definition.window
    if window.microseconds is not None:
        return as_of - at < window.microseconds * MICROSECOND
    if window.months is not None:
        return at > months_before(as_of, window.months, zone)
    if window.full_months is not None:
        return 1 <= _month(as_of, zone) - _month(at, zone) <= window.full_months
    return True


def with_times(row: PlainRow, other: object, as_of: datetime, zone: tzinfo) -> dict[str, Any]:
    """The row with the other party, the times that conditions read, and its dates as days since 1970-01-01."""
    local = row["happened_at"].astimezone(zone).replace(tzinfo=None)
    times = {
        "age": (as_of - row["happened_at"]) // MICROSECOND,
        "happened_on": _local_day(row["happened_at"], zone),
        "time_of_day": (local - datetime.combine(local.date(), datetime.min.time())) // MICROSECOND,
        "month": _month(row["happened_at"], zone),
    }
    dates = {
        k: (v - date(1970, 1, 1)).days for k, v in row.items() if isinstance(v, date) and not isinstance(v, datetime)
    }
    return {**row, **dates, **times, "other": other}


def _month(at: datetime, zone: tzinfo) -> int:
    local = at.astimezone(zone)
    return local.year * 12 + local.month


def _local_day(at: datetime, zone: tzinfo) -> int:
    return (at.astimezone(zone).date() - date(1970, 1, 1)).days


def _is_met(condition: Condition | None, row: PlainRow) -> bool:
    return condition is None or condition.row(row) is True


def amount_of(definition: FeatureDefinition, rows: Sequence[PlainRow], as_of: datetime) -> Amount:
    """The value before consent, zeros and bounds, and the currencies."""
    read = read_rows(definition, rows)
    match definition.measure:
        case "share":
            whole = [r for r in rows if _is_met(definition.among, r)]
            whole = [r for r in whole if definition.where is None or definition.where.row(r) is not None]
            part = [r for r in whole if _is_met(definition.where, r)]
            return _rounded(definition, len(part), len(whole), 10**definition.digits), frozenset()
        case "time_share":
            among = [r for r in rows if _is_met(definition.among, r)]
            return _time_share(definition, among, as_of), frozenset()
        case "latest" | "first" if read:
            pick: Callable[[Iterable[datetime]], datetime] = max if definition.measure == "latest" else min
            moment = pick(r["happened_at"] for r in read)
            read = [r for r in read if r["happened_at"] == moment]
    currencies = currencies_of(definition, read)
    amounts = converted_rows(definition, read) if read and is_one(currencies) else []
    return _event_measure(definition, amounts, as_of) if amounts else None, currencies


def converted_rows(definition: FeatureDefinition, rows: Sequence[PlainRow]) -> Sequence[PlainRow]:
    """The rows with their amounts in the currency of the feature."""
    if definition.value is None or not definition.value.rates:
        return rows
    return [{**r, definition.value.column: convert(definition.value, r)} for r in rows]


def read_rows(definition: FeatureDefinition, rows: Sequence[PlainRow]) -> list[PlainRow]:
    """The rows that meet the condition and have the value."""
    read = [r for r in rows if _is_met(definition.where, r)]
    return read if definition.value is None else [r for r in read if r[definition.value.column] is not None]


def currencies_of(definition: FeatureDefinition, rows: Sequence[PlainRow]) -> frozenset[str]:
    """The currencies of the rows that a measure of money reads."""
    if not definition.has_currencies or definition.value is None or definition.value.currency is None:
        return frozenset()
    if definition.value.rates:
        own = definition.value.rates[0].currency
        return frozenset(UNCONVERTIBLE if convert(definition.value, r) is None else own for r in rows)
    return frozenset(c for r in rows if (c := r[definition.value.currency]) is not None)


def _event_measure(definition: FeatureDefinition, rows: Sequence[PlainRow], as_of: datetime) -> int | None:
    """The value of at least one row."""
    values = [r[definition.value.column] for r in rows] if definition.value else []
    moments = sorted(r["happened_at"] for r in rows if "happened_at" in r)
    result = 10**definition.digits
    own = definition.value.scale if definition.value else 1
    months = definition.window.full_months or 1
    match definition.measure:
        case "count":
            return len(rows)
        case "sum":
            return _sum(values)
        case "mean":
            return _rounded(definition, _sum(values) * result, len(values) * own)
        case "monthly_mean":
            return _rounded(definition, _sum(values) * result, months * own)
        case "min":
            return int(min(values))
        case "max" | "latest" | "first":
            return int(max(values))
        case "range":
            return int(max(values) - min(values))
        case "spread":
            return _spread(values, result, own)
        case "distinct":
            is_id = definition.value is not None and definition.value.name in CONTRIBUTOR_IDS
            return len({(r["contributor"] if is_id else "", v) for r, v in zip(rows, values, strict=True)})
        case "days_since":
            return int((as_of - moments[-1]) // DAY)
        case "days_since_first":
            return int((as_of - moments[0]) // DAY)
        case "months_with":
            return len({r["month"] for r in rows})
        case "monthly_share":
            return _rounded(definition, len({r["month"] for r in rows}) * result, months)
        case "longest_gap":
            return max(((b - a) // DAY for a, b in pairwise(moments)), default=None)
        case "busiest":
            return _busiest(definition, rows)
        case "monthly_steadiness":
            return _steadiness(definition, rows, months)
    raise ValueError(definition.measure)


def _sum(values: Iterable[int], limit: int = MAX_MONEY) -> int:
    numbers = list(values)
    return min(sum(v for v in numbers if v > 0), limit) - min(sum(-v for v in numbers if v < 0), limit)


def _rounded(definition: FeatureDefinition, part: int, whole: int, scale: int = 1) -> int | None:
    """part / whole times `scale`: halves up, or down."""
    if whole <= 0:
        return None
    exact = Fraction(part * scale, whole)
    return exact.__floor__() if definition.rounds_down else (exact + Fraction(1, 2)).__floor__()


def _spread(values: Sequence[int], result: int, own: int) -> int:
    """The population standard deviation, halves up, by the whole root of whole numbers.

    s = root(n x sum of squares - square of the sum) / n. s x result / own, rounded, is the highest r with
    (2r - 1) x n x own <= 2 x result x root(..).
    """
    above = [min(v - min(values), MAX_DEVIATION) for v in values]
    n = len(above)
    square = n * sum(v * v for v in above) - sum(above) ** 2
    return (isqrt(4 * result * result * square) + n * own) // (2 * n * own)


def _time_share(definition: FeatureDefinition, rows: Sequence[PlainRow], as_of: datetime) -> int | None:
    states = dict[datetime, bool]()
    for r in rows:
        states[r["happened_at"]] = states.get(r["happened_at"], False) or _is_met(definition.where, r)
    moments = sorted(states)
    lengths = [(b - a) // MICROSECOND for a, b in pairwise([*moments, as_of])]
    met = sum(length for at, length in zip(moments, lengths, strict=True) if states[at])
    return _rounded(definition, met, sum(lengths), 10**definition.digits)


def _busiest(definition: FeatureDefinition, rows: Sequence[PlainRow]) -> int | None:
    """A period that begins later than at an event holds no more than one that begins at the next."""
    name, length = definition.value.name if definition.value else "other", definition.within * MICROSECOND
    things = [(r["happened_at"], (r["contributor"] if name in CONTRIBUTOR_IDS else "", r[name])) for r in rows]
    things = [(at, thing) for at, thing in things if thing[1] is not None]
    return max((len({t for at, t in things if start <= at < start + length}) for start, _ in things), default=None)


def _steadiness(definition: FeatureDefinition, rows: Sequence[PlainRow], months: int) -> int | None:
    assert definition.value is not None  # noqa: S101 - the checker has seen to it
    values = dict[int, list[int]]()
    for r in rows:
        values.setdefault(r["month"], []).append(r[definition.value.column])
    monthly = [max(0, _sum(v, MAX_MONEY // 12)) for v in values.values()]
    return _rounded(definition, sum(monthly), max(monthly) * months, 10**definition.digits)


def formula_amount(
    definition: FeatureDefinition,
    amounts: Mapping[str, Amount],
    as_of: datetime,
    zone: tzinfo,
    definitions: Sequence[FeatureDefinition],
) -> Amount:
    """The value of a formula over the amounts of the features that it uses."""
    row = {name: value for name, (value, _) in amounts.items()} | {"as_of": _local_day(as_of, zone)}
    money = {d.name for d in definitions if d.is_money} & definition.uses
    currencies = frozenset(c for name in money for c in amounts[name][1])
    assert definition.formula is not None  # noqa: S101 - the checker has seen to it
    value = definition.formula.row(row)
    if definition.divisor is not None:
        divisor = definition.divisor.row(row)
        value = None if value is None or divisor is None else _rounded(definition, value, divisor)
    if not is_one(currencies):
        value = None
    return value, currencies if definition.has_currencies else frozenset()


def convert(field: MeasuredField, row: Mapping[str, object]) -> int | None:
    """The amount of one row in the currency of the feature, or None: the reference of the columns."""
    amount = row[field.column]
    if not field.rates or not isinstance(amount, int):
        return amount if isinstance(amount, int) else None
    rate = next((r for r in field.rates if r.currency == row[str(field.currency)]), None)
    if rate is None:
        return None
    nearest = min((2 * abs(amount) * rate.dividend + rate.divisor) // (2 * rate.divisor), MAX_MONEY)
    nearest = abs(amount) if rate.dividend == rate.divisor else nearest
    return nearest if amount >= 0 else -nearest
