"""What came of deposit-free orders: settled in time or late, overdue, cancelled."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.sources.town.credit import default_odds
from graph.sources.town.frame import CURRENCY, DAY, HOUSE, Ints, Span, drawn, generator, numbered, parts, picked, rows
from graph.sources.town.objections import objection_events
from graph.sources.town.people import People

_EACH: Final = 0.8  # orders a person, on average
_SERVICES: Final = ("power_bank", "bicycle", "hotel", "apartment", "car")
_SHARES: Final = (0.40, 0.35, 0.12, 0.03, 0.10)
_AMOUNTS: Final = (600, 300, 30_000, 250_000, 40_000)  # fen, the typical order
_CANCELLED: Final = 0.05
_AT_ONCE: Final = 500_000
_PART: Final = 1_000_000  # where the streams of this stage's objections begin, beyond those of credit


def order_events(people: People, seed: int, span: Span) -> Iterator[pl.DataFrame]:
    """order.settled, order.overdue and order.cancelled; a late order is overdue first and, for most, settled later."""
    rng = generator(seed, "orders")
    rate = np.select([people.thin, people.sybil], [0.0, _EACH / 2], _EACH)
    owners = np.repeat(np.arange(people.size), rng.poisson(rate))
    for part, cut in enumerate(parts(len(owners), _AT_ONCE)):
        yield from _part(people, owners[cut], cut.start, seed, part, span)


def _part(people: People, owner: Ints, before: int, seed: int, part: int, span: Span) -> Iterator[pl.DataFrame]:
    rng, size = generator(seed, "orders", part + 1), len(owner)
    since, trust = people.enrolled_at(span)[owner], people.reliability[owner]
    due = since + (rng.random(size) * (span.end - since)).astype(np.int64)
    service = drawn(rng, _SHARES, size)
    amount = (np.array(_AMOUNTS)[service] * rng.lognormal(0.0, 0.4, size)).astype(np.int64) + 1
    cancelled = rng.random(size) < _CANCELLED
    late = ~cancelled & (rng.random(size) < default_odds(trust, rng.normal(-0.8, 0.6, size)))
    paid = ~cancelled & (~late | (rng.random(size) < 0.4 + 0.5 * trust))
    days = np.where(late, 1 + np.minimum(rng.geometric(0.1, size), 90), 0)

    def told(kind: str, prefix: str, which: Ints, at: Ints, **more: Ints) -> pl.DataFrame:
        here = np.flatnonzero(at < span.end)
        which, at = which[here], at[here]
        return rows(
            kind,
            HOUSE,
            event_id=numbered(prefix, before + which),
            subject=people.ids.gather(owner[which]),
            happened_at=at,
            order=numbered("r", before + which),
            service=picked(_SERVICES, service[which]),
            amount=amount[which],
            currency=CURRENCY,
            **{name: value[here] for name, value in more.items()},
        )

    gone, over, done = (np.flatnonzero(f) for f in (cancelled, late, paid))
    yield told("order.cancelled", "rc", gone, due[gone])
    adverse = told("order.overdue", "ro", over, due[over] + DAY, days_late=np.ones(len(over), dtype=np.int64))
    yield adverse
    yield from objection_events(adverse, generator(seed, "objections", _PART + part), span)
    yield told("order.settled", "rs", done, due[done] + days[done] * DAY, days_late=days[done])
