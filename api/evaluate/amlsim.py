"""How well rings and fans of payments tell accounts that a simulation put on a ring: AMLSim's cycles and fan-ins.

The features are those of the catalogue, as they are served; their constants were chosen by reason and not by these labels. The
table of other constants is there to see how much hangs on them, and nothing is chosen by it. Precision and recall are over
accounts: the share of those flagged who are labelled, and of those labelled who are flagged.

The labels name who was meant to be on a ring. What came of it can partly be told from the data (`Told`), and bounds what any
search for closed rings can find.
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

from api.evaluate.figures import PURPOSE, Measure, Part, measure, spanned, table_of
from api.evaluate.workers import Progress
from engine import metrics
from graph.build import numbers
from graph.features import features
from graph.ranges import Bools
from graph.rings import BAND, LENGTHS, WITHIN, Payments, rings
from graph.sources import amlsim as source

RINGS: Final = "fraud.rings"
FAN_IN: Final = "fraud.fan_in"
THRESHOLDS: Final = (2, 3, 4, 5, 7, 10)  # different payers in a week
OTHER_WITHIN: Final = (7, 14, 30, 150)  # days; 150 is all there is
OTHER_BANDS: Final = (Fraction(21, 20), Fraction(5, 4), Fraction(2))
ANY_BAND: Final = Fraction(10**9)
PUBLISHED: Final = "0.89-0.90"  # AUC of boosted trees on nine aggregates, fitted to these labels
Accounts = pl.DataFrame  # `person`, `ringed`, `collects`, `closed`, and the features


@dataclass(frozen=True)
class Flagged:
    """Who is flagged by something, and who of them was meant to be on a ring."""

    by: str
    flagged: int
    right: int
    ringed: int
    collecting: tuple[int, int]  # flagged of how many who were paid by two or more of their ring
    closing: tuple[int, int]  # flagged of how many on a cycle that closed

    @property
    def precision(self) -> float | None:
        """None where nobody is flagged."""
        return self.right / self.flagged if self.flagged else None

    @property
    def recall(self) -> float:
        """The share of those meant to be on a ring who are flagged."""
        return self.right / self.ringed


@dataclass(frozen=True)
class Told:
    """What the data tell of the rings: `paying`, the payments by an account on the day it acted, to another that was put on a ring."""

    paying: int
    parties: int  # of those payments
    collecting: int  # paid so by two or more
    gathering: int  # who paid those
    closed: int  # cycles of such payments, in whatever order of time
    closing: int  # accounts on them
    in_order: int  # cycles of such payments in order of time, at any time and whatever the amounts


@dataclass(frozen=True)
class Other:
    """Rings by other constants than the feature's."""

    days: int
    band: Fraction
    rings: int
    found: Flagged


@dataclass(frozen=True)
class Evaluation:
    """What came out."""

    accounts: int
    ringed: int
    told: Told
    rings: int  # by the feature's own constants
    left_out: int  # accounts through which the feature looks for none, as they are too busy
    flagged: tuple[Flagged, ...]
    areas: tuple[tuple[str, Measure], ...]
    others: tuple[Other, ...]


def measured(folder: Path, *, on_progress: Progress | None = None) -> Evaluation:
    """The features of the data set in `folder` against its labels. The same every time.

    Raises SourceError for a data set that is not as published.
    """
    return evaluation(source.events(folder), source.labels(folder), on_progress=on_progress)


def evaluation(events: pl.DataFrame, labels: pl.DataFrame, *, on_progress: Progress | None = None) -> Evaluation:
    """`measured`, from the events and labels of the source. Raises Refused unless some are labelled, and some are not."""
    tell = on_progress or (lambda _done, _total: None)
    steps = len(OTHER_WITHIN) * len(OTHER_BANDS) + 1
    tell(0, steps)
    told, accounts = told_and_accounts(events, labels)
    paid, others = _payments(events, accounts), list[Other]()
    for days in OTHER_WITHIN:
        for band in OTHER_BANDS:
            tell(len(others) + 1, steps)
            others.append(_other(paid, accounts, days, band))
    lines = [flagged("rings >= 1", accounts[RINGS] >= 1, accounts)]
    lines += [flagged(f"fan_in >= {least}", accounts[FAN_IN] >= least, accounts) for least in THRESHOLDS]
    areas = ((name, _area(accounts, name)) for name in (RINGS, FAN_IN))
    ringed, count, out = int(accounts["ringed"].sum()), len(rings(paid).rings), accounts[RINGS].null_count()
    return Evaluation(accounts.height, ringed, told, count, out, tuple(lines), tuple(areas), tuple(others))


