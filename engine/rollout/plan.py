"""The plan of a partial release: the stages of its share, and the guards that must hold meanwhile.

    {"stages": [{"share": "1%", "hours": 24}, {"share": "5%", "answers": 2000}, {"share": "100%"}],
     "guards": {"admit_rate": {"least": "-5%", "most": "5%"}, "score_psi": {"most": "0.2"}},
     "perks": ["bike"], "merchants": ["inn"], "on_break": "hold", "confidence": "99%"}

Each guard compares the candidate with the champion:

| measure | compares |
|---|---|
| `admit_rate`, `unscorable_rate`, `dispute_rate` | shares of the answers, in percentage points |
| `waived`, `latency` | means of an answer, relative to the champion's |
| `score_psi` | the distributions of the score, by the population stability index |
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from engine.errors import Rejected
from engine.lang.syntax.schema_types import suggestion
from engine.rollout.buckets import BUCKETS
from engine.rollout.percentages import (
    HINT_NUMBER,
    HINT_PERCENT,
    number_text,
    percent_text,
    quoted,
    read_number,
    read_percent,
)

RATES: Final = ("admit_rate", "unscorable_rate", "dispute_rate")
RATIOS: Final = ("waived", "latency")
PSI: Final = "score_psi"
MEASURES: Final = (*RATES, *RATIOS, PSI)
HOLD, ROLL_BACK = "hold", "roll_back"
ON_BREAK: Final = (HOLD, ROLL_BACK)
MAX_STAGES: Final = 20
MAX_HOURS, MAX_ANSWERS = 24 * 366, 10**9  # of a stage
MIN_CONFIDENCE, MAX_CONFIDENCE = Decimal("0.5"), Decimal("0.9999")
_BOUNDS: Final = ("least", "most")
_STAGE_KEYS: Final = ("share", "hours", "answers")
_KEYS: Final = ("stages", "guards", "perks", "merchants", "on_break", "confidence")


@dataclass(frozen=True)
class Stage:
    """A share of people in basis points, until so many hours have passed, and so many answers of the candidate are given.

    If both are there, both must be reached. If neither is, the stage has no end.
    """

    share_points: int
    hours: int | None = None
    answers: int | None = None

    def is_over(self, elapsed: timedelta, answers: int) -> bool:
        """Whether the stage has ended, after that time and that many answers of the candidate."""
        if self.hours is None and self.answers is None:
            return False
        return elapsed >= timedelta(hours=self.hours or 0) and answers >= (self.answers or 0)

    def as_dict(self) -> dict[str, Any]:
        """The stage as in a file."""
        limits = {"hours": self.hours, "answers": self.answers}
        share = percent_text(Decimal(self.share_points) / BUCKETS)
        return {"share": share} | {name: value for name, value in limits.items() if value is not None}


@dataclass(frozen=True)
class Guard:
    """The bounds of a measure, as shares of 1 (0.05 is 5 %, or 5 points); the index of `score_psi` is a plain number."""

    measure: str
    least: Decimal | None = None
    most: Decimal | None = None

    def as_dict(self) -> dict[str, str]:
        """The bounds as in a file."""
        text = number_text if self.measure == PSI else percent_text
        bounds = {"least": self.least, "most": self.most}
        return {name: text(bound) for name, bound in bounds.items() if bound is not None}


DEFAULT_STAGES: Final = (Stage(100, hours=24), Stage(500, answers=2_000), Stage(2_000, hours=48), Stage(BUCKETS))
DEFAULT_GUARDS: Final = (
    Guard("admit_rate", Decimal("-0.05"), Decimal("0.05")),
    Guard("unscorable_rate", most=Decimal("0.02")),
    Guard("dispute_rate", most=Decimal("0.01")),
    Guard("waived", most=Decimal("0.1")),
    Guard("latency", most=Decimal("0.3")),
    Guard(PSI, most=Decimal("0.2")),
)
DEFAULT_CONFIDENCE: Final = Decimal("0.99")


@dataclass(frozen=True)
class Plan:
    """Stages with rising shares, and guards in the order of `MEASURES`. `read_plan` gives you one that is checked.

    Without perks or merchants, the candidate answers about all of them. `confidence` is that of the whole plan: the chance that any
    guard is wrong at any moment in any stage is at most 1 minus it.
    """

    stages: tuple[Stage, ...] = DEFAULT_STAGES
    guards: tuple[Guard, ...] = DEFAULT_GUARDS
    perks: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    on_break: str = HOLD
    confidence: Decimal = DEFAULT_CONFIDENCE

    @property
    def comparisons(self) -> int:
        """How many verdicts share the error that `confidence` allows: each guard, in each stage that leaves a champion."""
        stages = sum(stage.share_points < BUCKETS for stage in self.stages)
        return max(1, stages) * max(1, len(self.guards))

    def as_dict(self) -> Mapping[str, Any]:
        """The plan as in a file, with every key that has a value; `read_plan` of it is the same plan."""
        scopes = {"perks": list(self.perks), "merchants": list(self.merchants)}
        return {
            "stages": [stage.as_dict() for stage in self.stages],
            "guards": {guard.measure: guard.as_dict() for guard in self.guards},
            **{name: ids for name, ids in scopes.items() if ids},
            "on_break": self.on_break,
            "confidence": percent_text(self.confidence),
        }


DEFAULT_PLAN: Final = Plan()


def read_plan(value: Any, *, perks: Collection[str] | None = None, merchants: Collection[str] | None = None) -> Plan:
    """The plan in a JSON object, with the defaults for the keys that it lacks.

    With `perks` and `merchants`, the plan may name only these. Raises Rejected (`bad_plan`) with all problems, on one line. Numbers
    stay exact, so we accept texts and integers, and no floats.
    """
    if not isinstance(value, Mapping):
        raise _rejection([f"a plan is an object, not {quoted(value)} (give the keys {', '.join(_KEYS)})"])
    problems = _unknown_keys("", value, _KEYS)
    stages = _stages(value["stages"], problems) if "stages" in value else DEFAULT_STAGES
    guards = _guards(value["guards"], problems) if "guards" in value else DEFAULT_GUARDS
    perk_ids = _ids("perks", value.get("perks"), perks, problems)
    merchant_ids = _ids("merchants", value.get("merchants"), merchants, problems)
    on_break = value.get("on_break", HOLD)
    if on_break not in ON_BREAK:
        problems.append(f"`on_break`: {quoted(on_break)} is unknown ({suggestion(str(on_break), ON_BREAK)})")
    confidence = _confidence(value["confidence"], problems) if "confidence" in value else DEFAULT_CONFIDENCE
    if problems:
        raise _rejection(problems)
    return Plan(stages, guards, perk_ids, merchant_ids, on_break, confidence)


def _rejection(problems: list[str]) -> Rejected:
    return Rejected("; ".join(problems), where="plan", code="bad_plan")


def _unknown_keys(place: str, value: Mapping[Any, Any], keys: Collection[str]) -> list[str]:
    unknown = [str(key) for key in value if key not in keys]
    prefix = f"`{place}`: " if place else ""
    return [f"{prefix}unknown key {quoted(key)} ({suggestion(key, keys)})" for key in unknown]


def _stages(value: Any, problems: list[str]) -> tuple[Stage, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_STAGES:
        problems.append(f"`stages` is no list of 1 to {MAX_STAGES} stages (leave it out for 1, 5, 20 and 100 %)")
        return ()
    stages = [_stage(f"stages[{n}]", item, problems, is_last=n == len(value) - 1) for n, item in enumerate(value)]
    for n, (before, after) in enumerate(pairwise(stages), 1):
        if before and after and before.share_points >= after.share_points:
            first, second = (stage.as_dict()["share"] for stage in (before, after))
            problems.append(f"`stages[{n}].share`: `{second}` after `{first}` (let the shares rise)")
    return tuple(stage for stage in stages if stage)


def _stage(place: str, value: Any, problems: list[str], *, is_last: bool) -> Stage | None:
    if not isinstance(value, Mapping):
        problems.append(f"`{place}`: {quoted(value)} is no stage (give it a `share`)")
        return None
    problems += _unknown_keys(place, value, _STAGE_KEYS)
    share = read_percent(value.get("share"))
    points = 0 if share is None else share * BUCKETS
    if not 0 < points <= BUCKETS or points % 1:
        text = quoted(value.get("share", ""))
        problems.append(f'`{place}.share`: {text} is no share (write "0.01%" to "100%", with at most two decimals)')
        return None
    hours = _limit(place, "hours", value, MAX_HOURS, problems)
    answers = _limit(place, "answers", value, MAX_ANSWERS, problems)
    is_endless = value.get("hours") is None and value.get("answers") is None
    if is_endless and not (is_last and points == BUCKETS):
        problems.append(
            f"`{place}` has no end (give `hours`, `answers` or both, unless it is the last one and of 100%)"
        )
    return Stage(int(points), hours, answers)


def _limit(place: str, name: str, value: Mapping[Any, Any], most: int, problems: list[str]) -> int | None:
    number = value.get(name)
    if number is None or (type(number) is int and 1 <= number <= most):
        return number
    problems.append(f"`{place}.{name}`: {quoted(number)} (give a whole number from 1 to {most})")
    return None


def _guards(value: Any, problems: list[str]) -> tuple[Guard, ...]:
    if not isinstance(value, Mapping) or not value:
        problems.append("`guards` is no object with a measure or more (leave it out for the default guards)")
        return ()
    unknown = [name for name in value if name not in MEASURES]
    problems += [f"`guards`: unknown measure {quoted(n)} ({suggestion(str(n), MEASURES)})" for n in unknown]
    return tuple(_guard(measure, value[measure], problems) for measure in MEASURES if measure in value)


def _guard(measure: str, value: Any, problems: list[str]) -> Guard:
    place = f"guards.{measure}"
    keys = ("most",) if measure == PSI else _BOUNDS
    if not isinstance(value, Mapping) or not set(value) & set(keys):
        problems.append(f"`{place}` has no bound (give {' or '.join(f'`{key}`' for key in keys)})")
        return Guard(measure)
    problems += _unknown_keys(place, value, keys)
    least, most = (_bound(measure, key, value[key], problems) if key in value else None for key in _BOUNDS)
    if least is not None and most is not None and least >= most:
        problems.append(f"`{place}`: `least` is not below `most` (exchange them, or widen them)")
    return Guard(measure, least, most)


def _bound(measure: str, key: str, value: Any, problems: list[str]) -> Decimal | None:
    bound = read_number(value) if measure == PSI else read_percent(value)
    limits = {PSI: (Decimal(0), Decimal(100))} | dict.fromkeys(RATES, (Decimal(-1), Decimal(1)))
    low, high = limits.get(measure, (Decimal(-1), Decimal(100)))
    place = f"`guards.{measure}.{key}`: {quoted(value)}"
    if bound is None:
        problems.append(f"{place} is no exact number ({HINT_NUMBER if measure == PSI else HINT_PERCENT})")
    elif not low <= bound <= high or (measure == PSI and not bound):
        problems.append(f"{place} can never be reached or is 0 (give a bound that a release can break)")
    return bound


def _ids(name: str, value: Any, allowed: Collection[str] | None, problems: list[str]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        problems.append(f"`{name}`: {quoted(value)} is no list of ids (leave it out for all of them)")
        return ()
    ids = sorted(set(value))
    unknown = [item for item in ids if allowed is not None and item not in allowed]
    problems += [
        f"`{name}`: unknown {quoted(item)} ({suggestion(item, allowed or ()) or 'correct it'})" for item in unknown
    ]
    return tuple(ids)


def _confidence(value: Any, problems: list[str]) -> Decimal:
    confidence = read_percent(value)
    if confidence is None or not MIN_CONFIDENCE <= confidence <= MAX_CONFIDENCE:
        problems.append(f'`confidence`: {quoted(value)} (write a text from "50%" to "99.99%")')
        return DEFAULT_CONFIDENCE
    return confidence
