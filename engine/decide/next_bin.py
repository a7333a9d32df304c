"""Find the nearest bin of a characteristic that gives more points than the present one."""

from collections.abc import Iterable
from dataclasses import dataclass

from engine.lang.model.program import Characteristic
from engine.lang.model.types import Value


@dataclass(frozen=True)
class NextBin:
    """A bin by its place, and the points that it gives more."""

    place: int
    gain: int


def bin_place(item: Characteristic, value: Value | None) -> int | None:
    """The place of the bin of a value; None for a missing value."""
    return None if value is None else sum(cut <= int(value) for cut in item.cuts)


def next_bin(item: Characteristic, value: Value | None, *, up: bool) -> NextBin | None:
    """The nearest bin with more points, for a feature that improves upwards or downwards. None: no bin gives more.

    For a missing value we begin at the worst end.
    """
    place = bin_place(item, value)
    present_points = item.missing if place is None else item.points[place]
    count = len(item.points)
    places: Iterable[int] = range(0 if place is None else place + 1, count)
    if not up:
        places = range((count if place is None else place) - 1, -1, -1)
    better = next((n for n in places if item.points[n] > present_points), None)
    return None if better is None else NextBin(better, item.points[better] - present_points)
