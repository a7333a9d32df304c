"""Statements of people and contributors about evidence: disputes and their outcomes, corrections, retractions."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.frame import DAY, SYSTEM, Ints, TimeSpan, pick, rows

_DISPUTED, _RESOLVED, _UPHELD = 0.02, 0.6, 0.4
_CORRECTED, _RETRACTED = 0.002, 0.003
_STATEMENTS: Final = ("i had paid before that day", "this was somebody else", "the amount is wrong")


def objection_events(adverse: pl.DataFrame, rng: np.random.Generator, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate dispute.opened and .resolved for a few of the adverse events, and event.retracted for a few others."""
    draw = rng.random(adverse.height)
    disputed = np.flatnonzero(draw < _DISPUTED)
    opened = _later_times(adverse, disputed, rng, 20, span)
    yield _dispute(
        adverse,
        disputed,
        opened,
        "dispute.opened",
        "d",
        statement=pick(_STATEMENTS, rng.integers(0, 3, len(disputed))),
    )
    closed = opened + ((1 + 19 * rng.random(len(disputed))) * DAY).astype(
        np.int64
    )  # within the 20 days that the law sets
    over = (rng.random(len(disputed)) < _RESOLVED) & (closed < span.end)
    outcome = pick(("rejected", "upheld"), (rng.random(int(over.sum())) < _UPHELD).astype(np.int64))
    yield _dispute(adverse, disputed[over], closed[over], "dispute.resolved", "dr", outcome=outcome)
    wrong = np.flatnonzero(draw > 1 - _RETRACTED)
    yield _amendments(adverse, wrong, _later_times(adverse, wrong, rng, 30, span), "event.retracted", "er")


def correction_events(events: pl.DataFrame, rng: np.random.Generator, span: TimeSpan) -> pl.DataFrame:
    """Generate event.corrected: the contributor changes the amount of a few events."""
    places = np.flatnonzero(rng.random(events.height) < _CORRECTED)
    amount = (events["amount"].to_numpy()[places] * (0.5 + rng.random(len(places)))).astype(np.int64)
    fields = pl.select(pl.concat_str(pl.lit('{"amount": '), pl.Series(amount).cast(pl.String), pl.lit("}"))).to_series()
    at = _later_times(events, places, rng, 30, span)
    return _amendments(events, places, at, "event.corrected", "ec", fields=fields)


def _later_times(events: pl.DataFrame, places: Ints, rng: np.random.Generator, days: int, span: TimeSpan) -> Ints:
    at: Ints = events["happened_at"].dt.epoch("us").to_numpy()[places]
    return np.minimum(at + (rng.random(len(places)) * days * DAY).astype(np.int64), span.end - 1)


def _ids(events: pl.DataFrame, places: Ints, prefix: str) -> pl.Series:
    return pl.select(pl.concat_str(pl.lit(prefix + "-"), events["event_id"].gather(places))).to_series()


def _dispute(adverse: pl.DataFrame, places: Ints, at: Ints, kind: str, prefix: str, **more: pl.Series) -> pl.DataFrame:
    """The person objects, through this service, to an event of a contributor."""
    return rows(
        kind,
        SYSTEM,
        event_id=_ids(adverse, places, prefix),
        subject=adverse["subject"].gather(places),
        happened_at=at,
        ref_contributor=adverse["contributor"].gather(places),
        ref_event=adverse["event_id"].gather(places),
        **more,
    )


def _amendments(
    events: pl.DataFrame, places: Ints, at: Ints, kind: str, prefix: str, **more: pl.Series
) -> pl.DataFrame:
    """The contributor retracts or corrects its own event."""
    contributor = events["contributor"][0] if events.height else SYSTEM
    return rows(
        kind,
        contributor,
        event_id=_ids(events, places, prefix),
        subject=events["subject"].gather(places),
        happened_at=at,
        ref_event=events["event_id"].gather(places),
        **more,
    )
