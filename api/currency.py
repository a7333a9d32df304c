"""Amounts of money as people read them, in any currency."""

from graph.currencies import DIGITS


def money(minor: int, currency: str) -> str:
    """`123450` minor units of CNY are `1,234.50 CNY`. Exact at any size."""
    digits = DIGITS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' * (minor < 0)}{whole:,}{f'.{rest:0{digits}}' * (digits > 0)} {currency}"
