"""How well the rules order real people whose outcome is known: Berka's loans of 1993 to 1996.

Each loan's person is scored as of the loan's day, 00:00 UTC, less a microsecond, so that nothing dated on that day or later
is seen. The ledger is not involved: every event counts as known from the moment it happened. Nothing is fitted to these
outcomes, here or anywhere; the rules' points are judgement.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl
from rich.table import Table

import graph
from api.clock import EPOCH
from api.evaluate.figures import PURPOSE, Measure, measure, spanned, table_of
from api.evaluate.workers import Progress, mapped, most
from api.features import watching
from api.features.builds import with_flags
from engine import metrics
from engine.lang import columnar
from engine.lang.program import Program
from engine.watchers import Watchers
from graph.features import features, touching
from graph.sources import berka as source

JUST_BEFORE: Final = timedelta(microseconds=1)
RESTRICTED: Final = tuple(f.name for f in graph.schema() if f.data_class == "restricted")
CHEAP: Final = frozenset(f.name for f in graph.schema()) - {
    "fraud.rings"
}  # that needs everyone's payments on every day
CHUNK: Final = 12  # days a task: enough to outweigh handing it over, few enough that progress is seen
UNSCORABLE: Final = "unscorable"
BASELINES: Final = (  # each one feature alone; below it a score is of no use
    ("fewest misses", "credit.missed", -1),
    ("fewest low balances", "capacity.balance_low_share", -1),
    ("longest known", "identity.tenure_days", 1),
)
Chunk = tuple[pl.DataFrame, dict[date, list[str]], Program]


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


def measured(
    folder: Path, program: Program, *, on_progress: Progress | None = None, workers: int | None = None
) -> Evaluation:
    """The release's score against how the labelled loans in `folder` went. The same every time, however many `workers`.

    `workers`: processes (None: one a core, at most four); 1 stays in this one. `on_progress` is told (loans done, loans).
    Raises SourceError for a data set that is not as published.
    """
    events, labels = source.events(folder), source.labels(folder)
    table = at_loans(events, labels, program, workers=workers or most(), on_progress=on_progress)
    return evaluation(program, table)


def at_loans(
    events: pl.DataFrame,
    labels: pl.DataFrame,
    program: Program,
    *,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> pl.DataFrame:
    """`labels` (`person`, `date`, `bad` and more), and each person's features and flags as of just before that date.

    A person not enrolled by then has none: all null. Rings are found only where a rule reads them. `events` has the columns of `graph.events.SCHEMA`.
    """
    tell = on_progress or (lambda _done, _total: None)
    chunks = list(_chunks(events.with_columns(recorded_at="happened_at"), labels, program))
    tell(0, labels.height)
    found: list[pl.DataFrame] = []
    for part, (_, days, _) in zip(mapped(_as_of_days, chunks, workers), chunks, strict=True):
        found.append(part)
        tell(int((labels["date"] <= max(days)).sum()), labels.height)
    return labels.join(pl.concat(found), on=["person", "date"], how="left", maintain_order="left")


def evaluation(program: Program, table: pl.DataFrame) -> Evaluation:
    """The figures of the table that `at_loans` made. Raises Refused unless there are good and bad loans with a score.

    Without consent to balances the features of that class are missing and no other changes. The baselines order the
    loans that have a score with balances, so that all figures are about the same loans.
    """
    blind = table.with_columns(pl.lit(None, pl.Int64).alias(name) for name in RESTRICTED)
    scored = table.filter(scores(program, table)["score"].is_not_null())
    days = table["date"].sort()
    return Evaluation(
        release=program.release,
        loans=table.height,
        bad=int(table["bad"].sum()),
        first=days[0],
        last=days[-1],
        with_balances=_variant(program, "score", table),
        without_balances=_variant(program, "score without balances", blind),
        baselines=tuple(_baselines(scored)),
    )


def scores(program: Program, table: pl.DataFrame) -> pl.DataFrame:
    """`score` and `band` of each row of features, in their order; both null where there is no score."""
    day = (max(table["date"]) - EPOCH.date()).days if table.height else 0  # lists are read as of the last loan
    found: pl.DataFrame = columnar.score(program, nw.from_native(table), day).to_native().select("score", "band")
    return found


def shown(found: Evaluation) -> Iterator[Table | str]:
    """What a terminal of 80 columns shows of it: the figures, the bands, and what to know when reading them."""
    score, blind = found.with_balances.figures, found.without_balances.figures
    yield f"{found.loans} loans of {found.first} to {found.last}, {found.bad} of them bad; release {found.release[:12]}"
    yield _figures_table([score, blind, *found.baselines])
    for f in (score, blind):
        yield f"{f.name}: mean {f.mean_good:.1f} of the good, {f.mean_bad:.1f} of the bad"
        yield f"  without a score: {f.unscored_good + f.unscored_bad} loans, {f.unscored_bad} of them bad"
    for variant in (found.with_balances, found.without_balances):
        yield _bands_table(variant)
    yield "Each loan is scored as of the moment before its day. Nothing was fitted to these"
    yield f"loans: the points are judgement. Brackets: 95 % intervals of {metrics.SAMPLES:,} draws;"
    yield "those of KS, a largest gap, lean upwards."


def _chunks(events: pl.DataFrame, labels: pl.DataFrame, program: Program) -> Iterator[Chunk]:
    """The days in order, so many at a time, each with the events that any of its people's features need."""
    by_day: dict[date, list[str]] = {}
    for day, person in labels.select("date", "person").unique().sort("date", "person").iter_rows():
        by_day.setdefault(day, []).append(person)
    days = list(by_day)
    for start in range(0, len(days), CHUNK):
        part = {day: by_day[day] for day in days[start : start + CHUNK]}
        everyone = {p for people in part.values() for p in people}
        yield touching(events, everyone, CHEAP.union(program.features)), part, program


