"""Probe: engines must agree about made-up people before rules decide about real ones.

Tests hold the engines to each other on random rules; a probe asks the same of the very rules that are about to decide,
and of people who are made to stand where the engines could differ (`engine.crowd`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import tee
from random import Random
from typing import Any, Final

import narwhals as nw

from engine.caps import left, seconds_between
from engine.crowd import PEOPLE, SEED, crowd, draw, named, values_for
from engine.decide import Decision, Engine, Question, Reference, decide
from engine.engines import Engines
from engine.lang import columnar
from engine.lang.program import HELD, SCORE, Pattern, Perk, PointRule, Program, Release, perk_stage
from engine.lang.truths import Truth, names
from engine.lang.types import BOOL, DAY, STRING, Type, Value
from engine.watch import SECOND, Event, Raised, reference

FEWEST: Final = 100  # people for each program of a release
STAGE: Final = 200  # sets of values for each stage of a release
HISTORIES: Final = 200  # for each pattern
EVENTS: Final = 6  # of a made-up history
TODAY: Final = 20_454  # 2026-01-01: a day like any other, for rules without a date
RESULTS: Final = ("outcome", "waived", "tier", HELD)  # of an answer
ASKED: Final = "~asked"  # columns: the amount,
PLACE: Final = "~place"  # and where a question stands among the questions
NUMBER: Final = Type("int", low=-(10**9), high=10**9)  # a field of an event that is compared as a number

Row = Mapping[str, object]  # what an engine says of one question, by what it is about


def days(release: Release) -> tuple[int, ...]:
    """A day of each program of a release, counted from 1970-01-01."""
    later = [p.since for p in release.programs[1:] if p.since is not None]
    return (min([TODAY, *(day - 1 for day in later)]), *later)


def disagreement(engines: Engines) -> str | None:
    """The first difference between the engines on a release, in one line; None when there is none."""
    some = days(engines.release)
    size = max(FEWEST, PEOPLE // len(some))
    found = (
        differs(engines.at(day), day, size, max(FEWEST, STAGE // len(some)))
        or watched(engines.release.at(day), engines.watchers(day).raised)
        for day in some
    )
    return next(filter(None, found), None)


def differs(online: Engine, day: int, size: int = PEOPLE, of_stage: int = STAGE) -> str | None:
    """The first difference on the program of `online`: of `size` people, then of `of_stage` sets of values a stage."""
    program, sure = online.program, Reference(online.program)
    people = crowd(program, day, size)
    expected, again = tee(rows(sure, people))  # nobody is decided about after the first difference
    found = difference("durable-rules", expected, rows(online, people))
    found = found or difference("the columnar engine", again, columns(program, people))
    for name in program.stages:
        if name != SCORE and not found:  # that one everybody has been through
            asked = values_for(program, name, of_stage)
            answers = ([engine.statuses(name, values) for values in asked] for engine in (sure, online))
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


def rows(engine: Engine, people: Iterable[Question]) -> Iterator[Row]:
    """What an engine of the kind that answers one by one says of each question."""
    for asked in people:
        yield _row(engine.program, decide(engine, asked))


def columns(program: Program, people: Sequence[Question]) -> Iterator[Row]:
    """What the columnar engine says of each question, on Polars. All are of one day."""
    held = {name: [q.values[name] for q in people] for name in program.reads}
    dtypes = {name: _dtype(program.schema[name].type) for name in held}
    asked = {PLACE: list(range(len(people))), ASKED: [q.amount for q in people]}
    frame = nw.from_dict({**held, **asked}, dtypes | dict.fromkeys(asked, nw.Int64), backend="polars")
    day, items = people[0].day, program.scorecard.items
    scored = columnar.score(program, frame, day)
    wanted = (*(f"points:{i.id}" for i in items), *(f"status:{i.id}" for i in items if isinstance(i, PointRule)))
    told = scored.select(PLACE, SCORE, columnar.ALONE, "band", *wanted, *columnar.REASONS)
    found = {row[PLACE]: _row_scored(program, row) for row in told.iter_rows(named=True)}
    for perk in program.perks:
        places = [place for place, q in enumerate(people) if q.perk == perk.id]
        theirs = scored.filter(nw.col(PLACE).is_in(places)).with_columns(*_context(perk, [people[p] for p in places]))
        answered = columnar.perk(program, perk.id, theirs, nw.col(ASKED), day)
        wanted = (*RESULTS, *(f"status:{id_}" for id_ in perk_stage(perk)))
        for row in answered.select(PLACE, SCORE, *wanted, *columnar.REASONS).iter_rows(named=True):
            found[row[PLACE]] |= _row_answered(perk, row)
    return (found[place] for place in range(len(people)))


def watched(program: Program, raised: Raised, size: int = HISTORIES) -> str | None:
    """The first difference on the patterns that the program's rules read, over `size` made-up histories each."""
    for pattern in program.flags:
        for place, (events, as_of) in enumerate(_histories(pattern, size)):
            came, wanted = raised(pattern, events, as_of), reference(pattern, events, as_of)
            if came != wanted:
                says = f"durable-rules says `{pattern.flag}` is {came}, the reference {wanted}"
                return f"{says} (history {place} of the probe)"
    return None


