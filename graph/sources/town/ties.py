"""Who knows whom: households, friends, colleagues, vouches; alike people meet more; sybils vouch for each other.

People are put in an order that noise blurs (by reliability, or by employer and then reliability) and tied to
those a few places further on: a ring lattice as in Watts and Strogatz (Nature 393, 1998), so that friends of friends
are friends, rewired by taking several such orders.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from graph.sources.town.frame import HOUSE, Bools, Floats, Ints, Span, generator, numbered, parts, picked, rows
from graph.sources.town.people import People

HOUSEHOLD, FRIEND, COLLEAGUE, VOUCH = range(4)
_NAMES: Final = ("household", "friend", "colleague", "vouch")
_HOUSEHOLD_SHARES: Final = (0.25, 0.32, 0.25, 0.13, 0.05)  # of 1, 2, ... 5 people
_ATTACK_TIES: Final = 3  # a sybil cluster's ties to honest people
_ENDED: Final = 0.02


@dataclass(frozen=True)
class Ties:
    """One place a tie: `left` and `right` are places of people. A vouch goes from left to right; `strength` 0 is none given."""

    left: Ints
    right: Ints
    kind: Ints
    strength: Ints

    def __len__(self) -> int:
        return len(self.left)


def connect(people: People, seed: int) -> Ties:
    """All ties of the town. Thin people have none."""
    rng = generator(seed, "ties")
    who = np.flatnonzero(~people.thin & ~people.sybil)
    groups = [
        _households(rng, people, who),
        *_friends(rng, people, who),
        *_colleagues(rng, people, who),
        *_sybils(rng, people, who),
    ]
    left = np.concatenate([g[0] for g in groups])
    right = np.concatenate([g[1] for g in groups])
    kind = np.concatenate([np.full(len(g[0]), g[2], dtype=np.int64) for g in groups])
    left, right, kind = _distinct(people.size, left, right, kind)
    giver, taker, strength = _vouches(rng, people, left, right, kind)
    return Ties(
        np.concatenate([left, giver]),
        np.concatenate([right, taker]),
        np.concatenate([kind, np.full(len(giver), VOUCH, dtype=np.int64)]),
        np.concatenate([np.where(kind == FRIEND, rng.integers(1, 11, len(left)), 0), strength]),
    )


def tie_events(people: People, ties: Ties, seed: int, span: Span) -> Iterator[pl.DataFrame]:
    """tie.formed for every tie, after both have enrolled; a few friendships end."""
    enrolled = people.enrolled_at(span)
    for part, cut in enumerate(parts(len(ties))):
        rng = generator(seed, "ties", part + 1)
        left, right, kind, strength = ties.left[cut], ties.right[cut], ties.kind[cut], ties.strength[cut]
        both = np.maximum(enrolled[left], enrolled[right])
        at = both + (rng.random(len(left)) ** 2 * (span.end - both)).astype(np.int64)
        number = np.arange(cut.start, cut.stop)
        two = {"subject": people.ids.gather(left), "other": people.ids.gather(right), "tie": picked(_NAMES, kind)}
        given = pl.select(pl.when(pl.Series(strength) != 0).then(pl.Series(strength))).to_series()
        yield rows("tie.formed", HOUSE, event_id=numbered("t", number), happened_at=at, strength=given, **two)
        over = np.flatnonzero((kind == FRIEND) & (rng.random(len(left)) < _ENDED))
        ended = at[over] + (rng.random(len(over)) * (span.end - at[over])).astype(np.int64)
        gone = {name: column.gather(over) for name, column in two.items()}
        yield rows("tie.ended", HOUSE, event_id=numbered("te", number[over]), happened_at=ended, **gone)


Pairs = tuple[Ints, Ints, int]


def _near(order: Ints, step: int, keep: Bools | None = None) -> tuple[Ints, Ints]:
    """Each of the order with the one `step` places further on, where `keep` says so."""
    left, right = order[:-step], order[step:]
    return (left, right) if keep is None else (left[keep], right[keep])


def _blurred(rng: np.random.Generator, values: Floats, noise: float) -> Floats:
    return values + rng.normal(0.0, noise, len(values))


def _households(rng: np.random.Generator, people: People, who: Ints) -> Pairs:
    order = who[np.argsort(_blurred(rng, people.reliability[who], 0.25))]
    sizes = rng.choice(len(_HOUSEHOLD_SHARES), len(order) + 1, p=_HOUSEHOLD_SHARES) + 1
    home = np.searchsorted(np.cumsum(sizes), np.arange(len(order)), side="right")
    near = [_near(order, step, home[:-step] == home[step:]) for step in range(1, len(_HOUSEHOLD_SHARES))]
    return np.concatenate([n[0] for n in near]), np.concatenate([n[1] for n in near]), HOUSEHOLD


def _friends(rng: np.random.Generator, people: People, who: Ints) -> Iterator[Pairs]:
    for noise in (0.10, 0.20):
        order = who[np.argsort(_blurred(rng, people.reliability[who], noise))]
        for step, share in ((1, 0.5), (2, 0.35), (3, 0.2)):
            yield *_near(order, step, rng.random(max(len(order) - step, 0)) < share), FRIEND


def _colleagues(rng: np.random.Generator, people: People, who: Ints) -> Iterator[Pairs]:
    hired = who[people.employer[who] > 0]
    order = hired[np.lexsort((_blurred(rng, people.reliability[hired], 0.15), people.employer[hired]))]
    work = people.employer[order]
    for step, share, kind in ((1, 0.6, COLLEAGUE), (2, 0.4, COLLEAGUE), (3, 0.2, FRIEND)):
        if len(order) > step:
            yield *_near(order, step, (work[:-step] == work[step:]) & (rng.random(len(order) - step) < share)), kind


def _sybils(rng: np.random.Generator, people: People, who: Ints) -> Iterator[Pairs]:
    fake = np.flatnonzero(people.sybil)
    order = fake[np.argsort(people.cluster[fake], kind="stable")]
    cluster = people.cluster[order]
    largest = int(np.bincount(cluster).max(initial=0))
    for step in range(1, largest):
        yield *_near(order, step, (cluster[:-step] == cluster[step:]) & (rng.random(len(order) - step) < 0.7)), FRIEND
    if len(order):
        first = np.searchsorted(cluster, np.arange(cluster[-1] + 1))
        yield np.repeat(order[first], _ATTACK_TIES), rng.choice(who, len(first) * _ATTACK_TIES), FRIEND


def _distinct(size: int, left: Ints, right: Ints, kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Each unordered pair once a kind of tie."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    once = np.unique((low * size + high) * len(_NAMES) + kind, return_index=True)[1]
    once.sort()
    return left[once], right[once], kind[once]


def _vouches(rng: np.random.Generator, people: People, left: Ints, right: Ints, kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Reliable friends and colleagues vouch for reliable ones; now and then one warns of an unreliable one; sybils praise sybils."""
    swap = rng.random(len(left)) < 0.5
    giver, taker = np.where(swap, right, left), np.where(swap, left, right)
    trust, worth = people.reliability[giver], people.reliability[taker]
    fake = people.sybil[giver] & people.sybil[taker]
    draw = rng.random(len(left))
    praise = (kind != HOUSEHOLD) & (draw < 0.45 * trust * worth) & ~people.sybil[giver] & ~people.sybil[taker]
    warn = (kind != HOUSEHOLD) & (worth < 0.4) & (trust > 0.3) & (draw > 0.9) & ~fake
    good = np.clip(np.rint(10 * worth + rng.normal(-1.0, 1.5, len(left))), 1, 10)
    bad = -np.clip(np.rint(10 * (1 - worth) + rng.normal(-2.0, 2.0, len(left))), 1, 10)
    strength = np.select([fake, praise, warn], [rng.integers(8, 11, len(left)), good, bad], 0).astype(np.int64)
    said = np.flatnonzero((strength != 0) & (~fake | (draw < 0.8)))
    return giver[said], taker[said], strength[said]
