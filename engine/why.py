"""Why: what a condition came to and by what, in a line each, for whoever wrote a case that does not come out."""

from collections.abc import Iterable, Iterator

from engine.lang.program import Part
from engine.lang.trace import Atom, atoms
from engine.lang.truths import Stage, Statuses, Values
from engine.lang.types import Schema

SHOWN = {True: "met", False: "not met", None: "unknown"}


def conditions(ids: Iterable[str], stage: Stage, statuses: Statuses, seen: Values, schema: Schema) -> Iterator[str]:
    """Of each of these conditions, its status and that of each comparison in it."""
    for name in ids:
        if name in stage and name in statuses:
            parts = "; ".join(map(comparison, atoms(stage[name], seen, schema)))
            yield f"`{name}` is {SHOWN[statuses[name]]}: {parts}"


def points(base: int, parts: Iterable[Part]) -> str:
    """What the score is made of."""
    given = ", ".join(f"{p.id} {p.points:+d}" for p in parts if p.points)
    return f"{base} points to begin with, {given or 'and no others'}"


def comparison(atom: Atom) -> str:
    """One comparison: what is asked, whether it is met, what there is, and how much it is off from turning."""
    value = f" ({atom.value}{f', {atom.distance} to turn' if atom.distance else ''})" if atom.value else ""
    return f"{atom.asked} {SHOWN[atom.status]}{value}"
