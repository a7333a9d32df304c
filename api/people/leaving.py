"""Leaving, of the ledger: which events go with a person, and which stay as somebody else's without them.

What is told of the person goes, and so do ties at either end. A payment between the person and somebody who is enrolled is
the other's own evidence too: it stays where it was, with a name in the person's place that is made up for that other alone,
so that the other's sums stay as they are and no two people's payments can be laid together. What is said about such a payment
stays with it. A correction that moved somebody's tie or payment to the person, or away, stays likewise.
"""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, delete, insert, or_, select

from api.evidence import excerpt
from api.tables import ERASING, EVENTS, MOVES
from graph.events import corrections
from graph.touched import CHANGES, PAYMENT, TIES

Row = dict[str, Any]
Key = tuple[str, str]  # contributor and event id
_MANY: Final = 500  # as many as a statement names


@dataclass
class Gone:
    """What became of a person's events: `removed` are gone, `changed` stand without the person (both as they were), some of
    them under another key. Who was tied to the person, and who stays at the other end of a payment.
    """

    removed: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    renamed: dict[Key, Key] = field(default_factory=dict)
    tied: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)


def leave(connection: Connection, person: str) -> Gone:
    """Take the person out of the ledger, within a write transaction in which they are being erased."""
    own = _rows(connection, select(EVENTS).where(or_(EVENTS.c.subject == person, EVENTS.c.other == person)))
    there = and_(EVENTS.c.contributor == MOVES.c.contributor, EVENTS.c.event_id == MOVES.c.event_id)
    moved = _rows(connection, select(EVENTS).select_from(MOVES.join(EVENTS, there)).where(MOVES.c.other == person))
    items = {r["seq"]: r for r in [*own, *moved] if r["kind"] not in CHANGES}
    nothing = _moved_to_nothing(connection, person, {_key(row) for row in moved})
    said = _about(connection, [*items.values(), *nothing])
    said |= _about(connection, said.values())
    said |= {r["seq"]: r for r in own if r["kind"] in CHANGES}
    parties = {p for r in items.values() for p in (r["subject"], r["other"]) if p} - {person}
    enrolled = excerpt.enrolled(connection, parties | _others(said.values()) - {person})
    work = _Work(person, _moved(said.values()), enrolled)
    for row in sorted(items.values(), key=_seq):
        work.item(row)
    apart = {_target(row) for row in said.values()} - {_key(row) for row in [*items.values(), *said.values()]}
    for row in _keyed(connection, apart):  # others' events, of which something was said in the person's name
        work.kept[_key(row)] = _key(row), work.alias(row["subject"])
    for row in nothing:
        work.kept[_key(row)] = _key(row), work.alias("")
    for row in _in_turn(said.values()):
        work.said(row)
    _replace(connection, work)
    _follow(connection, [*items.values(), *said.values()], work)
    return work.gone


def _moved_to_nothing(connection: Connection, person: str, known: set[Key]) -> list[Row]:
    """The keys of events that corrections move to the person, and that are not in the ledger: such a correction stays, without them."""
    query = select(MOVES.c.contributor, MOVES.c.event_id).where(MOVES.c.other == person)
    return [row for row in _rows(connection, query) if _key(row) not in known]


def _seq(row: Row) -> int:
    return int(row["seq"])


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _about(connection: Connection, items: Iterable[Row]) -> dict[int, Row]:
    """The corrections, retractions and disputes that are about these events."""
    keys = {_key(row) for row in items}
    found: dict[int, Row] = {}
    for ids in _chunks({event_id for _, event_id in keys}):
        query = select(EVENTS).where(EVENTS.c.ref_event.is_not(None), EVENTS.c.ref_event.in_(ids))
        found |= {row["seq"]: row for row in _rows(connection, query) if _target(row) in keys}
    return found


def _keyed(connection: Connection, keys: set[Key]) -> Iterator[Row]:
    for ids in _chunks({event_id for _, event_id in keys}):
        contributors = {contributor for contributor, _ in keys}  # without them no index leads there
        here = EVENTS.c.contributor.in_(sorted(contributors)), EVENTS.c.event_id.in_(ids)
        rows = _rows(connection, select(EVENTS).where(*here))
        yield from (row for row in rows if _key(row) in keys)


def _key(row: Row) -> Key:
    return row["contributor"], row["event_id"]


def _target(row: Row) -> Key:
    return row["ref_contributor"] or row["contributor"], row["ref_event"]


def _fixed(row: Row) -> str | None:
    """The `other` that a correction sets."""
    other = corrections(row["fields"]).get("other") if row["kind"] == "event.corrected" else None
    return None if other is None else str(other)


def _others(said: Iterable[Row]) -> set[str]:
    return {other for row in said if (other := _fixed(row))}


def _in_turn(said: Iterable[Row]) -> Iterator[Row]:
    """What is said, each after what it is about, whichever came first; two about each other as they came."""
    waiting = {_key(row): row for row in sorted(said, key=_seq)}
    while waiting:
        ready = [row for row in waiting.values() if _target(row) not in waiting] or list(waiting.values())
        yield from ready
        for row in ready:
            del waiting[_key(row)]


@dataclass(frozen=True)
class _Moved:
    """Where corrections moved items: each item's `other` by the latest that stands, and all that it ever had by any."""

    now: Mapping[Key, str]
    ever: Mapping[Key, set[str]]


