"""Evaluate the ring and fan-in features on AMLSim: how well they detect accounts that the simulation put on a ring.

The features are those of the catalogue, as we serve them. We chose their constants by judgement, not by these labels. The
table of other constants shows how much the results depend on them; we choose nothing by it. Precision and recall count
accounts: the labelled share of the flagged accounts, and the flagged share of the labelled accounts.

The labels name the accounts that the simulation meant to put on a ring. The data show in part which rings came about
(`RingStatistics`); this bounds the recall of any search for closed rings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from rich.table import Table
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from api.evaluation.figures import PURPOSE, Measure, Part, measure, table_of, with_interval
from api.evaluation.workers import Progress
from engine.verify import metrics
from graph.algorithms.ranges import Bools
from graph.algorithms.rings import AMOUNT_BAND, RING_DURATION, RING_LENGTHS, PaymentColumns, rings
from graph.datasets import amlsim as source
from graph.features.pipeline import features
from graph.network.build import positions
from iftah.shipped import shipped_definitions

RINGS: Final = "fraud.rings"
FAN_IN: Final = "fraud.fan_in"
THRESHOLDS: Final = (2, 3, 4, 5, 7, 10)  # different payers in a week
VARIANT_DAYS: Final = (7, 14, 30, 150)  # days; 150 covers the whole data set
VARIANT_BANDS: Final = (Fraction(21, 20), Fraction(5, 4), Fraction(2))
ANY_BAND: Final = Fraction(10**9)
PUBLISHED_AUC: Final = "0.89-0.90"  # AUC of boosted trees on nine aggregates, fitted to these labels
Accounts = pl.DataFrame  # `person`, `ringed`, `collects`, `closed`, and the features


@dataclass(frozen=True)
class FlagResult:
    """The accounts that a criterion flags, and how many of them have the label."""

    by: str
    flagged: int
    right: int
    ringed: int
    collecting: tuple[int, int]  # flagged, and all, of the accounts paid by two or more of their ring
    closing: tuple[int, int]  # flagged, and all, of the accounts on a closed cycle

    @property
    def precision(self) -> float | None:
        """The labelled share of the flagged accounts; None without flagged accounts."""
        return self.right / self.flagged if self.flagged else None

    @property
    def recall(self) -> float:
        """The flagged share of the labelled accounts."""
        return self.right / self.ringed


@dataclass(frozen=True)
class RingStatistics:
    """Statistics of the rings in the data. `paying` counts the payments by an account on its day of action to another labelled
    account.
    """

    paying: int
    parties: int  # accounts in those payments
    collecting: int  # accounts paid so by two or more others
    gathering: int  # accounts that paid those
    closed: int  # cycles of such payments, in any order of time
    closing: int  # accounts on them
    in_order: int  # cycles of such payments in order of time, with any duration and amounts


@dataclass(frozen=True)
class RingVariant:
    """The rings found with other constants than the feature's."""

    days: int
    band: Fraction
    rings: int
    result: FlagResult


@dataclass(frozen=True)
class AmlsimEvaluation:
    """The results of the evaluation."""

    accounts: int
    ringed: int
    ring_statistics: RingStatistics
    rings: int  # by the feature's own constants
    excluded: int  # accounts with too many payments; the feature finds no rings through them
    results: tuple[FlagResult, ...]
    areas: tuple[tuple[str, Measure], ...]
    variants: tuple[RingVariant, ...]


def evaluate_folder(folder: Path, *, on_progress: Progress | None = None) -> AmlsimEvaluation:
    """Evaluate the features on the data set in `folder` against its labels. Deterministic.

    Raises SourceError if the data set differs from the published one.
    """
    return evaluate(source.events(folder), source.labels(folder), on_progress=on_progress)


