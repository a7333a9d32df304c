"""Check the watch file: its patterns name events that exist, and can match."""

from typing import Final

from engine.lang.check.guardrails import Guardrails
from engine.lang.check.ids import check_unique
from engine.lang.check.resolve import Scope
from engine.lang.model.conditions import AS_OF, Const, Truth
from engine.lang.model.patterns import Pattern, PatternStep
from engine.lang.model.problems import Report
from engine.lang.model.types import BOOL, DATE, Attribute, EventKind, Kinds, Schema, Type, parse_scaled
from engine.lang.syntax.ast import FlagLine, ListFile, StepLine, WatchFile
from engine.lang.syntax.schema_types import suggestion

MAX_STEPS: Final = 8
SECONDS: Final = Type("duration", unit=1)
OTHER_FIELD: Final = "other"


def check_watch(
    file: WatchFile, kinds: Kinds, lists: dict[str, ListFile], guard: Guardrails, report: Report
) -> tuple[Pattern, ...]:
    """Build the patterns of `file`. Problems are added to `report`; discard the result if there are any."""
    check_unique((line.id for line in file.flags), report)
    return tuple(_pattern(line, file, kinds, lists, guard, report) for line in file.flags)


def flag_attributes(patterns: tuple[Pattern, ...]) -> Schema:
    """The flags as attributes. A flag is missing unless the person consents to every class of its events."""
    schema = {}
    for pattern in patterns:
        # No classes: we could not read the steps, and have reported it.
        data_class, *other_classes = sorted(pattern.classes) or [""]
        schema[pattern.flag] = Attribute(pattern.flag, BOOL, data_class, "", tuple(other_classes))
    return schema


def _pattern(
    line: FlagLine, file: WatchFile, kinds: Kinds, lists: dict[str, ListFile], guard: Guardrails, report: Report
) -> Pattern:
    """Build the pattern without its wrong steps, so that rules that read its flag get no second problem."""
    step_kinds: list[tuple[StepLine, EventKind]] = []
    for step in line.steps:
        kind = kinds.get(step.event.text)
        if kind is None:
            hint = suggestion(step.event.text, kinds)
            report.add("R501", f"unknown event `{step.event.text}`", step.event.at, hint)
            continue
        guard.check_event_kind(kind, file.consent, step.event.at)
        step_kinds.append((step, kind))
    steps = [_step(step, kind, lists, report) for step, kind in step_kinds]
    _check_same_fields(line, [kind for _, kind in step_kinds], report)
    expanded = [step for (of, _), step in zip(step_kinds, steps, strict=True) if step for _ in range(_repetitions(of))]
    if len(expanded) > MAX_STEPS:
        text = f"the pattern has {len(expanded)} events, of {MAX_STEPS} at most"
        report.add("R502", text, line.id.at, "ask for fewer")
    within = parse_scaled(line.within.text, SECONDS)
    lasts = parse_scaled(line.lasts.text, SECONDS) if line.lasts else None
    same = tuple(dict.fromkeys(w.text for w in line.same))
    classes = frozenset(kind.data_class for _, kind in step_kinds)
    return Pattern(line.id.text, line.about.text, tuple(expanded), within or 0, same, lasts, classes)


def _repetitions(step: StepLine) -> int:
    return step.times.whole if step.times else 1


def _step(step: StepLine, kind: EventKind, lists: dict[str, ListFile], report: Report) -> PatternStep | None:
    role = step.role.text if step.role else "subject"
    if role != "subject" and OTHER_FIELD not in kind.fields:
        text = f"`{kind.name}` has no other side"
        report.add("R501", text, step.role.at if step.role else step.at, "leave `role` out")
    where: Truth | None = Const(True)
    if step.where:
        where = Scope({**kind.fields, AS_OF: Attribute(AS_OF, DATE)}, {}, report, lists).condition(step.where)
        if where == Const(False):
            report.add("R502", "this step can never match", step.at, "its `where` is always false")
    return PatternStep(kind.name, role, where) if where else None


def _check_same_fields(line: FlagLine, kinds: list[EventKind], report: Report) -> None:
    for word in line.same:
        for kind in kinds:
            if word.text not in kind.fields:
                hint = suggestion(word.text, kind.fields)
                report.add("R501", f"`{kind.name}` has no field `{word.text}`", word.at, hint)
