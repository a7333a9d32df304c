"""The faster scanner gives the events and the errors of the one that it stands for."""

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.lang.scanner import parser
from tests.api.world import ROOT

RULES = sorted((ROOT / "rules").rglob("*.yaml"))
SIGNS = st.sampled_from(
    [*"abé:?#,-[]{}|>'\"&*!%.~ \t\n\r\x85\u2028\ufeff", "  ", "\n  ", "\n- ", ": ", "---\n", "# x\n"]
)


def events(yaml: YAML, text: str) -> list[object]:
    """What comes of a text: its events with their places, then the error that ends them, if one does."""
    found: list[object] = []
    try:
        for event in yaml.parse(text):
            places = [(m.index, m.line, m.column) for m in (event.start_mark, event.end_mark)]
            found.append((type(event), getattr(event, "value", None), getattr(event, "style", None), places))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found.append((type(error), error.problem, error.context, mark and (mark.index, mark.line, mark.column)))
    except (YAMLError, ValueError, OverflowError, AttributeError, IndexError) as error:
        found.append((type(error), str(error)))
    return found


def both(text: str) -> tuple[list[object], list[object]]:
    return events(parser(), text), events(YAML(typ="safe", pure=True), text)


@pytest.mark.parametrize("path", RULES, ids=lambda p: p.name)
def test_on_the_shipped_rules_and_on_their_beginnings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for end in (len(text), *islice(range(40, len(text), 701), 8)):
        ours, theirs = both(text[:end])
        assert ours == theirs


@given(st.lists(SIGNS, max_size=40).map("".join))
def test_on_any_text(text: str) -> None:
    ours, theirs = both(text)
    assert ours == theirs
