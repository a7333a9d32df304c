"""Rings: directed cycles of payments in which money returns to its first payer.

We first drop payments outside strongly connected components, then payments that no other payment can follow or precede
on a ring, as long as this removes many. Then we extend chains payment by payment, by binary search on payer and time.
Each step drops the chains that exceed the time or the band of amounts.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from graph.algorithms.ranges import Bools, Ints, pieces, spread

RING_LENGTHS: Final = (3, 4, 5)
# Reasoned, not fitted. Shorter than a month, so that monthly wages, rents and bills do not close a ring by
# routine. Four steps of half a week each, which is longer than a transfer takes over a weekend.
RING_DURATION: Final = timedelta(days=14)
# If each of four steps keeps up to 5 %, 0.95^4 = 0.81 of the first amount remains: 1.23 times less, rounded up.
AMOUNT_BAND: Final = Fraction(5, 4)
MICROSECOND: Final = timedelta(microseconds=1)
HUB_PAYMENTS: Final = (
    2_000  # payments in a year, made and received: a party with five a day is a shop, an employer or a platform
)
# Two payments a day, each of which could be part of a ring. Beyond this, we could not list all cycles.
TANGLE_PAYMENTS: Final = 30
MAX_PRUNED_SHARE: Final = 0.5  # we repeat the pruning while it keeps at most this share


@dataclass(frozen=True)
class PaymentColumns:
    """Payments of one currency, one row each. Parties are numbers 0 .. `parties` - 1, times are microseconds, amounts
    minor units.
    """

    parties: int
    payer: Ints
    payee: Ints
    at: Ints
    amount: Ints

    def where(self, selection: npt.NDArray[Any]) -> "PaymentColumns":
        """Select rows by a mask or by an array of row numbers."""
        return PaymentColumns(
            self.parties, self.payer[selection], self.payee[selection], self.at[selection], self.amount[selection]
        )

    def __len__(self) -> int:
        return len(self.payer)


@dataclass(frozen=True)
class _PaymentIndex:
    """Payments sorted by payer and time. A moment is its rank among all moments, so that payer and moment form one key."""

    payments: PaymentColumns
    moments: int  # number of distinct moments
    rank: Ints  # rank of each payment's moment
    until: Ints  # last rank within the duration that starts at each payment
    key: Ints  # payer x moments + rank, sorted


@dataclass(frozen=True)
class _PairIndex:
    """The same payments sorted by payer, payee and time."""

    pairs: Ints  # payer x parties + payee, each pair once, sorted
    key: Ints  # position of the pair x moments + rank, sorted
    row: Ints  # row of the payment


@dataclass(frozen=True)
class _Paths:
    """Chains of payments in order of time, one row each: the parties on the path, the last payment and the limits so
    far.
    """

    parties: Ints  # paths x parties; the first column is the first payer
    last: Ints  # row of the last payment
    until: Ints  # last moment (a rank) within the duration that starts at the first payment
    low: Ints  # lowest amount
    high: Ints

    def where(self, selection: npt.NDArray[Any] | slice) -> "_Paths":
        return _Paths(
            self.parties[selection],
            self.last[selection],
            self.until[selection],
            self.low[selection],
            self.high[selection],
        )


@dataclass(frozen=True)
class RingSearch:
    """The result of a search for rings.

    `rings`: an array of shape (rings, longest length) that holds the parties in order of payment, padded with -1; rows
    are sorted. `excluded`: a mask over parties, true for those that we left out.
    """

    rings: Ints
    excluded: Bools

    def counts(self) -> Ints:
        """Count the rings of each party, shape (parties,)."""
        return np.bincount(self.rings[self.rings >= 0], minlength=len(self.excluded))


def rings(
    payments: PaymentColumns,
    within: timedelta = RING_DURATION,
    band: Fraction = AMOUNT_BAND,
    lengths: Collection[int] = RING_LENGTHS,
    hub: int | None = HUB_PAYMENTS,
    tangle: int | None = TANGLE_PAYMENTS,
) -> RingSearch:
    """Find every distinct ring.

    A ring is a sequence of distinct parties, with a length from `lengths` (3 or more). Each party paid the next, and
    the last paid the first. The payments are in order of time (two payments at one moment count as ordered), span at
    most `within` from first to last, and the highest amount is at most `band` times the lowest. Payments of 0 do not
    count. We count the same parties in the same order as one ring, whichever party paid first and however often. We
    write a ring from its lowest number on.

    We exclude two kinds of parties, with all their payments, and report them in `excluded`; None excludes nobody. A
    *hub* has more than `hub` payments, made and received: so much money passes through it that a chain through it
    proves nothing. A *tangle* has, after hubs are removed, more than `tangle` payments in some period of `within`. We
    count only payments that stay in a strongly connected component and that another payment within time and band
    follows or precedes. A crowd of such parties has too many rings to list.

    Cost: O(payments x log payments), and a few steps for each chain within time and band, at most about (tangle / 2)^3
    / 6 a payment. Memory: the payments, `graph.algorithms.ranges.MAX_PIECE_ROWS` chains a step, and the result.
    Sources: cycles in time as in Kumar and Calders, 2SCENT, PVLDB 11, 2018; amounts kept alike as in layering (FATF's
    typologies; Altman et al., Realistic synthetic financial transactions for anti-money laundering models, NeurIPS
    2023).
    """
    longest, time = max(lengths), within // MICROSECOND
    hubs = _hubs(payments, hub)
    candidates = _keep_chained(
        _keep_circulating(_exclude_parties(payments.where(payments.amount > 0), hubs)), time, band
    )
    tangled = _tangled(candidates, time, tangle)
    index = _build_index(_prune(_exclude_parties(candidates, tangled), time, band), time)
    parts = [
        _canonical(ring, longest)
        for ring in _grow(index, _build_pairs(index), _starts(index), band, frozenset(lengths))
    ]
    return RingSearch(np.unique(np.concatenate([np.empty((0, longest), np.int64), *parts]), axis=0), hubs | tangled)


def _exclude_parties(payments: PaymentColumns, parties: Bools) -> PaymentColumns:
    return payments.where(~parties[payments.payer] & ~parties[payments.payee])


def _hubs(payments: PaymentColumns, hub: int | None) -> Bools:
    if hub is None:
        return np.zeros(payments.parties, bool)
    return np.bincount(np.concatenate([payments.payer, payments.payee]), minlength=payments.parties) > hub


def _tangled(payments: PaymentColumns, within: int, tangle: int | None) -> Bools:
    """Mark the parties with more than `tangle` payments, made and received, in some period of `within`."""
    mask = np.zeros(payments.parties, bool)
    if tangle is not None and len(payments):
        party, at = np.concatenate([payments.payer, payments.payee]), np.concatenate([payments.at, payments.at])
        index = _build_index(PaymentColumns(payments.parties, party, party, at, at), within)
        end = np.searchsorted(index.key, index.payments.payer * index.moments + index.until, side="right")
        mask[index.payments.payer[end - np.arange(len(end)) > tangle]] = True
    return mask


def _keep_circulating(payments: PaymentColumns) -> PaymentColumns:
    """Keep only payments within a strongly connected component: no other payment can be on a cycle."""
    links = coo_matrix(
        (np.ones(len(payments), bool), (payments.payer, payments.payee)), shape=(payments.parties, payments.parties)
    )
    part = connected_components(links, connection="strong")[1]
    return payments.where(part[payments.payer] == part[payments.payee])


def _keep_chained(payments: PaymentColumns, within: int, band: Fraction) -> PaymentColumns:
    """Keep only payments that another payment can follow or precede on a ring; every payment of a ring can."""
    index = _build_index(payments, within)
    chained = np.zeros(len(payments), bool)
    start = _starts(index)
    for path, row, _, _ in _continuations(index, start, band):
        chained[start.last[path]] = chained[row] = True
    return index.payments.where(chained)


def _prune(payments: PaymentColumns, within: int, band: Fraction) -> PaymentColumns:
    """Repeat both filters while they remove many payments (see `MAX_PRUNED_SHARE`)."""
    while len(payments):
        before, payments = len(payments), _keep_chained(_keep_circulating(payments), within, band)
        if len(payments) > before * MAX_PRUNED_SHARE:
            break
    return payments


def _build_index(payments: PaymentColumns, within: int) -> _PaymentIndex:
    moments, rank = np.unique(payments.at, return_inverse=True)
    key = payments.payer * len(moments) + rank
    order = np.argsort(key, kind="stable")
    until = np.searchsorted(moments, moments + within, side="right") - 1
    return _PaymentIndex(payments.where(order), len(moments), rank[order], until[rank[order]], key[order])


def _build_pairs(index: _PaymentIndex) -> _PairIndex:
    payments = index.payments
    pairs, pair = np.unique(payments.payer * payments.parties + payments.payee, return_inverse=True)
    key = pair * index.moments + index.rank
    row = np.argsort(key, kind="stable")
    return _PairIndex(pairs, key[row], row)


def _starts(index: _PaymentIndex) -> _Paths:
    """Make each payment a path, in order of payee and time: look-ups of the next payment then run in order, which is
    fast.
    """
    row = np.argsort(index.payments.payee * index.moments + index.rank, kind="stable")
    payments = index.payments.where(row)
    return _Paths(
        np.stack([payments.payer, payments.payee], axis=1), row, index.until[row], payments.amount, payments.amount
    )


def _grow(
    index: _PaymentIndex, pairs: _PairIndex, paths: _Paths, band: Fraction, lengths: frozenset[int]
) -> Iterator[Ints]:
    """Yield, in pieces, the parties of the rings that extend these paths."""
    size = paths.parties.shape[1]
    if size in lengths:
        yield from _close(index, pairs, paths, band)
    if size < max(lengths):
        for path, row, low, high in _continuations(index, paths, band):
            parties = np.concatenate([paths.parties[path], index.payments.payee[row][:, None]], axis=1)
            yield from _grow(index, pairs, _Paths(parties, row, paths.until[path], low, high), band, lengths)


def _continuations(index: _PaymentIndex, paths: _Paths, band: Fraction) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Yield, in pieces, the payments that extend a path to a new party: path, payment, lowest and highest amount so
    far.
    """
    start, count = _followers(index.key, paths.parties[:, -1], index, paths)
    for piece in pieces(count):
        path, row = spread(start[piece], count[piece])
        path, row, low, high = _within_band(index, paths, path + piece.start, row, band)
        new = np.flatnonzero((paths.parties[path] != index.payments.payee[row][:, None]).all(axis=1))
        if len(new):
            yield path[new], row[new], low[new], high[new]


