"""Compute the features of the person of a case from the events beside the rules, without a column engine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from engine.decide.patterns import PatternEvent
from engine.lang.model.program import Program
from engine.lang.model.timezones import zone
from engine.lang.model.types import Value
from graph.evidence.vocabulary import CLASSES, TIE_WEIGHT
from graph.features.declared.reference import reference_features
from iftah.declarations import feature_definitions

PERSON: Final = "person"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TIE_KINDS: Final = ("tie.formed", "tie.ended")
Row = dict[str, Any]


def case_features(program: Program, events: Sequence[PatternEvent], micros: int) -> Mapping[str, Value | None]:
    """The features of a person with these events at a moment, in microseconds since 1970-01-01 UTC.

    The person consents to everything, all events may be seen, and all come from one contributor.
    """
    as_of = EPOCH + timedelta(microseconds=micros)
    definitions, tz = feature_definitions(program), zone(program.timezone)
    names = {name for d in definitions for name in d.reads}
    rows = [row for e in events if e.at <= micros for row in _rows(e, names)]
    consents = [{"person": PERSON, "data_class": c} for c in CLASSES]
    return reference_features(rows, consents, ties_of_case(rows), definitions, as_of, tz, [PERSON])[PERSON]


def _rows(event: PatternEvent, names: set[str]) -> list[Row]:
    """The row of an event, and the enrolment of its other party if that is a person."""
    values = {**dict.fromkeys(names), **event.fields}
    is_person, other = values.pop("other_is_person", None), values.pop("other", None)
    parties = (PERSON, other) if event.role == "subject" else (other or "other", PERSON)
    row = {
        "event_id": None,
        "ref_event": None,
        **values,
        "contributor": "bank",
        "kind": event.kind,
        "subject": parties[0],
        "other": parties[1],
        "happened_at": EPOCH + timedelta(microseconds=event.at),
        "for_subject": True,
        "for_other": parties[1] is not None,
    }
    party = parties[1] if event.role == "subject" else parties[0]
    enrolment = row | {"kind": "person.enrolled", "subject": party, "other": None}
    return [row, enrolment] if is_person else [row]


def ties_of_case(rows: Sequence[Row]) -> list[Row]:
    """The ties in force, as `graph.network.build.ties_in_force` finds them: a tie ends by an end at the same moment."""
    latest = dict[tuple[str, str, str], list[Row]]()
    for row in sorted((r for r in rows if r["kind"] in TIE_KINDS), key=lambda r: r["happened_at"]):
        first, second = row["subject"], row["other"]
        a, b = (first, second) if row["tie"] == "vouch" else sorted((first, second))
        statements = latest.setdefault((a, b, row["tie"]), [])
        if statements and statements[0]["happened_at"] < row["happened_at"]:
            statements.clear()
        statements.append(row)
    live = []
    for (a, b, tie), statements in latest.items():
        strengths = [TIE_WEIGHT.get(tie, 0) if (s := r.get("strength")) is None else s for r in statements]
        if all(r["kind"] == "tie.formed" for r in statements) and min(strengths) > 0:
            live.append({"a": a, "b": b, "tie": tie, "strength": min(strengths)})
    return live
