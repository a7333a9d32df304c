"""Ties: households, friends, colleagues, vouches. Similar people meet more; sybils vouch for each other.

We sort people into an order blurred by noise (by reliability, or by employer and then reliability), and tie each to
people a few positions further on: a ring lattice as in Watts and Strogatz (Nature 393, 1998), so that friends of
friends are friends. Several such orders rewire the lattice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.frame import SYSTEM, Bools, Floats, Ints, TimeSpan, generator, numbered_ids, parts, pick, rows
from graph.datasets.town.people import Population

HOUSEHOLD, FRIEND, COLLEAGUE, VOUCH = range(4)
_NAMES: Final = ("household", "friend", "colleague", "vouch")
_HOUSEHOLD_SHARES: Final = (0.25, 0.32, 0.25, 0.13, 0.05)  # households of 1, 2, ... 5 people
_ATTACK_TIES: Final = 3  # ties of a sybil cluster to honest people
_ENDED_SHARE: Final = 0.02


@dataclass(frozen=True)
class Ties:
    """Ties, one position each: `left` and `right` are positions of people. A vouch runs from left to right; `strength`
    0 means none stated.
    """

    left: Ints
    right: Ints
    kind: Ints
    strength: Ints

    def __len__(self) -> int:
        return len(self.left)


def connect(people: Population, seed: int) -> Ties:
    """Generate all ties of the town. Thin people have none."""
    rng = generator(seed, "ties")
    members = np.flatnonzero(~people.thin & ~people.sybil)
    groups = [
        _households(rng, people, members),
        *_friends(rng, people, members),
        *_colleagues(rng, people, members),
        *_sybils(rng, people, members),
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


def tie_events(people: Population, ties: Ties, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate tie.formed for every tie, after both people have enrolled; a few friendships end."""
    enrolled = people.enrolled_at(span)
    for part, cut in enumerate(parts(len(ties))):
        rng = generator(seed, "ties", part + 1)
        left, right, kind, strength = ties.left[cut], ties.right[cut], ties.kind[cut], ties.strength[cut]
        both = np.maximum(enrolled[left], enrolled[right])
        at = both + (rng.random(len(left)) ** 2 * (span.end - both)).astype(np.int64)
        number = np.arange(cut.start, cut.stop)
        parties = {"subject": people.ids.gather(left), "other": people.ids.gather(right), "tie": pick(_NAMES, kind)}
        strengths = pl.select(pl.when(pl.Series(strength) != 0).then(pl.Series(strength))).to_series()
        yield rows(
            "tie.formed", SYSTEM, event_id=numbered_ids("t", number), happened_at=at, strength=strengths, **parties
        )
        over = np.flatnonzero((kind == FRIEND) & (rng.random(len(left)) < _ENDED_SHARE))
        ended = at[over] + (rng.random(len(over)) * (span.end - at[over])).astype(np.int64)
        ended_parties = {name: column.gather(over) for name, column in parties.items()}
        yield rows("tie.ended", SYSTEM, event_id=numbered_ids("te", number[over]), happened_at=ended, **ended_parties)


Pairs = tuple[Ints, Ints, int]


def _near(order: Ints, step: int, keep: Bools | None = None) -> tuple[Ints, Ints]:
    """Pair each person of the order with the one `step` positions further on, where the mask `keep` is true."""
    left, right = order[:-step], order[step:]
    return (left, right) if keep is None else (left[keep], right[keep])


def _blur(rng: np.random.Generator, values: Floats, noise: float) -> Floats:
    return values + rng.normal(0.0, noise, len(values))


def _households(rng: np.random.Generator, people: Population, members: Ints) -> Pairs:
    order = members[np.argsort(_blur(rng, people.reliability[members], 0.25))]
    sizes = rng.choice(len(_HOUSEHOLD_SHARES), len(order) + 1, p=_HOUSEHOLD_SHARES) + 1
    home = np.searchsorted(np.cumsum(sizes), np.arange(len(order)), side="right")
    near = [_near(order, step, home[:-step] == home[step:]) for step in range(1, len(_HOUSEHOLD_SHARES))]
    return np.concatenate([n[0] for n in near]), np.concatenate([n[1] for n in near]), HOUSEHOLD


def _friends(rng: np.random.Generator, people: Population, members: Ints) -> Iterator[Pairs]:
    for noise in (0.10, 0.20):
        order = members[np.argsort(_blur(rng, people.reliability[members], noise))]
        for step, share in ((1, 0.5), (2, 0.35), (3, 0.2)):
            yield *_near(order, step, rng.random(max(len(order) - step, 0)) < share), FRIEND


def _colleagues(rng: np.random.Generator, people: Population, members: Ints) -> Iterator[Pairs]:
    employees = members[people.employer[members] > 0]
    order = employees[np.lexsort((_blur(rng, people.reliability[employees], 0.15), people.employer[employees]))]
    work = people.employer[order]
    for step, share, kind in ((1, 0.6, COLLEAGUE), (2, 0.4, COLLEAGUE), (3, 0.2, FRIEND)):
        if len(order) > step:
            yield *_near(order, step, (work[:-step] == work[step:]) & (rng.random(len(order) - step) < share)), kind


def _sybils(rng: np.random.Generator, people: Population, members: Ints) -> Iterator[Pairs]:
    fake = np.flatnonzero(people.sybil)
    order = fake[np.argsort(people.cluster[fake], kind="stable")]
    cluster = people.cluster[order]
    largest = int(np.bincount(cluster).max(initial=0))
    for step in range(1, largest):
        yield *_near(order, step, (cluster[:-step] == cluster[step:]) & (rng.random(len(order) - step) < 0.7)), FRIEND
    if len(order):
        first = np.searchsorted(cluster, np.arange(cluster[-1] + 1))
        yield np.repeat(order[first], _ATTACK_TIES), rng.choice(members, len(first) * _ATTACK_TIES), FRIEND


def _distinct(size: int, left: Ints, right: Ints, kind: Ints) -> tuple[Ints, Ints, Ints]:
    """Keep each unordered pair once for each kind of tie."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    unique_places = np.unique((low * size + high) * len(_NAMES) + kind, return_index=True)[1]
    unique_places.sort()
    return left[unique_places], right[unique_places], kind[unique_places]


def _vouches(
    rng: np.random.Generator, people: Population, left: Ints, right: Ints, kind: Ints
) -> tuple[Ints, Ints, Ints]:
    """Generate vouches: reliable friends and colleagues for reliable ones, a few against unreliable ones, and sybils
    for sybils.
    """
    swap = rng.random(len(left)) < 0.5
    giver, taker = np.where(swap, right, left), np.where(swap, left, right)
    trust, worth = people.reliability[giver], people.reliability[taker]
    fake = people.sybil[giver] & people.sybil[taker]
    draw = rng.random(len(left))
    praise = (kind != HOUSEHOLD) & (draw < 0.30 * trust * worth) & ~people.sybil[giver] & ~people.sybil[taker]
    warn = (kind != HOUSEHOLD) & (worth < 0.4) & (trust > 0.3) & (draw > 0.9) & ~fake
    good = np.clip(np.rint(10 * worth + rng.normal(-1.0, 1.5, len(left))), 1, 10)
    bad = -np.clip(np.rint(10 * (1 - worth) + rng.normal(-2.0, 2.0, len(left))), 1, 10)
    strength = np.select([fake, praise, warn], [rng.integers(8, 11, len(left)), good, bad], 0).astype(np.int64)
    places = np.flatnonzero((strength != 0) & (~fake | (draw < 0.8)))
    return giver[places], taker[places], strength[places]
