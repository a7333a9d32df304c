"""What looks like money being collected, scattered or passed round. Apart from reputation: no scorecard reads it."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count, refused, whole_layer

FAN: Final = "Altman et al., Realistic Synthetic Financial Transactions for Anti-Money Laundering Models, NeurIPS 2023"
SWEEP: Final = "O(payments of the person x log of them)"

CALDERS: Final = (
    "Kumar and Calders, 2SCENT: an efficient algorithm for enumerating all simple temporal cycles, PVLDB 11, 2018"
)

BUSY: Final = "for who makes and takes more than 2,000 payments, or in some fortnight more than 30 that alike ones follow or precede"

FRAUD: Final[tuple[Feature, ...]] = (
    replace(
        count("fraud.fan_in", "The most different parties who paid them within any 7 days.", "parties", "12 months"),
        direction="none",
        cost=SWEEP,
        reference=FAN,
        formula="the highest |parties(R from t until before t + 7 days)| of all moments t",
    ),
    replace(
        count("fraud.fan_out", "The most different parties they paid within any 7 days.", "parties", "12 months"),
        direction="none",
        cost=SWEEP,
        reference=FAN,
        formula="the highest |parties(P from t until before t + 7 days)| of all moments t",
    ),
    whole_layer(
        replace(
            count(
                "fraud.rings",
                "Rings of payments they are on: about the same money through three to five parties and back within two weeks.",
                "rings",
                "12 months",
                "none",
            ),
            missing=f"Missing with {refused('behaviour')}, or {BUSY}; otherwise 0 when there is nothing.",
            zero=False,
            formula="different cycles of 3 to 5 parties, each paying the next; payments in order of time, at most 14 days from "
            "first to last, highest amount at most 1.25 x the lowest, one currency; parties of that many payments left out",
        ),
        "O(payments x log payments), and a few steps for each chain within time and band",
        CALDERS,
    ),
)
