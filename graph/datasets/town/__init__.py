"""A town: a synthetic population from a seed, whose ground truth we know.

Every person has a hidden reliability in 0..1. With noise, it determines the visible facts: obligations kept and broken,
balances, regularity of income, use of the wallet, proof of identity, and ties (similar people meet more). So under the
shipped scorecard near 5, 15, 35, 30 and 15 % of the scored people are in the five bands, lowest first, and the share of
promises that people break falls with each band. A tenth of the people have almost no evidence; a
few pass money in rings; clusters of sybils vouch for each other. Merchants (`m-12`), employers (`e-3`) and the pension
office (`e-0`) are nodes beside the people (`p-7`) and never enrol. Amounts are in fen (CNY).

Each stage has a file: `people` and `ties` generate the town; `enrolment`, `ties`, `income`, `spending`, `credit`,
`orders` and `objections` generate its events. Each draws from its own stream of NumPy's PCG64, so one seed gives one
town. Cost: linear in people and payments. Memory: the population and ties (some 150 bytes a person and 16 a tie) and
one frame.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from graph.datasets.dataset import SourceError
from graph.datasets.town.credit import credit_events
from graph.datasets.town.enrolment import enrolment_events
from graph.datasets.town.frame import CHUNK, Bools, TimeSpan, span
from graph.datasets.town.income import income_events, select_banked
from graph.datasets.town.orders import late_odds, order_events
from graph.datasets.town.people import Population, populate, truth
from graph.datasets.town.spending import ring_events, spending_events
from graph.datasets.town.ties import Ties, connect, tie_events

END: Final = datetime(2026, 1, 1, tzinfo=UTC)
PAYMENTS_A_PERSON: Final = 40


@dataclass(frozen=True)
class Town:
    """Events and their ground truth. You can call `events()` repeatedly: each call starts again and gives the same
    frames.

    A frame has the columns of `graph.evidence.events.SCHEMA`, one kind and at most a million rows; frames are in no
    order of time. `truth` has one row a person: `person`, `reliability`, `ring` (its number, or null), `sybil`, `thin`.
    """

    events: Callable[[], Iterator[pl.DataFrame]]
    truth: pl.DataFrame

    def risks(self) -> Mapping[str, float]:
        """The probability by person that an order is not paid in time, by the truth."""
        odds = late_odds(self.truth["reliability"].to_numpy())
        return dict(zip(self.truth["person"], odds.tolist(), strict=True))


def town(people: int, *, seed: int, payments: int | None = None, months: int = 24, end: datetime = END) -> Town:
    """Generate a town of `people` and exactly `payments` rows of payment.made (default: 40 a person) in the `months`
    before `end`.

    All events are at or after the start and before `end`. If you ask for few payments a person, fewer people's bank
    takes part, so that incomes stay regular. Rings need 100 people, sybils 200. Raises SourceError for a number out of
    range.
    """
    total = PAYMENTS_A_PERSON * people if payments is None else payments
    for name, value, least in (("people", people, 1), ("seed", seed, 0), ("payments", total, 0), ("months", months, 1)):
        if value < least:
            raise SourceError(f"`{name}` is {value}: give at least {least}")
    if end.tzinfo is None:
        raise SourceError(f"`end` {end.isoformat()} has no time zone: give a UTC time")
    time = span(end, months)
    population = populate(people, seed, time)

    def events() -> Iterator[pl.DataFrame]:
        ties = connect(population, seed)
        yield from _slice_frames(enrolment_events(population, seed, time))
        yield from _slice_frames(tie_events(population, ties, seed, time))
        yield from _slice_frames(_payments(population, ties, total, seed, time))
        yield from _slice_frames(credit_events(population, seed, time))
        yield from _slice_frames(order_events(population, seed, time))

    return Town(events, truth(population))


def _slice_frames(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        if frame.height:
            yield from frame.iter_slices(CHUNK)


def _payments(people: Population, ties: Ties, total: int, seed: int, time: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate rings and incomes with the balances first; the rest of `total` is spending."""
    banked: Bools = select_banked(people, total, seed, time)
    remaining = total
    for stage in (ring_events(people, seed, time), income_events(people, banked, seed, time)):
        for frame in stage:
            if frame.height and frame["kind"][0] == "payment.made":
                head = frame.head(remaining)
                remaining -= head.height
                yield head
            else:
                yield frame
    yield from spending_events(people, ties, remaining, seed, time)
