"""Check the meaning of names and literals: everything becomes integers, words and Kleene's three values."""

import pytest

from engine.lang.check.resolve import MAX_DEPTH, MAX_NODES, Scope
from engine.lang.engines.reference import truth
from engine.lang.model.conditions import (
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    Flag,
    InList,
    Int,
    Not,
    Op,
    Or,
    Same,
    Truth,
)
from engine.lang.model.problems import Report, SourceSpan
from engine.lang.model.types import (
    DATE,
    DAYS,
    MAX_INTEGER,
    MOMENT,
    STRING,
    Attribute,
    Type,
    Value,
    format_value,
    parse_scaled,
)
from engine.lang.syntax.ast import EntryLine, ListFile
from engine.lang.syntax.expression_tree import Word
from engine.lang.syntax.expressions import parse
from engine.lang.syntax.source import Scalar

SCHEMA = {
    "n.whole": Attribute("n.whole", Type("int", 0, (), 0, 100)),
    "n.other": Attribute("n.other", Type("int", 0, (), -50, 50)),
    "n.huge": Attribute("n.huge", Type("int")),
    "n.cents": Attribute("n.cents", Type("decimal", 2, (), 0, 10_000)),
    "n.mills": Attribute("n.mills", Type("decimal", 3, (), 0, 1_000)),
    "n.day": Attribute("n.day", DATE),
    "n.since": Attribute("n.since", DATE),
    "n.at": Attribute("n.at", MOMENT),
    "n.age": Attribute("n.age", DAYS),
    "n.wait": Attribute("n.wait", Type("duration", low=-(10**9), high=10**9, unit=1)),
    "s.town": Attribute("s.town", STRING),
    "b.off": Attribute("b.off", Type("bool")),
    "b.on": Attribute("b.on", Type("bool")),
    "e.color": Attribute("e.color", Type("enum", 0, ("red", "green"))),
}


def list_file(name: str, *entries: tuple[str, str | None]) -> ListFile:
    at = SourceSpan("lists/a.yaml")
    lines = (EntryLine(Word(v, at), Word(until, at) if until else None, at) for v, until in entries)
    return ListFile(id=Word(name, at), about=Word(name, at), entries=tuple(lines), at=at)


LISTS = {
    "towns": list_file("towns", ("Basra", None), ("Cairo", "2024-03-01")),
    "numbers": list_file("numbers", ("7", None)),
}


def scalar(text: str) -> Scalar:
    return Scalar(text, SourceSpan("a.yaml"), True, tuple((1, n) for n in range(1, len(text) + 2)))


def resolve(text: str, **define: str) -> tuple[Truth | None, Report]:
    report = Report()
    expr = parse(scalar(text), report)
    definitions = {n: parse(scalar(t), report) for n, t in define.items()}
    assert expr
    assert not report.problems
    return Scope(SCHEMA, {n: e for n, e in definitions.items() if e}, report, LISTS).condition(expr), report


def meaning(text: str, **define: str) -> Truth:
    condition, report = resolve(text, **define)
    assert condition is not None, report.problems
    return condition


def problem(text: str, **define: str) -> tuple[str, int]:
    condition, report = resolve(text, **define)
    assert condition is None
    assert len(report.problems) == 1, report.problems
    return report.problems[0].code, report.problems[0].at.column


