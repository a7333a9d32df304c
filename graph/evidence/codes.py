"""Replace texts by codes: grouping and joining 32-bit numbers is several times as fast as texts, in a quarter of the
memory.

When we compute features for everyone, we turn ids into codes at the entry and back into ids at the end. No step in
between may look inside an id. Comparing, grouping and joining give the same result with both. For a few people, we keep
the texts.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from graph.evidence.currencies import CURRENCY_DIGITS
from graph.evidence.events import DATA, KIND_FIELDS, SCHEMA
from graph.evidence.vocabulary import DISPUTE_OUTCOMES, READING_KINDS, STANDARD, EventVocabulary

ID_COLUMNS: Final = tuple(
    c
    for c in SCHEMA
    if c in ("contributor", "event_id", "subject", "other", "obligation", "order") or c.startswith("ref_")
)
TEXT_COLUMNS: Final = ("obligation", "order")
CURRENCIES: Final = pl.Enum(sorted(CURRENCY_DIGITS))  # in one byte, and still comparable with a text
INTEGER_TYPES: Final = {"identity_level": pl.Int8, "strength": pl.Int8, "days_late": pl.Int32}
_PARTIES_SCHEMA: Final = {"subject": pl.String, "other": pl.String}
BATCH_EVENTS: Final = 500_000  # some 100 MB of texts
EMPTY: Final = pl.DataFrame(schema=SCHEMA)
UNUSED_COLUMNS: Final = ("channel", "service", "statement")  # no feature reads these columns of evidence


@dataclass(frozen=True)
class Coding:
    """The mapping between ids and numbers; None keeps texts. Equal ids have equal codes, also across columns."""

    ids: pl.Categories | None = None
    anchor: pl.Series | None = None  # a column of these categories: Polars drops categories that no column uses
    vocabulary: EventVocabulary = STANDARD
    texts: frozenset[str] = frozenset()  # columns that stay texts

    def encode(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the frame with codes for the texts of `ID_COLUMNS`, and with the columns of few values in one byte."""
        return frame.select(self.encode_column(c) for c in frame.columns)

    def encode_column(self, name: str) -> pl.Expr:
        """Encode one column in the same way."""
        column = pl.col(name)
        if self.ids is None or name in self.texts:
            return column
        if name == "currency":
            return column.cast(CURRENCIES, strict=False)
        if name in ID_COLUMNS:
            return column.cast(pl.Categorical(self.ids)).to_physical()
        values = enum_values(self.vocabulary).get(name)
        if values is not None:
            return column.cast(pl.Enum(values), strict=False)
        return column.cast(INTEGER_TYPES[name]) if name in INTEGER_TYPES else column

    def encode_names(self, names: Mapping[str, str]) -> dict[object, object]:
        """Encode a mapping of ids to ids."""
        frame = pl.DataFrame({"subject": list(names), "other": list(names.values())}, schema=_PARTIES_SCHEMA)
        return dict(self.encode(frame).iter_rows())


def enum_values(vocabulary: EventVocabulary) -> dict[str, tuple[str, ...]]:
    """Return the values of the columns whose values are known beforehand."""
    return {
        "kind": tuple(vocabulary.kind_by_name),
        "tie": vocabulary.ties,
        "category": vocabulary.categories,
        "outcome": DISPUTE_OUTCOMES,
    }


PLAIN_CODING: Final = Coding()


@dataclass(frozen=True)
class EncodedEvents:
    """Events with codes for texts: the evidence, the statements about evidence, and the coding."""

    evidence: pl.DataFrame
    statements: pl.DataFrame
    coding: Coding


