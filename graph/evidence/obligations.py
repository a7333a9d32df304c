"""Obligations and orders: select the credit evidence that counts, find when each item ended, and drop adverse items
that expired.

An obligation is one contributor's loan, bill or account of one person; `due` names an instalment of it. Several reports
of one thing count once. A payment ends the instalment that it names. A settlement or a write-off ends the obligation
and all its adverse items, until the obligation is opened again. We drop an adverse item five years after it ended (PRC
credit reporting regulation 2013, art. 16), in whatever order the events were reported. You find the full rule in
docs/events.md.
"""

from datetime import datetime, tzinfo
from typing import Final

import polars as pl

from graph.evidence.calendar import years_passed
from graph.evidence.vocabulary import EventVocabulary

RETENTION_YEARS: Final = 5
STATUS_COLUMNS: Final = ("ended_at", "disputed")
_ORDER: Final = "append order"
_OBLIGATION_KEY: Final = ("contributor", "subject", "obligation")
_ORDER_KEY: Final = ("contributor", "subject", "order")
_INSTALMENT_KEY: Final = (*_OBLIGATION_KEY, "kind", "due", "undated")
_OPENING: Final = ("opened",)
_MISS: Final = ("missed",)
_PAYMENT: Final = ("paid",)
_CLOSING: Final = ("settled", "written off")
_ORDER_ENDS: Final = ("order settled", "order overdue")
_ORDER_CLOSING: Final = ("order settled", "order cancelled")
_STEP: Final = pl.col("step")
_AT: Final = pl.col("happened_at")


def countable_credit(
    rows: pl.DataFrame, disputes: pl.DataFrame, as_of: datetime, zone: tzinfo, vocabulary: EventVocabulary
) -> pl.DataFrame:
    """Select the credit and adverse evidence that counts at `as_of`, in order, and add `ended_at` (null: not ended) and
    `disputed`.

    `rows` is in append order and holds it as a column; `disputes` has that column and `open`. We ignore an item with an
    upheld dispute. Of a step with an open dispute we use only the part in the person's favour, and of any other item
    nothing: we cannot tell which way it counts. Years are calendar
    years in `zone`. Cost: a few joins by obligation.
    """
    reports = _apply_disputes(rows.with_columns(_step(vocabulary)), disputes)
    endings = pl.concat(
        [
            *(_obligation_endings(reports), _opening_endings(reports), _order_endings(reports)),
            reports.filter(_STEP.is_null()).select(_ORDER, ended_at=_AT),  # it ended as it happened
        ]
    )
    with_endings = reports.join(endings, on=_ORDER, how="left", maintain_order="left")
    adverse = _is_adverse(vocabulary)
    is_suspended = pl.col("disputed") & (adverse | _STEP.is_null())
    remaining = with_endings.filter(~is_suspended)
    for removals in (
        _find_expired(remaining.filter(adverse), as_of, zone),
        _repeated_instalments(reports),
        _repeated_endings(reports),
    ):
        remaining = remaining.join(removals, on=_ORDER, how="anti", maintain_order="left")
    return remaining.select(*rows.columns, *STATUS_COLUMNS)


def _find_expired(adverse: pl.DataFrame, as_of: datetime, zone: tzinfo) -> pl.DataFrame:
    """Return the adverse items that ended five years ago or more."""
    is_expired = years_passed(adverse["ended_at"], RETENTION_YEARS, as_of, zone)
    return adverse.filter(is_expired.fill_null(False)).select(_ORDER)


def _step(vocabulary: EventVocabulary) -> pl.Expr:
    """The part that a row's kind has in the life of an obligation or order; null: none."""
    steps = dict.fromkeys(k.step for k in vocabulary.kinds if k.step)
    kind = pl.col("kind")
    parts = (pl.when(kind.is_in(vocabulary.steps(step))).then(pl.lit(step)) for step in steps)
    return pl.coalesce(*parts).alias("step")


def _is_adverse(vocabulary: EventVocabulary) -> pl.Expr:
    late = (_STEP == "order settled").fill_null(False) & (pl.col("days_late") > 0).fill_null(False)
    return pl.col("kind").is_in(vocabulary.adverse_kinds) | late


def _apply_disputes(rows: pl.DataFrame, disputes: pl.DataFrame) -> pl.DataFrame:
    """Drop items with an upheld dispute, and every report of a miss if one of its reports is disputed."""
    if disputes.is_empty():
        return rows.with_columns(disputed=False)
    joined = rows.join(disputes, on=_ORDER, how="left", maintain_order="left")
    misses = _instalments(joined.filter(_STEP.is_in(_MISS)))
    disputed_misses = misses.filter(pl.col("open").is_not_null()).select(_INSTALMENT_KEY)
    removals = misses.join(disputed_misses, on=_INSTALMENT_KEY, how="semi", nulls_equal=True)
    remaining = joined.filter(pl.col("open").fill_null(True)).join(
        removals, on=_ORDER, how="anti", maintain_order="left"
    )
    return remaining.select(*rows.columns, disputed=pl.col("open").fill_null(False))


