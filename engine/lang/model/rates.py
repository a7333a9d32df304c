"""Convert amounts of money between currencies, exactly, by the rates of `rates.yaml`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from engine.lang.model.currencies import CURRENCY_DIGITS


@dataclass(frozen=True)
class ExchangeRates:
    """The worth of one unit of each currency in the base currency, as decimal texts, on a day (`2026-01-31`)."""

    base: str
    date: str
    by_currency: tuple[tuple[str, str], ...]

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that we can convert, the base first."""
        return (self.base, *(currency for currency, _ in self.by_currency))

    def factor(self, source: str, target: str) -> Fraction | None:
        """The minor units of `target` that one minor unit of `source` is worth; None without both rates."""
        if source == target:
            return Fraction(1)
        worth: Mapping[str, str] = {self.base: "1", **dict(self.by_currency)}
        if source not in worth or target not in worth:
            return None
        digits = CURRENCY_DIGITS[target] - CURRENCY_DIGITS[source]
        return Fraction(Decimal(worth[source])) / Fraction(Decimal(worth[target])) * Fraction(10) ** digits

    def of(self, currencies: Collection[str]) -> "ExchangeRates":
        """Those of these currencies."""
        return replace(self, by_currency=tuple(pair for pair in self.by_currency if pair[0] in currencies))

    def record(self) -> dict[str, object]:
        """The rates as a decision records them."""
        return {"base": self.base, "date": self.date, "rates": dict(self.by_currency)}


def factor(rates: ExchangeRates | None, source: str, target: str) -> Fraction | None:
    """The same, with or without rates: an amount needs no rate to stay in its currency."""
    if source == target:
        return Fraction(1)
    return rates.factor(source, target) if rates else None


def rounded(amount: Fraction) -> int:
    """The nearest whole number of minor units; a half goes away from zero. Every conversion rounds so."""
    whole = int(abs(amount) + Fraction(1, 2))
    return whole if amount >= 0 else -whole
