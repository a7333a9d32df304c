"""Print expressions in their one canonical form.

We leave out every bracket that is not needed, put one blank around operators, and put words in single quotes. If you
parse the printed text again, you get the same expression, except for places; a test checks this.
"""

from collections.abc import Callable, Iterator
from typing import Final

from engine.lang.syntax.expression_tree import Arithmetic, Compare, Constant, Expr, IsKnown, Join, Member, Name, Negate

OR, AND, NOT, COMPARISON, SUM, PRODUCT, ATOM = range(7)  # tighter operators are higher, as in the grammar


def _word(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


CONSTANT_WRITERS: Final[dict[str, Callable[[str], str]]] = {"word": _word}


def print_expression(expr: Expr) -> str:
    """Print an expression on one line."""
    match expr:
        case Name(name):
            return name
        case Constant(text, kind):
            return CONSTANT_WRITERS.get(kind, str)(text)
        case IsKnown(name, negated):
            return f"{'missing' if negated else 'known'}({name.name})"
        case Arithmetic(op, left, right):
            level = _level(expr)
            return f"{_bracketed(left, level)} {op} {_bracketed(right, level + 1)}"
        case Compare(op, left, right):
            return f"{_bracketed(left, SUM)} {op} {_bracketed(right, SUM)}"
        case Member(item, among, negated):
            return f"{_bracketed(item, SUM)} {'not in' if negated else 'in'} {_among(among)}"
        case Negate(part):
            return f"not {_bracketed(part, NOT)}"
        case Join(op, parts):
            return f" {op} ".join(_bracketed(p, _level(expr) + 1) for p in parts)


def break_lines(expr: Expr, width: int) -> tuple[str, ...]:
    """Print an expression on several lines that fit `width`. We break before `and` and `or`, the outermost first.

    Joined by blanks, the lines are `print_expression(expr)`. We never break a comparison, however long it is.
    """
    return tuple(_lines(expr, width, "", OR, ""))


def _lines(expr: Expr, width: int, lead: str, min_level: int, tail: str) -> Iterator[str]:
    """Print `expr` after `lead` and before `tail`.

    The grammar needs here something that binds at least at `min_level`.
    """
    whole = f"{lead}{_bracketed(expr, min_level)}{tail}"
    if _level(expr) < min_level:
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
    return f"[{', '.join(map(print_expression, among))}]"


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


def _bracketed(expr: Expr, min_level: int) -> str:
    """Print the expression where the grammar needs something that binds at least at `min_level`."""
    return print_expression(expr) if _level(expr) >= min_level else f"({print_expression(expr)})"
