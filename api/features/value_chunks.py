"""Read everyone's stored features and flags in chunks, so that memory does not grow with the population."""

import json
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from queue import Queue
from threading import Thread
from typing import Any, Final

import polars as pl
from sqlalchemy import select

from api.features.builds import Build
from api.store.database import Database, reading
from api.store.tables import FEATURES, SCORES
from engine.lang.engines.columns import dtype
from engine.lang.model.types import Type, Value

CHUNK: Final = 200_000  # people of a frame
TEXTS: Final = 25_000  # people whose texts we hold at once: a text takes ten times the memory of its numbers
_NATIVE: Final[Mapping[str, Any]] = {"Int64": pl.Int64, "String": pl.String, "Boolean": pl.Boolean}
Rows = Sequence[Any]  # person, and the values as JSON


def value_chunks(
    database: Database, build: Build, types: Mapping[str, Type], chunk: int = CHUNK
) -> Iterator[pl.DataFrame]:
    """Yield `person` and a column for each feature in `types`, ordered by person. A thread reads the texts ahead."""
    natives, frames = native_types(types), list[pl.DataFrame]()
    for rows in one_ahead(_row_chunks(database, build)):
        frames.append(_decoded(rows, natives))
        if sum(frame.height for frame in frames) >= chunk:
            yield pl.concat(frames)
            frames.clear()
    if frames:
        yield pl.concat(frames)


def _decoded(rows: Rows, natives: Mapping[str, Any]) -> pl.DataFrame:
    people, values = zip(*rows, strict=True)
    frame = pl.DataFrame({"person": people}, schema={"person": pl.String})
    if not natives:
        return frame
    text = "\n".join(values).encode()  # JSON has no line breaks: each text is one line
    return frame.with_columns(pl.read_ndjson(BytesIO(text), schema=dict(natives)).get_columns())


def stored_flags(database: Database, build: Build) -> dict[str, dict[str, Value | None]]:
    """The stored flags of the people who have one that is raised or unknown. Everyone else has none raised."""
    is_special = SCORES.c.flags.contains("true") | SCORES.c.flags.contains("null") | SCORES.c.flags.is_(None)
    query = select(SCORES.c.person, SCORES.c.flags).where(SCORES.c.build == build.id, is_special)
    with reading(database) as connection:
        return {person: json.loads(text or "{}") for person, text in connection.execute(query)}


def native_types(types: Mapping[str, Type]) -> dict[str, Any]:
    """The Polars dtype of a column of each type."""
    return {name: _NATIVE[dtype(type_).__name__] for name, type_ in types.items()}


def _row_chunks(database: Database, build: Build) -> Iterator[Rows]:
    query = (
        select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == build.id).order_by(FEATURES.c.person)
    )
    with reading(database) as connection:
        result = connection.execution_options(stream_results=True, yield_per=TEXTS).execute(query)
        yield from map(list, result.partitions(TEXTS))


def one_ahead(chunks: Iterator[Rows]) -> Iterator[Rows]:
    """The same chunks, the next of which a thread reads while you work: the database and the column engine use a core each."""
    queue: Queue[Rows | BaseException | None] = Queue(maxsize=1)

    def read() -> None:
        try:
            for rows in chunks:
                queue.put(rows)
            queue.put(None)
        except BaseException as error:
            queue.put(error)

    Thread(target=read, daemon=True, name="value-chunks").start()
    while (rows := queue.get()) is not None:
        if isinstance(rows, BaseException):
            raise rows
        yield rows
