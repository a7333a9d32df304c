"""Features of the payments that a person made, other than sums and counts of them."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import TWO_YEARS, YEAR, Feature, ratio, without_consent

BEHAVIOUR: Final[tuple[Feature, ...]] = (
    ratio(
        "behaviour.reciprocity",
        "Share of the parties paid that also paid the person.",
        "if nobody was paid",
        TWO_YEARS,
        direction="none",
        formula="|parties(P) and parties(R)| / |parties(P)|",
    ),
    replace(
        ratio(
            "behaviour.payee_retention",
            "Share of the parties paid 12 to 6 months ago that were paid again in the last 6 months.",
            "if nobody was paid 12 to 6 months ago",
            "12 months",
            formula="|A and B| / |A|, A: parties(P from 12 to 6 months before now), B: parties(P of the 6 months before now)",
        ),
        effort=3,
    ),
    replace(
        ratio(
            "behaviour.regularity",
            "Share of payments to parties paid in at least six of the twelve months: bills due monthly or every other month, and "
            "usual shops.",
            "if nothing was paid",
            YEAR,
            formula="|P to a party p with |months(P to p)| >= 6| / |P|",
        ),
        effort=3,
    ),
    replace(
        ratio("behaviour.burstiness", "", "", "12 months", direction="none"),
        about="Burstiness of payments: -1.00 at perfectly regular times, 0.00 at random times, near 1.00 in bursts.",
        formula="(s - m) / (s + m), s: standard deviation, m: mean of the whole minutes from each of P to the next",
        unit="-1 to 1",
        low=-100,
        missing=f"Missing {without_consent('behaviour')}, with fewer than six payments, or if all are within one minute.",
        cost="O(payments of the person x log of them)",
        reference="Goh and Barabási, Burstiness and memory in complex systems, EPL 81, 48002, 2008",
    ),
)
