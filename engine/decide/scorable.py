"""Split the condition for a score into its parts, and evaluate each part for all people."""

from collections.abc import Iterator

import narwhals as nw

from engine.lang.engines.columns import Frame, truth
from engine.lang.engines.trace import atoms
from engine.lang.model.conditions import AS_OF, And, Not, Or, Truth
from engine.lang.model.program import Program
from engine.lang.model.types import DATE, Attribute, extend_schema


def parts(program: Program) -> Iterator[tuple[str, Truth]]:
    """The conditions that a person must all meet to get a score, each with its text."""
    whole = program.scorecard.scorable
    for part in whole.parts if isinstance(whole, And) else (whole,):
        yield _text(part, program), part


def part_statuses(program: Program, people: Frame, day: int) -> Frame:
    """`person`, and a column for each part by its text: true if certainly met. `day` is the day of `as_of`."""
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
            schema = extend_schema(program.schema, Attribute(AS_OF, DATE))
            return " ".join(atom.text for atom in atoms(node, {}, schema))
