"""Define the values that describe a feature of `rules/features.yaml`: a selection of events, and a measure over them.

We know no rule language here. A condition comes as a pair: an expression over columns, and a function of one row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:  # the cases beside the rules need no column engine
    import narwhals as nw

Row = Mapping[str, object]
Side = Literal["subject", "other", "either"]
Source = Literal["events", "ties", "neighbours", "features"]
Storage = Literal["integer", "bool", "date", "text"]
Measure = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "range",
    "spread",
    "distinct",
    "latest",
    "first",
    "days_since",
    "days_since_first",
    "months_with",
    "longest_gap",
    "share",
    "time_share",
    "busiest",
    "monthly_mean",
    "monthly_share",
    "monthly_steadiness",
    "formula",
]
MEASURES_OF_VALUES: Final = frozenset(
    ("sum", "mean", "min", "max", "range", "spread", "latest", "first", "monthly_mean", "monthly_steadiness")
)
SEQUENCE_MEASURES: Final = frozenset(("longest_gap", "busiest", "time_share"))  # read each event with the one before it
SUMS: Final = frozenset(("sum", "mean", "monthly_mean", "monthly_steadiness"))
SELECTIVE_MEASURES: Final = frozenset(("latest", "first"))
# The names that conditions can read beside the fields of an event, and the columns in which rows hold them.
KIND, OTHER, IS_PERSON = "kind", "other", "other_is_person"
AGE, HAPPENED_ON, TIME_OF_DAY = "age", "happened_on", "time_of_day"
UNCONVERTIBLE: Final = ""  # in place of a currency: there is an amount that no rate converts
CONTRIBUTOR_IDS: Final = (
    "obligation",
    "order",
)  # a contributor's own ids: equal ids of two contributors are two things


@dataclass(frozen=True)
class Condition:
    """A condition over a row: true, false, or unknown. `text` is its canonical form; equal texts mean the same.

    `columns` takes the day of `as_of` (days since 1970-01-01) and the column of each name that has another one; `row` takes
    a row with `as_of` in it.
    """

    text: str
    reads: frozenset[str]
    columns: "Callable[[int, Mapping[str, str]], nw.Expr]" = field(compare=False)
    row: Callable[[Row], bool | None] = field(compare=False)


@dataclass(frozen=True)
class Formula:
    """A whole number computed from features, or unknown: as a condition, but a number."""

    text: str
    reads: frozenset[str]
    columns: "Callable[[int, Mapping[str, str]], nw.Expr]" = field(compare=False)
    row: Callable[[Row], int | None] = field(compare=False)


@dataclass(frozen=True)
class Window:
    """The period before `as_of` from which events count: a length, calendar months, the last full calendar months, or all.

    At most one is set. The period is open at its start and includes `as_of`.
    """

    microseconds: int | None = None
    months: int | None = None
    full_months: int | None = None


@dataclass(frozen=True)
class Rate:
    """`divisor` minor units of a currency are worth `dividend` minor units of the currency of a feature."""

    currency: str
    dividend: int
    divisor: int


@dataclass(frozen=True)
class MeasuredField:
    """A field that a measure reads. `currency` names the column of its currency, if it is an amount of money.

    `scale` is the number of units of 1: 100 for a decimal of two digits. A `date` is held as days since 1970-01-01. `less` are
    the kinds of events that take an event back: we measure what they leave. `rates` convert amounts: the first is that of the
    feature's own currency. Without rates, all amounts must be in one currency, whichever it is.
    """

    name: str
    scale: int = 1
    currency: str | None = None
    is_date: bool = False
    less: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()

    @property
    def column(self) -> str:
        """The column of the value in its own currency, without a dot."""
        return f"{self.name} less {' '.join(self.less)}".replace(".", "/") if self.less else self.name

    @property
    def converted_column(self) -> str:
        """The column of the value in the currency of the feature."""
        return f"{self.column} in {self.rates[0].currency}" if self.rates else self.column

    @property
    def currency_column(self) -> str | None:
        """The column with the currency of `converted_column`."""
        return f"{self.converted_column} currency" if self.rates else self.currency


@dataclass(frozen=True)
class FeatureDefinition:
    """One feature. `low` and `high` bound its stored value; `classes` are the data classes of its evidence.

    - `kinds`, `side`, `window` and `where` select events; `among` restricts the events that a share is of.
    - `value` is the field that the measure reads, `fields` are all that it reads, with the form in which `data` holds them; `within` is the length of a busy period in microseconds.
    - `digits` scale the value: 0.85 with 2 digits is 85. We round halves up, or always down with `rounds_down`.
    - `zero`: 0 instead of missing if the person consents to all classes.
    - `formula`, divided by `divisor`, computes it from other features; `neighbour` is a feature of tied people, `steps` away at most.
    - `is_money`: the value is an amount in minor units of a currency. `is_internal`: rules cannot read it. `version` is the hash of its meaning, with that of the features it uses.
    """

    name: str
    measure: Measure
    source: Source = "events"
    kinds: tuple[str, ...] = ()
    side: Side = "subject"
    window: Window = Window()
    where: Condition | None = None
    among: Condition | None = None
    value: MeasuredField | None = None
    fields: tuple[tuple[str, Storage], ...] = ()
    within: int = 0
    digits: int = 0
    rounds_down: bool = False
    zero: bool = False
    low: int = 0
    high: int = 10**9
    classes: tuple[str, ...] = ()
    formula: Formula | None = None
    divisor: Formula | None = None
    neighbour: str | None = None
    steps: int = 1
    is_money: bool = False
    is_internal: bool = False
    version: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it depends on the person's own events and ties alone."""
        return self.source != "neighbours"

    @property
    def has_currencies(self) -> bool:
        """Whether we must know the currencies of its events: if there are several, or we cannot convert one, it is missing."""
        if self.measure == "formula":
            return self.is_money
        return self.measure in MEASURES_OF_VALUES and self.value is not None and self.value.currency is not None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that it has."""
        return tuple(c for c in (self.where, self.among) if c is not None)

    @property
    def reads(self) -> frozenset[str]:
        """The names of a row that it reads."""
        names = {name for condition in self.conditions for name in condition.reads}
        if self.value:
            names |= {self.value.column, *([self.value.currency] if self.value.currency else [])}
            names |= {"contributor"} if self.value.name in CONTRIBUTOR_IDS else set()
        return frozenset(names)

    @property
    def uses(self) -> frozenset[str]:
        """The features that it is computed from."""
        formulas = (f for f in (self.formula, self.divisor) if f is not None)
        neighbour_names = self.where.reads if self.where and self.source == "neighbours" else frozenset[str]()
        own = frozenset(name for f in formulas for name in f.reads)
        return own | neighbour_names | (frozenset([self.neighbour]) if self.neighbour else frozenset())


def distant_names(definitions: tuple[FeatureDefinition, ...]) -> frozenset[str]:
    """The features that depend on other people's features, themselves or through a formula."""
    distant = {d.name for d in definitions if not d.is_local}
    for definition in in_order(definitions):
        if definition.uses & distant:
            distant.add(definition.name)
    return frozenset(distant)


def in_order(definitions: tuple[FeatureDefinition, ...]) -> tuple[FeatureDefinition, ...]:
    """Sort the definitions so that each comes after those that it uses. Raises ValueError for a cycle."""
    remaining, ordered = {d.name: d for d in definitions}, list[FeatureDefinition]()
    while remaining:
        ready = [d for d in remaining.values() if not d.uses & set(remaining)]
        if not ready:
            raise ValueError(f"features form a cycle: {', '.join(sorted(remaining))}")
        ordered += ready
        for definition in ready:
            del remaining[definition.name]
    return tuple(ordered)
