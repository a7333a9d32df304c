"""Who lives in the town: hidden reliability, work, and who is thin, in a ring or a sybil."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from graph.sources.town.frame import DAY, Bools, Floats, Ints, Span, drawn, generator, numbered

NO_WORK, SALARIED, GIG, PENSION = range(4)
_WORK_SHARES: Final = (0.10, 0.60, 0.15, 0.15)
_INCOME: Final = (150_000, 800_000, 550_000, 350_000)  # fen a month, the typical person
_THIN_SHARE: Final = 0.10
_PEOPLE_A_RING: Final = 500
_PEOPLE_A_CLUSTER: Final = 2_000
_PEOPLE_A_EMPLOYER: Final = 40


@dataclass(frozen=True)
class People:
    """One array a fact, one place a person. `ring`, `cluster` and `employer` are -1 for none; `enrolled` is a day of the span."""

    ids: pl.Series
    reliability: Floats
    thin: Bools
    ring: Ints
    cluster: Ints
    enrolled: Ints
    work: Ints
    employer: Ints
    income: Floats  # fen a month

    @property
    def size(self) -> int:
        """How many."""
        return len(self.reliability)

    @property
    def sybil(self) -> Bools:
        """Who is not a real person."""
        return self.cluster >= 0

    def enrolled_at(self, span: Span) -> Ints:
        """The moments of enrolment, in microseconds since 1970."""
        return span.start + self.enrolled * DAY


def populate(size: int, seed: int, span: Span) -> People:
    """The people. Parts are given out by a permutation: an id says nothing about its owner."""
    rng = generator(seed, "people")
    order = rng.permutation(size)
    ring = _groups(size, order, rng.integers(3, 6, _count(size, _PEOPLE_A_RING, 100)))
    taken = int((ring >= 0).sum())
    sizes = np.minimum(rng.integers(20, 41, _count(size, _PEOPLE_A_CLUSTER, 200)), size // 10)
    cluster = _groups(size, order[taken:], sizes)
    taken += int((cluster >= 0).sum())
    thin = np.zeros(size, dtype=np.bool_)
    thin[order[taken : taken + int(size * _THIN_SHARE)]] = True
    good, bad = rng.beta(4.5, 1.8, size), rng.beta(1.5, 5.0, size)
    reliability = np.where((cluster >= 0) | (ring >= 0), bad, good)
    work = np.where(cluster >= 0, NO_WORK, drawn(rng, _WORK_SHARES, size))
    employers = max(1, size // _PEOPLE_A_EMPLOYER)
    employer = np.floor(employers * rng.random(size) ** 2).astype(np.int64) + 1  # a few large ones, many small
    employer = np.select([work == PENSION, work == NO_WORK], [0, -1], employer)
    income = np.array(_INCOME)[work] * rng.lognormal(0.0, 0.4, size)
    enrolled = _enrolment_days(rng, size, span.days, early=ring >= 0, late=cluster >= 0)
    return People(
        numbered("p", np.arange(1, size + 1)), reliability, thin, ring, cluster, enrolled, work, employer, income
    )


def truth(people: People) -> pl.DataFrame:
    """What no event says: `person`, `reliability` (0 to 1), `ring` (its number, or null), `sybil`, `thin`."""
    ring = pl.Series(people.ring)
    return pl.DataFrame(
        {
            "person": people.ids,
            "reliability": people.reliability,
            "ring": ring,
            "sybil": people.sybil,
            "thin": people.thin,
        }
    ).with_columns(ring=pl.when(pl.col("ring") >= 0).then("ring"))


def _count(size: int, one_in: int, least: int) -> int:
    return max(1, size // one_in) if size >= least else 0


def _groups(size: int, order: Ints, sizes: Ints) -> Ints:
    """The number of the group each person is in: the first of `order` in the first group, and so on; -1 for the rest."""
    group = np.full(size, -1, dtype=np.int64)
    group[order[: sizes.sum()]] = np.repeat(np.arange(len(sizes)), sizes)
    return group


def _enrolment_days(rng: np.random.Generator, size: int, days: int, *, early: Bools, late: Bools) -> Ints:
    """Four in five are there in the first month, a sixth comes at any time, one in twenty lately, as the sybils do."""
    month, recent = min(30, days // 4), min(60, days // 4)
    draw = rng.random(size)
    first, ever = rng.integers(0, max(month, 1), size), rng.integers(0, days, size)
    lately = days - 1 - rng.integers(0, max(recent, 1), size)
    return np.select([early, late, draw < 0.80, draw < 0.95], [first, lately, first, ever], lately)
