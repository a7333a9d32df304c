"""Erase one person from the ledger: delete their events, or keep them under an alias where they are also someone else's.

We delete events about the person, and ties at either end. A payment between the person and an enrolled person is also the
other person's evidence. We keep that payment under its number and replace the person's name by an alias. Each counterparty
gets an alias of its own, so the counterparty's sums stay the same and you cannot link the payments of two counterparties.
Corrections, retractions and disputes of such a payment stay with it. The same holds for declared kinds that count for each
party. Of their fields we keep those that can hold no name: numbers, words of a list, days. We also keep a correction that moved
another person's tie or payment to the person, or away from the person, and take the texts out of that tie or payment. Where a
declared field of another person's evidence names the person, we take the name out of the event and of its corrections.
"""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, and_, delete, insert, or_, select

from api.evidence import excerpt
from api.people.stored_event import Key, StoredEvent
from api.store.tables import CORRECTED_PARTIES, ERASURES_IN_PROGRESS, EVENTS
from graph.evidence.declared_fields import decode, encode
from graph.evidence.events import CORRECTABLE_COLUMNS, decode_fields
from graph.evidence.invalidation import STATEMENT_KINDS, TIE_KINDS
from graph.evidence.vocabulary import EventVocabulary

ItemT = TypeVar("ItemT", str, int)
_MAX_STATEMENT_ITEMS: Final = 500  # values in one SQL statement
_NAMING_TYPES: Final = ("text", "party")  # types of declared fields that can hold a name
_NAMING_COLUMNS: Final = ("obligation", "order", "service", "statement")  # columns that can hold a text of any meaning


@dataclass
class LedgerErasure:
    """The result of an erasure. `removed_events` are deleted. `changed_events` stay without the person; both lists hold the
    events as they were before.

    `new_keys` maps old to new keys of changed events. `tied_people` had a tie to the person; `counterparties` keep a payment.
    """

    removed_events: list[StoredEvent] = field(default_factory=list)
    changed_events: list[StoredEvent] = field(default_factory=list)
    new_keys: dict[Key, Key] = field(default_factory=dict)
    tied_people: set[str] = field(default_factory=set)
    counterparties: set[str] = field(default_factory=set)

    @property
    def erased_events(self) -> list[StoredEvent]:
        """The removed events, then the changed ones, as they were before."""
        return [*self.removed_events, *self.changed_events]


@dataclass(frozen=True)
class _PersonEvents:
    """All events that concern a person, by `seq`.

    `items` are evidence, consents and enrolments; `references` are the corrections, retractions and disputes about them.
    `missing_items` are keys of events that a correction moves to the person and that the ledger does not hold.
    """

    items: Mapping[int, StoredEvent]
    references: Mapping[int, StoredEvent]
    missing_items: tuple[Key, ...]

    @property
    def all(self) -> list[StoredEvent]:
        """Items, then references."""
        return [*self.items.values(), *self.references.values()]

    def parties(self, person: str) -> set[str]:
        """The other people whom the items or their corrections name."""
        parties = {p for row in self.items.values() for p in (row.subject, row.other) if p}
        corrected = {other for row in self.references.values() if (other := row.corrected_other)}
        return (parties | corrected) - {person}


def erase_from_ledger(connection: Connection, person: str, vocabulary: EventVocabulary) -> LedgerErasure:
    """Take the person out of the ledger, within the write transaction that erases them."""
    events = _load_events(connection, person)
    enrolled = excerpt.enrolled_people(connection, events.parties(person))
    eraser = _LedgerEraser(person, _redirects(events.references.values()), enrolled, vocabulary)
    for row in sorted(events.items.values(), key=_seq):
        eraser.erase_item(row)
    eraser.follow_reversals()
    # Other people's events that someone corrected, retracted or disputed in the person's name.
    foreign_keys = {row.target for row in events.references.values()} - {row.key for row in events.all}
    for row in _events_by_key(connection, foreign_keys):
        eraser.retain(row.key, row.subject)
    for key in events.missing_items:
        eraser.retain(key, "")
    for row in _in_reference_order(events.references.values()):
        eraser.erase_reference(row)
    for row in _events_with_party(connection, person, vocabulary):
        eraser.erase_party(row)
    _replace_events(connection, eraser)
    _update_moves(connection, events.all, eraser)
    return eraser.result


