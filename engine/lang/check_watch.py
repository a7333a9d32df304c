"""Check of the watch file: every pattern names events that there are, and can match."""

from typing import Final

from engine.lang.guard import Guard
from engine.lang.lines import FlagLine, ListFile, StepLine, WatchFile
from engine.lang.problems import Report
from engine.lang.program import Pattern, Step
from engine.lang.resolve import Scope
from engine.lang.shapes import suggestion
from engine.lang.syntax import Word
from engine.lang.truths import AS_OF, Const, Truth
from engine.lang.types import BOOL, DATE, Attribute, EventKind, Kinds, Schema, Type, scaled

MOST_STEPS: Final = 8
SECONDS: Final = Type("duration", unit=1)
OTHER: Final = "other"


def check_watch(
    file: WatchFile, kinds: Kinds, lists: dict[str, ListFile], guard: Guard, report: Report
) -> tuple[Pattern, ...]:
    """The patterns that `file` means. Problems go into `report`; the result then is of no use."""
    seen: dict[str, Word] = {}
    for line in file.flags:
        if line.id.text in seen:
            hint = f"first on line {seen[line.id.text].at.line}"
            report.add("R015", f"the id `{line.id.text}` stands twice", line.id.at, hint)
        seen.setdefault(line.id.text, line.id)
    return tuple(_pattern(line, file, kinds, lists, guard, report) for line in file.flags)


def attributes(patterns: tuple[Pattern, ...]) -> Schema:
    """The flags as rules read them: true or false, and missing where a class of their events is not consented to."""
    found = {}
    for pattern in patterns:
        first, *also = sorted(pattern.classes) or [""]  # none: its steps cannot be read, which has been reported
        found[pattern.flag] = Attribute(pattern.flag, BOOL, first, "", tuple(also))
    return found


def _pattern(
    line: FlagLine, file: WatchFile, kinds: Kinds, lists: dict[str, ListFile], guard: Guard, report: Report
) -> Pattern:
    """The pattern; without the steps that are wrong, so that who reads its flag is not told that there is none."""
    asked: list[tuple[StepLine, EventKind]] = []
    for step in line.steps:
        kind = kinds.get(step.event.text)
        if kind is None:
            hint = suggestion(step.event.text, kinds)
            report.add("R501", f"unknown event `{step.event.text}`", step.event.at, hint)
            continue
        guard.sees(kind, file.consent, step.event.at)
        asked.append((step, kind))
    steps = [_step(step, kind, lists, report) for step, kind in asked]
    _alike(line, [kind for _, kind in asked], report)
    whole = [step for (of, _), step in zip(asked, steps, strict=True) if step for _ in range(_times(of))]
    if len(whole) > MOST_STEPS:
        text = f"the pattern has {len(whole)} events, of {MOST_STEPS} at most"
        report.add("R502", text, line.id.at, "ask for fewer")
    within, lasts = scaled(line.within.text, SECONDS), scaled(line.lasts.text, SECONDS) if line.lasts else None
    same = tuple(dict.fromkeys(w.text for w in line.same))
    classes = frozenset(kind.data_class for _, kind in asked)
    return Pattern(line.id.text, line.about.text, tuple(whole), within or 0, same, lasts, classes)


def _times(step: StepLine) -> int:
    return step.times.whole if step.times else 1


def _step(step: StepLine, kind: EventKind, lists: dict[str, ListFile], report: Report) -> Step | None:
    role = step.role.text if step.role else "subject"
    if role != "subject" and OTHER not in kind.fields:
        text = f"`{kind.name}` has no other side"
        report.add("R501", text, step.role.at if step.role else step.at, "leave `role` out")
    where: Truth | None = Const(True)
    if step.where:
        where = Scope({**kind.fields, AS_OF: Attribute(AS_OF, DATE)}, {}, report, lists).condition(step.where)
        if where == Const(False):
            report.add("R502", "this step can never match", step.at, "its `where` is always false")
    return Step(kind.name, role, where) if where else None


def _alike(line: FlagLine, kinds: list[EventKind], report: Report) -> None:
    for word in line.same:
        for kind in kinds:
            if word.text not in kind.fields:
                hint = suggestion(word.text, kind.fields)
                report.add("R501", f"`{kind.name}` has no field `{word.text}`", word.at, hint)
