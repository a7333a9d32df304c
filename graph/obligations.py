"""Obligations and orders: what counts of the credit evidence, when it ended, and when what is adverse leaves.

An obligation is one contributor's loan, bill or account of one person; `due` names an instalment of it. Several reports of one
thing count once. A payment ends the instalment that it names; a settlement or writing-off ends the obligation, and with it
everything adverse in it, until it is opened again. What is adverse leaves five years after it ended (PRC credit reporting
regulation 2013, art. 16), whatever the order in which it was reported. docs/events.md has the rule in full.
"""

from datetime import datetime, tzinfo
from typing import Final

import polars as pl

from graph.calendar import latest_shown, shown
from graph.vocabulary import KINDS

RETENTION: Final = "5y"  # calendar years, by the clocks of the zone; five years after 29 February is 28 February
CREDIT: Final = tuple(k.name for k in KINDS if k.data_class == "credit")
ADVERSE: Final = tuple(k.name for k in KINDS if k.adverse)
STATUS: Final = ("ended_at", "disputed")
_ORDER: Final = "append order"
_OBLIGATION: Final = ("contributor", "subject", "obligation")
_ORDERED: Final = ("contributor", "subject", "order")
_INSTALMENT: Final = (*_OBLIGATION, "kind", "due", "undated")
_OPENED: Final = ("obligation.opened",)
_MISSED: Final = ("obligation.missed",)
_PAID: Final = ("obligation.paid",)
_CLOSED: Final = ("obligation.settled", "obligation.written_off")
_ORDERS: Final = ("order.settled", "order.overdue")
_ORDER_CLOSED: Final = ("order.settled", "order.cancelled")
_AT: Final = pl.col("happened_at")


def counting(rows: pl.DataFrame, disputes: pl.DataFrame, as_of: datetime, zone: tzinfo) -> pl.DataFrame:
    """Of credit evidence, what counts at `as_of`, in order: with `ended_at` (null: it has not) and `disputed`.

    `rows` is in append order and has that as a column; `disputes` has that column and `open`. An item whose dispute was
    upheld says nothing; one whose dispute is open says only what is in the person's favour. Years are those of the clocks of
    `zone`. Cost: a few joins by obligation.
    """
    known = _told(rows, disputes)
    ended = pl.concat([_obligations_ended(known), _openings_ended(known), _orders_ended(known)])
    dated = known.join(ended, on=_ORDER, how="left", maintain_order="left")
    adverse = _adverse()
    kept = dated.filter(~(adverse & pl.col("disputed")))
    for gone in (_expired(kept.filter(adverse), as_of, zone), _repeated_instalments(known), _repeated_endings(known)):
        kept = kept.join(gone, on=_ORDER, how="anti", maintain_order="left")
    return kept.select(*rows.columns, *STATUS)


def _expired(adverse: pl.DataFrame, as_of: datetime, zone: tzinfo) -> pl.DataFrame:
    """What ended five years ago or more."""
    over = shown(adverse["ended_at"], zone).dt.offset_by(RETENTION) <= latest_shown(as_of, zone)
    return adverse.filter(over.fill_null(False)).select(_ORDER)


def _adverse() -> pl.Expr:
    late = (pl.col("kind") == "order.settled") & (pl.col("days_late") > 0).fill_null(False)
    return pl.col("kind").is_in(ADVERSE) | late


def _told(rows: pl.DataFrame, disputes: pl.DataFrame) -> pl.DataFrame:
    """Without what was upheld, and without any report of a miss of which one is disputed."""
    if disputes.is_empty():
        return rows.with_columns(disputed=False)
    known = rows.join(disputes, on=_ORDER, how="left", maintain_order="left")
    misses = _instalments(known.filter(pl.col("kind").is_in(_MISSED)))
    wrong = misses.filter(pl.col("open").is_not_null()).select(_INSTALMENT)
    left_out = misses.join(wrong, on=_INSTALMENT, how="semi", nulls_equal=True)
    told = known.filter(pl.col("open").fill_null(True)).join(left_out, on=_ORDER, how="anti", maintain_order="left")
    return told.select(*rows.columns, disputed=pl.col("open").fill_null(False))


