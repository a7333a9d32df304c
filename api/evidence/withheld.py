"""Withheld events: we answer them as if we had recorded them, but do not record them, since they name an erased person.

A refusal would reveal to a contributor that a person has left. So we treat the event as any other: we accept it, call it a
duplicate when it is sent again, and refuse it with other content. We keep only keyed hashes of its key and content, and the fields that `GET /v1/events/{id}`
shows. Erasure leaves the same of each event that it takes away. All of it goes when the person comes back.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import polars as pl
from sqlalchemy import Connection, RowMapping, bindparam, exists, or_, select

from api.evidence import erasure_tombstones
from api.store.clock import micros
from api.store.database import fetch_rows, insert_rows
from api.store.statements import Query, is_any_of, texts
from api.store.tables import EVENTS, WITHHELD_EVENTS
from graph.evidence.events import CONTENT_COLUMNS, SCHEMA
from graph.evidence.vocabulary import LINK_KIND

CLASH: Final = "`event_id` was sent before with other content: send event.corrected instead"
_KINDS_AND_CONTENTS: Final = select(WITHHELD_EVENTS.c.key, WITHHELD_EVENTS.c.kind, WITHHELD_EVENTS.c.content).where(
    is_any_of(WITHHELD_EVENTS.c.key, texts("keys"))
)
_LINK: Final = WITHHELD_EVENTS.alias("link")
_LINKS: Final = select(WITHHELD_EVENTS.c.key, WITHHELD_EVENTS.c.kind).where(
    is_any_of(WITHHELD_EVENTS.c.key, texts("keys")),
    or_(
        WITHHELD_EVENTS.c.kind == LINK_KIND,
        exists().where(_LINK.c.key == WITHHELD_EVENTS.c.about, _LINK.c.kind == LINK_KIND),
    ),
)
_LEDGER_KINDS: Final = select(EVENTS.c.event_id, EVENTS.c.kind).where(
    EVENTS.c.contributor == bindparam("contributor"), is_any_of(EVENTS.c.event_id, texts("ids"))
)
_STORED_TYPES: Final = {c: pl.String if t == pl.String else pl.Int64 for c, t in SCHEMA.items()}
Key = tuple[str, str]  # contributor and event id


class WithheldRow(NamedTuple):
    """The columns of `withheld_events`, but for `recorded_at`."""

    key: str
    content: str
    kind: str
    about: str | None
    outcome: str | None
    person: str


@dataclass(frozen=True)
class WithheldRows:
    """The rows of a batch that the ledger does not get: `new` ones, `repeats` of withheld events, and `clashes` with them.
    `not_withheld`: the entry that we would keep of each other row (`api.evidence.decoys` needs it).
    """

    new: dict[int, WithheldRow]
    repeats: list[int]
    clashes: list[int]
    not_withheld: dict[int, WithheldRow]

    @property
    def rows(self) -> list[int]:
        """All that are not for the ledger."""
        return [*self.new, *self.repeats, *self.clashes]


def separate(
    connection: Connection, good: pl.DataFrame, contributor: str, erased_by_row: Mapping[int, str] | None
) -> WithheldRows:
    """Separate the rows of a contributor's batch that name an erased person, or have the id of a withheld event.
    `erased_by_row`: the person of each row that names one; None while nobody has left.

    Cost: nothing while nobody has left, then two look-ups for the batch and some hashes for each row, whomever it names: less
    for some would show in the time.
    """
    result = WithheldRows({}, [], [], {})
    if erased_by_row is None:
        return result
    ids, rows = good["event_id"].to_list(), good["row"].to_list()
    keys = _keys(connection, contributor, ids)
    withheld_contents = {event_id: content for event_id, (_, content) in _withheld_events(connection, keys).items()}
    ledger_ids = ledger_kinds(connection, contributor, ids).keys() - withheld_contents.keys()
    people = [erased_by_row.get(row, subject) for row, subject in zip(rows, good["subject"].to_list(), strict=True)]
    entries = _entries(connection, _to_stored_types(good), [keys[event_id] for event_id in ids], people)
    for row, event_id, entry in zip(rows, ids, entries, strict=True):
        content = entry.content
        if event_id in withheld_contents:
            (result.repeats if withheld_contents[event_id] == content else result.clashes).append(row)
        elif row not in erased_by_row:
            ledger_ids.add(event_id)
            result.not_withheld[row] = entry
        elif event_id in ledger_ids:
            result.clashes.append(row)
        else:
            withheld_contents[event_id] = content
            result.new[row] = entry
    return result


def keep(connection: Connection, rows: Iterable[WithheldRow], recorded_at: datetime) -> None:
    """Remember these."""
    _insert(connection, [(row, micros(recorded_at)) for row in rows])


def remember(connection: Connection, person: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Remember events that are taken away with a person, as the ledger has them. We skip those that we remember already."""
    events = [{c: row[c] for c in _STORED_TYPES} for row in rows]
    keys = erasure_tombstones.hashes(connection, [_key_text((e["contributor"], e["event_id"])) for e in events])
    existing = _kinds_and_contents(connection, keys)
    entries = _entries(connection, pl.DataFrame(events, schema=_STORED_TYPES), keys, [person] * len(events))
    new = [(e, event["recorded_at"]) for e, event in zip(entries, events, strict=True) if e.key not in existing]
    _insert(connection, new)


