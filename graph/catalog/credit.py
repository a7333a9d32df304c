"""Features of repayment that follow an obligation from its opening to its end."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count, days, without_consent

FICO: Final = "FICO score, category %s"

CREDIT: Final[tuple[Feature, ...]] = (
    replace(
        days("credit.longest_delay_days", "", ""),
        about="Longest delay of an instalment, bill or order; a miss that is still open is late until today.",
        formula="the highest of: days from the first report of a miss to the payment of its instalment or the end of its "
        "obligation, or to now without either; days_late of an order",
        missing=f"Missing {without_consent('credit')}; otherwise 0 if nothing was late.",
        zero=True,
    ),
    replace(
        count("credit.open", "Number of obligations opened and not ended since.", "obligations", direction="none"),
        formula="|obligations with obligation.opened, without obligation.settled or .written_off from then on|",
        reference=FICO % "amounts owed",
    ),
)
