"""Features of money that is sent round. No scorecard reads them."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count, whole_layer, without_consent

CALDERS: Final = (
    "Kumar and Calders, 2SCENT: an efficient algorithm for enumerating all simple temporal cycles, PVLDB 11, 2018"
)

BUSY_PARTY: Final = "for a person with more than 2,000 payments made and received, or with more than 30 in two weeks that similar ones follow or precede"

FRAUD: Final[tuple[Feature, ...]] = (
    whole_layer(
        replace(
            count(
                "fraud.rings",
                "Number of rings of payments through the person: about the same amount through three to five parties and back within two weeks.",
                "rings",
                "12 months",
                "none",
            ),
            missing=f"Missing {without_consent('behaviour')}, or {BUSY_PARTY}; otherwise 0 if there is no ring.",
            zero=False,
            formula="different cycles of 3 to 5 parties, each paying the next; payments in order of time, at most 14 days from "
            "first to last, highest amount at most 1.25 x the lowest, one currency; parties of that many payments left out",
        ),
        "O(payments x log payments), and a few steps for each chain within time and band",
        CALDERS,
    ),
)