def _close(index: _PaymentIndex, pairs: _PairIndex, paths: _Paths, band: Fraction) -> Iterator[Ints]:
    """Yield the parties of the paths whose last party pays the first party in time."""
    pair_keys = paths.parties[:, -1] * index.payments.parties + paths.parties[:, 0]
    pair = np.minimum(np.searchsorted(pairs.pairs, pair_keys), len(pairs.pairs) - 1)
    paths = paths.where(pairs.pairs[pair] == pair_keys)
    start, count = _followers(pairs.key, pair[pairs.pairs[pair] == pair_keys], index, paths)
    for piece in pieces(count):
        path, place = spread(start[piece], count[piece])
        yield paths.parties[_within_band(index, paths, path + piece.start, pairs.row[place], band)[0]]


def _followers(key: Ints, owner: Ints, index: _PaymentIndex, paths: _Paths) -> tuple[Ints, Ints]:
    """Return, for each path, the position of the first key of `owner` that is in time to follow the path, and the
    number of such keys.
    """
    start = np.searchsorted(key, owner * index.moments + index.rank[paths.last])
    return start, np.searchsorted(key, owner * index.moments + paths.until, side="right") - start


def _within_band(
    index: _PaymentIndex, paths: _Paths, path: Ints, row: Ints, band: Fraction
) -> tuple[Ints, Ints, Ints, Ints]:
    """Select the continuations whose amounts are within the band, compared as integers. Returns the new lowest and
    highest amounts too.
    """
    amount = index.payments.amount[row]
    low, high = np.minimum(paths.low[path], amount), np.maximum(paths.high[path], amount)
    fits = np.flatnonzero(high * band.denominator <= low * band.numerator)
    return path[fits], row[fits], low[fits], high[fits]


def _canonical(rings: Ints, longest: int) -> Ints:
    """Rotate each ring to begin with its lowest number, pad it with -1, and drop duplicates."""
    length = rings.shape[1]
    turn = (np.argmin(rings, axis=1)[:, None] + np.arange(length)) % length
    padded = np.full((len(rings), longest), -1, np.int64)
    padded[:, :length] = np.take_along_axis(rings, turn, axis=1)
    return np.unique(padded, axis=0)
