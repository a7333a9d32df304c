"""Features of repayment history."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import DOWN, UP, Feature, count, days, without_consent

FICO: Final = "FICO score, category %s"

CREDIT: Final[tuple[Feature, ...]] = (
    replace(
        count("credit.kept", "Number of instalments and bills paid, and of obligations settled.", "promises"),
        formula="|instalments with obligation.paid| + |settlements, one for each opening|",
        reference=FICO % "payment history",
    ),
    replace(
        count(
            "credit.missed",
            "Number of instalments and bills missed; each counts until five years after it was made up for.",
            "misses",
        ),
        formula="|instalments with obligation.missed|",
        direction=DOWN,
        reference=FICO % "payment history",
    ),
    count(
        "credit.missed_12m",
        "Number of instalments and bills missed in the last 12 months.",
        "misses",
        "12 months",
        DOWN,
        formula="|instalments first reported by obligation.missed in the window|",
    ),
    replace(
        days("credit.longest_delay_days", "", ""),
        about="Longest delay of an instalment, bill or order; a miss that is still open is late until today.",
        formula="the highest of: days from the first report of a miss to the payment of its instalment or the end of its "
        "obligation, or to now without either; days_late of an order",
        missing=f"Missing {without_consent('credit')}; otherwise 0 if nothing was late.",
        zero=True,
    ),
    count(
        "credit.written_off_5y",
        "Number of obligations written off.",
        "obligations",
        "5 years",
        DOWN,
        formula="|obligation.written_off, one for each opening|",
    ),
    replace(
        count("credit.open", "Number of obligations opened and not ended since.", "obligations", direction="none"),
        formula="|obligations with obligation.opened, without obligation.settled or .written_off from then on|",
        reference=FICO % "amounts owed",
    ),
    replace(
        days(
            "credit.history_days",
            "Days since the first credit evidence that is not adverse.",
            "if there is none",
            direction=UP,
        ),
        formula="days from the first obligation.* or order.* that is not adverse to now",
        reference=FICO % "length of credit history",
    ),
    count(
        "credit.orders_kept",
        "Number of orders settled on time.",
        "orders",
        formula="|orders settled, with days_late 0 or none|",
    ),
    count(
        "credit.orders_late",
        "Number of orders overdue or settled late.",
        "orders",
        direction=DOWN,
        formula="|orders overdue, or settled with days_late > 0|",
    ),
)
