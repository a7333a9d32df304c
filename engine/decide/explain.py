"""Explain every condition of the rules for one person: the comparisons, the actual values, and their distances."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from engine.decide.decide import JsonObject, question_from_record
from engine.decide.perks import tier_waiver
from engine.errors import Rejected
from engine.lang.engines.reference import truth
from engine.lang.engines.trace import Atom, atoms, causes
from engine.lang.model.conditions import AS_OF, Truth, Values, names
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE, Characteristic, Perk, Program, Tier, perk_stage
from engine.lang.model.types import BOOL, DATE, Attribute, Schema, Type, extend_schema, format_value
from engine.lang.syntax.schema_types import suggestion


@dataclass(frozen=True)
class RuleExplanation:
    """A condition for a person: its place, its status, its comparisons, and the attributes that made it unknown."""

    id: str
    of: str  # the dimension, or the perk
    status: bool | None
    atoms: tuple[Atom, ...]
    unknown: tuple[str, ...]


def explanations(
    program: Program, values: Values, score: int | None, day: int, questions: Mapping[str, Values] | None = None
) -> Iterator[RuleExplanation]:
    """Explain each rule, each characteristic by the bin of the value, and then each knock-out and tier.

    We evaluate the perks at this score. `questions`: what else the conditions of a perk can read, by perk, such as the fields of the
    request; they are unknown without it. `day` is the day of `as_of`.
    """
    inputs = {**values, AS_OF: day, SCORE: score}
    card = program.scorecard
    yield _explain("scorable", "scorecard", card.scorable, inputs, _schema(program))
    for item in card.items:
        when = _bin(item, inputs) if isinstance(item, Characteristic) else item.when
        yield _explain(item.id, item.dimension, when, inputs, _schema(program))
    for perk in program.perks:
        schema = _schema(program, perk)
        perk_inputs = {**inputs, **(questions or {}).get(perk.id, {})}
        for name, when in perk_stage(perk).items():
            yield _explain(name, perk.id, when, perk_inputs, schema)


def explanation(program: Program, values: Values, score: int | None, day: int, name: str) -> RuleExplanation:
    """Explain one rule, characteristic, knock-out or tier. Raises Rejected if the rules have no such id."""
    by_id = {e.id: e for e in explanations(program, values, score, day)}
    if name not in by_id:
        hint = suggestion(name[:60], by_id)
        raise Rejected(f"there is no rule `{name[:60]}`", where="--rule", hint=hint, code="unknown_rule")
    return by_id[name]


def _explain(name: str, of: str, when: Truth, inputs: Values, schema: Schema) -> RuleExplanation:
    return RuleExplanation(name, of, truth(when, inputs), tuple(atoms(when, inputs, schema)), causes(when, inputs))


def _bin(item: Characteristic, inputs: Values) -> Truth:
    """The bin of the value; without a value, the first bin, which is unknown."""
    return next((b for b in item.bins() if truth(b, inputs)), item.bins()[0])


def _schema(program: Program, perk: Perk | None = None) -> Schema:
    card = program.scorecard
    own = [
        Attribute(AS_OF, DATE),
        Attribute(SCORE, Type("int", low=card.lowest, high=card.highest)),
        Attribute(PERK_HELD, BOOL),
    ]
    if perk:
        own += [Attribute(AMOUNT, perk.money), *perk.request]
    return extend_schema(program.schema, *own)


def recorded_rules(program: Program, record: JsonObject) -> Iterator[RuleExplanation]:
    """Explain `scorable` and the knock-outs and tiers of a recorded decision, with the values and the request of then.

    The statuses of knock-outs and tiers are the recorded ones; a decision without a score evaluated none of them.
    """
    question, perk = question_from_record(record), program.perk(record["question"]["perk"])
    inputs = {**question.values, AS_OF: question.day}
    yield _explain("scorable", "scorecard", program.scorecard.scorable, inputs, _schema(program))
    if perk is None:
        return
    request = {f"request.{name}": value for name, value in question.context.items()} | {AMOUNT: question.amount}
    own = {SCORE: record["scored"]["score"], PERK_HELD: record["held_since"] is not None}
    for name, when in perk_stage(perk).items():
        if name in record["statuses"]:
            rule = _explain(name, perk.id, when, {**inputs, **request, **own}, _schema(program, perk))
            yield replace(rule, status=record["statuses"][name])


@dataclass(frozen=True)
class Shortfall:
    """An unmet comparison of a tier, with its threshold if it has one, and the actual value."""

    tier: str
    comparison: str
    threshold: str
    value: str


def shortfalls(program: Program, record: JsonObject) -> tuple[Shortfall, ...]:
    """The unmet comparisons of the nearest tier, of a recorded DECLINE. None if a knock-out or a cap declined."""
    question, perk = question_from_record(record), program.perk(record["question"]["perk"])
    if perk is None or record["answer"]["outcome"] != "DECLINE" or record["answer"]["because"]:
        return ()
    met = next((t for t in perk.tiers if record["statuses"][t.id]), None)
    if met:  # all or nothing, and the tier does not waive everything
        amount, waived = (format_value(n, perk.money) for n in (question.amount, tier_waiver(met, question.amount)))
        return (Shortfall(met.id, "the whole deposit waived", amount, waived),)
    context = {f"request.{name}": value for name, value in question.context.items()}
    own = {AS_OF: question.day, SCORE: record["scored"]["score"], AMOUNT: question.amount}
    by_tier = [
        _unmet_comparisons(perk, tier, {**question.values, **context, **own}, _schema(program, perk))
        for tier in perk.tiers
    ]
    return min(reversed(by_tier), key=len, default=())


def _unmet_comparisons(perk: Perk, tier: Tier, inputs: Values, schema: Schema) -> tuple[Shortfall, ...]:
    """The unmet comparisons of a tier. In place of `held`, we list those of the condition that grants the hold."""
    conditions = [tier.when, *([perk.hold.grant_condition] if perk.hold and PERK_HELD in set(names(tier.when)) else [])]
    unmet = (
        a for when in conditions for a in atoms(when, inputs, schema) if a.status is not True and a.text != PERK_HELD
    )
    return tuple(Shortfall(tier.id, a.text, a.threshold, a.value or "nothing") for a in unmet)
