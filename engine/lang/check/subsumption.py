"""Compare conditions without values: does one imply another, and can one be met at all?

Both tests look at the structure of the conditions and at the bounds of attributes. They are sound but not complete: a
`True` is certain, a `False` only means that we could not prove it.
"""

from engine.lang.model.conditions import And, Attr, Cmp, Const, Int, Or, Truth
from engine.lang.model.types import Schema


def covers(first: Truth, second: Truth) -> bool:
    """Whether `first` certainly holds wherever `second` holds."""
    if first in (second, Const(True)):
        return True
    match first, second:
        case _, Or(parts):
            return all(covers(first, p) for p in parts)
        case And(parts), _:
            return all(covers(p, second) for p in parts)
        case _, And(parts):
            return any(covers(first, p) for p in parts)
        case Or(parts), _:
            return any(covers(p, second) for p in parts)
        case Cmp(">=" | ">" as a, Attr(x), Int(low)), Cmp(">=" | ">" as b, Attr(y), Int(high)) if x == y:
            return low < high or (low == high and not (a == ">" and b == ">="))
    return False


def never_met(truth: Truth, schema: Schema) -> bool:
    """Whether no values within the bounds of `schema` can meet the condition."""
    match truth:
        case Const(value):
            return not value
        case And(parts):
            return any(never_met(p, schema) for p in parts)
        case Or(parts):
            return all(never_met(p, schema) for p in parts)
        case Cmp(op, Attr(name), Int(value)):
            of = schema[name].type
            out_of_range = {">": of.high <= value, ">=": of.high < value, "<": of.low >= value, "<=": of.low > value}
            return out_of_range.get(op, op == "==" and not of.low <= value <= of.high)
    return False