def acting(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The payments that the simulation made for a ring, as far as can be told: by an account on the day it acted, to another
    that was put on a ring. In the columns of `events`.
    """
    day = {"happened_at": "acted", "subject": "person"}
    acted = labels.drop_nulls("acted").select(pl.col(column).alias(name) for name, column in day.items())
    ringed = labels.filter("ringed")["person"].implode()
    made = events.filter(pl.col("kind") == "payment.made", pl.col("other").is_in(ringed))
    return made.join(acted, on=list(day), how="semi")


def told_and_accounts(events: pl.DataFrame, labels: pl.DataFrame) -> tuple[Told, Accounts]:
    """What the data tell of the rings, and a row for each account, in the order of their ids."""
    made = acting(events, labels)
    names = labels["person"].sort()
    paid = _payments(made, names.to_frame())
    collects = np.zeros(len(names), bool)
    pairs = np.unique(np.stack([paid.payer, paid.payee]), axis=1)
    collects[np.flatnonzero(np.bincount(pairs[1], minlength=len(names)) > 1)] = True
    gathering = len(np.unique(pairs[0][collects[pairs[1]]]))
    part, closed = _closed(paid)
    order = rings(paid, timedelta(days=max(OTHER_WITHIN)), ANY_BAND, hub=None, tangle=None).rings
    parties = len(np.unique(pairs))
    told = Told(
        made.height,
        parties,
        int(collects.sum()),
        gathering,
        len(np.unique(part[closed])),
        int(closed.sum()),
        len(order),
    )
    now = events.select(pl.col("happened_at").max()).item()
    assert isinstance(now, datetime)  # noqa: S101
    known = features(events.with_columns(recorded_at="happened_at"), now, now, PURPOSE, wanted=(RINGS, FAN_IN))
    found = pl.DataFrame({"person": names, "collects": collects, "closed": closed})
    return told, found.join(labels, on="person").join(known, on="person", how="left").sort("person")


def flagged(by: str, flag: pl.Series, accounts: Accounts) -> Flagged:
    """How right it is to flag those accounts."""
    flag = flag.fill_null(False)  # who was left out of the search
    of = {name: accounts[name] for name in ("ringed", "collects", "closed")}
    right, collecting, closing = (int((flag & label).sum()) for label in of.values())
    ringed, collects, closed = (int(label.sum()) for label in of.values())
    return Flagged(by, int(flag.sum()), right, ringed, (collecting, collects), (closing, closed))


def shown(found: Evaluation) -> Iterator[Part]:
    """What a terminal of 80 columns shows of it: precision and recall, other constants, and what to know when reading them."""
    yield f"{found.accounts:,} accounts, {found.ringed:,} of them put on a ring ({found.ringed / found.accounts:.1%})"
    yield from _said(found)
    yield _flagged_table(found)
    for name, area in found.areas:
        yield f"{name}: AUC {spanned(area)}"
    yield f"Published, for orientation: AUC {PUBLISHED}, of boosted trees on nine aggregates,"
    yield "fitted to these labels. Ours are not fitted, and look at one pattern each."
    yield _others_table(found)
    yield f"The feature has {WITHIN.days} days, a band of {float(BAND)}, {min(LENGTHS)} to {max(LENGTHS)} parties: chosen before. The"
    yield "table is to see what hangs on that; nothing was chosen by it. The feature looks"
    yield f"for no rings through {found.left_out:,} accounts, which are too busy; the table leaves out none."


def _closed(paid: Payments) -> tuple[np.ndarray, Bools]:
    """The strongly connected component of each party, and whether it is of more than one."""
    links = coo_matrix((np.ones(len(paid), bool), (paid.payer, paid.payee)), shape=(paid.parties, paid.parties))
    part = connected_components(links, connection="strong")[1]
    return part, np.bincount(part)[part] > 1


def _payments(events: pl.DataFrame, accounts: pl.DataFrame) -> Payments:
    made = events.filter(pl.col("kind") == "payment.made")
    payer, payee = (numbers(made[side], accounts["person"]) for side in ("subject", "other"))
    at, amount = made["happened_at"].dt.epoch("us").to_numpy(), made["amount"].to_numpy()
    return Payments(accounts.height, payer, payee, at, amount)


def _other(paid: Payments, accounts: Accounts, days: int, band: Fraction) -> Other:
    found = rings(
        paid, timedelta(days=days), band, tangle=None
    )  # in a longer time more are busy: they are not what is asked
    return Other(days, band, len(found.rings), flagged("", pl.Series(found.counts() > 0), accounts))


def _area(accounts: Accounts, name: str) -> Measure:
    """How well it orders them: more is worse."""
    return measure(metrics.auc, metrics.sample(-accounts[name], accounts["ringed"]))


def _said(found: Evaluation) -> Iterator[str]:
    told = found.told
    yield f"What the data tell: {told.paying:,} payments were made for a ring, between {told.parties:,} of them."
    yield f"{told.closed} cycles closed, {told.closing} accounts on them, {told.in_order} in order of time. {told.collecting} accounts were"
    yield f"paid by two or more of their ring, {told.gathering} paid those. The others paid or were paid"
    yield "by one, or had no part in any ring that came about."


def _flagged_table(found: Evaluation) -> Table:
    columns = ("flagged by", "accounts", "precision", "recall", "of collecting", "of closed")
    table = table_of("Precision and recall", columns)
    for line in found.flagged:
        parts = (f"{n} of {whole}" for n, whole in (line.collecting, line.closing))
        table.add_row(line.by, f"{line.flagged:,}", _share(line.precision), _share(line.recall), *parts)
    return table


def _others_table(found: Evaluation) -> Table:
    table = table_of("Rings by other constants", ("within days", "band", "rings", "accounts", "precision", "recall"))
    for other in found.others:
        shares = _share(other.found.precision), _share(other.found.recall)
        table.add_row(
            str(other.days), f"{float(other.band):.2f}", f"{other.rings:,}", f"{other.found.flagged:,}", *shares
        )
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
