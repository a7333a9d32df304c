"""Explain: every condition of the rules on one person, taken apart: what was asked, what there was, how far it is off."""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import Refused
from engine.lang.program import AMOUNT, HELD, SCORE, Characteristic, Perk, Program, perk_stage
from engine.lang.reference import truth
from engine.lang.shapes import suggestion
from engine.lang.trace import Atom, atoms, causes
from engine.lang.truths import AS_OF, Truth, Values
from engine.lang.types import BOOL, DATE, Attribute, Schema, Type


@dataclass(frozen=True)
class Explained:
    """A condition on a person: where it stands, its status, the comparisons in it, and what made it unknown."""

    id: str
    of: str  # the dimension, or the perk
    status: bool | None
    atoms: tuple[Atom, ...]
    unknown: tuple[str, ...]


def explanations(program: Program, values: Values, score: int | None, day: int) -> Iterator[Explained]:
    """Of each rule, and of each characteristic by the bin that the value is in; then of each knock-out and tier.

    The perks are asked at the score, without a request: what they read of one is unknown. `day` is that of `as_of`.
    """
    seen = {**values, AS_OF: day, SCORE: score}
    card = program.scorecard
    yield _explained("scorable", "scorecard", card.scorable, seen, _schema(program))
    for item in card.items:
        when = _bin(item, seen) if isinstance(item, Characteristic) else item.when
        yield _explained(item.id, item.dimension, when, seen, _schema(program))
    for perk in program.perks:
        schema = _schema(program, perk)
        for name, when in perk_stage(perk).items():
            yield _explained(name, perk.id, when, seen, schema)


def explanation(program: Program, values: Values, score: int | None, day: int, name: str) -> Explained:
    """That of one rule, characteristic, knock-out or tier. Raises Refused when the rules have none of that id."""
    every = {e.id: e for e in explanations(program, values, score, day)}
    if name not in every:
        hint = suggestion(name[:60], every)
        raise Refused(f"there is no rule `{name[:60]}`", where="--rule", hint=hint, code="unknown_rule")
    return every[name]


def _explained(name: str, of: str, when: Truth, seen: Values, schema: Schema) -> Explained:
    return Explained(name, of, truth(when, seen), tuple(atoms(when, seen, schema)), causes(when, seen))


def _bin(item: Characteristic, seen: Values) -> Truth:
    """The bin that the value is in; the first, which is unknown, where there is no value."""
    return next((b for b in item.bins() if truth(b, seen)), item.bins()[0])


def _schema(program: Program, perk: Perk | None = None) -> Schema:
    card = program.scorecard
    own = [
        Attribute(AS_OF, DATE),
        Attribute(SCORE, Type("int", low=card.lowest, high=card.highest)),
        Attribute(HELD, BOOL),
    ]
    if perk:
        own += [Attribute(AMOUNT, Type("decimal", perk.digits)), *perk.request]
    return {**program.schema, **{a.name: a for a in own}}
