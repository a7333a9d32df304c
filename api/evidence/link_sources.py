"""Link sources: the contributors that may say that two ids are one person.

A wrong link gives one person the evidence of another. So an operator has to permit each source by name. We check it where events
enter the ledger, whichever way they come.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection, delete, insert, select

from api.evidence import event_queries, excerpt
from api.store.clock import micros, moment
from api.store.database import Database, reading, writing
from api.store.tables import LINK_SOURCES
from engine.errors import Rejected
from engine.lang.model.identifiers import flaw
from graph.evidence.events import EVENT_KEY, MAX_ID_LENGTH
from graph.evidence.vocabulary import LINK_KIND

REASON: Final = f"this contributor may not send `{LINK_KIND}`: ask an operator for `iftah links allow`"
_SCHEMA: Final = {"row": pl.Int64, "reason": pl.String}


def allow(database: Database, contributor: str, now: datetime) -> bool:
    """Permit a contributor to send links. Returns whether it was not permitted before. Raises Rejected `bad_party`."""
    problem = flaw(contributor) or (len(contributor) > MAX_ID_LENGTH and f"is longer than {MAX_ID_LENGTH} characters")
    if problem:
        hint = "name it as its events do"
        raise Rejected(f"the contributor {problem}", where="contributor", hint=hint, code="bad_party")
    with writing(database) as connection:
        if contributor in _allowed(connection):
            return False
        connection.execute(insert(LINK_SOURCES).values(contributor=contributor, allowed_at=micros(now)))
    return True


def deny(database: Database, contributor: str) -> None:
    """Take the permission back: the links that we have stay. Raises Rejected `no_such_source`."""
    with writing(database) as connection:
        if not connection.execute(delete(LINK_SOURCES).where(LINK_SOURCES.c.contributor == contributor)).rowcount:
            hint = "see `iftah links list`"
            message = f"`{contributor[:60]}` may not send links"
            raise Rejected(message, where="contributor", hint=hint, code="no_such_source")


def list_sources(database: Database) -> list[tuple[str, datetime]]:
    """The contributors that may send links, by name, and since when."""
    query = select(LINK_SOURCES.c.contributor, LINK_SOURCES.c.allowed_at).order_by(LINK_SOURCES.c.contributor)
    with reading(database) as connection:
        return [(contributor, moment(at)) for contributor, at in connection.execute(query)]


def rejections(
    connection: Connection, batch: pl.DataFrame, withheld_links: Iterable[tuple[str, str]] = ()
) -> pl.DataFrame:
    """The rows of a batch that only a permitted contributor may send: links, and corrections of its links (`row`, `reason`).

    `withheld_links` are the contributors and ids of links that we keep out of the ledger, since an end has left: a correction of
    them gets the same answer. A retraction is always taken. Cost: none for a batch without links and corrections.
    """
    rows = batch.filter(pl.col("kind").is_in([LINK_KIND, "event.corrected"]))
    if rows.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    withheld = pl.DataFrame(list(withheld_links), schema=dict.fromkeys(EVENT_KEY, pl.String), orient="row")
    links = [batch.filter(pl.col("kind") == LINK_KIND).select(EVENT_KEY), withheld]
    if connection.execute(event_queries.ANY_LINK).first() is not None:
        targets = excerpt.referenced_events(connection, rows.filter(pl.col("kind") == "event.corrected"))
        links.append(targets.filter(pl.col("kind") == LINK_KIND).select(EVENT_KEY))
    corrected = pl.struct(contributor="contributor", event_id="ref_event").is_in(pl.concat(links).to_struct().implode())
    about_links = rows.filter((pl.col("kind") == LINK_KIND) | corrected)
    if about_links.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    foreign = about_links.filter(~pl.col("contributor").is_in(sorted(_allowed(connection))))
    return foreign.select("row", pl.lit(REASON).alias("reason"))


def _allowed(connection: Connection) -> set[str]:
    return set(connection.execute(select(LINK_SOURCES.c.contributor)).scalars())