def _load_events(connection: Connection, person: str) -> _PersonEvents:
    own = _rows(connection, select(EVENTS).where(or_(EVENTS.c.subject == person, EVENTS.c.other == person)))
    moved_events = _moved_events(connection, person)
    items = {row.seq: row for row in [*own, *moved_events] if row.kind not in STATEMENT_KINDS}
    missing = _missing_items(connection, person, {row.key for row in moved_events})
    references = _references_to(connection, {*missing, *(row.key for row in items.values())})
    references |= _references_to(connection, {row.key for row in references.values()})
    references |= {row.seq: row for row in own if row.kind in STATEMENT_KINDS}
    return _PersonEvents(items, references, missing)


def _moved_events(connection: Connection, person: str) -> list[StoredEvent]:
    """The events that corrections move to the person."""
    is_same_event = and_(
        EVENTS.c.contributor == CORRECTED_PARTIES.c.contributor, EVENTS.c.event_id == CORRECTED_PARTIES.c.event_id
    )
    joined = CORRECTED_PARTIES.join(EVENTS, is_same_event)
    return _rows(connection, select(EVENTS).select_from(joined).where(CORRECTED_PARTIES.c.other == person))


def _events_with_party(connection: Connection, person: str, vocabulary: EventVocabulary) -> list[StoredEvent]:
    """The events that name the person in a declared field of the type `party`, and the corrections that set such a field to the
    person. Cost: the ledger, if there is such a field.
    """
    fields = [f.name for f in vocabulary.extra_fields.values() if f.type == "party"]
    if not fields:
        return []
    texts = (encode({name: person})[1:-1] for name in fields)
    in_data = [EVENTS.c.data.contains(t, autoescape=True) for t in texts]
    # A contributor may write any letter of a correction's JSON with a backslash.
    in_fields = [EVENTS.c.fields.contains(t, autoescape=True) for t in (person, "\\")]
    rows = _rows(connection, select(EVENTS).where(or_(*in_data, *in_fields)))
    contents = ((row, {**decode(row.data), **row.corrected_fields}) for row in rows)
    return [row for row, content in contents if any(content.get(name) == person for name in fields)]


def _missing_items(connection: Connection, person: str, known_keys: set[Key]) -> tuple[Key, ...]:
    """The keys of events that corrections move to the person and that are not in the ledger. We keep such a correction,
    without the person.
    """
    columns = (CORRECTED_PARTIES.c.contributor, CORRECTED_PARTIES.c.event_id)
    rows = connection.execute(select(*columns).where(CORRECTED_PARTIES.c.other == person))
    return tuple(key for contributor, event_id in rows if (key := (contributor, event_id)) not in known_keys)


def _seq(row: StoredEvent) -> int:
    return row.seq


def _rows(connection: Connection, query: Select[Any]) -> list[StoredEvent]:
    return [StoredEvent(**row) for row in connection.execute(query).mappings()]


def _references_to(connection: Connection, keys: set[Key]) -> dict[int, StoredEvent]:
    """The corrections, retractions and disputes about these events, by `seq`."""
    references: dict[int, StoredEvent] = {}
    for ids in _chunks({event_id for _, event_id in keys}):
        is_statement = EVENTS.c.kind.in_(STATEMENT_KINDS)
        query = select(EVENTS).where(EVENTS.c.ref_event.is_not(None), EVENTS.c.ref_event.in_(ids), is_statement)
        references |= {row.seq: row for row in _rows(connection, query) if row.target in keys}
    return references


def _events_by_key(connection: Connection, keys: set[Key]) -> Iterator[StoredEvent]:
    for ids in _chunks({event_id for _, event_id in keys}):
        contributors = {contributor for contributor, _ in keys}  # the index begins with the contributor
        conditions = EVENTS.c.contributor.in_(sorted(contributors)), EVENTS.c.event_id.in_(ids)
        rows = _rows(connection, select(EVENTS).where(*conditions))
        yield from (row for row in rows if row.key in keys)


def _in_reference_order(references: Iterable[StoredEvent]) -> Iterator[StoredEvent]:
    """The references, each after the one it is about. Two that refer to each other keep the order of the ledger."""
    waiting = {row.key: row for row in sorted(references, key=_seq)}
    while waiting:
        ready = [row for row in waiting.values() if row.target not in waiting] or list(waiting.values())
        yield from ready
        for row in ready:
            del waiting[row.key]


@dataclass(frozen=True)
class _Redirects:
    """How corrections moved items: the `other` that the latest correction in force sets, and all that any correction set."""

    current_other: Mapping[Key, str]
    all_others: Mapping[Key, set[str]]


