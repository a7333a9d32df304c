"""A town: a synthetic population with a seed, whose hidden truth is known.

Every person has a hidden reliability in 0..1. It drives, with noise, what is seen: promises kept and broken, the
balances, the regularity of income, and whom one knows (alike people meet more). A tenth have next to no file; a few
people pass money in rings; clusters of sybils vouch for each other. Merchants (`m-12`), employers (`e-3`) and the
pension office (`e-0`) are nodes beside the people (`p-7`) and never enrol. Amounts are in fen (CNY).

A stage a file: `people` and `ties` lay the town out; `enrolment`, `ties`, `income`, `spending`, `credit`, `orders` and
`objections` tell it as events. Each draws from its own stream of NumPy's PCG64, so one seed gives one town. Cost:
linear in people and payments; memory: the layout (some 150 bytes a person and 16 a tie) and one frame.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from graph.sources import SourceError
from graph.sources.town.credit import credit_events
from graph.sources.town.enrolment import enrolment_events
from graph.sources.town.frame import CHUNK, Bools, Span, span
from graph.sources.town.income import covered, income_events
from graph.sources.town.orders import order_events
from graph.sources.town.people import People, populate, truth
from graph.sources.town.spending import ring_events, spending_events
from graph.sources.town.ties import Ties, connect, tie_events

END: Final = datetime(2026, 1, 1, tzinfo=UTC)
PAYMENTS_A_PERSON: Final = 40


@dataclass(frozen=True)
class Town:
    """Events and what they hide. `events()` begins anew each time it is called and gives the same frames.

    A frame has the columns of `graph.events.SCHEMA`, one kind and at most a million rows; frames are in no order of
    time. `truth` has a row a person: `person`, `reliability`, `ring` (its number, or null), `sybil`, `thin`.
    """

    events: Callable[[], Iterator[pl.DataFrame]]
    truth: pl.DataFrame


def town(people: int, *, seed: int, payments: int | None = None, months: int = 24, end: datetime = END) -> Town:
    """A town of `people` and exactly `payments` rows of payment.made (default: 40 a person) in the `months` before `end`.

    Everything happens at or after the start and before `end`. With few payments a person, fewer people's bank takes
    part, so that incomes stay regular. Rings need 100 people, sybils 200. Raises SourceError for a number out of range.
    """
    total = PAYMENTS_A_PERSON * people if payments is None else payments
    for name, value, least in (("people", people, 1), ("seed", seed, 0), ("payments", total, 0), ("months", months, 1)):
        if value < least:
            raise SourceError(f"`{name}` is {value}: give at least {least}")
    if end.tzinfo is None:
        raise SourceError(f"`end` {end.isoformat()} has no time zone: give a UTC time")
    time = span(end, months)
    folk = populate(people, seed, time)

    def events() -> Iterator[pl.DataFrame]:
        ties = connect(folk, seed)
        yield from _sized(enrolment_events(folk, seed, time))
        yield from _sized(tie_events(folk, ties, seed, time))
        yield from _sized(_payments(folk, ties, total, seed, time))
        yield from _sized(credit_events(folk, seed, time))
        yield from _sized(order_events(folk, seed, time))

    return Town(events, truth(folk))


def _sized(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        if frame.height:
            yield from frame.iter_slices(CHUNK)


def _payments(people: People, ties: Ties, total: int, seed: int, time: Span) -> Iterator[pl.DataFrame]:
    """Rings and incomes first, with the balances; what is left of `total` is spent."""
    banked: Bools = covered(people, total, seed, time)
    left = total
    for stage in (ring_events(people, seed, time), income_events(people, banked, seed, time)):
        for frame in stage:
            if frame.height and frame["kind"][0] == "payment.made":
                kept = frame.head(left)
                left -= kept.height
                yield kept
            else:
                yield frame
    yield from spending_events(people, ties, left, seed, time)