def evaluate(events: pl.DataFrame, labels: pl.DataFrame, *, on_progress: Progress | None = None) -> AmlsimEvaluation:
    """Evaluate the features on events and labels. Raises Rejected unless you pass both labelled and unlabelled accounts."""
    report_progress = on_progress or (lambda _completed, _total: None)
    steps = len(VARIANT_DAYS) * len(VARIANT_BANDS) + 1
    report_progress(0, steps)
    statistics, accounts = statistics_and_accounts(events, labels)
    payments, variants = _payments(events, accounts), list[RingVariant]()
    for days in VARIANT_DAYS:
        for band in VARIANT_BANDS:
            report_progress(len(variants) + 1, steps)
            variants.append(_ring_variant(payments, accounts, days, band))
    results = [flag_result("rings >= 1", accounts[RINGS] >= 1, accounts)]
    results += [flag_result(f"fan_in >= {minimum}", accounts[FAN_IN] >= minimum, accounts) for minimum in THRESHOLDS]
    areas = ((name, _area(accounts, name)) for name in (RINGS, FAN_IN))
    ringed, ring_count, excluded = (
        int(accounts["ringed"].sum()),
        len(rings(payments).rings),
        accounts[RINGS].null_count(),
    )
    return AmlsimEvaluation(
        accounts.height, ringed, statistics, ring_count, excluded, tuple(results), tuple(areas), tuple(variants)
    )


