"""Features of income, spending and balances."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import DOWN, MAX_RATIO, TWO_YEARS, UP, YEAR, Feature, count, money, ratio, without_consent

TWO_CURRENCIES: Final = "or if the payments have more than one currency"
RED_FLAGS: Final = "FFIEC, Bank Secrecy Act examination manual, appendix F: red flags, funds transfers"

CAPACITY: Final[tuple[Feature, ...]] = (
    replace(
        count(
            "capacity.income_months", "Number of calendar months with a wage, pension or benefit.", "months", TWO_YEARS
        ),
        formula="|months(I)|",
        high=25,
    ),
    money("capacity.income_total", "Sum of wages, pensions and benefits received.", UP, formula="sum(I)"),
    replace(
        ratio("capacity.income_regularity", "Share of months with a wage, pension or benefit.", "", YEAR),
        formula="|months(I)| / 12",
        zero=True,
        missing=f"Missing {without_consent('behaviour')}; otherwise 0.00 if there is no such income.",
    ),
    ratio(
        "capacity.income_cover",
        "All money received divided by all money paid.",
        f"if nothing was paid, {TWO_CURRENCIES}",
        TWO_YEARS,
        high=MAX_RATIO,
        formula="sum(R) / sum(P)",
    ),
    ratio(
        "capacity.net_inflow_share",
        "Money received divided by all money received and paid: 0.50 if both are equal.",
        f"if no money was received or paid, {TWO_CURRENCIES}",
        TWO_YEARS,
        direction="none",
        formula="sum(R) / (sum(R) + sum(P))",
    ),
    replace(
        ratio(
            "capacity.pass_through_share",
            "Share of the money received that was paid on within a day of its receipt.",
            f"if no money was received, {TWO_CURRENCIES} (in 24 months)",
            "12 months",
            direction="none",
        ),
        formula="the lower of F and B, / sum(R). F: for each clock hour h, the lower of sum(R in h) and sum(P in h and the 24 "
        "hours after), added up; B: for each h, the lower of sum(P in h) and sum(R in h and the 24 hours before), added up",
        cost="O(payments of the person + hours of the year)",
        reference=RED_FLAGS,
    ),
    count(
        "capacity.distinct_payers",
        "Number of distinct parties that paid the person, employers and people.",
        "parties",
        TWO_YEARS,
        formula="|parties(R)|",
    ),
    ratio(
        "capacity.spending_steadiness",
        "Mean monthly spending divided by the highest: 1.00 if all months are equal.",
        f"if nothing was paid, {TWO_CURRENCIES}",
        YEAR,
        formula="(sum(P) / 12) / the highest sum(P in a month)",
    ),
    replace(
        ratio("capacity.balance_low_share", "Share of balance readings below zero.", "", TWO_YEARS, direction=DOWN),
        formula="|B below 0| / |B|",
        data_class="restricted",
        missing=f"Missing {without_consent('restricted')}, or if there is no reading.",
    ),
    replace(
        ratio("capacity.balance_months", "", "", TWO_YEARS, high=MAX_RATIO),
        about="Months of mean spending that the mean balance would cover; 0.00 if the balance is below zero.",
        formula="mean(B) / (sum(P) / 24)",
        data_class="restricted",
        unit="months",
        missing=f"Missing {without_consent('restricted')}, or if there is no reading, no payment, or more than one currency.",
    ),
)