def _redirects(references: Iterable[StoredEvent]) -> _Redirects:
    rows = sorted(references, key=_seq)
    retracted_keys = {row.target for row in rows if row.kind == "event.retracted"}
    pairs = [(row, other) for row in rows if (other := row.corrected_other)]
    all_others: dict[Key, set[str]] = {}
    for row, other in pairs:
        all_others.setdefault(row.target, set()).add(other)
    return _Redirects({row.target: other for row, other in pairs if row.key not in retracted_keys}, all_others)


class _LedgerEraser:
    """Decide for each event: remove, change or keep. Pass an item before the references about it."""

    def __init__(self, person: str, redirects: _Redirects, enrolled: set[str], vocabulary: EventVocabulary) -> None:
        self.person, self.redirects, self.enrolled, self._vocabulary = person, redirects, enrolled, vocabulary
        self.result = LedgerErasure()
        self.new_rows: list[StoredEvent] = []  # the changed events as they are from now on
        self._aliases: dict[str, str] = {}  # of the person, by counterparty
        self._retained: dict[Key, tuple[Key, str]] = {}  # by old key: the key from now on, and the person's alias
        self._name_pattern = re.compile(rf"(?<![0-9A-Za-z]){re.escape(person)}(?![0-9A-Za-z])")

    def retain(self, key: Key, counterparty: str) -> None:
        """Keep an event as it is; references to it use the alias beside this counterparty."""
        self._retained[key] = key, self._alias(counterparty)

    def erase_item(self, row: StoredEvent) -> None:
        """Decide about evidence, a consent or an enrolment."""
        parties = {p for p in (row.subject, row.other, *self.redirects.all_others.get(row.key, ())) if p}
        parties -= {self.person}
        current_other = self.redirects.current_other.get(row.key, row.other)
        counterparty = (current_other or "") if row.subject == self.person else row.subject
        if row.kind in TIE_KINDS:
            self.result.tied_people |= parties
        if self.person not in (row.subject, row.other):  # only a correction names the person
            self.retain(row.key, counterparty)
            self._replace(row, self._without_texts(row))
        elif parties & self.enrolled and self._stays(row):
            self.result.counterparties |= parties & self.enrolled
            self._change(row, self._alias(counterparty), row.key)
        else:
            self.result.removed_events.append(row)

    def follow_reversals(self) -> None:
        """Let each refund name its payment by the id that the payment has from now on."""
        for number, row in enumerate(self.new_rows):
            if row.ref_event is not None:
                event_id = self.result.new_keys.get(row.target, row.target)[1]
                reference = _new_name() if self._mentions(event_id) else event_id
                self.new_rows[number] = replace(row, ref_event=reference)

    def erase_reference(self, row: StoredEvent) -> None:
        """Decide about a correction, retraction or dispute: remove it with its item, or keep it with its item."""
        if row.target not in self._retained or self._sets_names_alone(row):
            self.result.removed_events.append(row)
            return
        target, alias = self._retained[row.target]
        texts = (row.fields, row.event_id, row.statement)
        is_affected = any(map(self._mentions, texts)) or self._has_naming_fields(row)
        if row.subject == self.person or is_affected or target != row.target:
            self._change(row, alias, target)
        else:
            self._retained[row.key] = row.key, alias

    def erase_party(self, row: StoredEvent) -> None:
        """Take the person out of the declared fields of other people's evidence. In a correction an alias takes the name's place:
        without the field, the earlier value would count again.
        """
        if row.seq in {r.seq for r in self.result.erased_events}:
            return
        data = {name: value for name, value in decode(row.data).items() if value != self.person}
        fields = row.fields
        if row.kind == "event.corrected":
            alias = self._alias(row.subject)
            fields = json.dumps({n: alias if v == self.person else v for n, v in row.corrected_fields.items()})
        self._replace(row, replace(row, data=encode(data) if data else None, fields=fields))

    def _replace(self, row: StoredEvent, new_row: StoredEvent) -> None:
        if new_row != row:
            self.result.changed_events.append(row)
            self.new_rows.append(new_row)

    def _mentions(self, text: str | None) -> bool:
        return text is not None and bool(self._name_pattern.search(text))

    def _stays(self, row: StoredEvent) -> bool:
        if self._vocabulary.kind(row.kind).counts_for == "each":
            return True
        return row.kind in TIE_KINDS and row.subject != self.person and row.key in self.redirects.all_others

    def _alias(self, counterparty: str) -> str:
        """The person's alias beside this counterparty."""
        return self._aliases.setdefault(counterparty, _new_name())

    def _change(self, row: StoredEvent, alias: str, target: Key) -> None:
        new_row = replace(
            row,
            subject=alias if row.subject == self.person else row.subject,
            other=alias if row.other == self.person else row.other,
            event_id=_new_name() if self._mentions(row.event_id) else row.event_id,
        )
        if row.kind not in STATEMENT_KINDS:
            new_row = self._without_texts(new_row)
        else:
            statement = None if row.subject == self.person else row.statement
            new_row = replace(
                new_row,
                ref_event=target[1],
                statement=statement and self._name_pattern.sub(alias, statement),
                fields=row.fields and json.dumps(dict(self._without_name(row.fields, alias))),
            )
        self._retained[row.key] = new_row.key, alias
        if new_row.key != row.key:
            self.result.new_keys[row.key] = new_row.key
        self.result.changed_events.append(row)
        self.new_rows.append(new_row)

    def _names_someone(self, field: str) -> bool:
        """Whether a field can hold a name; also one that is no longer declared."""
        if field in CORRECTABLE_COLUMNS:
            return field in _NAMING_COLUMNS
        declared = self._vocabulary.extra_fields.get(field)
        return declared is None or declared.type in _NAMING_TYPES

    def _without_texts(self, row: StoredEvent) -> StoredEvent:
        """The evidence without its texts, and without the parties that declared fields name."""
        data = {name: value for name, value in decode(row.data).items() if not self._names_someone(name)}
        columns: dict[str, Any] = dict.fromkeys(_NAMING_COLUMNS)
        return replace(row, data=encode(data) if data else None, **columns)

    def _has_naming_fields(self, row: StoredEvent) -> bool:
        return any(map(self._names_someone, row.corrected_fields))

    def _sets_names_alone(self, row: StoredEvent) -> bool:
        """Whether nothing of a correction would remain."""
        return row.kind == "event.corrected" and all(map(self._names_someone, row.corrected_fields))

    def _without_name(self, fields: str, alias: str) -> Iterator[tuple[str, object]]:
        for name, value in decode_fields(fields).items():
            if self._names_someone(name):
                continue
            yield name, self._name_pattern.sub(alias, value) if isinstance(value, str) else value


