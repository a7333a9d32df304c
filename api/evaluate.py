"""How well the rules order real people whose outcome is known: Berka's loans of 1993 to 1996.

Each loan's person is scored as of the loan's day, 00:00 UTC, less a microsecond, so that nothing dated on that day or later
is seen. The ledger is not involved: every event counts as known from the moment it happened. Nothing is fitted to these
outcomes, here or anywhere; the rules' points are judgement.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl
from rich.table import Table

import graph
from engine import metrics
from engine.lang import columnar
from engine.lang.program import Release
from graph.features import features, touching
from graph.sources import berka as source

PURPOSE: Final = "perks"
JUST_BEFORE: Final = timedelta(microseconds=1)
RESTRICTED: Final = tuple(f.name for f in graph.schema() if f.data_class == "restricted")
CHUNK: Final = 12  # days a task: enough to outweigh handing it over, few enough that progress is seen
MOST_WORKERS: Final = 4
SEED: Final = 1999  # of the intervals; the year of the challenge
UNSCORABLE: Final = "unscorable"
BASELINES: Final = (  # each one feature alone; below it a score is of no use
    ("fewest misses", "credit.missed", -1),
    ("fewest low balances", "capacity.balance_low_share", -1),
    ("longest known", "identity.tenure_days", 1),
)
Progress = Callable[[int, int], None]
Chunk = tuple[pl.DataFrame, dict[date, list[str]]]


class Measure(NamedTuple):
    """A figure and its 95 % interval, from drawing the loans again."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """How well one number orders the loans: `n` and `bad` of those that have it, and how many good and bad do not."""

    name: str
    n: int
    bad: int
    unscored_good: int
    unscored_bad: int
    auc: Measure
    ks: Measure
    mean_good: float
    mean_bad: float


class BandLine(NamedTuple):
    """The loans whose person is in a band, worst band first, and how many went bad."""

    band: str
    n: int
    bad: int

    @property
    def rate(self) -> float | None:
        """The share that went bad; None in an empty band."""
        return self.bad / self.n if self.n else None


@dataclass(frozen=True)
class Variant:
    """The score's figures, and its bands (the last line: without a score)."""

    figures: Figures
    bands: tuple[BandLine, ...]


@dataclass(frozen=True)
class Evaluation:
    """What came out, under one release. `without_balances`: everyone scored as if they had not consented to `restricted`."""

    release: str
    loans: int
    bad: int
    first: date
    last: date
    with_balances: Variant
    without_balances: Variant
    baselines: tuple[Figures, ...]


def berka(
    folder: Path, release: Release, *, on_progress: Progress | None = None, workers: int | None = None
) -> Evaluation:
    """The release's score against how the labelled loans in `folder` went. The same every time, however many `workers`.

    `workers`: processes (None: one a core, at most four); 1 stays in this one. `on_progress` is told (loans done, loans).
    Raises SourceError for a data set that is not as published.
    """
    workers = workers or min(os.cpu_count() or 1, MOST_WORKERS)
    table = at_loans(source.events(folder), source.labels(folder), workers=workers, on_progress=on_progress)
    return evaluation(release, table)


def at_loans(
    events: pl.DataFrame, labels: pl.DataFrame, *, workers: int = 1, on_progress: Progress | None = None
) -> pl.DataFrame:
    """`labels` (`person`, `date`, `bad` and more), and each person's features as of just before that date.

    A person not enrolled by then has none: all null. `events` has the columns of `graph.events.SCHEMA`.
    """
    tell = on_progress or (lambda _done, _total: None)
    chunks = list(_chunks(events.with_columns(recorded_at="happened_at"), labels))
    tell(0, labels.height)
    found: list[pl.DataFrame] = []
    with _mapper(min(workers, len(chunks))) as run:
        for part in run(_as_of_days, chunks):
            found.append(part)
            tell(sum(f.height for f in found), labels.height)
    return labels.join(pl.concat(found), on=["person", "date"], how="left", maintain_order="left")


def evaluation(release: Release, table: pl.DataFrame) -> Evaluation:
    """The figures of the table that `at_loans` made. Raises Refused unless there are good and bad loans with a score.

    Without consent to balances the features of that class are missing and no other changes.
    """
    blind = table.with_columns(pl.lit(None, pl.Int64).alias(name) for name in RESTRICTED)
    bad, days = table["bad"], table["date"].sort()
    return Evaluation(
        release=release.id,
        loans=table.height,
        bad=int(bad.sum()),
        first=days[0],
        last=days[-1],
        with_balances=_variant(release, "score", table),
        without_balances=_variant(release, "score without balances", blind),
        baselines=tuple(_figures(name, table[feature] * sign, bad) for name, feature, sign in BASELINES),
    )


