"""Format amounts of money in any currency."""

from graph.evidence.currencies import CURRENCY_DIGITS


def minor_digits(currency: str) -> int:
    """The digits of its minor unit: 2 for CNY, 0 for JPY."""
    return CURRENCY_DIGITS.get(currency, 2)


def money(minor: int, currency: str) -> str:
    """Format minor units: 123450 of CNY becomes `1,234.50 CNY`. Exact at any size."""
    digits = minor_digits(currency)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' * (minor < 0)}{whole:,}{f'.{rest:0{digits}}' * (digits > 0)} {currency}"
