"""Amendments: corrections are checked against what they correct before they are recorded."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import polars as pl
from sqlalchemy import Connection

from api.evidence import excerpt
from graph.events import IDENTITY
from graph.versions import Row, changed, impossible, versions

_SCHEMA: Final = {"row": pl.Int64, "reason": pl.String}
Key = tuple[str, str]


def rejected(connection: Connection, batch: pl.DataFrame) -> pl.DataFrame:
    """The corrections of a batch that would make their event impossible: `row`, `reason`.

    An event may be recorded already or stand in the batch. A correction of neither is let in: the event may come later.
    Cost: some look-ups by index, and none without corrections.
    """
    fixes = batch.filter(pl.col("kind") == "event.corrected")
    if fixes.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    stored = excerpt.referred(connection, fixes)
    said = excerpt.about(connection, stored)
    recorded = pl.concat([said, excerpt.about(connection, said)]).unique("seq").sort("seq")
    return pl.DataFrame(list(_wrong(stored, recorded, batch)), schema=_SCHEMA, orient="row")


def _wrong(stored: pl.DataFrame, recorded: pl.DataFrame, batch: pl.DataFrame) -> Iterator[tuple[int, str]]:
    """Retractions in the batch itself are not looked at: a correction beside them must be possible without them, too."""
    fixes = batch.filter(pl.col("kind") == "event.corrected")
    beside = batch.join(fixes.select("contributor", event_id="ref_event").unique(), on=IDENTITY, how="semi")
    events: dict[Key, Row] = {_key(r): r for part in (beside, stored) for r in part.iter_rows(named=True)}
    words: defaultdict[Key, list[Row]] = defaultdict(list)
    for word in recorded.iter_rows(named=True):
        words[word["contributor"], word["ref_event"]].append(word)
    known = {_key(word) for said in words.values() for word in said}
    now: dict[Key, Row] = {}
    for fix in fixes.iter_rows(named=True):
        key = fix["contributor"], fix["ref_event"]
        if key not in events or _key(fix) in known:
            continue
        row = changed(now.get(key) or _current(events[key], words), fix["fields"])
        if reasons := list(impossible(row)):
            yield fix["row"], f"the correction makes its event impossible: {'; '.join(reasons)}"
        else:
            now[key] = row


def _current(event: Row, words: dict[Key, list[Row]]) -> Row:
    own = words.get(_key(event), [])
    return versions(event, [*own, *(r for fix in own for r in words.get(_key(fix), []))])[-1].row


def _key(row: Row) -> Key:
    return row["contributor"], row["event_id"]
