"""Scorable: what a person needs for a score, part by part, and who lacks which."""

from collections.abc import Iterator

import narwhals as nw

from engine.lang.columns import Frame, truth
from engine.lang.program import Program
from engine.lang.trace import atoms
from engine.lang.truths import AS_OF, And, Not, Or, Truth
from engine.lang.types import DATE, Attribute


def parts(program: Program) -> Iterator[tuple[str, Truth]]:
    """The conditions that must all be met for a score, each with its text."""
    whole = program.scorecard.scorable
    for part in whole.parts if isinstance(whole, And) else (whole,):
        yield _text(part, program), part


def met(program: Program, people: Frame, day: int) -> Frame:
    """`person`, and a column for each part by its text, true where it is surely met. `day` is that of `as_of`."""
    columns = (truth(part, day).fill_null(False).alias(text) for text, part in dict(parts(program)).items())
    return people.select("person", *(column.cast(nw.Boolean) for column in columns))


def _text(node: Truth, program: Program) -> str:
    match node:
        case And(inner):
            return " and ".join(f"({_text(p, program)})" if isinstance(p, Or) else _text(p, program) for p in inner)
        case Or(inner):
            return " or ".join(f"({_text(p, program)})" if isinstance(p, And) else _text(p, program) for p in inner)
        case Not(And() | Or() as inner):
            return f"not ({_text(inner, program)})"
        case _:
            schema = {**program.schema, AS_OF: Attribute(AS_OF, DATE)}
            return " ".join(atom.asked for atom in atoms(node, {}, schema))
