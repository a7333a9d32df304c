"""Patterns as rule files, events by hand and at random, and a second meaning of patterns that is quick enough for many."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

from engine.lang.check import release_of
from engine.lang.program import Pattern, Program
from engine.lang.types import Value
from engine.watch import Event, fits, key, lasting
from tests.engine.small import DAY, KINDS, SCHEMA, base

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
EITHER = {"payment", "tie"}  # the kinds that have another side


def flag(name: str, *steps: dict[str, Any], within: str = "30d", **more: Any) -> dict[str, Any]:
    return {"id": name, "about": "something", "steps": list(steps), "within": within, **more}


def watching(*flags: dict[str, Any], **more: Any) -> Program:
    """Rules that read each of the flags."""
    read = [
        {"id": f"w{n}", "dimension": "ties", "when": f"watch.{f['id']}", "points": 0, "reason": "ties"}
        for n, f in enumerate(flags)
    ]
    rules = "".join(f"  - {json.dumps(line)}\n" for line in read)
    files = base() | {"watch.yaml": json.dumps({"kind": "watch", "flags": list(flags), **more})}
    files["trust.yaml"] = files["trust.yaml"].replace("rules:\n", f"rules:\n{rules}")
    return release_of(files, SCHEMA, KINDS).at(DAY)


def happened(kind: str, at: int, role: str = "subject", **fields: Value) -> Event:
    """An event `at` microseconds after the day that tests are of begins."""
    return Event(kind, role, START + at, fields)


def greedy(pattern: Pattern, events: Sequence[Event], as_of: int) -> bool:
    """Whether the pattern matches: from each event that can be the first, every further step but the last is the earliest
    that there is; the last may be any after them. Quadratic; `events` ascend by time.
    """
    return any(_from(pattern, events, n, as_of) for n, e in enumerate(events) if fits(pattern.steps[0], e))


def _from(pattern: Pattern, events: Sequence[Event], start: int, as_of: int) -> bool:
    first, common = events[start], key(pattern, events[start])
    if common is None:
        return False
    near = [e for e in events[start + 1 :] if e.at - first.at <= pattern.within * SECOND and key(pattern, e) == common]
    place = 0
    for step in pattern.steps[1:-1]:
        found = next((n for n in range(place, len(near)) if fits(step, near[n])), None)
        if found is None:
            return False
        place = found + 1
    if len(pattern.steps) == 1:
        return lasting(pattern, first, as_of)
    return any(fits(pattern.steps[-1], e) and lasting(pattern, e, as_of) for e in near[place:])


@st.composite
def patterns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A flag of one to five events."""
    steps: list[dict[str, Any]] = []
    left = draw(st.integers(1, 5))
    mixed = draw(st.booleans())
    kinds = draw(st.permutations(sorted(FIELDS)))
    while left:
        kind = draw(st.sampled_from(sorted(FIELDS))) if mixed else kinds[0]
        step: dict[str, Any] = {"event": kind, "times": draw(st.integers(1, min(3, left)))}
        left -= step["times"]
        if where := draw(st.sampled_from(WHERES[kind])):
            step["where"] = where
        if kind in EITHER:
            step["role"] = draw(st.sampled_from(["subject", "other", "either", "either"]))
        steps.append(step)
    common = set.intersection(*(set(FIELDS[s["event"]]) for s in steps))
    same = draw(st.lists(st.sampled_from(sorted(common)), max_size=2)) if common else []
    lasts = draw(st.sampled_from([None, None, "1s", "2h", "30d"]))
    found = flag(name, *steps, within=draw(st.sampled_from(sorted(LENGTHS))), same=same)
    return found | ({"lasts": lasts} if lasts else {})


@st.composite
def flag_files(draw: st.DrawFn, count: int) -> list[dict[str, Any]]:
    """So many flags."""
    return [draw(patterns(f"p{n}")) for n in range(count)]


def crowd_of(chooser: Random, pattern: Pattern, count: int) -> list[Event]:
    """Random events, most of them of the pattern's kinds, at times around its length; some at the same moment."""
    kinds = [step.kind for step in pattern.steps] * 3 + sorted(FIELDS)
    edge = pattern.within * SECOND
    gaps = [0, 0, 1, SECOND, edge // max(1, len(pattern.steps)), edge - 1, edge, edge + 1]
    gaps = [g for g in gaps if count < 20 or g <= edge // 8 or chooser.random() < 0.2] or [1]
    at, found = chooser.choice([0, -START - 5 * DAYS]), list[Event]()  # also before 1970
    for _ in range(count):
        kind = chooser.choice(kinds)
        at += chooser.choice(gaps)
        fields = {n: chooser.choice(v) for n, v in FIELDS[kind].items()}
        role = chooser.choice(["subject", "other"]) if kind in EITHER else "subject"
        found.append(Event(kind, role, START + at, {n: v for n, v in fields.items() if v is not None}))
    return found


def as_ofs(chooser: Random, pattern: Pattern, events: Sequence[Event]) -> list[int]:
    """Moments at which to look: at the last event, and around the end of what a match lasts."""
    lasts = (pattern.lasts or 0) * SECOND
    around = [e.at + lasts + d for e in events[-3:] for d in (-1, 0, 1)]
    return [events[-1].at, *chooser.sample(around, min(2, len(around)))] if events else [START]


def visible(events: Iterable[Event], as_of: int) -> list[Event]:
    """Those that have happened."""
    ascending = sorted(events, key=lambda e: e.at)
    return ascending[: bisect_right([e.at for e in ascending], as_of)]
