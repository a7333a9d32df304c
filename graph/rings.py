"""Rings: money that goes round and comes back, as directed cycles of payments."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from graph.ranges import Bools, Ints, pieces, spread

LENGTHS: Final = (3, 4, 5)
# Chosen by reason, not fitted. Shorter than a month, so that monthly wages, rents and bills do not close a ring by mere
# routine; four steps of half a week each, longer than a transfer takes over a weekend.
WITHIN: Final = timedelta(days=14)
# Up to 5 % kept at each of four steps leaves 0.95^4 = 0.81 of the first amount: 1.23 times less, rounded up.
BAND: Final = Fraction(5, 4)
MICROSECOND: Final = timedelta(microseconds=1)
HUB: Final = 2_000  # payments in a year, made and received: five a day and more is a shop, an employer, a platform
# Two a day, and each of them one that a ring could go through. Beyond it the ways round are more than can be listed.
TANGLE: Final = 30
WORTHWHILE: Final = 0.5  # pruning goes on while it leaves at most this share


@dataclass(frozen=True)
class Payments:
    """Payments of one currency, a row each: parties are numbers 0 .. `parties` - 1, times microseconds, amounts minor units."""

    parties: int
    payer: Ints
    payee: Ints
    at: Ints
    amount: Ints

    def where(self, chosen: npt.NDArray[Any]) -> "Payments":
        """Those that a mask or an array of rows chooses."""
        return Payments(self.parties, self.payer[chosen], self.payee[chosen], self.at[chosen], self.amount[chosen])

    def __len__(self) -> int:
        return len(self.payer)


@dataclass(frozen=True)
class _Line:
    """Payments sorted by payer and time. A moment is its rank among all moments, so that payer and moment make one key."""

    paid: Payments
    moments: int  # different ones
    rank: Ints  # of each payment's moment
    until: Ints  # the last rank within the time of each payment
    key: Ints  # payer x moments + rank, sorted


@dataclass(frozen=True)
class _Pairs:
    """The same payments sorted by payer, payee and time."""

    pairs: Ints  # payer x parties + payee, each once, sorted
    key: Ints  # the pair's place x moments + rank, sorted
    row: Ints  # of the payments


@dataclass(frozen=True)
class _Paths:
    """Chains of payments in order of time, a row each: the parties passed, the last payment, and the limits so far."""

    parties: Ints  # paths x parties, the first is the first payer
    last: Ints  # the row of the last payment
    until: Ints  # the last moment (a rank) that is within the time of the first payment
    low: Ints  # the lowest amount
    high: Ints

    def where(self, chosen: npt.NDArray[Any] | slice) -> "_Paths":
        return _Paths(self.parties[chosen], self.last[chosen], self.until[chosen], self.low[chosen], self.high[chosen])


@dataclass(frozen=True)
class Found:
    """`rings`: an array of rings x longest length of parties in order of payment, -1 behind the shorter; rows sorted.

    `left_out`: a mask over parties, of those through whom no ring was looked for.
    """

    rings: Ints
    left_out: Bools

    def counts(self) -> Ints:
        """How many rings each party is on."""
        return np.bincount(self.rings[self.rings >= 0], minlength=len(self.left_out))


def rings(
    paid: Payments,
    within: timedelta = WITHIN,
    band: Fraction = BAND,
    lengths: Collection[int] = LENGTHS,
    hub: int | None = HUB,
    tangle: int | None = TANGLE,
) -> Found:
    """Every different ring once.

    A ring is some different parties, as many as one of `lengths` (3 or more), each of whom paid the next, and the last the
    first: in order of time (two payments at one moment are), at most `within` from the first to the last, the highest amount
    at most `band` times the lowest. Payments of nothing do not count. Rings of the same parties in the same order are one,
    whoever paid first and however often; it is written from its lowest number on.

    Two kinds of parties are left out with all their payments, and named as left out. A *hub* has more than `hub` payments, made
    and received: much passes through it, and a chain through it says nothing. A *tangle* has, without hubs, more than
    `tangle` in some stretch of `within` that stay in a strongly connected component and that another within time and band
    follows from there, or precedes: the rings through a crowd of these are too many to list. None: nobody is.

    Payments outside strongly connected components go first, then those that no other can follow or be followed by, while that
    helps. Then chains are grown payment by payment, by binary search of payer and time; those past their time or band are
    dropped at each step. Cost: O(payments x log payments), and a few steps for each chain within time and band, of which
    there are at most about (tangle / 2)^3 / 6 a payment; memory for the payments, `graph.ranges.MOST_ROWS` chains a step, and
    the rings found.

    Sources: cycles in time as in Kumar and Calders, 2SCENT, PVLDB 11, 2018; amounts kept alike as in layering (FATF's
    typologies; Altman et al., Realistic synthetic financial transactions for anti-money laundering models, NeurIPS 2023).
    """
    longest, time = max(lengths), within // MICROSECOND
    out = _hubs(paid, hub)
    kept = _chained(_circulating(_outside(paid.where(paid.amount > 0), out)), time, band)
    tangled = _tangled(kept, time, tangle)
    line = _line(_pruned(_outside(kept, tangled), time, band), time)
    found = [_named(ring, longest) for ring in _grown(line, _pairs(line), _starts(line), band, frozenset(lengths))]
    return Found(np.unique(np.concatenate([np.empty((0, longest), np.int64), *found]), axis=0), out | tangled)


def _outside(paid: Payments, parties: Bools) -> Payments:
    return paid.where(~parties[paid.payer] & ~parties[paid.payee])


def _hubs(paid: Payments, hub: int | None) -> Bools:
    if hub is None:
        return np.zeros(paid.parties, bool)
    return np.bincount(np.concatenate([paid.payer, paid.payee]), minlength=paid.parties) > hub


def _tangled(paid: Payments, within: int, tangle: int | None) -> Bools:
    """Who has more than `tangle` payments, made and received, in some stretch of time."""
    found = np.zeros(paid.parties, bool)
    if tangle is not None and len(paid):
        party, at = np.concatenate([paid.payer, paid.payee]), np.concatenate([paid.at, paid.at])
        line = _line(Payments(paid.parties, party, party, at, at), within)
        end = np.searchsorted(line.key, line.paid.payer * line.moments + line.until, side="right")
        found[line.paid.payer[end - np.arange(len(end)) > tangle]] = True
    return found


def _circulating(paid: Payments) -> Payments:
    """Only what stays within a strongly connected component: nothing else comes back."""
    links = coo_matrix((np.ones(len(paid), bool), (paid.payer, paid.payee)), shape=(paid.parties, paid.parties))
    part = connected_components(links, connection="strong")[1]
    return paid.where(part[paid.payer] == part[paid.payee])


def _chained(paid: Payments, within: int, band: Fraction) -> Payments:
    """Only payments that another can follow, or be followed by, on a ring: each of a ring is one."""
    line = _line(paid, within)
    chained = np.zeros(len(paid), bool)
    start = _starts(line)
    for which, row, _, _ in _next(line, start, band):
        chained[start.last[which]] = chained[row] = True
    return line.paid.where(chained)


def _pruned(paid: Payments, within: int, band: Fraction) -> Payments:
    """Without more of those that are on no ring, while that leaves much fewer."""
    while len(paid):
        before, paid = len(paid), _chained(_circulating(paid), within, band)
        if len(paid) > before * WORTHWHILE:
            break
    return paid


def _line(paid: Payments, within: int) -> _Line:
    moments, rank = np.unique(paid.at, return_inverse=True)
    key = paid.payer * len(moments) + rank
    order = np.argsort(key, kind="stable")
    until = np.searchsorted(moments, moments + within, side="right") - 1
    return _Line(paid.where(order), len(moments), rank[order], until[rank[order]], key[order])


def _pairs(line: _Line) -> _Pairs:
    paid = line.paid
    pairs, pair = np.unique(paid.payer * paid.parties + paid.payee, return_inverse=True)
    key = pair * line.moments + line.rank
    row = np.argsort(key, kind="stable")
    return _Pairs(pairs, key[row], row)


def _starts(line: _Line) -> _Paths:
    """Every payment as a path, in the order of payee and time: what follows is then looked up in order, which is quick."""
    row = np.argsort(line.paid.payee * line.moments + line.rank, kind="stable")
    paid = line.paid.where(row)
    return _Paths(np.stack([paid.payer, paid.payee], axis=1), row, line.until[row], paid.amount, paid.amount)


def _grown(line: _Line, pairs: _Pairs, paths: _Paths, band: Fraction, lengths: frozenset[int]) -> Iterator[Ints]:
    """The parties of the rings that paths of one payment or more become, in pieces."""
    size = paths.parties.shape[1]
    if size in lengths:
        yield from _closed(line, pairs, paths, band)
    if size < max(lengths):
        for which, row, low, high in _next(line, paths, band):
            parties = np.concatenate([paths.parties[which], line.paid.payee[row][:, None]], axis=1)
            yield from _grown(line, pairs, _Paths(parties, row, paths.until[which], low, high), band, lengths)


def _next(line: _Line, paths: _Paths, band: Fraction) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """The payments that continue which path to a new party, and the lowest and highest amounts then; in pieces."""
    start, count = _following(line.key, paths.parties[:, -1], line, paths)
    for piece in pieces(count):
        which, row = spread(start[piece], count[piece])
        which, row, low, high = _alike(line, paths, which + piece.start, row, band)
        new = np.flatnonzero((paths.parties[which] != line.paid.payee[row][:, None]).all(axis=1))
        if len(new):
            yield which[new], row[new], low[new], high[new]


def _closed(line: _Line, pairs: _Pairs, paths: _Paths, band: Fraction) -> Iterator[Ints]:
    """The parties of the paths whose last party pays the first in time."""
    wanted = paths.parties[:, -1] * line.paid.parties + paths.parties[:, 0]
    pair = np.minimum(np.searchsorted(pairs.pairs, wanted), len(pairs.pairs) - 1)
    paths = paths.where(pairs.pairs[pair] == wanted)
    start, count = _following(pairs.key, pair[pairs.pairs[pair] == wanted], line, paths)
    for piece in pieces(count):
        which, place = spread(start[piece], count[piece])
        yield paths.parties[_alike(line, paths, which + piece.start, pairs.row[place], band)[0]]


def _following(key: Ints, owner: Ints, line: _Line, paths: _Paths) -> tuple[Ints, Ints]:
    """Where among the keys of each path's `owner` those begin that are in time to follow it, and how many there are."""
    start = np.searchsorted(key, owner * line.moments + line.rank[paths.last])
    return start, np.searchsorted(key, owner * line.moments + paths.until, side="right") - start


def _alike(line: _Line, paths: _Paths, which: Ints, row: Ints, band: Fraction) -> tuple[Ints, Ints, Ints, Ints]:
    """Those of the continuations whose amounts are within the band, compared in whole numbers; the lowest and highest then."""
    amount = line.paid.amount[row]
    low, high = np.minimum(paths.low[which], amount), np.maximum(paths.high[which], amount)
    fits = np.flatnonzero(high * band.denominator <= low * band.numerator)
    return which[fits], row[fits], low[fits], high[fits]


def _named(rings: Ints, longest: int) -> Ints:
    """Each once, turned so that it begins with its lowest number, and padded with -1."""
    length = rings.shape[1]
    turn = (np.argmin(rings, axis=1)[:, None] + np.arange(length)) % length
    named = np.full((len(rings), longest), -1, np.int64)
    named[:, :length] = np.take_along_axis(rings, turn, axis=1)
    return np.unique(named, axis=0)
