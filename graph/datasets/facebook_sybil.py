"""Facebook with a copied sybil region, as ties: 4,039 real people and as many synthetic ones.

Source: SNAP, ego-Facebook (J. McAuley and J. Leskovec, Learning to discover social circles in ego networks, NIPS 2012);
the sybil region, the attack edges and the split are by B. Wang, L. Zhang and N. Z. Gong, SybilSCAR, INFOCOM 2017. Files
`graph.txt` (or `.gz`), `train.txt` and `test.txt`, as published. Our choices:

- *People* are the numbers of the file (`fb-17`): 0 to 4038 are real, 4039 to 8077 are sybils, whose ties are a copy of
  the real people's. The file does not state this; we check that every labelled id is on its side.
- An *edge* is a mutual tie, `friend`. The file has each edge twice, once from either end; we count it once.
- *Verified* (identity level 3) are the 100 real people of the training list: the papers' known benign. Everybody else
  has level 1. We do not use the 100 known sybils, because no feature of ours spreads distrust.
- The data contain no time and no consent. All events have one moment. We assume consent at that same moment, for
  `perks`, to the two classes that the data cover, identity and relationship.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from graph.datasets.dataset import SourceError
from graph.datasets.table import parse, read, scaled_integer
from graph.evidence.events import UTC_MICROSECONDS, conform

FOLDER: Final = "facebook-sybil"
CONTRIBUTOR: Final = "facebook-sybil"
EVENT_TIME: Final = datetime(2020, 1, 1, tzinfo=UTC)
FIRST_SYBIL: Final = 4_039  # the lowest number of a sybil
PARTS: Final = ("train", "test")
VERIFIED_LEVEL: Final = 3
UNVERIFIED_LEVEL: Final = 1

_GRAPH: Final = "graph.txt"
_ENDS: Final = ("a", "b")


def events(folder: Path) -> pl.DataFrame:
    """Return all events of the data set in `folder`, in the columns of `graph.evidence.events.SCHEMA`, by event_id; all
    at `EVENT_TIME`.

    Raises SourceError for a missing file or an invalid value.
    """
    tie_rows, label_rows = ties(folder), labels(folder)
    strangers = pl.concat([tie_rows["a"], tie_rows["b"]]).is_in(label_rows["person"].implode()).not_()
    if strangers.any():
        raise SourceError(f"`{_GRAPH}`: a person is in neither list of people: use the data set's original files")
    return events_of(tie_rows, label_rows)


def events_of(ties: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the events for other ties among the same people: pass the frame of `ties` with rows added or removed."""
    frames = [*_people(labels), _friends(ties)]
    at = pl.lit(EVENT_TIME).cast(UTC_MICROSECONDS)
    rows = [conform(part.with_columns(contributor=pl.lit(CONTRIBUTOR), happened_at=at)) for part in frames]
    return pl.concat(rows).sort("event_id")


def ties(folder: Path) -> pl.DataFrame:
    """Return the ties: `a`, `b` (people), each pair once, the lower number first; sorted by number."""
    raw = read(folder, _GRAPH, _ENDS, separator=" ", header=False)
    rows = parse(raw, _GRAPH, a=scaled_integer("a", 0), b=scaled_integer("b", 0))
    if rows.filter(pl.col("a") == pl.col("b")).height:
        raise SourceError(f"`{_GRAPH}`: a person is tied to themselves: use the data set's original file")
    if rows.is_duplicated().any() or rows.join(rows, left_on=["a", "b"], right_on=["b", "a"], how="anti").height:
        raise SourceError(f"`{_GRAPH}`: an edge is not listed once from each end: use the data set's original file")
    pairs = rows.filter(pl.col("a") < pl.col("b")).sort("a", "b")
    return pairs.select(_person(end) for end in _ENDS)


def labels(folder: Path) -> pl.DataFrame:
    """Return the labels: `person`, `sybil`, `part` (`train` or `test`), sorted by number. Everyone is in one part."""
    lists = [_read_list(folder, part, sybil) for part in PARTS for sybil in (False, True)]
    people = pl.concat(lists)
    if people["number"].is_duplicated().any():
        raise SourceError("`train.txt` and `test.txt` list a person twice: use the data set's original files")
    if people.filter((pl.col("number") >= FIRST_SYBIL) != pl.col("sybil")).height:
        raise SourceError(
            f"`train.txt` or `test.txt`: {FIRST_SYBIL} and higher are the sybils: use the data set's original files"
        )
    return people.sort("number").select(_person("number").alias("person"), "sybil", "part")


def _read_list(folder: Path, part: str, sybil: bool) -> pl.DataFrame:
    """Read the numbers of a line: the first line lists the real people, the second the sybils."""
    lines = read(folder, f"{part}.txt", ("line",), header=False, separator="\t")
    if lines.height != len((False, True)):
        raise SourceError(f"`{part}.txt` has {lines.height} lines, not two: use the data set's original file")
    words = lines[int(sybil)].select(number=pl.col("line").str.split(" ")).explode("number")
    numbers = parse(words, f"{part}.txt", number=scaled_integer("number", 0))
    return numbers.with_columns(sybil=pl.lit(sybil), part=pl.lit(part))


def _person(column: str) -> pl.Expr:
    return pl.format("fb-{}", pl.col(column)).alias(column)


def _people(labels: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    is_verified = ~pl.col("sybil") & (pl.col("part") == "train")
    enrolled = labels.select(
        event_id="enrol-" + pl.col("person"),
        kind=pl.lit("person.enrolled"),
        subject="person",
        identity_level=pl.when(is_verified).then(VERIFIED_LEVEL).otherwise(UNVERIFIED_LEVEL),
    )
    consented = labels.select(
        event_id="consent-" + pl.col("person"),
        kind=pl.lit("consent.granted"),
        subject="person",
        purpose=pl.lit("perks"),
        classes=pl.lit("identity,relationship"),
    )
    return enrolled, consented


def _friends(ties: pl.DataFrame) -> pl.DataFrame:
    return ties.select(
        event_id=pl.format("tie-{}-{}", "a", "b"),
        kind=pl.lit("tie.formed"),
        subject="a",
        other="b",
        tie=pl.lit("friend"),
    )
