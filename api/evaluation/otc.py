"""Evaluate trust features on Bitcoin OTC's ratings, by two protocols that do not see the labels.

The labels come from the ratings of 36 people, the labellers. A score that reads these ratings is evaluated on its own input:
we show that circular figure only for comparison. We use the protocols of the data set's own notes:

- *removed*: we remove all ratings by the labellers, and order the people whom someone else rated;
- *before*: we score each person just before a labeller first rated them, with everything known by then, including earlier
  ratings of others by the labellers.

For each protocol we show plain baselines beside the features. Trust needs a verified source. In *before* we take the founder
as verified; at that moment the founder has not rated the person yet. Without the labellers' ratings there is no person to
verify whose ratings reach anyone, so we do not measure trust in *removed*. We fit nothing to the labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from rich.table import Table

from api.evaluation.figures import PURPOSE, Measure, Part, measure, table_of, with_interval
from api.evaluation.workers import Progress, default_workers, map_pieces
from engine.verify import metrics
from graph.algorithms.signed_trust import Ratings, fairness_and_goodness, weighted_mean
from graph.datasets import bitcoin_otc as source
from graph.features.pipeline import features
from graph.network.build import positions

JUST_BEFORE: Final = timedelta(microseconds=1)
VERIFIED_LEVEL: Final = 3
MAX_RATING: Final = 10
PEOPLE_PER_CHUNK: Final = 16  # per task
SERVED_FEATURES: Final = (
    "relationships.goodness",
    "relationships.vouch_mean",
    "relationships.trust",
    "relationships.walk_trust",
)
TRUST_FEATURES: Final = SERVED_FEATURES[1:]  # missing without a verified person
BASELINES: Final = ("mean rating", "sum of ratings")
FAIR_BASELINES: Final = ("fair mean", "fair mean, shrunk")
PUBLISHED_AUCS: Final = ("0.943", "0.825 and 0.840")
SCORE_COLUMNS: Final = (*BASELINES, *FAIR_BASELINES, *SERVED_FEATURES)
Chunk = tuple[pl.DataFrame, pl.DataFrame]  # events; `person` and `as_of`


class AucRow(NamedTuple):
    """How well one number orders the people with that number."""

    name: str
    people: int
    auc: Measure


@dataclass(frozen=True)
class Protocol:
    """The people of a protocol, and how well each number orders them."""

    people: int
    trusted: int
    rows: tuple[AucRow, ...]


@dataclass(frozen=True)
class OtcEvaluation:
    """The results. `circular`: the mean of all ratings, including those behind the labels."""

    circular: Protocol
    removed: Protocol
    before: Protocol


def evaluate_folder(folder: Path, *, on_progress: Progress | None = None, workers: int | None = None) -> OtcEvaluation:
    """Evaluate the data set in `folder` against its labels. Deterministic for any number of `workers`.

    Raises SourceError if the data set differs from the published one.
    """
    return evaluate(
        source.events(folder), source.labels(folder), on_progress=on_progress, workers=workers or default_workers()
    )


def evaluate(
    events: pl.DataFrame, labels: pl.DataFrame, *, on_progress: Progress | None = None, workers: int = 1
) -> OtcEvaluation:
    """Evaluate events and labels. Raises Rejected if a protocol has only trusted or only untrusted people."""
    known_events = events.with_columns(recorded_at="happened_at")
    circular = labels.join(_plain_baselines(known_events), on="person").select("trusted", BASELINES[0])
    rated_before = before_labellers(known_events, labels, on_progress=on_progress, workers=workers)
    return OtcEvaluation(
        protocol_of_table(circular),
        protocol_of_table(without_labellers(known_events, labels)),
        protocol_of_table(rated_before),
    )


def protocol_of_table(table: pl.DataFrame) -> Protocol:
    """Compute the figures of a table with `trusted` and a column per number; null if a person has no such number."""
    names = [name for name in SCORE_COLUMNS if name in table.columns]
    return Protocol(table.height, int(table["trusted"].sum()), tuple(_auc_row(table, name) for name in names))


def without_labellers(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """The labelled people with a rating by someone other than a labeller: `person`, `trusted`, and a column for each number,
    computed without the labellers' ratings. The trust features are left out.
    """
    remaining = events.filter(~_by_labellers(events))
    return labels.join(
        score_table(remaining, remaining.select(pl.col("happened_at").max()).item()).drop(TRUST_FEATURES),
        on="person",
        maintain_order="left",
    )


def before_labellers(
    events: pl.DataFrame, labels: pl.DataFrame, *, on_progress: Progress | None = None, workers: int = 1
) -> pl.DataFrame:
    """The labelled people with a rating before a labeller's first one: `person`, `trusted`, and a column for each number just
    before that. The trust features of the founder, who is the source of trust, are null.
    """
    report_progress = on_progress or (lambda _completed, _total: None)
    as_of_rows = first_label_times(events, labels)
    all_events = pl.concat([events, founder_verification(events)]).sort("happened_at", "event_id")
    chunks = [
        (all_events, as_of_rows.slice(at, PEOPLE_PER_CHUNK)) for at in range(0, as_of_rows.height, PEOPLE_PER_CHUNK)
    ]
    parts: list[pl.DataFrame] = []
    report_progress(0, as_of_rows.height)
    for part in map_pieces(_score_chunk, chunks, workers):
        parts.append(part)
        report_progress(min(len(parts) * PEOPLE_PER_CHUNK, as_of_rows.height), as_of_rows.height)
    is_not_founder = pl.when(pl.col("person") != source.FOUNDER)
    table = labels.join(pl.concat(parts), on="person", maintain_order="left")
    return table.with_columns(is_not_founder.then(name).alias(name) for name in TRUST_FEATURES)


def first_label_times(events: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """`person` and `as_of`, the microsecond before a labeller's first rating of them. Only labelled people rated by then."""
    first = _vouches(events.filter(_by_labellers(events))).group_by(person="other").agg(at=pl.col("happened_at").min())
    earlier = (
        _vouches(events).join(first, left_on="other", right_on="person").filter(pl.col("happened_at") < pl.col("at"))
    )
    rated = first.filter(pl.col("person").is_in(earlier["other"].implode())).join(labels, on="person", how="semi")
    return rated.select("person", as_of=pl.col("at") - JUST_BEFORE).sort("as_of", "person")


