"""Minor units of the currencies in ISO 4217: digits after the decimal point, by code.

We take the maintenance agency's list one from the package `iso4217`. Babel is no substitute: CLDR gives customary digits, which
differ from ISO 4217 in 18 of our codes (0 for HUF, not 2). Codes without minor units (gold, special drawing rights, `XXX`) are left
out, because you cannot write an amount in them.
"""

from typing import Final

from iso4217 import Currency

# Left list one in the ten years before 2026. Evidence describes the past, so we still accept codes that were valid then.
_WITHDRAWN_DIGITS: Final = dict.fromkeys(("ANG", "BGN", "CUC", "HRK", "MRO", "SLL", "STD", "VEF", "ZWL"), 2)
_LISTED_DIGITS: Final = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
CURRENCY_DIGITS: Final = _WITHDRAWN_DIGITS | _LISTED_DIGITS
