"""Define a record for each kind of line in the evidence file. We have not checked the lines against each other yet."""

from dataclasses import dataclass

from engine.lang.model.problems import SourceSpan
from engine.lang.syntax.dated_record import DatedRecord
from engine.lang.syntax.expression_tree import Number, Word


@dataclass(frozen=True)
class EventFieldLine:
    """A field of a kind of events: its type, the digits of a decimal, the words of an enum, bounds, and whether it must be there."""

    type: Word
    digits: Number | None
    values: tuple[Word, ...]
    low: Number | None
    high: Number | None
    negative: bool
    required: bool
    at: SourceSpan


@dataclass(frozen=True)
class EventKindLine:
    """A kind of events: its data class, its second party, whom it counts for, its part in an obligation, and its fields."""

    id: Word
    about: tuple[tuple[Word, Word], ...]  # by language; the language of a single text is empty
    data_class: Word
    other: Word | None
    counts_for: Word | None
    adverse: bool
    years: Number | None
    step: Word | None
    reverses: Word | None
    fields: tuple[tuple[Word, EventFieldLine | None], ...]
    at: SourceSpan


@dataclass(frozen=True)
class EvidenceFile(DatedRecord):
    """The content of evidence.yaml: what can happen. It holds for all time, so it has no dates."""

    ties: tuple[Word, ...]
    categories: tuple[Word, ...]
    income: tuple[Word, ...]
    kinds: tuple[EventKindLine, ...]
    at: SourceSpan
