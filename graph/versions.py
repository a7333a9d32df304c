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
    kind = KIND[row["kind"]]
    settable = {"happened_at", *kind.needs, *kind.may}
    return {**row, **{f: v for f, v in parsed(corrections(fields)).items() if f in settable}}


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