def get(connection: Connection, key: Key) -> RowMapping | None:
    """The entry of a withheld event, if we have one."""
    query = select(WITHHELD_EVENTS).where(WITHHELD_EVENTS.c.key == _key(connection, key))
    return connection.execute(query).mappings().first()


def references_to(connection: Connection, key: Key, besides: Collection[Key]) -> list[RowMapping]:
    """The entries of withheld events about an event, in order, without those of `besides`, which are in the ledger too."""
    excluded_keys = [_key(connection, each) for each in besides]
    query = select(WITHHELD_EVENTS).where(WITHHELD_EVENTS.c.about == _key(connection, key))
    query = query.where(WITHHELD_EVENTS.c.key.not_in(excluded_keys)).order_by(WITHHELD_EVENTS.c.recorded_at)
    return list(connection.execute(query).mappings())


def kinds(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    """The kinds of those of a contributor's events that are withheld, by id."""
    events = _withheld_events(connection, _keys(connection, contributor, ids))
    return {event_id: kind for event_id, (kind, _) in events.items()}


def links(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    """The withheld links, and the corrections of withheld links, under these ids: the kind of each, by id."""
    keys = _keys(connection, contributor, ids)
    (rows,) = fetch_rows(connection, Query(_LINKS, {"keys": sorted(keys.values())}))
    kinds = dict(tuple(row) for row in rows)
    return {event_id: kinds[key] for event_id, key in keys.items() if key in kinds}


def _keys(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    unique = list(dict.fromkeys(ids))
    names = erasure_tombstones.hashes(connection, [_key_text((contributor, event_id)) for event_id in unique])
    return dict(zip(unique, names, strict=True))


def _withheld_events(connection: Connection, keys: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Kind and content of those of these events that are withheld, by id."""
    by_key = _kinds_and_contents(connection, keys.values())
    return {event_id: by_key[key] for event_id, key in keys.items() if key in by_key}


def _kinds_and_contents(connection: Connection, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    (rows,) = fetch_rows(connection, Query(_KINDS_AND_CONTENTS, {"keys": sorted(keys)}))
    return {key: (kind, content) for key, kind, content in rows}


def ledger_kinds(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    """The kinds of those of a contributor's events that are in the ledger, by id. Each id is looked up in the index."""
    query = Query(_LEDGER_KINDS, {"contributor": contributor, "ids": sorted(set(ids))})
    (rows,) = fetch_rows(connection, query)
    return dict(tuple(row) for row in rows)


def _to_stored_types(good: pl.DataFrame) -> pl.DataFrame:
    return good.select(
        pl.col(c) if t == pl.String else pl.col(c).to_physical().cast(t) for c, t in _STORED_TYPES.items()
    )


def _entries(connection: Connection, events: pl.DataFrame, keys: list[str], people: list[str]) -> list[WithheldRow]:
    """The entries that we keep of events in their stored types. `people`: the erased person whom each names."""
    unique = list(dict.fromkeys(people))
    pseudonyms = dict(zip(unique, erasure_tombstones.pseudonyms(connection, unique), strict=True))
    contents, references = _contents(connection, events), _reference_keys(connection, events)
    return [
        WithheldRow(key, content, kind, about, outcome, pseudonyms[person])
        for key, content, kind, about, outcome, person in zip(
            keys, contents, events["kind"], references, events["outcome"], people, strict=True
        )
    ]


def _reference_keys(connection: Connection, events: pl.DataFrame) -> list[str | None]:
    """The key of the event that each is about."""
    references = events.select(pl.coalesce("ref_contributor", "contributor"), "ref_event").rows()
    hashes = iter(
        erasure_tombstones.hashes(
            connection, [_key_text((contributor, ref)) for contributor, ref in references if ref is not None]
        )
    )
    return [None if ref is None else next(hashes) for _, ref in references]


def _contents(connection: Connection, events: pl.DataFrame) -> list[str]:
    """A keyed hash of each event's content."""
    texts = events.select(pl.struct(CONTENT_COLUMNS).struct.json_encode()).to_series()
    return erasure_tombstones.hashes(connection, [f"content\0{text}" for text in texts])


def _insert(connection: Connection, rows: list[tuple[WithheldRow, int]]) -> None:
    if rows:
        insert_rows(connection, {WITHHELD_EVENTS: [row._asdict() | {"recorded_at": at} for row, at in rows]})


def _key(connection: Connection, key: Key) -> str:
    return erasure_tombstones.hashes(connection, [_key_text(key)])[0]


def _key_text(key: Key) -> str:
    return "\0".join(("event", *key))  # no id has such a character
