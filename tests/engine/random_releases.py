"""Generate random valid rule files: scorecards, perks and lists, with lines and entries that begin and end on days."""

import json
import re
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from engine.lang.check.release import check
from engine.lang.model.program import Release
from engine.lang.model.types import Type
from tests.engine.random_conditions import (
    PERSON_AND_TIE_NAMES,
    PERSON_NAMES,
    REQUEST_SUMS,
    SUMS,
    Names,
    condition,
    leaf,
    names_of,
)
from tests.engine.random_values import (
    AMOUNT,
    ANCHORS,
    CHANGES,
    ENDS,
    ENTRIES,
    FEATURES,
    FLAGS,
    LISTS,
    RATES,
    RELATED,
    REQUEST,
    SCHEMA,
)
from tests.engine.small_rules import KINDS

Line = dict[str, Any]
PERK = "hotel"
BASES = (400, 520, 640)
CODES = ("ra", "rb", "rc", "rd", "re", "rf")
POINTS = tuple(range(-30, 31))
NARROW_POINTS = tuple(range(-4, 5))  # these keep scores near the base, where the points of ties matter for the perks
TIE_POINTS = (0, 1, 10, 10)  # of items with ties: three of them use the 5 % of the range that the policy allows
MAX_TIE_ITEMS = 3
MEASURED_FEATURES = ("a.count", "a.other", "a.huge", "b.ratio", "b.share", "f.span", "f.wait", "m.yen", "m.dinar")
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
    "fee": {"type": "money", "low": "plain 0 CNY", "high": "plain 10000 CNY"},
}
AMOUNTS = ("plain 100 CNY", "plain 300.50 CNY", "plain 1000 CNY")
USUAL_NAMES = Names(PERSON_NAMES.types | {"watch.busy": FLAGS["watch.busy"]}, PERSON_NAMES.anchors, SUMS, ("often",))


def release(chooser: Random) -> Release:
    """A random release. We draw again if the checker finds a tier that is never reached, or a hold with a stricter
    `kept`.
    """
    while True:
        files = {name: rule_text(file) for name, file in random_files(chooser).items()}
        result, problems = check(files, SCHEMA, KINDS)
        if result:
            return result
        assert {p.code for p in problems} <= {"R301", "R303"}, "\n".join(map(str, problems))


def random_files(chooser: Random) -> dict[str, Line]:
    """The files of a release."""
    base, close = chooser.choice(BASES), chooser.random() < 0.4
    perks = _perks(chooser, base)
    if close:
        _decline_above_base(chooser, perks["perks"][0], base)
    files = {"trust.yaml": _scorecard(chooser, base, NARROW_POINTS if close else POINTS), "perks.yaml": perks}
    files |= {"policy.yaml": POLICY, "reasons.yaml": REASONS, "watch.yaml": WATCH}
    files |= {f"lists/{name}.yaml": _list(chooser, name) for name in LISTS}
    files |= {"rates.yaml": RATES} if chooser.random() < 0.6 else {}
    perks["perks"][0] |= chooser.choice([{}, {"step": f"plain {chooser.choice([0.01, 1, 7, 250])} CNY"}])
    return files


def rule_text(file: Line) -> str:
    """JSON is YAML, except that durations among cuts have no quotes."""
    return re.sub(r'"plain ([^"]+)"', r"\1", json.dumps(file, ensure_ascii=False))


def _with_dates(chooser: Random, line: Line) -> Line:
    """Two of three lines are always in force; the others begin, end or both."""
    if chooser.random() < 0.67:
        return line
    first, second = sorted(chooser.sample(CHANGES, 2))
    return line | chooser.choice([{"from": first}, {"until": second}, {"from": first, "until": second}])


def _scorecard(chooser: Random, base: int, points: tuple[int, ...]) -> Line:
    """A scorecard with at most 600 points of range, at most 30 of them for ties. Its first line is always in force."""
    lines = [
        _characteristic(chooser, f"c{n}", chooser.choice(MEASURED_FEATURES), points)
        for n in range(chooser.randint(1, 4))
    ]
    rules = [_rule(chooser, f"r{n}", USUAL_NAMES, points) for n in range(chooser.randint(1, 4))]
    for n in range(chooser.randint(1, MAX_TIE_ITEMS)):
        if chooser.random() < 0.7:
            rules.append(_rule(chooser, f"n{n}", PERSON_AND_TIE_NAMES, TIE_POINTS))
        else:
            lines.append(_characteristic(chooser, f"n{n}", "h.degree", TIE_POINTS))
    return {
        **{"kind": "scorecard", "score": {"lowest": 350, "highest": 950, "base": base}},
        "scorable": {"when": _likely(chooser, USUAL_NAMES), "reason": "thin"},
        "bands": [{"name": "poor", "from": 350}, {"name": "fair", "from": 500}, {"name": "good", "from": 650}],
        **{"dimensions": {"all": 100}, "define": {"often": condition(chooser, PERSON_NAMES)}},
        "characteristics": [lines[0], *(_with_dates(chooser, line) for line in lines[1:])],
        "rules": [_with_dates(chooser, line) for line in rules],
    }


def _characteristic(chooser: Random, name: str, feature: str, points: tuple[int, ...]) -> Line:
    currency = (FEATURES | RELATED)[feature].currency
    sizes = {_size(a): a for a in ANCHORS[feature] if a.endswith(currency)}
    cuts = [sizes[s] for s in sorted(chooser.sample(sorted(sizes), chooser.randint(1, len(sizes))))]
    line = {"id": name, "feature": feature, "dimension": "all", "cuts": [f"plain {c}" for c in cuts]}
    line |= {"points": [chooser.choice(points) for _ in range(len(cuts) + 1)], "missing": chooser.choice(points)}
    baseline = {"baseline": chooser.choice(POINTS)} if chooser.random() < 0.5 else {}
    return {**line, **baseline, "reason": chooser.choice(CODES)}


