"""Generate random people, their questions and earlier waivers, with values at the thresholds and at the ends of
periods.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from engine.decide.caps import PriorWaiver, remaining_by_cap, seconds_between
from engine.decide.decide import Decision, DecisionInputs
from engine.decide.perks import PerkOutcome, perk_outcome
from engine.lang.model.program import Perk, Program, Release
from tests.engine.random_releases import PERK, release
from tests.engine.random_values import FEATURES, FLAGS, ON_DAYS, RELATED, REQUEST, values
from tests.engine.small_rules import make_question

CHOICES = {n: values(n, t) for n, t in (FEATURES | RELATED | FLAGS).items()}
FIELDS = {n: values(n, t) for n, t in REQUEST.items()}
AMOUNTS = [1, 99, 9_999, 10_000, 10_001, 30_050, 30_051, 50_000, 100_000, 500_000]
DAY = 86_400
HELD_SECONDS = [
    0,
    1,
    *(d * DAY + s for d in (1, 30) for s in (-1, 0, 1)),
    40 * DAY,
]  # seconds ago, around the periods in the rules
MISSING_RATE = 0.4  # of the request's fields, if there are any


@dataclass(frozen=True)
class QuestionBatch:
    """Questions of many people on one day, and the same as columns."""

    day: int
    questions: list[DecisionInputs]

    def held_seconds(self) -> list[int | None]:
        """The seconds for which each holds the perk."""
        pairs = ((q.held_since, q.asked_at) for q in self.questions)
        return [None if since is None else seconds_between(since, now) for since, now in pairs]

    def remaining(self, perk: Perk) -> list[tuple[int | None, ...]]:
        """The amount that each cap of the perk leaves for each person."""
        return [remaining_by_cap(perk, q.used, q.asked_at) for q in self.questions]


class ReleaseTrial:
    """A release, and people with questions under it. Not a dataclass: Hypothesis would print every field of it."""

    def __init__(self, release: Release, seed: int, batches: list[QuestionBatch]) -> None:
        self.release, self.seed, self.batches = release, seed, batches

    def __repr__(self) -> str:
        return f"Trial({self.release.id[:8]}, seed {self.seed}, days {[c.day for c in self.batches]})"


def trials(days: int, count: int) -> st.SearchStrategy[ReleaseTrial]:
    """A random release, and `count` random people on each of `days` days."""
    return st.integers(0, 2**64).map(lambda seed: draw_trial(seed, days, count))


def draw_trial(seed: int, days: int, count: int) -> ReleaseTrial:
    """Deterministic for a seed. The days are in random order, around one or two days of change."""
    chooser = Random(seed)
    rules = release(chooser)
    days_around = [d + n for d in chooser.sample(ON_DAYS, len(ON_DAYS)) for n in (-1, 0, 1)]
    return ReleaseTrial(
        rules, seed, [question_batch(chooser, day, count) for day in chooser.sample(days_around[: days + 1], days)]
    )


def question_batch(chooser: Random, day: int, count: int) -> QuestionBatch:
    """Draw people from a seed. If Hypothesis drew them one by one, that would take longer than the whole test."""
    silent = chooser.random() < 0.25  # nobody gives fields of the request, holds the perk or had it before
    return QuestionBatch(day, [_question(chooser, day, silent) for _ in range(count)])


def _question(chooser: Random, day: int, silent: bool) -> DecisionInputs:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    now = start + timedelta(seconds=chooser.choice([0, 1, 37_800, 86_399]))
    moments = {"as_of": start.isoformat(), "known_at": start.isoformat(), "asked_at": now.isoformat()}
    request = {} if silent else {n.removeprefix("request."): chooser.choice(FIELDS[n]) for n in FIELDS}
    context = {n: v for n, v in request.items() if chooser.random() > MISSING_RATE}
    held_since = None if silent or chooser.random() < 0.5 else _ago(now, chooser.choice(HELD_SECONDS))
    waivers = () if silent else tuple(_waivers(chooser, now))
    row = {n: chooser.choice(c) for n, c in CHOICES.items()}
    return make_question(
        PERK, chooser.choice(AMOUNTS), "CNY", row, context=context, held_since=held_since, used=waivers, **moments
    )


def _waivers(chooser: Random, now: datetime) -> Iterator[PriorWaiver]:
    for _ in range(chooser.choice([0, 0, 1, 2, 3])):
        perk, currency = chooser.choice([(PERK, "CNY"), (PERK, "CNY"), ("car", "CNY"), ("scooter", "JPY")])
        yield PriorWaiver(
            perk, currency, chooser.choice(AMOUNTS), _ago(now, chooser.choice(HELD_SECONDS)), chooser.random() < 0.5
        )


def _ago(now: datetime, seconds: int) -> str:
    return (now - timedelta(seconds=seconds)).isoformat()


def first_outcome(program: Program, decision: Decision) -> PerkOutcome:
    """The outcome of the perk's own statuses, before we consider it without relationships."""
    perk = program.perks[0]
    return perk_outcome(
        perk,
        decision.statuses,
        decision.question.amount,
        remaining_by_cap(perk, decision.question.used, decision.question.asked_at),
    )


def is_eased(program: Program, decision: Decision) -> bool:
    """Whether we replaced a decline that depended on relationships."""
    return (
        decision.scored.score is not None and first_outcome(program, decision).outcome == "DECLINE" != decision.outcome
    )
