"""Evaluate the score on real loans with known outcomes: Berka's loans of 1993 to 1996.

We score each loan's person one microsecond before the loan's day, 00:00 UTC, so we use no event of that day or later. We do
not use the ledger: every event counts as known from the time at which it happened. We fit nothing to these outcomes; the
points of the rules are judgement.
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

from api.evaluation.figures import PURPOSE, Measure, measure, table_of, with_interval
from api.evaluation.workers import Progress, default_workers, map_pieces
from api.features import pattern_flags
from api.features.builds import feature_names, with_flags
from api.releases.catalogue import definitions_of
from api.store.clock import EPOCH
from engine.decide.pattern_evaluators import PatternEvaluators
from engine.lang.engines import columnar
from engine.lang.model.program import Program
from engine.verify import metrics
from graph.datasets import berka as source
from graph.features.pipeline import features, relevant_events

JUST_BEFORE: Final = timedelta(microseconds=1)
COSTLY_FEATURES: Final = frozenset(("fraud.rings",))  # it needs everyone's payments on every day
DAYS_PER_CHUNK: Final = 12  # enough days to outweigh the overhead of a task, few enough to show progress
UNSCORABLE: Final = "unscorable"
BASELINES: Final = (  # single features; a useful score must be better than each
    ("fewest misses", "credit.missed", -1),
    ("fewest low balances", "capacity.balance_low_share", -1),
    ("longest known", "identity.tenure_days", 1),
)
Chunk = tuple[pl.DataFrame, dict[date, list[str]], Program]


@dataclass(frozen=True)
class Figures:
    """How well one number orders the loans. `n` and `bad` count loans with the number; `unscored_*` count loans without it."""

    name: str
    n: int
    bad: int
    unscored_good: int
    unscored_bad: int
    auc: Measure
    ks: Measure
    mean_good: float
    mean_bad: float


class BandOutcome(NamedTuple):
    """The loans of people in a band, and the number of bad ones."""

    band: str
    n: int
    bad: int

    @property
    def rate(self) -> float | None:
        """The share of bad loans; None in an empty band."""
        return self.bad / self.n if self.n else None


@dataclass(frozen=True)
class Variant:
    """The score's figures, and its bands, worst first; the last one is for loans without a score."""

    figures: Figures
    bands: tuple[BandOutcome, ...]


@dataclass(frozen=True)
class BerkaEvaluation:
    """The results under one release. `without_balances`: everyone's scores without consent to the class `restricted`."""

    release: str
    loans: int
    bad: int
    first: date
    last: date
    with_balances: Variant
    without_balances: Variant
    baselines: tuple[Figures, ...]


def evaluate_folder(
    folder: Path, program: Program, *, on_progress: Progress | None = None, workers: int | None = None
) -> BerkaEvaluation:
    """Evaluate the score on the labelled loans in `folder`. Deterministic for any number of `workers`.

    `workers`: number of processes (None: one per core, at most four; 1: this process). We call `on_progress` with the loans
    done and the total. Raises SourceError if the data set differs from the published one.
    """
    events, labels = source.events(folder), source.labels(folder)
    table = features_at_loans(events, labels, program, workers=workers or default_workers(), on_progress=on_progress)
    return evaluate(program, table)


