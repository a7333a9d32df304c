"""Features of payments made: totals, counterparties, steadiness."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import TWO_YEARS, YEAR, Feature, count, days, money, ratio, without_consent

BEHAVIOUR: Final[tuple[Feature, ...]] = (
    count("behaviour.payments", "Number of payments made.", "payments", TWO_YEARS, formula="|P|"),
    money("behaviour.payment_total", "Sum of payments made.", formula="sum(P)"),
    replace(
        count("behaviour.active_months", "Number of calendar months with a payment made.", "months", TWO_YEARS),
        formula="|months(P)|",
        high=25,
    ),
    count(
        "behaviour.payees",
        "Number of distinct parties paid, merchants and people.",
        "parties",
        TWO_YEARS,
        formula="|parties(P)|",
    ),
    count(
        "behaviour.categories",
        "Number of distinct categories of payments made.",
        "categories",
        TWO_YEARS,
        formula="|categories(P)|",
    ),
    days(
        "behaviour.recency_days",
        "Days since the last payment made.",
        "if no payment was made",
        TWO_YEARS,
        formula="days from the last of P to now",
    ),
    count(
        "behaviour.out_counterparties",
        "Number of distinct people paid.",
        "people",
        TWO_YEARS,
        formula="|people among parties(P)|",
    ),
    count(
        "behaviour.in_counterparties",
        "Number of distinct people who paid the person.",
        "people",
        TWO_YEARS,
        formula="|people among parties(R)|",
    ),
    ratio(
        "behaviour.reciprocity",
        "Share of the parties paid that also paid the person.",
        "if nobody was paid",
        TWO_YEARS,
        direction="none",
        formula="|parties(P) and parties(R)| / |parties(P)|",
    ),
    ratio(
        "behaviour.payee_retention",
        "Share of the parties paid 12 to 6 months ago that were paid again in the last 6 months.",
        "if nobody was paid 12 to 6 months ago",
        "12 months",
        formula="|A and B| / |A|, A: parties(P from 12 to 6 months before now), B: parties(P of the 6 months before now)",
    ),
    ratio(
        "behaviour.regularity",
        "Share of payments to parties paid in at least six of the twelve months: bills due monthly or every other month, and "
        "usual shops.",
        "if nothing was paid",
        YEAR,
        formula="|P to a party p with |months(P to p)| >= 6| / |P|",
    ),
    ratio(
        "behaviour.night_share",
        "Share of payments made between 00:00 and 06:00 in the time zone of the rules.",
        "if no payment has a time of day (we read a time of exactly 00:00 in that zone as a date without a time)",
        "12 months",
        direction="none",
        formula="|P at 00:00 to 05:59| / |P|, without P at exactly 00:00",
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
