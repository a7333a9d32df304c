"""Random rule files that check: scorecards, perks, lists, with lines and entries that begin and end on days."""

import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from engine.lang.check import check
from engine.lang.program import Release
from engine.lang.types import Type
from tests.engine.random_conditions import PEOPLE, REQUEST_SUMS, SUMS, TIED, Names, conditions, leaves, named
from tests.engine.random_values import AMOUNT, ANCHORS, CHANGES, ENDS, ENTRIES, FEATURES, FLAGS, LISTS, REQUEST, SCHEMA
from tests.engine.small import KINDS

PERK = "hotel"
BASES = (400, 520, 640)
CODES = ["ra", "rb", "rc", "rd", "re", "rf"]
CODE = st.sampled_from(CODES)
POINTS = st.integers(-30, 30)
FEW = st.integers(-4, 4)
GIFTS = st.sampled_from(
    [0, 1, 10, 10]
)  # of what reads of ties: three such items make the 5 % of the range that they may carry
TIES = 3
MEASURES = ("a.count", "a.other", "a.huge", "b.ratio", "b.share", "f.span", "f.wait")
POLICY = {
    **{"kind": "policy", "forbidden_classes": [], "forbidden_names": [], "restricted": []},
    **{"relationships": ["relationship"], "relationships_share": 5},
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
FIELDS: dict[str, Any] = {
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


def written(file: dict[str, Any]) -> str:
    """JSON is YAML, but for durations among cuts, which stand without quotes."""
    return re.sub(r'"plain ([^"]+)"', r"\1", json.dumps(file, ensure_ascii=False))


@st.composite
def dates(draw: st.DrawFn) -> dict[str, str]:
    """Two lines in three hold always; the others begin, end or both."""
    if draw(st.integers(0, 2)):
        return {}
    days = sorted(draw(st.lists(st.sampled_from(CHANGES), min_size=2, max_size=2, unique=True)))
    return dict(zip(draw(st.sampled_from([["from"], ["until"], ["from", "until"]])), days, strict=False))


@st.composite
def characteristics(draw: st.DrawFn, name: str, feature: str, points: st.SearchStrategy[int]) -> dict[str, Any]:
    anchors = st.lists(st.sampled_from(ANCHORS[feature]), min_size=1, unique_by=_size)
    cuts = sorted(draw(anchors), key=_size)
    given = [draw(points) for _ in range(len(cuts) + 1)]
    line = {"id": name, "feature": feature, "dimension": "all", "points": given, "missing": draw(points)}
    line["cuts"] = [f"plain {c}" for c in cuts]
    if draw(st.booleans()):
        line["baseline"] = draw(POINTS)
    return {**line, "reason": draw(CODE)}


def _size(text: str) -> Decimal:
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    return Decimal(text[:-1]) * units[text[-1]] if text[-1] in units else Decimal(text)


@st.composite
def rules(draw: st.DrawFn, name: str, names: Names, points: st.SearchStrategy[int]) -> dict[str, Any]:
    line = {"id": name, "dimension": "all", "when": draw(_conditions(names)), "points": draw(points)}
    if draw(st.booleans()):
        line["unknown"] = draw(points)
    return {**line, "reason": draw(CODE)}


@cache
def _conditions(names: Names) -> st.SearchStrategy[str]:
    return conditions(names)


@st.composite
def _likely(draw: st.DrawFn, names: Names) -> str:
    """A condition that most people meet, some do not, and of which some do not know."""
    return " or ".join([draw(leaves(names)), draw(_conditions(names)), draw(st.sampled_from(["a.count >= 0", "true"]))])


@st.composite
def scorecards(draw: st.DrawFn, base: int, points: st.SearchStrategy[int]) -> dict[str, Any]:
    """At most 600 points from lowest to highest, at most 30 of them of ties; the first line holds always."""
    features = draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=4))
    lines = [draw(characteristics(f"c{n}", f, points)) for n, f in enumerate(features)]
    ruled = [draw(rules(f"r{n}", USUAL, points)) for n in range(draw(st.integers(1, 4)))]
    for n in range(draw(st.integers(1, TIES))):
        if draw(st.integers(0, 2)):
            ruled.append(draw(rules(f"n{n}", TIED, GIFTS)))
        else:
            lines.append(draw(characteristics(f"n{n}", "h.degree", GIFTS)))
    return {
        **{"kind": "scorecard", "score": {"lowest": 350, "highest": 950, "base": base}},
        "scorable": {"when": draw(_likely(USUAL)), "reason": "thin"},
        "bands": [{"name": "poor", "from": 350}, {"name": "fair", "from": 500}, {"name": "good", "from": 650}],
        **{"dimensions": {"all": 100}, "define": {"often": draw(_conditions(PEOPLE))}},
        "characteristics": [lines[0], *(line | draw(dates()) for line in lines[1:])],
        "rules": [line | draw(dates()) for line in ruled],
    }


USUAL = Names(PEOPLE.types | {"watch.busy": Type("bool")}, PEOPLE.anchors, SUMS, ("often",))


def near(base: int) -> list[str]:
    """Scores that many people are at."""
    return [str(base + d) for d in (-25, -6, 0, 6, 25)]


