"""Check the canonical text of expressions: it keeps the meaning, and has no unnecessary character."""

import re
from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lang.model.problems import Report, SourceSpan
from engine.lang.syntax.expression_tree import Arithmetic, Compare, Constant, Expr, IsKnown, Join, Member, Name, Negate
from engine.lang.syntax.expressions import KEYWORDS, parse
from engine.lang.syntax.printer import break_lines, print_expression
from engine.lang.syntax.source import Scalar

AT = SourceSpan("a.yaml")


def read(text: str) -> Expr:
    report = Report()
    expr = parse(Scalar(text, AT, True, tuple((1, n) for n in range(1, len(text) + 2))), report)
    assert expr is not None, (text, report.problems)
    return without_places(expr)


def without_places(expr: Expr) -> Expr:
    """The same tree without any place."""
    changes: dict[str, object] = {"at": AT}
    for field in fields(expr):
        value = getattr(expr, field.name)
        if isinstance(value, tuple):
            changes[field.name] = tuple(without_places(v) for v in value)
        elif is_dataclass(value) and field.name != "at":
            changes[field.name] = without_places(value)  # type: ignore[arg-type]
    return replace(expr, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a<=-1", "a <= -1"),
        ("((a))", "a"),
        ("(a == 1)", "a == 1"),
        ("(a) and (b and c)", "a and (b and c)"),
        ("(a and b) or c", "a and b or c"),
        ("(a or b) and c", "(a or b) and c"),
        ("not (a)", "not a"),
        ("not (a == 1)", "not a == 1"),
        ("not (a and b)", "not (a and b)"),
        ("not (not a)", "not not a"),
        ("(not a) and b", "not a and b"),
        ("(not a) == b", "(not a) == b"),
        ("a - (b - c) > 0", "a - (b - c) > 0"),
        ("(a - b) - c > 0", "a - b - c > 0"),
        ("(a * b) + c > 0", "a * b + c > 0"),
        ("a * (b + c) > 0", "a * (b + c) > 0"),
        ("a * (b * c) > 0", "a * (b * c) > 0"),
        ("a- -1 > 0", "a - -1 > 0"),
        ("(a + b) in [1,2.50]", "a + b in [1, 2.50]"),
        ("a not  in [\"x\",'y']", "a not in ['x', 'y']"),
        ('a == "it\'s"', 'a == "it\'s"'),
        ("not a in ['x']", "not a in ['x']"),
        ("known( a.b )or missing (c)", "known(a.b) or missing(c)"),
        ("a >= 90d and b < 2024-02-29", "a >= 90d and b < 2024-02-29"),
        ("true == a", "true == a"),
        ("  a\n  and\n b", "a and b"),
    ],
)
def test_an_expression_has_one_text(text: str, canonical: str) -> None:
    assert print_expression(read(text)) == canonical


NAMES = st.sampled_from(["a", "b.c", "android", "inner.known", "a.b_1.c2"]).map(lambda n: Name(n, AT))
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=2) | st.integers()
CONSTANTS = st.one_of(
    NUMBERS.map(lambda n: Constant(f"{n:f}" if not isinstance(n, int) else str(n), "number", AT)),
    st.dates().map(lambda d: Constant(d.isoformat(), "date", AT)),
    st.tuples(st.integers(0, 10**6), st.sampled_from("dhms")).map(lambda d: Constant(f"{d[0]}{d[1]}", "duration", AT)),
    st.sampled_from(["true", "false"]).map(lambda t: Constant(t, "bool", AT)),
    (st.text(max_size=6) | st.sampled_from(sorted(KEYWORDS)))
    .filter(lambda t: "\n" not in t and not ("'" in t and '"' in t))
    .map(lambda t: Constant(t, "word", AT)),
)


def grow(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    """Any tree of the grammar, whether or not its types fit."""
    few, constants = st.lists(inner, min_size=2, max_size=4), st.lists(CONSTANTS, min_size=1, max_size=3)
    return st.one_of(
        st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner, st.just(AT)),
        st.builds(Member, inner, constants.map(tuple), st.booleans(), st.just(AT)),
        st.builds(IsKnown, NAMES, st.booleans(), st.just(AT)),
        st.builds(Join, st.sampled_from(["and", "or"]), few.map(tuple), st.just(AT)),
        st.builds(Negate, inner, st.just(AT)),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*"]), inner, inner, st.just(AT)),
    )


expressions = st.recursive(NAMES | CONSTANTS, grow, max_leaves=14)


@settings(max_examples=500, deadline=None)
@given(expressions)
def test_printed_expressions_parse_to_the_same_tree(expr: Expr) -> None:
    assert read(print_expression(expr)) == expr


@settings(max_examples=300, deadline=None)
@given(expressions, st.data())
def test_every_printed_bracket_is_needed(expr: Expr, data: st.DataObject) -> None:
    text = print_expression(expr)
    opens = [m.start() for m in re.finditer(r"(?<![a-z])\(", text)]  # not those of `known(..)`
    if not opens or "'" in text or '"' in text:
        return
    at, depth = data.draw(st.sampled_from(opens)), 0
    for end in range(at, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if not depth:
            break
    less = text[:at] + text[at + 1 : end] + text[end + 1 :]
    report = Report()
    result = parse(Scalar(less, AT, True, tuple((1, n) for n in range(1, len(less) + 2))), report)
    assert result is None or without_places(result) != expr


@settings(max_examples=300, deadline=None)
@given(expressions, st.integers(10, 60))
def test_breaking_lines_only_adds_line_breaks(expr: Expr, width: int) -> None:
    lines = break_lines(expr, width)
    assert " ".join(lines) == print_expression(expr)
    assert all(not line.startswith(" ") and line == line.rstrip() for line in lines)


def test_a_long_expression_breaks_before_its_outermost_operators() -> None:
    expr = read("identity.level >= 1 and (active or has_credit and known(credit.kept)) and not (a or b)")
    assert break_lines(expr, 100) == (print_expression(expr),)
    assert break_lines(expr, 60) == (
        "identity.level >= 1",
        "and (active or has_credit and known(credit.kept))",
        "and not (a or b)",
    )
    assert break_lines(expr, 40) == (
        "identity.level >= 1",
        "and (active",
        "or has_credit and known(credit.kept))",
        "and not (a or b)",
    )
