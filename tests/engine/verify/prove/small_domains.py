"""Random valid releases over domains so small that we can look at every person and question, and that enumeration.

A person has four features of three to five values, each of which can be missing. A question is about one perk with one field.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby, product
from random import Random
from typing import Any

from engine.decide.caps import perk_is_held
from engine.decide.decide import ReferenceEvaluator, assess
from engine.lang.check.release import check
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import AS_OF, Values
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE, Program, Release, hold_stage_name
from engine.lang.model.types import BOOL, Attribute, Schema, Type, Value
from tests.engine.random_conditions import Names, condition
from tests.engine.random_releases import POLICY, REASONS, rule_text

PERK = "bike"
MOST = 3  # yen
CHANGE = "2024-03-01"
DAYS = (19_782, 19_783)  # on either side of it
SCHEMA: Schema = {
    a.name: a
    for a in (
        Attribute("a.count", Type("int", 0, (), 0, 4), "behaviour", direction="higher is better"),
        Attribute("a.other", Type("int", 0, (), -1, 2), "behaviour", direction="lower is better"),
        Attribute("b.flag", BOOL, "behaviour"),
        Attribute("c.kind", Type("enum", 0, ("red", "green")), "behaviour"),
    )
}
FIELD = "request.nights"
ANCHORS = {
    "a.count": ["0", "1", "2", "4", "5"],
    "a.other": ["-1", "0", "1", "2"],
    FIELD: ["1", "2", "3"],
    SCORE: ["10", "12", "14", "15", "16", "18"],
    AMOUNT: ["1 JPY", "2 JPY", "3 JPY"],
}
SUMS = ((("a.count + a.other", "a.count - a.other", "2 * a.other", "a.count * a.other"), ("a.count", "2", "0")),)
PERSON_TYPES = {n: a.type for n, a in SCHEMA.items()}
QUESTION_TYPES = {
    **{FIELD: Type("int", 0, (), 1, 2), SCORE: Type("int", 0, (), 10, 20)},
    AMOUNT: Type("money", 0, (), 1, MOST, currency="JPY"),
}


def names(types: dict[str, Type], definitions: tuple[str, ...] = ()) -> Names:
    return Names(types, {n: ANCHORS[n] for n in types if n in ANCHORS}, SUMS, definitions)


OWN = names(PERSON_TYPES)
WITH_QUESTION = names(PERSON_TYPES | QUESTION_TYPES, ("usual",))


def random_release(seed: int) -> Release:
    """A random release; we draw again if the checker finds a line that obviously has no effect."""
    chooser = Random(seed)
    while True:
        files = {name: rule_text(file) for name, file in _files(chooser).items()}
        result, problems = check(files, SCHEMA)
        if result:
            return result
        assert {p.code for p in problems} <= {"R301", "R303"}, "\n".join(map(str, problems))


def _condition(chooser: Random, names_: Names) -> str:
    """A short condition; in a long one, parts seldom follow from each other."""
    while True:
        text = condition(chooser, names_, chooser.randint(1, 4))
        if not any(name in text for name in ("lists.", "as_of", "a.huge")):
            return text


def _files(chooser: Random) -> dict[str, dict[str, Any]]:
    scorecard: dict[str, Any] = {
        **{"kind": "scorecard", "score": {"lowest": 10, "highest": 20, "base": 14}},
        "scorable": {"when": chooser.choice(["true", _condition(chooser, OWN)]), "reason": "thin"},
        **{
            "bands": [{"name": "all", "from": 10}],
            "dimensions": {"all": 100},
            "define": {"often": _condition(chooser, OWN)},
        },
        "characteristics": [_characteristic(chooser)],
        "rules": [_rule(chooser, n) for n in range(chooser.randint(1, 2))],
    }
    return {"trust.yaml": scorecard, "perks.yaml": _perks(chooser), "policy.yaml": POLICY, "reasons.yaml": REASONS}


def _characteristic(chooser: Random) -> dict[str, Any]:
    cuts = sorted(chooser.sample(range(6), chooser.randint(1, 2)))
    points = [chooser.randint(-1, 2) for _ in range(len(cuts) + 1)]
    line = {"id": "c", "feature": "a.count", "dimension": "all", "cuts": cuts, "points": points}
    return {**line, "missing": 0, "reason": "ra"}


def _rule(chooser: Random, number: int) -> dict[str, Any]:
    when = chooser.choice([_condition(chooser, OWN), "often"])
    line = {"id": f"r{number}", "dimension": "all", "when": when, "points": chooser.randint(-2, 2)}
    return _dated(chooser, {**line, "unknown": chooser.choice([0, 1]), "reason": "rb"})


def _dated(chooser: Random, line: dict[str, Any]) -> dict[str, Any]:
    return line | chooser.choice([{}, {}, {}, {"from": CHANGE}, {"until": CHANGE}])


def _perks(chooser: Random) -> dict[str, Any]:
    has_hold = chooser.random() < 0.4
    own = names({**WITH_QUESTION.types, **({PERK_HELD: BOOL} if has_hold else {})}, ("usual",))
    knockouts = [
        {
            **{"id": f"k{n}", "when": _condition(chooser, own)},
            **{"unknown": chooser.choice(["decline", "pass"]), "reason": "ra"},
        }
        for n in range(chooser.choice([0, 1, 2]))
    ]
    tiers = [
        _dated(chooser, {"id": f"t{n}", "when": _condition(chooser, own), "waive": _waive(chooser)})
        for n in range(chooser.randint(1, 3))
    ]
    tiers.append({"id": "t9", "when": PERK_HELD if has_hold else "score >= 12", "waive": {"share": 100}})
    perk = {
        **{"id": PERK, "about": "a bike", "currency": "JPY", "most": f"plain {MOST} JPY", "valid_hours": 1},
        **{"request": {"nights": {"type": "int", "low": 1, "high": 2}}, "knockouts": knockouts, "tiers": tiers},
    }
    if has_hold:
        grants, keeps = (_condition(chooser, WITH_QUESTION) for _ in range(2))
        perk["hold"] = {"granted": grants, "kept": keeps, "days": chooser.choice([0, 1])}
    return {"kind": "perks", "define": {"usual": _condition(chooser, OWN)}, "perks": [perk]}


def _waive(chooser: Random) -> dict[str, Any]:
    return chooser.choice([{"share": 50}, {"up_to": "plain 2 JPY"}, {"fixed": "plain 4 JPY"}])


@cache
def people() -> tuple[Values, ...]:
    """Everyone."""
    return tuple(dict(zip(PERSON_TYPES, row, strict=True)) for row in product(*map(_values, PERSON_TYPES.values())))


def _values(type_: Type) -> list[Value | None]:
    if type_.kind == "bool":
        return [None, True, False]
    return [None, *(type_.values or range(type_.low, type_.high + 1))]


@cache
def requests() -> tuple[Values, ...]:
    """Every question."""
    return tuple({FIELD: n, AMOUNT: amount} for n in (None, 1, 2) for amount in range(1, MOST + 1))


def scored_people(program: Program, day: int) -> list[tuple[Values, int]]:
    """Everyone with a score, and the score."""
    evaluator = ReferenceEvaluator(program)
    scores = [(values, assess(evaluator, values, day).score) for values in people()]
    return [(values, score) for values, score in scores if score is not None]


def situations(program: Program, day: int) -> Iterator[dict[str, Value | None]]:
    """Every question of everyone with a score, with `held` as the hold gives it, each once."""
    for values, group in groupby(questions(program, day), lambda question: _without_held(question[0])):
        for is_held in {question[0].get(PERK_HELD) for question in group}:
            yield values if is_held is None else {**values, PERK_HELD: is_held}


def _without_held(values: dict[str, Value | None]) -> dict[str, Value | None]:
    return {name: value for name, value in values.items() if name != PERK_HELD}


def questions(program: Program, day: int) -> Iterator[tuple[dict[str, Value | None], int | None]]:
    """The same with the seconds for which the person held the perk before; None: the person did not."""
    hold = program.perks[0].hold
    for values, score in scored_people(program, day):
        for request in requests():
            inputs = {**values, **request, SCORE: score, AS_OF: day}
            if hold is None:
                yield inputs, None
                continue
            statuses = evaluate(program.stages[hold_stage_name(PERK)], inputs)
            for seconds in (None, 0, hold.days * 86_400):
                yield {**inputs, PERK_HELD: perk_is_held(hold, statuses, seconds)}, seconds


def assignments(read: Iterable[str]) -> Iterator[dict[str, Value | None]]:
    """All values of these names. The score, the amount and `held` always have one."""
    choices = {n: _values(t) for n, t in (PERSON_TYPES | QUESTION_TYPES | {PERK_HELD: BOOL}).items()}
    for name in (SCORE, AMOUNT, PERK_HELD):
        choices[name].remove(None)
    order = sorted(set(read))
    for row in product(*(choices[name] for name in order)):
        yield dict(zip(order, row, strict=True))