def ring_payments(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The payments that the simulation presumably made for a ring, in the columns of `events`: by an account on its day of
    action, to another labelled account.
    """
    day = {"happened_at": "acted", "subject": "person"}
    acted = labels.drop_nulls("acted").select(pl.col(column).alias(name) for name, column in day.items())
    ringed = labels.filter("ringed")["person"].implode()
    payments = events.filter(pl.col("kind") == "payment.made", pl.col("other").is_in(ringed))
    return payments.join(acted, on=list(day), how="semi")


def statistics_and_accounts(events: pl.DataFrame, labels: pl.DataFrame) -> tuple[RingStatistics, Accounts]:
    """Compute the statistics of the rings, and a row for each account, in the order of ids."""
    ring_events = ring_payments(events, labels)
    names = labels["person"].sort()
    payments = _payments(ring_events, names.to_frame())
    collects = np.zeros(len(names), bool)
    pairs = np.unique(np.stack([payments.payer, payments.payee]), axis=1)
    collects[np.flatnonzero(np.bincount(pairs[1], minlength=len(names)) > 1)] = True
    gathering = len(np.unique(pairs[0][collects[pairs[1]]]))
    part, closed = _closed(payments)
    rings_in_order = rings(payments, timedelta(days=max(VARIANT_DAYS)), ANY_BAND, hub=None, tangle=None).rings
    parties = len(np.unique(pairs))
    statistics = RingStatistics(
        ring_events.height,
        parties,
        int(collects.sum()),
        gathering,
        len(np.unique(part[closed])),
        int(closed.sum()),
        len(rings_in_order),
    )
    now = events.select(pl.col("happened_at").max()).item()
    assert isinstance(now, datetime)  # noqa: S101
    feature_rows = features(
        events.with_columns(recorded_at="happened_at"),
        now,
        now,
        PURPOSE,
        feature_names=(RINGS, FAN_IN),
        definitions=shipped_definitions(),
    )
    account_rows = pl.DataFrame({"person": names, "collects": collects, "closed": closed})
    return statistics, account_rows.join(labels, on="person").join(feature_rows, on="person", how="left").sort("person")


def flag_result(by: str, flag: pl.Series, accounts: Accounts) -> FlagResult:
    """Compare flagged accounts with the labels."""
    flag = flag.fill_null(False)  # null: excluded from the search
    labels = {name: accounts[name] for name in ("ringed", "collects", "closed")}
    right, collecting, closing = (int((flag & label).sum()) for label in labels.values())
    ringed, collects, closed = (int(label.sum()) for label in labels.values())
    return FlagResult(by, int(flag.sum()), right, ringed, (collecting, collects), (closing, closed))


def report_parts(evaluation: AmlsimEvaluation) -> Iterator[Part]:
    """Format the results for a terminal of 80 columns: precision and recall, other constants, and notes for the reader."""
    yield f"{evaluation.accounts:,} accounts, {evaluation.ringed:,} of them put on a ring ({evaluation.ringed / evaluation.accounts:.1%})"
    yield from _statistics_lines(evaluation)
    yield _results_table(evaluation)
    for name, area in evaluation.areas:
        yield f"{name}: AUC {with_interval(area)}"
    yield f"Published, for orientation: AUC {PUBLISHED_AUC}, of boosted trees on nine aggregates,"
    yield "fitted to these labels. Ours are not fitted, and look at one pattern each."
    yield _variants_table(evaluation)
    yield f"The feature has {RING_DURATION.days} days, a band of {float(AMOUNT_BAND)}, {min(RING_LENGTHS)} to {max(RING_LENGTHS)} parties: chosen before. The"
    yield "table is to see what hangs on that; nothing was chosen by it. The feature looks"
    yield f"for no rings through {evaluation.excluded:,} accounts, which are too busy; the table leaves out none."


def _closed(payments: PaymentColumns) -> tuple[np.ndarray, Bools]:
    """The strongly connected component of each party, and whether it has more than one member."""
    links = coo_matrix(
        (np.ones(len(payments), bool), (payments.payer, payments.payee)), shape=(payments.parties, payments.parties)
    )
    part = connected_components(links, connection="strong")[1]
    return part, np.bincount(part)[part] > 1


def _payments(events: pl.DataFrame, accounts: pl.DataFrame) -> PaymentColumns:
    payment_events = events.filter(pl.col("kind") == "payment.made")
    payer, payee = (positions(payment_events[side], accounts["person"]) for side in ("subject", "other"))
    at, amount = payment_events["happened_at"].dt.epoch("us").to_numpy(), payment_events["amount"].to_numpy()
    return PaymentColumns(accounts.height, payer, payee, at, amount)


def _ring_variant(payments: PaymentColumns, accounts: Accounts, days: int, band: Fraction) -> RingVariant:
    # No limit for busy accounts: a longer time has more of them, and we want to compare only days and bands.
    result = rings(payments, timedelta(days=days), band, tangle=None)
    return RingVariant(days, band, len(result.rings), flag_result("", pl.Series(result.counts() > 0), accounts))


def _area(accounts: Accounts, name: str) -> Measure:
    """The AUC of a feature. A higher value means a higher suspicion."""
    return measure(metrics.auc, metrics.sample(-accounts[name], accounts["ringed"]))


def _statistics_lines(evaluation: AmlsimEvaluation) -> Iterator[str]:
    statistics = evaluation.ring_statistics
    yield f"What the data tell: {statistics.paying:,} payments were made for a ring, between {statistics.parties:,} of them."
    yield f"{statistics.closed} cycles closed, {statistics.closing} accounts on them, {statistics.in_order} in order of time. {statistics.collecting} accounts were"
    yield f"paid by two or more of their ring, {statistics.gathering} paid those. The others paid or were paid"
    yield "by one, or had no part in any ring that came about."


def _results_table(evaluation: AmlsimEvaluation) -> Table:
    columns = ("flagged by", "accounts", "precision", "recall", "of collecting", "of closed")
    table = table_of("Precision and recall", columns)
    for line in evaluation.results:
        parts = (f"{n} of {whole}" for n, whole in (line.collecting, line.closing))
        table.add_row(line.by, f"{line.flagged:,}", _share(line.precision), _share(line.recall), *parts)
    return table


def _variants_table(evaluation: AmlsimEvaluation) -> Table:
    table = table_of("Rings by other constants", ("within days", "band", "rings", "accounts", "precision", "recall"))
    for variant in evaluation.variants:
        shares = _share(variant.result.precision), _share(variant.result.recall)
        table.add_row(
            str(variant.days),
            f"{float(variant.band):.2f}",
            f"{variant.rings:,}",
            f"{variant.result.flagged:,}",
            *shares,
        )
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
