"""A random population of any size, drawn with a seed and written to Parquet: the input of `tests.bench.size`.

Only its shape is realistic: most people are enrolled and consent, few pay much. A third of the payments are between people, along
ties and to strangers. The others are to merchants, and very many people pay some of them. Ties close triangles; some items are
corrected, disputed or retracted.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from graph.evidence.events import SCHEMA
from graph.evidence.vocabulary import STANDARD

END: Final = datetime(2026, 6, 30, 12, tzinfo=UTC)  # the `as_of` of the build
SEED: Final = 4
YEARS: Final = 2
_MICROS: Final = 1_000_000
_SPAN: Final = YEARS * 365 * 86_400 * _MICROS
_TIES: Final = ("household", "family", "friend", "colleague", "vouch")
Columns = dict[str, Any]


def write(folder: Path, people: int, payments: int, ties: int) -> None:
    """One Parquet file for each kind of evidence, in the order of appending by name. About 25 bytes an event."""
    rng = np.random.default_rng(SEED)
    start = int(END.timestamp()) * _MICROS - _SPAN
    person_ids = pl.select(pl.format("person-{}", pl.int_range(people, dtype=pl.Int64)))[:, 0].cast(pl.String)
    before = np.full(people, start - 86_400 * _MICROS)
    levels = rng.choice(4, people, p=(0.02, 0.18, 0.6, 0.2))
    _write_file(folder / "1-enrolled.parquet", "person.enrolled", before, subject=person_ids, identity_level=levels)
    classes = rng.choice(
        [
            "identity,relationship,behaviour,restricted,credit",
            "identity,behaviour,credit",
            "identity,relationship,behaviour,credit",
        ],
        people,
        p=(0.7, 0.2, 0.1),
    )
    _write_file(
        folder / "2-consents.parquet", "consent.granted", before, subject=person_ids, purpose="perks", classes=classes
    )
    a, b = _pairs(rng, people, ties)
    tie = rng.choice(_TIES, a.size, p=(0.15, 0.2, 0.4, 0.15, 0.1))
    strength = np.where(tie == "vouch", rng.integers(-3, 11, a.size), rng.integers(1, 11, a.size))
    at = np.sort(start + rng.integers(0, _SPAN, a.size))
    _write_file(
        folder / "3-ties.parquet",
        "tie.formed",
        at,
        subject=person_ids[a],
        other=person_ids[b],
        tie=tie,
        strength=strength,
    )
    ended_rows = np.sort(rng.choice(a.size, a.size // 20, replace=False))
    when = at[ended_rows] + rng.integers(0, int(END.timestamp()) * _MICROS - at[ended_rows])
    ended_ties = {"subject": person_ids[a[ended_rows]], "other": person_ids[b[ended_rows]], "tie": tie[ended_rows]}
    _write_file(folder / "7-ties-ended.parquet", "tie.ended", when, **ended_ties)
    read_at = start + rng.integers(0, _SPAN, people)
    balances = np.rint(rng.normal(200_000, 150_000, people)).astype(np.int64)
    _write_file(
        folder / "8-balances.parquet", "account.balance", read_at, subject=person_ids, amount=balances, currency="CNY"
    )
    _write_payments(rng, folder, person_ids, payments, start)
    _write_credit(rng, folder / "5-credit.parquet", person_ids, people, start)


def events(folder: Path) -> pl.LazyFrame:
    """The whole population, as a ledger returns it."""
    return pl.concat(sources(folder), how="diagonal")


def sources(folder: Path) -> list[pl.LazyFrame]:
    """The same, file by file."""
    return [pl.scan_parquet(p) for p in sorted(folder.glob("*.parquet"))]


def _pairs(rng: np.random.Generator, people: int, ties: int) -> tuple[np.ndarray, np.ndarray]:
    """Two thirds of the ties are between people with close numbers, so that ties close triangles."""
    near = ties * 2 // 3
    a = rng.integers(0, people, ties)
    b = (
        np.concatenate([a[:near] + rng.integers(1, 6, near), (people * rng.power(0.4, ties - near)).astype(np.int64)])
        % people
    )
    distinct = a != b
    return a[distinct], b[distinct]


def _write_payments(rng: np.random.Generator, folder: Path, person_ids: pl.Series, n: int, start: int) -> None:
    people = person_ids.len()
    merchants = max(people // 100, 1)
    payer = (people * rng.power(0.7, n)).astype(np.int64)
    kind = rng.random(n)
    stranger = (people * rng.power(0.5, n)).astype(np.int64)
    friend = (payer + rng.integers(1, 6, n)) % people
    shop = people + (merchants * rng.power(0.3, n)).astype(np.int64)
    payee = np.where(kind < 0.2, friend, np.where(kind < 0.3, stranger, shop))
    wage = kind > 0.9  # these a merchant pays to the person
    payer, payee = np.where(wage, shop, payer), np.where(wage, payer, payee)
    amount = (np.exp(rng.normal(8, 1.2, n))).astype(np.int64)
    at = start + rng.integers(0, _SPAN, n)
    _add_rings(rng, people, (payer, payee, at, amount), start)
    payee = np.where(payer == payee, (payee + 1) % people, payee)
    shops = pl.select(pl.format("shop-{}", pl.int_range(merchants, dtype=pl.Int64)))[:, 0]
    parties = pl.concat([person_ids, shops])
    order = np.argsort(at, kind="stable")
    payer, payee, at, amount, wage = (column[order] for column in (payer, payee, at, amount, wage))
    columns = {"subject": parties[payer], "other": parties[payee], "amount": amount, "currency": "CNY"}
    category = np.where(wage, "wage", rng.choice(STANDARD.categories[4:], n))
    _write_file(folder / "4-payments.parquet", "payment.made", at, category=category, **columns)
    _write_changes(rng, folder / "6-changes.parquet", parties, payer, at)


def _add_rings(rng: np.random.Generator, people: int, payments: tuple[np.ndarray, ...], start: int) -> None:
    """For one in a thousand people, three to five of the payments form a cycle instead, a day apart, each 2 % less."""
    payer, payee, at, amount = payments
    offset = 0
    for size in rng.integers(3, 6, people // 1000):
        rows, members = slice(offset, offset + size), rng.choice(people, size, replace=False)
        payer[rows], payee[rows] = members, np.roll(members, -1)
        at[rows] = start + _SPAN // 2 + rng.integers(0, _SPAN // 3) + np.arange(size) * 86_400 * _MICROS
        amount[rows] = 100_000 * 0.98 ** np.arange(size)
        offset += size


def _write_changes(rng: np.random.Generator, path: Path, parties: pl.Series, payer: np.ndarray, at: np.ndarray) -> None:
    """One payment in a thousand is corrected, retracted, or disputed by its payer, a day later."""
    rows = np.sort(rng.choice(payer.size, payer.size // 1000, replace=False))
    kind = rng.choice(["event.corrected", "event.retracted", "dispute.opened"], rows.size)
    when = np.minimum(at[rows] + 86_400 * _MICROS, int(END.timestamp()) * _MICROS)
    items = pl.select(pl.format("4-{}", pl.lit(pl.Series(rows))))[:, 0]
    fields = pl.Series(np.where(kind == "event.corrected", '{"amount": 777}', ""))
    columns = {"subject": parties[payer[rows]], "ref_event": items, "fields": fields.replace("", None)}
    _write_file(path, kind, when, **columns)


def _write_credit(rng: np.random.Generator, path: Path, person_ids: pl.Series, n: int, start: int) -> None:
    """As many instalments as people, of a third of them."""
    borrowers = rng.integers(0, max(n // 3, 1), n)
    kind = rng.choice(
        ["obligation.paid", "obligation.missed", "obligation.opened", "obligation.settled"], n, p=(0.8, 0.1, 0.07, 0.03)
    )
    at = np.sort(start + rng.integers(0, _SPAN, n))
    loans = pl.select(pl.format("loan-{}", pl.lit(pl.Series(borrowers))))[:, 0]
    _write_file(path, kind, at, subject=person_ids[borrowers], obligation=loans)


def _write_file(path: Path, kind: Any, at: np.ndarray, **columns: Any) -> None:
    n = at.size
    times = pl.Series(at).cast(pl.Datetime("us", "UTC"))
    values = {"kind": kind, "happened_at": times, "recorded_at": times, "contributor": "bank", **columns}
    series = {name: _column(value, n) for name, value in values.items()}
    series["event_id"] = pl.select(pl.format(path.stem[0] + "-{}", pl.int_range(n, dtype=pl.Int64)))[:, 0]
    frame = pl.DataFrame(series)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.select(c for c in SCHEMA if c in frame.columns).cast(
        {c: t for c, t in SCHEMA.items() if c in frame.columns}
    ).write_parquet(path)


def _column(value: Any, n: int) -> Any:
    if isinstance(value, str):
        return pl.repeat(value, n, eager=True)
    return value if isinstance(value, pl.Series) else pl.Series(value)
