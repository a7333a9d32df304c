"""Generate random definitions of features over the shipped kinds of events, and ledgers that meet the edges of their windows."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from random import Random
from typing import Any

import narwhals as nw
import polars as pl

from graph.evidence.vocabulary import STANDARD
from graph.features.declared.definition import Condition, FeatureDefinition, Formula, MeasuredField, Rate, Window
from tests.graph.random_ledgers import PEOPLE, initial_events, random_events
from tests.strategies import frame

DAY = 86_400 * 10**6
LEAP_DAY = datetime(2024, 2, 29, 12, tzinfo=UTC)
MONTH_END = datetime(2023, 3, 31, tzinfo=UTC)
NEW_YEAR = datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
MOMENTS = (LEAP_DAY, MONTH_END, NEW_YEAR)
REVERSALS = ("payment.refunded", "payment.charged_back")
# Amounts in whichever currency they are in; in euros alone; with rates whose results end in halves; and with a large rate.
# One target has one table of rates, as in a release.
RATES = ((), (Rate("EUR", 1, 1),), (Rate("CNY", 1, 1), Rate("EUR", 15, 2)), (Rate("JPY", 1, 1), Rate("EUR", 99_991, 7)))
CURRENCIES = ("CNY", "CNY", "CNY", "CNY", "EUR", "EUR", "JPY")
SIDED_KINDS = ("payment.made", "tie.formed", "tie.ended")
OF_EVENTS = ("count", "months_with", "days_since", "days_since_first", "longest_gap", "share", "time_share")
OF_VALUES = ("sum", "mean", "min", "max", "range", "spread", "latest", "first", "distinct")
MONTHLY = ("monthly_mean", "monthly_share", "monthly_steadiness")
WINDOWS = (
    *(Window(), Window(microseconds=DAY), Window(microseconds=40 * DAY), Window(microseconds=1)),
    *(Window(months=1), Window(months=12), Window(months=24), Window(full_months=1), Window(full_months=12)),
)


def condition(
    text: str, reads: set[str], columns: Callable[[], nw.Expr], row: Callable[[Mapping[str, Any]], bool | None]
) -> Condition:
    """A condition as a pair. An unknown comparison is null in columns, and None of a row."""

    def of_row(values: Mapping[str, Any]) -> bool | None:
        return None if any(values[name] is None for name in reads) else row(values)

    return Condition(text, frozenset(reads), lambda _day, _names: columns(), of_row)


STATEMENTS: tuple[dict[str, object], ...] = (
    {"kind": "event.retracted"},
    {"kind": "dispute.opened"},
    {"kind": "event.corrected", "fields": '{"amount": 2}'},
)
CONDITIONS = (
    condition("amount > 5", {"amount"}, lambda: nw.col("amount") > 5, lambda r: r["amount"] > 5),
    condition("amount < 0", {"amount"}, lambda: nw.col("amount") < 0, lambda r: r["amount"] < 0),
    condition("days_late > 0", {"days_late"}, lambda: nw.col("days_late") > 0, lambda r: r["days_late"] > 0),
    condition(
        "category in ['wage', 'transfer']",
        {"category"},
        lambda: nw.when(~nw.col("category").is_null()).then(nw.col("category").is_in(["wage", "transfer"])),
        lambda r: r["category"] in ("wage", "transfer"),
    ),
    condition("age <= 1d", {"age"}, lambda: nw.col("age") <= DAY, lambda r: r["age"] <= DAY),
    condition(
        "time_of_day < 12h",
        {"time_of_day"},
        lambda: nw.col("time_of_day") < DAY // 2,
        lambda r: r["time_of_day"] < DAY // 2,
    ),
    condition(
        "happened_on >= 2024-02-28",
        {"happened_on"},
        lambda: nw.col("happened_on") >= 19_781,
        lambda r: r["happened_on"] >= 19_781,
    ),
    condition(
        "other_is_person", {"other_is_person"}, lambda: nw.col("other_is_person"), lambda r: r["other_is_person"]
    ),
    condition(
        "kind != 'payment.made'",
        {"kind"},
        lambda: nw.col("kind") != "payment.made",
        lambda r: r["kind"] != "payment.made",
    ),
    condition("currency == 'CNY'", {"currency"}, lambda: nw.col("currency") == "CNY", lambda r: r["currency"] == "CNY"),
)
TIE_CONDITIONS = (
    condition("tie == 'friend'", {"tie"}, lambda: nw.col("tie") == "friend", lambda r: r["tie"] == "friend"),
    condition("strength > 4", {"strength"}, lambda: nw.col("strength") > 4, lambda r: r["strength"] > 4),
    CONDITIONS[7],
)
KIND_BY_NAME = {kind.name: kind for kind in STANDARD.kinds}
EVENT_KINDS = tuple(k for k in KIND_BY_NAME.values() if k.data_class)


def random_definitions(chooser: Random, count: int = 8) -> tuple[FeatureDefinition, ...]:
    """So many definitions over events and ties, several of each selection, then formulas over them."""
    selections = [_selection(chooser) for _ in range(max(1, count // 3))]
    events = [_event_definition(chooser, n, chooser.choice(selections)) for n in range(count)]
    ties = [_tie_definition(chooser, n) for n in range(chooser.randint(0, 2))]
    own = (*events, *ties)
    near = [_neighbour_definition(chooser, n, own) for n in range(chooser.choice([0, 0, 1, 2]))]
    return (*own, *near, *_formulas(chooser, (*own, *near)))


def _selection(chooser: Random) -> dict[str, Any]:
    kinds = chooser.sample([k.name for k in EVENT_KINDS], chooser.choice([1, 1, 1, 2, 3]))
    if chooser.random() < 0.5:
        kinds = ["payment.made"]
    sides = ["subject", "subject", "other", "either"] if set(kinds) & set(SIDED_KINDS) else ["subject"]
    classes = tuple(sorted({str(KIND_BY_NAME[k].data_class) for k in kinds}))
    return {
        "kinds": tuple(kinds),
        "side": chooser.choice(sides),
        "window": chooser.choice(WINDOWS),
        "classes": classes,
    }


def _event_definition(chooser: Random, number: int, selection: dict[str, Any]) -> FeatureDefinition:
    full = selection["window"].full_months
    measures = [*OF_EVENTS, *OF_VALUES, "busiest", *(MONTHLY if full else ())]
    measure = chooser.choice(measures)
    fields = set(
        chain.from_iterable((*KIND_BY_NAME[k].required, *KIND_BY_NAME[k].optional) for k in selection["kinds"])
    )
    value, extra = None, dict[str, Any]()
    if measure in OF_VALUES or measure in ("monthly_mean", "monthly_steadiness"):
        value = _value_field(chooser, measure, fields)
        if value is None:
            measure = "count"
        elif measure != "distinct":
            value = _net(chooser, value, selection["kinds"])
    if measure == "busiest":
        extra = {"within": chooser.choice([1, DAY, 7 * DAY])}
    if measure in ("share", "monthly_share", "time_share", "monthly_steadiness", "mean", "spread", "monthly_mean"):
        extra |= {"digits": chooser.choice([0, 1, 2]), "rounds_down": measure != "spread" and chooser.random() < 0.2}
    is_money = bool(value and value.currency) and measure not in ("distinct", "monthly_steadiness")
    where = chooser.choice([None, *CONDITIONS])
    among = chooser.choice([None, *CONDITIONS]) if measure in ("share", "time_share") else None
    low = -(10**9) if value else 0
    bounds = {"zero": chooser.random() < 0.4, "low": low, "high": chooser.choice([10**9, 30])}
    return FeatureDefinition(
        f"a.f{number}",
        measure,
        where=where,
        among=among,
        value=value,
        is_money=is_money,
        **selection,
        **extra,
        **bounds,
    )


def _value_field(chooser: Random, measure: str, fields: set[str]) -> MeasuredField | None:
    numbers = [
        MeasuredField("amount", 1, "currency", rates=chooser.choice(RATES) if measure != "distinct" else ())
        if f == "amount"
        else MeasuredField(f)
        for f in ("amount", "days_late", "identity_level", "strength")
        if f in fields
    ]
    if "due" in fields and measure in ("min", "max", "latest", "first", "distinct"):
        numbers.append(MeasuredField("due", is_date=True))
    words = (
        [MeasuredField(f) for f in ("category", "obligation", "order", "other") if f in fields]
        if measure == "distinct"
        else []
    )
    choices = [*numbers, *words]
    return chooser.choice(choices) if choices else None


def _net(chooser: Random, value: MeasuredField, kinds: tuple[str, ...]) -> MeasuredField:
    """Sometimes the amount that refunds leave of a payment."""
    if value.name != "amount" or "payment.made" not in kinds or chooser.random() < 0.2:
        return value
    return replace(value, less=chooser.choice([REVERSALS, REVERSALS, REVERSALS[:1]]))


def _tie_definition(chooser: Random, number: int) -> FeatureDefinition:
    measure = chooser.choice(["count", "distinct", "sum", "mean", "max", "spread"])
    value = {"count": None, "distinct": MeasuredField("other")}.get(measure, MeasuredField("strength"))
    where = chooser.choice([None, *TIE_CONDITIONS])
    zero = chooser.random() < 0.5
    return FeatureDefinition(
        f"t.f{number}", measure, "ties", where=where, value=value, zero=zero, classes=("relationship",)
    )


def _neighbour_definition(chooser: Random, number: int, own: tuple[FeatureDefinition, ...]) -> FeatureDefinition:
    """Of the people tied to a person, at one step or two, by a feature of theirs."""
    neighbour, measure = chooser.choice(own), chooser.choice(["count", "share", "mean"])
    name = neighbour.name

    def of_columns(_day: int, names: Mapping[str, str]) -> nw.Expr:
        return nw.col(names[name]) > 1

    def of_row(row: Mapping[str, Any]) -> bool | None:
        return None if row[name] is None else row[name] > 1

    where = Condition(f"{name} > 1", frozenset([name]), of_columns, of_row)
    return FeatureDefinition(
        f"n.f{number}",
        measure,
        "neighbours",
        where=where if measure == "share" or chooser.random() < 0.5 else None,
        neighbour=name if measure == "mean" else None,
        steps=chooser.choice([1, 2]),
        digits=chooser.choice([0, 2]) if measure != "count" else 0,
        zero=chooser.random() < 0.3,
        low=-(10**9),
        classes=tuple(sorted({"relationship", *neighbour.classes})),
    )


def _formulas(chooser: Random, own: tuple[FeatureDefinition, ...]) -> list[FeatureDefinition]:
    result: list[FeatureDefinition] = []
    for number in range(chooser.randint(0, 3)):
        pool = (*own, *result)
        first, second, third = (chooser.choice(pool) for _ in range(3))
        formula, divisor = sum_of(first, second, chooser.choice([1, -2, 100])), None
        if chooser.random() < 0.6:
            divisor = sum_of(third, third, chooser.choice([0, 1]))
        used = [first, second, *([third] if divisor else [])]
        is_money = divisor is None and any(d.is_money for d in used)
        classes = tuple(sorted({c for d in used for c in d.classes}))
        result.append(
            FeatureDefinition(
                f"z.f{number}",
                "formula",
                "features",
                formula=formula,
                divisor=divisor,
                is_money=is_money,
                classes=classes,
                rounds_down=chooser.random() < 0.2,
                zero=chooser.random() < 0.2,
                low=-(10**9),
            )
        )
    return result


def sum_of(one: FeatureDefinition, other: FeatureDefinition, factor: int) -> Formula:
    """one + factor x other."""

    def of_row(row: Mapping[str, Any]) -> int | None:
        values = (row[one.name], row[other.name])
        return None if None in values else values[0] + factor * values[1]

    def of_columns(_day: int, names: Mapping[str, str]) -> nw.Expr:
        return nw.col(names[one.name]) + nw.col(names[other.name]) * factor

    text = f"{one.name} + {factor} * {other.name}"
    return Formula(text, frozenset((one.name, other.name)), of_columns, of_row)


def without_refunds(events: pl.DataFrame) -> pl.DataFrame:
    """The ledger as it was before there were refunds."""
    return events.filter(~pl.col("kind").is_in(REVERSALS))


def random_history(chooser: Random, as_of: datetime) -> pl.DataFrame:
    """A ledger with events that dispute, correct and retract others, and payments at the edges of every window."""
    payments = [_payment_at_edge(chooser, n, as_of) for n in range(chooser.randint(2, 25))]
    refunds = [_refund(chooser, n, chooser.choice(payments), as_of) for n in range(chooser.choice([0, 30, 60]))]
    rows = [*payments, *refunds, *_statements(chooser, refunds, as_of)]
    return pl.concat([initial_events(), random_events(chooser, now=as_of), frame(rows)])


def _refund(chooser: Random, number: int, payment: dict[str, Any], as_of: datetime) -> dict[str, object]:
    """A refund of the payment, or of a part of it; some of them fit it in a part only, or come before it."""
    change: dict[str, object] = chooser.choice(
        [{}] * 16 + [{"contributor": "club"}, {"other": "eve"}, {"currency": "EUR"}, {"ref_event": "p99"}]
    )
    gap = timedelta(days=chooser.choice([0, 0, 0, 1, 40, -1]), microseconds=chooser.choice([0, 0, 1, -1]))
    at = min(payment["happened_at"] + gap, as_of)
    refund = {
        **payment,
        "event_id": f"r{number}",
        "kind": chooser.choice(REVERSALS),
        "ref_event": payment["event_id"],
        "amount": chooser.choice([payment["amount"], 0, 1, 3, 60]),
        "happened_at": at,
        "recorded_at": max(at, payment["recorded_at"] - timedelta(days=chooser.choice([0, 0, 400]))),
        **change,
    }
    return refund if refund["subject"] != refund["other"] else {**refund, "other": "mall"}


def _statements(chooser: Random, refunds: list[dict[str, Any]], as_of: datetime) -> list[dict[str, object]]:
    """Retractions and corrections of some refunds, and disputes of them."""
    rows: list[dict[str, object]] = []
    for number, refund in enumerate(refunds):
        content = chooser.choice([None] * 9 + [*STATEMENTS])
        if content is not None:
            own = {c: refund[c] for c in ("contributor", "subject", "happened_at", "recorded_at")}
            rows.append({**own, "event_id": f"s{number}", "ref_event": refund["event_id"], **content})
    return rows


def _payment_at_edge(chooser: Random, number: int, as_of: datetime) -> dict[str, object]:
    """At a moment on either side of the start of a window or a month, or exactly at another event's; some recorded late."""
    day, month, year = timedelta(days=1), as_of.replace(day=1, hour=0, minute=0), as_of.replace(month=1, day=1)
    starts = [
        *(as_of, as_of, as_of - day, as_of - 40 * day, as_of - 365 * day, as_of - 366 * day, as_of - 7 * day),
        *(month, month - day, year, datetime(2023, 2, 28, 12, tzinfo=UTC), datetime(2023, 2, 28, tzinfo=UTC)),
        *(
            datetime(2022, 2, 28, 12, tzinfo=UTC),
            datetime(2024, 2, 29, tzinfo=UTC),
            datetime(2024, 1, 31, 12, tzinfo=UTC),
        ),
    ]
    slip = timedelta(microseconds=chooser.choice([0, 0, 1, -1]), hours=chooser.choice([0, 0, -16, -8, -5]))
    at = min(chooser.choice(starts) + slip, as_of + timedelta(microseconds=chooser.choice([0, 0, 0, 1])))
    payer, payee = chooser.sample((*PEOPLE, "shop"), 2)
    late = timedelta(days=chooser.choice([0] * 9 + [400]))
    return {
        "contributor": chooser.choice(["bank", "club"]),
        "event_id": f"p{number}",
        "kind": "payment.made",
        "subject": payer,
        "other": payee,
        "amount": chooser.choice([0, 1, 2, 5, 7, 100, 999_999]),
        "currency": chooser.choice(CURRENCIES if chooser.random() < 0.5 else ["CNY"] * 9 + ["EUR"]),
        "category": chooser.choice(["wage", "transfer", "groceries", None]),
        "happened_at": at,
        "recorded_at": at + late,
    }
