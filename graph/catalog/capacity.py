"""What comes in, what goes out, what is left."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import DOWN, MOST_RATIO, TWO_YEARS, UP, YEAR, Feature, count, money, ratio, refused

CAPACITY: Final[tuple[Feature, ...]] = (
    replace(
        count("capacity.income_months", "Calendar months with a wage, pension or benefit.", "months", TWO_YEARS),
        high=25,
    ),
    money("capacity.income_total", "The sum of wages, pensions and benefits received.", UP),
    replace(
        ratio("capacity.income_regularity", "The share of months with a wage, pension or benefit.", "", YEAR),
        zero=True,
        missing=f"Missing with {refused('behaviour')}; otherwise 0.00 when there is no such income.",
    ),
    ratio(
        "capacity.income_cover",
        "All money received over all money paid.",
        "when nothing was paid, or in more than one currency",
        TWO_YEARS,
        high=MOST_RATIO,
    ),
    ratio(
        "capacity.inflow_share",
        "Money received over all money moved: 0.50 when as much came in as went out.",
        "when no money was moved, or in more than one currency",
        TWO_YEARS,
        direction="none",
    ),
    ratio(
        "capacity.passed_on",
        "The share of the money received that was paid on within a day of coming in.",
        "when no money was received, or in more than one currency",
        "12 months",
        direction="none",
    ),
    count("capacity.payers", "Different parties who paid them, employers and people.", "parties", TWO_YEARS),
    ratio(
        "capacity.spending_steadiness",
        "Mean monthly spending over the highest: 1.00 when every month is alike.",
        "when nothing was paid, or in more than one currency",
        YEAR,
    ),
    replace(
        ratio("capacity.balance_low_share", "The share of balance readings below zero.", "", TWO_YEARS, direction=DOWN),
        data_class="restricted",
        missing=f"Missing with {refused('restricted')}, or when there is no reading.",
    ),
    replace(
        ratio("capacity.balance_months", "", "", TWO_YEARS, high=MOST_RATIO),
        about="Months of mean spending that the mean balance would pay for; 0.00 when it is below zero.",
        data_class="restricted",
        unit="months",
        missing=f"Missing with {refused('restricted')}, or when there is no reading, nothing was paid, or more than one currency.",
    ),
)
