"""Facebook with a copied sybil region: 4,039 real people, as many made up, as ties.

Source: SNAP, ego-Facebook (J. McAuley and J. Leskovec, Learning to discover social circles in ego networks, NIPS 2012); the
sybil region, the attack edges and the split are of B. Wang, L. Zhang and N. Z. Gong, SybilSCAR, INFOCOM 2017. Files
`graph.txt` (or `.gz`), `train.txt` and `test.txt`, as published. What was decided:

- *People* are the numbers of the file (`fb-17`): 0 to 4038 are real, 4039 to 8077 are sybils, whose ties are a copy of
  the real ones'. The file does not say so; that every known id is on its side is checked.
- An *edge* is a mutual tie, `friend`. The file has each twice, once from either end; it counts once.
- *Verified* (identity level 3) are the 100 real people of the training list: the papers' known benign. Everybody else has
  level 1. The 100 known sybils are not used: we have no feature that spreads distrust.
- The data know no time and no consent. All is told at one moment, and consent is assumed at that same moment, for `perks`,
  to the two classes about which the data say anything, identity and relationship.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from graph.events import UTC_MICROSECONDS, conform
from graph.sources import SourceError
from graph.sources.table import parse, read, scaled

FOLDER: Final = "facebook-sybil"
CONTRIBUTOR: Final = "facebook-sybil"
TOLD_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)
REAL: Final = 4_039  # the first number of a sybil
PARTS: Final = ("train", "test")
VERIFIED: Final = 3
SEEN: Final = 1

_GRAPH: Final = "graph.txt"
_ENDS: Final = ("a", "b")


def events(folder: Path) -> pl.DataFrame:
    """All events of the data set in `folder`, in the columns of `graph.events.SCHEMA`, by event_id; all at `TOLD_AT`.

    Raises SourceError for a missing file or a value that is not what it should be.
    """
    tied, known = ties(folder), labels(folder)
    strangers = pl.concat([tied["a"], tied["b"]]).is_in(known["person"].implode()).not_()
    if strangers.any():
        raise SourceError(f"`{_GRAPH}`: someone is in neither list of people: use the data set's original files")
    return events_of(tied, known)


def events_of(ties: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """`events` of other ties among the same people: those of `ties` with more or fewer, in the same columns."""
    told = [*_people(labels), _friends(ties)]
    at = pl.lit(TOLD_AT).cast(UTC_MICROSECONDS)
    rows = [conform(part.with_columns(contributor=pl.lit(CONTRIBUTOR), happened_at=at)) for part in told]
    return pl.concat(rows).sort("event_id")


def ties(folder: Path) -> pl.DataFrame:
    """Who is tied to whom: `a`, `b` (people), each pair once, the lower number first; sorted by number."""
    read_ = read(folder, _GRAPH, _ENDS, separator=" ", header=False)
    rows = parse(read_, _GRAPH, **{end: scaled(end, 0) for end in _ENDS})
    if rows.filter(pl.col("a") == pl.col("b")).height:
        raise SourceError(f"`{_GRAPH}`: someone is tied to himself: use the data set's original file")
    if rows.is_duplicated().any() or rows.join(rows, left_on=["a", "b"], right_on=["b", "a"], how="anti").height:
        raise SourceError(f"`{_GRAPH}`: an edge is not there once from either end: use the data set's original file")
    once = rows.filter(pl.col("a") < pl.col("b")).sort("a", "b")
    return once.select(_person(end) for end in _ENDS)


def labels(folder: Path) -> pl.DataFrame:
    """Who is a sybil: `person`, `sybil`, `part` (`train` or `test`), sorted by number. Everyone is in one part."""
    lists = [_listed(folder, part, sybil) for part in PARTS for sybil in (False, True)]
    people = pl.concat(lists)
    if people["number"].is_duplicated().any():
        raise SourceError("`train.txt` and `test.txt` list someone twice: use the data set's original files")
    if people.filter((pl.col("number") >= REAL) != pl.col("sybil")).height:
        raise SourceError(
            f"`train.txt` or `test.txt`: {REAL} and higher are the sybils: use the data set's original files"
        )
    return people.sort("number").select(_person("number").alias("person"), "sybil", "part")


def _listed(folder: Path, part: str, sybil: bool) -> pl.DataFrame:
    """The numbers of a line: the first line has the real people, the second the sybils."""
    lines = read(folder, f"{part}.txt", ("line",), header=False, separator="\t")
    if lines.height != len((False, True)):
        raise SourceError(f"`{part}.txt` has {lines.height} lines, not two: use the data set's original file")
    words = lines[int(sybil)].select(number=pl.col("line").str.split(" ")).explode("number")
    numbers = parse(words, f"{part}.txt", number=scaled("number", 0))
    return numbers.with_columns(sybil=pl.lit(sybil), part=pl.lit(part))


def _person(column: str) -> pl.Expr:
    return pl.format("fb-{}", pl.col(column)).alias(column)


def _people(labels: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    known = ~pl.col("sybil") & (pl.col("part") == "train")
    enrolled = labels.select(
        event_id="enrol-" + pl.col("person"),
        kind=pl.lit("person.enrolled"),
        subject="person",
        identity_level=pl.when(known).then(VERIFIED).otherwise(SEEN),
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
