"""Small changes of a module that a test should notice: list them, and apply one to the source.

Each replaces one piece of text. We leave out messages, annotations and names: such a change breaks either nothing that we promise or
everything at once.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

COMPARISONS: Final = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}  # fmt: skip
ARITHMETIC: Final = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"), ast.FloorDiv: ("//", "*"), ast.Div: ("/", "*"),
    ast.Mod: ("%", "//"), ast.BitOr: ("|", "&"), ast.BitAnd: ("&", "|"),
}  # fmt: skip
SWAPPED_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Calls that narrow or order: we remove the call, and with several arguments each of them.
NARROWING: Final = frozenset(
    [
        "where",
        "filter",
        "order_by",
        "limit",
        "distinct",
        "having",
        "with_for_update",
        "sort",
        "unique",
        "fill_null",
        "is_not",
        "drop_nulls",
    ]
)


@dataclass(frozen=True)
class Mutation:
    """Replace the bytes `start` to `end` of a module by `text`; `lines` are those of its statement, none at module level."""

    key: str
    start: int
    end: int
    text: str
    lines: range

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]


@dataclass(frozen=True)
class _CodePosition:
    """The place of a node: the function around it, and the lines of its statement (none outside functions)."""

    function: str
    lines: range


class _SourceText:
    """Text by position of nodes: Python counts columns in bytes."""

    def __init__(self, source: bytes) -> None:
        self.bytes = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.bytes[self.start(node) : self.end(node)].decode()


Change = tuple[int, int, str]


def mutations(path: str, source: bytes) -> list[Mutation]:
    """All mutations of a module, in the order of its text."""
    text, result = _SourceText(source), []
    name_counts: Counter[str] = Counter()
    for node, location in _nodes(ast.parse(source), _CodePosition("", range(0))):
        for start, end, replacement in _changes(text, node):
            mutant_source = source[:start] + replacement.encode() + source[end:]
            name = f"{path}::{location.function or 'module'}: {_excerpt(source, start, end)} -> {_excerpt(mutant_source, start, start + len(replacement.encode()))}"
            name_counts[name] += 1
            key = name if name_counts[name] == 1 else f"{name} #{name_counts[name]}"
            result.append(Mutation(key, start, end, replacement, location.lines))
    return sorted(result, key=lambda mutation: (mutation.start, mutation.end, mutation.text))


def compiles(source: bytes) -> bool:
    """Whether the text is still valid Python."""
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _excerpt(source: bytes, start: int, end: int) -> str:
    """The lines around a piece of text, as one."""
    begin = source.rfind(b"\n", 0, start) + 1
    stop = source.find(b"\n", end)
    return " ".join(source[begin : stop if stop >= 0 else len(source)].decode().split())


def _nodes(node: ast.AST, location: _CodePosition) -> Iterator[tuple[ast.AST, _CodePosition]]:
    """Every node that may change, with its place."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "format_spec") or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            within = _within(node, field, child, location)
            yield child, within
            yield from _nodes(child, within)


def _within(node: ast.AST, field: str, child: ast.AST, location: _CodePosition) -> _CodePosition:
    function, lines = location.function, location.lines
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and field == "body":
        function = f"{function}.{node.name}".lstrip(".")
    inside = bool(lines) or (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and field == "body")
    if inside and isinstance(child, ast.stmt):
        body = getattr(child, "body", None)
        last = body[0].lineno - 1 if body else child.end_lineno or child.lineno
        lines = range(child.lineno, max(last, child.lineno) + 1)
    return _CodePosition(function, lines)


def _changes(text: _SourceText, node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare():
            yield from _comparison(text, node)
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC and not _is_text(left) and not _is_text(right):
            yield from _between(text, left, right, *ARITHMETIC[type(op)])
        case ast.BoolOp(op, values):
            words = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
            for left, right in pairwise(values):
                yield from _between(text, left, right, *words)
        case ast.UnaryOp(ast.Not(), operand):
            yield text.start(node), text.start(operand), ""
        case ast.Constant(bool(value)) | ast.Constant(int(value)):
            yield text.start(node), text.end(node), str(not value if isinstance(value, bool) else value + 1)
        case ast.Call():
            yield from _call(text, node)
        case ast.If(test) | ast.IfExp(test):
            for answer in ("True", "False"):
                yield text.start(test), text.end(test), answer
        case ast.comprehension(ifs=ifs):
            for condition in ifs:
                yield text.start(condition), text.end(condition), "True"
        case (
            ast.Expr(ast.Call() | ast.Await())
            | ast.Raise()
            | ast.AugAssign()
            | ast.Continue()
            | ast.Break()
            | ast.Delete()
        ):
            yield text.start(node), text.end(node), "pass"


def _comparison(text: _SourceText, node: ast.Compare) -> Iterator[Change]:
    sides = [node.left, *node.comparators]
    for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if type(op) in COMPARISONS:
            yield from _between(text, left, right, *COMPARISONS[type(op)])
        if (
            isinstance(op, (ast.In, ast.NotIn))
            and isinstance(right, (ast.Tuple, ast.List, ast.Set))
            and len(right.elts) > 1
        ):
            yield from _one_less(text, right.elts)


def _call(text: _SourceText, node: ast.Call) -> Iterator[Change]:
    if isinstance(node.func, ast.Name) and node.func.id in SWAPPED_CALLS:
        yield text.start(node.func), text.end(node.func), SWAPPED_CALLS[node.func.id]
    if isinstance(node.func, ast.Attribute) and node.func.attr in NARROWING:
        yield text.end(node.func.value), text.end(node), ""
        if len(node.args) > 1:
            yield from _one_less(text, node.args)


def _one_less(text: _SourceText, nodes: list[ast.expr]) -> Iterator[Change]:
    """Mutations that remove each node with its comma."""
    for place, node in enumerate(nodes):
        if place + 1 < len(nodes):
            yield text.start(node), text.start(nodes[place + 1]), ""
        else:
            yield text.end(nodes[place - 1]), text.end(node), ""


def _between(text: _SourceText, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Change]:
    """The operator between two operands, across brackets and lines."""
    begin, stop = text.end(left), text.start(right)
    pattern = r"\s+".join(map(re.escape, old.split()))
    operator = re.search(rf"(?<![\w<>=!*/|&]){pattern}(?![\w<>=!*/|&])", text.bytes[begin:stop].decode())
    if operator:
        yield begin + operator.start(), begin + operator.end(), new


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
