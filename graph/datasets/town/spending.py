"""Payments: to merchants, by category, season and popularity; to friends and housemates; and around rings."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.frame import (
    BANK,
    CURRENCY,
    DAY,
    HOUR,
    HOURS_AHEAD,
    WALLET,
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
from graph.datasets.town.people import Population
from graph.datasets.town.ties import VOUCH, Ties

# category: share of payments, typical fen, months (1-12) of high season and its factor, channels
_HABITS: Final[tuple[tuple[str, float, int, tuple[int, ...], float, tuple[str, ...]], ...]] = (
    ("groceries", 0.30, 6_000, (1, 2), 0.3, ("wallet", "card", "cash")),
    ("dining", 0.18, 4_000, (1, 2, 5, 10), 0.2, ("wallet", "card", "cash")),
    ("transport", 0.14, 1_200, (2, 10), 0.4, ("wallet", "card")),
    ("shopping", 0.12, 12_000, (6, 11), 0.9, ("wallet", "card")),
    ("telecom", 0.05, 6_000, (), 0.0, ("wallet", "direct_debit")),
    ("utilities", 0.06, 15_000, (1, 7, 8, 12), 0.5, ("wallet", "direct_debit")),
    ("housing", 0.04, 220_000, (), 0.0, ("transfer",)),
    ("leisure", 0.05, 8_000, (7, 8), 0.5, ("wallet", "card")),
    ("education", 0.02, 60_000, (3, 9), 2.0, ("wallet", "transfer")),
    ("insurance", 0.01, 90_000, (1,), 1.0, ("direct_debit", "transfer")),
    ("travel", 0.02, 70_000, (2, 7, 10), 1.5, ("card", "wallet")),
    ("fees", 0.01, 1_000, (), 0.0, ("direct_debit",)),
)
_CATEGORIES: Final = tuple(h[0] for h in _HABITS)
_CHANNELS: Final = ("wallet", "card", "cash", "direct_debit", "transfer")
_PEOPLE_A_MERCHANT: Final = 50
_LEAST_USE: Final = (
    0.1  # how much the least reliable people use the wallet and the shops, relative to the most reliable
)
_PEER_SHARE: Final = 0.08  # share of payments that go to other people


def ring_events(people: Population, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Pass about the same amount around each ring, from member to member, each step a few hours later, several times."""
    members = np.flatnonzero(people.ring >= 0)
    if not len(members):
        return
    rng = generator(seed, "rings")
    members = members[np.argsort(people.ring[members], kind="stable")]
    sizes = np.bincount(people.ring[members])
    first = np.cumsum(sizes) - sizes
    lap_ring = np.repeat(np.arange(len(sizes)), rng.integers(6, 13, len(sizes)))
    hops = sizes[lap_ring]
    lap = np.repeat(np.arange(len(lap_ring)), hops)
    hop = np.arange(len(lap)) - np.repeat(np.cumsum(hops) - hops, hops)
    ring = lap_ring[lap]
    opened = np.maximum.reduceat(people.enrolled_at(span)[members], first)
    room = span.end - 5 * DAY - opened  # five steps of under 20 hours fit into the days that we keep free
    begins = opened[lap_ring] + (rng.random(len(lap_ring)) * room[lap_ring]).astype(np.int64)
    at = begins[lap] + ((hop + 0.9 * rng.random(len(lap))) * 20 * HOUR).astype(np.int64)
    amount = rng.lognormal(12.5, 0.6, len(lap_ring))[lap] * (1 - 0.01 * hop)
    yield rows(
        "payment.made",
        BANK,
        event_id=numbered_ids("c", np.arange(len(lap))),
        subject=people.ids.gather(members[first[ring] + hop]),
        other=people.ids.gather(members[first[ring] + (hop + 1) % sizes[ring]]),
        happened_at=at,
        amount=amount.astype(np.int64),
        currency=CURRENCY,
        category="transfer",
        channel="transfer",
    )


