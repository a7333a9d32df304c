"""Random rule files that check: scorecards, perks, lists, with lines and entries that begin and end on days."""

import json
import re
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from engine.lang.check import check
from engine.lang.program import Release
from engine.lang.types import Type
from tests.engine.random_conditions import PEOPLE, REQUEST_SUMS, SUMS, TIED, Names, condition, leaf, named
from tests.engine.random_values import AMOUNT, ANCHORS, CHANGES, ENDS, ENTRIES, FEATURES, FLAGS, LISTS, REQUEST, SCHEMA
from tests.engine.small import KINDS

Line = dict[str, Any]
PERK = "hotel"
BASES = (400, 520, 640)
CODES = ("ra", "rb", "rc", "rd", "re", "rf")
POINTS = tuple(range(-30, 31))
FEW = tuple(range(-4, 5))  # scores stay near the base then, where perks look at them and what ties are worth decides
GIFTS = (0, 1, 10, 10)  # of what reads of ties: three such items make the 5 % of the range that they may carry
TIES = 3
MEASURES = ("a.count", "a.other", "a.huge", "b.ratio", "b.share", "f.span", "f.wait")
POLICY = {
    **{"kind": "policy", "forbidden_classes": [], "forbidden_names": [], "restricted": []},
    **{"relationships": ["relationship"], "relationships_share": 5, "alarms": [], "timezone": "Asia/Kathmandu"},
}
REASONS = {
    **{"kind": "reasons", "languages": ["en"]},
    "reasons": {c: {"en": f"because {c}"} for c in [*CODES, "thin"]},
}
WATCH = {
    "kind": "watch",
    "flags": [
        {"id": "busy", "about": "pays often", "steps": [{"event": "payment", "times": 2}], "within": "1d"},
        {"id": "bound", "about": "ties often", "steps": [{"event": "tie", "times": 2}], "within": "9d"},
    ],
}
FIELDS: dict[str, Line] = {
    "nights": {"type": "int", "low": 1, "high": 60},
    "rate": {"type": "decimal", "digits": 2, "low": 0, "high": 9_000},
    "starts": {"type": "date"},
    "at": {"type": "timestamp"},
    "notice": {"type": "duration"},
    "town": {"type": "string"},
    "view": {"type": "enum", "values": ["sea", "garden", "red"]},
    "late": {"type": "bool"},
}
AMOUNTS = (100, 300.50, 1_000)
USUAL = Names(PEOPLE.types | {"watch.busy": FLAGS["watch.busy"]}, PEOPLE.anchors, SUMS, ("often",))


def release(chooser: Random) -> Release:
    """A release; rule files that the checker sees to be of no use (a tier never reached, a hold kept by more) are drawn again."""
    while True:
        files = {name: written(file) for name, file in drawn(chooser).items()}
        found, problems = check(files, SCHEMA, KINDS)
        if found:
            return found
        assert {p.code for p in problems} <= {"R301", "R303"}, "\n".join(map(str, problems))


def drawn(chooser: Random) -> dict[str, Line]:
    """The files of a release."""
    base, close = chooser.choice(BASES), chooser.random() < 0.4
    perks = _perks(chooser, base)
    if close:
        _too_good(chooser, perks["perks"][0], base)
    files = {"trust.yaml": _scorecard(chooser, base, FEW if close else POINTS), "perks.yaml": perks}
    files |= {"policy.yaml": POLICY, "reasons.yaml": REASONS, "watch.yaml": WATCH}
    files |= {f"lists/{name}.yaml": _list(chooser, name) for name in LISTS}
    perks["perks"][0] |= chooser.choice([{}, {"step": chooser.choice([0.01, 1, 7, 250])}])
    return files


def written(file: Line) -> str:
    """JSON is YAML, but for durations among cuts, which stand without quotes."""
    return re.sub(r'"plain ([^"]+)"', r"\1", json.dumps(file, ensure_ascii=False))


def _dated(chooser: Random, line: Line) -> Line:
    """Two lines in three hold always; the others begin, end or both."""
    if chooser.random() < 0.67:
        return line
    first, second = sorted(chooser.sample(CHANGES, 2))
    return line | chooser.choice([{"from": first}, {"until": second}, {"from": first, "until": second}])


def _scorecard(chooser: Random, base: int, points: tuple[int, ...]) -> Line:
    """At most 600 points from lowest to highest, at most 30 of them of ties; the first line holds always."""
    lines = [_measured(chooser, f"c{n}", chooser.choice(MEASURES), points) for n in range(chooser.randint(1, 4))]
    rules = [_rule(chooser, f"r{n}", USUAL, points) for n in range(chooser.randint(1, 4))]
    for n in range(chooser.randint(1, TIES)):
        if chooser.random() < 0.7:
            rules.append(_rule(chooser, f"n{n}", TIED, GIFTS))
        else:
            lines.append(_measured(chooser, f"n{n}", "h.degree", GIFTS))
    return {
        **{"kind": "scorecard", "score": {"lowest": 350, "highest": 950, "base": base}},
        "scorable": {"when": _likely(chooser, USUAL), "reason": "thin"},
        "bands": [{"name": "poor", "from": 350}, {"name": "fair", "from": 500}, {"name": "good", "from": 650}],
        **{"dimensions": {"all": 100}, "define": {"often": condition(chooser, PEOPLE)}},
        "characteristics": [lines[0], *(_dated(chooser, line) for line in lines[1:])],
        "rules": [_dated(chooser, line) for line in rules],
    }


