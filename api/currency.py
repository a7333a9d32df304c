"""Amounts of money as people read them, in any currency."""

from typing import Final

# Minor units of ISO 4217 where they are not two digits.
_NONE: Final = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
_THREE: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
DIGITS: Final = {**dict.fromkeys(_NONE, 0), **dict.fromkeys(_THREE, 3), "CLF": 4, "UYW": 4}


def money(minor: int, currency: str) -> str:
    """`123450` minor units of CNY are `1,234.50 CNY`. Exact at any size."""
    digits = DIGITS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{'-' * (minor < 0)}{whole:,}{f'.{rest:0{digits}}' * (digits > 0)} {currency}"
