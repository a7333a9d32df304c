"""Read amounts of money and exchange rates in rule files."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from engine.lang.model.currencies import CURRENCY_DIGITS, MONEY, money_flaw
from engine.lang.model.problems import Report
from engine.lang.model.types import Schema
from engine.lang.syntax.expression_tree import Number
from engine.lang.syntax.schema_types import NUMBER, JsonSchema, NumberType, TextType
from engine.lang.syntax.source import Node, Scalar

CURRENCY: Final = TextType(
    "a currency",
    among=tuple(sorted(CURRENCY_DIGITS)),
    fallback_hint="write a code of ISO 4217, such as CNY, EUR or JPY",
)
MAX_AMOUNT: Final = 1_000_000_000_000  # units of the currency
_PLAIN_AMOUNT: Final = NumberType(0, 1_000_000_000, whole=False)  # before amounts had currencies
_RATE: Final = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", re.ASCII)
MAX_RATE_DIGITS: Final = 7  # significant ones: so that a conversion stays exact in 64 bits
MIN_RATE, MAX_RATE = Decimal("0.0000001"), Decimal(10_000_000)


@dataclass(frozen=True)
class AmountType:
    """An amount of money, such as `1000.50 CNY`. The checker reports a bare number: it knows the currency for the hint."""

    label: str = "an amount of money"

    def read(self, node: Node, report: Report) -> Number | None:
        if not report.has_money:
            return _PLAIN_AMOUNT.read(node, report)
        text = node.text if isinstance(node, Scalar) and node.plain else ""
        if NUMBER.fullmatch(text):
            return Number(text, node.at)
        if flaw := money_flaw(text):
            report.add("R013", flaw[0] if text else "an amount of money belongs here", node.at, flaw[1])
            return None
        if not 0 <= Decimal(text.partition(" ")[0]) <= MAX_AMOUNT:
            report.add("R013", f"`{text}` is outside 0 to {MAX_AMOUNT}", node.at)
            return None
        return Number(text, node.at)

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": "string", "pattern": f"^(?:{MONEY.pattern.replace('-?', '', 1)})$"}


@dataclass(frozen=True)
class RateType:
    """The worth of one unit of a currency in the base: a decimal above 0."""

    label: str = "a rate"

    def read(self, node: Node, report: Report) -> Number | None:
        text = node.text if isinstance(node, Scalar) and node.plain else ""
        hint = "write the worth of one unit in the base currency, such as 7.8321"
        if not _RATE.fullmatch(text):
            report.add("R901", f"`{text[:40]}` is not a rate" if text else "a rate belongs here", node.at, hint)
            return None
        rate = Decimal(text)
        if rate == 0:
            report.add("R901", "a rate of 0 would make every amount worthless", node.at, hint)
        elif not MIN_RATE <= rate <= MAX_RATE:
            report.add(
                "R901", f"`{text}` is outside {MIN_RATE:f} to {MAX_RATE:f}", node.at, "check the unit of the rate"
            )
        elif len(rate.normalize().as_tuple().digits) > MAX_RATE_DIGITS:
            advice = f"write at most {MAX_RATE_DIGITS} significant digits"
            report.add("R901", f"`{text}` has too many digits", node.at, advice)
        else:
            return Number(text, node.at)
        return None

    def json_schema(self, _: Schema) -> JsonSchema:
        return {"type": "number", "exclusiveMinimum": 0, "maximum": float(MAX_RATE)}
