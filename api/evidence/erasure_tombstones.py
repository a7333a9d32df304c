"""Erasure tombstones: we remember an erased person by a keyed hash alone, so that we take no new evidence about them.

We refuse rows of files that name the person, and withhold events that contributors send by the API (`api.evidence.withheld`).
A person who gets a subject token after erasure is reinstated: from then on we take evidence about them.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

import polars as pl
from sqlalchemy import Connection, delete, insert, select, update

from api.store.clock import micros
from api.store.database import Database, reading
from api.store.statements import Query, is_any_of, texts
from api.store.tables import ERASURE_TOMBSTONES, SYSTEM, WITHHELD_EVENTS
from graph.evidence.declared_fields import decode
from graph.evidence.events import DATA, decode_fields

REJECTION_REASON: Final = "names somebody who has left: nothing about them is taken"
_KEYS: Final = WeakKeyDictionary[Database, bytes]()
_AMONG_DIGESTS: Final = select(ERASURE_TOMBSTONES.c.digest).where(
    is_any_of(ERASURE_TOMBSTONES.c.digest, texts("digests"))
)
_MAX_NAMED: Final = 500  # we look up so many digests; for more, we compare all tombstones


def erasure_count(connection: Connection) -> int:
    """The number of erasures ever. If it rose since you read events, you have read events of an erased person."""
    return int(connection.execute(select(SYSTEM.c.erasures)).scalar_one())


def remember(connection: Connection, person: str, now: datetime) -> None:
    """Write the tombstone of an erased person."""
    digest = _digest(_key(connection), person)
    connection.execute(delete(ERASURE_TOMBSTONES).where(ERASURE_TOMBSTONES.c.digest == digest))
    connection.execute(insert(ERASURE_TOMBSTONES).values(digest=digest, erased_at=micros(now)))
    connection.execute(update(SYSTEM).values(erasures=SYSTEM.c.erasures + 1))


def reinstate(connection: Connection, person: str) -> None:
    """Remove the person's tombstone and withheld events, if any: contributors may send those events again."""
    digest = _digest(_key(connection), person)
    connection.execute(delete(ERASURE_TOMBSTONES).where(ERASURE_TOMBSTONES.c.digest == digest))
    connection.execute(delete(WITHHELD_EVENTS).where(WITHHELD_EVENTS.c.person == digest))


def find_erased(connection: Connection, people: Collection[str]) -> set[str]:
    """The erased people among these. Cost: one look-up while there is no tombstone, otherwise one hash per person."""
    if not people or not any_erased(connection):
        return set()
    key = _key(connection)
    digests = {_digest(key, person): person for person in people}
    query = select(ERASURE_TOMBSTONES.c.digest)
    if len(digests) <= _MAX_NAMED:
        query = query.where(ERASURE_TOMBSTONES.c.digest.in_(digests))
    return {digests[d] for d in connection.execute(query).scalars() if d in digests}


def erased_query(database: Database, people: Collection[str]) -> tuple[dict[str, str], Query]:
    """The pseudonyms of these people, and the query for the pseudonyms of those that are erased."""
    names = {person: pseudonym(database, person) for person in people}
    return names, Query(_AMONG_DIGESTS, {"digests": sorted(names.values())})


def pseudonym(database: Database, person: str) -> str:
    """The name that we store in place of a person's id: HMAC-SHA-256 under the system's key, hex. It is the same before and
    after erasure, and for an unknown id.
    """
    key = _KEYS.get(database)
    if key is None:
        with reading(database) as connection:
            key = _key(connection)
    return _digest(key, person)


def pseudonyms(connection: Connection, people: Collection[str]) -> list[str]:
    """The same of each of these people, within a transaction."""
    key = _key(connection)
    return [_digest(key, person) for person in people]


def rejections(connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
    """The rows of a batch that name an erased person: `row` and `reason`."""
    rows = pl.DataFrame({"row": sorted(erased_by_row(connection, events) or ())}, schema={"row": pl.Int64})
    return rows.select("row", pl.lit(REJECTION_REASON).alias("reason"))


def hashes(connection: Connection, texts: Collection[str]) -> list[str]:
    """Keyed hashes of many texts that are not names of people: BLAKE2b under the system's key, hex."""
    key = _key(connection)
    return [hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest() for text in texts]


def erased_by_row(connection: Connection, events: pl.DataFrame) -> dict[int, str] | None:
    """The same rows, each with the erased person that it names. None, after one look-up, while there is no tombstone."""
    if not any_erased(connection):
        return None
    texts_by_row = dict(_texts_by_row(events))
    row_parties = {text for row_texts in texts_by_row.values() for text in row_texts}
    parties = {*events["subject"].unique(), *events["other"].drop_nulls().unique(), *row_parties}
    erased_people = find_erased(connection, parties)
    result = {row: text for row, row_texts in texts_by_row.items() for text in row_texts if text in erased_people}
    for side in ("other", "subject"):
        result |= dict(events.filter(pl.col(side).is_in(list(erased_people))).select("row", side).iter_rows())
    return result


def _texts_by_row(events: pl.DataFrame) -> Iterator[tuple[int, list[str]]]:
    """The texts in the declared fields of events, and in what corrections set: each may be the id of a person."""
    for column, decode_column in (("fields", decode_fields), (DATA, decode)):
        for row, text in events.filter(pl.col(column).is_not_null()).select("row", column).iter_rows():
            yield row, [value for value in decode_column(text).values() if isinstance(value, str) and value]


def any_erased(connection: Connection) -> bool:
    """Whether there is any tombstone."""
    return connection.execute(select(ERASURE_TOMBSTONES.c.digest).limit(1)).first() is not None


def _key(connection: Connection) -> bytes:
    """The system's key. It never changes, so we read it once per process."""
    key = _KEYS.get(connection.engine)
    if key is None:
        key = _KEYS[connection.engine] = bytes.fromhex(connection.execute(select(SYSTEM.c.key)).scalar_one())
    return key


def _digest(key: bytes, person: str) -> str:
    return hmac.digest(key, person.encode(), "sha256").hex()
