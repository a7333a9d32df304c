"""Group the days on which the same conditions give the same results, whatever the values."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from engine.lang.model.conditions import AS_OF, And, InList, Not, Or, Truth, names
from engine.lang.model.program import Program


def day_group(programs: Sequence[Program], day: int) -> int:
    """The group of a day, counted from 1970-01-01: the programs decide alike on the days of one group.

    If a condition compares `as_of`, each day is a group of its own.
    """
    truths = [truth for program in programs for stage in program.stages.values() for truth in stage.values()]
    if any(_compares_day(truth) for truth in truths):
        return day
    return -1 - bisect_right(sorted({end for truth in truths for end in _list_ends(truth)}), day)


def _compares_day(node: Truth) -> bool:
    match node:
        case And(parts) | Or(parts):
            return any(map(_compares_day, parts))
        case Not(part):
            return _compares_day(part)
        case InList():
            return node.name == AS_OF
        case _:
            return AS_OF in set(names(node))


def _list_ends(node: Truth) -> Iterator[int]:
    """The days on which an entry of a list ends."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _list_ends(part)
        case Not(part):
            yield from _list_ends(part)
        case InList(_, entries):
            yield from (until for _, until in entries if until is not None)
