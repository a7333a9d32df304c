"""Links: several ids of one person, each read as the id that stands for all of them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import polars as pl

from graph.evidence.declared_fields import decode, encode
from graph.evidence.events import DATA
from graph.evidence.vocabulary import EventVocabulary

MAX_LINKED_IDS: Final = 16  # of one person: a link that would join more has no effect
_PARTIES: Final = ("subject", "other")
_ID_SCHEMA: Final = {"id": pl.String, "person": pl.String}
Pair = tuple[str, str]


def representatives(links: Iterable[Pair], most: int = MAX_LINKED_IDS) -> dict[str, str]:
    """Return, for each linked id, the id that stands for its person: the first of the person's ids in alphabetical order.

    Links form chains and cycles. We take them in order, and leave out a link that would join more than `most` ids. Cost: for
    each link, the ids of one person.
    """
    people: dict[str, frozenset[str]] = {}
    for one, other in links:
        person = people.get(one, frozenset({one})) | people.get(other, frozenset({other}))
        if len(person) <= most:
            people.update(dict.fromkeys(person, person))
    return {linked_id: min(person) for linked_id, person in people.items()}


def ids_by_person(people: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return, for each linked id, all ids of its person in order, from the result of `representatives`."""
    ids: dict[str, list[str]] = {}
    for linked_id, person in sorted(people.items()):
        ids.setdefault(person, []).append(linked_id)
    return {linked_id: tuple(ids[person]) for linked_id, person in people.items()}


def rows_by_id(table: pl.DataFrame, ids: Collection[str], people: Mapping[str, str]) -> pl.DataFrame:
    """Return the rows of these ids, sorted: a row of a person becomes a row of each of the person's ids among `ids`.

    `table` has the column `person`; `people` is the result of `representatives`.
    """
    listed = sorted(set(ids))
    id_people = pl.DataFrame({"id": listed, "person": [people.get(i, i) for i in listed]}, schema=_ID_SCHEMA)
    rows = id_people.join(table, on="person", how="inner", maintain_order="left")
    return rows.with_columns(pl.col("id").alias("person")).select(table.columns)


def read_as_one(
    rows: pl.LazyFrame, codes: Mapping[object, object], names: Mapping[str, str], vocabulary: EventVocabulary
) -> pl.LazyFrame:
    """Replace each linked id by its person's, and drop what someone did with themselves.

    `codes` are the ids as the parties of `rows` have them, `names` the texts as the declared fields have them.
    """
    replaced = [pl.col(c).replace(codes) for c in _PARTIES]
    fields = [f.name for f in vocabulary.extra_fields.values() if f.type == "party"]
    if fields and DATA in rows.collect_schema().names():
        replaced.append(_with_people(pl.col(DATA), fields, names).alias(DATA))
    return rows.with_columns(replaced).filter((pl.col("subject") != pl.col("other")).fill_null(True))


def _with_people(data: pl.Expr, fields: list[str], names: Mapping[str, str]) -> pl.Expr:
    """Replace linked ids in declared fields of the type `party`. Few events have one, so we go row by row."""
    texts = [encode({"": name})[4:-2] for name in names]
    naming = pl.when(data.str.contains_any(texts)).then(data)
    replaced = naming.map_batches(lambda column: _replace_parties(column, fields, names), return_dtype=pl.String)
    return pl.coalesce(replaced, data)


def _replace_parties(column: pl.Series, fields: list[str], names: Mapping[str, str]) -> pl.Series:
    rows = (None if text is None else decode(text) for text in column.to_list())
    parties = ({f: names.get(str(row[f]), row[f]) for f in fields if f in row} if row else {} for row in rows)
    texts = (None if text is None else encode(decode(text) | new) for text, new in zip(column, parties, strict=True))
    return pl.Series(column.name, list(texts), pl.String)
