"""Group the days on which the same conditions give the same results, whatever the values."""

from bisect import bisect_right
from collections.abc import Sequence

from engine.lang.model.conditions import AS_OF, InList, leaves, names
from engine.lang.model.program import Program


def day_group(programs: Sequence[Program], day: int) -> int:
    """The group of a day, counted from 1970-01-01: the programs decide alike on the days of one group.

    If a condition compares `as_of`, each day is a group of its own.
    """
    parts = [
        leaf for program in programs for stage in program.stages.values() for t in stage.values() for leaf in leaves(t)
    ]
    if any(AS_OF in names(leaf) for leaf in parts):
        return day
    ends = {until for leaf in parts if isinstance(leaf, InList) for _, until in leaf.entries if until is not None}
    return -1 - bisect_right(sorted(ends), day)
