"""Crowd: made-up people who stand where engines could differ.

Each value is missing, at a bound, or at, just below or just above a constant that the rules compare it with; sums are
brought to where their comparison turns, scores to where a tier or band begins; what was waived before, and since when a
perk is held, to where a cap binds or a hold ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count, islice
from random import Random
from typing import Final

from engine.caps import Used
from engine.decide import Question, Reference, assess
from engine.lang.check_orders import schema_of
from engine.lang.program import AMOUNT, HELD, ORDERS, SCORE, Characteristic, Perk, Program, held_by, perk_stage
from engine.lang.reference import number, truth
from engine.lang.truths import (
    AS_OF,
    Alike,
    And,
    Attr,
    Cmp,
    DayStart,
    InList,
    Int,
    Not,
    Num,
    Op,
    Or,
    Same,
    Stage,
    Truth,
    Values,
    names,
)
from engine.lang.types import BOOL, DATE, DAY, Type, Value

PEOPLE: Final = 1_000
SEED: Final = 1
MISSING: Final = 8  # one value in about so many is missing
TRIES: Final = 5  # draws for somebody who is not turned away at once

Types = Mapping[str, Type]


def crowd(program: Program, day: int, size: int = PEOPLE, seed: int = SEED) -> tuple[Question, ...]:
    """What people ask who are made up to probe the program with, as of a day (from 1970-01-01). The same of the same.

    Chance alone would leave most of them unscorable or knocked out: every other one is drawn until neither is so, and of
    these every other one is brought to a score that matters.
    """
    chooser = Random(seed)  # noqa: S311 - made-up people, not keys
    everything = [truth for stage in program.stages.values() for truth in stage.values()]
    types = {n: program.schema[n].type for n in program.reads}
    draws = draw(everything, types, chooser)
    turns, asks = (
        _scores(program, everything),
        {p.id: _Asks(p, program.start_of(day), program.timezone, chooser) for p in program.perks},
    )
    people = []
    for place in range(size):
        perk, values = program.perks[place % len(program.perks)], next(draws)
        if place % 2:
            values = next((v for v in islice(draws, TRIES) if _passes({**v, AS_OF: day}, program, perk)), values)
        if place % 4 == 1:
            _steer(values, program, chooser.choice(turns), day)
        people.append(asks[perk.id].of(values))
    return tuple(people)


def values_for(program: Program, name: str, size: int, seed: int = SEED) -> list[dict[str, Value | None]]:
    """Values for all that a stage of the program reads, whatever it is: features, the score, the request, the day."""
    stage = program.stages[name]
    known = {n: a.type for n, a in program.schema.items()} | {AS_OF: DATE, HELD: BOOL}
    perk = next((p for p in program.perks if name in (p.id, held_by(p.id))), None)
    if perk:
        card = program.scorecard
        known |= {SCORE: Type("int", low=card.lowest, high=card.highest), AMOUNT: Type("int", low=1, high=perk.most)}
        known |= {a.name: a.type for a in perk.request}
    if name == ORDERS and program.orders:
        known |= {n: a.type for n, a in schema_of(program.orders.states, program.orders.events).items()}
    read = {n: known[n] for n in sorted(read_by(stage) | {AS_OF})}
    return list(islice(draw(stage.values(), read, Random(seed)), size))  # noqa: S311


def read_by(stage: Stage) -> set[str]:
    """All that a stage reads."""
    return {name for truth in stage.values() for name in names(truth)}


def draw(truths: Iterable[Truth], wanted: Types, chooser: Random) -> Iterator[dict[str, Value | None]]:
    """Values for the attributes `wanted` at or near where the conditions turn, again and again."""
    leaves = [leaf for truth in truths for leaf in _leaves(truth)]
    constants = _named(leaves)
    choices = {name: _with_missing(_choices(type_, constants.get(name, set()))) for name, type_ in wanted.items()}
    sums = [leaf for leaf in leaves if isinstance(leaf, Cmp) and {type(leaf.left), type(leaf.right)} != {Attr, Int}]
    for place in count():
        values = {name: chooser.choice(some) for name, some in choices.items()}
        if sums:
            _aim(values, sums[place % len(sums)], wanted, chooser)
        yield values


def named(truths: Iterable[Truth]) -> dict[str, set[Value]]:
    """The constants with which conditions compare each attribute."""
    return _named(leaf for truth in truths for leaf in _leaves(truth))


class _Asks:
    """What is asked of one perk: amounts, the request's fields, holds and earlier waivers, where something turns."""

    def __init__(self, perk: Perk, start: datetime, timezone: str, chooser: Random) -> None:
        self.perk, self.timezone, self.chooser = perk, timezone, chooser
        self.now, self.as_of = start + timedelta(hours=12), start.isoformat()
        truths = [*perk_stage(perk).values(), *((perk.hold.granted, perk.hold.kept) if perk.hold else ())]
        turns = [
            *(int(v) for v in named(truths).get(AMOUNT, set())),
            *(t.up_to or 99 for t in perk.tiers),
            *(c.waived or 1 for c in perk.capped),
        ]
        self.amounts = _near(turns, 1, perk.most)
        fields = {a.name: a.type for a in perk.request}
        self.fields = draw(truths, fields, chooser)

    def of(self, values: Values) -> Question:
        """A question about someone with these values."""
        perk, pick, now = self.perk, self.chooser.choice, self.now.isoformat()
        context = {name.removeprefix("request."): value for name, value in next(self.fields).items()}
        since = pick((None, *self._ago(perk.hold.days))) if perk.hold else None
        used = tuple(used for cap in perk.capped for used in self._used(cap.waived or 1, cap.days))
        given = {"values": values, "context": context, "used": used, "held_since": since, "timezone": self.timezone}
        return Question("someone", perk.id, pick(self.amounts), perk.currency, self.as_of, now, now, "probe", **given)  # type: ignore[arg-type]

    def _ago(self, days: int) -> list[str]:
        """Moments ago: none, and at and around so many days."""
        return [(self.now - timedelta(seconds=s)).isoformat() for s in (0, *_near([days * DAY], 0, (days + 1) * DAY))]

    def _used(self, most: int, days: int | None) -> Iterator[Used]:
        pick = self.chooser.choice
        for _ in range(pick((0, 1, 2))):
            waived = pick((1, most // 2, max(most - 1, 1), most))
            yield Used(self.perk.id, self.perk.currency, waived, pick(self._ago(days or 1)), pick((True, False)))


def _leaves(node: Truth) -> Iterator[Truth]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part)
        case Not(part):
            yield from _leaves(part)
        case _:
            yield node


def _named(leaves: Iterable[Truth]) -> dict[str, set[Value]]:
    found: dict[str, set[Value]] = {}
    pairs = []
    for leaf in leaves:
        match leaf:
            case Same(name, value):
                found.setdefault(name, set()).add(value)
            case InList(name, entries):
                found.setdefault(name, set()).update(value for value, _ in entries)
                found.setdefault(AS_OF, set()).update(until for _, until in entries if until is not None)
            case Alike(left, right):
                pairs.append((left, right))
            case Cmp(_, left_, right_):
                for name in names(leaf):
                    found.setdefault(name, set()).update((*_constants(left_), *_constants(right_)))
            case _:
                pass
    for left, right in pairs:
        found[left] = found[right] = found.get(left, set()) | found.get(right, set())
    return found


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
        return [*_near((int(n) for n in constants or (0,)), type_.low, type_.high)]
    if type_.kind == "string":
        return [*sorted(map(str, constants)), "another"]
    return [*(type_.values or (True, False))]


def _with_missing(choices: list[Value]) -> list[Value | None]:
    return [*choices, *[None] * (1 + len(choices) // MISSING)]


def _near(numbers: Iterable[int], low: int, high: int) -> list[int]:
    """The bounds; and each number with its neighbours, where they are within."""
    found = {n + step for n in numbers for step in (-1, 0, 1)}
    return sorted({low, high} | {n for n in found if low <= n <= high})


def _scores(program: Program, truths: Iterable[Truth]) -> list[int]:
    card = program.scorecard
    constants = named(truths).get(SCORE, set())
    return _near([*(int(v) for v in constants), *(b.lowest for b in card.bands)], card.lowest, card.highest)


def _aim(values: dict[str, Value | None], cmp: Cmp, types: Types, chooser: Random) -> None:
    """Change one value so that both sides are equal, or one step from it; nothing where the others leave it open.

    Each side is linear in each attribute, unless one is multiplied by itself: two points give the line.
    """
    free = sorted(set(names(cmp)) & set(values))
    if not free:
        return
    name = chooser.choice(free)

    def gap(at: int) -> int | None:
        left, right = (number(side, {**values, name: at}) for side in (cmp.left, cmp.right))
        return None if left is None or right is None else left - right

    first, second = gap(0), gap(1)
    if first is not None and second is not None and first != second:
        met = -first // (second - first) + chooser.choice((-1, 0, 1))
        values[name] = max(types[name].low, min(types[name].high, met))


def _passes(values: Values, program: Program, perk: Perk) -> bool:
    """Whether there is a score, and no knock-out that hangs on features alone."""
    return truth(program.scorecard.scorable, values) is True and not any(truth(k.when, values) for k in perk.knockouts)


def _steer(values: dict[str, Value | None], program: Program, target: int, day: int) -> None:
    """Move values to other bins, each as near as it brings the score to the target."""
    scored = assess(Reference(program), values, day)
    gap = target - (scored.score or target)
    for item, part in zip(program.scorecard.items, scored.parts, strict=True):
        if gap and isinstance(item, Characteristic):
            place = min(range(len(item.points)), key=lambda n: abs(gap + part.points - item.points[n]))
            if abs(gap + part.points - item.points[place]) < abs(gap):
                gap += part.points - item.points[place]
                low = program.schema[item.feature].type.low
                values[item.feature] = max(low, item.cuts[0] - 1) if place == 0 else item.cuts[place - 1]
