"""Format amounts of money in any currency."""

from graph.evidence.currencies import CURRENCY_DIGITS


def money(minor: int, currency: str) -> str:
    """Format minor units: 123450 of CNY becomes `1,234.50 CNY`. Exact at any size."""
    digits = CURRENCY_DIGITS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' * (minor < 0)}{whole:,}{f'.{rest:0{digits}}' * (digits > 0)} {currency}"
