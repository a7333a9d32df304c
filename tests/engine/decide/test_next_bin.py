"""The nearest bin of a characteristic that gives more points."""

import pytest

from engine.decide.next_bin import NextBin, bin_place, next_bin
from engine.lang.model.program import Characteristic

PAYMENTS = Characteristic("kept", "credit", "credit.kept", (1, 6, 12), (0, 18, 18, 40), 0, 40, "few")
MISSED = Characteristic("missed", "credit", "credit.missed", (1, 4), (10, -5, -20), 3, 10, "missed")


@pytest.mark.parametrize(("value", "place"), [(None, None), (0, 0), (1, 1), (5, 1), (6, 2), (12, 3), (99, 3)])
def test_a_value_is_in_one_bin(value: int | None, place: int | None) -> None:
    assert bin_place(PAYMENTS, value) == place


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, NextBin(1, 18)), (0, NextBin(1, 18)), (3, NextBin(3, 22)), (6, NextBin(3, 22)), (12, None)],
)
def test_upwards(value: int | None, expected: NextBin | None) -> None:
    assert next_bin(PAYMENTS, value, up=True) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, NextBin(0, 7)), (9, NextBin(1, 15)), (2, NextBin(0, 15)), (0, None)]
)
def test_downwards(value: int | None, expected: NextBin | None) -> None:
    assert next_bin(MISSED, value, up=False) == expected