def spending_events(people: Population, ties: Ties, payments: int, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate exactly `payments` rows of payment.made: some along ties, the rest to merchants."""
    social_ties = np.flatnonzero(ties.kind != VOUCH)
    peers = int(payments * _PEER_SHARE) if len(social_ties) else 0
    yield from _transfers(people, ties, social_ties, peers, seed, span)
    active = (span.days - people.enrolled) / span.days * np.where(people.thin, 0.02, np.where(people.sybil, 0.2, 1.0))
    active = active * (_LEAST_USE + (1 - _LEAST_USE) * people.reliability**2)
    weight = np.cumsum(active * generator(seed, "spending").lognormal(0.0, 1.0, people.size))
    calendar, total = _seasons(span), payments - peers
    for part, cut in enumerate(parts(total)):
        rng = generator(seed, "spending", part + 1)
        # each part covers its own range of people, so that the look-up of payers stays in the cache
        share = (cut.start + rng.random(cut.stop - cut.start) * (cut.stop - cut.start)) / total
        payer = np.minimum(np.searchsorted(weight, share * weight[-1], side="right"), people.size - 1)
        yield _purchases(rng, people, payer, calendar, span, cut.start)


def _transfers(
    people: Population, ties: Ties, social_ties: Ints, payments: int, seed: int, span: TimeSpan
) -> Iterator[pl.DataFrame]:
    enrolled = people.enrolled_at(span)
    for part, cut in enumerate(parts(payments)):
        rng, size = generator(seed, "transfers", part), cut.stop - cut.start
        tie, back = social_ties[rng.integers(0, len(social_ties), size)], rng.random(size) < 0.5
        giver = np.where(back, ties.right[tie], ties.left[tie])
        taker = np.where(back, ties.left[tie], ties.right[tie])
        both = np.maximum(enrolled[giver], enrolled[taker])
        yield rows(
            "payment.made",
            WALLET,
            event_id=numbered_ids("x", np.arange(cut.start, cut.stop)),
            subject=people.ids.gather(giver),
            other=people.ids.gather(taker),
            happened_at=both + (rng.random(size) * (span.end - both)).astype(np.int64),
            amount=(np.ceil(rng.lognormal(4.0, 1.0, size)) * 100).astype(np.int64),
            currency=CURRENCY,
            category="transfer",
            channel="wallet",
        )


def _seasons(span: TimeSpan) -> Floats:
    """Return, by category, the share of the span's payments made before each of its days; shape (categories, days + 1)."""
    days = pl.Series(span.start + np.arange(span.days) * DAY).cast(pl.Datetime("us"))
    month = days.dt.month().to_numpy()
    heights = np.array([1 + extra * np.isin(month, high) for _, _, _, high, extra, _ in _HABITS])
    rising = np.concatenate([np.zeros((len(_HABITS), 1)), np.cumsum(heights, axis=1)], axis=1)
    share: Floats = rising / rising[:, -1:]
    return share


def _purchases(
    rng: np.random.Generator, people: Population, payer: Ints, calendar: Floats, span: TimeSpan, before: int
) -> pl.DataFrame:
    size = len(payer)
    category = draw_weighted(rng, tuple(h[1] for h in _HABITS), size)
    draw = rng.random(size)
    day = np.empty(size, dtype=np.int64)
    for code in range(len(_HABITS)):
        places, before_day = np.flatnonzero(category == code), calendar[code]
        since = people.enrolled[payer[places]]
        share = before_day[since] + draw[places] * (1 - before_day[since])
        day[places] = np.clip(
            np.interp(share, before_day, np.arange(len(before_day))).astype(np.int64), since, span.days - 1
        )
    local = 7 + 8 * (rng.random(size) + rng.random(size))  # 07:00 to 23:00 local time in the town, most at 15:00
    clock = ((local - HOURS_AHEAD) % 24 * HOUR).astype(np.int64)  # an hour before the day begins becomes one at its end
    typical = np.array([h[2] for h in _HABITS])[category]
    purse = np.sqrt(people.income / people.income.mean())[payer]
    merchant, channel = _merchants(rng, category, people.size), _channel(rng, category)
    return rows(
        "payment.made",
        WALLET,
        event_id=numbered_ids("s", np.arange(before, before + size)),
        subject=people.ids.gather(payer),
        other=numbered_ids("m", merchant),
        happened_at=span.start + day * DAY + clock,
        amount=np.maximum(typical * purse * np.exp(0.6 * rng.standard_normal(size)), 100).astype(np.int64),
        currency=CURRENCY,
        category=pick(_CATEGORIES, category),
        channel=pick(_CHANNELS, channel),
    )


def merchants_a_category(people: int) -> int:
    """The number of merchants of one category in a town of so many people."""
    return max(2, people // _PEOPLE_A_MERCHANT // len(_HABITS))


def merchant_category(number: int, people: int) -> str:
    """The category of the merchant `m-number` in a town of so many people."""
    return _CATEGORIES[number // merchants_a_category(people) % len(_CATEGORIES)]


def _merchants(rng: np.random.Generator, category: Ints, people: int) -> Ints:
    """Draw merchants, each of one category: the k-th most popular of n is drawn as the cube of a uniform number."""
    each = merchants_a_category(people)
    rank: Ints = (each * rng.random(len(category)) ** 3).astype(np.int64)
    return category * each + rank


def _channel(rng: np.random.Generator, category: Ints) -> Ints:
    """Draw channels: the first channel of a category is the most frequent."""
    ways = [tuple(_CHANNELS.index(c) for c in h[5]) for h in _HABITS]
    table = np.array([(w * 3)[:3] if len(w) != 2 else (w[0], w[0], w[1]) for w in ways])
    return table[category, rng.integers(0, 3, len(category))]
