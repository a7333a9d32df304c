"""How they kept their promises."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import DOWN, UP, Feature, count, days, refused

FICO: Final = "FICO score, category %s"

CREDIT: Final[tuple[Feature, ...]] = (
    replace(
        count("credit.kept", "Instalments and bills paid, and obligations settled.", "promises"),
        formula="|instalments with obligation.paid| + |settlements, one for each opening|",
        reference=FICO % "payment history",
    ),
    replace(
        count("credit.missed", "Instalments and bills missed, until five years after each was made good.", "misses"),
        formula="|instalments with obligation.missed|",
        direction=DOWN,
        reference=FICO % "payment history",
    ),
    count(
        "credit.missed_12m",
        "Instalments and bills missed in the last 12 months.",
        "misses",
        "12 months",
        DOWN,
        formula="|instalments first reported by obligation.missed in the window|",
    ),
    replace(
        days("credit.longest_delay_days", "", ""),
        about="The longest delay of an instalment, bill or order; what is still missed is late until today.",
        formula="the highest of: days from the first report of a miss to the payment of its instalment or the end of its "
        "obligation, or to now without either; days_late of an order",
        missing=f"Missing with {refused('credit')}; otherwise 0 when nothing was late.",
        zero=True,
    ),
    count(
        "credit.written_off_5y",
        "Obligations written off.",
        "obligations",
        "5 years",
        DOWN,
        formula="|obligation.written_off, one for each opening|",
    ),
    replace(
        count("credit.open", "Obligations opened, and not ended since.", "obligations", direction="none"),
        formula="|obligations with obligation.opened, without obligation.settled or .written_off from then on|",
        reference=FICO % "amounts owed",
    ),
    replace(
        days(
            "credit.history_days",
            "Days since the first credit evidence that is not adverse.",
            "when there is none",
            direction=UP,
        ),
        formula="days from the first obligation.* or order.* that is not adverse to now",
        reference=FICO % "length of credit history",
    ),
    count(
        "credit.orders_kept", "Orders settled on time.", "orders", formula="|orders settled, with days_late 0 or none|"
    ),
    count(
        "credit.orders_late",
        "Orders overdue, or settled late.",
        "orders",
        direction=DOWN,
        formula="|orders overdue, or settled with days_late > 0|",
    ),
)
