"""Random people, and what they ask and had before: values cluster at the thresholds, moments at the ends of stretches."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from engine.caps import Used, left, seconds_between
from engine.decide import Decision, Question
from engine.lang.program import Perk, Program, Release
from engine.perks import Answer, answer
from tests.engine.random_releases import PERK, release
from tests.engine.random_values import FEATURES, FLAGS, ON_DAYS, RELATED, REQUEST, values
from tests.engine.small import asked

CHOICES = {n: values(n, t) for n, t in (FEATURES | RELATED | FLAGS).items()}
FIELDS = {n: values(n, t) for n, t in REQUEST.items()}
AMOUNTS = [1, 99, 9_999, 10_000, 10_001, 30_050, 30_051, 50_000, 100_000, 500_000]
DAY = 86_400
SINCE = [0, 1, *(d * DAY + s for d in (1, 30) for s in (-1, 0, 1)), 40 * DAY]  # seconds ago: around what rules name
MISSING = 0.4  # of the request's fields, where any are given


@dataclass(frozen=True)
class Crowd:
    """The questions of many people on one day, and what columns say of the same."""

    day: int
    questions: list[Question]

    def held_for(self) -> list[int | None]:
        """The seconds for which each holds the perk."""
        pairs = ((q.held_since, q.asked_at) for q in self.questions)
        return [None if since is None else seconds_between(since, now) for since, now in pairs]

    def left(self, perk: Perk) -> list[tuple[int | None, ...]]:
        """What each cap of the perk leaves each."""
        return [left(perk, q.used, q.asked_at) for q in self.questions]


class Trial:
    """A release and crowds that ask under it. Not a dataclass: Hypothesis would show every field of it."""

    def __init__(self, under: Release, seed: int, crowds: list[Crowd]) -> None:
        self.release, self.seed, self.crowds = under, seed, crowds

    def __repr__(self) -> str:
        return f"Trial({self.release.id[:8]}, seed {self.seed}, days {[c.day for c in self.crowds]})"


def trials(days: int, count: int) -> st.SearchStrategy[Trial]:
    """A random release, and `count` random people on each of `days` days."""
    return st.integers(0, 2**64).map(lambda seed: drawn(seed, days, count))


def drawn(seed: int, days: int, count: int) -> Trial:
    """The same of a seed. The days are in no order, around a day or two of change."""
    chooser = Random(seed)
    found = release(chooser)
    around = [d + n for d in chooser.sample(ON_DAYS, len(ON_DAYS)) for n in (-1, 0, 1)]
    return Trial(found, seed, [crowd(chooser, day, count) for day in chooser.sample(around[: days + 1], days)])


def crowd(chooser: Random, day: int, count: int) -> Crowd:
    """People, of a seed: drawn by Hypothesis one by one they would cost more than all that is tested."""
    silent = chooser.random() < 0.25  # nobody says anything of the request, has the perk or had it before
    return Crowd(day, [_question(chooser, day, silent) for _ in range(count)])


def _question(chooser: Random, day: int, silent: bool) -> Question:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    now = start + timedelta(seconds=chooser.choice([0, 1, 37_800, 86_399]))
    moments = {"as_of": start.isoformat(), "known_at": start.isoformat(), "asked_at": now.isoformat()}
    given = {} if silent else {n.removeprefix("request."): chooser.choice(FIELDS[n]) for n in FIELDS}
    context = {n: v for n, v in given.items() if chooser.random() > MISSING}
    held = None if silent or chooser.random() < 0.5 else _ago(now, chooser.choice(SINCE))
    used = () if silent else tuple(_used(chooser, now))
    row = {n: chooser.choice(c) for n, c in CHOICES.items()}
    return asked(PERK, chooser.choice(AMOUNTS), "CNY", row, context=context, held_since=held, used=used, **moments)


def _used(chooser: Random, now: datetime) -> Iterator[Used]:
    for _ in range(chooser.choice([0, 0, 1, 2, 3])):
        perk, currency = chooser.choice([(PERK, "CNY"), (PERK, "CNY"), ("car", "CNY"), ("scooter", "JPY")])
        yield Used(perk, currency, chooser.choice(AMOUNTS), _ago(now, chooser.choice(SINCE)), chooser.random() < 0.5)


def _ago(now: datetime, seconds: int) -> str:
    return (now - timedelta(seconds=seconds)).isoformat()


def first_answer(program: Program, found: Decision) -> Answer:
    """What the perk's own statuses come to, before anyone asks what it would be without relationships."""
    perk = program.perks[0]
    return answer(perk, found.statuses, found.question.amount, left(perk, found.question.used, found.question.asked_at))


def eased(program: Program, found: Decision) -> bool:
    """Whether a refusal that rested on relationships was not given."""
    return found.scored.score is not None and first_answer(program, found).outcome == "DECLINE" != found.outcome