WHOLE, CENTS, DAY, AGE = Attr("n.whole"), Attr("n.cents"), Attr("n.day"), Attr("n.age")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("n.whole >= 3", Cmp(">=", WHOLE, Int(3))),
        ("n.whole >= 3.0", Cmp(">=", WHOLE, Int(3))),
        ("3 <= n.whole", Cmp(">=", WHOLE, Int(3))),
        ("3 > n.whole", Cmp("<", WHOLE, Int(3))),
        ("3 == n.whole", Cmp("==", WHOLE, Int(3))),
        ("n.age < 90d", Cmp("<", AGE, Int(90))),
        ("n.age < 48h", Cmp("<", AGE, Int(2))),
        ("n.age < -1d", Cmp("<", AGE, Int(-1))),
        ("n.wait >= 90m", Cmp(">=", Attr("n.wait"), Int(5_400))),
        ("n.wait > n.age", Cmp(">", Attr("n.wait"), Op("*", AGE, Int(86_400)))),
        ("n.day - n.since >= 30d", Cmp(">=", Op("-", DAY, Attr("n.since")), Int(30))),
        ("n.day + 7d < n.since", Cmp("<", Op("+", DAY, Int(7)), Attr("n.since"))),
        ("n.day + 12h < n.at", Cmp("<", Op("+", Op("*", DAY, Int(86_400)), Int(43_200)), Attr("n.at"))),
        ("2 * n.age > 90d", Cmp(">", Op("*", Int(2), AGE), Int(90))),
        ("n.at >= 1970-01-02T00:00:01Z", Cmp(">=", Attr("n.at"), Int(86_401))),
        ("n.at >= 1970-01-02", Cmp(">=", Attr("n.at"), Int(86_400))),
        ("s.town == 'Baghdad'", Same("s.town", "Baghdad")),
        ("s.town in ['a', 'b']", Or((Same("s.town", "a"), Same("s.town", "b")))),
        ("s.town == e.color", AttrsEqual("s.town", "e.color")),
        ("b.on != b.off", Not(AttrsEqual("b.on", "b.off"))),
        ("s.town in lists.towns", InList("s.town", (("Basra", None), ("Cairo", 19_783)))),
        ("s.town not in lists.towns", Not(InList("s.town", (("Basra", None), ("Cairo", 19_783))))),
        ("n.whole in lists.numbers", InList("n.whole", ((7, None),))),
        ("n.cents > 0.5", Cmp(">", CENTS, Int(50))),
        ("n.cents > 1", Cmp(">", CENTS, Int(100))),
        ("n.cents > -0.07", Cmp(">", CENTS, Int(-7))),
        ("n.mills > 0.007", Cmp(">", Attr("n.mills"), Int(7))),
        ("n.cents > n.whole", Cmp(">", CENTS, Op("*", WHOLE, Int(100)))),
        ("n.cents > n.mills", Cmp(">", Op("*", CENTS, Int(10)), Attr("n.mills"))),
        ("n.whole + 0.5 > n.cents", Cmp(">", Op("*", Op("+", Op("*", WHOLE, Int(10)), Int(5)), Int(10)), CENTS)),
        ("n.whole * n.cents > 2", Cmp(">", Op("*", WHOLE, CENTS), Int(200))),
        ("n.day < 1970-01-11", Cmp("<", DAY, Int(10))),
        ("n.day >= 1969-12-31", Cmp(">=", DAY, Int(-1))),
        ("n.day == 2000-02-29", Cmp("==", DAY, Int(11_016))),
        ("n.whole in [1, 2]", Or((Cmp("==", WHOLE, Int(1)), Cmp("==", WHOLE, Int(2))))),
        ("n.whole not in [1]", Not(Cmp("==", WHOLE, Int(1)))),
        ("n.cents in [0.25]", Cmp("==", CENTS, Int(25))),
        ("b.on", Flag("b.on")),
        ("b.on == true", Flag("b.on")),
        ("b.on != true", Not(Flag("b.on"))),
        ("false == b.on", Not(Flag("b.on"))),
        ("e.color == 'red'", Same("e.color", "red")),
        ("'red' != e.color", Not(Same("e.color", "red"))),
        ("e.color in ['red', 'green']", Or((Same("e.color", "red"), Same("e.color", "green")))),
        ("known(e.color)", AttrKnown("e.color")),
        ("missing(n.day)", Not(AttrKnown("n.day"))),
        ("true or b.on", Or((Const(True), Flag("b.on")))),
        (f"n.huge == {MAX_INTEGER}", Cmp("==", Attr("n.huge"), Int(MAX_INTEGER))),
        (f"n.huge > -{MAX_INTEGER}", Cmp(">", Attr("n.huge"), Int(-MAX_INTEGER))),
    ],
)
def test_expressions_have_these_meanings(text: str, means: Truth) -> None:
    assert meaning(text) == means


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("n.whole > 0.5", "R104", 11),
        ("0.5 < n.whole", "R104", 1),
        ("n.cents in [0.25, 0.255]", "R104", 19),
        (f"n.cents == 1.{'0' * 70}1", "R104", 12),
        (f"n.huge > {MAX_INTEGER + 1}", "R104", 10),
        (f"n.cents > {MAX_INTEGER}", "R104", 11),
        ("n.day > 2023-02-29", "R104", 9),
        ("n.day > 20000", "R104", 9),
        ("n.day > '2024-01-01'", "R104", 9),
        ("n.whole > 2024-01-01", "R104", 11),
        ("n.whole > true", "R104", 11),
        ("b.on == 1", "R104", 9),
        ("b.on == 'true'", "R104", 9),
        ("e.color == 'blue'", "R104", 12),
        ("e.color == 1", "R104", 12),
        ("e.color in ['red', 'blue']", "R104", 20),
        ("n.day - n.day > 3", "R104", 17),
        ("n.whole > n.day", "R103", 11),
        ("n.day in [1]", "R104", 11),
        ("b.on > true", "R103", 1),
        ("b.on == e.color", "R103", 9),
        ("e.color == n.whole", "R103", 12),
        ("e.color + 1 > 2", "R103", 1),
        ("1 in [1]", "R103", 1),
        ("1 < 2", "R103", 1),
        ("true == true", "R103", 1),
        ("(n.whole > 1) == true", "R103", 2),
        ("n.whole", "R105", 1),
        ("'red'", "R105", 1),
        ("n.whole + 1 and b.on", "R105", 1),
        ("not 1", "R105", 5),
        ("n.huge * n.huge > 0", "R106", 1),
        ("n.huge * 1000 > 0", "R106", 1),
        ("n.huge > n.mills", "R106", 1),
        ("n.no > 1", "R101", 1),
        ("known(n.no)", "R101", 7),
    ],
)
def test_type_errors_are_reported_at_their_place(text: str, code: str, column: int) -> None:
    assert problem(text) == (code, column)


