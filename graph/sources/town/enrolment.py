"""Who enrolled when, with what identity, and what each consented to."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.sources.town.frame import HOUSE, Span, drawn, generator, numbered, parts, picked, rows
from graph.sources.town.people import People

_LEVELS: Final = (0.05, 0.25, 0.45, 0.25)  # identity levels 0 to 3
_WEAK_LEVELS: Final = (0.5, 0.5)  # of thin people and sybils: none, or a phone
_PURPOSE: Final = "perks"
_CLASSES: Final = (
    "identity,behaviour,credit",
    "identity,relationship,behaviour,credit",
    "identity,behaviour,restricted,credit",
    "identity,relationship,behaviour,restricted,credit",
)
_RELATIONSHIP, _RESTRICTED, _WITHDRAWN = 0.97, 0.70, 0.01


def enrolment_events(people: People, seed: int, span: Span) -> Iterator[pl.DataFrame]:
    """person.enrolled and, at the same moment, consent.granted for everybody; one in a hundred withdraws it later."""
    at = people.enrolled_at(span)
    for part, cut in enumerate(parts(people.size)):
        rng, number, size = generator(seed, "enrolment", part), np.arange(cut.start, cut.stop), cut.stop - cut.start
        subject, moment = people.ids[cut], at[cut]
        weak = people.thin[cut] | people.sybil[cut]
        level = np.where(weak, drawn(rng, _WEAK_LEVELS, size), drawn(rng, _LEVELS, size))
        yield rows(
            "person.enrolled",
            HOUSE,
            event_id=numbered("n", number),
            subject=subject,
            happened_at=moment,
            identity_level=level,
        )
        agreed = (rng.random(size) < _RELATIONSHIP) + 2 * (rng.random(size) < _RESTRICTED)
        yield rows(
            "consent.granted",
            HOUSE,
            event_id=numbered("g", number),
            subject=subject,
            happened_at=moment,
            purpose=_PURPOSE,
            classes=picked(_CLASSES, agreed),
        )
        gone = np.flatnonzero(rng.random(size) < _WITHDRAWN)
        later = moment[gone] + (rng.random(len(gone)) * (span.end - moment[gone])).astype(np.int64)
        yield rows(
            "consent.withdrawn",
            HOUSE,
            event_id=numbered("gw", number[gone]),
            subject=subject.gather(gone),
            happened_at=later,
            purpose=_PURPOSE,
        )
