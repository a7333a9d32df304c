"""Check that the faster scanner gives the same events and errors as ruamel's."""

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.lang.syntax.scanner import parser
from tests.paths import ROOT

RULES = sorted((ROOT / "rules").rglob("*.yaml"))
SIGNS = st.sampled_from(
    [*"abé:?#,-[]{}|>'\"&*!%.~ \t\n\r\x85\u2028\ufeff", "  ", "\n  ", "\n- ", ": ", "---\n", "# x\n"]
)


def events(yaml: YAML, text: str) -> list[object]:
    """The events of a text with their places, and the error that ends them, if any."""
    result: list[object] = []
    try:
        for event in yaml.parse(text):
            places = [(m.index, m.line, m.column) for m in (event.start_mark, event.end_mark)]
            result.append((type(event), getattr(event, "value", None), getattr(event, "style", None), places))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        result.append((type(error), error.problem, error.context, mark and (mark.index, mark.line, mark.column)))
    except (YAMLError, ValueError, OverflowError, AttributeError, IndexError) as error:
        result.append((type(error), str(error)))
    return result


def events_of_both(text: str) -> tuple[list[object], list[object]]:
    return events(parser(), text), events(YAML(typ="safe", pure=True), text)


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.name)
def test_the_scanners_agree_on_prefixes_of_the_shipped_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for end in (len(text), *islice(range(40, len(text), 701), 8)):
        actual, expected = events_of_both(text[:end])
        assert actual == expected


@given(st.lists(SIGNS, max_size=40).map("".join))
def test_the_scanners_agree_on_any_text(text: str) -> None:
    actual, expected = events_of_both(text)
    assert actual == expected
