"""Withheld: events that are answered as if they were recorded, and are not, for they name somebody who has left.

What was refused would tell a contributor that somebody has left. So its event is accepted, sent again a duplicate, and refused with
other content, as any other; but of it only keyed hashes are kept, of its key and of its content, and what `GET /v1/events/{id}`
shows. Erasure leaves the same of each event that it takes away. All of it goes when the person comes back.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl
from sqlalchemy import Connection, RowMapping, select

from api.clock import micros
from api.database import Query, fetched, inserted
from api.evidence import departed
from api.tables import WITHHELD_EVENTS
from graph.events import CONTENT, SCHEMA

CLASH: Final = "`event_id` was sent before with other content: send event.corrected instead"
_COLUMNS: Final = ("key", "content", "kind", "about", "outcome", "person", "recorded_at")
_KNOWN: Final = "SELECT key, kind, content FROM withheld_events WHERE key IN {keys}"
_LEDGERED: Final = "SELECT event_id, kind FROM events WHERE contributor = :who AND event_id IN {ids}"
_STORED: Final = {c: pl.String if t == pl.String else pl.Int64 for c, t in SCHEMA.items()}
Key = tuple[str, str]  # contributor and event id
Row = tuple[str, str, str, str | None, str | None, str]  # the columns but the last


@dataclass(frozen=True)
class Withheld:
    """What of a batch is not for the ledger, by `row`: what is `new`, what repeats what is withheld, what clashes with it.
    `others`: what would be kept of each other row (`api.evidence.decoys`).
    """

    new: dict[int, Row]
    repeats: list[int]
    clashes: list[int]
    others: dict[int, Row]

    @property
    def rows(self) -> list[int]:
        """All that are not for the ledger."""
        return [*self.new, *self.repeats, *self.clashes]


def apart(connection: Connection, good: pl.DataFrame, contributor: str) -> Withheld:
    """Which rows of a contributor's batch name somebody who has left, or have the id of an event that is withheld.

    Cost: one look-up while nobody has left, then two look-ups for the batch and some hashes for each row, whomever it names: less
    for some would show in the time.
    """
    found = Withheld({}, [], [], {})
    if not departed.anyone(connection):
        return found
    whom = departed.whom(connection, good)
    ids, rows = good["event_id"].to_list(), good["row"].to_list()
    keys = _keys(connection, contributor, ids)
    known = {event_id: content for event_id, (_, content) in _remembered(connection, keys).items()}
    taken = ledgered(connection, contributor, ids).keys() - known.keys()
    people = [whom.get(row, subject) for row, subject in zip(rows, good["subject"].to_list(), strict=True)]
    entries = _entries(connection, _stored(good), [keys[event_id] for event_id in ids], people)
    for row, event_id, entry in zip(rows, ids, entries, strict=True):
        content = entry[1]
        if event_id in known:
            (found.repeats if known[event_id] == content else found.clashes).append(row)
        elif row not in whom:
            taken.add(event_id)
            found.others[row] = entry
        elif event_id in taken:
            found.clashes.append(row)
        else:
            known[event_id] = content
            found.new[row] = entry
    return found


def keep(connection: Connection, rows: Iterable[Row], recorded_at: datetime) -> None:
    """Remember these."""
    _insert(connection, [(*row, micros(recorded_at)) for row in rows])


def remember(connection: Connection, person: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Remember events that are taken away with a person, as they stand in the ledger. What is remembered already stays so."""
    events = [{c: row[c] for c in _STORED} for row in rows]
    keys = departed.hashes(connection, [_named((e["contributor"], e["event_id"])) for e in events])
    known = _kinds_and_contents(connection, keys)
    entries = _entries(connection, pl.DataFrame(events, schema=_STORED), keys, [person] * len(events))
    new = [(*e, event["recorded_at"]) for e, event in zip(entries, events, strict=True) if e[0] not in known]
    _insert(connection, new)


def of(connection: Connection, key: Key) -> RowMapping | None:
    """What is remembered of an event."""
    query = select(WITHHELD_EVENTS).where(WITHHELD_EVENTS.c.key == _key(connection, key))
    return connection.execute(query).mappings().first()


def about(connection: Connection, key: Key, besides: Collection[Key]) -> list[RowMapping]:
    """What is remembered of events about an event, but for those `besides`, which are in the ledger too; in order."""
    others = [_key(connection, each) for each in besides]
    query = select(WITHHELD_EVENTS).where(WITHHELD_EVENTS.c.about == _key(connection, key))
    query = query.where(WITHHELD_EVENTS.c.key.not_in(others)).order_by(WITHHELD_EVENTS.c.recorded_at)
    return list(connection.execute(query).mappings())


def kinds(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    """The kinds of those of a contributor's events that are withheld, by id."""
    known = _remembered(connection, _keys(connection, contributor, ids))
    return {event_id: kind for event_id, (kind, _) in known.items()}


def _keys(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    unique = list(dict.fromkeys(ids))
    names = departed.hashes(connection, [_named((contributor, event_id)) for event_id in unique])
    return dict(zip(unique, names, strict=True))


def _remembered(connection: Connection, keys: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Kind and content of those of these events that are withheld, by id."""
    known = _kinds_and_contents(connection, keys.values())
    return {event_id: known[key] for event_id, key in keys.items() if key in known}


def _kinds_and_contents(connection: Connection, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    (rows,) = fetched(connection, Query(_KNOWN, {"keys": sorted(keys)}))
    return {key: (kind, content) for key, kind, content in rows}


def ledgered(connection: Connection, contributor: str, ids: Collection[str]) -> dict[str, str]:
    """The kinds of those of a contributor's events that are in the ledger, by id. Each id is looked up in the index."""
    query = Query(_LEDGERED, {"who": contributor, "ids": sorted(set(ids))})
    (rows,) = fetched(connection, query)
    return dict(tuple(row) for row in rows)


def _stored(good: pl.DataFrame) -> pl.DataFrame:
    return good.select(pl.col(c) if t == pl.String else pl.col(c).to_physical().cast(t) for c, t in _STORED.items())


def _entries(connection: Connection, events: pl.DataFrame, keys: list[str], people: list[str]) -> list[Row]:
    """What is kept of each event, as the database has it, that names one of these people."""
    unique = list(dict.fromkeys(people))
    pseudonyms = dict(zip(unique, departed.pseudonyms(connection, unique), strict=True))
    columns: tuple[list[Any], ...] = (
        *(keys, _contents(connection, events), events["kind"].to_list(), _abouts(connection, events)),
        *(events["outcome"].to_list(), [pseudonyms[person] for person in people]),
    )
    return list(zip(*columns, strict=True))


def _abouts(connection: Connection, events: pl.DataFrame) -> list[str | None]:
    """The key of the event that each is about."""
    whose = events.select(pl.coalesce("ref_contributor", "contributor"), "ref_event").rows()
    hashes = iter(departed.hashes(connection, [_named((who, ref)) for who, ref in whose if ref is not None]))
    return [None if ref is None else next(hashes) for _, ref in whose]


def _contents(connection: Connection, events: pl.DataFrame) -> list[str]:
    """A keyed hash of each event's content."""
    texts = events.select(pl.struct(CONTENT).struct.json_encode()).to_series()
    return departed.hashes(connection, [f"content\0{text}" for text in texts])


def _insert(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        inserted(connection, {WITHHELD_EVENTS.name: (_COLUMNS, rows)})


def _key(connection: Connection, key: Key) -> str:
    return departed.hashes(connection, [_named(key)])[0]


def _named(key: Key) -> str:
    return "\0".join(("event", *key))  # no id has such a character
