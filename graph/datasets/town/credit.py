"""Loans and bills: opened, paid, missed, settled, written off, as hidden reliability and chance determine."""

from collections.abc import Iterator
from dataclasses import dataclass
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
    dates,
    generator,
    numbered_ids,
    parts,
    rows,
)
from graph.datasets.town.objections import correction_events, objection_events
from graph.datasets.town.people import Population

_OBLIGATIONS_A_PERSON: Final = 1.6  # obligations a person, on average
_BILL_SHARE: Final = 0.9  # obligations of one instalment
_MAX_INSTALMENTS: Final = 12
_CHUNK_OBLIGATIONS: Final = 80_000  # obligations whose instalments fit into one frame
_MONTH: Final = 30 * DAY
_WRITE_OFF_INSTALMENTS: Final = 3  # number of instalments never paid
_NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Loans:
    """Loans, one position each. `amount` is that of one instalment."""

    number: Ints
    owner: Ints
    opened: Ints
    count: Ints
    amount: Ints


@dataclass(frozen=True)
class _Instalments:
    """Instalments, one position each. `loan` is a position in _Loans; `paid` is _NEVER for an instalment that is never
    paid.
    """

    loan: Ints
    number: Ints
    due: Ints
    missed: Bools
    paid: Ints


def default_odds(trust: Floats, luck: Floats) -> Floats:
    """Return the probability that one obligation is broken: a half at reliability 0.38, one in twenty at 0.7."""
    odds: Floats = 1 / (1 + np.exp(9.0 * trust - 3.4 - luck))
    return odds


def credit_events(people: Population, seed: int, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Generate obligation.* events and, for a few of them, disputes, corrections and retractions."""
    rng = generator(seed, "credit")
    counts = rng.poisson(np.where(people.thin | people.sybil, 0.0, _OBLIGATIONS_A_PERSON))
    luck = rng.normal(0.0, 0.6, people.size)
    owners = np.repeat(np.arange(people.size), counts)
    for part, cut in enumerate(parts(len(owners), _CHUNK_OBLIGATIONS)):
        rng = generator(seed, "credit", part + 1)
        owner, size = owners[cut], cut.stop - cut.start
        since = people.enrolled_at(span)[owner]
        loans = _Loans(
            number=np.arange(cut.start, cut.stop),
            owner=owner,
            opened=since + (rng.random(size) * (span.end - since)).astype(np.int64),
            count=np.where(rng.random(size) < _BILL_SHARE, 1, rng.integers(3, _MAX_INSTALMENTS + 1, size)),
            amount=(people.income[owner] * rng.lognormal(-2.0, 0.5, size)).astype(np.int64) + 100,
        )
        due = _instalments(rng, loans, people.reliability[owner], luck[owner])
        yield _opening_rows(people, loans)
        yield from _instalment_events(people, loans, due, seed, part, span)
        yield from _closing_events(people, loans, due, span)


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
    return _Instalments(loan, loans.number[loan] * _MAX_INSTALMENTS + turn, due, missed, paid)


def _opening_rows(people: Population, loans: _Loans) -> pl.DataFrame:
    return rows(
        "obligation.opened",
        BANK,
        event_id=numbered_ids("oo", loans.number),
        subject=people.ids.gather(loans.owner),
        happened_at=loans.opened,
        obligation=numbered_ids("o", loans.number),
        amount=loans.amount * loans.count,
        currency=CURRENCY,
        due=dates(loans.opened + loans.count * _MONTH),
    )


def _instalment_events(
    people: Population, loans: _Loans, due: _Instalments, seed: int, part: int, span: TimeSpan
) -> Iterator[pl.DataFrame]:
    missed = np.flatnonzero(due.missed & (due.due + DAY < span.end))
    adverse = _instalment_rows(people, loans, due, missed, due.due[missed] + DAY, "obligation.missed", "om")
    yield adverse
    yield from objection_events(adverse, generator(seed, "objections", 2 * part), span)
    paid = np.flatnonzero(due.paid < span.end)
    good = _instalment_rows(people, loans, due, paid, due.paid[paid], "obligation.paid", "op")
    yield good
    yield correction_events(good, generator(seed, "objections", 2 * part + 1), span)


def _instalment_rows(
    people: Population, loans: _Loans, due: _Instalments, places: Ints, at: Ints, kind: str, prefix: str
) -> pl.DataFrame:
    loan = due.loan[places]
    return rows(
        kind,
        BANK,
        event_id=numbered_ids(prefix, due.number[places]),
        subject=people.ids.gather(loans.owner[loan]),
        happened_at=at,
        obligation=numbered_ids("o", loans.number[loan]),
        amount=loans.amount[loan],
        currency=CURRENCY,
        due=dates(due.due[places]),
    )


def _closing_events(people: Population, loans: _Loans, due: _Instalments, span: TimeSpan) -> Iterator[pl.DataFrame]:
    """Settle a loan when its last instalment is paid. Write it off two months after its last due day if three or more
    instalments are never paid.
    """
    first = np.cumsum(loans.count) - loans.count
    never = np.add.reduceat((due.paid == _NEVER).astype(np.int64), first)
    settled_at = np.maximum.reduceat(due.paid, first)
    written_off_at = loans.opened + (loans.count + 2) * _MONTH
    for kind, prefix, at, applies in (
        ("obligation.settled", "os", settled_at, (never == 0) & (settled_at < span.end)),
        (
            "obligation.written_off",
            "ow",
            written_off_at,
            (never >= _WRITE_OFF_INSTALMENTS) & (written_off_at < span.end),
        ),
    ):
        places = np.flatnonzero(applies)
        yield rows(
            kind,
            BANK,
            event_id=numbered_ids(prefix, loans.number[places]),
            subject=people.ids.gather(loans.owner[places]),
            happened_at=at[places],
            obligation=numbered_ids("o", loans.number[places]),
        )
