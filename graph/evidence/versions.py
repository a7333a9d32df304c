"""Compute the versions of an event: as first sent, and after each correction in force."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graph.evidence.declared_fields import convert_fields, flat
from graph.evidence.events import decode_fields
from graph.evidence.vocabulary import STANDARD, EventVocabulary

Row = Mapping[str, Any]  # an event, by the columns of `graph.evidence.events.SCHEMA`


@dataclass(frozen=True)
class Version:
    """The content of an event from `recorded_at` on. In `row`, declared fields stand beside the columns, as stored."""

    recorded_at: datetime | None
    row: dict[str, Any]


def versions(event: Row, statements: Iterable[Row], vocabulary: EventVocabulary = STANDARD) -> list[Version]:
    """Return the versions of an event, oldest first.

    `statements` is in append order and holds the events that refer to this one, and those that refer to them. The
    correction recorded last wins field by field. We skip fields that do not belong to the event's kind.
    """
    history = [Version(event["recorded_at"], flat(event))]
    for correction in corrections_in_force(event, statements):
        row = apply_correction(history[-1].row, correction["fields"], vocabulary)
        history.append(Version(correction["recorded_at"], row))
    return history


def retracted_at(event: Row, statements: Iterable[Row]) -> datetime | None:
    """Return when the contributor retracted the event; None if it is in force."""
    retractions = (r for r in statements if r["kind"] == "event.retracted" and _is_about(r, event))
    return min((r["recorded_at"] for r in retractions), default=None)


def corrections_in_force(event: Row, statements: Iterable[Row]) -> list[Row]:
    """Return the corrections of an event that are not retracted, in the order in which they were recorded."""
    rows = list(statements)
    retractions = {(r["contributor"], r["ref_event"]) for r in rows if r["kind"] == "event.retracted"}
    fixes = [r for r in rows if r["kind"] == "event.corrected" and _is_about(r, event)]
    return sorted(
        (f for f in fixes if (f["contributor"], f["event_id"]) not in retractions), key=lambda f: f["recorded_at"]
    )


def apply_correction(row: Row, fields: str, vocabulary: EventVocabulary = STANDARD) -> dict[str, Any]:
    """Return the event after a correction that sets `fields`."""
    return {**row, **_settable_values(row["kind"], fields, vocabulary)}


def _settable_values(kind: str, fields: str, vocabulary: EventVocabulary) -> dict[str, Any]:
    settable = {"happened_at", *vocabulary.kind(kind).fields}
    return {f: v for f, v in convert_fields(decode_fields(fields), vocabulary).items() if f in settable}


class EventHistory:
    """An event while you add corrections and retractions, in the order in which they are recorded.

    Cost of each addition: the fields that it sets, however many came before.
    """

    def __init__(self, event: Row, vocabulary: EventVocabulary = STANDARD) -> None:
        self.row, self.retracted = flat(event), False
        self._event, self._vocabulary = flat(event), vocabulary
        self._values: dict[str, list[tuple[str, Any]]] = {}  # field -> (correction, value) pairs
        self._fields: dict[str, list[str]] = {}  # correction -> fields that it sets
        self._retracted_ids: set[str] = set()  # retracted corrections

    def row_after(self, statement: Row) -> dict[str, Any]:
        """Return the event as it would be after `statement`, without adding the statement."""
        ref = statement["ref_event"]
        if statement["kind"] == "event.corrected":
            new = (
                _settable_values(self.row["kind"], statement["fields"], self._vocabulary)
                if statement["event_id"] not in self._retracted_ids
                else {}
            )
        else:
            new = {field: self._value_without(field, ref) for field in self._fields.get(ref, ())}
        return {**self.row, **new}

    def add(self, statement: Row) -> None:
        """Add a correction of the event, a retraction of it, or a retraction of one of its corrections."""
        self.row, ref = self.row_after(statement), statement["ref_event"]
        if statement["kind"] == "event.corrected":
            new = _settable_values(self.row["kind"], statement["fields"], self._vocabulary)
            self._fields[statement["event_id"]] = list(new)
            for field, value in new.items():
                self._values.setdefault(field, []).append((statement["event_id"], value))
        elif ref == self._event["event_id"]:
            self.retracted = True
        else:
            self._retracted_ids.add(ref)

    def _value_without(self, field: str, correction: str) -> Any:
        """Return the value without one correction, and drop the values of retracted corrections on top of it."""
        values = self._values[field]
        for place in range(len(values) - 1, -1, -1):
            setter, value = values[place]
            if setter in self._retracted_ids:
                del values[place]
            elif setter != correction:
                return value
        return self._event.get(field)


def contradictions(row: Row, vocabulary: EventVocabulary = STANDARD) -> Iterator[str]:
    """Yield the reasons why a corrected event is impossible: each field may hold its value, but not together with the
    others.
    """
    if row["other"] is not None and row["other"] == row["subject"]:
        yield "`other` is the subject too: a tie or payment needs two parties"
    kind = vocabulary.kind(row["kind"])
    if (row["amount"] or 0) < 0 and not kind.signed:
        yield "`amount` is negative: only a balance may be"
    if (row["strength"] or 0) < 0 and row["tie"] != "vouch":
        yield "`strength` is negative: only a vouch may be"
    if row["kind"] == "tie.formed" and row["tie"] == "vouch" and row["strength"] is None:
        yield "`strength` is missing: a vouch needs it"
    for amount, currency in vocabulary.money_of(kind):
        if (row.get(amount) is None) != (row.get(currency) is None):
            yield f"`{amount}` and `{currency}` go together: set both"


def _is_about(statement: Row, event: Row) -> bool:
    return bool((statement["contributor"], statement["ref_event"]) == (event["contributor"], event["event_id"]))
