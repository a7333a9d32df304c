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
_TARGET_KINDS: Final = {
    LINK_KIND: "event.corrected",
    "event.corrected": "event.retracted",
}  # what changes it to another link
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
    connection: Connection, batch: pl.DataFrame, withheld_links: Iterable[tuple[str, str, str]] = ()
) -> pl.DataFrame:
    """The rows of a batch that only a permitted contributor may send: links, corrections of its links, and retractions of such
    corrections, which bring another link back (`row`, `reason`). A retraction of a link is always taken.

    `withheld_links` are the contributors, ids and kinds of links and of their corrections that we keep out of the ledger, since an
    end has left: what is about them gets the same answer. Cost: none for a batch of other kinds.
    """
    rows = batch.filter(pl.col("kind").is_in([LINK_KIND, "event.corrected", "event.retracted"]))
    if rows.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    kind = pl.col("kind")
    columns = (*EVENT_KEY, "kind")
    withheld = pl.DataFrame(list(withheld_links), schema=dict.fromkeys(columns, pl.String), orient="row")
    targets = [batch.filter(kind == LINK_KIND).select(columns), withheld]
    if connection.execute(event_queries.ANY_LINK).first() is not None:
        targets.append(_links_and_corrections(connection, rows).select(columns))
    of_kind = {name: pl.concat(targets).filter(kind == name).select(EVENT_KEY).to_struct() for name in _TARGET_KINDS}
    target = pl.struct(contributor="contributor", event_id="ref_event")
    is_change = [(kind == name) & target.is_in(of_kind[other].implode()) for other, name in _TARGET_KINDS.items()]
    about_links = rows.filter(pl.any_horizontal(kind == LINK_KIND, *is_change))
    if about_links.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    foreign = about_links.filter(~pl.col("contributor").is_in(sorted(_allowed(connection))))
    return foreign.select("row", pl.lit(REASON).alias("reason"))


def _links_and_corrections(connection: Connection, rows: pl.DataFrame) -> pl.DataFrame:
    """The links, and the corrections of links, that these rows are about."""
    targets = excerpt.referenced_events(connection, rows)
    corrections = targets.filter(pl.col("kind") == "event.corrected")
    links = pl.concat([targets, excerpt.referenced_events(connection, corrections)]).filter(pl.col("kind") == LINK_KIND)
    return pl.concat(
        [
            targets.filter(pl.col("kind") == LINK_KIND),
            corrections.join(links, left_on=["contributor", "ref_event"], right_on=EVENT_KEY, how="semi"),
        ]
    )


def _allowed(connection: Connection) -> set[str]:
    return set(connection.execute(select(LINK_SOURCES.c.contributor)).scalars())
