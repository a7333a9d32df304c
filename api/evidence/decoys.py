"""Decoys: rows that are written and rolled back, so that the time of a submission does not tell who has left.

An event about somebody is written to the ledger, and one about somebody who has left to what is withheld: the two take different
times. So each submission does both. For what went to one table, as many decoys go to the other, and the savepoint is rolled back.
A decoy of an event has the shape of its event and none of its texts: PostgreSQL keeps a row that was rolled back until the next vacuum.
While nobody has left there are none. See docs/decisions/0037-decoys.md.
"""

import secrets
from contextlib import nullcontext
from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import Connection

from api.evidence import ledger, withheld
from api.evidence.ledger import REFUSED_SCHEMA, Appended, Checked
from api.evidence.withheld import Withheld

_NAMES: Final = ("event_id", "subject", "other", "obligation", "order", "service", "ref_event")
_NOTHING_REFUSED: Final = pl.DataFrame(schema=REFUSED_SCHEMA)
_CORRECTION: Final = '{"amount": 1}'


def write(
    connection: Connection, good: pl.DataFrame, held: Withheld, done: Appended, now: datetime, *, all_or_nothing: bool
) -> None:
    """Write, and roll back, the opposite of what a batch wrote: `held` of it is withheld, the rest is `done`."""
    if not held.rows and not held.others:
        return
    nothing = all_or_nothing and not done.refused.is_empty()
    old = {*done.repeats, *done.refused["row"]}
    unkept = held.others | held.new if nothing else held.others
    entries = {entry[0]: entry for row, entry in unkept.items() if row not in old}
    repeated = [*held.repeats, *held.clashes, *(old & held.others.keys())]
    decoys = _decoys(good, secrets.token_hex(4))
    whole = nothing and bool(held.clashes)  # then nothing came to the ledger
    opposite = decoys if whole else decoys.filter(pl.col("row").is_in(held.rows))
    one_more = _decoys(good.head(1), secrets.token_hex(4))
    partly = 0 < opposite.height < good.height  # then the rest was appended: all batches are appended in two parts
    parts = [pl.concat([opposite, one_more])] if partly else [opposite, one_more]
    with connection.begin_nested() as savepoint:
        if entries:
            withheld.keep(connection, entries.values(), ledger.pass_by(connection, now))
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
        ledger.insert_in(connection, Checked(events, _NOTHING_REFUSED), now)
        if savepoint and undone:
            savepoint.rollback()


def _decoys(events: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """The same events under other names, which have the order of the names that they replace: so has the work of an index."""
    numbers = (pl.col(c).rank("dense").cast(pl.String).str.zfill(9) for c in _NAMES)
    names = ((pl.lit(f"{prefix}-") + number).alias(c) for c, number in zip(_NAMES, numbers, strict=True))
    correction = pl.when(pl.col("fields").is_not_null()).then(pl.lit(_CORRECTION)).alias("fields")
    amount = pl.when(pl.col("amount").is_not_null()).then(pl.lit(1, events.schema["amount"])).alias("amount")
    return events.with_columns(*names, correction, amount, statement=pl.lit(None, pl.String))
