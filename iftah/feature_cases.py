"""Compute the features of the person of a case from the events beside the rules."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from engine.decide.patterns import PatternEvent
from engine.lang.model.program import Program
from engine.lang.model.timezones import zone
from engine.lang.model.types import Value
from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import CLASSES
from graph.features.declared.reference import reference_features
from graph.network.build import tie_rows
from iftah.declarations import feature_definitions

PERSON: Final = "person"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIE_KINDS: Final = ("tie.formed", "tie.ended")


def case_features(program: Program, events: Sequence[PatternEvent], micros: int) -> Mapping[str, Value | None]:
    """The features of a person with these events at a moment, in microseconds since 1970-01-01 UTC.

    The person consents to everything, and all events may be seen.
    """
    as_of = EPOCH + timedelta(microseconds=micros)
    rows = [row for n, e in enumerate(events) if e.at <= micros for row in _rows(n, e)]
    ties = [r for r in rows if r["kind"] in TIE_KINDS]
    live = tie_rows(_frame(ties)).to_dicts() if ties else []
    consents = [{"person": PERSON, "data_class": c} for c in CLASSES]
    definitions, tz = feature_definitions(program), zone(program.timezone)
    return reference_features(rows, consents, live, definitions, as_of, tz, [PERSON])[PERSON]


def _rows(number: int, event: PatternEvent) -> list[dict[str, Any]]:
    """The row of an event, and the enrolment of its other party if that is a person."""
    values = dict(event.fields)
    is_person = values.pop("other_is_person", None)
    other = values.pop("other", None)
    parties = (PERSON, other) if event.role == "subject" else (other or "other", PERSON)
    at = EPOCH + timedelta(microseconds=event.at)
    row = {
        **dict.fromkeys(SCHEMA),
        **{name: _plain(name, value) for name, value in values.items() if value is not None},
        "contributor": "bank",
        "event_id": f"e{number}",
        "kind": event.kind,
        "subject": parties[0],
        "other": parties[1],
        "happened_at": at,
        "recorded_at": at,
        "for_subject": True,
        "for_other": parties[1] is not None,
    }
    party = parties[1] if event.role == "subject" else parties[0]
    enrolled = row | {"kind": "person.enrolled", "subject": party, "other": None, "identity_level": 1}
    return [row, enrolled] if is_person else [row]


def _plain(name: str, value: Value) -> Any:
    if SCHEMA.get(name) == pl.Date:
        return date(1970, 1, 1) + timedelta(days=int(value))
    return value


def _frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    columns = {**SCHEMA, "for_subject": pl.Boolean, "for_other": pl.Boolean}
    return pl.DataFrame([{c: r[c] for c in columns} for r in rows], schema=columns, orient="row")
