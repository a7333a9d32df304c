"""How they kept their promises."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import DOWN, UP, Feature, count, days, refused

FICO: Final = "FICO score, category %s"

CREDIT: Final[tuple[Feature, ...]] = (
    replace(
        count("credit.kept", "Instalments and bills paid, and obligations settled.", "promises"),
        reference=FICO % "payment history",
    ),
    replace(
        count("credit.missed", "Instalments and bills missed, until five years after each was made good.", "misses"),
        direction=DOWN,
        reference=FICO % "payment history",
    ),
    count("credit.missed_12m", "Instalments and bills missed in the last 12 months.", "misses", "12 months", DOWN),
    replace(
        days("credit.longest_delay_days", "", ""),
        about="The longest delay of an instalment, bill or order; what is still missed is late until today.",
        missing=f"Missing with {refused('credit')}; otherwise 0 when nothing was late.",
        zero=True,
    ),
    count("credit.written_off_5y", "Obligations written off.", "obligations", "5 years", DOWN),
    replace(
        count(
            "credit.open", "Obligations opened, and neither settled nor written off.", "obligations", direction="none"
        ),
        reference=FICO % "amounts owed",
    ),
    replace(
        days("credit.history_days", "Days since the first credit evidence.", "when there is none", direction=UP),
        reference=FICO % "length of credit history",
    ),
    count("credit.orders_kept", "Orders settled on time.", "orders"),
    count("credit.orders_late", "Orders overdue, or settled late.", "orders", direction=DOWN),
)