def founder_verification(events: pl.DataFrame) -> pl.DataFrame:
    """The event that makes the founder verified, at the time of their enrolment."""
    enrolled = events.filter(pl.col("kind") == "person.enrolled", pl.col("subject") == source.FOUNDER)
    return enrolled.with_columns(event_id=pl.lit("verified"), identity_level=pl.lit(VERIFIED_LEVEL, pl.Int64))


def score_table(events: pl.DataFrame, as_of: datetime, people: list[str] | None = None) -> pl.DataFrame:
    """Score everyone rated by `as_of` (or only `people`): `person`, and a column for each of `SCORE_COLUMNS`."""
    past = events.filter(pl.col("happened_at") <= as_of)
    served = features(past, as_of, as_of, PURPOSE, people, SERVED_FEATURES)
    table = _plain_baselines(past).join(_fair_baselines(past), on="person").join(served, on="person")
    return table if people is None else table.filter(pl.col("person").is_in(people))


def report_parts(evaluation: OtcEvaluation) -> Iterator[Part]:
    """Format the results for a terminal of 80 columns: a table per protocol, and notes for the reader."""
    yield _protocol_table("Ratings by the labellers removed", evaluation.removed)
    yield _protocol_table("Only ratings before a labeller's first", evaluation.before)
    circular = evaluation.circular.rows[0]
    yield f"For comparison only: the mean of all ratings, {with_interval(circular.auc)}, is"
    yield "circular, as the labels were made from some of them."
    yield f"The data set's notes have: mean {PUBLISHED_AUCS[0]}; before, mean and sum {PUBLISHED_AUCS[1]}."
    yield "Trust comes from the founder, taken to be verified: what it foretells is the"
    yield "word of that circle. With the labellers' ratings removed it comes from nobody."
    yield "Fair mean: ratings weighted by fairness; shrunk: by one neutral rating, which is"
    yield "vouch_mean if everyone were trusted alike. Nothing was fitted to the labels."
    yield f"Brackets: 95 % intervals of {metrics.SAMPLES:,} draws."


def _score_chunk(chunk: Chunk) -> pl.DataFrame:
    events, as_of_rows = chunk
    return pl.concat([score_table(events, as_of, [person]) for person, as_of in as_of_rows.iter_rows()])


def _by_labellers(events: pl.DataFrame) -> pl.Expr:
    return (pl.col("kind") == "tie.formed") & pl.col("subject").is_in(source.labellers(events).implode())


def _vouches(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("kind") == "tie.formed").select("subject", "other", "strength", "happened_at")


def _plain_baselines(events: pl.DataFrame) -> pl.DataFrame:
    """The plain baselines of everyone rated: `person`, and a column for each."""
    mean, total = (pl.col("strength").mean(), pl.col("strength").sum())
    return _vouches(events).group_by(person="other").agg(mean.alias(BASELINES[0]), total.alias(BASELINES[1]))


def _fair_baselines(events: pl.DataFrame) -> pl.DataFrame:
    """The mean rating of everyone rated, weighted by fairness: `person`, the plain mean, and the shrunk mean."""
    vouches = _vouches(events)
    people = pl.concat([vouches["subject"], vouches["other"]]).unique().sort().alias("person")
    by, of = (positions(vouches[side], people) for side in ("subject", "other"))
    ratings = Ratings(len(people), by, of, vouches["strength"].to_numpy() / MAX_RATING)
    fairness = np.nan_to_num(fairness_and_goodness(ratings)[0])
    shrunk = weighted_mean(ratings, fairness)
    weight = np.bincount(of, fairness[by], len(people))
    mean = shrunk * (1 + weight) / np.where(weight > 0, weight, np.nan)
    table = people.to_frame().with_columns(pl.Series(FAIR_BASELINES[0], mean), pl.Series(FAIR_BASELINES[1], shrunk))
    return table.with_columns(pl.col(FAIR_BASELINES).fill_nan(None)).filter(
        pl.col("person").is_in(vouches["other"].implode())
    )


def _auc_row(table: pl.DataFrame, name: str) -> AucRow:
    sample = metrics.sample(table[name], ~table["trusted"])
    return AucRow(name, sample.scores.size, measure(metrics.auc, sample))


def _protocol_table(title: str, result: Protocol) -> Table:
    table = table_of(f"{title}: {result.people} people, {result.trusted} trusted", ("ordered by", "people", "AUC"))
    for line in result.rows:
        table.add_row(line.name, str(line.people), with_interval(line.auc))
    return table
