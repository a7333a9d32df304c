"""Cases: examples beside the rules, run as tests of them.

A case says what is known of a person (decimals as decimals, in the units of the catalogue) and what follows. Cases of
the policy change a rule file instead, and say which problems the checker must find.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final

from engine import expected, why
from engine.caps import Used
from engine.decide import Question, Reference, askable, assess, decide, fitting
from engine.errors import IftahError
from engine.lang.check import cases_in, check
from engine.lang.check_orders import schema_of
from engine.lang.lines import CaseLine, CasesFile, ChangeLine, HappenedLine
from engine.lang.problems import Span
from engine.lang.program import (
    AMOUNT,
    HELD,
    SCORE,
    STATE,
    Characteristic,
    Perk,
    PointRule,
    Program,
    Release,
    perk_stage,
)
from engine.lang.reference import evaluate
from engine.lang.shapes import suggestion
from engine.lang.source import Node, Scalar
from engine.lang.syntax import Number, Word
from engine.lang.timezones import EPOCH
from engine.lang.truths import AS_OF, Statuses
from engine.lang.types import (
    BOOL,
    DATE,
    MOMENT,
    Attribute,
    Kinds,
    Schema,
    Type,
    Value,
    day_of,
    scaled,
    value_of,
    written,
)
from engine.orders import move
from engine.perks import answer
from engine.watch import SECOND, Event, flags

# What is looked at in each sort of case: keys of the case, and keys of `expect`.
_STATUSES: Final = {"met", "not_met", "unknown"}
_PERSON: Final = {"outcome", "reasons", "raised", "not_raised", *_STATUSES}
LOOKED_AT: Final[dict[str, tuple[set[str], set[str]]]] = {
    "a score": ({"given", "events"}, {"score", "band", *_PERSON}),
    "a perk": (
        {"given", "events", "perk", "amount", "score", "used", "held_since"},
        {"waived", "because", "held", *_PERSON},
    ),
    "an order": ({"order"}, {"to", "code", *_STATUSES}),
}


@dataclass(frozen=True)
class Outcome:
    """What came of one case. `failures` say what was expected and what came, `why` what that came of; `fired`, `idle` name
    rules and bins (`id#n`).
    """

    name: str
    at: Span
    failures: tuple[str, ...]
    fired: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Told:
    """A case, its file, and the rules in force on its day."""

    case: CaseLine
    file: CasesFile
    program: Program
    day: int
    kinds: Kinds

    @property
    def moment(self) -> str:
        return self.begun(self.day)

    def begun(self, day: int) -> str:
        """The first moment of a day of the rules, as questions name it."""
        return self.program.start_of(day).isoformat()

    @property
    def schema(self) -> Schema:
        card = self.program.scorecard
        own = (
            Attribute(AS_OF, DATE),
            Attribute(SCORE, Type("int", low=card.lowest, high=card.highest)),
            Attribute(HELD, BOOL),
        )
        return {**self.program.schema, **{a.name: a for a in own}}

    def given(self) -> dict[str, tuple[Word, Node]]:
        return {k.text: (k, v) for k, v in (*self.file.base, *self.case.given)}


def run(release: Release, files: Mapping[str, str], schema: Schema, kinds: Kinds | None = None) -> Iterator[Outcome]:
    """Every case of every `.cases.yaml` among `files` (name -> text), in order."""
    for file in cases_in(files).values():
        for case in file.cases:
            yield _case(release, file, case, kinds or {})
        for change in file.changes:
            yield _change(release.files, schema, kinds or {}, change)  # cases need no reading again


def untried(program: Program, outcomes: list[Outcome]) -> tuple[str, ...]:
    """Rules, knock-outs, tiers, flags, refusals and moves without a case in which they fire or one in which they do not;
    bins that no case hits.
    """
    fired = frozenset().union(*(o.fired for o in outcomes))
    idle = frozenset().union(*(o.idle for o in outcomes))
    both = {i.id for i in program.scorecard.items if isinstance(i, PointRule)}
    both |= {id_ for perk in program.perks for id_ in perk_stage(perk)} | {p.flag for p in program.watch}
    both |= set(program.orders.stage) if program.orders else set()
    bins = {
        f"{i.id}#{n}" for i in program.scorecard.items if isinstance(i, Characteristic) for n in range(len(i.points))
    }
    missing = (*(f"{i} never fires" for i in sorted(both - fired)), *(f"{i} always fires" for i in sorted(both - idle)))
    return (*missing, *(f"{b} is never hit" for b in sorted(bins - fired)))


def _case(release: Release, file: CasesFile, case: CaseLine, kinds: Kinds) -> Outcome:
    pinned = case.as_of or file.as_of
    day = day_of(pinned.text) if pinned else None
    if day is None:
        return Outcome(case.name.text, case.at, ("no day is given: write `as_of: 2026-01-01` at the top of the file",))
    told = _Told(case, file, release.at(day), day, kinds)
    stray = (*_not_looked_at(case), *_no_fields(told))
    if stray:
        return Outcome(case.name.text, case.at, stray)
    try:
        if case.order:
            return _ordered(told)
        return _person(told)
    except IftahError as error:
        return Outcome(case.name.text, case.at, (str(error),))


def _not_looked_at(case: CaseLine) -> Iterator[str]:
    """What a case says that nobody would look at: it would seem to be tested, and is not."""
    sort = "an order" if case.order else "a perk" if case.perk else "a score"
    asked, expected = LOOKED_AT[sort]
    said = [f.name for f in fields(case.expect) if f.name != "at" and _said(f.name, getattr(case.expect, f.name))]
    given = [k for k in ("given", "events", "score", "amount", "used", "held_since") if getattr(case, k)]
    yield from (f"`{k}` is not looked at in a case of {sort}" for k in given if k not in asked)
    yield from (f"`{k}` is not looked at in what a case of {sort} expects" for k in said if k not in expected)
    if not said:
        yield "the case expects nothing"


def _said(key: str, value: object) -> bool:
    """Whether a key of `expect` is there: an empty list of reasons says that there are none."""
    return value is not None and (value != () or key in ("reasons", "because"))


def _no_fields(told: _Told) -> Iterator[str]:
    """Fields of the request that are given, and that the perk does not have."""
    perk = told.program.perk(told.case.perk.text) if told.case.perk else None
    known = {a.name for a in perk.request} if perk else set[str]()
    for key, _ in told.case.given:
        if _of_request(key.text) and key.text not in known:
            yield f"`{key.text}` is no field of the request here"


def _person(told: _Told) -> Outcome:
    values = _values(told.program.schema, told.given(), told.program.timezone)
    raised: dict[str, Value | None] = {}
    if told.case.events:
        classes = {c for kind in told.kinds.values() for c in (kind.data_class,)}
        events = [_event(told, e) for e in told.case.events]
        raised = flags(told.program, events, _micros(told.program.start_of(told.day)), classes, unread=True)
        values |= {name: value for name, value in raised.items() if value is not None}
    found = _asked(told, values) if told.case.perk else _scored(told, values)
    expect = told.case.expect
    wanted = [(f"watch.{w.text}", True) for w in expect.raised] + [
        (f"watch.{w.text}", False) for w in expect.not_raised
    ]
    wrong = [said for name, up in wanted for said in expected.differs(f"`{name}`", up, raised.get(name))]
    return replace(
        found,
        failures=(*wrong, *found.failures),
        fired=found.fired | {n for n, up in raised.items() if up},
        idle=found.idle | {n for n, up in raised.items() if up is False},
    )


def _event(told: _Told, line: HappenedLine) -> Event:
    kind = told.kinds.get(line.event.text)
    day, at = day_of(line.on.text), scaled(line.on.text, MOMENT)
    if kind is None or at is None:
        place = f"{line.at.file}:{line.at.line}"
        raise IftahError("an event has a known kind, and happens on a day or at a timestamp", where=place)
    carried = _values(kind.fields, {k.text: (k, v) for k, v in line.fields}, told.program.timezone)
    micros = at * SECOND if day is None else _micros(told.program.start_of(day))
    return Event(kind.name, line.role.text if line.role else "subject", micros, carried)


def _scored(told: _Told, values: dict[str, Value]) -> Outcome:
    found = assess(Reference(told.program), values, told.day)
    statuses = {p.id: p.status for p in found.parts if p.bin is None}
    bins = {f"{p.id}#{p.bin}" for p in found.parts if p.bin is not None}
    of_points, of_rules = list(expected.of_score(told.case, found)), list(expected.of_statuses(told.case, statuses))
    came = _outcome(told.case, [*of_points, *of_rules], statuses, bins)
    because = [why.points(told.program.scorecard.base, found.parts)] if of_points else []
    if found.score is None or of_rules:
        seen = {**values, AS_OF: told.day}
        asked = ["scorable", *expected.named(told.case)] if found.score is None else expected.named(told.case)
        because += why.conditions(
            asked, told.program.stages[SCORE], {**statuses, "scorable": found.score is not None}, seen, told.schema
        )
    return replace(came, why=tuple(because)) if came.failures else came


def _asked(told: _Told, values: dict[str, Value]) -> Outcome:
    case, perk = told.case, told.program.perk(told.case.perk.text) if told.case.perk else None
    amount = _money(case.amount, perk) if perk else None
    if perk is None or amount is None:
        return Outcome(case.name.text, case.at, ("a case of a perk names a known `perk` and an `amount`",))
    askable(told.program, perk.id, amount, perk.currency)
    context = _values(
        {a.name: a for a in perk.request},
        {k: v for k, v in told.given().items() if _of_request(k)},
        told.program.timezone,
    )
    seen = {**fitting(told.program, values), **context, AMOUNT: amount, AS_OF: told.day}
    if case.score and not (perk.hold or case.used):  # the perk alone, at this score
        seen |= {SCORE: case.score.whole}
        statuses = evaluate(perk_stage(perk), seen)
        given, reasons, held = answer(perk, statuses, amount), None, None
    else:
        decided = decide(
            _At(told.program, case.score.whole if case.score else None), _question(told, perk, amount, values, context)
        )
        statuses, given, reasons = decided.statuses, decided.answer, decided.reasons
        held = decided.held_since is not None
        seen |= {SCORE: case.score.whole if case.score else decided.scored.score, HELD: held if perk.hold else None}
    failures = [
        *expected.differs("outcome", expected.text(case.expect.outcome), given.outcome),
        *expected.differs("waived", _money(case.expect.waived, perk), given.waived),
        *expected.differs("because", expected.texts(case.expect.because), given.because),
        *expected.differs("reasons", expected.texts(case.expect.reasons), reasons),
        *expected.differs("held", case.expect.held, held),
        *expected.of_statuses(case, statuses),
    ]
    schema = {**told.schema, **{a.name: a for a in (Attribute(AMOUNT, Type("decimal", perk.digits)), *perk.request)}}
    because = why.conditions(statuses, perk_stage(perk), statuses, seen, schema) if failures else ()
    return replace(_outcome(case, failures, statuses, set()), why=tuple(because))


class _At(Reference):
    """The reference, where the score is what the case says that it is."""

    def __init__(self, program: Program, score: int | None) -> None:
        super().__init__(program)
        self.score = score

    def statuses(self, stage: str, values: Mapping[str, Value | None]) -> Statuses:
        found = super().statuses(
            stage, values if self.score is None or stage == SCORE else {**values, SCORE: self.score}
        )
        return {**found, "scorable": True} if stage == SCORE and self.score is not None else found


def _question(
    told: _Told, perk: Perk, amount: int, values: Mapping[str, Value], context: Mapping[str, Value]
) -> Question:
    used = []
    for line in told.case.used:
        other = told.program.perk(line.perk.text)
        waived = _money(line.waived, other) if other else None
        if other is None or waived is None:
            raise IftahError("what was waived before names a known perk", where=f"{line.at.file}:{line.at.line}")
        used.append(Used(other.id, other.currency, waived, told.begun(day_of(line.on.text) or 0), line.open))
    since = told.case.held_since
    return Question(
        subject="case",
        perk=perk.id,
        amount=amount,
        currency=perk.currency,
        as_of=told.moment,
        known_at=told.moment,
        asked_at=told.moment,
        purpose="",
        values=values,
        context={name.removeprefix("request."): value for name, value in context.items()},
        used=tuple(used),
        held_since=told.begun(day_of(since.text) or 0) if since else None,
        timezone=told.program.timezone,
    )


def _ordered(told: _Told) -> Outcome:
    case, orders = told.case, told.program.orders
    if orders is None:
        return Outcome(case.name.text, case.at, ("there is no orders.yaml",))
    schema = schema_of(orders.states, orders.events)
    values = _values(schema, {k.text: (k, v) for k, v in case.order}, told.program.timezone)
    statuses = Reference(told.program).statuses("orders", {**values, AS_OF: told.day})
    came = move(Reference(told.program), values, told.day)
    failures = [
        *expected.differs("to", expected.text(case.expect.to), came.to),
        *expected.differs("code", expected.text(case.expect.code), came.code),
        *expected.of_statuses(case, statuses),
    ]
    if case.expect.to is None and case.expect.code is None:
        failures.append(f"a case of an order in `{values.get(STATE)}` expects `to` a state or a `code`")
    asked = [*(r.id for r in orders.refusals if statuses[r.id] is not False), *expected.named(case)]
    because = why.conditions(dict.fromkeys(asked), orders.stage, statuses, {**values, AS_OF: told.day}, schema)
    return replace(_outcome(case, failures, statuses, set()), why=tuple(because) if failures else ())


def _outcome(case: CaseLine, failures: list[str], statuses: Statuses, bins: set[str]) -> Outcome:
    fired = frozenset({i for i, s in statuses.items() if s} | bins)
    idle = frozenset(i for i, s in statuses.items() if s is False)
    return Outcome(case.name.text, case.at, tuple(failures), fired, idle)


def _money(number: Number | None, perk: Perk) -> int | None:
    """The amount in minor units; None when none is given. Raises IftahError for one finer than the currency."""
    found = scaled(number.text, Type("decimal", perk.digits)) if number else None
    if number and found is None:
        hint = f"amounts in {perk.currency} have {perk.digits} digits after the point"
        place = f"{number.at.file}:{number.at.line}"
        raise IftahError(f"`{number.text}` is finer than the currency", where=place, hint=hint)
    return found


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _of_request(name: str) -> bool:
    return name.startswith("request.")


def _values(schema: Schema, given: Mapping[str, tuple[Word, Node]], timezone: str) -> dict[str, Value]:
    """The given values, scaled. `missing` takes a value of the base away. Fields of the request are for their perk to read."""
    found: dict[str, Value] = {}
    for name, (key, node) in given.items():
        text = node.text if isinstance(node, Scalar) else ""
        if text == "missing" or (_of_request(name) and name not in schema):
            continue
        value = value_of(text, schema[name].type, timezone) if name in schema else None
        if value is None:
            place = f"{key.at.file}:{key.at.line}"
            hint = _fitting(schema[name].type) if name in schema else suggestion(name, schema) or "see docs/features.md"
            raise IftahError(f"`{name}: {text}` is not a value of the catalogue", where=place, hint=hint)
        found[name] = value
    return found


def _fitting(type_: Type) -> str:
    bounds = f", from {written(type_.low, type_)} to {written(type_.high, type_)}" if type_.numeric else ""
    return f"write it as {type_}{bounds}"


def _change(files: Mapping[str, str], schema: Schema, kinds: Kinds, change: ChangeLine) -> Outcome:
    file, before = change.file.text, files.get(change.file.text, "")
    if before.count(change.replace.text) != 1:
        return Outcome(change.name.text, change.at, (f"`{file}` does not hold the text to replace exactly once",))
    changed = {**files, file: before.replace(change.replace.text, change.by.text)}
    _, problems = check(changed, schema, kinds)
    wanted, came = tuple(w.text for w in change.problems), tuple(dict.fromkeys(p.code for p in problems))
    return Outcome(change.name.text, change.at, tuple(expected.differs("problems", wanted, came)))