def _instalments(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the key of the instalment: `due`, or the time of the event (`undated`)."""
    return rows.with_columns(undated=pl.when(pl.col("due").is_null()).then(_AT))


def _repeated_instalments(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the reports of an instalment after the first."""
    reports = _instalments(evidence.filter(_STEP.is_in((*_MISS, *_PAYMENT))))
    return _duplicates(reports, _INSTALMENT_KEY)


def _repeated_endings(reports: pl.DataFrame) -> pl.DataFrame:
    """Return settlements and write-offs after the first since an opening. A disputed write-off replaces no other."""
    settlements, write_offs = (
        reports.filter(_STEP.eq(_CLOSING[0])),
        reports.filter(_STEP.eq(_CLOSING[1]), ~pl.col("disputed")),
    )
    openings = reports.filter(_STEP.is_in(_OPENING))
    parts = ((settlements, openings), (write_offs, openings.filter(~pl.col("disputed"))))
    return pl.concat(_duplicates(_with_last_opening(r, o), (*_OBLIGATION_KEY, "opened_at")) for r, o in parts)


def _duplicates(reports: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    first = reports.select(_ORDER, "happened_at", *key).sort("happened_at", _ORDER).unique(key, keep="first")
    return reports.select(_ORDER).join(first, on=_ORDER, how="anti")


def _with_last_opening(rows: pl.DataFrame, openings: pl.DataFrame) -> pl.DataFrame:
    """Add `opened_at`: the last opening of the obligation up to the row; null without one."""
    times = openings.select(*_OBLIGATION_KEY, opened_at=_AT)
    last = (
        rows.select(*_OBLIGATION_KEY, _ORDER, "happened_at")
        .join(times, on=_OBLIGATION_KEY)
        .filter(pl.col("opened_at") <= _AT)
        .group_by(_ORDER)
        .agg(pl.col("opened_at").max())
    )
    return rows.join(last, on=_ORDER, how="left")


def _obligation_endings(reports: pl.DataFrame) -> pl.DataFrame:
    """Find when misses, settlements and write-offs ended: with the obligation, or with a payment that makes up for the
    miss.
    """
    rows = reports.filter(_STEP.is_in((*_MISS, *_CLOSING)))
    openings = reports.filter(_STEP.is_in(_OPENING), ~pl.col("disputed"))
    closings = reports.filter(_STEP.is_in(_CLOSING)).select(*_OBLIGATION_KEY, ended_at=_AT)
    open_periods = _with_last_opening(rows, openings).join(closings, on=_OBLIGATION_KEY)
    closed_periods = open_periods.filter((pl.col("ended_at") >= pl.col("opened_at")).fill_null(True))
    payments = reports.filter(_STEP.is_in(_PAYMENT)).select(*_OBLIGATION_KEY, ended_at=_AT, payment_due="due")
    misses = rows.filter(_STEP.is_in(_MISS)).join(payments, on=_OBLIGATION_KEY)
    in_doubt = pl.col("payment_due").is_null() | pl.col("due").is_null()
    made_good = misses.filter(
        pl.when(in_doubt).then(pl.col("ended_at") >= _AT).otherwise(pl.col("payment_due") == pl.col("due"))
    )
    return _earliest(pl.concat([closed_periods.select(_ORDER, "ended_at"), made_good.select(_ORDER, "ended_at")]))


def _opening_endings(reports: pl.DataFrame) -> pl.DataFrame:
    """Find when openings ended: at the first ending at or after the opening."""
    closings = reports.filter(_STEP.is_in(_CLOSING)).select(*_OBLIGATION_KEY, ended_at=_AT)
    openings = reports.filter(_STEP.is_in(_OPENING)).join(closings, on=_OBLIGATION_KEY)
    return _earliest(openings.filter(pl.col("ended_at") >= _AT))


def _order_endings(reports: pl.DataFrame) -> pl.DataFrame:
    ends = reports.filter(_STEP.is_in(_ORDER_CLOSING)).select(*_ORDER_KEY, ended_at=_AT)
    return _earliest(reports.filter(_STEP.is_in(_ORDER_ENDS)).join(ends, on=_ORDER_KEY))


def _earliest(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(_ORDER).agg(pl.col("ended_at").min())
