"""The syntax tree of an import map. We have not checked its names against the kinds of events or a source's columns yet."""

from dataclasses import dataclass
from typing import Final

from engine.lang.model.problems import SourceSpan
from engine.lang.syntax.expression_tree import Expr, Number, Word

LINE: Final = "#line"  # in a template: the line of the source in which the row begins


@dataclass(frozen=True)
class TextTemplate:
    """A text with columns in it, such as `order-{id}`: texts and columns in turn, each column with its place."""

    parts: tuple[str | Word, ...]
    at: SourceSpan

    @property
    def holes(self) -> tuple[Word, ...]:
        """The names in braces."""
        return tuple(part for part in self.parts if isinstance(part, Word))

    @property
    def columns(self) -> tuple[Word, ...]:
        """The columns in it."""
        return tuple(hole for hole in self.holes if hole.text != LINE)


@dataclass(frozen=True)
class FieldSource:
    """How one field of an event is filled: by a column, a template or a constant, and how its text is understood."""

    at: SourceSpan
    column: Word | None = None
    template: TextTemplate | None = None
    value: Word | None = None
    lookup: tuple[tuple[Word, Word], ...] = ()
    otherwise: Word | None = None
    missing: Word | None = None
    scale: Number | Word | None = None
    multiplied_by: Word | None = None
    negate: bool = False
    rounding: Word | None = None
    format: Word | None = None
    zone: Word | None = None
    ambiguous: Word | None = None


FieldSources = tuple[tuple[Word, FieldSource | None], ...]  # None: it cannot be read, and the report says why


@dataclass(frozen=True)
class EventEntry:
    """One event that a row makes, if `when` holds. `first_only`: only the first row with its id makes it."""

    kind: Word
    fields: FieldSources
    at: SourceSpan
    when: Expr | None = None
    first_only: bool = False


@dataclass(frozen=True)
class ImportMap:
    """A map file. `columns`: other names of columns; `empty`: texts that mean no value; `fields`: those of every event."""

    events: tuple[EventEntry, ...]
    at: SourceSpan
    columns: tuple[tuple[Word, Word], ...] = ()
    fields: FieldSources = ()
    empty: tuple[Word, ...] = ()
    timezone: Word | None = None
    delimiter: Word | None = None
