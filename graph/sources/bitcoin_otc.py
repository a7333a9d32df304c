"""Bitcoin OTC: a signed web of trust, 2010-16, as vouches.

Source: SNAP, `soc-sign-bitcoinotc.csv`; S. Kumar et al., Edge Weight Prediction in Weighted Signed Networks, ICDM 2016;
labels `otc_gt.csv` of S. Kumar et al., REV2, WSDM 2018. What was decided:

- A *rating* is a vouch: the rater is the subject, the rated the other, the rating (-10..10, never 0) its strength. Epoch
  seconds are read to the microsecond, exactly. Nobody rates twice or rates himself in these data; a file in which
  someone does is refused, since it is another one.
- *People* (`otc-6`) enrol when they first appear, as rater or rated, with identity level 0: the platform knows a
  pseudonym. The data know no consent: we assume it at that same moment, for `perks`, to the two classes about
  which the data say anything, identity and relationship.
- The *labels* were made from incoming ratings: `labellers` are person 1, who founded the platform, and whom that one rated 5
  or more; trusted are they and whom one of them rated 5 or more, fraudulent whom one of them rated -5 or less. A score
  that reads the edges of the labellers is graded on its own input.
"""

from pathlib import Path
from typing import Final

import polars as pl

from graph.events import LATEST_PLAN, UTC_MICROSECONDS, conform
from graph.sources import SourceError
from graph.sources.table import parse, read, scaled, within
from graph.vocabulary import EARLIEST

FOLDER: Final = "bitcoin-otc"
CONTRIBUTOR: Final = "bitcoin-otc"
FOUNDER: Final = "otc-1"
TRUSTING: Final = 5  # the lowest rating that the labels call trust

_RATINGS: Final = "soc-sign-bitcoinotc.csv"
_LABELS: Final = "otc_gt.csv"


def events(folder: Path) -> pl.DataFrame:
    """All events of the data set in `folder`, in the columns of `graph.events.SCHEMA`, by time and then event_id.

    Raises SourceError for a missing file or column, or a value that is not what it should be.
    """
    ratings = _ratings(folder)
    told = [conform(p.with_columns(contributor=pl.lit(CONTRIBUTOR))) for p in (_vouches(ratings), *_people(ratings))]
    return pl.concat(told).sort("happened_at", "event_id")


def labels(folder: Path) -> pl.DataFrame:
    """Who turned out trusted (+1) or fraudulent (-1): `person`, `trusted`."""
    read_ = read(folder, _LABELS, ("person", "label"), header=False)
    trusted = pl.col("label").replace_strict(
        {"+1": True, "1": True, "-1": False}, default=None, return_dtype=pl.Boolean
    )
    return parse(read_, _LABELS, trusted=trusted).select(person="otc-" + pl.col("person"), trusted="trusted")


def labellers(events: pl.DataFrame) -> pl.Series:
    """Whose ratings made the labels: the founder and whom the founder rated 5 or more, by their ids, sorted."""
    trusted = pl.col("subject") == FOUNDER, pl.col("tie") == "vouch", pl.col("strength") >= TRUSTING
    return pl.concat([pl.Series([FOUNDER]), events.filter(*trusted)["other"]]).unique().sort()


def _ratings(folder: Path) -> pl.DataFrame:
    """Columns `rater`, `rated` (the data's own numbers), `strength`, `epoch` (text), `at`."""
    read_ = read(folder, _RATINGS, ("rater", "rated", "strength", "epoch"), header=False)
    first, last = (int(at.timestamp()) * 1_000_000 for at in (EARLIEST, LATEST_PLAN))
    at = (
        within(scaled("epoch", 6), first, last)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
        .cast(UTC_MICROSECONDS)
    )
    ratings = parse(read_, _RATINGS, strength=within(scaled("strength", 0), -10, 10), at=at)
    if ratings.filter(pl.col("rater") == pl.col("rated")).height:
        raise SourceError(f"`{_RATINGS}`: someone rates himself: use the data set's original file")
    if ratings.select("rater", "rated").is_duplicated().any():
        raise SourceError(f"`{_RATINGS}`: someone rates the same person twice: use the data set's original file")
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
    seen = pl.concat([ratings.select("at", node="rater"), ratings.select("at", node="rated")])
    here = seen.group_by("node").agg(happened_at=pl.col("at").min()).with_columns(subject="otc-" + pl.col("node"))
    enrolled = here.with_columns(kind=pl.lit("person.enrolled"), event_id="enrol-" + pl.col("node"), identity_level=0)
    consented = here.with_columns(
        kind=pl.lit("consent.granted"),
        event_id="consent-" + pl.col("node"),
        purpose=pl.lit("perks"),
        classes=pl.lit("identity,relationship"),
    )
    return enrolled, consented
