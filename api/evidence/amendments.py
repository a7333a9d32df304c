"""Amendments: corrections and retractions are checked with the events that they are about before either is recorded."""

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
    """The rows of a batch that would leave an event impossible: `row`, `reason`.

    These are corrections and retractions, of an event that is recorded or stands in the batch; and an event that comes after
    its correction. A correction of neither is let in: the event may come later.
    Cost: some look-ups by index, and one without corrections and retractions.
    """
    amendments = batch.filter(_IS_AMENDMENT)
    early = excerpt.early_corrections(connection, batch)
    if amendments.is_empty() and early.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    targets = pl.concat([excerpt.referenced_events(connection, amendments), excerpt.by_keys(connection, early)])
    original_targets = excerpt.referenced_events(connection, targets.filter(pl.col("kind") == _CORRECTION))
    stored_events = pl.concat([targets, original_targets]).unique("seq")
    late_events = early.join(stored_events, on=EVENT_KEY, how="anti")
    known_events = pl.concat([stored_events, late_events], how="diagonal")
    references = excerpt.references_to(connection, known_events)
    recorded_events = pl.concat([references, excerpt.references_to(connection, references)]).unique("seq").sort("seq")
    histories = _Histories(stored_events, recorded_events.filter(_IS_AMENDMENT), batch, vocabulary)
    problems = [*histories.amendment_problems(), *histories.event_problems(late_events)]
    return pl.DataFrame(sorted(problems), schema=_SCHEMA, orient="row")


class _Histories:
    """The events that a batch amends or brings, each with its recorded corrections and retractions."""

    def __init__(
        self,
        stored_events: pl.DataFrame,
        recorded_amendments: pl.DataFrame,
        batch: pl.DataFrame,
        vocabulary: EventVocabulary,
    ) -> None:
        self._vocabulary = vocabulary
        self._batch, self._amendments = batch, batch.filter(_IS_AMENDMENT)
        parts = (recorded_amendments, stored_events, self._amendments)
        references = [p.select("kind", *EVENT_KEY, "ref_event") for p in parts]
        all_amendments = pl.concat(references).filter(_IS_AMENDMENT)
        fixes = all_amendments.filter(pl.col("kind") == _CORRECTION).select(*EVENT_KEY, "ref_event")
        self._event_of: dict[Key, Key] = {
            (contributor, fix): (contributor, ref) for contributor, fix, ref in fixes.iter_rows()
        }
        target_keys = all_amendments.select("contributor", event_id="ref_event").unique()
        batch_targets = batch.join(target_keys, on=EVENT_KEY, how="semi", maintain_order="left")
        batch_targets = batch_targets.unique(EVENT_KEY, keep="first", maintain_order=True)
        events = (p.filter(~_IS_AMENDMENT) for p in (batch_targets, stored_events))
        self._by_key = {
            _key(row): EventHistory(row, vocabulary) for part in events for row in part.iter_rows(named=True)
        }
        for amendment in recorded_amendments.iter_rows(named=True):
            if (history := self._of(amendment)) is not None:
                history.add(amendment)
        self._recorded_keys = set(recorded_amendments.select(EVENT_KEY).iter_rows())

    def _of(self, amendment: Row) -> EventHistory | None:
        key = amendment["contributor"], amendment["ref_event"]
        return self._by_key.get(self._event_of.get(key, key))

    def amendment_problems(self) -> Iterator[tuple[int, str]]:
        """Judge each correction and retraction with those before it that are let in; the events of the batch come first."""
        for amendment in self._amendments.iter_rows(named=True):
            history = self._of(amendment)
            if history is None or _key(amendment) in self._recorded_keys:
                continue
            if reasons := _objections(amendment, history, self._vocabulary):
                noun = _NOUN_OF_KIND[amendment["kind"]]
                yield amendment["row"], f"the {noun} makes its event impossible: {'; '.join(reasons)}"
            else:
                history.add(amendment)

    def event_problems(self, late_events: pl.DataFrame) -> Iterator[tuple[int, str]]:
        """Judge the events that come after a correction, with all their corrections that are let in."""
        rows = self._batch.join(late_events, on=EVENT_KEY, how="semi", maintain_order="left")
        for row in rows.iter_rows(named=True):
            history = self._by_key[_key(row)]
            if not history.retracted and (reasons := list(contradictions(history.row, self._vocabulary))):
                yield row["row"], f"a correction recorded before makes the event impossible: {'; '.join(reasons)}"


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
