"""What they pay, to how many, how steadily."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import TWO_YEARS, Feature, count, days, money, ratio

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
)
