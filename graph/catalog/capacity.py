"""Features of the flow of money through a person."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, ratio

RED_FLAGS: Final = "FFIEC, Bank Secrecy Act examination manual, appendix F: red flags, funds transfers"

CAPACITY: Final[tuple[Feature, ...]] = (
    replace(
        ratio(
            "capacity.pass_through_share",
            "Share of the money received that was paid on within a day of its receipt.",
            "if no money was received, or if the payments have more than one currency (in 24 months)",
            "12 months",
            direction="none",
        ),
        formula="the lower of F and B, / sum(R). F: for each clock hour h, the lower of sum(R in h) and sum(P in h and the 24 "
        "hours after), added up; B: for each h, the lower of sum(P in h) and sum(R in h and the 24 hours before), added up",
        cost="O(payments of the person + hours of the year)",
        reference=RED_FLAGS,
    ),
)
