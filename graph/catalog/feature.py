"""A line of the catalogue, and the few shapes that most lines have.

A value is a bool, an integer, a scaled integer (a decimal of `digits` digits: 0.85 with 2 digits is 85), a duration in whole
days, an enum or a date, or missing. No float leaves a feature, which is what makes every engine give the same decision.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

MOST_COUNT: Final = 10**9
MOST_MONEY: Final = 9 * 10**15
MOST_DAYS: Final = 110_000  # three centuries: the earliest event is of 1900
MOST_RATIO: Final = 999_999  # 9999.99
Direction = Literal["higher is better", "lower is better", "none"]


@dataclass(frozen=True)
class Feature:
    """One line of the catalogue. `low` and `high` bound the value as it is stored, decimals scaled; it is clamped to them."""

    name: str  # dimension.name
    type: Literal["int", "decimal", "bool", "enum", "date", "duration"]  # a duration is held in whole days
    unit: str
    window: str  # what time before `as_of` it looks at
    data_class: str
    missing: str  # a sentence: what makes it missing
    about: str  # a sentence for an operator
    direction: Direction = "none"
    digits: int = 0
    values: tuple[str, ...] = ()
    low: int = 0
    high: int = MOST_COUNT
    zero: bool = False  # whether it is 0, rather than missing, where its class is consented to and there is nothing
    scope: Literal["local", "global"] = "local"
    cost: str = "O(events of the person)"
    reference: str = ""
    formula: str = ""  # how it is computed, in the terms of docs/features.md
    effort: int | None = None  # how hard it is for the person to better it, 1 to 4; None: not theirs to change

    @property
    def dimension(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


CLASS: Final = {  # of a dimension's features, where they don't say otherwise
    "identity": "identity",
    "capacity": "behaviour",
    "behaviour": "behaviour",
    "credit": "credit",
    "relationships": "relationship",
    "fraud": "behaviour",
}
UP: Final = "higher is better"
DOWN: Final = "lower is better"
TWO_YEARS: Final = "24 months"
YEAR: Final = "the last 12 full calendar months"


def refused(data_class: str) -> str:
    """What is said of a class without consent."""
    return f"no consent to {data_class} evidence"


def count(
    name: str, about: str, unit: str, window: str = "all", direction: Direction = UP, formula: str = ""
) -> Feature:
    """So many of something: 0 where the class is consented to and there is nothing."""
    data_class = CLASS[name.partition(".")[0]]
    missing = f"Missing with {refused(data_class)}; otherwise 0 when there is nothing."
    return Feature(name, "int", unit, window, data_class, missing, about, direction, zero=True, formula=formula)


def days(
    name: str, about: str, when: str, window: str = "all", direction: Direction = DOWN, formula: str = ""
) -> Feature:
    """A number of whole days; missing `when`."""
    feature = count(name, about, "days", window, direction, formula)
    missing = f"Missing with {refused(feature.data_class)}, or {when}."
    return replace(feature, type="duration", missing=missing, high=MOST_DAYS, zero=False)


def money(name: str, about: str, direction: Direction = "none", formula: str = "") -> Feature:
    """A sum of money over two years, in the minor units of its one currency."""
    feature = count(name, about, "minor units", TWO_YEARS, direction, formula)
    missing = f"Missing with {refused(feature.data_class)}, or when in more than one currency; otherwise 0 when there is nothing."
    return replace(feature, missing=missing, high=MOST_MONEY)


def ratio(
    name: str, about: str, when: str, window: str, high: int = 100, direction: Direction = UP, formula: str = ""
) -> Feature:
    """A ratio of two digits; missing `when`. `high` is as stored, in hundredths."""
    feature = count(name, about, "ratio", window, direction, formula)
    missing = f"Missing with {refused(feature.data_class)}, or {when}."
    return replace(feature, type="decimal", digits=2, high=high, missing=missing, zero=False)


def whole_layer(feature: Feature, cost: str, reference: str, formula: str = "") -> Feature:
    """The same, computed from a whole layer of the graph."""
    formula = formula or feature.formula
    return replace(feature, scope="global", cost=cost, reference=reference, formula=formula)
