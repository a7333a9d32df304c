"""Generate patterns as rule files and random events, and provide a second, faster implementation of patterns."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

from engine.decide.patterns import PatternEvent, match_key, matches_step, still_raised
from engine.lang.check.release import release_of
from engine.lang.model.patterns import Pattern
from engine.lang.model.program import Program
from engine.lang.model.types import Value
from tests.engine.small_rules import DAY, KINDS, SCHEMA, base

SECOND = 1_000_000
DAYS = 86_400 * SECOND
START = DAY * DAYS
LENGTHS = {"1s": 1, "90s": 90, "2h": 7_200, "1d": 86_400, "30d": 30 * 86_400}
PARTIES = ("bob", "cy", None)
WHERES: dict[str, list[str | None]] = {
    "payment": [
        None,
        "amount >= 100",
        "channel == 'card'",
        "not channel == 'cash' and amount < 200",
        "missing(channel)",
    ],
    "tie": [None, "strength > 0", "not (strength > 0)", "known(strength) or other == 'bob'"],
    "bill.missed": [None, "amount >= 100", "due < 2024-03-01", "bill in ['b1', 'b2']"],
}
FIELDS: dict[str, dict[str, list[Value | None]]] = {
    "payment": {"other": list(PARTIES), "amount": [None, 99, 100, 200], "channel": [None, "card", "cash"]},
    "tie": {"other": list(PARTIES), "strength": [None, -1, 0, 1]},
    "bill.missed": {"bill": [None, "b1", "b2", "b3"], "amount": [None, 99, 100], "due": [None, DAY - 1, DAY]},
}
TWO_SIDED_KINDS = {"payment", "tie"}  # the kinds with another side


def flag(name: str, *steps: dict[str, Any], within: str = "30d", **more: Any) -> dict[str, Any]:
    return {"id": name, "about": "something", "steps": list(steps), "within": within, **more}


def program_with_flags(*flags: dict[str, Any], **more: Any) -> Program:
    """A program with rules that read each of the flags."""
    read = [
        {"id": f"w{n}", "dimension": "ties", "when": f"watch.{f['id']}", "points": 0, "reason": "ties"}
        for n, f in enumerate(flags)
    ]
    rules = "".join(f"  - {json.dumps(line)}\n" for line in read)
    files = base() | {"watch.yaml": json.dumps({"kind": "watch", "flags": list(flags), **more})}
    files["trust.yaml"] = files["trust.yaml"].replace("rules:\n", f"rules:\n{rules}")
    return release_of(files, SCHEMA, KINDS).at(DAY)


def event_at(kind: str, at: int, role: str = "subject", **fields: Value) -> PatternEvent:
    """An event `at` microseconds after the beginning of the tests' day."""
    return PatternEvent(kind, role, START + at, fields)


def greedy_match(pattern: Pattern, events: Sequence[PatternEvent], as_of: int) -> bool:
    """Whether the pattern matches, by a greedy search.

    For each possible first event, every further step except the last takes the earliest matching event; the last step
    can take any after them. Quadratic; `events` ascend by time.
    """
    return any(_from(pattern, events, n, as_of) for n, e in enumerate(events) if matches_step(pattern.steps[0], e))


def _from(pattern: Pattern, events: Sequence[PatternEvent], start: int, as_of: int) -> bool:
    first, common = events[start], match_key(pattern, events[start])
    if common is None:
        return False
    near = [
        e for e in events[start + 1 :] if e.at - first.at <= pattern.within * SECOND and match_key(pattern, e) == common
    ]
    place = 0
    for step in pattern.steps[1:-1]:
        step_index = next((n for n in range(place, len(near)) if matches_step(step, near[n])), None)
        if step_index is None:
            return False
        place = step_index + 1
    if len(pattern.steps) == 1:
        return still_raised(pattern, first, as_of)
    return any(matches_step(pattern.steps[-1], e) and still_raised(pattern, e, as_of) for e in near[place:])


@st.composite
def patterns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A flag of one to five events."""
    steps: list[dict[str, Any]] = []
    remaining = draw(st.integers(1, 5))
    mixed = draw(st.booleans())
    kinds = draw(st.permutations(sorted(FIELDS)))
    while remaining:
        kind = draw(st.sampled_from(sorted(FIELDS))) if mixed else kinds[0]
        step: dict[str, Any] = {"event": kind, "times": draw(st.integers(1, min(3, remaining)))}
        remaining -= step["times"]
        if where := draw(st.sampled_from(WHERES[kind])):
            step["where"] = where
        if kind in TWO_SIDED_KINDS:
            step["role"] = draw(st.sampled_from(["subject", "other", "either", "either"]))
        steps.append(step)
    common = set.intersection(*(set(FIELDS[s["event"]]) for s in steps))
    same = draw(st.lists(st.sampled_from(sorted(common)), max_size=2)) if common else []
    lasts = draw(st.sampled_from([None, None, "1s", "2h", "30d"]))
    pattern = flag(name, *steps, within=draw(st.sampled_from(sorted(LENGTHS))), same=same)
    return pattern | ({"lasts": lasts} if lasts else {})


@st.composite
def flag_files(draw: st.DrawFn, count: int) -> list[dict[str, Any]]:
    """Rule files with `count` flags."""
    return [draw(patterns(f"p{n}")) for n in range(count)]


def random_events(chooser: Random, pattern: Pattern, count: int) -> list[PatternEvent]:
    """Random events, mostly of the pattern's kinds, at times around its length, some at the same moment."""
    kinds = [step.kind for step in pattern.steps] * 3 + sorted(FIELDS)
    edge = pattern.within * SECOND
    gaps = [0, 0, 1, SECOND, edge // max(1, len(pattern.steps)), edge - 1, edge, edge + 1]
    gaps = [g for g in gaps if count < 20 or g <= edge // 8 or chooser.random() < 0.2] or [1]
    at, events = chooser.choice([0, -START - 5 * DAYS]), list[PatternEvent]()  # also before 1970
    for _ in range(count):
        kind = chooser.choice(kinds)
        at += chooser.choice(gaps)
        fields = {n: chooser.choice(v) for n, v in FIELDS[kind].items()}
        role = chooser.choice(["subject", "other"]) if kind in TWO_SIDED_KINDS else "subject"
        events.append(PatternEvent(kind, role, START + at, {n: v for n, v in fields.items() if v is not None}))
    return events


def as_ofs(chooser: Random, pattern: Pattern, events: Sequence[PatternEvent]) -> list[int]:
    """Moments of evaluation: at the last event, and around the end of a match's effect."""
    lasts = (pattern.lasts or 0) * SECOND
    moments = [e.at + lasts + d for e in events[-3:] for d in (-1, 0, 1)]
    return [events[-1].at, *chooser.sample(moments, min(2, len(moments)))] if events else [START]


def visible(events: Iterable[PatternEvent], as_of: int) -> list[PatternEvent]:
    """The events that have happened."""
    ascending = sorted(events, key=lambda e: e.at)
    return ascending[: bisect_right([e.at for e in ascending], as_of)]
