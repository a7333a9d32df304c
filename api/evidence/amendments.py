"""Amendments: corrections and retractions are checked against the events that they are about before they are recorded."""

from collections.abc import Iterator
from typing import Final

import polars as pl
from sqlalchemy import Connection

from api.evidence import excerpt
from graph.evidence.events import EVENT_KEY
from graph.evidence.versions import EventHistory, Row, contradictions
from graph.evidence.vocabulary import EventVocabulary

_SCHEMA: Final = {"row": pl.Int64, "reason": pl.String}
_CORRECTION: Final = "event.corrected"
_RETRACTION: Final = "event.retracted"
_NOUN_OF_KIND: Final = {_CORRECTION: "correction", _RETRACTION: "retraction"}
_IS_AMENDMENT: Final = pl.col("kind").is_in(list(_NOUN_OF_KIND))
Key = tuple[str, str]


def rejections(connection: Connection, batch: pl.DataFrame, vocabulary: EventVocabulary) -> pl.DataFrame:
    """The corrections and retractions of a batch that would leave their event impossible: `row`, `reason`.

    An event may be recorded already or stand in the batch. A correction of neither is let in: the event may come later.
    Cost: some look-ups by index, and none without corrections and retractions.
    """
    amendments = batch.filter(_IS_AMENDMENT)
    if amendments.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    targets = excerpt.referenced_events(connection, amendments)
    original_targets = excerpt.referenced_events(connection, targets.filter(pl.col("kind") == _CORRECTION))
    stored_events = pl.concat([targets, original_targets]).unique("seq")
    references = excerpt.references_to(connection, stored_events)
    recorded_events = pl.concat([references, excerpt.references_to(connection, references)]).unique("seq").sort("seq")
    problems = _find_problems(stored_events, recorded_events.filter(_IS_AMENDMENT), batch, vocabulary)
    return pl.DataFrame(list(problems), schema=_SCHEMA, orient="row")


def _find_problems(
    stored_events: pl.DataFrame, recorded_events: pl.DataFrame, batch: pl.DataFrame, vocabulary: EventVocabulary
) -> Iterator[tuple[int, str]]:
    """Each row is judged with those before it that are let in; the events of the batch come first."""
    amendments = batch.filter(_IS_AMENDMENT)
    references = [p.select("kind", *EVENT_KEY, "ref_event") for p in (recorded_events, stored_events, amendments)]
    all_amendments = pl.concat(references).filter(_IS_AMENDMENT)
    fixes = all_amendments.filter(pl.col("kind") == _CORRECTION).select(*EVENT_KEY, "ref_event")
    event_of: dict[Key, Key] = {
        (contributor, fix): (contributor, event) for contributor, fix, event in fixes.iter_rows()
    }
    batch_targets = batch.join(
        all_amendments.select("contributor", event_id="ref_event").unique(), on=EVENT_KEY, how="semi"
    )
    events = (p.filter(~_IS_AMENDMENT) for p in (batch_targets, stored_events))
    histories = {_key(row): EventHistory(row, vocabulary) for part in events for row in part.iter_rows(named=True)}

    def history(amendment: Row) -> EventHistory | None:
        key = amendment["contributor"], amendment["ref_event"]
        return histories.get(event_of.get(key, key))

    for amendment in recorded_events.iter_rows(named=True):
        if (current := history(amendment)) is not None:
            current.add(amendment)
    recorded_keys = set(recorded_events.select(EVENT_KEY).iter_rows())
    for amendment in amendments.iter_rows(named=True):
        if (current := history(amendment)) is None or _key(amendment) in recorded_keys:
            continue
        if reasons := _objections(amendment, current, vocabulary):
            yield (
                amendment["row"],
                f"the {_NOUN_OF_KIND[amendment['kind']]} makes its event impossible: {'; '.join(reasons)}",
            )
        else:
            current.add(amendment)


def _objections(amendment: Row, history: EventHistory, vocabulary: EventVocabulary) -> list[str]:
    """Why not to take a correction or retraction. One of an event that is taken back, or was impossible before, may be taken back."""
    is_retracted = history.retracted or (
        amendment["ref_event"] == history.row["event_id"] and amendment["kind"] == _RETRACTION
    )
    if is_retracted or (amendment["kind"] == _RETRACTION and any(contradictions(history.row, vocabulary))):
        return []
    return list(contradictions(history.row_after(amendment), vocabulary))


def _key(row: Row) -> Key:
    return row["contributor"], row["event_id"]