def features_at_loans(
    events: pl.DataFrame,
    labels: pl.DataFrame,
    program: Program,
    *,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> pl.DataFrame:
    """Join `labels` (`person`, `date`, `bad` and more) with each person's features and flags just before the date.

    All values of a person not enrolled by then are null. We compute rings only if a rule reads them. `events` has the columns
    of `graph.evidence.events.SCHEMA`.
    """
    report_progress = on_progress or (lambda _completed, _total: None)
    chunks = list(_chunks(events.with_columns(recorded_at="happened_at"), labels, program))
    report_progress(0, labels.height)
    parts: list[pl.DataFrame] = []
    for part, (_, days, _) in zip(map_pieces(_as_of_days, chunks, workers), chunks, strict=True):
        parts.append(part)
        report_progress(int((labels["date"] <= max(days)).sum()), labels.height)
    return labels.join(pl.concat(parts), on=["person", "date"], how="left", maintain_order="left")


def evaluate(program: Program, table: pl.DataFrame) -> BerkaEvaluation:
    """Compute the figures from the table of `features_at_loans`. Raises Rejected unless good and bad loans have a score.

    Without consent to balances, the features of that class are missing and no others change. The baselines order the loans
    that have a score with balances, so that all figures are about the same loans.
    """
    blind = table.with_columns(pl.lit(None, pl.Int64).alias(name) for name in _restricted_features(program))
    scored = table.filter(scores(program, table)["score"].is_not_null())
    days = table["date"].sort()
    return BerkaEvaluation(
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
    """The `score` and `band` of each row, in the same order; both null without a score."""
    day = (max(table["date"]) - EPOCH.date()).days if table.height else 0  # value lists as of the last loan
    result: pl.DataFrame = columnar.score(program, nw.from_native(table), day).to_native().select("score", "band")
    return result


def report_parts(evaluation: BerkaEvaluation) -> Iterator[Table | str]:
    """Format the results for a terminal of 80 columns: figures, bands, and notes for the reader."""
    score, blind = evaluation.with_balances.figures, evaluation.without_balances.figures
    yield f"{evaluation.loans} loans of {evaluation.first} to {evaluation.last}, {evaluation.bad} of them bad; release {evaluation.release[:12]}"
    yield _figures_table([score, blind, *evaluation.baselines])
    for f in (score, blind):
        yield f"{f.name}: mean {f.mean_good:.1f} of the good, {f.mean_bad:.1f} of the bad"
        yield f"  without a score: {f.unscored_good + f.unscored_bad} loans, {f.unscored_bad} of them bad"
    for variant in (evaluation.with_balances, evaluation.without_balances):
        yield _bands_table(variant)
    yield "Each loan is scored as of the moment before its day. Nothing was fitted to these"
    yield f"loans: the points are judgement. Brackets: 95 % intervals of {metrics.SAMPLES:,} draws;"
    yield "those of KS, a largest gap, lean upwards."


def _chunks(events: pl.DataFrame, labels: pl.DataFrame, program: Program) -> Iterator[Chunk]:
    """Yield chunks of days in order, with the events that the features of their people need."""
    by_day: dict[date, list[str]] = {}
    for day, person in labels.select("date", "person").unique().sort("date", "person").iter_rows():
        by_day.setdefault(day, []).append(person)
    days = list(by_day)
    for start in range(0, len(days), DAYS_PER_CHUNK):
        part = {day: by_day[day] for day in days[start : start + DAYS_PER_CHUNK]}
        chunk_people = {p for people in part.values() for p in people}
        yield relevant_events(events, chunk_people, _needed_features(program)), part, program


def _restricted_features(program: Program) -> list[str]:
    return [name for name, attribute in program.schema.items() if attribute.data_class == "restricted"]


def _needed_features(program: Program) -> frozenset[str]:
    return (frozenset(feature_names(program)) - COSTLY_FEATURES).union(program.features)


def _as_of_days(chunk: Chunk) -> pl.DataFrame:
    events, days, program = chunk
    pattern_evaluators = PatternEvaluators(program)
    parts = []
    for day, people in days.items():
        as_of = datetime.combine(day, time(), UTC) - JUST_BEFORE
        feature_rows = features(
            events,
            as_of,
            as_of,
            PURPOSE,
            people,
            _needed_features(program),
            definitions=definitions_of(program),
        )
        if any(p.flag in program.scorecard_reads for p in program.flags):  # we do not need the flags of perks here
            flags = pattern_flags.flags_of_events(
                events, as_of, as_of, PURPOSE, pattern_evaluators, feature_rows["person"].to_list()
            )
            feature_rows = with_flags(feature_rows, program, flags)
        parts.append(feature_rows.with_columns(date=pl.lit(day)))
    pattern_evaluators.close()
    return pl.concat(parts)


def _variant(program: Program, name: str, table: pl.DataFrame) -> Variant:
    scored = scores(program, table).with_columns(bad=table["bad"])
    counts = {band: (n, bad) for band, n, bad in scored.group_by("band").agg(pl.len(), pl.col("bad").sum()).iter_rows()}
    band_names = [(b.name, b.name) for b in program.scorecard.bands] + [(None, UNSCORABLE)]
    bands = tuple(BandOutcome(label, *counts.get(band, (0, 0))) for band, label in band_names)
    return Variant(_figures(name, scored["score"], table["bad"]), bands)


def _baselines(scored: pl.DataFrame) -> Iterator[Figures]:
    """The figures of each baseline whose feature has a value for good and for bad loans."""
    for name, feature, sign in BASELINES:
        if scored.filter(pl.col(feature).is_not_null())["bad"].n_unique() == 2:
            yield _figures(name, scored[feature] * sign, scored["bad"])


def _figures(name: str, values: pl.Series, bad: pl.Series) -> Figures:
    sample = metrics.sample(values, bad)
    auc, ks = (measure(statistic, sample) for statistic in (metrics.auc, metrics.ks))
    means = (float(np.mean(sample.scores[sample.bad == outcome])) for outcome in (False, True))
    counts = sample.scores.size, int(sample.bad.sum()), sample.unscored_good, sample.unscored_bad
    return Figures(name, *counts, auc, ks, *means)


def _figures_table(lines: Iterable[Figures]) -> Table:
    table = table_of("How well it orders the loans", ("ordered by", "loans", "AUC", "KS"))
    for f in lines:
        whole = f.n + f.unscored_good + f.unscored_bad
        measures = (with_interval(m) for m in (f.auc, f.ks))
        table.add_row(f.name, str(f.n) if f.n == whole else f"{f.n} of {whole}", *measures)
    return table


def _bands_table(variant: Variant) -> Table:
    table = table_of(f"Bands: {variant.figures.name}", ("band", "loans", "bad", "rate"))
    for line in variant.bands:
        table.add_row(line.band, str(line.n), str(line.bad), "-" if line.rate is None else f"{100 * line.rate:.1f} %")
    return table