@dataclass(frozen=True)
class EventReader:
    """Reads events batch by batch, with codes for texts; no column of texts is ever whole.

    `sources`: events in append order, one after the other. `columns`: those of the evidence that features read. `refers`: whether
    evidence refers to other evidence. `references`: the ids of the events that others refer to; we set any other id to null.
    """

    sources: tuple[pl.LazyFrame, ...]
    coding: Coding
    columns: tuple[str, ...]
    references: pl.Series
    refers: bool

    def evidence(self) -> Iterator[pl.DataFrame]:
        """Yield the evidence, at most `BATCH_EVENTS` rows at a time."""
        return self.batches(self.coding.vocabulary.evidence_kinds, self.columns)

    def statements(self, but: Collection[str] = ()) -> pl.DataFrame:
        """Return the statements about evidence, in all columns, without the kinds in `but`."""
        columns = tuple(c for c in SCHEMA if c != "statement")
        kinds = [k for k in READING_KINDS if k not in but]
        return pl.concat([self.encoded(EMPTY, columns), *self.batches(kinds, columns)])

    def batches(self, kinds: Collection[str], columns: tuple[str, ...]) -> Iterator[pl.DataFrame]:
        """Yield the events of these kinds."""
        for source in self.sources:
            names = source.collect_schema().names()
            read = source.select(c for c in names if c in {*columns, "kind"})
            height = read.select(pl.len()).collect().item()
            for start in range(0, height, BATCH_EVENTS):
                rows = read.slice(start, BATCH_EVENTS).filter(pl.col("kind").is_in(kinds)).collect()
                if rows.height:
                    yield self.encoded(rows, columns)

    def encoded(self, rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
        """Encode events, in these columns."""
        is_referenced = pl.col("event_id").is_in(self.references.implode())
        event_ids = {"event_id": pl.when(is_referenced).then(pl.col("event_id"))} if "event_id" in columns else {}
        complete = rows.select(_columns(rows.columns, columns)).with_columns(**event_ids)
        return complete.select(self.coding.encode_column(c) for c in columns)


def event_reader(
    sources: Sequence[pl.LazyFrame],
    vocabulary: EventVocabulary = STANDARD,
    keep: Collection[str] = (),
    texts: Collection[str] = (),
) -> EventReader:
    """Prepare to read events. We drop columns that no feature reads, but for those in `keep`.

    The columns `texts` stay texts: `TEXT_COLUMNS` may, since we compare no other column with them. An event's id becomes null
    unless another event refers to it, which is the case for few of the events in a ledger. Cost: a pass over the kinds.
    """
    ids = pl.Categories.random()
    coding = Coding(ids, pl.Series(dtype=pl.Categorical(ids)), vocabulary, frozenset(texts))
    kinds = (
        *STANDARD.kinds,
        *vocabulary.kinds,
    )  # columns of ties and payments must be there, with and without such events
    evidence_fields = {c for kind in kinds if kind.data_class for c in kind.fields}
    statement_columns = tuple(c for c in KIND_FIELDS if c not in evidence_fields)
    statement_references = _references(sources, READING_KINDS)
    own_references = _references(sources, vocabulary.reversals)
    unused = UNUSED_COLUMNS if vocabulary.extra_fields else (*UNUSED_COLUMNS, DATA)
    if not own_references.len():  # no evidence refers to other evidence
        unused = (*unused, "ref_event")
    columns = tuple(c for c in SCHEMA if c in keep or c not in (*statement_columns, *unused))
    references = pl.concat([statement_references, own_references]).unique()
    return EventReader(tuple(sources), coding, columns, references, bool(own_references.len()))


def _references(sources: Sequence[pl.LazyFrame], kinds: Collection[str]) -> pl.Series:
    """Return the ids that events of these kinds name in `ref_event`."""
    with_references = [s for s in sources if "ref_event" in s.collect_schema().names()]
    parts = [
        s.filter(pl.col("kind").is_in(kinds)).select(pl.col("ref_event").drop_nulls()).collect()
        for s in with_references
    ]
    return pl.concat([pl.DataFrame(schema={"ref_event": pl.String}), *parts])["ref_event"]


def encode_events(
    events: pl.LazyFrame | Sequence[pl.LazyFrame],
    vocabulary: EventVocabulary = STANDARD,
    keep: Collection[str] = (),
    texts: Collection[str] = (),
) -> EncodedEvents:
    """Read all events as `event_reader` does; both parts keep their order. Memory: 80 bytes an event."""
    reader = event_reader([events] if isinstance(events, pl.LazyFrame) else events, vocabulary, keep, texts)
    evidence = pl.concat([reader.encoded(EMPTY, reader.columns), *reader.evidence()])
    return EncodedEvents(evidence, reader.statements(), reader.coding)


def names_of(coding: Coding, codes: pl.Series) -> dict[object, str]:
    """Return the ids of these codes; without codes, these texts themselves."""
    if coding.ids is None:
        return {code: code for code in codes}
    table = code_table(coding).filter(pl.col("code").is_in(codes.implode()))
    return dict(table.iter_rows())


def code_table(coding: Coding) -> pl.DataFrame:
    """Return the id of each code, in columns `code` and `id`."""
    if coding.ids is None:
        raise ValueError("this coding keeps texts: there are no codes to look up")
    return coding.ids.to_series().rename("id").to_frame().with_row_index("code")


def _columns(available: list[str], columns: tuple[str, ...]) -> list[pl.Expr]:
    return [pl.col(c) if c in available else pl.lit(None, SCHEMA[c]).alias(c) for c in columns]
