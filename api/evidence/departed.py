"""Departed: who left is remembered by a keyed hash alone, so that nothing about them is taken in again.

Files that name them are refused those rows; what contributors send of them by the API is withheld (`api.evidence.withheld`).
Whoever asks the house for a token as a subject after leaving has come back: evidence about them is taken from then on.
"""

import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime
from typing import Final
from weakref import WeakKeyDictionary

import polars as pl
from sqlalchemy import Connection, Engine, delete, insert, select, update

from api.clock import micros
from api.database import Query, reading
from api.tables import DEPARTED, HOUSE, WITHHELD_EVENTS
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
    """The person is here again, if they ever left: what was withheld of them may be sent again."""
    digest = _digest(_key(connection), person)
    connection.execute(delete(DEPARTED).where(DEPARTED.c.digest == digest))
    connection.execute(delete(WITHHELD_EVENTS).where(WITHHELD_EVENTS.c.person == digest))


def gone(connection: Connection, people: Collection[str]) -> set[str]:
    """Who of these has left. Cost: one look-up while nobody has, then a hash for each."""
    if not people or not anyone(connection):
        return set()
    key = _key(connection)
    digests = {_digest(key, person): person for person in people}
    query = select(DEPARTED.c.digest)
    if len(digests) <= _FEW:
        query = query.where(DEPARTED.c.digest.in_(digests))
    return {digests[d] for d in connection.execute(query).scalars() if d in digests}


def asked(engine: Engine, people: Collection[str]) -> tuple[dict[str, str], Query]:
    """The pseudonyms of these people, and the query for those of whom has left."""
    names = {person: pseudonym(engine, person) for person in people}
    query = Query("SELECT digest FROM departed WHERE digest IN {digests}", {"digests": sorted(names.values())})
    return names, query


def pseudonym(engine: Engine, person: str) -> str:
    """The person's name where nobody may be named: HMAC-SHA-256 under the house's key, hex. Whether they have left or never
    were makes no difference to it.
    """
    key = _KEYS.get(engine)
    if key is None:
        with reading(engine) as connection:
            key = _key(connection)
    return _digest(key, person)


def pseudonyms(connection: Connection, people: Collection[str]) -> list[str]:
    """The same of each of these people, within a transaction."""
    key = _key(connection)
    return [_digest(key, person) for person in people]


def naming(connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
    """The rows of a batch, by their column `row`, that name somebody who has left: `row` and `reason`."""
    rows = pl.DataFrame({"row": sorted(whom(connection, events))}, schema={"row": pl.Int64})
    return rows.select("row", pl.lit(REASON).alias("reason"))


def hashes(connection: Connection, texts: Collection[str]) -> list[str]:
    """Keyed hashes of texts that are no people's names, of which there can be many: BLAKE2b under the house's key, hex."""
    key = _key(connection)
    return [hashlib.blake2b(text.encode(), key=key, digest_size=32).hexdigest() for text in texts]


def whom(connection: Connection, events: pl.DataFrame) -> dict[int, str]:
    """The same rows, and who it is that each names."""
    if not anyone(connection):
        return {}
    moved = events.filter(pl.col("kind") == "event.corrected").select("row", "fields")
    told = {row: str(corrections(fields).get("other") or "") for row, fields in moved.iter_rows()}
    parties = {*events["subject"].unique(), *events["other"].drop_nulls().unique(), *told.values()} - {""}
    left = gone(connection, parties)
    found = {row: other for row, other in told.items() if other in left}
    for side in ("other", "subject"):
        found |= dict(events.filter(pl.col(side).is_in(list(left))).select("row", side).iter_rows())
    return found


def anyone(connection: Connection) -> bool:
    """Whether anybody has left."""
    return connection.execute(select(DEPARTED.c.digest).limit(1)).first() is not None


def _key(connection: Connection) -> bytes:
    """The house's key, which never changes; asked for once in the life of a process."""
    key = _KEYS.get(connection.engine)
    if key is None:
        key = _KEYS[connection.engine] = bytes.fromhex(connection.execute(select(HOUSE.c.key)).scalar_one())
    return key


def _digest(key: bytes, person: str) -> str:
    return hmac.digest(key, person.encode(), "sha256").hex()
