"""What they pay, to how many, how steadily."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import TWO_YEARS, YEAR, Feature, count, days, money, ratio, refused

BEHAVIOUR: Final[tuple[Feature, ...]] = (
    count("behaviour.payments", "Payments made.", "payments", TWO_YEARS, formula="|P|"),
    money("behaviour.payment_total", "The sum of payments made.", formula="sum(P)"),
    replace(
        count("behaviour.active_months", "Calendar months with a payment made.", "months", TWO_YEARS),
        formula="|months(P)|",
        high=25,
    ),
    count(
        "behaviour.payees",
        "Different parties paid, merchants and people.",
        "parties",
        TWO_YEARS,
        formula="|parties(P)|",
    ),
    count("behaviour.categories", "Different categories paid for.", "categories", TWO_YEARS, formula="|categories(P)|"),
    days(
        "behaviour.recency_days",
        "Days since the last payment made.",
        "when no payment was made",
        TWO_YEARS,
        formula="days from the last of P to now",
    ),
    count(
        "behaviour.out_counterparties",
        "Different people paid.",
        "people",
        TWO_YEARS,
        formula="|people among parties(P)|",
    ),
    count(
        "behaviour.in_counterparties",
        "Different people who paid them.",
        "people",
        TWO_YEARS,
        formula="|people among parties(R)|",
    ),
    ratio(
        "behaviour.reciprocity",
        "The share of the parties paid that also paid them.",
        "when nobody was paid",
        TWO_YEARS,
        direction="none",
        formula="|parties(P) and parties(R)| / |parties(P)|",
    ),
    ratio(
        "behaviour.payees_kept",
        "The share of the parties paid in the half-year before the last that were paid again in the last half-year.",
        "when nobody was paid in the half-year before the last",
        "12 months",
        formula="|A and B| / |A|, A: parties(P from 12 to 6 months before now), B: parties(P of the 6 months before now)",
    ),
    ratio(
        "behaviour.regularity",
        "The share of payments that went to a party paid in at least six of the twelve months: what is owed monthly, or every "
        "other month, and the usual shop.",
        "when nothing was paid",
        YEAR,
        formula="|P to a party p with |months(P to p)| >= 6| / |P|",
    ),
    ratio(
        "behaviour.night_share",
        "The share of payments made between 00:00 and 06:00, by the clocks of the rules' time zone.",
        "when no payment has a time of day (one at exactly 00:00 there is taken for a date without a time)",
        "12 months",
        direction="none",
        formula="|P at 00:00 to 05:59| / |P|, without P at exactly 00:00",
    ),
    replace(
        ratio("behaviour.burstiness", "", "", "12 months", direction="none"),
        about="How unevenly payments follow each other: -1.00 like a clock, 0.00 at random, towards 1.00 in bursts.",
        formula="(s - m) / (s + m), s: standard deviation, m: mean of the whole minutes from each of P to the next",
        unit="-1 to 1",
        low=-100,
        missing=f"Missing with {refused('behaviour')}, or with fewer than six payments, or when all are of one minute.",
        cost="O(payments of the person x log of them)",
        reference="Goh and Barabási, Burstiness and memory in complex systems, EPL 81, 48002, 2008",
    ),
)