def _measured(chooser: Random, name: str, feature: str, points: tuple[int, ...]) -> Line:
    sizes = {_size(a): a for a in ANCHORS[feature]}
    cuts = [sizes[s] for s in sorted(chooser.sample(sorted(sizes), chooser.randint(1, len(sizes))))]
    line = {"id": name, "feature": feature, "dimension": "all", "cuts": [f"plain {c}" for c in cuts]}
    line |= {"points": [chooser.choice(points) for _ in range(len(cuts) + 1)], "missing": chooser.choice(points)}
    baseline = {"baseline": chooser.choice(POINTS)} if chooser.random() < 0.5 else {}
    return {**line, **baseline, "reason": chooser.choice(CODES)}


def _size(text: str) -> Decimal:
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    return Decimal(text[:-1]) * units[text[-1]] if text[-1] in units else Decimal(text)


def _rule(chooser: Random, name: str, names: Names, points: tuple[int, ...]) -> Line:
    line = {"id": name, "dimension": "all", "when": condition(chooser, names), "points": chooser.choice(points)}
    unknown = {"unknown": chooser.choice(points)} if chooser.random() < 0.5 else {}
    return {**line, **unknown, "reason": chooser.choice(CODES)}


def _likely(chooser: Random, names: Names) -> str:
    """A condition that most people meet, some do not, and of which some do not know."""
    likely = chooser.choice(["a.count >= 0", "true"])
    return f"{leaf(chooser, names)} or {condition(chooser, names)} or {likely}"


def near(base: int) -> list[str]:
    """Scores that many people are at."""
    return [str(base + d) for d in (-25, -6, 0, 6, 25)]


@cache
def asked_of(base: int, held: bool) -> Names:
    """What a perk's conditions may name; scores are compared with what people have."""
    own = {"score": Type("int", 0, (), 350, 950), "request.amount": AMOUNT, **({"held": Type("bool")} if held else {})}
    names = named({**FEATURES, **REQUEST, "watch.busy": FLAGS["watch.busy"], **own})
    return Names(names.types, {**names.anchors, "score": near(base)}, (*SUMS, *REQUEST_SUMS), ("failing",))


def _perks(chooser: Random, base: int) -> Line:
    hold = _hold(chooser, base) if chooser.random() < 0.5 else None
    names = asked_of(base, hold is not None)
    tiers = [_dated(chooser, {"id": f"t{n}", "when": _when(chooser, names)}) for n in range(chooser.randint(1, 3))]
    last = {"id": "t9", "when": "held" if hold else _likely(chooser, asked_of(base, False))}
    perk = {
        **{"id": PERK, "about": "a room", "currency": "CNY", "most": 5_000, "valid_hours": 24},
        **{"partial": chooser.random() < 0.6, "request": FIELDS, "caps": _caps(chooser, 2)},
        "knockouts": [
            _dated(chooser, _knock_out(chooser, f"k{n}", names)) for n in range(chooser.choice([0, 1, 1, 2]))
        ],
        "tiers": [tier | {"waive": _waive(chooser)} for tier in (*tiers, last)],
    }
    return {
        **{"kind": "perks", "caps": {"CNY": _caps(chooser, 1)}, "define": {"failing": condition(chooser, PEOPLE)}},
        "perks": [perk | ({"hold": hold} if hold else {})],
    }


def _when(chooser: Random, names: Names) -> str:
    if chooser.random() < 0.3:
        return f"score {chooser.choice(['>=', '>', '<'])} {chooser.choice(names.anchors['score'])}"
    return condition(chooser, names)


def _knock_out(chooser: Random, name: str, names: Names) -> Line:
    unknown = chooser.choice(["decline", "pass"])
    return {"id": name, "when": _when(chooser, names), "unknown": unknown, "reason": chooser.choice(CODES)}


def _too_good(chooser: Random, perk: Line, base: int) -> None:
    """Makes the perk decline above a score near the base, and give below: what ties are worth decides, and must not refuse."""
    when = f"score > {base + chooser.randint(-6, 6)}"
    perk["knockouts"] = [{"id": "k9", "when": when, "unknown": "pass", "reason": chooser.choice(CODES)}]
    perk["tiers"].append({"id": "t8", "when": "score >= 350", "waive": _waive(chooser)})


def _hold(chooser: Random, base: int) -> Line:
    names = asked_of(base, False)
    return {"granted": _when(chooser, names), "kept": _when(chooser, names), "days": chooser.choice([0, 1, 30])}


def _caps(chooser: Random, most: int) -> list[Line]:
    found = []
    for _ in range(chooser.randint(0, most)):
        of: Line = chooser.choice([{"waived": a} for a in AMOUNTS] + [{"times": n} for n in (1, 2, 3)])
        found.append({**of, **chooser.choice([{}, {"days": 1}, {"days": 30}]), "reason": chooser.choice(CODES)})
    return found


def _waive(chooser: Random) -> Line:
    amount, share = {"up_to": chooser.choice(AMOUNTS)}, {"share": chooser.choice([1, 33, 100])}
    return chooser.choice([{"fixed": chooser.choice(AMOUNTS)}, amount, share, {**share, **amount}])


def _list(chooser: Random, name: str) -> Line:
    """Entries, some of which end; there may be none."""
    known = ENTRIES.get(name) or ANCHORS[LISTS[name][0]]
    values = chooser.sample(known, chooser.randint(0, min(4, len(known))))
    ends = [chooser.choice([None, None, *ENDS]) for _ in values]
    entries = [{"value": v} | ({"until": end} if end else {}) for v, end in zip(values, ends, strict=True)]
    return {"kind": "list", "id": name, "about": f"some {name}", "entries": entries}