def _row(program: Program, made: Decision) -> dict[str, object]:
    """Causes before what follows from them, so that a difference is told by its cause."""
    scored, given = made.scored, made.answer
    row: dict[str, object] = {}
    for item, part in zip(program.scorecard.items, scored.parts, strict=True):
        rule = isinstance(item, PointRule)
        row[item.id if rule else f"bin of {item.id}"] = part.status if rule else part.bin
        row[f"points of {item.id}"] = part.points
    row |= {"score": scored.score, "score without relationships": scored.alone, "band": scored.band}
    perk = program.perk(made.question.perk)
    holds = perk is not None and perk.hold is not None and scored.score is not None
    row |= {
        "reasons of the score": scored.reasons,
        **made.statuses,
        HELD: made.held_since is not None if holds else None,
    }
    return row | {"outcome": given.outcome, "waived": given.waived, "tier": given.tier, "reasons": made.reasons}


def _row_scored(program: Program, row: Mapping[str, Any]) -> dict[str, object]:
    items = program.scorecard.items
    told: dict[str, object] = {i.id: row[f"status:{i.id}"] for i in items if isinstance(i, PointRule)}
    told |= {f"points of {i.id}": row[f"points:{i.id}"] for i in items}
    told |= {"score": row[SCORE], "score without relationships": row[columnar.ALONE], "band": row["band"]}
    return told | {"reasons of the score": _reasons(row)}


def _row_answered(perk: Perk, row: Mapping[str, Any]) -> dict[str, object]:
    statuses = {} if row[SCORE] is None else {id_: row[f"status:{id_}"] for id_ in perk_stage(perk)}
    return statuses | {what: row[what] for what in RESULTS} | {"reasons": _reasons(row)}


def _reasons(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(row[r] for r in columnar.REASONS if row[r])


def _context(perk: Perk, people: Sequence[Question]) -> Iterator[Any]:
    """The columns that a perk may have beside the features."""
    for field in perk.request:
        values = [q.context[field.name.removeprefix("request.")] for q in people]
        yield nw.new_series(field.name, values, _dtype(field.type), backend="polars")
    since = [None if q.held_since is None else seconds_between(q.held_since, q.asked_at) for q in people]
    yield nw.new_series("held_for", since, nw.Int64, backend="polars")
    rest = [left(perk, q.used, q.asked_at) for q in people]
    for n in range(len(perk.capped)):
        yield nw.new_series(f"left:{n}", [caps[n] for caps in rest], nw.Int64, backend="polars")


def _histories(pattern: Pattern, size: int) -> Iterator[tuple[list[Event], int]]:
    """Events, by time, and a moment to look from: at, just before and just after each stretch of time that matters."""
    chooser = Random(SEED)  # noqa: S311 - made-up people, not keys
    steps = pattern.steps
    fields = [draw([s.where], _fields(s.where, pattern.same), chooser) for s in steps]
    gaps = [0, 1, *(pattern.within * SECOND // part + off for part in (1, 2, 3) for off in (-1, 0, 1))]
    waits = [0, *((pattern.lasts * SECOND + off) for off in (-1, 0, 1))] if pattern.lasts is not None else [0]
    for _ in range(size):
        at, events = TODAY * DAY * SECOND, []
        for n in range(chooser.randint(1, EVENTS + 1)):
            step = chooser.choice((n % len(steps), chooser.randrange(len(steps))))
            at += chooser.choice(gaps)
            side = steps[step].role if steps[step].role != "either" and chooser.random() < 0.8 else None
            role = side or chooser.choice(("subject", "other"))
            events.append(Event(steps[step].kind, role, at, next(fields[step])))
        yield events, at + chooser.choice(waits)


def _fields(where: Truth, same: Sequence[str]) -> dict[str, Type]:
    """The fields of an event that a pattern looks at; the constants they are compared with tell what they are."""
    compared = named([where])
    return {name: _kind(compared.get(name, set())) for name in sorted({*names(where), *same})}


def _kind(constants: set[Value]) -> Type:
    if not constants:
        return Type("enum", values=("one", "other"))
    kinds = {type(value) for value in constants}
    return BOOL if bool in kinds else NUMBER if int in kinds else STRING


def _dtype(type_: Type) -> Any:
    return nw.Int64 if type_.numeric else nw.String if type_.worded else nw.Boolean