def _as_of_days(chunk: Chunk) -> pl.DataFrame:
    events, days, program = chunk
    watchers = Watchers(program)
    found = []
    for day, people in days.items():
        as_of = datetime.combine(day, time(), UTC) - JUST_BEFORE
        known = features(events, as_of, as_of, PURPOSE, people, CHEAP.union(program.features))
        if any(p.flag in program.scored_by for p in program.flags):  # those of perks are not asked here
            flags = watching.flags(events, as_of, as_of, PURPOSE, watchers, known["person"].to_list())
            known = with_flags(known, program, flags)
        found.append(known.with_columns(date=pl.lit(day)))
    watchers.close()
    return pl.concat(found)


def _variant(program: Program, name: str, table: pl.DataFrame) -> Variant:
    scored = scores(program, table).with_columns(bad=table["bad"])
    counts = {band: (n, bad) for band, n, bad in scored.group_by("band").agg(pl.len(), pl.col("bad").sum()).iter_rows()}
    named = [(b.name, b.name) for b in program.scorecard.bands] + [(None, UNSCORABLE)]
    bands = tuple(BandLine(shown_as, *counts.get(band, (0, 0))) for band, shown_as in named)
    return Variant(_figures(name, scored["score"], table["bad"]), bands)


def _baselines(scored: pl.DataFrame) -> Iterator[Figures]:
    """Those that can be measured: of which both a good and a bad loan have the feature."""
    for name, feature, sign in BASELINES:
        if scored.filter(pl.col(feature).is_not_null())["bad"].n_unique() == 2:
            yield _figures(name, scored[feature] * sign, scored["bad"])


def _figures(name: str, values: pl.Series, bad: pl.Series) -> Figures:
    known = metrics.sample(values, bad)
    auc, ks = (measure(statistic, known) for statistic in (metrics.auc, metrics.ks))
    means = (float(np.mean(known.scores[known.bad == outcome])) for outcome in (False, True))
    counts = known.scores.size, int(known.bad.sum()), known.unscored_good, known.unscored_bad
    return Figures(name, *counts, auc, ks, *means)


def _figures_table(lines: Iterable[Figures]) -> Table:
    table = table_of("How well it orders the loans", ("ordered by", "loans", "AUC", "KS"))
    for f in lines:
        whole = f.n + f.unscored_good + f.unscored_bad
        measures = (spanned(m) for m in (f.auc, f.ks))
        table.add_row(f.name, str(f.n) if f.n == whole else f"{f.n} of {whole}", *measures)
    return table


def _bands_table(variant: Variant) -> Table:
    table = table_of(f"Bands: {variant.figures.name}", ("band", "loans", "bad", "rate"))
    for line in variant.bands:
        table.add_row(line.band, str(line.n), str(line.bad), "-" if line.rate is None else f"{100 * line.rate:.1f} %")
    return table