@cache
def asked_of(base: int, held: bool) -> Names:
    """What a perk's conditions may name; scores are compared with what people have."""
    own = {"score": Type("int", 0, (), 350, 950), "request.amount": AMOUNT, **({"held": Type("bool")} if held else {})}
    names = named({**FEATURES, **REQUEST, "watch.busy": FLAGS["watch.busy"], **own})
    return Names(names.types, {**names.anchors, "score": near(base)}, (*SUMS, *REQUEST_SUMS), ("failing",))


@st.composite
def perk_files(draw: st.DrawFn, base: int) -> dict[str, Any]:
    hold = draw(_holds(base)) if draw(st.booleans()) else None
    when = _conditions(asked_of(base, hold is not None))
    at_score = st.tuples(st.sampled_from([">=", ">", "<"]), st.sampled_from(near(base))).map(
        "score {0[0]} {0[1]}".format
    )
    knock = [draw(_knock_outs(f"k{n}", when | at_score)) | draw(dates()) for n in range(draw(st.integers(0, 2)))]
    tiers = [{"id": f"t{n}", "when": draw(when | at_score)} | draw(dates()) for n in range(draw(st.integers(1, 3)))]
    last = {"id": "t9", "when": "held" if hold else draw(_likely(asked_of(base, False)))}
    perk = {
        **{"id": PERK, "about": "a room", "currency": "CNY", "most": 5_000, "valid_hours": 24},
        **{"partial": draw(st.booleans()), "request": FIELDS, "knockouts": knock, "caps": draw(_caps())},
        "tiers": [tier | {"waive": draw(_waives())} for tier in (*tiers, last)],
    }
    return {
        **{"kind": "perks", "caps": {"CNY": draw(_caps(1))}, "define": {"failing": draw(_conditions(PEOPLE))}},
        "perks": [perk | ({"hold": hold} if hold else {})],
    }


@st.composite
def _knock_outs(draw: st.DrawFn, name: str, when: st.SearchStrategy[str]) -> dict[str, Any]:
    unknown = draw(st.sampled_from(["decline", "pass"]))
    return {"id": name, "when": draw(when), "unknown": unknown, "reason": draw(CODE)}


@st.composite
def _too_good(draw: st.DrawFn, perk: dict[str, Any], base: int) -> None:
    """Makes the perk decline above a score near the base, and give below: what ties are worth decides, and must not refuse."""
    when = f"score > {base + draw(st.integers(-6, 6))}"
    perk["knockouts"] = [{"id": "k9", "when": when, "unknown": "pass", "reason": draw(CODE)}]
    perk["tiers"].append({"id": "t8", "when": "score >= 350", "waive": draw(_waives())})


@st.composite
def _holds(draw: st.DrawFn, base: int) -> dict[str, Any]:
    when = _conditions(asked_of(base, False))
    return {"granted": draw(when), "kept": draw(when), "days": draw(st.sampled_from([0, 1, 30]))}


@st.composite
def _caps(draw: st.DrawFn, most: int = 2) -> list[dict[str, Any]]:
    found = []
    for _ in range(draw(st.integers(0, most))):
        of = draw(st.sampled_from([{"waived": a} for a in AMOUNTS] + [{"times": n} for n in (1, 2, 3)]))
        found.append(of | draw(st.sampled_from([{}, {"days": 1}, {"days": 30}])) | {"reason": draw(CODE)})
    return found


def _waives() -> st.SearchStrategy[dict[str, Any]]:
    amount, share = st.sampled_from(AMOUNTS), st.sampled_from([1, 33, 100])
    fixed = amount.map(lambda a: {"fixed": a})
    limited = st.tuples(share, amount).map(lambda d: {"share": d[0], "up_to": d[1]})
    return fixed | limited | share.map(lambda s: {"share": s}) | amount.map(lambda a: {"up_to": a})


@st.composite
def lists(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Entries, some of which end; there may be none."""
    known = ENTRIES.get(name) or ANCHORS[LISTS[name][0]]
    values = draw(st.lists(st.sampled_from(known), max_size=4, unique=True))
    ends = [draw(st.sampled_from([None, *ENDS])) for _ in values]
    entries = [{"value": v} | ({"until": end} if end else {}) for v, end in zip(values, ends, strict=True)]
    return {"kind": "list", "id": name, "about": f"some {name}", "entries": entries}


@st.composite
def releases(draw: st.DrawFn) -> Release:
    """A release; rule files in which a tier can never be reached are drawn again."""
    base, close = draw(st.sampled_from(BASES)), draw(st.booleans())
    card, perks = draw(scorecards(base, FEW if close else POINTS)), draw(perk_files(base))
    if close:
        draw(_too_good(perks["perks"][0], base))
    files = {"trust.yaml": card, "perks.yaml": perks, "policy.yaml": POLICY}
    files |= {"reasons.yaml": REASONS, "watch.yaml": WATCH}
    files |= {f"lists/{name}.yaml": draw(lists(name)) for name in LISTS}
    found, problems = check({name: written(file) for name, file in files.items()}, SCHEMA, KINDS)
    if found is None:
        assert {p.code for p in problems} <= {"R301"}, "\n".join(map(str, problems))
        reject()
    return found
