"""Probe: made-up people on whom the engines must agree before a release decides about real ones.

Tests hold the engines to each other on random rules; a probe asks the same of the very rules that are about to decide.
Its people stand where engines could differ: each value is missing, at a bound, or at, just below or just above a number
that the rules compare it with. Sums are brought to where their comparison turns, scores to where a tier or band begins.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import Any, Final

import narwhals as nw

from engine.decide import Decision, Engine, Question, Reference, assess, decide
from engine.lang import columnar
from engine.lang.program import (
    AMOUNT,
    SCORE,
    And,
    Attr,
    Characteristic,
    Cmp,
    Flag,
    Int,
    Not,
    Num,
    Op,
    Or,
    Perk,
    PointRule,
    Release,
    Same,
    Stage,
    Truth,
    Values,
    names,
    perk_stage,
    stages,
)
from engine.lang.reference import number, truth
from engine.lang.types import Schema, Value

PEOPLE: Final = 1_000
SEED: Final = 1
MISSING: Final = 8  # one value in about so many is missing
TRIES: Final = 5  # draws for somebody who is not turned away at once
DTYPES: Final[Mapping[str, Any]] = {"bool": nw.Boolean, "enum": nw.String, "string": nw.String}
ASKED: Final = "~asked"  # a column: the amount
PLACE: Final = "~place"  # a column: where a person stands among the people

Row = Mapping[str, object]  # what an engine says of one person, by what it is about


@dataclass(frozen=True)
class Person:
    """Made-up values, and what is asked: a perk for an amount in minor units."""

    values: Values
    perk: Perk
    amount: int


def disagreement(online: Engine) -> str | None:
    """The first difference between the engines on the release of `online`, in one line; None when there is none."""
    release, reference = online.release, Reference(online.release)
    people = crowd(release)
    expected = list(rows(reference, people))
    found = difference("durable-rules", expected, rows(online, people))
    found = found or difference("the columnar engine", expected, columns(release, people))
    for name, stage in stages(release).items():
        if name != SCORE and not found:  # that one every person has been through
            asked = values_for(stage, release.schema)
            answers = ([engine.statuses(name, values) for values in asked] for engine in (reference, online))
            found = difference("durable-rules", *answers)
    return found


def difference(engine: str, expected: Iterable[Row], came: Iterable[Row]) -> str | None:
    """The first of what an engine says that the reference says otherwise, in one line."""
    for place, (wanted, found) in enumerate(zip(expected, came, strict=True)):
        for what, said in found.items():
            if said != wanted.get(what):
                says = f"{engine} says `{what}` is {said}, the reference {wanted.get(what)}"
                return f"{says} (number {place} of the probe)"
    return None


def crowd(release: Release, size: int = PEOPLE, seed: int = SEED) -> tuple[Person, ...]:
    """People to probe the release with, each asked about one perk. The same of the same release, size and seed.

    Chance alone would leave most of them unscorable or knocked out: every other one is drawn until neither is so, and of
    these every other one is brought to a score that matters.
    """
    chooser = Random(seed)  # noqa: S311 - made-up people, not keys
    everything = [truth for stage in stages(release).values() for truth in stage.values()]
    draws = _draws(everything, release.features, release.schema, chooser)
    turns, amounts = _scores(release, everything), {perk.id: _amounts(perk) for perk in release.perks}
    people = []
    for place in range(size):
        perk, values = release.perks[place % len(release.perks)], next(draws)
        if place % 2:
            values = next((v for v in islice(draws, TRIES) if _passes(v, release, perk)), values)
        if place % 4 == 1:
            _steer(values, release, chooser.choice(turns))
        people.append(Person(values, perk, chooser.choice(amounts[perk.id])))
    return tuple(people)


def values_for(
    stage: Stage, schema: Schema, size: int = PEOPLE // 2, seed: int = SEED
) -> list[dict[str, Value | None]]:
    """Values for all that a stage reads, whatever it is: features, the score, the request."""
    chooser = Random(seed)  # noqa: S311
    read = sorted({name for truth in stage.values() for name in names(truth)})
    return list(islice(_draws(stage.values(), read, schema, chooser), size))


def rows(engine: Engine, people: Iterable[Person]) -> Iterator[Row]:
    """What an engine of the kind that answers one by one says of each person."""
    for person in people:
        asked = Question("someone", person.perk.id, person.amount, person.perk.currency, "", "", "probe", person.values)
        yield _row(engine.release, decide(engine, asked))


def columns(release: Release, people: Sequence[Person]) -> Iterator[Row]:
    """What the columnar engine says of each person, on Polars."""
    values = {name: [p.values[name] for p in people] for name in release.features}
    dtypes = {name: DTYPES.get(release.schema[name].type.kind, nw.Int64) for name in values}
    asked = {PLACE: list(range(len(people))), ASKED: [p.amount for p in people]}
    frame = nw.from_dict({**values, **asked}, dtypes | dict.fromkeys(asked, nw.Int64), backend="polars")
    scored = columnar.score(release, frame)
    items = release.scorecard.items
    wanted = (*(f"points:{i.id}" for i in items), *(f"status:{i.id}" for i in items if isinstance(i, PointRule)))
    told = scored.select(PLACE, SCORE, "band", *wanted, *columnar.REASONS)
    found = {row[PLACE]: _row_scored(release, row) for row in told.iter_rows(named=True)}
    for perk in release.perks:
        places = [place for place, p in enumerate(people) if p.perk.id == perk.id]
        theirs = scored.filter(nw.col(PLACE).is_in(places))
        wanted = tuple(f"status:{id_}" for id_ in perk_stage(perk))
        answered = columnar.perk(release, perk.id, theirs, nw.col(ASKED))
        told = answered.select(PLACE, SCORE, "outcome", "waived", "tier", *wanted, *columnar.REASONS)
        for row in told.iter_rows(named=True):
            found[row[PLACE]] |= _row_answered(perk, row)
    return (found[place] for place in range(len(people)))


def _row(release: Release, made: Decision) -> dict[str, object]:
    """Causes before what follows from them, so that a difference is told by its cause."""
    scored, given = made.scored, made.answer
    row: dict[str, object] = {}
    for item, part in zip(release.scorecard.items, scored.parts, strict=True):
        rule = isinstance(item, PointRule)
        row[item.id if rule else f"bin of {item.id}"] = part.status if rule else part.bin
        row[f"points of {item.id}"] = part.points
    row |= {"score": scored.score, "band": scored.band, "reasons of the score": scored.reasons} | dict(made.statuses)
    return row | {"outcome": given.outcome, "waived": given.waived, "tier": given.tier, "reasons": made.reasons}


def _row_scored(release: Release, row: Mapping[str, Any]) -> dict[str, object]:
    items = release.scorecard.items
    told: dict[str, object] = {i.id: row[f"status:{i.id}"] for i in items if isinstance(i, PointRule)}
    told |= {f"points of {i.id}": row[f"points:{i.id}"] for i in items}
    return told | {"score": row[SCORE], "band": row["band"], "reasons of the score": _reasons(row)}


def _row_answered(perk: Perk, row: Mapping[str, Any]) -> dict[str, object]:
    statuses = {} if row[SCORE] is None else {id_: row[f"status:{id_}"] for id_ in perk_stage(perk)}
    return statuses | {what: row[what] for what in ("outcome", "waived", "tier")} | {"reasons": _reasons(row)}


def _reasons(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[r] for r in columnar.REASONS if row[r])


def _draws(
    truths: Iterable[Truth], wanted: Iterable[str], schema: Schema, chooser: Random
) -> Iterator[dict[str, Value | None]]:
    """Values for the attributes `wanted` at or near where the conditions turn, again and again."""
    leaves = [leaf for truth in truths for leaf in _leaves(truth)]
    named = _named(leaves)
    choices = {name: _with_missing(_choices(name, named.get(name, set()), schema)) for name in wanted}
    sums = [leaf for leaf in leaves if isinstance(leaf, Cmp) and {type(leaf.left), type(leaf.right)} != {Attr, Int}]
    for place in count():
        values = {name: chooser.choice(some) for name, some in choices.items()}
        if sums:
            _aim(values, sums[place % len(sums)], schema, chooser)
        yield values


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
    """The constants with which each attribute is compared."""
    found: dict[str, set[Value]] = {}
    for leaf in leaves:
        match leaf:
            case Same(name, value):
                found.setdefault(name, set()).add(value)
            case Flag(name):
                found.setdefault(name, set()).update((True, False))
            case Cmp(_, left, right):
                for name in names(leaf):
                    found.setdefault(name, set()).update((*_constants(left), *_constants(right)))
            case _:
                pass
    return found


def _constants(num: Num) -> Iterator[int]:
    match num:
        case Int(value):
            yield value
        case Op(_, left, right):
            yield from _constants(left)
            yield from _constants(right)
        case _:
            pass


def _choices(name: str, named: set[Value], schema: Schema) -> list[Value]:
    """Values at which a condition can turn; of what is no feature, the constants alone tell what it can be."""
    if name in schema:
        type_ = schema[name].type
        if type_.numeric:
            return [*_near((int(n) for n in named or (0,)), type_.low, type_.high)]
        if type_.kind in ("bool", "enum"):
            return [*(type_.values or (True, False))]
    if named and all(type(value) is int for value in named):
        numbers = [int(n) for n in named]
        return [*_near(numbers, min(numbers) - 1, max(numbers) + 1)]
    return [True, False] if True in named else [*sorted(map(str, named)), "another"]


def _with_missing(choices: list[Value]) -> list[Value | None]:
    return [*choices, *[None] * (1 + len(choices) // MISSING)]


def _near(numbers: Iterable[int], low: int, high: int) -> list[int]:
    """The bounds; and each number with its neighbours, where they are within."""
    found = {n + step for n in numbers for step in (-1, 0, 1)}
    return sorted({low, high} | {n for n in found if low <= n <= high})


def _scores(release: Release, truths: Iterable[Truth]) -> list[int]:
    card = release.scorecard
    named = _named(leaf for truth in truths for leaf in _leaves(truth)).get(SCORE, set())
    return _near([*(int(v) for v in named), *(b.lowest for b in card.bands)], card.lowest, card.highest)


def _amounts(perk: Perk) -> list[int]:
    """Amounts at which a condition or a waiver of the perk can turn, within what it may be asked for."""
    named = _named(leaf for truth in perk_stage(perk).values() for leaf in _leaves(truth)).get(AMOUNT, set())
    return _near([*(int(v) for v in named), *(t.up_to or 99 for t in perk.tiers)], 1, perk.most)


def _aim(values: dict[str, Value | None], cmp: Cmp, schema: Schema, chooser: Random) -> None:
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
        type_ = schema[name].type if name in schema else None
        values[name] = max(type_.low, min(type_.high, met)) if type_ else met


def _passes(values: Values, release: Release, perk: Perk) -> bool:
    """Whether there is a score, and no knock-out that hangs on features alone."""
    return truth(release.scorecard.scorable, values) is True and not any(truth(k.when, values) for k in perk.knockouts)


def _steer(values: dict[str, Value | None], release: Release, target: int) -> None:
    """Move values to other bins, each as near as it brings the score to the target."""
    scored = assess(Reference(release), values)
    gap = target - (scored.score or target)
    for item, part in zip(release.scorecard.items, scored.parts, strict=True):
        if gap and isinstance(item, Characteristic):
            place = min(range(len(item.points)), key=lambda n: abs(gap + part.points - item.points[n]))
            if abs(gap + part.points - item.points[place]) < abs(gap):
                gap += part.points - item.points[place]
                low = release.schema[item.feature].type.low
                values[item.feature] = max(low, item.cuts[0] - 1) if place == 0 else item.cuts[place - 1]