def _instalments(rows: pl.DataFrame) -> pl.DataFrame:
    """With what names the instalment: `due`, or else its moment (`undated`)."""
    return rows.with_columns(undated=pl.when(pl.col("due").is_null()).then(_AT))


def _repeated_instalments(known: pl.DataFrame) -> pl.DataFrame:
    """Reports of an instalment after the first."""
    reports = _instalments(known.filter(pl.col("kind").is_in((*_MISSED, *_PAID))))
    return _after_the_first(reports, _INSTALMENT)


def _repeated_endings(known: pl.DataFrame) -> pl.DataFrame:
    """Settlements after the first since an opening, and writings-off. A disputed writing-off stands for no other."""
    kind = pl.col("kind")
    settled, lost = known.filter(kind == _CLOSED[0]), known.filter(kind == _CLOSED[1], ~pl.col("disputed"))
    openings = known.filter(kind.is_in(_OPENED))
    parts = ((settled, openings), (lost, openings.filter(~pl.col("disputed"))))
    return pl.concat(_after_the_first(_last_opened(r, o), (*_OBLIGATION, "opened_at")) for r, o in parts)


def _after_the_first(reports: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    first = reports.select(_ORDER, "happened_at", *key).sort("happened_at", _ORDER).unique(key, keep="first")
    return reports.select(_ORDER).join(first, on=_ORDER, how="anti")


def _last_opened(rows: pl.DataFrame, openings: pl.DataFrame) -> pl.DataFrame:
    """With `opened_at`: when the obligation was last opened up to the row; null when it was not."""
    times = openings.select(*_OBLIGATION, opened_at=_AT)
    last = (
        rows.select(*_OBLIGATION, _ORDER, "happened_at")
        .join(times, on=_OBLIGATION)
        .filter(pl.col("opened_at") <= _AT)
        .group_by(_ORDER)
        .agg(pl.col("opened_at").max())
    )
    return rows.join(last, on=_ORDER, how="left")


def _obligations_ended(known: pl.DataFrame) -> pl.DataFrame:
    """When misses, settlements and writings-off ended: with the obligation, or with a payment that makes the miss good."""
    kind = pl.col("kind")
    rows = known.filter(kind.is_in((*_MISSED, *_CLOSED)))
    openings = known.filter(kind.is_in(_OPENED), ~pl.col("disputed"))
    closings = known.filter(kind.is_in(_CLOSED)).select(*_OBLIGATION, ended_at=_AT)
    run = _last_opened(rows, openings).join(closings, on=_OBLIGATION)
    closed = run.filter((pl.col("ended_at") >= pl.col("opened_at")).fill_null(True))
    paid = known.filter(kind.is_in(_PAID)).select(*_OBLIGATION, ended_at=_AT, named="due")
    owed = rows.filter(kind.is_in(_MISSED)).join(paid, on=_OBLIGATION)
    in_doubt = pl.col("named").is_null() | pl.col("due").is_null()
    good = owed.filter(pl.when(in_doubt).then(pl.col("ended_at") >= _AT).otherwise(pl.col("named") == pl.col("due")))
    return _earliest(pl.concat([closed.select(_ORDER, "ended_at"), good.select(_ORDER, "ended_at")]))


def _openings_ended(known: pl.DataFrame) -> pl.DataFrame:
    """When what was opened ended: at the first end from then on."""
    closings = known.filter(pl.col("kind").is_in(_CLOSED)).select(*_OBLIGATION, ended_at=_AT)
    opened = known.filter(pl.col("kind").is_in(_OPENED)).join(closings, on=_OBLIGATION)
    return _earliest(opened.filter(pl.col("ended_at") >= _AT))


def _orders_ended(known: pl.DataFrame) -> pl.DataFrame:
    ends = known.filter(pl.col("kind").is_in(_ORDER_CLOSED)).select(*_ORDERED, ended_at=_AT)
    return _earliest(known.filter(pl.col("kind").is_in(_ORDERS)).join(ends, on=_ORDERED))


def _earliest(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(_ORDER).agg(pl.col("ended_at").min())
