"""Printer: the one canonical text of an expression.

No bracket that could be left out, one blank around operators, words in single quotes. `parse(printed(e))` is `e` again,
places aside; a test holds it.
"""

from collections.abc import Callable, Iterator
from typing import Final

from engine.lang.syntax import Arithmetic, Compare, Constant, Expr, IsKnown, Join, Member, Name, Negate

OR, AND, NOT, COMPARISON, SUM, PRODUCT, ATOM = range(7)  # what binds tighter is higher, as in the grammar


def _word(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


WRITTEN: Final[dict[str, Callable[[str], str]]] = {"word": _word}


def printed(expr: Expr) -> str:
    """The text of an expression, on one line."""
    match expr:
        case Name(name):
            return name
        case Constant(text, kind):
            return WRITTEN.get(kind, str)(text)
        case IsKnown(name, negated):
            return f"{'missing' if negated else 'known'}({name.name})"
        case Arithmetic(op, left, right):
            level = _level(expr)
            return f"{_within(left, level)} {op} {_within(right, level + 1)}"
        case Compare(op, left, right):
            return f"{_within(left, SUM)} {op} {_within(right, SUM)}"
        case Member(item, among, negated):
            return f"{_within(item, SUM)} {'not in' if negated else 'in'} {_among(among)}"
        case Negate(part):
            return f"not {_within(part, NOT)}"
        case Join(op, parts):
            return f" {op} ".join(_within(p, _level(expr) + 1) for p in parts)


def broken(expr: Expr, width: int) -> tuple[str, ...]:
    """The same text over several lines, broken before `and` and `or`, outermost first, until each line fits `width`.

    Joined by blanks the lines are `printed(expr)`. A comparison is never broken, however long.
    """
    return tuple(_lines(expr, width, "", OR, ""))


def _lines(expr: Expr, width: int, lead: str, least: int, tail: str) -> Iterator[str]:
    """`expr` where the grammar has a place for what binds at `least`, behind `lead` and before `tail`."""
    whole = f"{lead}{_within(expr, least)}{tail}"
    if _level(expr) < least:
        lead, tail = f"{lead}(", f"){tail}"
    if len(whole) > width and isinstance(expr, Negate):
        yield from _lines(expr.part, width, f"{lead}not ", NOT, tail)
    elif len(whole) > width and isinstance(expr, Join):
        last = len(expr.parts) - 1
        for n, part in enumerate(expr.parts):
            ends = f"{expr.op} " if n else lead, _level(expr) + 1, tail if n == last else ""
            yield from _lines(part, width, *ends)
    else:
        yield whole


def _among(among: tuple[Constant, ...] | Name) -> str:
    if isinstance(among, Name):
        return among.name
    return f"[{', '.join(map(printed, among))}]"


def _level(expr: Expr) -> int:
    match expr:
        case Join(op):
            return OR if op == "or" else AND
        case Negate():
            return NOT
        case Compare() | Member():
            return COMPARISON
        case Arithmetic(op):
            return PRODUCT if op == "*" else SUM
    return ATOM


def _within(expr: Expr, least: int) -> str:
    """The text where the grammar has a place for what binds at `least`."""
    return printed(expr) if _level(expr) >= least else f"({printed(expr)})"
