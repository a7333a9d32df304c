"""Every feature: what it says, in what unit, from which evidence, and when it is missing.

A value is a bool, an integer, a scaled integer (a decimal of `digits` digits: 0.85 with 2 digits is 85), a duration in whole
days, an enum or a date, or missing. No float leaves a feature, which is what makes every engine give the same decision.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

MOST_COUNT: Final = 10**9
MOST_MONEY: Final = 9 * 10**15
MOST_DAYS: Final = 110_000  # three centuries: the earliest event is of 1900
MOST_RATIO: Final = 999_999  # 9999.99
DIMENSIONS: Final = ("identity", "capacity", "behaviour", "credit", "relationships")

BOYD: Final = "Batagelj and Zaversnik, An O(m) algorithm for cores decomposition of networks, 2003"
CLUSTERING: Final = "Watts and Strogatz, Collective dynamics of small-world networks, Nature 393, 1998"
PAGERANK: Final = "Page et al., The PageRank citation ranking, 1999; seeded as in Cao et al., SybilRank, NSDI 2012"
FICO: Final = "FICO score, category %s"

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

    @property
    def dimension(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


_CLASS: Final = {"identity": "identity", "capacity": "behaviour", "behaviour": "behaviour"} | {
    "credit": "credit",
    "relationships": "relationship",
}
_UP: Final = "higher is better"
_DOWN: Final = "lower is better"
_TWO_YEARS: Final = "24 months"
_YEAR: Final = "the last 12 full calendar months"


def _refused(data_class: str) -> str:
    return f"no consent to {data_class} evidence"


def _count(name: str, about: str, unit: str, window: str = "all", direction: Direction = _UP) -> Feature:
    data_class = _CLASS[name.partition(".")[0]]
    missing = f"Missing with {_refused(data_class)}; otherwise 0 when there is nothing."
    return Feature(name, "int", unit, window, data_class, missing, about, direction, zero=True)


def _days(name: str, about: str, when: str, window: str = "all", direction: Direction = _DOWN) -> Feature:
    feature = _count(name, about, "days", window, direction)
    missing = f"Missing with {_refused(feature.data_class)}, or {when}."
    return replace(feature, type="duration", missing=missing, high=MOST_DAYS, zero=False)


def _money(name: str, about: str, direction: Direction = "none") -> Feature:
    feature = _count(name, about, "minor units", _TWO_YEARS, direction)
    missing = f"Missing with {_refused(feature.data_class)}, or when in more than one currency; otherwise 0 when there is nothing."
    return replace(feature, missing=missing, high=MOST_MONEY)


def _ratio(name: str, about: str, when: str, window: str, high: int = 100, direction: Direction = _UP) -> Feature:
    feature = _count(name, about, "ratio", window, direction)
    missing = f"Missing with {_refused(feature.data_class)}, or {when}."
    return replace(feature, type="decimal", digits=2, high=high, missing=missing, zero=False)


def _whole_layer(feature: Feature, cost: str, reference: str) -> Feature:
    return replace(feature, scope="global", cost=cost, reference=reference)


_IDENTITY = (
    replace(
        _count("identity.level", "The highest level to which the identity was proved.", "level"),
        high=3,
        zero=False,
        missing="Never missing: a person is someone enrolled who consents to identity evidence.",
    ),
    replace(
        _days("identity.tenure_days", "Days since the first enrolment.", "", direction=_UP),
        missing="Never missing: a person is someone enrolled who consents to identity evidence.",
    ),
)
_BEHAVIOUR = (
    _count("behaviour.payments", "Payments made.", "payments", _TWO_YEARS),
    _money("behaviour.payment_total", "The sum of payments made."),
    replace(_count("behaviour.active_months", "Calendar months with a payment made.", "months", _TWO_YEARS), high=25),
    _count("behaviour.payees", "Different parties paid, merchants and people.", "parties", _TWO_YEARS),
    _count("behaviour.categories", "Different categories paid for.", "categories", _TWO_YEARS),
    _days("behaviour.recency_days", "Days since the last payment made.", "when no payment was made", _TWO_YEARS),
    _count("behaviour.out_counterparties", "Different people paid.", "people", _TWO_YEARS),
    _count("behaviour.in_counterparties", "Different people who paid them.", "people", _TWO_YEARS),
    _ratio(
        "behaviour.reciprocity",
        "The share of the parties paid that also paid them.",
        "when nobody was paid",
        _TWO_YEARS,
        direction="none",
    ),
)
_CAPACITY = (
    replace(
        _count("capacity.income_months", "Calendar months with a wage, pension or benefit.", "months", _TWO_YEARS),
        high=25,
    ),
    _money("capacity.income_total", "The sum of wages, pensions and benefits received.", _UP),
    replace(
        _ratio("capacity.income_regularity", "The share of months with a wage, pension or benefit.", "", _YEAR),
        zero=True,
        missing=f"Missing with {_refused('behaviour')}; otherwise 0.00 when there is no such income.",
    ),
    _ratio(
        "capacity.income_cover",
        "All money received over all money paid.",
        "when nothing was paid, or in more than one currency",
        _TWO_YEARS,
        high=MOST_RATIO,
    ),
    _count("capacity.payers", "Different parties who paid them, employers and people.", "parties", _TWO_YEARS),
    _ratio(
        "capacity.spending_steadiness",
        "Mean monthly spending over the highest: 1.00 when every month is alike.",
        "when nothing was paid, or in more than one currency",
        _YEAR,
    ),
    replace(
        _ratio(
            "capacity.balance_low_share", "The share of balance readings below zero.", "", _TWO_YEARS, direction=_DOWN
        ),
        data_class="restricted",
        missing=f"Missing with {_refused('restricted')}, or when there is no reading.",
    ),
    replace(
        _ratio("capacity.balance_months", "", "", _TWO_YEARS, high=MOST_RATIO),
        about="Months of mean spending that the mean balance would pay for; 0.00 when it is below zero.",
        data_class="restricted",
        unit="months",
        missing=f"Missing with {_refused('restricted')}, or when there is no reading, nothing was paid, or more than one currency.",
    ),
)
_CREDIT = (
    replace(
        _count("credit.kept", "Instalments and bills paid, and obligations settled.", "promises"),
        reference=FICO % "payment history",
    ),
    replace(
        _count("credit.missed", "Instalments and bills missed, until five years after each was made good.", "misses"),
        direction=_DOWN,
        reference=FICO % "payment history",
    ),
    _count("credit.missed_12m", "Instalments and bills missed in the last 12 months.", "misses", "12 months", _DOWN),
    replace(
        _days("credit.longest_delay_days", "", ""),
        about="The longest delay of an instalment, bill or order; what is still missed is late until today.",
        missing=f"Missing with {_refused('credit')}; otherwise 0 when nothing was late.",
        zero=True,
    ),
    _count("credit.written_off_5y", "Obligations written off.", "obligations", "5 years", _DOWN),
    replace(
        _count(
            "credit.open", "Obligations opened, and neither settled nor written off.", "obligations", direction="none"
        ),
        reference=FICO % "amounts owed",
    ),
    replace(
        _days("credit.history_days", "Days since the first credit evidence.", "when there is none", direction=_UP),
        reference=FICO % "length of credit history",
    ),
    _count("credit.orders_kept", "Orders settled on time.", "orders"),
    _count("credit.orders_late", "Orders overdue, or settled late.", "orders", direction=_DOWN),
)
_RELATIONSHIPS = (
    _count("relationships.degree", "People tied to them, by a mutual tie or by vouching for them.", "people"),
    _count("relationships.household", "People of the same household.", "people"),
    _count("relationships.vouches", "People who vouch for them.", "people"),
    _whole_layer(
        _count(
            "relationships.core", "The largest k such that they belong to a group tied to k others of it each.", "ties"
        ),
        "O(ties)",
        BOYD,
    ),
    _whole_layer(
        replace(
            _count("relationships.clustering", "The share of pairs of their people who are tied themselves.", "ratio"),
            type="decimal",
            digits=3,
            high=1000,
            direction="none",
            missing=f"Missing with {_refused('relationship')}; 0.000 with fewer than two people.",
        ),
        "O(ties x degree)",
        CLUSTERING,
    ),
    _whole_layer(
        replace(
            _count("relationships.trust", "", "times the mean"),
            about="Trust that reaches them over ties and vouches from verified people; 1.00 is an equal share for everyone tied.",
            type="decimal",
            digits=2,
            missing=f"Missing with {_refused('relationship')}, or when nobody who is tied is verified; 0.00 without ties.",
        ),
        "O(ties x iterations)",
        PAGERANK,
    ),
)
FEATURES: Final[tuple[Feature, ...]] = (*_IDENTITY, *_CAPACITY, *_BEHAVIOUR, *_CREDIT, *_RELATIONSHIPS)
