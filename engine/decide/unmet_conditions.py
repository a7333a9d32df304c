"""Explain the results of conditions, one line each, for authors of failing cases."""

from collections.abc import Iterable, Iterator

from engine.lang.engines.trace import Atom, atoms
from engine.lang.model.conditions import Stage, Statuses, Values
from engine.lang.model.program import Part
from engine.lang.model.types import Schema

STATUS_TEXT = {True: "met", False: "not met", None: "unknown"}


def explain_conditions(
    ids: Iterable[str], stage: Stage, statuses: Statuses, inputs: Values, schema: Schema
) -> Iterator[str]:
    """For each of these conditions, its status and the status of each comparison in it."""
    for name in ids:
        if name in stage and name in statuses:
            parts = "; ".join(map(explain_comparison, atoms(stage[name], inputs, schema)))
            yield f"`{name}` is {STATUS_TEXT[statuses[name]]}: {parts}"


def explain_points(base: int, parts: Iterable[Part]) -> str:
    """The points that make up the score."""
    terms = ", ".join(f"{p.id} {p.points:+d}" for p in parts if p.points)
    return f"{base} points to begin with, {terms or 'and no others'}"


def explain_comparison(atom: Atom) -> str:
    """One comparison: its text, its status, the actual value, and the distance to its turn."""
    value = f" ({atom.value}{f', {atom.distance} to turn' if atom.distance else ''})" if atom.value else ""
    return f"{atom.text} {STATUS_TEXT[atom.status]}{value}"
