"""What they pay, to how many, how steadily."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import TWO_YEARS, YEAR, Feature, count, days, money, ratio, refused

BEHAVIOUR: Final[tuple[Feature, ...]] = (
    count("behaviour.payments", "Payments made.", "payments", TWO_YEARS),
    money("behaviour.payment_total", "The sum of payments made."),
    replace(count("behaviour.active_months", "Calendar months with a payment made.", "months", TWO_YEARS), high=25),
    count("behaviour.payees", "Different parties paid, merchants and people.", "parties", TWO_YEARS),
    count("behaviour.categories", "Different categories paid for.", "categories", TWO_YEARS),
    days("behaviour.recency_days", "Days since the last payment made.", "when no payment was made", TWO_YEARS),
    count("behaviour.out_counterparties", "Different people paid.", "people", TWO_YEARS),
    count("behaviour.in_counterparties", "Different people who paid them.", "people", TWO_YEARS),
    ratio(
        "behaviour.reciprocity",
        "The share of the parties paid that also paid them.",
        "when nobody was paid",
        TWO_YEARS,
        direction="none",
    ),
    ratio(
        "behaviour.payees_kept",
        "The share of the parties paid in the half-year before the last that were paid again in the last half-year.",
        "when nobody was paid in the half-year before the last",
        "12 months",
    ),
    ratio(
        "behaviour.regularity",
        "The share of payments that went to a party paid in at least six of the twelve months: rent, bills, the usual shop.",
        "when nothing was paid",
        YEAR,
    ),
    ratio(
        "behaviour.night_share",
        "The share of payments made between 00:00 and 06:00, on the clock of UTC+8.",
        "when no payment has a time of day (one at exactly 00:00 UTC is taken for a date without a time)",
        "12 months",
        direction="none",
    ),
    replace(
        ratio("behaviour.burstiness", "", "", "12 months", direction="none"),
        about="How unevenly payments follow each other: -1.00 like a clock, 0.00 at random, towards 1.00 in bursts.",
        unit="burstiness",
        low=-100,
        missing=f"Missing with {refused('behaviour')}, or with fewer than six payments, or when all are of one minute.",
        cost="O(payments of the person x log of them)",
        reference="Goh and Barabasi, Burstiness and memory in complex systems, EPL 81, 48002, 2008",
    ),
)
