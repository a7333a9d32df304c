"""Versions of an event: what it said when it was first sent, and after each of its corrections that stands."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from graph.events import corrections, parsed
from graph.vocabulary import KIND

Row = Mapping[str, Any]  # an event by the columns of `graph.events.SCHEMA`
_OPTIONAL_MONEY: Final = tuple(k.name for k in KIND.values() if "amount" in k.may)


@dataclass(frozen=True)
class Version:
    """What an event said from `recorded_at` on."""

    recorded_at: datetime | None
    row: dict[str, Any]


def versions(event: Row, said: Iterable[Row]) -> list[Version]:
    """Of an event, its versions, oldest first. `said` is in append order: what refers to the event, and to that.

    The correction recorded last wins field by field; a field that is not of the event's kind is passed over.
    """
    told = [Version(event["recorded_at"], dict(event))]
    for fix in standing(event, said):
        told.append(Version(fix["recorded_at"], changed(told[-1].row, fix["fields"])))
    return told


def retracted(event: Row, said: Iterable[Row]) -> datetime | None:
    """When its contributor took the event back; None: it stands."""
    taken = (r for r in said if r["kind"] == "event.retracted" and _is_about(r, event))
    return min((r["recorded_at"] for r in taken), default=None)


def standing(event: Row, said: Iterable[Row]) -> list[Row]:
    """The corrections of an event that are not retracted, in the order in which they were recorded."""
    known = list(said)
    gone = {(r["contributor"], r["ref_event"]) for r in known if r["kind"] == "event.retracted"}
    fixes = [r for r in known if r["kind"] == "event.corrected" and _is_about(r, event)]
    return sorted((f for f in fixes if (f["contributor"], f["event_id"]) not in gone), key=lambda f: f["recorded_at"])


def changed(row: Row, fields: str) -> dict[str, Any]:
    """The event after a correction that sets `fields`."""
    return {**row, **_settings(row["kind"], fields)}


def _settings(kind: str, fields: str) -> dict[str, Any]:
    settable = {"happened_at", *KIND[kind].needs, *KIND[kind].may}
    return {f: v for f, v in parsed(corrections(fields)).items() if f in settable}


class History:
    """An event as it stands while corrections and retractions are added, in the order in which they are recorded.

    Cost: of each, the fields that it sets, however many came before.
    """

    def __init__(self, event: Row) -> None:
        self.row, self.retracted = dict(event), False
        self._event = event
        self._values: dict[str, list[tuple[str, Any]]] = {}  # of each field, which correction set what
        self._fields: dict[str, list[str]] = {}  # of each correction, what it sets
        self._gone: set[str] = set()  # retracted corrections

    def after(self, word: Row) -> dict[str, Any]:
        """What the event would say after `word`, which is not added."""
        ref = word["ref_event"]
        if word["kind"] == "event.corrected":
            new = _settings(self.row["kind"], word["fields"]) if word["event_id"] not in self._gone else {}
        else:
            new = {field: self._without(field, ref) for field in self._fields.get(ref, ())}
        return {**self.row, **new}

    def add(self, word: Row) -> None:
        """Take a correction of the event, a retraction of it, or a retraction of a correction of it."""
        self.row, ref = self.after(word), word["ref_event"]
        if word["kind"] == "event.corrected":
            new = _settings(self.row["kind"], word["fields"])
            self._fields[word["event_id"]] = list(new)
            for field, value in new.items():
                self._values.setdefault(field, []).append((word["event_id"], value))
        elif ref == self._event["event_id"]:
            self.retracted = True
        else:
            self._gone.add(ref)

    def _without(self, field: str, correction: str) -> Any:
        """The value without a correction. What is under it and retracted is forgotten on the way."""
        values = self._values[field]
        for place in range(len(values) - 1, -1, -1):
            setter, value = values[place]
            if setter in self._gone:
                del values[place]
            elif setter != correction:
                return value
        return self._event[field]


def impossible(row: Row) -> Iterator[str]:
    """What makes a corrected event impossible: each field may hold its value, but not beside the others."""
    if row["other"] is not None and row["other"] == row["subject"]:
        yield "`other` is the subject too: a tie or payment needs two parties"
    if (row["amount"] or 0) < 0 and row["kind"] != "account.balance":
        yield "`amount` is negative: only a balance may be"
    if (row["strength"] or 0) < 0 and row["tie"] != "vouch":
        yield "`strength` is negative: only a vouch may be"
    if row["kind"] == "tie.formed" and row["tie"] == "vouch" and row["strength"] is None:
        yield "`strength` is missing: a vouch needs it"
    if row["kind"] in _OPTIONAL_MONEY and (row["amount"] is None) != (row["currency"] is None):
        yield "`amount` and `currency` go together: set both"


def _is_about(word: Row, event: Row) -> bool:
    return bool((word["contributor"], word["ref_event"]) == (event["contributor"], event["event_id"]))
