"""Monthly wages, pensions and balances of the people whose bank takes part.

The bank reports all of an account; the wallet and the shops report some spending. A balance is last month's plus the
income, less the total that a person of that income and reliability spends: the unreliable spend a little more than they
earn, and have more months without pay. The bank is one of several in the town.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.datasets.town.frame import (
    BANK,
    CURRENCY,
    DAY,
    HOUR,
    Bools,
    Floats,
    Ints,
    TimeSpan,
    generator,
    numbered_ids,
    pick,
    rows,
)
from graph.datasets.town.people import GIG, NO_WORK, PENSION, SALARIED, Population

_MAX_INCOME_SHARE: Final = 0.4  # income is at most this share of the payments that you ask for
_BANKED_SHARE: Final = 0.28  # at most this share of the people who earn have an account at the bank
_DECEMBER_FACTOR: Final = 1.25  # spending in December, relative to the average month


def select_banked(people: Population, payments: int, seed: int, span: TimeSpan) -> Bools:
    """Select the people whose bank takes part: all who earn, or as many as leave most payments for spending."""
    earning = (people.work != NO_WORK) & ~people.thin
    months = (span.days - people.enrolled[earning]).sum() / span.days * (len(span.edges) - 1)
    share = min(_BANKED_SHARE, _MAX_INCOME_SHARE * payments / max(float(months), 1.0))
    banked: Bools = earning & (generator(seed, "income").random(people.size) < share)
    return banked


def income_events(people: Population, banked: Bools, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate payment.made from employer or pension office (`e-0`) to person, then account.balance at the end of each
    month.
    """
    members = np.flatnonzero(banked)
    ids, usual, trust, since = (
        people.ids.gather(members),
        people.income[members],
        people.reliability[members],
        people.enrolled_at(span)[members],
    )
    rng = generator(seed, "income", 1)
    balance = usual * np.maximum(3 * trust - 1.0 + rng.normal(0.0, 0.7, len(members)), -1.0)
    spends = usual * (1 - _skips(people.work[members], trust)) * (1.08 - 0.15 * trust)
    december = pl.Series(span.edges[:-1]).cast(pl.Datetime("us")).dt.month().to_numpy() == 12
    paid = 0
    for month in range(len(span.edges) - 1):
        rng = generator(seed, "income", month + 2)
        at, amount = _wages(rng, people, members, span, month)
        payees = np.flatnonzero(amount)
        yield _wage_rows(people, members[payees], at[payees], amount[payees], ids.gather(payees), paid)
        paid += len(payees)
        season = _DECEMBER_FACTOR if december[month] else 1 - (_DECEMBER_FACTOR - 1) / 11
        is_enrolled = since <= span.edges[month]  # from the first full month on
        balance = balance + amount - is_enrolled * spends * season * rng.lognormal(-0.02, 0.2, len(members))
        balance = np.maximum(balance, -1.5 * usual)
        close = int(span.edges[month + 1]) - HOUR
        holders = np.flatnonzero(since <= close)
        number = month * people.size + members[holders]
        yield rows(
            "account.balance",
            BANK,
            event_id=numbered_ids("b", number),
            subject=ids.gather(holders),
            happened_at=np.full(len(holders), close, dtype=np.int64),
            amount=balance[holders].astype(np.int64),
            currency=CURRENCY,
        )


def _wages(
    rng: np.random.Generator, people: Population, members: Ints, span: TimeSpan, month: int
) -> tuple[Ints, Floats]:
    """Draw the time and the amount, in whole fen, that each of `members` is paid this month; 0 for no payment."""
    work, trust, size = people.work[members], people.reliability[members], len(members)
    payday = np.select(
        [work == GIG, work == PENSION], [rng.integers(1, 27, size), 15], 5 + people.employer[members] % 20
    )
    late = (work == SALARIED) & (rng.random(size) < 0.10 - 0.06 * trust)
    first, after = int(span.edges[month]), int(span.edges[month + 1])
    at = first + (payday + late) * DAY + 9 * HOUR + (rng.random(size) * HOUR).astype(np.int64)
    skips = _skips(work, trust)
    comes = (rng.random(size) >= skips) & (at >= people.enrolled_at(span)[members]) & (at < after)
    spread = np.select([work == SALARIED, work == GIG], [0.03, 0.40], 0.0)
    amount = people.income[members] * np.exp(spread * rng.normal(0.0, 1.0, size))
    return at, np.where(comes, np.rint(np.maximum(amount, 1_000)), 0.0)


def _skips(work: Ints, trust: Floats) -> Floats:
    """Return the probability of a month without pay."""
    return np.select([work == SALARIED, work == GIG], [0.25 * (1 - trust) + 0.12, 0.70 * (1 - trust) + 0.15], 0.002)


def _wage_rows(
    people: Population, members: Ints, at: Ints, amount: Floats, ids: pl.Series, before: int
) -> pl.DataFrame:
    return rows(
        "payment.made",
        BANK,
        event_id=numbered_ids("w", np.arange(before, before + len(members))),
        subject=numbered_ids("e", people.employer[members]),
        other=ids,
        happened_at=at,
        amount=amount.astype(np.int64),
        currency=CURRENCY,
        category=pick(("wage", "pension"), (people.work[members] == PENSION).astype(np.int64)),
        channel="transfer",
    )
