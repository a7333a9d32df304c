"""The people of the town: hidden reliability, work, and the thin, ring and sybil groups."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.frame import DAY, Bools, Floats, Ints, TimeSpan, draw_weighted, generator, numbered_ids

NO_WORK, SALARIED, GIG, PENSION = range(4)
_WORK_SHARES: Final = (0.10, 0.60, 0.15, 0.15)
_UNSTEADY_SHARE: Final = 0.8  # share of the least reliable salaried people who live on odd jobs instead
_INCOME: Final = (150_000, 800_000, 550_000, 350_000)  # fen a month, typical person
_THIN_SHARE: Final = 0.10
_PEOPLE_A_RING: Final = 500
_PEOPLE_A_CLUSTER: Final = 2_000
_PEOPLE_A_EMPLOYER: Final = 40


@dataclass(frozen=True)
class Population:
    """One array a fact, one position a person. `ring`, `cluster` and `employer` are -1 for none; `enrolled` is a day of
    the span.
    """

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
        """The number of people."""
        return len(self.reliability)

    @property
    def sybil(self) -> Bools:
        """Mask of the people who are not real."""
        return self.cluster >= 0

    def enrolled_at(self, span: TimeSpan) -> Ints:
        """Return the moments of enrolment, in microseconds since 1970."""
        return span.start + self.enrolled * DAY


def populate(size: int, seed: int, span: TimeSpan) -> Population:
    """Generate the people. A permutation assigns the groups, so an id reveals nothing about its owner."""
    rng = generator(seed, "people")
    order = rng.permutation(size)
    ring = _groups(size, order, rng.integers(3, 6, _count(size, _PEOPLE_A_RING, 100)))
    used = int((ring >= 0).sum())
    sizes = np.minimum(rng.integers(20, 41, _count(size, _PEOPLE_A_CLUSTER, 200)), size // 10)
    cluster = _groups(size, order[used:], sizes)
    used += int((cluster >= 0).sum())
    thin = np.zeros(size, dtype=np.bool_)
    thin[order[used : used + int(size * _THIN_SHARE)]] = True
    good, bad = rng.beta(2.8, 1.6, size), rng.beta(1.5, 5.0, size)
    reliability = np.where((cluster >= 0) | (ring >= 0), bad, good)
    work = np.where(cluster >= 0, NO_WORK, draw_weighted(rng, _WORK_SHARES, size))
    work = np.where((work == SALARIED) & (rng.random(size) < _UNSTEADY_SHARE * (1 - reliability) ** 2), GIG, work)
    employers = max(1, size // _PEOPLE_A_EMPLOYER)
    employer = (
        np.floor(employers * rng.random(size) ** 2).astype(np.int64) + 1
    )  # a few large employers, many small ones
    employer = np.select([work == PENSION, work == NO_WORK], [0, -1], employer)
    income = np.array(_INCOME)[work] * rng.lognormal(0.0, 0.4, size)
    enrolled = _enrolment_days(rng, size, span.days, early=ring >= 0, late=cluster >= 0)
    return Population(
        numbered_ids("p", np.arange(1, size + 1)), reliability, thin, ring, cluster, enrolled, work, employer, income
    )


def truth(people: Population) -> pl.DataFrame:
    """Return the facts that no event reveals: `person`, `reliability` (0 to 1), `ring` (its number, or null), `sybil`,
    `thin`.
    """
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
    """Return the group number of each person: the first of `order` are in the first group, and so on; -1 for the rest."""
    group = np.full(size, -1, dtype=np.int64)
    group[order[: sizes.sum()]] = np.repeat(np.arange(len(sizes)), sizes)
    return group


def _enrolment_days(rng: np.random.Generator, size: int, days: int, *, early: Bools, late: Bools) -> Ints:
    """Draw days of enrolment: a tenth in the first month, one in twenty late, as sybils enrol, the others at any time."""
    month, recent = min(30, days // 4), min(60, days // 4)
    draw = rng.random(size)
    first, ever = rng.integers(0, max(month, 1), size), rng.integers(0, days, size)
    lately = days - 1 - rng.integers(0, max(recent, 1), size)
    return np.select([early, late, draw < 0.10, draw < 0.95], [first, lately, first, ever], lately)
