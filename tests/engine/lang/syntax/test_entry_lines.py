"""Check that the entries of a list file give the same events and errors as by ruamel, and that ruamel does not read them."""

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.lang.model.problems import Report
from engine.lang.syntax import entry_lines, source
from engine.lang.syntax.scanner import parser
from tests.paths import ROOT

HEAD = "kind: list\nid: cities\nabout: Some cities\nentries:\n"
HEADS = (
    HEAD,
    "# cities\nkind: list\nentries: # all\n",
    "kind: list\nentries:\n  # here\n\n",
    "kind: list\nabout: |\n",
    "kind: list\nabout: >\n  text\nentries:\n",
    "kind: list\nabout: [\n",
    'kind: list\nabout: "\n',
    "kind: list\nentries:\n  more:\n",
    "kind: list\nentries:\n  - {value: &a b}\n",
    "- kind: list\n",
    "kind: list\n---\n",
    "",
)
PLAIN_ENTRIES = (
    "- {value: Hangzhou}",
    "- {value: Hangzhou, until: 2027-01-01}",
    "- value: New York",
    "- {value: \"a b\", about: 'c'}",
    '- {value: ""}',
    "- value: '12'",
    "- {value: Zürich-Ost, n: 5}",
    "- {value: 杭州}",
)
OTHER_LINES = (
    "- Hangzhou",
    "- {value: Hangzhou} # the west",
    "- { value: Hangzhou }",
    "- {value: a: b}",
    "- {value: a,b}",
    "- value: a",
    "  until: 2027-01-01",
    "- {value: 'it''s'}",
    "- {value: *a}",
    "- {value: !t a}",
    "- [a]",
    "- {a: }",
    "- {value: -}",
    "- {value: a -}",
    "- {value: a - b}",
    "- {value: a\tb}",
    "- {value: a} ",
    "-  {value: a}",
    "- {value: a",
    "}",
    "more: {a: b}",
    "---",
    "...",
    "",
    "# x",
    "- {value: \u0301}",
    "- {value: \x00}",
    "- {value: a}\r",
)
LINES = st.tuples(
    st.sampled_from(("", "  ", "  ", "    ")), st.sampled_from((*PLAIN_ENTRIES, *PLAIN_ENTRIES, *OTHER_LINES))
)
TEXTS = st.tuples(st.sampled_from(HEADS), st.lists(LINES, max_size=8), st.sampled_from(("\n", ""))).map(
    lambda parts: parts[0] + "\n".join(indent + line for indent, line in parts[1]) + parts[2]
)


VALUES = st.text(st.sampled_from([*"aéZ9_./+- 杭½ªÅ𝒜#:,]\\"]), min_size=1, max_size=6)
WORDS = VALUES | VALUES.map(lambda value: f'"{value}"') | VALUES.map(lambda value: f"'{value}'")
GENERATED_ENTRIES = st.tuples(st.sampled_from(("- {value: %s}", "- value: %s", "- {value: a, until: %s}")), WORDS)


def events(parsed: object) -> list[object]:
    """The events with their contents and places, and the error that ends them, if any."""
    result: list[object] = []
    try:
        for event in parsed:  # type: ignore[attr-defined]
            contents = [
                getattr(event, name, None) for name in ("value", "style", "implicit", "anchor", "tag", "flow_style")
            ]
            marks = (event.start_mark, event.end_mark) if isinstance(event, ev.NodeEvent) else ()
            result.append((type(event), contents, [(m.index, m.line, m.column) for m in marks]))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        result.append((type(error), error.problem, error.context, mark and (mark.index, mark.line, mark.column)))
    except (YAMLError, ValueError, OverflowError, AttributeError, IndexError) as error:
        result.append((type(error), str(error)))
    return result


def events_of_both(text: str) -> tuple[list[object], list[object]]:
    return events(entry_lines.parse(text)), events(YAML(typ="safe", pure=True).parse(text))


@pytest.mark.parametrize(("entry", "indent"), [*product(PLAIN_ENTRIES, ("", "  "))])
def test_ruamel_reads_no_more_than_the_first_of_many_entries(
    monkeypatch: pytest.MonkeyPatch, entry: str, indent: str
) -> None:
    text = HEAD + f"{indent}- {{value: a}}\n" + f"{indent}{entry}\n" * 50
    actual, expected = events_of_both(text)
    assert actual == expected
    texts: list[str] = []

    class Recorder:
        def parse(self, text: str) -> object:
            texts.append(text)
            return parser().parse(text)

    monkeypatch.setattr(entry_lines, "parser", Recorder)
    assert events(entry_lines.parse(text)) == expected
    assert texts == [HEAD + f"{indent}- {{value: a}}\n"]


@pytest.mark.parametrize("line", OTHER_LINES)
def test_any_other_line_leaves_the_file_to_ruamel(line: str) -> None:
    for place in (0, 2, 5):
        lines = ["  - {value: a}"] * 5
        lines.insert(place, f"  {line}")
        actual, expected = events_of_both(HEAD + "\n".join(lines) + "\n")
        assert actual == expected, place


@given(TEXTS)
@example(HEAD + "  - {value: a}\n  - {value: b}\n - {value: c}\n")
@example("kind: list\nabout: |\n  - {value: a}\n  - {value: b}\n")
@example('kind: list\nabout: "\n  - {value: a}\n  - {value: b}\n')
def test_on_lists_of_any_lines(text: str) -> None:
    actual, expected = events_of_both(text)
    assert actual == expected


@given(st.sampled_from(HEADS[:5]), st.sampled_from(("", "  ")), st.lists(GENERATED_ENTRIES, max_size=3))
def test_on_entries_of_any_letters(head: str, indent: str, entries: list[tuple[str, str]]) -> None:
    lines = [f"{indent}- {{value: a}}", *(indent + form % value for form, value in entries)]
    actual, expected = events_of_both(head + "\n".join(lines))
    assert actual == expected


def test_the_shipped_list_is_read_as_before() -> None:
    text = (ROOT / "rules" / "lists" / "pilot_cities.yaml").read_text(encoding="utf-8")
    actual, expected = events_of_both(text)
    assert actual == expected


def test_a_problem_in_an_entry_is_told_at_its_place() -> None:
    report = Report()
    text = HEAD + "  - {value: a}\n" * 3 + "  - {value: b, value: c}\n" + "  - {value: d}\n"
    source.read("list.yaml", text, report)
    assert [(p.code, p.at.line, p.at.column) for p in report.problems] == [("R003", 8, 16)]
