"""Divide whole numbers exactly on every column engine.

Some engines compute `//` by doubles, which are exact up to 2^53 only. So we estimate the quotient by a double and correct it by
the remainder, which integers hold exactly. We compute many quotients together, in a few steps of the frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import narwhals as nw

from graph.features.integer_math import Frame, indicator, integer

MAX_DIVIDEND: Final = 2**62


@dataclass(frozen=True)
class Quotient:
    """dividend / divisor times `scale`, rounded; missing unless the divisor is positive.

    The dividend may be negative. Exact while 2 x scale x dividend + divisor is within 2^62 either way. A quotient of counts
    `is_small`: neither part is negative, and that number is within 2^53, which every engine divides exactly.
    """

    dividend: nw.Expr
    divisor: nw.Expr
    scale: int = 1
    rounds_down: bool = False
    is_small: bool = False


def with_quotients(frame: Frame, quotients: Mapping[str, Quotient]) -> Frame:
    """Add a column for each quotient. We round halves up: -2.5 to -2."""
    small = {n: q for n, q in quotients.items() if q.is_small}
    if small:
        frame = frame.with_columns((_dividend(q) // _divisor(q)).alias(n) for n, q in small.items())
    quotients = {n: q for n, q in quotients.items() if not q.is_small}
    if not quotients:
        return frame
    names = list(quotients)
    parts = frame.with_columns(
        *(_dividend(q).cast(nw.Int64()).alias(f"{n}_a") for n, q in quotients.items()),
        *(_divisor(q).cast(nw.Int64()).alias(f"{n}_b") for n, q in quotients.items()),
    )
    estimates = parts.with_columns(_float_floor(f"{n}_a", f"{n}_b").alias(n) for n in names)
    rests = estimates.with_columns((nw.col(f"{n}_a") - nw.col(n) * nw.col(f"{n}_b")).alias(f"{n}_a") for n in names)
    steps = rests.with_columns(_float_floor(f"{n}_a", f"{n}_b").alias(f"{n}_c") for n in names)
    near = steps.with_columns(
        *((nw.col(n) + nw.col(f"{n}_c")).alias(n) for n in names),
        *((nw.col(f"{n}_a") - nw.col(f"{n}_c") * nw.col(f"{n}_b")).alias(f"{n}_a") for n in names),
    )
    exact = near.with_columns((nw.col(n) + _correction(f"{n}_a", f"{n}_b")).alias(n) for n in names)
    return exact.drop(*(f"{n}_{part}" for n in names for part in "abc"))


def _dividend(quotient: Quotient) -> nw.Expr:
    if quotient.rounds_down:
        return quotient.dividend * quotient.scale
    return quotient.dividend * (2 * quotient.scale) + quotient.divisor


def _divisor(quotient: Quotient) -> nw.Expr:
    divisor = nw.when(quotient.divisor > 0).then(quotient.divisor)
    return divisor if quotient.rounds_down else divisor * 2


def _float_floor(dividend: str, divisor: str) -> nw.Expr:
    return (nw.col(dividend).cast(nw.Float64()) / nw.col(divisor).cast(nw.Float64())).floor().cast(nw.Int64())


def _correction(rest: str, divisor: str) -> nw.Expr:
    """1 if the rest still holds the divisor, -1 if it is negative."""
    above, below = nw.col(rest) >= nw.col(divisor), nw.col(rest) < integer(0)
    return indicator(above) - indicator(below)