def _size(text: str) -> Decimal:
    if " " in text:
        return Decimal(text.partition(" ")[0])
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    return Decimal(text[:-1]) * units[text[-1]] if text[-1] in units else Decimal(text)


def _rule(chooser: Random, name: str, names: Names, points: tuple[int, ...]) -> Line:
    line = {"id": name, "dimension": "all", "when": condition(chooser, names), "points": chooser.choice(points)}
    unknown = {"unknown": chooser.choice(points)} if chooser.random() < 0.5 else {}
    return {**line, **unknown, "reason": chooser.choice(CODES)}


def _likely(chooser: Random, names: Names) -> str:
    """A condition that most people meet, some do not, and for some is unknown."""
    likely = chooser.choice(["a.count >= 0", "true"])
    return f"{leaf(chooser, names)} or {condition(chooser, names)} or {likely}"


def scores_near(base: int) -> list[str]:
    """Scores that many people have."""
    return [str(base + d) for d in (-25, -6, 0, 6, 25)]


@cache
def perk_names(base: int, has_hold: bool) -> Names:
    """The names for a perk's conditions; we compare scores with those that people have."""
    own_types = {
        "score": Type("int", 0, (), 350, 950),
        "request.amount": AMOUNT,
        **({"held": Type("bool")} if has_hold else {}),
    }
    names = names_of({**FEATURES, **REQUEST, "watch.busy": FLAGS["watch.busy"], **own_types})
    return Names(names.types, {**names.anchors, "score": scores_near(base)}, (*SUMS, *REQUEST_SUMS), ("failing",))


def _perks(chooser: Random, base: int) -> Line:
    hold = _hold(chooser, base) if chooser.random() < 0.5 else None
    names = perk_names(base, hold is not None)
    tiers = [_with_dates(chooser, {"id": f"t{n}", "when": _when(chooser, names)}) for n in range(chooser.randint(1, 3))]
    last = {"id": "t9", "when": "held" if hold else _likely(chooser, perk_names(base, False))}
    perk = {
        **{"id": PERK, "about": "a room", "currency": "CNY", "most": "plain 5000 CNY", "valid_hours": 24},
        **{"partial": chooser.random() < 0.6, "request": FIELDS, "caps": _caps(chooser, 2)},
        "knockouts": [
            _with_dates(chooser, _knock_out(chooser, f"k{n}", names)) for n in range(chooser.choice([0, 1, 1, 2]))
        ],
        "tiers": [tier | {"waive": _waive(chooser)} for tier in (*tiers, last)],
    }
    return {
        **{
            "kind": "perks",
            "caps": {"CNY": _caps(chooser, 1)},
            "define": {"failing": condition(chooser, PERSON_NAMES)},
        },
        "perks": [perk | ({"hold": hold} if hold else {})],
    }


def _when(chooser: Random, names: Names) -> str:
    if chooser.random() < 0.3:
        return f"score {chooser.choice(['>=', '>', '<'])} {chooser.choice(names.anchors['score'])}"
    return condition(chooser, names)


def _knock_out(chooser: Random, name: str, names: Names) -> Line:
    unknown = chooser.choice(["decline", "pass"])
    return {"id": name, "when": _when(chooser, names), "unknown": unknown, "reason": chooser.choice(CODES)}


def _decline_above_base(chooser: Random, perk: Line, base: int) -> None:
    """Let the perk decline above a score near the base, and waive below it.

    So the points of ties decide, and must not cause a decline.
    """
    when = f"score > {base + chooser.randint(-6, 6)}"
    perk["knockouts"] = [{"id": "k9", "when": when, "unknown": "pass", "reason": chooser.choice(CODES)}]
    perk["tiers"].append({"id": "t8", "when": "score >= 350", "waive": _waive(chooser)})


def _hold(chooser: Random, base: int) -> Line:
    names = perk_names(base, False)
    return {"granted": _when(chooser, names), "kept": _when(chooser, names), "days": chooser.choice([0, 1, 30])}


def _caps(chooser: Random, most: int) -> list[Line]:
    caps = []
    for _ in range(chooser.randint(0, most)):
        limit: Line = chooser.choice([{"waived": a} for a in AMOUNTS] + [{"times": n} for n in (1, 2, 3)])
        caps.append({**limit, **chooser.choice([{}, {"days": 1}, {"days": 30}]), "reason": chooser.choice(CODES)})
    return caps


def _waive(chooser: Random) -> Line:
    amount, share = {"up_to": chooser.choice(AMOUNTS)}, {"share": chooser.choice([1, 33, 100])}
    return chooser.choice([{"fixed": chooser.choice(AMOUNTS)}, amount, share, {**share, **amount}])


def _list(chooser: Random, name: str) -> Line:
    """A list, possibly empty; some of its entries end."""
    candidates = ENTRIES.get(name) or ANCHORS[LISTS[name][0]]
    values = chooser.sample(candidates, chooser.randint(0, min(4, len(candidates))))
    ends = [chooser.choice([None, None, *ENDS]) for _ in values]
    entries = [{"value": v} | ({"until": end} if end else {}) for v, end in zip(values, ends, strict=True)]
    return {"kind": "list", "id": name, "about": f"some {name}", "entries": entries}
