"""Generate synthetic people at the boundaries where engines could differ.

- A value is missing, at a bound, or at, just below or just above a constant that the rules compare it with.
- We move sums to the point where their comparison turns, and scores to the beginning of a tier or a band.
- We choose earlier waivers and the beginning of a hold so that a cap just binds or a hold just ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count, islice
from random import Random
from typing import Final

from engine.decide.caps import PriorWaiver
from engine.decide.decide import DecisionInputs, ReferenceEvaluator, assess
from engine.lang.check.orders import schema_of
from engine.lang.engines.reference import number, truth
from engine.lang.model.conditions import (
    AS_OF,
    Attr,
    AttrsEqual,
    Cmp,
    DayStart,
    InList,
    Int,
    Num,
    Op,
    Same,
    Stage,
    Truth,
    Values,
    leaves,
    names,
)
from engine.lang.model.program import (
    AMOUNT,
    ORDERS_STAGE,
    PERK_HELD,
    SCORE,
    Characteristic,
    Perk,
    Program,
    hold_stage_name,
    perk_stage,
)
from engine.lang.model.types import BOOL, DATE, DAY, Type, Value

PEOPLE: Final = 1_000
SEED: Final = 1
VALUES_PER_MISSING: Final = 8  # about one value in so many is missing
MAX_REDRAWS: Final = 5  # draws for a person who is scorable and not knocked out

Types = Mapping[str, Type]


def boundary_questions(program: Program, day: int, size: int = PEOPLE, seed: int = SEED) -> tuple[DecisionInputs, ...]:
    """Generate questions about synthetic people for differential testing, for a day counted from 1970-01-01.

    Deterministic for a program, day, size and seed. At random, most people would be unscorable or knocked out. So we
    draw every other person again until neither is true, and move every other one of these to a score at a boundary.
    """
    chooser = Random(seed)  # noqa: S311 - synthetic people, not keys
    conditions = [truth for stage in program.stages.values() for truth in stage.values()]
    types = {n: program.schema[n].type for n in program.reads}
    draws = draw(conditions, types, chooser)
    target_scores, question_makers = (
        _scores(program, conditions),
        {p.id: _QuestionGenerator(p, program.start_of(day), program.timezone, chooser) for p in program.perks},
    )
    questions = []
    for place in range(size):
        perk, values = program.perks[place % len(program.perks)], next(draws)
        if place % 2:
            values = next(
                (
                    v
                    for v in islice(draws, MAX_REDRAWS)
                    if _scorable_and_not_knocked_out({**v, AS_OF: day}, program, perk)
                ),
                values,
            )
        if place % 4 == 1:
            _steer(values, program, chooser.choice(target_scores), day)
        questions.append(question_makers[perk.id].of(values))
    return tuple(questions)


def values_for(program: Program, name: str, size: int, seed: int = SEED) -> list[dict[str, Value | None]]:
    """Generate values for all names that a stage of the program reads: features, the score, the request, the day."""
    stage = program.stages[name]
    types = {n: a.type for n, a in program.schema.items()} | {AS_OF: DATE, PERK_HELD: BOOL}
    perk = next((p for p in program.perks if name in (p.id, hold_stage_name(p.id))), None)
    if perk:
        card = program.scorecard
        types |= {SCORE: Type("int", low=card.lowest, high=card.highest), AMOUNT: Type("int", low=1, high=perk.most)}
        types |= {a.name: a.type for a in perk.request}
    if name == ORDERS_STAGE and program.orders:
        types |= {n: a.type for n, a in schema_of(program.orders.states, program.orders.events).items()}
    read = {n: types[n] for n in sorted(names_read(stage) | {AS_OF})}
    return list(islice(draw(stage.values(), read, Random(seed)), size))  # noqa: S311


def names_read(stage: Stage) -> set[str]:
    """All names that a stage reads."""
    return {name for truth in stage.values() for name in names(truth)}


def draw(truths: Iterable[Truth], types: Types, chooser: Random) -> Iterator[dict[str, Value | None]]:
    """Generate, without end, values for the attributes in `types`, at or near the turning points of the conditions."""
    parts = [leaf for truth in truths for leaf in leaves(truth)]
    constants = _constants_by_name(parts)
    choices = {name: _with_missing(_choices(type_, constants.get(name, set()))) for name, type_ in types.items()}
    sums = [leaf for leaf in parts if isinstance(leaf, Cmp) and {type(leaf.left), type(leaf.right)} != {Attr, Int}]
    for place in count():
        values = {name: chooser.choice(some) for name, some in choices.items()}
        if sums:
            aim(values, sums[place % len(sums)], types, chooser)
        yield values


def compared_constants(truths: Iterable[Truth]) -> dict[str, set[Value]]:
    """The constants with which the conditions compare each attribute."""
    return _constants_by_name(leaf for truth in truths for leaf in leaves(truth))


class _QuestionGenerator:
    """Generates questions about one perk: amounts, fields of the request, holds and earlier waivers at boundaries."""

    def __init__(self, perk: Perk, start: datetime, timezone: str, chooser: Random) -> None:
        self.perk, self.timezone, self.chooser = perk, timezone, chooser
        self.now, self.as_of = start + timedelta(hours=12), start.isoformat()
        truths = [
            *perk_stage(perk).values(),
            *((perk.hold.grant_condition, perk.hold.keep_condition) if perk.hold else ()),
        ]
        turns = [
            *(int(v) for v in compared_constants(truths).get(AMOUNT, set())),
            *(t.up_to or 99 for t in perk.tiers),
            *(c.waived or 1 for c in perk.all_caps),
        ]
        self.amounts = near(turns, 1, perk.most)
        fields = {a.name: a.type for a in perk.request}
        self.fields = draw(truths, fields, chooser)

    def of(self, values: Values) -> DecisionInputs:
        """A question about a person with these values."""
        perk, pick, now = self.perk, self.chooser.choice, self.now.isoformat()
        context = {name.removeprefix("request."): value for name, value in next(self.fields).items()}
        since = pick((None, *self._ago(perk.hold.days))) if perk.hold else None
        used = tuple(used for cap in perk.all_caps for used in self._used(cap.waived or 1, cap.days))
        return DecisionInputs(
            subject="someone",
            perk=perk.id,
            amount=pick(self.amounts),
            currency=perk.currency,
            as_of=self.as_of,
            known_at=now,
            asked_at=now,
            purpose="probe",
            values=values,
            context=context,
            used=used,
            held_since=since,
            timezone=self.timezone,
        )

    def _ago(self, days: int) -> list[str]:
        """Moments in the past: now, and exactly and about `days` days ago."""
        return [(self.now - timedelta(seconds=s)).isoformat() for s in (0, *near([days * DAY], 0, (days + 1) * DAY))]

    def _used(self, most: int, days: int | None) -> Iterator[PriorWaiver]:
        pick = self.chooser.choice
        for _ in range(pick((0, 1, 2))):
            waived = pick((1, most // 2, max(most - 1, 1), most))
            yield PriorWaiver(self.perk.id, self.perk.currency, waived, pick(self._ago(days or 1)), pick((True, False)))


def _constants_by_name(parts: Iterable[Truth]) -> dict[str, set[Value]]:
    constants: dict[str, set[Value]] = {}
    pairs = []
    for leaf in parts:
        match leaf:
            case Same(name, value):
                constants.setdefault(name, set()).add(value)
            case InList(name, entries):
                constants.setdefault(name, set()).update(value for value, _ in entries)
                constants.setdefault(AS_OF, set()).update(until for _, until in entries if until is not None)
            case AttrsEqual(left, right):
                pairs.append((left, right))
            case Cmp(_, left_, right_):
                for name in names(leaf):
                    constants.setdefault(name, set()).update((*_constants(left_), *_constants(right_)))
            case _:
                pass
    for left, right in pairs:
        constants[left] = constants[right] = constants.get(left, set()) | constants.get(right, set())
    return constants


def _constants(num: Num) -> Iterator[int]:
    match num:
        case Int(value):
            yield value
        case DayStart(day):
            yield from _constants(day)
        case Op(_, left, right):
            yield from _constants(left)
            yield from _constants(right)
        case _:
            pass


def _choices(type_: Type, constants: set[Value]) -> list[Value]:
    """Values of the type at which a condition can turn."""
    if type_.numeric:
        return [*near((int(n) for n in constants or (0,)), type_.low, type_.high)]
    if type_.kind == "string":
        return [*sorted(map(str, constants)), "another"]
    return [*(type_.values or (True, False))]


def _with_missing(choices: list[Value]) -> list[Value | None]:
    return [*choices, *[None] * (1 + len(choices) // VALUES_PER_MISSING)]


def near(numbers: Iterable[int], low: int, high: int) -> list[int]:
    """The bounds, and each number with its neighbours if they are within the bounds."""
    neighbours = {n + step for n in numbers for step in (-1, 0, 1)}
    return sorted({low, high} | {n for n in neighbours if low <= n <= high})


def _scores(program: Program, truths: Iterable[Truth]) -> list[int]:
    card = program.scorecard
    constants = compared_constants(truths).get(SCORE, set())
    return near([*(int(v) for v in constants), *(b.lowest for b in card.bands)], card.lowest, card.highest)


def aim(values: dict[str, Value | None], cmp: Cmp, types: Types, chooser: Random) -> None:
    """Change one value so that both sides are equal, or differ by one step. Do nothing if that value does not matter.

    Each side is linear in each attribute, unless it multiplies an attribute by itself. So two points give the line.
    """
    free = sorted(set(names(cmp)) & set(values) & set(types))
    if not free:
        return
    name = chooser.choice(free)

    def gap(at: int) -> int | None:
        left, right = (number(side, {**values, name: at}) for side in (cmp.left, cmp.right))
        return None if left is None or right is None else left - right

    first, second = gap(0), gap(1)
    if first is not None and second is not None and first != second:
        target = -first // (second - first) + chooser.choice((-1, 0, 1))
        values[name] = max(types[name].low, min(types[name].high, target))


def _scorable_and_not_knocked_out(values: Values, program: Program, perk: Perk) -> bool:
    """Whether the person has a score, and no knock-out that depends only on features applies."""
    return truth(program.scorecard.scorable, values) is True and not any(truth(k.when, values) for k in perk.knockouts)


def _steer(values: dict[str, Value | None], program: Program, target: int, day: int) -> None:
    """Move values to other bins, each to the one that brings the score nearest to the target."""
    scored = assess(ReferenceEvaluator(program), values, day)
    gap = target - (scored.score or target)
    for item, part in zip(program.scorecard.items, scored.parts, strict=True):
        if gap and isinstance(item, Characteristic):
            place = min(range(len(item.points)), key=lambda n: abs(gap + part.points - item.points[n]))
            if abs(gap + part.points - item.points[place]) < abs(gap):
                gap += part.points - item.points[place]
                low = program.schema[item.feature].type.low
                values[item.feature] = max(low, item.cuts[0] - 1) if place == 0 else item.cuts[place - 1]
