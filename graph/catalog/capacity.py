"""What comes in, what goes out, what is left."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import DOWN, MOST_RATIO, TWO_YEARS, UP, YEAR, Feature, count, money, ratio, refused

TWO_CURRENCIES: Final = "or in more than one currency"
RED_FLAGS: Final = "FFIEC, Bank Secrecy Act examination manual, appendix F: red flags, funds transfers"

CAPACITY: Final[tuple[Feature, ...]] = (
    replace(
        count("capacity.income_months", "Calendar months with a wage, pension or benefit.", "months", TWO_YEARS),
        formula="|months(I)|",
        high=25,
    ),
    money("capacity.income_total", "The sum of wages, pensions and benefits received.", UP, formula="sum(I)"),
    replace(
        ratio("capacity.income_regularity", "The share of months with a wage, pension or benefit.", "", YEAR),
        formula="|months(I)| / 12",
        zero=True,
        missing=f"Missing with {refused('behaviour')}; otherwise 0.00 when there is no such income.",
    ),
    ratio(
        "capacity.income_cover",
        "All money received over all money paid.",
        f"when nothing was paid, {TWO_CURRENCIES}",
        TWO_YEARS,
        high=MOST_RATIO,
        formula="sum(R) / sum(P)",
    ),
    ratio(
        "capacity.inflow_share",
        "Money received over all money moved: 0.50 when as much came in as went out.",
        f"when no money was moved, {TWO_CURRENCIES}",
        TWO_YEARS,
        direction="none",
        formula="sum(R) / (sum(R) + sum(P))",
    ),
    replace(
        ratio(
            "capacity.passed_on",
            "The share of the money received that was paid on within a day of coming in.",
            f"when no money was received, {TWO_CURRENCIES} (in 24 months)",
            "12 months",
            direction="none",
        ),
        formula="the lower of F and B, / sum(R). F: for each clock hour h, the lower of sum(R in h) and sum(P in h and the 24 "
        "hours after), added up; B: for each h, the lower of sum(P in h) and sum(R in h and the 24 hours before), added up",
        cost="O(payments of the person + hours of the year)",
        reference=RED_FLAGS,
    ),
    count(
        "capacity.payers",
        "Different parties who paid them, employers and people.",
        "parties",
        TWO_YEARS,
        formula="|parties(R)|",
    ),
    ratio(
        "capacity.spending_steadiness",
        "Mean monthly spending over the highest: 1.00 when every month is alike.",
        f"when nothing was paid, {TWO_CURRENCIES}",
        YEAR,
        formula="(sum(P) / 12) / the highest sum(P in a month)",
    ),
    replace(
        ratio("capacity.balance_low_share", "The share of balance readings below zero.", "", TWO_YEARS, direction=DOWN),
        formula="|B below 0| / |B|",
        data_class="restricted",
        missing=f"Missing with {refused('restricted')}, or when there is no reading.",
    ),
    replace(
        ratio("capacity.balance_months", "", "", TWO_YEARS, high=MOST_RATIO),
        about="Months of mean spending that the mean balance would pay for; 0.00 when it is below zero.",
        formula="mean(B) / (sum(P) / 24)",
        data_class="restricted",
        unit="months",
        missing=f"Missing with {refused('restricted')}, or when there is no reading, nothing was paid, or more than one currency.",
    ),
)