def test_a_similar_value_is_suggested() -> None:
    _, report = resolve("e.color == 'gren'")
    assert report.problems[0].hint == "did you mean `green`?"
    _, report = resolve("e.colour == 'red'")
    assert report.problems[0].hint == "did you mean `e.color`?"


def test_every_part_of_a_join_gets_its_own_problem() -> None:
    _, report = resolve("n.a > 1 and (n.whole > 0.5 or e.color > 'red') and b.on")
    assert [(p.code, p.at.column) for p in report.problems] == [("R101", 1), ("R104", 24), ("R103", 31)]


def test_definitions_use_each_other_and_are_conditions() -> None:
    assert meaning("x", x="not y", y="b.on") == Not(Flag("b.on"))
    assert problem("x > 1", x="b.on") == ("R103", 1)
    assert problem("known(x)", x="b.on") == ("R101", 7)
    assert problem("x", x="n.whole + 1") == ("R105", 1)


def test_circular_definitions_are_refused() -> None:
    _, report = resolve("x", x="b.on and y", y="z or b.on", z="not x")
    assert [p.message for p in report.problems] == ["definitions form a cycle: x -> y -> z -> x"]


def test_the_size_of_a_condition_includes_its_definitions() -> None:
    wide = " or ".join(["b.on"] * 49)  # 49 leaves and their join: 50 nodes
    assert resolve(" or ".join(["x"] * 11), x=wide)[1].problems == []
    assert problem(" or ".join(["x"] * (MAX_NODES // 50)), x=wide) == ("R023", 1)
    assert resolve("n.whole" + " + n.whole" * (MAX_DEPTH - 2) + " > 1")[1].problems == []
    assert problem("n.whole" + " + n.whole" * (MAX_DEPTH - 1) + " > 1") == ("R023", 1)


T, F, U = True, False, None


@pytest.mark.parametrize(
    ("text", "row"),
    [("b.on and n.whole > 0", (U, F, U, F, F, F, U, F, T)), ("b.on or n.whole > 0", (U, U, T, U, F, T, T, T, T))],
)
def test_and_and_or_follow_kleene(text: str, row: tuple[bool | None, ...]) -> None:
    pairs: list[dict[str, Value | None]] = [{"b.on": b, "n.whole": n} for b in (U, F, T) for n in (U, 0, 1)]
    assert tuple(truth(meaning(text), values) for values in pairs) == row


@pytest.mark.parametrize(
    ("text", "values", "status"),
    [
        ("not b.on", {}, U),
        ("b.on == false", {"b.on": F}, T),
        ("n.whole == 0", {}, U),
        ("n.whole != 0", {}, U),
        ("n.whole not in [1, 2]", {}, U),
        ("n.whole not in [1, 2]", {"n.whole": 3}, T),
        ("e.color != 'red'", {}, U),
        ("e.color != 'red'", {"e.color": "green"}, T),
        ("known(n.whole)", {}, F),
        ("missing(n.whole)", {"n.whole": None}, T),
        ("known(n.whole) and n.whole > 0", {}, F),
        ("missing(n.whole) or n.whole > 0", {}, T),
        ("n.whole - n.whole == 0", {}, U),
        ("n.whole * 0 == 0", {}, U),
        ("n.cents >= n.whole", {"n.cents": 299, "n.whole": 3}, F),
        ("n.cents >= n.whole", {"n.cents": 300, "n.whole": 3}, T),
        ("n.whole + n.other > 10", {"n.whole": 20}, U),
        ("n.whole + n.other > 10", {"n.whole": 20, "n.other": -10}, F),
        ("true or n.whole > 0", {}, T),
        ("false and n.whole > 0", {}, F),
        ("not (true and n.whole > 0)", {}, U),
    ],
)
def test_a_missing_value_gives_unknown_unless_the_result_is_certain(
    text: str, values: dict[str, Value | None], status: bool | None
) -> None:
    assert truth(meaning(text), values) is status


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("0.85", Type("decimal", 2), 85),
        ("-3", Type("int"), -3),
        ("7", Type("decimal", 2), 700),
        ("1970-01-02", Type("date"), 1),
    ],
)
def test_a_formatted_value_parses_to_itself(text: str, type_: Type, value: int) -> None:
    assert parse_scaled(text, type_) == value
    assert parse_scaled(format_value(value, type_), type_) == value


def test_values_are_written_as_operators_write_them() -> None:
    assert format_value(None, Type("int")) == "UNKNOWN"
    assert format_value(True, Type("bool")) == "true"
    assert format_value(5, Type("decimal", 2)) == "0.05"
    assert format_value("red", Type("enum", 0, ("red",))) == "red"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (f"s.town == '{'x' * 129}'", "a word in quotes, of at most 128 characters"),
        ("e.color == 'gren'", "did you mean `green`?"),
        ("e.color == 'mauve'", "use one of `green`, `red`"),
    ],
)
def test_an_invalid_word_gets_the_valid_ones_as_a_hint(text: str, hint: str) -> None:
    _, report = resolve(text)
    assert [(problem.code, problem.hint) for problem in report.problems] == [("R104", hint)]


