"""One line of the catalogue, and constructors for the common forms of a line.

A value is a bool, an integer, a scaled integer (a decimal of `digits` digits: 0.85 with 2 digits is 85), a duration in
whole days, an enum, a date, or missing. We return no floats; therefore every engine makes the same decision.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

MAX_COUNT: Final = 10**9
MAX_MONEY: Final = 9 * 10**15
MAX_DAYS: Final = 110_000  # three centuries: the earliest event is from 1900
Direction = Literal["higher is better", "lower is better", "none"]


@dataclass(frozen=True)
class Feature:
    """One line of the catalogue. `low` and `high` bound the stored value (decimals scaled); we clip values to them."""

    name: str  # dimension.name
    type: Literal["int", "decimal", "bool", "enum", "date", "duration", "money"]  # a duration is stored in whole days
    unit: str
    window: str  # the period before `as_of` that it covers
    data_class: str
    missing: str  # a sentence: the condition under which it is missing
    about: str  # a sentence for an operator
    direction: Direction = "none"
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int = 0
    high: int = MAX_COUNT
    zero: bool = False  # 0 instead of missing if the person consents to the class and has no evidence
    scope: Literal["local", "global"] = "local"
    cost: str = "O(events of the person)"
    reference: str = ""
    formula: str = ""  # the computation, in the terms of docs/features.md
    # How hard it is for the person to improve it: 1 a matter of days, 2 a few weeks, 3 months, 4 a year or more; None: the person
    # cannot change it. Past facts, features of other people, and warnings of fraud have None. A judgement: no score depends on it.
    effort: int | None = None
    formerly: str = ""  # its name in an earlier version, if different

    @property
    def dimension(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


CLASS_BY_DIMENSION: Final = {  # the data class of a dimension's features, unless they name another
    "capacity": "behaviour",
    "behaviour": "behaviour",
    "credit": "credit",
    "relationships": "relationship",
    "fraud": "behaviour",
}
UP: Final = "higher is better"
TWO_YEARS: Final = "24 months"
YEAR: Final = "the last 12 full calendar months"


def without_consent(data_class: str) -> str:
    """Return the condition of missing consent, as a phrase."""
    return f"without consent to {data_class} evidence"


def count(
    name: str, about: str, unit: str, window: str = "all", direction: Direction = UP, formula: str = ""
) -> Feature:
    """Define a count: 0 if the person consents to the class and has no evidence."""
    data_class = CLASS_BY_DIMENSION[name.partition(".")[0]]
    missing = f"Missing {without_consent(data_class)}; otherwise 0 if there is no evidence."
    return Feature(name, "int", unit, window, data_class, missing, about, direction, zero=True, formula=formula)


def days(
    name: str, about: str, when: str, window: str = "all", direction: Direction = "lower is better", formula: str = ""
) -> Feature:
    """Define a number of whole days. `when` is the condition, as a phrase, for a missing value."""
    feature = count(name, about, "days", window, direction, formula)
    missing = f"Missing {without_consent(feature.data_class)}, or {when}."
    return replace(feature, type="duration", missing=missing, high=MAX_DAYS, zero=False)


def ratio(
    name: str, about: str, when: str, window: str, high: int = 100, direction: Direction = UP, formula: str = ""
) -> Feature:
    """Define a ratio of two digits; missing on the condition `when`. `high` is as stored, in hundredths."""
    feature = count(name, about, "ratio", window, direction, formula)
    missing = f"Missing {without_consent(feature.data_class)}, or {when}."
    return replace(feature, type="decimal", digits=2, high=high, missing=missing, zero=False)


def whole_layer(feature: Feature, cost: str, reference: str, formula: str = "") -> Feature:
    """Return the feature as one that is computed from a whole layer of the graph."""
    formula = formula or feature.formula
    return replace(feature, scope="global", cost=cost, reference=reference, formula=formula)
