"""Bitcoin OTC as vouches: a signed web of trust, 2010-16.

Source: SNAP, `soc-sign-bitcoinotc.csv`; S. Kumar et al., Edge Weight Prediction in Weighted Signed Networks, ICDM 2016;
labels `otc_gt.csv` of S. Kumar et al., REV2, WSDM 2018. Our choices:

- A *rating* is a vouch: the rater is the subject, the rated person the other, the rating (-10..10, never 0) its
  strength. We read epoch seconds to the microsecond, exactly. Nobody rates a person twice or rates themselves in these
  data; we reject a file that has such a rating, since it is a different one.
- *People* (`otc-6`) enrol when they first appear, as rater or rated, with identity level 0: the platform knows a
  pseudonym. The data contain no consent: we assume it at that same moment, for `perks`, to the two classes that the
  data cover, identity and relationship.
- The *labels* were made from incoming ratings. `labellers` are person 1, the founder of the platform, and the people
  that the founder rated 5 or more. Trusted are they and everyone whom one of them rated 5 or more; fraudulent is
  everyone whom one of them rated -5 or less. So if you grade a score that reads the labellers' edges, you grade it on
  its own input.
"""

from pathlib import Path
from typing import Final

import polars as pl

from graph.datasets.dataset import SourceError
from graph.datasets.table import null_outside, parse, read, scaled_integer
from graph.evidence.events import LATEST_PLANNED_TIME, UTC_MICROSECONDS, conform
from graph.evidence.vocabulary import EARLIEST_EVENT_TIME

FOLDER: Final = "bitcoin-otc"
CONTRIBUTOR: Final = "bitcoin-otc"
FOUNDER: Final = "otc-1"
MIN_TRUST_RATING: Final = 5  # the lowest rating that counts as trust in the labels

_RATINGS: Final = "soc-sign-bitcoinotc.csv"
_LABELS: Final = "otc_gt.csv"


def events(folder: Path) -> pl.DataFrame:
    """Return all events of the data set in `folder`, in the columns of `graph.evidence.events.SCHEMA`, by time and then
    event_id.

    Raises SourceError for a missing file or column, or an invalid value.
    """
    ratings = _ratings(folder)
    frames = [conform(p.with_columns(contributor=pl.lit(CONTRIBUTOR))) for p in (_vouches(ratings), *_people(ratings))]
    return pl.concat(frames).sort("happened_at", "event_id")


def labels(folder: Path) -> pl.DataFrame:
    """Return the people labelled trusted (+1) or fraudulent (-1): `person`, `trusted`."""
    raw = read(folder, _LABELS, ("person", "label"), header=False)
    trusted = pl.col("label").replace_strict(
        {"+1": True, "1": True, "-1": False}, default=None, return_dtype=pl.Boolean
    )
    return parse(raw, _LABELS, trusted=trusted).select(person="otc-" + pl.col("person"), trusted="trusted")


def labellers(events: pl.DataFrame) -> pl.Series:
    """Return the people whose ratings made the labels: the founder and everyone the founder rated 5 or more, by id,
    sorted.
    """
    trusted = pl.col("subject") == FOUNDER, pl.col("tie") == "vouch", pl.col("strength") >= MIN_TRUST_RATING
    return pl.concat([pl.Series([FOUNDER]), events.filter(*trusted)["other"]]).unique().sort()


def _ratings(folder: Path) -> pl.DataFrame:
    """Read the columns `rater`, `rated` (numbers of the data), `strength`, `epoch` (text), `at`."""
    raw = read(folder, _RATINGS, ("rater", "rated", "strength", "epoch"), header=False)
    first, last = (int(at.timestamp()) * 1_000_000 for at in (EARLIEST_EVENT_TIME, LATEST_PLANNED_TIME))
    at = (
        null_outside(scaled_integer("epoch", 6), first, last)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .cast(UTC_MICROSECONDS)
    )
    ratings = parse(raw, _RATINGS, strength=null_outside(scaled_integer("strength", 0), -10, 10), at=at)
    if ratings.filter(pl.col("rater") == pl.col("rated")).height:
        raise SourceError(f"`{_RATINGS}`: a person rates themselves: use the data set's original file")
    if ratings.select("rater", "rated").is_duplicated().any():
        raise SourceError(f"`{_RATINGS}`: a person rates another twice: use the data set's original file")
    return ratings


def _vouches(ratings: pl.DataFrame) -> pl.DataFrame:
    return ratings.select(
        event_id=pl.concat_str("rater", "rated", "epoch", separator="-"),
        kind=pl.lit("tie.formed"),
        subject="otc-" + pl.col("rater"),
        other="otc-" + pl.col("rated"),
        happened_at="at",
        tie=pl.lit("vouch"),
        strength="strength",
    )


def _people(ratings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    appearances = pl.concat([ratings.select("at", node="rater"), ratings.select("at", node="rated")])
    base = (
        appearances.group_by("node").agg(happened_at=pl.col("at").min()).with_columns(subject="otc-" + pl.col("node"))
    )
    enrolled = base.with_columns(kind=pl.lit("person.enrolled"), event_id="enrol-" + pl.col("node"), identity_level=0)
    consented = base.with_columns(
        kind=pl.lit("consent.granted"),
        event_id="consent-" + pl.col("node"),
        purpose=pl.lit("perks"),
        classes=pl.lit("identity,relationship"),
    )
    return enrolled, consented