def test_each_entry_of_a_list_in_brackets_counts_as_a_part() -> None:
    """`n.huge in [50 constants]` has 100 parts; joined by `or`, one more for the join: 601 of six are one too many."""
    fifty = f"n.huge in [{', '.join(map(str, range(50)))}]"
    assert MAX_NODES == 600
    assert resolve(" or ".join(["x"] * 5), x=fifty)[1].problems == []
    assert problem(" or ".join(["x"] * 6), x=fifty) == ("R023", 1)


@pytest.mark.parametrize("text", ["x", "not x", "x or b.on", "not x or not x"])
def test_a_broken_definition_is_reported_once_and_not_at_its_uses(text: str) -> None:
    assert problem(text, x="n.nope > 1")[0] == "R101"


@pytest.mark.parametrize("right", ["n.whole + 1", "x"])
def test_a_word_is_compared_with_a_constant_or_an_attribute(right: str) -> None:
    assert problem(f"e.color == {right}", x="n.whole > 1") == ("R103", 12)


def test_a_list_is_one_part_however_long_and_what_is_asked_of_it_another() -> None:
    """50 questions of two parts and their join are 101 parts: five times these, joined, are 506, six times 607."""
    fifty = " or ".join(["s.town in lists.towns"] * 50)
    assert resolve(" or ".join(["x"] * 5), x=fifty)[1].problems == []
    assert problem(" or ".join(["x"] * 6), x=fifty) == ("R023", 1)


def test_a_question_of_a_list_is_two_deeper_than_what_it_asks_of() -> None:
    """A sum of n numbers is n deep."""
    assert resolve("n.whole" + " + n.whole" * (MAX_DEPTH - 3) + " in [1, 2]")[1].problems == []
    assert problem("n.whole" + " + n.whole" * (MAX_DEPTH - 2) + " in [1, 2]") == ("R023", 1)


def test_of_a_condition_as_wide_as_it_may_be_the_depth_is_told() -> None:
    """The join of a comparison of 129 parts (64 numbers, 63 plus, one constant, the comparison), 65 deep, and 9 x 50 and 20
    parts has 600 parts, and is 66 deep.
    """
    deep = "n.whole" + " + n.whole" * 63 + " > 1"
    wide, rest = " or ".join(["b.on"] * 49), " or ".join(["b.on"] * 19)
    _, report = resolve(" or ".join([deep, *["x"] * 9, "y"]), x=wide, y=rest)
    assert [p.message for p in report.problems] == ["with its definitions written out this is 66 deep, of 64 at most"]
    _, report = resolve(" or ".join([deep, *["x"] * 9, "y", "b.on"]), x=wide, y=rest)
    assert [p.message for p in report.problems] == [
        "with its definitions written out this has 601 parts, of 600 at most"
    ]


def test_a_list_of_one_constant_is_a_comparison() -> None:
    assert meaning("n.whole in [1]") == Cmp("==", Attr("n.whole"), Int(1))
    assert meaning("e.color not in ['red']") == Not(Same("e.color", "red"))
    assert meaning("n.whole in [1, 2]") == Or(tuple(Cmp("==", Attr("n.whole"), Int(n)) for n in (1, 2)))


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("red", ("R101", "unknown name `red`", "write a word in quotes: 'red'")),
        ("mauve", ("R104", "`mauve` is not a value of `e.color`", "use one of `green`, `red`")),
        ("e.colour", ("R101", "unknown name `e.colour`", "did you mean `e.color`?")),
    ],
)
def test_a_word_without_quotes_gets_the_hint_of_the_word_that_it_could_be(
    word: str, problem: tuple[str, str, str]
) -> None:
    _, report = resolve(f"e.color == {word}")
    assert [(p.code, p.message, p.hint) for p in report.problems] == [problem]
