"""Wages, pensions and the balances they leave, month by month, of the people whose bank takes part.

The bank sees all of an account; the wallet and the shops see some spending. A balance is last month's plus what came in
less what a person of that income and reliability spends in all: the unreliable spend a little more than they earn.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from graph.sources.town.frame import (
    BANK,
    CURRENCY,
    DAY,
    HOUR,
    Bools,
    Floats,
    Ints,
    Span,
    generator,
    numbered,
    picked,
    rows,
)
from graph.sources.town.people import GIG, NO_WORK, PENSION, SALARIED, People

_MOST_OF_PAYMENTS: Final = 0.4  # more than this share of the payments asked for is never income
_DECEMBER: Final = 1.25  # what people spend in it against the year's average month


def covered(people: People, payments: int, seed: int, span: Span) -> Bools:
    """Whose bank takes part: all who earn, or as many as leave most payments for spending."""
    earning = (people.work != NO_WORK) & ~people.thin
    months = (span.days - people.enrolled[earning]).sum() / span.days * (len(span.edges) - 1)
    share = min(1.0, _MOST_OF_PAYMENTS * payments / max(float(months), 1.0))
    banked: Bools = earning & (generator(seed, "income").random(people.size) < share)
    return banked


def income_events(people: People, banked: Bools, seed: int, span: Span) -> Iterator[pl.DataFrame]:
    """payment.made from employer or pension office (`e-0`) to person, then account.balance at the end of each month."""
    who = np.flatnonzero(banked)
    ids, usual, trust, since = (
        people.ids.gather(who),
        people.income[who],
        people.reliability[who],
        people.enrolled_at(span)[who],
    )
    rng = generator(seed, "income", 1)
    balance = usual * np.maximum(3 * trust - 0.7 + rng.normal(0.0, 0.7, len(who)), -1.0)
    spends = usual * (1 - _skips(people.work[who], trust)) * (1.08 - 0.15 * trust)
    december = pl.Series(span.edges[:-1]).cast(pl.Datetime("us")).dt.month().to_numpy() == 12
    paid = 0
    for month in range(len(span.edges) - 1):
        rng = generator(seed, "income", month + 2)
        at, amount = _wages(rng, people, who, span, month)
        got = np.flatnonzero(amount)
        yield _paid(people, who[got], at[got], amount[got], ids.gather(got), paid)
        paid += len(got)
        season = _DECEMBER if december[month] else 1 - (_DECEMBER - 1) / 11
        here = since <= span.edges[month]  # from the first whole month on
        balance = balance + amount - here * spends * season * rng.lognormal(-0.02, 0.2, len(who))
        balance = np.maximum(balance, -1.5 * usual)
        close = int(span.edges[month + 1]) - HOUR
        told = np.flatnonzero(since <= close)
        number = month * people.size + who[told]
        yield rows(
            "account.balance",
            BANK,
            event_id=numbered("b", number),
            subject=ids.gather(told),
            happened_at=np.full(len(told), close, dtype=np.int64),
            amount=balance[told].astype(np.int64),
            currency=CURRENCY,
        )


def _wages(rng: np.random.Generator, people: People, who: Ints, span: Span, month: int) -> tuple[Ints, Floats]:
    """When and how much each of `who` is paid this month, in whole fen; 0 for not at all."""
    work, trust, size = people.work[who], people.reliability[who], len(who)
    payday = np.select([work == GIG, work == PENSION], [rng.integers(1, 27, size), 15], 5 + people.employer[who] % 20)
    late = (work == SALARIED) & (rng.random(size) < 0.10 - 0.06 * trust)
    first, after = int(span.edges[month]), int(span.edges[month + 1])
    at = first + (payday + late) * DAY + 9 * HOUR + (rng.random(size) * HOUR).astype(np.int64)
    skips = _skips(work, trust)
    comes = (rng.random(size) >= skips) & (at >= people.enrolled_at(span)[who]) & (at < after)
    spread = np.select([work == SALARIED, work == GIG], [0.03, 0.40], 0.0)
    amount = people.income[who] * np.exp(spread * rng.normal(0.0, 1.0, size))
    return at, np.where(comes, np.rint(np.maximum(amount, 1_000)), 0.0)


def _skips(work: Ints, trust: Floats) -> Floats:
    """The chance that a month brings no pay."""
    return np.select([work == SALARIED, work == GIG], [0.04 - 0.03 * trust, 0.30 - 0.20 * trust], 0.002)


def _paid(people: People, who: Ints, at: Ints, amount: Floats, ids: pl.Series, before: int) -> pl.DataFrame:
    return rows(
        "payment.made",
        BANK,
        event_id=numbered("w", np.arange(before, before + len(who))),
        subject=numbered("e", people.employer[who]),
        other=ids,
        happened_at=at,
        amount=amount.astype(np.int64),
        currency=CURRENCY,
        category=picked(("wage", "pension"), (people.work[who] == PENSION).astype(np.int64)),
        channel="transfer",
    )
