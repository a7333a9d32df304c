"""Check the grammar of expressions: valid ones, precedence, and the messages for invalid ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lang.model.problems import Problem, Report, SourceSpan
from engine.lang.syntax.expression_tree import Arithmetic, Compare, Constant, Expr, IsKnown, Join, Member, Name, Negate
from engine.lang.syntax.expressions import MAX_DEPTH, MAX_TOKENS, parse
from engine.lang.syntax.source import Scalar


def scalar(text: str) -> Scalar:
    return Scalar(text, SourceSpan("a.yaml"), True, tuple((1, n) for n in range(1, len(text) + 2)))


def bracketed(expr: Expr) -> str:
    """The text of an expression with every bracket."""
    match expr:
        case Name(name):
            return name
        case Constant(text, kind):
            return {
                "word": f"'{text}'",
            }.get(kind, text)
        case Compare(op, left, right) | Arithmetic(op, left, right):
            return f"({bracketed(left)} {op} {bracketed(right)})"
        case Member(item, among, negated):
            return f"({bracketed(item)} {'not in' if negated else 'in'} [{', '.join(map(bracketed, among))}])"
        case IsKnown(name, negated):
            return f"{'missing' if negated else 'known'}({name.name})"
        case Join(op, parts):
            return f"({f' {op} '.join(map(bracketed, parts))})"
        case Negate(part):
            return f"(not {bracketed(part)})"


def read(text: str) -> str:
    report = Report()
    expr = parse(scalar(text), report)
    assert expr is not None, report.problems
    assert not report.problems
    return bracketed(expr)


def problem(text: str) -> Problem:
    report = Report()
    assert parse(scalar(text), report) is None
    assert len(report.problems) == 1, "an expression that cannot be read has one problem: the rest would be guesses"
    return report.problems[0]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("a", "a"),
        ("a.b_1.c2", "a.b_1.c2"),
        ("a == 1", "(a == 1)"),
        ("a<=-1", "(a <= -1)"),
        ("a - 1 > 2", "((a - 1) > 2)"),
        ("a -1 > 2", "((a - 1) > 2)"),
        ("a - -1 > 2", "((a - -1) > 2)"),
        ("a - b - c > 0", "(((a - b) - c) > 0)"),
        ("a + b * c > 0", "((a + (b * c)) > 0)"),
        ("(a + b) * c > 0", "(((a + b) * c) > 0)"),
        ("a or b and c", "(a or (b and c))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("a and b and c or d", "((a and b and c) or d)"),
        ("not a and b", "((not a) and b)"),
        ("not (a and b)", "(not (a and b))"),
        ("not not a", "(not (not a))"),
        ("not a == 1", "(not (a == 1))"),
        ("a in [1, 2.50]", "(a in [1, 2.50])"),
        ("a not in ['x', \"y\"]", "(a not in ['x', 'y'])"),
        ("not a in ['x']", "(not (a in ['x']))"),
        ("known(a.b) or missing(c)", "(known(a.b) or missing(c))"),
        ("a >= 90d and b < 2024-02-29", "((a >= 90d) and (b < 2024-02-29))"),
        ("a == 'not in [known]'", "(a == 'not in [known]')"),
        ("a == ''", "(a == '')"),
        ("true and false == a", "(true and (false == a))"),
        ("android or notable or inner.known", "(android or notable or inner.known)"),
        ("1 < a", "(1 < a)"),
        ("  a\n  and\n  b  ", "(a and b)"),
        ("2024-01-01 <= a", "(2024-01-01 <= a)"),
        ("2024 - 01 - 01 <= a", "(((2024 - 01) - 01) <= a)"),
    ],
)
def test_expressions_parse_to_these_trees(text: str, means: str) -> None:
    assert read(text) == means


@pytest.mark.parametrize(
    ("text", "code", "column", "hint"),
    [
        ("a = 1", "R020", 3, "compare with `==`"),
        ("a && b", "R020", 3, "write `and`"),
        ("a || b", "R020", 3, "write `or`"),
        ("!a", "R020", 1, "write `not`, or `!=`"),
        ("a / 2 > 1", "R020", 3, "there is no division: multiply the other side"),
        ("a > 5%", "R020", 6, "write a share as a decimal, such as 0.25"),
        ("a ~ 'b'", "R020", 3, "there are no patterns: list the words with `in [..]`"),
        ("a == 'b", "R020", 6, "the quote is not closed"),
        ('a == "b', "R020", 6, "the quote is not closed"),
        ("a AND b", "R020", 3, "names, and words such as `and`, are written in lower case"),
        ("a\u00a0> 1", "R020", 2, "this is a no-break space: write a plain one"),
        ("a > 1_000", "R020", 5, "numbers are written 12 or 0.25"),
        ("a > .5", "R020", 5, "numbers are written 12 or 0.25"),
        ("a > 5.", "R020", 5, "numbers are written 12 or 0.25"),
        ("a > 1e5", "R020", 5, "numbers are written 12 or 0.25"),
        ("a > \u0663", "R020", 5, "numbers are written 12 or 0.25"),
        ("a; b", "R020", 2, "features as dimension.name"),
        ("a..b", "R020", 2, "features as dimension.name"),
        ("", "R021", 1, "a number, a date"),
        ("a >", "R021", 4, "a number, a date"),
        ("a > ", "R021", 4, "a number, a date"),
        ("a and", "R021", 6, "a number, a date"),
        ("-a > 1", "R021", 2, "a minus"),
        ("a <> 1", "R021", 4, "write `!=`"),
        ("a in []", "R021", 7, "a number, a date"),
        ("a in [b]", "R021", 7, "a number, a date"),
        ("(a", "R021", 3, ""),
        ("a)", "R021", 2, "join conditions with `and` or `or`"),
        ("a b", "R021", 3, "join conditions with `and` or `or`"),
        ("a > 1 2", "R021", 7, "join conditions with `and` or `or`"),
        ("a not 1", "R021", 7, ""),
        ("a in (1)", "R021", 6, ""),
        ("a in [1", "R021", 8, ""),
        ("a in [1,]", "R021", 9, "a number, a date"),
        ("known(1)", "R021", 7, ""),
        ("known(known)", "R021", 7, ""),
        ("known a", "R021", 7, ""),
        ("a > - 'x'", "R021", 7, "a minus"),
        ("a < b < c", "R022", 7, "write `a < b and b < c`"),
        ("a == b != c", "R022", 8, "write `a < b and b < c`"),
    ],
)
def test_broken_expressions_give_these_problems(text: str, code: str, column: int, hint: str) -> None:
    error = problem(text)
    assert (error.code, error.at.column) == (code, column), error
    assert hint in error.hint


def test_brackets_nest_up_to_the_limit_of_the_language() -> None:
    deep = MAX_DEPTH - 1
    assert read("(" * deep + "a" + ")" * deep) == "a"
    assert problem("(" * (deep + 1) + "a" + ")" * (deep + 1)).code == "R023"
    assert problem("(" * 300 + "a").code == "R023"


def test_negations_nest_as_brackets_do() -> None:
    assert read("not " * (MAX_DEPTH - 1) + "a").count("not") == MAX_DEPTH - 1
    assert problem("not " * MAX_DEPTH + "a").code == "R023"
    assert read(" and ".join(["not a"] * 60)).count("not") == 60


def test_the_number_of_parts_of_an_expression_is_limited() -> None:
    assert read("a" + " or a" * (MAX_TOKENS // 2 - 1)).count("a") == MAX_TOKENS // 2
    assert problem("a" + " or a" * (MAX_TOKENS // 2)).code == "R023"


def test_a_token_of_a_place_is_as_long_as_it_is_written() -> None:
    report = Report()
    expr = parse(scalar("  credit.kept >= 12"), report)
    assert isinstance(expr, Compare)
    assert (expr.left.at.column, expr.left.at.length) == (3, 11)
    assert (expr.right.at.column, expr.right.at.length) == (18, 2)


WORDS = [
    "a",
    "b.c",
    "and",
    "or",
    "not",
    "in",
    "known",
    "missing",
    "true",
    "1",
    "0.5",
    "90d",
    "2024-01-01",
    "'x'",
    "-",
    "+",
    "*",
]
SIGNS = ["==", "!=", "<", "<=", ">", ">=", "(", ")", "[", "]", ",", "=", "!", "&", "'", "\n", "\u0661", "A"]


@settings(max_examples=600, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS + SIGNS), max_size=30).map(" ".join))
def test_any_text_is_an_expression_or_a_problem_and_never_raises(text: str) -> None:
    report = Report()
    expr = parse(scalar(text), report)
    assert (expr is None) == bool(report.problems)
    assert all(1 <= p.at.column <= len(text) + 1 for p in report.problems)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS + SIGNS), min_size=1, max_size=12).map(" ".join))
def test_a_fully_bracketed_expression_parses_to_the_same_tree(text: str) -> None:
    expr = parse(scalar(text), Report())
    if expr is not None:
        assert read(bracketed(expr)) == bracketed(expr)
