"""Read everyone's stored features and flags in chunks, so that memory does not grow with the population."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl
from sqlalchemy import select

from api.features.builds import Build
from api.store.database import Database, reading
from api.store.tables import FEATURES, SCORES
from engine.lang.engines.columns import dtype
from engine.lang.model.types import Type

CHUNK: Final = 100_000  # people
_COLUMNS: Final = {"person": pl.String, "values": pl.String, "release": pl.String, "flags": pl.String}
_NATIVE: Final[Mapping[Any, Any]] = {"Int64": pl.Int64, "String": pl.String, "Boolean": pl.Boolean}


def value_chunks(
    database: Database, build: Build, types: Mapping[str, Type], flags: Mapping[str, Type], chunk: int = CHUNK
) -> Iterator[pl.DataFrame]:
    """Yield `person`, a column for each feature in `types` and each flag in `flags`, and `release`, under which we stored the
    flags: null without a score. Ordered by person.
    """
    query = (
        select(FEATURES.c.person, FEATURES.c["values"], SCORES.c.release, SCORES.c.flags)
        .outerjoin(SCORES, (SCORES.c.build == FEATURES.c.build) & (SCORES.c.person == FEATURES.c.person))
        .where(FEATURES.c.build == build.id)
        .order_by(FEATURES.c.person)
    )
    with reading(database) as connection:
        result = connection.execution_options(stream_results=True, yield_per=chunk).execute(query)
        for rows in result.partitions(chunk):
            people, values, releases, flag_texts = zip(*rows, strict=True)
            frame = pl.DataFrame([people, values, releases, flag_texts], schema=_COLUMNS)
            yield _decoded(_decoded(frame, "values", types), "flags", flags)


def native_types(types: Mapping[str, Type]) -> dict[str, Any]:
    """The Polars dtype of a column of each type."""
    return {name: _NATIVE[dtype(type_).__name__] for name, type_ in types.items()}


def _decoded(frame: pl.DataFrame, column: str, types: Mapping[str, Type]) -> pl.DataFrame:
    """The frame with the fields of a JSON text as columns of their own."""
    if not types:
        return frame.drop(column)
    return frame.with_columns(pl.col(column).str.json_decode(pl.Struct(native_types(types)))).unnest(column)
