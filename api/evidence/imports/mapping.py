"""An import plan and a batch of a source's rows -> batches of events, one for each event of the map. Pure, column by column."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from api.evidence.imports.cells import Check, Conversion, SourceColumn
from api.evidence.imports.conditions import RowCondition
from api.evidence.imports.map_tree import LINE
from api.evidence.imports.sources import SourceBatch
from api.evidence.values import BadRow, EventBatch, row_content
from graph.evidence.declared_fields import COLUMN_TYPES, pack
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import STANDARD, EventVocabulary

_ROW = "#row"  # no field of an event has this name, nor has a key of a source's column


@dataclass(frozen=True)
class EventPlan:
    """One event of a map, compiled: its kind, its condition, and the value of each of its fields."""

    kind: str
    fields: tuple[tuple[str, Conversion], ...]
    condition: RowCondition | None = None
    first_only: bool = False


@dataclass(frozen=True)
class ImportPlan:
    """A map, compiled for a source with these columns. `empty`: texts that mean no value; `used`: keys of the columns it uses."""

    columns: tuple[SourceColumn, ...]
    empty: tuple[str, ...]
    events: tuple[EventPlan, ...]
    used: tuple[str, ...]
    vocabulary: EventVocabulary = STANDARD


def event_batches(plan: ImportPlan, batch: SourceBatch) -> Iterator[EventBatch]:
    """The events that the rows make, a batch for each event of the map that a row makes; at least one, for the wrong rows."""
    frame = _without_empty(plan, batch.frame).with_row_index(_ROW).with_columns(batch.lines.alias(LINE))
    texts = batch.frame.rename(_display_names(plan.columns), strict=False)
    batches = []
    for event in plan.events:
        events, bad_rows = _events(event, frame, batch.lines, texts, plan.vocabulary)
        if events.height or bad_rows:
            source_rows, content = events[_ROW], events.drop(_ROW)
            label = f"{event.kind}: "
            batches.append(
                EventBatch(
                    *(content, batch.lines, texts, bad_rows, batch.position, batch.total),
                    rows=source_rows,
                    label=label,
                    first_only=event.first_only,
                )
            )
    if not batches:
        batches.append(EventBatch(pl.DataFrame(), batch.lines, texts, [], batch.position, batch.total))
    batches[0] = replace(batches[0], bad_rows=[*batch.bad_rows, *batches[0].bad_rows])
    yield from batches[:-1]
    yield replace(batches[-1], broken=batch.broken)


def _display_names(columns: tuple[SourceColumn, ...]) -> dict[str, str]:
    """The name of each key, with a number where another column has it too."""
    names: dict[str, str] = {}
    for column in columns:
        name = column.name
        while name in names.values():
            name += " (again)"
        names[column.key] = name
    return names


def _without_empty(plan: ImportPlan, frame: pl.DataFrame) -> pl.DataFrame:
    """The texts that mean no value, and those of no characters, become null."""
    keys = [c.key for c in plan.columns if c.dtype == pl.String and c.key in frame.columns]
    absent = pl.Series(["", *plan.empty]).implode()

    def has_value(key: str) -> pl.Expr:
        return ~pl.col(key).is_in(absent) if plan.empty else pl.col(key) != ""

    return frame.with_columns(pl.when(has_value(key)).then(pl.col(key)).alias(key) for key in keys)


def _events(
    plan: EventPlan, frame: pl.DataFrame, lines: pl.Series, texts: pl.DataFrame, vocabulary: EventVocabulary
) -> tuple[pl.DataFrame, list[BadRow]]:
    """The events of the rows that make one, with the number of each row; and the rows in which a cell does not fit."""
    bad_rows: list[BadRow] = []
    if plan.condition is not None:
        holds, checks = plan.condition.holds, plan.condition.checks
        unknown = tuple((holds.is_null() & misfit, text) for misfit, text in checks)
        bad_rows += _bad_rows(plan, frame, unknown, "in `when`, ", lines, texts)
        frame = frame.filter(holds)
    values = frame.with_columns(conversion.value.alias(name) for name, conversion in plan.fields)
    checks = tuple(
        (misfit, pl.concat_str(pl.lit(f"`{name}`: "), text))
        for name, conversion in plan.fields
        for misfit, text in conversion.checks(pl.col(name))
    )
    wrong = _bad_rows(plan, values, checks, "", lines, texts)
    if wrong:
        values = values.filter(~_any(checks))
    columns = [pl.col(name).cast(_type_of(name, vocabulary)) for name, _ in plan.fields]
    events = values.select(_ROW, pl.lit(plan.kind).alias("kind"), *columns)
    return pack(events, vocabulary), [*bad_rows, *wrong]


def _type_of(name: str, vocabulary: EventVocabulary) -> Any:
    declared = vocabulary.extra_fields.get(name)
    return COLUMN_TYPES[declared.type] if declared else SCHEMA[name]


def _any(checks: tuple[Check, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.lit(False), *(misfit.fill_null(False) for misfit, _ in checks))


def _bad_rows(
    plan: EventPlan, frame: pl.DataFrame, checks: tuple[Check, ...], label: str, lines: pl.Series, texts: pl.DataFrame
) -> list[BadRow]:
    """The rows that fail a check, each with all its reasons; we write messages for these alone."""
    if not checks:
        return []
    bad = frame.filter(_any(checks))
    if bad.is_empty():
        return []
    messages = [pl.when(misfit).then(text) for misfit, text in checks]
    reasons = bad.select(_ROW, pl.concat_str(messages, separator="; ", ignore_nulls=True).alias("reason"))
    return [
        BadRow(lines[row], f"{plan.kind}: {label}{reason}", row_content(texts, row))
        for row, reason in reasons.iter_rows()
    ]
