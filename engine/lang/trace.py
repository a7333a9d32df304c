"""Trace: why a condition came out as it did: which attributes made it unknown, and how far each comparison is from turning."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from engine.lang.reference import number, truth
from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    DayStart,
    Flag,
    InList,
    Int,
    Known,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
    Values,
    names,
)
from engine.lang.types import DATE, Schema, Type, Value, written

INVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Atom:
    """One comparison of a condition, as people read it: what is asked, the value that there is, the threshold if it is a
    number, and the distance: how much the value would have to change for the answer to turn. Empty where it has none.
    """

    asked: str
    status: bool | None
    value: str
    threshold: str
    distance: str


def causes(node: Truth, values: Values) -> tuple[str, ...]:
    """The attributes whose want makes the condition UNKNOWN, in the order in which it reads them; none when it is known."""
    return tuple(dict.fromkeys(_causes(node, values)))


def _causes(node: Truth, values: Values) -> Iterator[str]:
    if truth(node, values) is not None:
        return
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _causes(part, values)
        case Not(part):
            yield from _causes(part, values)
        case _:
            yield from (n for n in names(node) if values.get(n) is None)


def atoms(node: Truth, values: Values, schema: Schema, *, negated: bool = False) -> Iterator[Atom]:
    """Every comparison of the condition, with `not` drawn in: an atom that is met speaks for the condition."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from atoms(part, values, schema, negated=negated)
        case Not(part):
            yield from atoms(part, values, schema, negated=not negated)
        case _:
            status = truth(node, values)
            status = (not status) if negated and status is not None else status
            yield _atom(node, status, values, schema, negated)


def _atom(node: Truth, status: bool | None, values: Values, schema: Schema, negated: bool) -> Atom:
    not_ = "not " if negated else ""
    match node:
        case Cmp(op, left, right):
            return _comparison(INVERSE[op] if negated else op, left, right, status, values, schema)
        case Known(name):
            return Atom(f"{'missing' if negated else 'known'}({name})", status, _shown(name, values, schema), "", "")
        case Flag(name):
            return Atom(f"{not_}{name}", status, _shown(name, values, schema), "", "")
        case Same(name, value):
            return Atom(
                f"{name} {'!=' if negated else '=='} '{value}'", status, _shown(name, values, schema), value, ""
            )
        case Alike(left, right):
            asked = f"{left} {'!=' if negated else '=='} {right}"
            return Atom(asked, status, _shown(left, values, schema), _shown(right, values, schema), "")
        case InList(name):
            asked = f"{name} {not_}in a list of {len(node.on(values.get(AS_OF)))}"
            return Atom(asked, status, _shown(name, values, schema), "", "")
        case _:
            return Atom("true" if status else "never known" if status is None else "false", status, "", "", "")


def _comparison(op: str, left: Num, right: Num, status: bool | None, values: Values, schema: Schema) -> Atom:
    type_ = _type(left, schema) or _type(right, schema) or Type("int")
    asked = f"{_text(left, type_, schema)} {op} {_text(right, type_, schema)}"
    first, second = number(left, values), number(right, values)
    if first is None or second is None:
        return Atom(asked, status, written(first, type_), written(second, type_), "")
    gap = _gap(op, second - first, bool(status))
    span = Type("duration", unit=type_.step) if type_.moment else type_
    return Atom(asked, status, written(first, type_), written(second, type_), _signed(gap, span) if gap else "")


def _signed(gap: int, type_: Type) -> str:
    return ("+" if gap > 0 else "") + written(gap, type_)


def _gap(op: str, gap: int, met: bool) -> int:
    """How much the left side has to change for the answer to turn; 0 when there is no one least change."""
    if op == "==":
        return 0 if met else gap
    if op == "!=":
        return gap if met else 0
    strict = op in ("<", ">") if not met else op in ("<=", ">=")
    up = (op in (">", ">=")) != met
    return gap + (strict if up else -strict)


def _type(num: Num, schema: Schema) -> Type | None:
    """The type in which a side is written; None of constants alone, which are written as what they meet."""
    match num:
        case Attr(name):
            return schema[name].type if name in schema else None
        case Op("*", left, Int(factor)) if num.scaling:
            of = _type(left, schema)
            return of and _finer(of, factor)
        case DayStart():
            return Type("timestamp")
        case Op("*", left, right):
            return _product(_factor(left, schema), _factor(right, schema))
        case Op("+" | "-" as op, left, right):
            return _sum(op, _type(left, schema), _type(right, schema))
        case _:
            return None


def _finer(type_: Type, factor: int) -> Type:
    if type_.step:
        unit = Fraction(type_.step) / factor
        return Type("timestamp" if type_.moment else "duration", unit=unit if unit < 1 else int(unit))
    return Type("decimal", type_.digits + len(str(factor)) - 1)


def _factor(num: Num, schema: Schema) -> Type | None:
    """What multiplies: a constant has as many digits as it was written with."""
    if isinstance(num, Int):
        return Type("decimal", len(num.text.partition(".")[2]))
    return _type(num, schema)


def _product(first: Type | None, second: Type | None) -> Type | None:
    if first is None or second is None:
        return None
    timed = next((t for t in (first, second) if t.step), None)
    return timed or Type("decimal", first.digits + second.digits)


def _sum(op: str, first: Type | None, second: Type | None) -> Type | None:
    moments = [t for t in (first, second) if t and t.moment]
    if op == "-" and len(moments) == 2:
        return Type("duration", unit=moments[0].step)
    return moments[0] if moments else first or second


def _text(num: Num, type_: Type, schema: Schema) -> str:
    match num:
        case Int(value, text):
            return text or written(value, type_)
        case Attr(name):
            return name
        case Op(_, left, _) if num.scaling:
            return _text(left, type_, schema)
        case DayStart(day):
            return _text(day, DATE, schema)
        case Op(op, left, right):
            beside = Type("duration", unit=type_.step) if type_.moment else type_
            first, second = _text(left, type_, schema), _text(right, beside, schema)
            if op == "*" and _sign(left) in ("+", "-"):
                first = f"({first})"
            return f"{first} {op} {f'({second})' if _sign(right) and (op == '*' or _sign(right) != '*') else second}"


def _sign(num: Num) -> str:
    """The sign between two things as which it is written; none for one thing."""
    if isinstance(num, DayStart):
        return _sign(num.day)
    return "" if not isinstance(num, Op) else _sign(num.left) if num.scaling else num.op


def _shown(name: str, values: Values, schema: Schema) -> str:
    found: Value | None = values.get(name)
    return written(found, schema[name].type) if name in schema else str(found)
