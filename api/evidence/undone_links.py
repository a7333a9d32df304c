"""Undone links: links that their source took back or changed, and links whose dispute we upheld.

While ids are linked, each decision about one of them counts for all. That lasts when consent or an open dispute ends the
link. It does not last when the link was wrong: a wrong link leaves no trace.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl
from sqlalchemy import Connection, delete, select, tuple_

from api.evidence import counting_lists, erasure_tombstones, excerpt
from api.store.tables import DECISION_SUBJECTS, SHARED_DECISIONS
from graph.evidence.visibility import stated_people
from graph.evidence.vocabulary import LINK_KIND

_ENDING_KINDS: Final = ("event.retracted", "event.corrected", "dispute.resolved")
_EVER: Final = timedelta(days=36_500)  # an end that is dated later than today counts at once


def stop_sharing(connection: Connection, new_events: pl.DataFrame, recorded_at: datetime) -> None:
    """Stop counting decisions for ids that no link joins any more, now that these events are in the ledger.

    Cost: one look-up while no decision is shared, or without retractions, corrections and answers to disputes.
    """
    changes = new_events.filter(pl.col("kind").is_in(_ENDING_KINDS))
    if changes.is_empty() or connection.execute(select(SHARED_DECISIONS.c.seq).limit(1)).first() is None:
        return
    targets = excerpt.referenced_events(connection, changes)
    links = pl.concat([targets, excerpt.referenced_events(connection, targets)]).filter(pl.col("kind") == LINK_KIND)
    if links.is_empty():
        return
    events, ids = excerpt.links_of(connection, links)
    people = stated_people(events, recorded_at + _EVER, recorded_at)
    names = dict(zip(erasure_tombstones.pseudonyms(connection, sorted(ids)), sorted(ids), strict=True))
    joined = SHARED_DECISIONS.join(DECISION_SUBJECTS, DECISION_SUBJECTS.c.seq == SHARED_DECISIONS.c.seq)
    columns = (SHARED_DECISIONS.c.pseudonym, SHARED_DECISIONS.c.seq, DECISION_SUBJECTS.c.subject)
    shares = select(*columns).select_from(joined).where(SHARED_DECISIONS.c.pseudonym.in_(names))
    ended = [
        (name, seq)
        for name, seq, subject in connection.execute(shares)
        if people.get(subject, subject) != people.get(names[name], names[name])
    ]
    if ended:
        key = tuple_(SHARED_DECISIONS.c.pseudonym, SHARED_DECISIONS.c.seq)
        connection.execute(delete(SHARED_DECISIONS).where(key.in_(ended)))
        counting_lists.rebuild(connection, {name for name, _ in ended})
