"""The meaning of the word under the pointer."""

import pytest

from engine.authoring.explanation import explain_word
from tests.engine.authoring.cursors import cursor_in, shipped_names

CARD = "kind: scorecard\n"


@pytest.mark.parametrize(
    ("text", "length", "beginning"),
    [
        ("ki|nd: scorecard\n", 4, "The kind of this rule file"),
        (CARD + "characteristics:\n  - cu|ts: [1]\n", 4, "The boundaries between bins"),
        (CARD + "characteristics:\n  - feature: credit.k|ept\n", 11, "credit.kept: "),
        (CARD + "scorable:\n  when: credit.kept >= 1 a|nd x\n", 3, "Met if both"),
        (CARD + "scorable:\n  reason: too_little_k|nown\n", 16, "too_little_known"),
        ("kind: perks\nperks:\n  - id: a\n    tiers:\n      - {when: request.ci|ty in x}\n", 12, "request.city"),
    ],
)
def test_a_word_has_a_meaning(text: str, length: int, beginning: str) -> None:
    meaning = explain_word(shipped_names(), *cursor_in(text))
    assert meaning.length == length
    assert meaning.lines[0].startswith(beginning)


@pytest.mark.parametrize(
    "text", [CARD + "# not|hing\n", CARD + "|\n", CARD + "characteristics:\n  - id: my_own_n|ame\n"]
)
def test_some_words_have_none(text: str) -> None:
    assert explain_word(shipped_names(), *cursor_in(text)).lines == ()


def test_a_place_outside_of_the_text_is_no_error() -> None:
    assert explain_word(shipped_names(), CARD, 99, 99).lines == ()
