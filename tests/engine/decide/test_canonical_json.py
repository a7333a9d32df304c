"""The fast encoder writes the bytes of the definition of canonical JSON."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.decide.decide import as_json, integer_json


@dataclass(frozen=True)
class RecordPart:
    """As the parts of a decision are."""

    zeta: Any
    alpha: Any


TEXTS = st.text() | st.text(st.characters(codec="ascii")) | st.text(st.characters(min_codepoint=0, max_codepoint=0x1F))
SURROGATES = st.text(st.characters(categories=("Cs",)), max_size=2)
SCALARS = st.none() | st.booleans() | st.integers() | st.integers(-(2**63), 2**64 - 1) | TEXTS | SURROGATES
VALUES = st.recursive(
    SCALARS,
    lambda part: (
        st.lists(part)
        | st.lists(part).map(tuple)
        | st.dictionaries(TEXTS | SURROGATES, part)
        | st.builds(RecordPart, part, part)
    ),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES))
def test_both_encoders_write_the_same_bytes(value: dict[str, Any]) -> None:
    assert integer_json(value) == as_json(value)


def test_keys_are_sorted_by_their_characters_and_other_scripts_stay_readable() -> None:
    value = {"\U0001f600": 1, "￿": 2, "é": (3, None), "a": RecordPart('\x7f\x1f"\\/', 2**70)}
    expected = '{"a":{"alpha":1180591620717411303424,"zeta":"\x7f\\u001f\\"\\\\/"},"é":[3,null],"￿":2,"\U0001f600":1}'
    assert integer_json(value) == as_json(value) == expected


def test_an_integer_beyond_64_bits_is_left_to_the_definition() -> None:
    assert integer_json({"n": 2**64}) == '{"n":18446744073709551616}'
