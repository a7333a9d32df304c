"""How well what people say of each other tells who deserves it: Bitcoin OTC's ratings, by two protocols that do not see the answer.

The labels are the word of 36 people, the labellers. A score that reads what they say is graded on its own input; the
circular figure is shown for that only. The protocols are those of the data set's own notes:

- *removed*: all ratings by the labellers are taken out, and the people whom somebody else rated are ordered;
- *before*: each person is seen as of just before a labeller first rated them. What the labellers had by then said of others
  is seen, as it was known.

For each protocol the plain baselines stand beside the features. Trust has to come from somebody: in *before* the founder
is taken to be verified, of whom no rating of the person is seen by then; with the labellers' ratings removed, nobody
could be whose word reaches anyone, so trust is not measured there. Nothing is fitted to the labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from rich.table import Table

from api.evaluate.figures import PURPOSE, Measure, Part, measure, spanned, table_of
from api.evaluate.workers import Progress, mapped, most
from engine import metrics
from graph.build import numbers
from graph.features import features
from graph.signed import Ratings, fairness_and_goodness, weighted_mean
from graph.sources import bitcoin_otc as source

JUST_BEFORE: Final = timedelta(microseconds=1)
VERIFIED: Final = 3
TEN: Final = 10  # the highest rating
CHUNK: Final = 16  # people a task
SERVED: Final = ("relationships.goodness", "relationships.vouch_mean", "relationships.trust", "relationships.walk")
FROM_TRUST: Final = SERVED[1:]  # missing where nobody is verified
BASELINES: Final = ("mean rating", "sum of ratings")
ARRAYS: Final = ("fair mean", "fair mean, shrunk")
NOTED: Final = ("0.943", "0.825 and 0.840")
LINES: Final = (*BASELINES, *ARRAYS, *SERVED)
Chunk = tuple[pl.DataFrame, pl.DataFrame]  # events, and whom to see as of when


class Line(NamedTuple):
    """How well one number orders the people who have it."""

    name: str
    people: int
    auc: Measure


@dataclass(frozen=True)
class Protocol:
    """The people whom a protocol is about, and how well each number orders them."""

    people: int
    trusted: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Evaluation:
    """What came out. `circular`: the mean of all ratings, those that made the labels among them."""

    circular: Protocol
    removed: Protocol
    before: Protocol


def measured(folder: Path, *, on_progress: Progress | None = None, workers: int | None = None) -> Evaluation:
    """The ratings of the data set in `folder` against its labels. The same every time, however many `workers`.

    Raises SourceError for a data set that is not as published.
    """
    return evaluation(source.events(folder), source.labels(folder), on_progress=on_progress, workers=workers or most())


def evaluation(
    events: pl.DataFrame, labels: pl.DataFrame, *, on_progress: Progress | None = None, workers: int = 1
) -> Evaluation:
    """`measured`, from the events and labels of the source. Raises Refused where a protocol is left with one kind of people."""
    known = events.with_columns(recorded_at="happened_at")
    circular = labels.join(_plain(known), on="person").select("trusted", BASELINES[0])
    kept = before(known, labels, on_progress=on_progress, workers=workers)
    return Evaluation(protocol(circular), protocol(removed(known, labels)), protocol(kept))


def protocol(table: pl.DataFrame) -> Protocol:
    """The figures of a table with `trusted`, and a column for each number; null where a person has none."""
    names = [name for name in LINES if name in table.columns]
    return Protocol(table.height, int(table["trusted"].sum()), tuple(_line(table, name) for name in names))


def removed(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The labelled people whom somebody else than a labeller rated: `person`, `trusted`, and a column for each number of
    the world without the labellers' ratings; without those that trust goes into.
    """
    left = events.filter(~_by_labellers(events))
    return labels.join(
        seen(left, left.select(pl.col("happened_at").max()).item()).drop(FROM_TRUST), on="person", maintain_order="left"
    )


def before(
    events: pl.DataFrame, labels: pl.DataFrame, *, on_progress: Progress | None = None, workers: int = 1
) -> pl.DataFrame:
    """The labelled people whom somebody rated before a labeller did: `person`, `trusted`, and a column for each number as
    of just before that. Of the founder, of whom trust comes, what trust goes into is missing.
    """
    tell = on_progress or (lambda _done, _total: None)
    when = moments(events, labels)
    told = pl.concat([events, founded(events)]).sort("happened_at", "event_id")
    chunks = [(told, when.slice(at, CHUNK)) for at in range(0, when.height, CHUNK)]
    found: list[pl.DataFrame] = []
    tell(0, when.height)
    for part in mapped(_each_seen, chunks, workers):
        found.append(part)
        tell(min(len(found) * CHUNK, when.height), when.height)
    own = pl.when(pl.col("person") != source.FOUNDER)
    table = labels.join(pl.concat(found), on="person", maintain_order="left")
    return table.with_columns(own.then(name).alias(name) for name in FROM_TRUST)


