"""Currencies with minor units (ISO 4217), and amounts of money as you write them: `1000.50 CNY`.

`graph.evidence.currencies` has the same table, because `engine` and `graph` do not know each other; a test compares both.
"""

import re
from typing import Final

from iso4217 import Currency

# Left the list in the ten years before 2026: evidence and stored rules describe the past.
_WITHDRAWN_DIGITS: Final = dict.fromkeys(("ANG", "BGN", "CUC", "HRK", "MRO", "SLL", "STD", "VEF", "ZWL"), 2)
_LISTED_DIGITS: Final = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
CURRENCY_DIGITS: Final[dict[str, int]] = _WITHDRAWN_DIGITS | _LISTED_DIGITS
_ZEROS: Final = re.compile(r"-?0[0-9]")
MONEY: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,6})?) ([A-Z]{3})", re.ASCII)


def example(number: str, currency: str) -> str:
    """The number as an amount of money in the currency; in an example currency if it is not known which."""
    return f"{number} {currency or 'CNY'}"


def money_flaw(text: str) -> tuple[str, str] | None:
    """What is wrong with an amount of money as you wrote it, and what to write; None if it is an amount."""
    match = MONEY.fullmatch(text)
    if match is None:
        hint = "write the number and the currency, such as 1000.50 CNY"
        hint = "leave out the zeros before it" if _ZEROS.match(text) else hint
        return f"`{text[:40]}` is not an amount of money", hint
    number, currency = match.groups()
    digits = CURRENCY_DIGITS.get(currency)
    if digits is None:
        return f"there is no currency `{currency}`", "write a code of ISO 4217, such as CNY, EUR or JPY"
    rest = number.partition(".")[2]
    if len(rest.rstrip("0")) > digits:
        written = f"at most {digits} digits after the point" if digits else "no digits after the point"
        return f"`{text}` is finer than the currency", f"amounts in {currency} have {written}"
    return None