def _new_name() -> str:
    return f"gone-{secrets.token_hex(12)}"


def _replace_events(connection: Connection, eraser: _LedgerEraser) -> None:
    """Delete the events, and insert the changed ones under the same numbers. The table `erasures_in_progress` must name
    everyone whose rows we delete.
    """
    erased_events = eraser.result.erased_events
    for people in _chunks({row.subject for row in erased_events} - {eraser.person}):
        connection.execute(insert(ERASURES_IN_PROGRESS), [{"person": p} for p in people])
    for numbers in _chunks({row.seq for row in erased_events}):
        connection.execute(delete(EVENTS).where(EVENTS.c.seq.in_(numbers)))
    for at in range(0, len(eraser.new_rows), _MAX_STATEMENT_ITEMS):
        connection.execute(insert(EVENTS), [vars(row) for row in eraser.new_rows[at : at + _MAX_STATEMENT_ITEMS]])


def _update_moves(connection: Connection, before: Iterable[StoredEvent], eraser: _LedgerEraser) -> None:
    """Bring `corrected_parties` in line with the corrections that remain."""
    removed_seqs = {row.seq for row in eraser.result.removed_events}
    new_rows = {row.seq: row for row in eraser.new_rows}
    before = list(before)
    for contributor, event_id in sorted({row.target for row in before if row.kind == "event.corrected"}):
        is_item = and_(CORRECTED_PARTIES.c.contributor == contributor, CORRECTED_PARTIES.c.event_id == event_id)
        connection.execute(delete(CORRECTED_PARTIES).where(is_item))
    remaining = [new_rows.get(row.seq, row) for row in before if row.seq not in removed_seqs]
    moves = {(other, *row.target) for row in remaining if (other := row.corrected_other)}
    if moves:
        columns = ("other", "contributor", "event_id")
        connection.execute(insert(CORRECTED_PARTIES), [dict(zip(columns, move, strict=True)) for move in sorted(moves)])


def _chunks(items: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    listed = sorted(items)
    return (listed[at : at + _MAX_STATEMENT_ITEMS] for at in range(0, len(listed), _MAX_STATEMENT_ITEMS))
