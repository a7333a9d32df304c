"""Cases: examples beside the rules, run as tests of them.

A case says what is known of a person (decimals as decimals, in the units of the catalogue) and what follows. Cases of
the policy change a rule file instead, and say which problems the checker must find.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.decide import Question, Reference, askable, assess, decide
from engine.errors import IftahError
from engine.lang.check import cases_in, check
from engine.lang.problems import Span
from engine.lang.program import AMOUNT, SCORE, Perk, PointRule, Release, Statuses, perk_stage
from engine.lang.reference import evaluate
from engine.lang.source import Node, Scalar
from engine.lang.syntax import CaseLine, CasesFile, ChangeLine, Number, Word
from engine.lang.types import Schema, Type, Value, scaled
from engine.perks import answer
from engine.scorecard import Scored


@dataclass(frozen=True)
class Outcome:
    """What came of one case. `failures` say what was expected and what came; `fired`, `idle` name rules and bins (`id#n`)."""

    name: str
    at: Span
    failures: tuple[str, ...]
    fired: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()


def run(release: Release, files: Mapping[str, str], schema: Schema) -> Iterator[Outcome]:
    """Every case of every `.cases.yaml` among `files` (name -> text), in order."""
    for file in cases_in(files).values():
        for case in file.cases:
            yield _person(release, file, case)
        for change in file.changes:
            yield _change(files, schema, change)


def untried(release: Release, outcomes: list[Outcome]) -> tuple[str, ...]:
    """Rules, knock-outs and tiers without a case in which they fire or one in which they do not; bins that no case hits."""
    fired = frozenset().union(*(o.fired for o in outcomes))
    idle = frozenset().union(*(o.idle for o in outcomes))
    both = {i.id for i in release.scorecard.items if isinstance(i, PointRule)}
    both |= {id_ for perk in release.perks for id_ in perk_stage(perk)}
    bins = {
        f"{i.id}#{n}" for i in release.scorecard.items if not isinstance(i, PointRule) for n in range(len(i.points))
    }
    missing = (*(f"{i} never fires" for i in sorted(both - fired)), *(f"{i} always fires" for i in sorted(both - idle)))
    return (*missing, *(f"{b} is never hit" for b in sorted(bins - fired)))


def _person(release: Release, file: CasesFile, case: CaseLine) -> Outcome:
    try:
        values = _values(release.schema, {k.text: (k, v) for k, v in (*file.base, *case.given)})
        return _asked(release, case, values) if case.perk else _scored(release, case, values)
    except IftahError as error:
        return Outcome(case.name.text, case.at, (str(error),))


def _scored(release: Release, case: CaseLine, values: dict[str, Value]) -> Outcome:
    found = assess(Reference(release), values)
    statuses = {p.id: p.status for p in found.parts if p.bin is None}
    bins = {f"{p.id}#{p.bin}" for p in found.parts if p.bin is not None}
    return _outcome(case, [*_of_score(case, found), *_of_statuses(case, statuses)], statuses, bins)


def _asked(release: Release, case: CaseLine, values: dict[str, Value]) -> Outcome:
    perk = release.perk(case.perk.text) if case.perk else None
    amount = scaled(case.amount.text, Type("decimal", perk.digits)) if perk and case.amount else None
    if perk is None or amount is None:
        return Outcome(case.name.text, case.at, ("a case of a perk names a known `perk` and an `amount`",))
    askable(release, perk.id, amount, perk.currency)
    if case.score:  # the perk alone, at this score
        statuses = evaluate(perk_stage(perk), {**values, SCORE: case.score.whole, AMOUNT: amount})
        given, reasons = answer(perk, statuses, amount), None
    else:
        question = Question("case", perk.id, amount, perk.currency, "", "", "", values)
        decided = decide(Reference(release), question)
        statuses, given, reasons = decided.statuses, decided.answer, decided.reasons
    failures = [
        *_differs("outcome", _text(case.expect.outcome), given.outcome),
        *_differs("waived", _money(case.expect.waived, perk), given.waived),
        *_differs("because", _texts(case.expect.because), given.because),
        *_differs("reasons", _texts(case.expect.reasons), reasons),
        *_of_statuses(case, statuses),
    ]
    return _outcome(case, failures, statuses, set())


def _of_score(case: CaseLine, found: Scored) -> Iterator[str]:
    expect = case.expect
    yield from _differs("score", expect.score.whole if expect.score else None, found.score)
    yield from _differs("band", _text(expect.band), found.band)
    yield from _differs("outcome", _text(expect.outcome), "UNSCORABLE" if found.score is None else "scored")
    yield from _differs("reasons", _texts(expect.reasons), found.reasons)


def _of_statuses(case: CaseLine, statuses: Statuses) -> Iterator[str]:
    wanted = ((case.expect.met, True), (case.expect.not_met, False), (case.expect.unknown, None))
    shown = {True: "met", False: "not met", None: "unknown"}
    for words, status in wanted:
        for word in words:
            if word.text not in statuses:
                yield f"there is no rule `{word.text}` here"
            elif statuses[word.text] is not status:
                yield f"`{word.text}` should be {shown[status]}, and is {shown[statuses[word.text]]}"


def _outcome(case: CaseLine, failures: list[str], statuses: Statuses, bins: set[str]) -> Outcome:
    fired = frozenset({i for i, s in statuses.items() if s} | bins)
    idle = frozenset(i for i, s in statuses.items() if s is False)
    return Outcome(case.name.text, case.at, tuple(failures), fired, idle)


def _differs(what: str, expected: object, came: object) -> Iterator[str]:
    if expected is not None and expected != came:
        yield f"{what} should be {_shown(expected)}, and is {_shown(came)}"


def _shown(value: object) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)


def _text(word: Word | None) -> str | None:
    return word.text if word else None


def _texts(words: tuple[Word, ...] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(w.text for w in words)


def _money(number: Number | None, perk: Perk) -> int | None:
    return scaled(number.text, Type("decimal", perk.digits)) if number else None


def _values(schema: Schema, given: Mapping[str, tuple[Word, Node]]) -> dict[str, Value]:
    """The given values, scaled. `missing` takes a value of the base away."""
    found: dict[str, Value] = {}
    for name, (key, node) in given.items():
        text = node.text if isinstance(node, Scalar) else ""
        if text == "missing":
            continue
        value = _value(schema[name].type, text) if name in schema else None
        if value is None:
            place = f"{key.at.file}:{key.at.line}"
            raise IftahError(
                f"`{name}: {text}` is not a value of the catalogue", where=place, hint="see docs/features.md"
            )
        found[name] = value
    return found


def _value(type_: Type, text: str) -> Value | None:
    if type_.kind == "bool":
        return {"true": True, "false": False}.get(text)
    if type_.kind == "enum":
        return text if text in type_.values else None
    try:
        return scaled(text, type_)
    except ArithmeticError:
        return None


def _change(files: Mapping[str, str], schema: Schema, change: ChangeLine) -> Outcome:
    file, before = change.file.text, files.get(change.file.text, "")
    if before.count(change.replace.text) != 1:
        return Outcome(change.name.text, change.at, (f"`{file}` does not hold the text to replace exactly once",))
    changed = {**files, file: before.replace(change.replace.text, change.by.text)}
    _, problems = check(changed, schema)
    expected, came = tuple(w.text for w in change.problems), tuple(dict.fromkeys(p.code for p in problems))
    return Outcome(change.name.text, change.at, tuple(_differs("problems", expected, came)))
