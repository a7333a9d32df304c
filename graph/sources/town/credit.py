"""Loans and bills: opened, paid, missed, settled, written off, as the hidden reliability has it, plus luck."""

from collections.abc import Iterator
from dataclasses import dataclass
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
    dates,
    generator,
    numbered,
    parts,
    rows,
)
from graph.sources.town.objections import correction_events, objection_events
from graph.sources.town.people import People

_EACH: Final = 0.6  # obligations a person, on average
_MOST_INSTALMENTS: Final = 12
_AT_ONCE: Final = 80_000  # obligations whose instalments fit into one frame
_MONTH: Final = 30 * DAY
_WRITTEN_OFF: Final = 3  # instalments never paid
_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Loans:
    """`number`, `owner`, `opened`, `count`, `amount` (of one instalment): a place an obligation."""

    number: Ints
    owner: Ints
    opened: Ints
    count: Ints
    amount: Ints


@dataclass(frozen=True)
class _Instalments:
    """`loan` is a place in _Loans; `paid` is _NEVER where it never is: a place an instalment."""

    loan: Ints
    number: Ints
    due: Ints
    missed: Bools
    paid: Ints


def default_odds(trust: Floats, luck: Floats) -> Floats:
    """The chance that one promise is broken: a half at reliability 0.3, one in fifteen at 0.7."""
    odds: Floats = 1 / (1 + np.exp(6.5 * trust - 2.0 - luck))
    return odds


def credit_events(people: People, seed: int, span: Span) -> Iterator[pl.DataFrame]:
    """obligation.* and, for a few, the disputes, corrections and retractions of them."""
    rng = generator(seed, "credit")
    counts = rng.poisson(np.where(people.thin | people.sybil, 0.0, _EACH))
    luck = rng.normal(0.0, 0.6, people.size)
    owners = np.repeat(np.arange(people.size), counts)
    for part, cut in enumerate(parts(len(owners), _AT_ONCE)):
        rng = generator(seed, "credit", part + 1)
        owner, size = owners[cut], cut.stop - cut.start
        since = people.enrolled_at(span)[owner]
        loans = _Loans(
            number=np.arange(cut.start, cut.stop),
            owner=owner,
            opened=since + (rng.random(size) * (span.end - since)).astype(np.int64),
            count=np.where(rng.random(size) < 0.3, 1, rng.integers(3, _MOST_INSTALMENTS + 1, size)),
            amount=(people.income[owner] * rng.lognormal(-2.0, 0.5, size)).astype(np.int64) + 100,
        )
        due = _instalments(rng, loans, people.reliability[owner], luck[owner])
        yield _opened(people, loans)
        yield from _promises(people, loans, due, seed, part, span)
        yield from _ends(people, loans, due, span)


def _instalments(rng: np.random.Generator, loans: _Loans, trust: Floats, luck: Floats) -> _Instalments:
    loan = np.repeat(np.arange(len(loans.count)), loans.count)
    turn = np.arange(len(loan)) - np.repeat(np.cumsum(loans.count) - loans.count, loans.count)
    due = loans.opened[loan] + (turn + 1) * _MONTH
    size = len(loan)
    missed = rng.random(size) < default_odds(trust, luck)[loan]
    made_good = rng.random(size) < 0.35 + 0.55 * trust[loan]
    early = due - (rng.random(size) * 5 * DAY).astype(np.int64)
    late = due + DAY + HOUR + (rng.random(size) ** 2 * 45 * DAY).astype(np.int64)
    paid = np.select([~missed, made_good], [early, late], _NEVER)
    return _Instalments(loan, loans.number[loan] * _MOST_INSTALMENTS + turn, due, missed, paid)


def _opened(people: People, loans: _Loans) -> pl.DataFrame:
    return rows(
        "obligation.opened",
        BANK,
        event_id=numbered("oo", loans.number),
        subject=people.ids.gather(loans.owner),
        happened_at=loans.opened,
        obligation=numbered("o", loans.number),
        amount=loans.amount * loans.count,
        currency=CURRENCY,
        due=dates(loans.opened + loans.count * _MONTH),
    )


def _promises(
    people: People, loans: _Loans, due: _Instalments, seed: int, part: int, span: Span
) -> Iterator[pl.DataFrame]:
    missed = np.flatnonzero(due.missed & (due.due + DAY < span.end))
    adverse = _told(people, loans, due, missed, due.due[missed] + DAY, "obligation.missed", "om")
    yield adverse
    yield from objection_events(adverse, generator(seed, "objections", 2 * part), span)
    paid = np.flatnonzero(due.paid < span.end)
    good = _told(people, loans, due, paid, due.paid[paid], "obligation.paid", "op")
    yield good
    yield correction_events(good, generator(seed, "objections", 2 * part + 1), span)


def _told(
    people: People, loans: _Loans, due: _Instalments, which: Ints, at: Ints, kind: str, prefix: str
) -> pl.DataFrame:
    loan = due.loan[which]
    return rows(
        kind,
        BANK,
        event_id=numbered(prefix, due.number[which]),
        subject=people.ids.gather(loans.owner[loan]),
        happened_at=at,
        obligation=numbered("o", loans.number[loan]),
        amount=loans.amount[loan],
        currency=CURRENCY,
        due=dates(due.due[which]),
    )


def _ends(people: People, loans: _Loans, due: _Instalments, span: Span) -> Iterator[pl.DataFrame]:
    """Settled when the last instalment is paid; written off two months after the last day of one that never was, three times."""
    first = np.cumsum(loans.count) - loans.count
    never = np.add.reduceat((due.paid == _NEVER).astype(np.int64), first)
    done = np.maximum.reduceat(due.paid, first)
    lost = loans.opened + (loans.count + 2) * _MONTH
    for kind, prefix, at, applies in (
        ("obligation.settled", "os", done, (never == 0) & (done < span.end)),
        ("obligation.written_off", "ow", lost, (never >= _WRITTEN_OFF) & (lost < span.end)),
    ):
        which = np.flatnonzero(applies)
        yield rows(
            kind,
            BANK,
            event_id=numbered(prefix, loans.number[which]),
            subject=people.ids.gather(loans.owner[which]),
            happened_at=at[which],
            obligation=numbered("o", loans.number[which]),
        )
