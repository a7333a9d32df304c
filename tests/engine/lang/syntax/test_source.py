"""Check strict YAML: the rejected constructs, and the place of every character."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lang.model.problems import Report
from engine.lang.syntax.source import (
    MAX_CACHED_CHARS,
    MAX_DEPTH,
    MAX_FILE_CHARS,
    Mapping,
    Node,
    Scalar,
    Sequence,
    load_large_cached,
    read,
)


def problems(text: str) -> list[tuple[str, int, int]]:
    report = Report()
    read("a.yaml", text, report)
    assert all(p.at.file == "a.yaml" for p in report.problems)
    return [(p.code, p.at.line, p.at.column) for p in report.sorted_problems()]


def tree(text: str) -> Node:
    report = Report()
    root = read("a.yaml", text, report)
    assert root is not None, report.problems
    assert not report.problems
    return root


def test_reading_a_text_again_reports_its_problems_under_the_new_file_name() -> None:
    for text in ("a: 1\na: 2\n", "a: 1\nb: &x 2\n"):
        assert problems(text) == problems(text) != []
        report = Report()
        read("b.yaml", text, report)
        assert [p.at.file for p in report.problems] == ["b.yaml"]
    assert tree("a: 1") == tree("a: 1") != tree("a: 2")


def scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, Sequence):
        return [s for item in node.items for s in scalars(item)]
    return [s for key, value in node.entries for s in (key, *scalars(value))]


def value(text: str) -> Scalar:
    """The value of the last key."""
    root = tree(text)
    assert isinstance(root, Mapping)
    scalar = root.entries[-1][1]
    assert isinstance(scalar, Scalar)
    return scalar


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        pytest.param("a: [b", "R001", 1, 6, id="an open bracket"),
        pytest.param('a: 1\nb: "c', "R001", 2, 6, id="an open quote"),
        pytest.param("a: b: c", "R001", 1, 5, id="two colons"),
        pytest.param("a: @b", "R001", 1, 4, id="a reserved sign"),
        pytest.param('a: "\\q"', "R001", 1, 6, id="an unknown escape"),
        pytest.param("a:\n\tb: c", "R002", 2, 1, id="a tab in the indentation"),
        pytest.param("a:\n  \tb: c", "R002", 2, 3, id="a tab after spaces"),
        pytest.param("a:\tb", "R002", 1, 3, id="a tab after a colon"),
        pytest.param("a: b\tc", "R002", 1, 5, id="a tab among words"),
        pytest.param("a: 1\n'b\u00e9': 2\n\"a\": 3", "R003", 3, 2, id="a key twice, quoted once"),
        pytest.param("- a: 1\n  a: 2", "R003", 2, 3, id="a key twice in a list"),
        pytest.param("a: &x b", "R004", 1, 4, id="an anchor"),
        pytest.param("a: &x [b]", "R004", 1, 4, id="an anchor on a list"),
        pytest.param("a: *x", "R004", 1, 4, id="an alias"),
        pytest.param("<<: *x", "R004", 1, 5, id="a merge"),
        pytest.param("a: !!str b", "R005", 1, 4, id="a tag"),
        pytest.param("!mine {a: b}", "R005", 1, 1, id="a tag on a mapping"),
        pytest.param("a: ! b", "R005", 1, 4, id="a tag without a name"),
        pytest.param("%YAML 1.2\n---\na: b", "R006", 1, 1, id="a directive"),
        pytest.param("# c\n%TAG ! tag:x,2000:\n---\na: b", "R006", 2, 1, id="a directive for tags"),
        pytest.param("%SPEED fast\n---\na: b", "R006", 1, 1, id="a directive nobody knows"),
        pytest.param("a: b\n---\nc: d", "R006", 2, 1, id="a second document"),
        pytest.param("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "R007", 1, MAX_DEPTH + 2, id="too deep"),
        pytest.param("[" * 100_000, "R007", 1, MAX_DEPTH + 2, id="very deep and open"),
        pytest.param("a: " + "b" * MAX_FILE_CHARS, "R007", 1, 1, id="too large"),
        pytest.param("a: 1\nb: c\x00d", "R008", 2, 5, id="a NUL"),
        pytest.param("a: 1\nb: \x07", "R008", 2, 4, id="a bell"),
        pytest.param("a: \ud800", "R008", 1, 4, id="half a character"),
        pytest.param('a: "b\\udfff"', "R008", 1, 5, id="an escape for half a character"),
        pytest.param('a: 1\nb: "\\UFFFFFFFF"', "R008", 2, 5, id="an escape for no character"),
        pytest.param('a: "\\U00110000"', "R008", 1, 5, id="an escape beyond the last character"),
        pytest.param("", "R009", 1, 1, id="nothing"),
        pytest.param("\n# a comment\n", "R009", 1, 1, id="a comment"),
        pytest.param("---\n", "R009", 1, 1, id="a document of nothing"),
        pytest.param("? [a]\n: b", "R012", 1, 3, id="a key that is a list"),
    ],
)
def test_yaml_beyond_the_strict_subset_is_refused_at_its_place(text: str, code: str, line: int, column: int) -> None:
    assert problems(text) == [(code, line, column)]


def test_every_duplicate_key_is_reported_and_the_first_is_kept() -> None:
    report = Report()
    root = read("a.yaml", "a: 1\na: 2\nb: 3\nb: 4", report)
    assert isinstance(root, Mapping)
    assert [(k.text, v.text) for k, v in root.entries if isinstance(v, Scalar)] == [("a", "1"), ("b", "3")]
    assert [(p.code, p.at.line) for p in report.problems] == [("R003", 2), ("R003", 4)]


def test_a_scalar_stays_text_for_every_yaml_type() -> None:
    words = [s.text for s in scalars(tree("[no, ~, null, 0x1F, 1e3, 2024-01-01, 012, .inf, true]"))]
    assert words == ["no", "~", "null", "0x1F", "1e3", "2024-01-01", "012", ".inf", "true"]


def test_a_document_start_and_end_are_not_a_second_document() -> None:
    assert value("---\na: b\n...\n").at.line == 2


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        pytest.param("a: x == z", "z", 1, 9, id="plain"),
        pytest.param("a: x\n  == z", "z", 2, 6, id="plain over two lines"),
        pytest.param("a: x\n\n\n  == z", "z", 4, 6, id="plain over blank lines"),
        pytest.param("a: 'x == z'", "z", 1, 10, id="single-quoted"),
        pytest.param("a: 'it''s z'", "z", 1, 11, id="a quote in single quotes"),
        pytest.param('a: "x == z"', "z", 1, 10, id="double-quoted"),
        pytest.param('a: "\\x41\\u0042\\U00000043\\t\\" z"', "z", 1, 30, id="escapes before it"),
        pytest.param('a: "x\n   y z"', "z", 2, 6, id="quoted over two lines"),
        pytest.param('a: "x\\\n   y z"', "z", 2, 6, id="an escaped line break"),
        pytest.param('a: "x  \n\n  \\ty z"', "z", 3, 7, id="a blank line and an escaped tab"),
        pytest.param("a: >-\n  x ==\n  z", "z", 3, 3, id="folded"),
        pytest.param("a: >- # why\n  x ==\n\n\n  z", "z", 5, 3, id="folded, with a comment and blank lines"),
        pytest.param("a: >2\n    x ==\n  z", "z", 3, 3, id="folded with an indentation of its own"),
        pytest.param("a: |\n  x\n   y z\n", "z", 3, 6, id="literal"),
        pytest.param("a: [b, {c: d == z}]", "z", 1, 17, id="flow"),
        pytest.param("a: 1\r\nb: >-\r\n  x ==\r\n  z\r\n", "z", 4, 3, id="lines that end as Windows ends them"),
        pytest.param('a: 1\r\nb: "x ==\r\n  z"\r\n', "z", 3, 3, id="quoted, the same"),
        pytest.param("a: \u00e9\u4e2d\U0001f6aa == z", "z", 1, 11, id="letters that are not ASCII before it"),
        pytest.param("\ufeffa: x == z", "z", 1, 9, id="a byte-order mark before it"),
        pytest.param('\ufeffa: "\\x41 z"', "z", 1, 10, id="a byte-order mark and an escape"),
    ],
)
def test_a_character_has_its_position_in_the_file(text: str, word: str, line: int, column: int) -> None:
    scalar = next(s for s in reversed(scalars(tree(text))) if word in s.text)
    span = scalar.span(scalar.text.index(word))
    assert (span.line, span.column) == (line, column)


def test_an_empty_value_has_the_position_after_its_colon() -> None:
    root = tree("a:\nb: # later\nc: [d, ]\ne:")
    assert isinstance(root, Mapping)
    places = {k.text: (v.at.line, v.at.column) for k, v in root.entries if isinstance(v, Scalar)}
    assert places == {"a": (1, 3), "b": (2, 11), "e": (4, 3)}


def test_the_end_of_a_text_has_a_position() -> None:
    assert value("a: bc").span(2).column == 6
    assert value("a: bc").span(99).column == 6


PIECES = st.sampled_from(
    ["a", "b", " ", "\n  ", "\r\n  ", "\\\n ", "\\t", "\\x41", "''", "\u00e9", "\u4e2d", "==", "\n\n "]
)


@settings(max_examples=400, deadline=None)
@given(style=st.sampled_from(['"', "'", "", "|", ">-"]), pieces=st.lists(PIECES, min_size=1, max_size=9))
def test_every_character_of_a_scalar_has_its_position_in_the_file(style: str, pieces: list[str]) -> None:
    quote, lead = (style, "") if style in ("'", '"') else ("", f"{style}\n  " if style else "")
    text = f"k: {quote}{lead}{''.join(pieces)}{quote}\nz: y\n"
    root = read("a.yaml", text, Report())
    lines = text.split("\n")
    for scalar in scalars(root) if root else ():
        for place, char in enumerate(scalar.text):
            at = scalar.span(place)
            if char.isalpha():
                assert lines[at.line - 1][at.column - 1] in (char, "\\")


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("text", ["a: 1\nb: 2 # so{}on\nc: 3\n", "a: 1\nb: 'so{}on'\n", "a: 1\nb: so{}on\n"])
def test_an_unusual_line_break_is_the_only_problem_reported(text: str, sign: str) -> None:
    assert problems(text.format(sign)) == [("R008", 2, text.split("\n")[1].index("{}") + 1)]


def test_every_unusual_line_break_is_reported() -> None:
    assert problems("a: 1 # \x85\nb: 2 #\x85\x85\n") == [("R008", 1, 8), ("R008", 2, 7), ("R008", 2, 8)]


def test_too_long_lists_are_refused_before_parsing() -> None:
    """The text after the list is not YAML, but we never read it."""
    for begin, many in (("kind: scorecard\nrules:\n", 500), ("kind: list\nentries:\n", 20_000)):
        at_most = begin + "  - {a: b}\n" * many
        assert problems(at_most) == []
        assert problems(at_most + "  - {a: b}\n  - [}\n") == [("R012", 3, 3)]


def test_a_large_file_is_parsed_once() -> None:
    text = "kind: list\nentries:\n" + "  - {value: somewhere}\n" * 2_000
    assert len(text) > MAX_CACHED_CHARS
    before = load_large_cached.cache_info()
    trees = [read("list.yaml", text, Report()) for _ in range(3)]
    after = load_large_cached.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)
    assert trees[0] is trees[1] is trees[2]


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=80) | st.text(alphabet="ab:-[]{}#&*!|>'\"%@` \n\r\t,?\\xuU0\u0085\u2028\ufeff", max_size=40))
def test_any_text_is_parsed_or_refused_without_an_exception(text: str) -> None:
    report = Report()
    assert read("a.yaml", text, report) is not None or report.problems
    assert all(p.at.line >= 1 and p.at.column >= 1 for p in report.problems)