def moments(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """`person` and `as_of`: the microsecond before a labeller first rated them. Only labelled people with a rating by then."""
    first = _vouches(events.filter(_by_labellers(events))).group_by(person="other").agg(at=pl.col("happened_at").min())
    earlier = (
        _vouches(events).join(first, left_on="other", right_on="person").filter(pl.col("happened_at") < pl.col("at"))
    )
    rated = first.filter(pl.col("person").is_in(earlier["other"].implode())).join(labels, on="person", how="semi")
    return rated.select("person", as_of=pl.col("at") - JUST_BEFORE).sort("as_of", "person")


def founded(events: pl.DataFrame) -> pl.DataFrame:
    """The event that makes the founder verified, from when they first appeared."""
    enrolled = events.filter(pl.col("kind") == "person.enrolled", pl.col("subject") == source.FOUNDER)
    return enrolled.with_columns(event_id=pl.lit("verified"), identity_level=pl.lit(VERIFIED, pl.Int64))


def seen(events: pl.DataFrame, as_of: datetime, people: list[str] | None = None) -> pl.DataFrame:
    """Everyone rated by `as_of` (of `people`): `person`, and a column for each of `LINES`."""
    past = events.filter(pl.col("happened_at") <= as_of)
    served = features(past, as_of, as_of, PURPOSE, people, SERVED)
    found = _plain(past).join(_fair(past), on="person").join(served, on="person")
    return found if people is None else found.filter(pl.col("person").is_in(people))


def shown(found: Evaluation) -> Iterator[Part]:
    """What a terminal of 80 columns shows of it: a table for each protocol, and what to know when reading it."""
    yield _table("Ratings by the labellers removed", found.removed)
    yield _table("Only ratings before a labeller's first", found.before)
    circular = found.circular.lines[0]
    yield f"For comparison only: the mean of all ratings, {spanned(circular.auc)}, is"
    yield "circular, as the labels were made from some of them."
    yield f"The data set's notes have: mean {NOTED[0]}; before, mean and sum {NOTED[1]}."
    yield "Trust comes from the founder, taken to be verified: what it foretells is the"
    yield "word of that circle. With the labellers' ratings removed it comes from nobody."
    yield "Fair mean: ratings weighted by fairness; shrunk: by one neutral rating, which is"
    yield "vouch_mean if everyone were trusted alike. Nothing was fitted to the labels."
    yield f"Brackets: 95 % intervals of {metrics.SAMPLES:,} draws."


def _each_seen(chunk: Chunk) -> pl.DataFrame:
    events, when = chunk
    return pl.concat([seen(events, as_of, [person]) for person, as_of in when.iter_rows()])


def _by_labellers(events: pl.DataFrame) -> pl.Expr:
    return (pl.col("kind") == "tie.formed") & pl.col("subject").is_in(source.labellers(events).implode())


def _vouches(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("kind") == "tie.formed").select("subject", "other", "strength", "happened_at")


def _plain(events: pl.DataFrame) -> pl.DataFrame:
    """Everyone rated: `person`, and the baselines."""
    mean, total = (pl.col("strength").mean(), pl.col("strength").sum())
    return _vouches(events).group_by(person="other").agg(mean.alias(BASELINES[0]), total.alias(BASELINES[1]))


def _fair(events: pl.DataFrame) -> pl.DataFrame:
    """Everyone rated: `person`, and their mean rating, ratings weighted by fairness, as it is and shrunk."""
    said = _vouches(events)
    people = pl.concat([said["subject"], said["other"]]).unique().sort().alias("person")
    by, of = (numbers(said[side], people) for side in ("subject", "other"))
    ratings = Ratings(len(people), by, of, said["strength"].to_numpy() / TEN)
    fairness = np.nan_to_num(fairness_and_goodness(ratings)[0])
    shrunk = weighted_mean(ratings, fairness)
    weight = np.bincount(of, fairness[by], len(people))
    mean = shrunk * (1 + weight) / np.where(weight > 0, weight, np.nan)
    table = people.to_frame().with_columns(pl.Series(ARRAYS[0], mean), pl.Series(ARRAYS[1], shrunk))
    return table.with_columns(pl.col(ARRAYS).fill_nan(None)).filter(pl.col("person").is_in(said["other"].implode()))


def _line(table: pl.DataFrame, name: str) -> Line:
    known = metrics.sample(table[name], ~table["trusted"])
    return Line(name, known.scores.size, measure(metrics.auc, known))


def _table(title: str, found: Protocol) -> Table:
    table = table_of(f"{title}: {found.people} people, {found.trusted} trusted", ("ordered by", "people", "AUC"))
    for line in found.lines:
        table.add_row(line.name, str(line.people), spanned(line.auc))
    return table
