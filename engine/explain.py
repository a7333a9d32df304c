"""Explain: every condition of the rules on one person, taken apart: what was asked, what there was, how far it is off."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.decide import question_of
from engine.errors import Refused
from engine.lang.program import AMOUNT, HELD, SCORE, Characteristic, Perk, Program, Tier, perk_stage
from engine.lang.reference import truth
from engine.lang.shapes import suggestion
from engine.lang.trace import Atom, atoms, causes
from engine.lang.truths import AS_OF, Truth, Values, names
from engine.lang.types import BOOL, DATE, Attribute, Schema, Type, written
from engine.perks import waives


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


@dataclass(frozen=True)
class Shortfall:
    """What a tier needed and did not have: the comparison, its threshold if it has one, and the value that there was."""

    tier: str
    asked: str
    needed: str
    there: str


def shortfalls(program: Program, record: Mapping[str, Any]) -> tuple[Shortfall, ...]:
    """What was missing for the nearest tier, of a recorded DECLINE that was made by no knock-out and no cap; else nothing."""
    question, perk = question_of(record), program.perk(record["question"]["perk"])
    if perk is None or record["answer"]["outcome"] != "DECLINE" or record["answer"]["because"]:
        return ()
    met = next((t for t in perk.tiers if record["statuses"][t.id]), None)
    if met:  # all or nothing, and the tier gives no whole
        asked, given = (
            written(n, Type("decimal", perk.digits)) for n in (question.amount, waives(met, question.amount))
        )
        return (Shortfall(met.id, "the whole deposit waived", asked, given),)
    context = {f"request.{name}": value for name, value in question.context.items()}
    own = {AS_OF: question.day, SCORE: record["scored"]["score"], AMOUNT: question.amount}
    every = [_lacking(perk, tier, {**question.values, **context, **own}, _schema(program, perk)) for tier in perk.tiers]
    return min(reversed(every), key=len, default=())


def _lacking(perk: Perk, tier: Tier, seen: Values, schema: Schema) -> tuple[Shortfall, ...]:
    """The comparisons of a tier that are not met; in place of holding the perk, those of being granted it."""
    conditions = [tier.when, *([perk.hold.granted] if perk.hold and HELD in set(names(tier.when)) else [])]
    unmet = (a for when in conditions for a in atoms(when, seen, schema) if a.status is not True and a.asked != HELD)
    return tuple(Shortfall(tier.id, a.asked, a.threshold, a.value or "nothing") for a in unmet)
