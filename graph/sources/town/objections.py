"""What people and contributors say about evidence: disputes and how they ended, corrections, retractions."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.sources.town.frame import DAY, HOUSE, Ints, Span, picked, rows

_DISPUTED, _RESOLVED, _UPHELD = 0.02, 0.6, 0.4
_CORRECTED, _RETRACTED = 0.002, 0.003
_STATEMENTS: Final = ("i had paid before that day", "this was somebody else", "the amount is wrong")


def objection_events(adverse: pl.DataFrame, rng: np.random.Generator, span: Span) -> Iterator[pl.DataFrame]:
    """dispute.opened and .resolved of a few of the adverse events, and event.retracted of a few others."""
    draw = rng.random(adverse.height)
    disputed = np.flatnonzero(draw < _DISPUTED)
    opened = _later(adverse, disputed, rng, 20, span)
    yield _dispute(
        adverse,
        disputed,
        opened,
        "dispute.opened",
        "d",
        statement=picked(_STATEMENTS, rng.integers(0, 3, len(disputed))),
    )
    closed = opened + ((1 + 19 * rng.random(len(disputed))) * DAY).astype(np.int64)  # within the 20 days of the law
    over = (rng.random(len(disputed)) < _RESOLVED) & (closed < span.end)
    outcome = picked(("rejected", "upheld"), (rng.random(int(over.sum())) < _UPHELD).astype(np.int64))
    yield _dispute(adverse, disputed[over], closed[over], "dispute.resolved", "dr", outcome=outcome)
    wrong = np.flatnonzero(draw > 1 - _RETRACTED)
    yield _amended(adverse, wrong, _later(adverse, wrong, rng, 30, span), "event.retracted", "er")


def correction_events(told: pl.DataFrame, rng: np.random.Generator, span: Span) -> pl.DataFrame:
    """event.corrected: the contributor sets the amount of a few events anew."""
    which = np.flatnonzero(rng.random(told.height) < _CORRECTED)
    amount = (told["amount"].to_numpy()[which] * (0.5 + rng.random(len(which)))).astype(np.int64)
    fields = pl.select(pl.concat_str(pl.lit('{"amount": '), pl.Series(amount).cast(pl.String), pl.lit("}"))).to_series()
    at = _later(told, which, rng, 30, span)
    return _amended(told, which, at, "event.corrected", "ec", fields=fields)


def _later(told: pl.DataFrame, which: Ints, rng: np.random.Generator, days: int, span: Span) -> Ints:
    at: Ints = told["happened_at"].dt.epoch("us").to_numpy()[which]
    return np.minimum(at + (rng.random(len(which)) * days * DAY).astype(np.int64), span.end - 1)


def _ids(told: pl.DataFrame, which: Ints, prefix: str) -> pl.Series:
    return pl.select(pl.concat_str(pl.lit(prefix + "-"), told["event_id"].gather(which))).to_series()


def _dispute(adverse: pl.DataFrame, which: Ints, at: Ints, kind: str, prefix: str, **more: pl.Series) -> pl.DataFrame:
    """The person objects at the house, to an event of a contributor."""
    return rows(
        kind,
        HOUSE,
        event_id=_ids(adverse, which, prefix),
        subject=adverse["subject"].gather(which),
        happened_at=at,
        ref_contributor=adverse["contributor"].gather(which),
        ref_event=adverse["event_id"].gather(which),
        **more,
    )


def _amended(told: pl.DataFrame, which: Ints, at: Ints, kind: str, prefix: str, **more: pl.Series) -> pl.DataFrame:
    """The contributor takes back or sets right its own event."""
    contributor = told["contributor"][0] if told.height else HOUSE
    return rows(
        kind,
        contributor,
        event_id=_ids(told, which, prefix),
        subject=told["subject"].gather(which),
        happened_at=at,
        ref_event=told["event_id"].gather(which),
        **more,
    )
