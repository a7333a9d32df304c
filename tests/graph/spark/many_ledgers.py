"""Many ledgers as one: the people and contributors of each have a number, so that none meets another's. Spark takes as long for one as for many."""

import json
from collections.abc import Sequence

import polars as pl

from graph.evidence.events import SCHEMA
from graph.spark.partitions import EVENT_TYPES, ORDER, arrow_table

IDS = ("subject", "other", "contributor", "ref_contributor")


def as_one(ledgers: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The events of all, those of the first one first."""
    return pl.concat([_numbered(events, number) for number, events in enumerate(ledgers)])


def _numbered(events: pl.DataFrame, number: int) -> pl.DataFrame:
    renamed = [(pl.col(c) + f"~{number}").alias(c) for c in IDS]
    fields = [None if text is None else _other_numbered(text, number) for text in events["fields"]]
    return events.with_columns(*renamed, fields=pl.Series(fields, dtype=pl.String)).select(*SCHEMA)


def _other_numbered(text: str, number: int) -> str:
    fields = json.loads(text)
    return json.dumps(fields | ({"other": f"{fields['other']}~{number}"} if "other" in fields else {}))


def on_spark(session, events: pl.DataFrame, seed: int):
    """The events as a frame of Spark, in any order, with their places in the order of appending."""
    places = {ORDER[0]: pl.lit("a file"), ORDER[1]: pl.int_range(pl.len(), dtype=pl.Int64)}
    rows = events.with_columns(**places).sample(fraction=1, shuffle=True, seed=seed % 10**6)
    return session.createDataFrame(arrow_table(rows, EVENT_TYPES)) if rows.height else _empty(session)


def _empty(session):
    return session.createDataFrame(arrow_table(pl.DataFrame(schema=EVENT_TYPES), EVENT_TYPES))
