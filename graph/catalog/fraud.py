"""What looks like money being collected, scattered or passed round. Apart from reputation: no scorecard reads it."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count

FAN: Final = "Altman et al., Realistic Synthetic Financial Transactions for Anti-Money Laundering Models, NeurIPS 2023"
SWEEP: Final = "O(payments of the person x log of them)"

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
)
