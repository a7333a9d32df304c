"""Amendments: corrections and retractions are checked against the events that they are about before they are recorded."""

from collections.abc import Iterator
from typing import Final

import polars as pl
from sqlalchemy import Connection

from api.evidence import excerpt
from graph.events import IDENTITY
from graph.versions import History, Row, impossible

_SCHEMA: Final = {"row": pl.Int64, "reason": pl.String}
_CORRECTED: Final = "event.corrected"
_RETRACTED: Final = "event.retracted"
_WHAT: Final = {_CORRECTED: "correction", _RETRACTED: "retraction"}
_AMENDING: Final = pl.col("kind").is_in(list(_WHAT))
Key = tuple[str, str]


def rejected(connection: Connection, batch: pl.DataFrame) -> pl.DataFrame:
    """The corrections and retractions of a batch that would leave their event impossible: `row`, `reason`.

    An event may be recorded already or stand in the batch. A correction of neither is let in: the event may come later.
    Cost: some look-ups by index, and none without corrections and retractions.
    """
    amendments = batch.filter(_AMENDING)
    if amendments.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    named = excerpt.referred(connection, amendments)
    retraced = excerpt.referred(connection, named.filter(pl.col("kind") == _CORRECTED))
    stored = pl.concat([named, retraced]).unique("seq")
    words = excerpt.about(connection, stored)
    recorded = pl.concat([words, excerpt.about(connection, words)]).unique("seq").sort("seq")
    return pl.DataFrame(list(_wrong(stored, recorded.filter(_AMENDING), batch)), schema=_SCHEMA, orient="row")


def _wrong(stored: pl.DataFrame, recorded: pl.DataFrame, batch: pl.DataFrame) -> Iterator[tuple[int, str]]:
    """Each row is judged with those before it that are let in; the events of the batch come first."""
    amendments = batch.filter(_AMENDING)
    references = [p.select("kind", *IDENTITY, "ref_event") for p in (recorded, stored, amendments)]
    referring = pl.concat(references).filter(_AMENDING)
    fixes = referring.filter(pl.col("kind") == _CORRECTED).select(*IDENTITY, "ref_event")
    event_of: dict[Key, Key] = {(who, fix): (who, event) for who, fix, event in fixes.iter_rows()}
    beside = batch.join(referring.select("contributor", event_id="ref_event").unique(), on=IDENTITY, how="semi")
    events = (p.filter(~_AMENDING) for p in (beside, stored))
    histories = {_key(row): History(row) for part in events for row in part.iter_rows(named=True)}

    def history(word: Row) -> History | None:
        about = word["contributor"], word["ref_event"]
        return histories.get(event_of.get(about, about))

    for word in recorded.iter_rows(named=True):
        if (now := history(word)) is not None:
            now.add(word)
    known = set(recorded.select(IDENTITY).iter_rows())
    for word in amendments.iter_rows(named=True):
        if (now := history(word)) is None or _key(word) in known:
            continue
        if reasons := _against(word, now):
            yield word["row"], f"the {_WHAT[word['kind']]} makes its event impossible: {'; '.join(reasons)}"
        else:
            now.add(word)


def _against(word: Row, now: History) -> list[str]:
    """Why not to take a correction or retraction. One of an event that is taken back, or was impossible before, may be taken back."""
    taken_back = now.retracted or (word["ref_event"] == now.row["event_id"] and word["kind"] == _RETRACTED)
    if taken_back or (word["kind"] == _RETRACTED and any(impossible(now.row))):
        return []
    return list(impossible(now.after(word)))


def _key(row: Row) -> Key:
    return row["contributor"], row["event_id"]