def scores(release: Release, table: pl.DataFrame) -> pl.DataFrame:
    """`score` and `band` of each row of features, in their order; both null where there is no score."""
    found: pl.DataFrame = columnar.score(release, nw.from_native(table)).to_native().select("score", "band")
    return found


def shown(found: Evaluation) -> Iterator[Table | str]:
    """What a terminal shows of it: a title, the figures, the bands, and what is to be known when reading them."""
    yield (
        f"Berka: {found.loans} loans of {found.first} to {found.last}, {found.bad} of them bad; "
        f"scored as of the moment before each, under release {found.release[:12]}"
    )
    yield _figures_table([found.with_balances.figures, found.without_balances.figures, *found.baselines])
    yield _bands_table({"": found.with_balances.bands, "without balances ": found.without_balances.bands})
    yield "Nothing was fitted to these loans: the points are judgement. Intervals: 95 %, loans drawn again 1,000 times."


def _chunks(events: pl.DataFrame, labels: pl.DataFrame) -> Iterator[Chunk]:
    """The days in order, so many at a time, each with the events that any of its people's features need."""
    by_day: dict[date, list[str]] = {}
    for day, person in labels.select("date", "person").unique().sort("date", "person").iter_rows():
        by_day.setdefault(day, []).append(person)
    days = list(by_day)
    for start in range(0, len(days), CHUNK):
        part = {day: by_day[day] for day in days[start : start + CHUNK]}
        yield touching(events, {p for people in part.values() for p in people}), part


def _as_of_days(chunk: Chunk) -> pl.DataFrame:
    events, days = chunk
    found = []
    for day, people in days.items():
        as_of = datetime.combine(day, time(), UTC) - JUST_BEFORE
        found.append(features(events, as_of, as_of, PURPOSE, people).with_columns(date=pl.lit(day)))
    return pl.concat(found)


@contextmanager
def _mapper(
    workers: int,
) -> Iterator[Callable[[Callable[[Chunk], pl.DataFrame], Iterable[Chunk]], Iterable[pl.DataFrame]]]:
    """`map`, in that many processes. They are spawned: Polars' threads do not survive a fork."""
    if workers <= 1:
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield pool.map


def _variant(release: Release, name: str, table: pl.DataFrame) -> Variant:
    scored = scores(release, table).with_columns(bad=table["bad"])
    counts = {band: (n, bad) for band, n, bad in scored.group_by("band").agg(pl.len(), pl.col("bad").sum()).iter_rows()}
    named = [(b.name, b.name) for b in release.scorecard.bands] + [(None, UNSCORABLE)]
    bands = tuple(BandLine(shown_as, *counts.get(band, (0, 0))) for band, shown_as in named)
    return Variant(_figures(name, scored["score"], table["bad"]), bands)


def _figures(name: str, values: pl.Series, bad: pl.Series) -> Figures:
    known = metrics.sample(values, bad)
    auc, ks = (_measure(statistic, known) for statistic in (metrics.auc, metrics.ks))
    means = (float(np.mean(known.scores[known.bad == outcome])) for outcome in (False, True))
    counts = known.scores.size, int(known.bad.sum()), known.unscored_good, known.unscored_bad
    return Figures(name, *counts, auc, ks, *means)


def _measure(statistic: metrics.Statistic, known: metrics.Sample) -> Measure:
    low, high = metrics.bootstrap(known.scores, known.bad, statistic, seed=SEED)
    return Measure(statistic(known.scores, known.bad), low, high)


def _figures_table(lines: Iterable[Figures]) -> Table:
    columns = ("ordered by", "loans", "bad", "unscored good/bad", "AUC", "KS", "mean good", "mean bad")
    table = _table("How well it orders", columns)
    for f in lines:
        measures = (f"{m.value:.3f} ({m.low:.3f}-{m.high:.3f})" for m in (f.auc, f.ks))
        means = (f"{mean:.1f}" for mean in (f.mean_good, f.mean_bad))
        table.add_row(f.name, str(f.n), str(f.bad), f"{f.unscored_good}/{f.unscored_bad}", *measures, *means)
    return table


def _bands_table(variants: dict[str, tuple[BandLine, ...]]) -> Table:
    table = _table("Bands", ("band", *(f"{v}{c}" for v in variants for c in ("loans", "bad", "rate"))))
    for lines in zip(*variants.values(), strict=True):
        cells: list[Any] = [lines[0].band]
        for line in lines:
            cells += [str(line.n), str(line.bad), "-" if line.rate is None else f"{100 * line.rate:.1f} %"]
        table.add_row(*cells)
    return table


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    return table