def _moved(said: Iterable[Row]) -> _Moved:
    rows = sorted(said, key=_seq)
    void = {_target(row) for row in rows if row["kind"] == "event.retracted"}
    fixed = [(row, other) for row in rows if (other := _fixed(row))]
    ever: dict[Key, set[str]] = {}
    for row, other in fixed:
        ever.setdefault(_target(row), set()).add(other)
    return _Moved({_target(row): other for row, other in fixed if _key(row) not in void}, ever)


class _Work:
    """What is to be done about each event: whoever it is about comes before what is said about it."""

    def __init__(self, person: str, moved: _Moved, enrolled: set[str]) -> None:
        self.person, self.moved, self.enrolled = person, moved, enrolled
        self.gone = Gone()
        self.new: list[Row] = []  # the changed ones, as they stand from now on
        self.aliases: dict[str, str] = {}  # by who is at the other end
        self.kept: dict[Key, tuple[Key, str]] = {}  # of what stays: its key from now on, and the name for the person
        self.named = re.compile(rf"(?<![0-9A-Za-z]){re.escape(person)}(?![0-9A-Za-z])")

    def item(self, row: Row) -> None:
        """A piece of evidence, a consent or an enrolment."""
        subject, other = row["subject"], row["other"]
        ever = {p for p in (subject, other, *self.moved.ever.get(_key(row), ())) if p} - {self.person}
        end = self.moved.now.get(_key(row), other) if subject == self.person else subject
        if row["kind"] in TIES:
            self.gone.tied |= ever
        if self.person not in (subject, other):  # a correction alone names the person
            self.kept[_key(row)] = _key(row), self.alias(end)
        elif ever & self.enrolled and self._stays(row):
            self.gone.paid |= ever & self.enrolled
            self._change(row, self.alias(end), _key(row))
        else:
            self.gone.removed.append(row)

    def said(self, row: Row) -> None:
        """What is said about an item: it stays with it or goes with it."""
        if _target(row) not in self.kept:
            self.gone.removed.append(row)
            return
        target, alias = self.kept[_target(row)]
        fixes = row["fields"] is not None and bool(self.named.search(row["fields"]))
        told = any(row[c] is not None and self.named.search(row[c]) for c in ("event_id", "statement"))
        if row["subject"] == self.person or fixes or target != _target(row) or told:
            self._change(row, alias, target)
        else:
            self.kept[_key(row)] = _key(row), alias

    def _stays(self, row: Row) -> bool:
        if row["kind"] == PAYMENT:
            return True
        return row["kind"] in TIES and row["subject"] != self.person and _key(row) in self.moved.ever

    def alias(self, end: str) -> str:
        """The name for the person beside somebody."""
        return self.aliases.setdefault(end, f"gone-{secrets.token_hex(12)}")

    def _change(self, row: Row, alias: str, target: Key) -> None:
        new = {**row, **{side: alias for side in ("subject", "other") if row[side] == self.person}}
        if self.named.search(row["event_id"]):
            new["event_id"] = f"gone-{secrets.token_hex(12)}"
        if row["kind"] in CHANGES:
            told = None if row["subject"] == self.person else row["statement"]
            new |= {"ref_event": target[1], "statement": told and self.named.sub(alias, told)}
            new["fields"] = row["fields"] and json.dumps(dict(self._without(row["fields"], alias)))
        self.kept[_key(row)] = _key(new), alias
        if _key(new) != _key(row):
            self.gone.renamed[_key(row)] = _key(new)
        self.gone.changed.append(row)
        self.new.append(new)

    def _without(self, fields: str, alias: str) -> Iterator[tuple[str, object]]:
        for name, value in corrections(fields).items():
            yield name, self.named.sub(alias, value) if isinstance(value, str) else value


def _replace(connection: Connection, work: _Work) -> None:
    """Delete, and put back what stays under the same numbers. Whoever's rows are touched is in `erasing` meanwhile."""
    touched = [*work.gone.removed, *work.gone.changed]
    for people in _chunks({row["subject"] for row in touched} - {work.person}):
        connection.execute(insert(ERASING), [{"person": p} for p in people])
    for numbers in _chunks({row["seq"] for row in touched}):
        connection.execute(delete(EVENTS).where(EVENTS.c.seq.in_(numbers)))
    for at in range(0, len(work.new), _MANY):
        connection.execute(insert(EVENTS), work.new[at : at + _MANY])


def _follow(connection: Connection, before: Iterable[Row], work: _Work) -> None:
    """Keep `moves` what the corrections that stand say."""
    removed, new = {row["seq"] for row in work.gone.removed}, {row["seq"]: row for row in work.new}
    before = list(before)
    keys = {_target(row) for row in before if row["kind"] == "event.corrected"}
    for contributor, event_id in sorted(keys):
        these = and_(MOVES.c.contributor == contributor, MOVES.c.event_id == event_id)
        connection.execute(delete(MOVES).where(these))
    stand = [new.get(row["seq"], row) for row in before if row["seq"] not in removed]
    moves = {(other, *_target(row)) for row in stand if (other := _fixed(row))}
    if moves:
        columns = ("other", "contributor", "event_id")
        connection.execute(insert(MOVES), [dict(zip(columns, move, strict=True)) for move in sorted(moves)])


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    listed = sorted(items)
    return (listed[at : at + _MANY] for at in range(0, len(listed), _MANY))
