"""Enrolments, with identity levels, and consents."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.frame import SYSTEM, TimeSpan, draw_weighted, generator, numbered_ids, parts, pick, rows
from graph.datasets.town.people import Population

_LEVEL_CUTS: Final = (0.05, 0.60, 1.10)  # of reliability with noise: identity levels 0 to 3
_LEVEL_NOISE: Final = 0.25
_WEAK_LEVELS: Final = (0.5, 0.5)  # thin people and sybils: none, or a phone
_PURPOSE: Final = "perks"
_CLASSES: Final = (
    "identity,behaviour,credit",
    "identity,relationship,behaviour,credit",
    "identity,behaviour,restricted,credit",
    "identity,relationship,behaviour,restricted,credit",
)
_RELATIONSHIP, _RESTRICTED, _WITHDRAWN = 0.97, 0.70, 0.01


def enrolment_events(people: Population, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate person.enrolled and, at the same moment, consent.granted for everybody; one person in a hundred
    withdraws it later.
    """
    at = people.enrolled_at(span)
    for part, cut in enumerate(parts(people.size)):
        rng, number, size = generator(seed, "enrolment", part), np.arange(cut.start, cut.stop), cut.stop - cut.start
        subject, moment = people.ids[cut], at[cut]
        weak = people.thin[cut] | people.sybil[cut]
        level_by_trust = np.digitize(people.reliability[cut] + rng.normal(0.0, _LEVEL_NOISE, size), _LEVEL_CUTS)
        level = np.where(weak, draw_weighted(rng, _WEAK_LEVELS, size), level_by_trust)
        yield rows(
            "person.enrolled",
            SYSTEM,
            event_id=numbered_ids("n", number),
            subject=subject,
            happened_at=moment,
            identity_level=level,
        )
        choices = (rng.random(size) < _RELATIONSHIP) + 2 * (rng.random(size) < _RESTRICTED)
        yield rows(
            "consent.granted",
            SYSTEM,
            event_id=numbered_ids("g", number),
            subject=subject,
            happened_at=moment,
            purpose=_PURPOSE,
            classes=pick(_CLASSES, choices),
        )
        withdrawals = np.flatnonzero(rng.random(size) < _WITHDRAWN)
        later = moment[withdrawals] + (rng.random(len(withdrawals)) * (span.end - moment[withdrawals])).astype(np.int64)
        yield rows(
            "consent.withdrawn",
            SYSTEM,
            event_id=numbered_ids("gw", number[withdrawals]),
            subject=subject.gather(withdrawals),
            happened_at=later,
            purpose=_PURPOSE,
        )
