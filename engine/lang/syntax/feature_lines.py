"""Define the records of features.yaml. We have not checked them against each other yet."""

from dataclasses import dataclass

from engine.lang.model.problems import SourceSpan
from engine.lang.syntax.dated_record import DatedRecord
from engine.lang.syntax.expression_tree import Expr, Number, Word


@dataclass(frozen=True)
class WindowLine:
    """The period of a feature: a duration, `all`, or a number of calendar months (`months`, `full_months`)."""

    length: Word | None
    months: Number | None
    full_months: Number | None
    at: SourceSpan


@dataclass(frozen=True)
class FeatureLine:
    """A feature: a selection of events and a measure over them, or a formula over other features."""

    id: Word
    about: tuple[tuple[Word, Word], ...]  # by language; the language of a single text is empty
    of: tuple[Word, ...]
    role: Word | None
    where: Expr | None
    among: Expr | None
    window: WindowLine | None
    measure: Word | None
    value: Word | None
    less: tuple[Word, ...]
    within: Word | None
    steps: Number | None
    formula: Expr | None
    divided_by: Expr | None
    digits: Number | None
    rounding: Word | None
    missing: Word | None
    low: Number | None
    high: Number | None
    currency: Word | None
    unit: Word | None
    direction: Word | None
    effort: Number | None
    formerly: Word | None
    internal: bool
    at: SourceSpan


@dataclass(frozen=True)
class FeaturesFile(DatedRecord):
    """The content of features.yaml."""

    features: tuple[FeatureLine, ...]
    at: SourceSpan
