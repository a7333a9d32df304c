"""Departed: who left is remembered by a keyed hash alone, so that nothing about them is taken in again.

Whoever asks the house for a token as a subject after leaving has come back: evidence about them is taken from then on.
"""

import hmac
from collections.abc import Collection
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

import polars as pl
from sqlalchemy import Connection, Engine, delete, insert, select, update

from api.clock import micros
from api.database import Query, reading
from api.tables import DEPARTED, HOUSE
from graph.events import corrections

REASON: Final = "names somebody who has left: nothing about them is taken"
_KEYS: Final = WeakKeyDictionary[Engine, bytes]()
_FEW: Final = 500  # so many are asked for by name; of more, everybody who left is compared


def erased(connection: Connection) -> int:
    """How many people were erased ever: whoever read before another one was has read too much."""
    return int(connection.execute(select(HOUSE.c.erased)).scalar_one())


def remember(connection: Connection, person: str, now: datetime) -> None:
    """The person has left."""
    digest = _digest(_key(connection), person)
    connection.execute(delete(DEPARTED).where(DEPARTED.c.digest == digest))
    connection.execute(insert(DEPARTED).values(digest=digest, left_at=micros(now)))
    connection.execute(update(HOUSE).values(erased=HOUSE.c.erased + 1))


def come_back(connection: Connection, person: str) -> None:
    """The person is here again, if they ever left."""
    connection.execute(delete(DEPARTED).where(DEPARTED.c.digest == _digest(_key(connection), person)))


def gone(connection: Connection, people: Collection[str]) -> set[str]:
    """Who of these has left. Cost: one look-up while nobody has, then a hash for each."""
    if not people or not _anyone(connection):
        return set()
    key = _key(connection)
    digests = {_digest(key, person): person for person in people}
    query = select(DEPARTED.c.digest)
    if len(digests) <= _FEW:
        query = query.where(DEPARTED.c.digest.in_(digests))
    return {digests[d] for d in connection.execute(query).scalars() if d in digests}


def asked(engine: Engine, people: Collection[str]) -> tuple[dict[str, str], Query]:
    """The pseudonyms of these people, and the query for those of whom has left; asks for the house's key once in the life of a process."""
    names = {person: pseudonym(engine, person) for person in people}
    query = Query("SELECT digest FROM departed WHERE digest IN {digests}", {"digests": sorted(names.values())})
    return names, query


def pseudonym(engine: Engine, person: str) -> str:
    """The person's name where nobody may be named: HMAC-SHA-256 under the house's key, hex. Whether they have left or never
    were makes no difference to it.
    """
    if engine not in _KEYS:
        with reading(engine) as connection:
            _KEYS[engine] = _key(connection)
    return _digest(_KEYS[engine], person)


def pseudonyms(connection: Connection, people: Collection[str]) -> list[str]:
    """The same of each of these people, within a transaction."""
    key = _key(connection)
    return [_digest(key, person) for person in people]


def naming(connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
    """The rows of a batch, by their column `row`, that name somebody who has left: `row` and `reason`."""
    nobody = pl.DataFrame(schema={"row": pl.Int64, "reason": pl.String})
    if not _anyone(connection):
        return nobody
    moved = events.filter(pl.col("kind") == "event.corrected").select("row", "fields")
    told = {row: str(corrections(fields).get("other") or "") for row, fields in moved.iter_rows()}
    parties = {*events["subject"].unique(), *events["other"].drop_nulls().unique(), *told.values()} - {""}
    left = gone(connection, parties)
    if not left:
        return nobody
    named = pl.any_horizontal(pl.col("subject", "other").is_in(list(left)).fill_null(False))
    fixed = pl.col("row").is_in([row for row, other in told.items() if other in left])
    return events.filter(named | fixed).select("row", pl.lit(REASON).alias("reason"))


def _anyone(connection: Connection) -> bool:
    return connection.execute(select(DEPARTED.c.digest).limit(1)).first() is not None


def _key(connection: Connection) -> bytes:
    return bytes.fromhex(connection.execute(select(HOUSE.c.key)).scalar_one())


def _digest(key: bytes, person: str) -> str:
    return hmac.digest(key, person.encode(), "sha256").hex()
