"""Read everyone's stored features and flags in chunks, so that memory does not grow with the population."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, Final, TypeVar

import polars as pl
from sqlalchemy import Select, func, select

from api.features.builds import Build
from api.store.database import Database, reading
from api.store.tables import FEATURES, SCORES
from engine.lang.engines.columns import dtype
from engine.lang.model.types import Type

CHUNK: Final = 100_000  # people of a frame
TEXTS: Final = 25_000  # people whose texts we hold at once: a text takes ten times the memory of its numbers
ROWS: Final = (
    500  # rows of a fetch: memory that stays in the processor's cache, and too few to wake the garbage collector
)
_NATIVE: Final[Mapping[str, Any]] = {"Int64": pl.Int64, "String": pl.String, "Boolean": pl.Boolean}
Item = TypeVar("Item")


def value_chunks(
    database: Database, build: Build, types: Mapping[str, Type], chunk: int = CHUNK
) -> Generator[pl.DataFrame]:
    """Yield `person` and a column for each feature in `types`, each person once. A thread reads and decodes ahead."""
    return read_ahead(_feature_frames(database, build, native_types(types), chunk))


def stored_flags(database: Database, build: Build, flags: Iterable[str]) -> pl.DataFrame:
    """`person`, and the stored `flags` of the people who have one that is raised or unknown. Everyone else has none raised."""
    is_special = SCORES.c.flags.contains("true") | SCORES.c.flags.contains("null") | SCORES.c.flags.is_(None)
    query = select(SCORES.c.person, func.coalesce(SCORES.c.flags, "{}")).where(SCORES.c.build == build.id, is_special)
    return pl.concat(list(_frames(database, query, dict.fromkeys(flags, pl.Boolean))))


def native_types(types: Mapping[str, Type]) -> dict[str, Any]:
    """The Polars dtype of a column of each type."""
    return {name: _NATIVE[dtype(type_).__name__] for name, type_ in types.items()}


def _feature_frames(
    database: Database, build: Build, natives: Mapping[str, Any], chunk: int
) -> Generator[pl.DataFrame]:
    query = select(FEATURES.c.person, FEATURES.c["values"]).where(FEATURES.c.build == build.id)
    frames = list[pl.DataFrame]()
    for frame in _frames(database, query.order_by(FEATURES.c.person), natives, min(chunk, TEXTS)):
        frames.append(frame)
        if sum(frame.height for frame in frames) >= chunk:
            yield pl.concat(frames)
            frames.clear()
    if any(frame.height for frame in frames):
        yield pl.concat(frames)


def _frames(
    database: Database, query: Select[Any], natives: Mapping[str, Any], size: int = TEXTS
) -> Iterator[pl.DataFrame]:
    """The rows of a query for people and their values as JSON, in frames of that size; at the end what is left."""
    people, texts = list[str](), list[bytes]()
    for rows in row_chunks(database, query, min(size, ROWS)):
        new_people, values = zip(*rows, strict=True)
        people += new_people
        texts.append("\n".join(values).encode())  # JSON has no line breaks: each text is one line
        if len(people) >= size:
            yield _decoded(people, texts, natives)
            people, texts = [], []
    yield _decoded(people, texts, natives)


def _decoded(people: list[str], texts: list[bytes], natives: Mapping[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame({"person": people}, schema={"person": pl.String})
    if not natives:
        return frame
    values = (
        pl.read_ndjson(BytesIO(b"\n".join(texts)), schema=dict(natives)) if people else pl.DataFrame(schema=natives)
    )
    return frame.with_columns(values.get_columns())


def row_chunks(database: Database, query: Select[Any], size: int = ROWS) -> Iterator[Sequence[Any]]:
    """The rows of a query, so many at a time. We hold no more of them than that."""
    with reading(database) as connection:
        result = connection.execution_options(stream_results=True, yield_per=size).execute(query)
        yield from result.partitions(size)


def read_ahead(items: Generator[Item]) -> Generator[Item]:
    """The same items, the next of which a thread makes while you work: the database and the column engine use a core each."""
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        try:
            ahead = thread.submit(next, items, None)
            while (item := ahead.result()) is not None:
                ahead = thread.submit(next, items, None)
                yield item
        finally:
            thread.submit(items.close).result()  # in the thread that has the connection
