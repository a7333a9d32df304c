"""Outcomes of deposit-free orders: settled in time or late, overdue, cancelled."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.credit import default_odds
from graph.datasets.town.frame import (
    CURRENCY,
    DAY,
    SYSTEM,
    Floats,
    Ints,
    TimeSpan,
    draw_weighted,
    generator,
    numbered_ids,
    parts,
    pick,
    rows,
)
from graph.datasets.town.objections import objection_events
from graph.datasets.town.people import Population

_LUCK: Final = -0.8  # mean of the luck with an order: people keep small promises sooner than loans
_ORDERS_A_PERSON: Final = 0.8  # orders a person, on average
_SERVICES: Final = ("power_bank", "bicycle", "hotel", "apartment", "car")
_SHARES: Final = (0.40, 0.35, 0.12, 0.03, 0.10)
_AMOUNTS: Final = (600, 300, 30_000, 250_000, 40_000)  # fen, the typical order
_CANCELLED: Final = 0.05
_CHUNK_ORDERS: Final = 500_000
_OBJECTION_STREAMS: Final = 1_000_000  # first stream of this stage's objections, beyond those of credit


def late_odds(trust: Floats) -> Floats:
    """Return the probability that an order of people with this reliability is not paid in time."""
    return default_odds(trust, np.full(len(trust), _LUCK))


def order_events(people: Population, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate order.settled, order.overdue and order.cancelled; a late order is first overdue and, in most cases,
    settled later.
    """
    rng = generator(seed, "orders")
    rate = np.select([people.thin, people.sybil], [0.0, _ORDERS_A_PERSON / 2], _ORDERS_A_PERSON)
    owners = np.repeat(np.arange(people.size), rng.poisson(rate))
    for part, cut in enumerate(parts(len(owners), _CHUNK_ORDERS)):
        yield from _events_of_chunk(people, owners[cut], cut.start, seed, part, span)


def _events_of_chunk(
    people: Population, owner: Ints, before: int, seed: int, part: int, span: TimeSpan
) -> Iterator[pl.DataFrame]:
    rng, size = generator(seed, "orders", part + 1), len(owner)
    since, trust = people.enrolled_at(span)[owner], people.reliability[owner]
    due = since + (rng.random(size) * (span.end - since)).astype(np.int64)
    service = draw_weighted(rng, _SHARES, size)
    amount = (np.array(_AMOUNTS)[service] * rng.lognormal(0.0, 0.4, size)).astype(np.int64) + 1
    cancelled = rng.random(size) < _CANCELLED
    late = ~cancelled & (rng.random(size) < default_odds(trust, rng.normal(_LUCK, 0.6, size)))
    paid = ~cancelled & (~late | (rng.random(size) < 0.4 + 0.5 * trust))
    days = np.where(late, 1 + np.minimum(rng.geometric(0.1, size), 90), 0)

    def order_rows(kind: str, prefix: str, places: Ints, at: Ints, days_late: Ints | None = None) -> pl.DataFrame:
        inside = np.flatnonzero(at < span.end)
        places, at = places[inside], at[inside]
        events = rows(
            kind,
            SYSTEM,
            event_id=numbered_ids(prefix, before + places),
            subject=people.ids.gather(owner[places]),
            happened_at=at,
            order=numbered_ids("r", before + places),
            service=pick(_SERVICES, service[places]),
            amount=amount[places],
            currency=CURRENCY,
        )
        return events if days_late is None else events.with_columns(days_late=days_late[inside])

    cancellations, overdue, settlements = (np.flatnonzero(f) for f in (cancelled, late, paid))
    yield order_rows("order.cancelled", "rc", cancellations, due[cancellations])
    adverse = order_rows("order.overdue", "ro", overdue, due[overdue] + DAY, np.ones(len(overdue), dtype=np.int64))
    yield adverse
    yield from objection_events(adverse, generator(seed, "objections", _OBJECTION_STREAMS + part), span)
    yield order_rows("order.settled", "rs", settlements, due[settlements] + days[settlements] * DAY, days[settlements])
