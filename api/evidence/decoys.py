"""Decoys: rows that are written and rolled back, so that the time of a submission does not reveal an erasure.

We write an event to the ledger, and one about an erased person to the withheld events: the two take different
times. So each submission does both. For the rows of one table, we write as many decoys to the other, and roll the savepoint back.
A decoy of an event has the shape of its event and none of its texts: PostgreSQL keeps a row that was rolled back until the next vacuum.
While there is no tombstone, we write no decoys. See docs/decisions/0037-timing-of-event-submissions.md.
"""

import secrets
from contextlib import nullcontext
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection

from api.evidence import ledger, withheld
from api.evidence.insertion import REFUSED_SCHEMA
from api.evidence.ledger import AppendResult, CheckedBatch
from api.evidence.withheld import WithheldRows

_NAMES: Final = ("event_id", "subject", "other", "obligation", "order", "service", "ref_event")
_NOTHING_REFUSED: Final = pl.DataFrame(schema=REFUSED_SCHEMA)
_CORRECTION: Final = '{"amount": 1}'


def write(
    connection: Connection,
    good: pl.DataFrame,
    withheld_rows: WithheldRows,
    append_result: AppendResult,
    now: datetime,
    *,
    all_or_nothing: bool,
) -> None:
    """Write, and roll back, the opposite of a batch's rows: `withheld_rows` of it are withheld; the ledger took the rest."""
    if not withheld_rows.rows and not withheld_rows.not_withheld:
        return
    none_appended = all_or_nothing and not append_result.refused.is_empty()
    old = {*append_result.repeats, *append_result.refused["row"]}
    candidates = withheld_rows.not_withheld | withheld_rows.new if none_appended else withheld_rows.not_withheld
    entries = {entry[0]: entry for row, entry in candidates.items() if row not in old}
    repeated = [*withheld_rows.repeats, *withheld_rows.clashes, *(old & withheld_rows.not_withheld.keys())]
    decoys = _decoys(good, secrets.token_hex(4))
    whole = none_appended and bool(withheld_rows.clashes)  # then nothing came to the ledger
    opposite = decoys if whole else decoys.filter(pl.col("row").is_in(withheld_rows.rows))
    one_more = _decoys(good.head(1), secrets.token_hex(4))
    partly = 0 < opposite.height < good.height  # then the rest was appended: all batches are appended in two parts
    parts = [pl.concat([opposite, one_more])] if partly else [opposite, one_more]
    with connection.begin_nested() as savepoint:
        if entries:
            withheld.keep(connection, entries.values(), ledger.reserve_moment(connection, now))
        _append(connection, decoys.filter(pl.col("row").is_in(repeated)), now)  # the next ones repeat these
        for number, part in enumerate(parts):
            _append(connection, part, now, nested=all_or_nothing, undone=whole and number == 0)
        savepoint.rollback()


def _append(
    connection: Connection, events: pl.DataFrame, now: datetime, *, nested: bool = False, undone: bool = False
) -> None:
    if events.is_empty():
        return
    with connection.begin_nested() if nested else nullcontext() as savepoint:
        ledger.insert_in(connection, CheckedBatch(events, _NOTHING_REFUSED), now)
        if savepoint and undone:
            savepoint.rollback()


def _decoys(events: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """The same events under other names, which have the order of the names that they replace: so has the work of an index."""
    numbers = (pl.col(c).rank("dense").cast(pl.String).str.zfill(9) for c in _NAMES)
    names = ((pl.lit(f"{prefix}-") + number).alias(c) for c, number in zip(_NAMES, numbers, strict=True))
    correction = pl.when(pl.col("fields").is_not_null()).then(pl.lit(_CORRECTION)).alias("fields")
    amount = pl.when(pl.col("amount").is_not_null()).then(pl.lit(1, events.schema["amount"])).alias("amount")
    return events.with_columns(*names, correction, amount, statement=pl.lit(None, pl.String))
