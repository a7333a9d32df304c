"""Facebook with its sybil region becomes the events that we expect from the raw files."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from graph.datasets import facebook_sybil
from graph.datasets.dataset import SourceError
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT_TIME = datetime(2020, 1, 1, tzinfo=UTC)
EDGES_BOTH_WAYS = ("0 1", "1 0", "1 4039", "4039 1")
TRAIN, TEST = ("0", "4040"), ("1", "4039")


@pytest.fixture(scope="module")
def events(sybil_folder: Path) -> pl.DataFrame:
    return facebook_sybil.events(sybil_folder)


@pytest.fixture(scope="module")
def labels(sybil_folder: Path) -> pl.DataFrame:
    return facebook_sybil.labels(sybil_folder)


def write_folder(
    directory: Path,
    graph: tuple[str, ...] = EDGES_BOTH_WAYS,
    train: tuple[str, ...] = TRAIN,
    test: tuple[str, ...] = TEST,
) -> Path:
    for name, lines in (("graph", graph), ("train", train), ("test", test)):
        (directory / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return directory


def test_every_event_may_enter_the_ledger(events: pl.DataFrame) -> None:
    assert events.schema == pl.Schema(SCHEMA)
    assert problems(events, NOW).is_empty()
    assert events["event_id"].is_unique().all()
    assert set(events["happened_at"]) == {EVENT_TIME}


def test_an_edge_listed_from_both_ends_is_one_tie(events: pl.DataFrame, sybil_folder: Path) -> None:
    with gzip.open(sybil_folder / "graph.txt.gz", "rt") as file:
        rows = [line.split() for line in file]
    ties = events.filter(pl.col("kind") == "tie.formed")
    assert (len(rows), ties.height) == (353_136, 176_568)
    pairs = {frozenset(pair) for pair in ties.select("subject", "other").iter_rows()}
    assert pairs == {frozenset((f"fb-{a}", f"fb-{b}")) for a, b in rows}
    assert set(ties["tie"]) == {"friend"}


def test_there_are_a_hundred_attack_edges(sybil_folder: Path, labels: pl.DataFrame) -> None:
    sybil = labels.filter("sybil")["person"].implode()
    ties = facebook_sybil.ties(sybil_folder)
    assert ties.filter(pl.col("a").is_in(sybil) != pl.col("b").is_in(sybil)).height == 100


def test_the_hundred_known_real_people_are_verified_and_nobody_else(events: pl.DataFrame, sybil_folder: Path) -> None:
    real, _ = (sybil_folder / "train.txt").read_text().splitlines()
    enrolled = events.filter(pl.col("kind") == "person.enrolled")
    assert enrolled.height == 8_078
    verified = enrolled.filter(pl.col("identity_level") == 3)
    assert set(verified["subject"]) == {f"fb-{number}" for number in real.split()}
    assert set(enrolled["identity_level"]) == {1, 3}


def test_everyone_is_labelled_once_half_of_them_sybils(events: pl.DataFrame, labels: pl.DataFrame) -> None:
    assert labels.schema == pl.Schema({"person": pl.String, "sybil": pl.Boolean, "part": pl.String})
    counts = labels.group_by("part", "sybil").len().sort("part", "sybil").rows()
    assert counts == [("test", False, 3_939), ("test", True, 3_939), ("train", False, 100), ("train", True, 100)]
    assert set(labels["person"]) == set(events.filter(pl.col("kind") == "consent.granted")["subject"])


def test_a_small_graph_read_by_hand(tmp_path: Path) -> None:
    events = facebook_sybil.events(write_folder(tmp_path))
    assert events["event_id"].to_list() == [
        *("consent-fb-0", "consent-fb-1", "consent-fb-4039", "consent-fb-4040"),
        *("enrol-fb-0", "enrol-fb-1", "enrol-fb-4039", "enrol-fb-4040"),
        *("tie-fb-0-fb-1", "tie-fb-1-fb-4039"),
    ]


def test_ties_can_be_added(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    label_rows = facebook_sybil.labels(folder)
    more = pl.concat([facebook_sybil.ties(folder), pl.DataFrame({"a": ["fb-0"], "b": ["fb-4040"]})])
    added = facebook_sybil.events_of(more, label_rows).join(facebook_sybil.events(folder), on="event_id", how="anti")
    assert added["event_id"].to_list() == ["tie-fb-0-fb-4040"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"graph": ("0 1", "1 0", "1 1")}, "`graph.txt`: a person is tied to themselves"),
        ({"graph": ("0 1",)}, "an edge is not listed once from each end"),
        ({"graph": ("0 1", "1 0", "0 1", "1 0")}, "an edge is not listed once from each end"),
        ({"graph": ("0 1", "1 one")}, "row 2: no valid `b` (`one`)"),
        ({"graph": ("0 7", "7 0")}, "a person is in neither list of people"),
        ({"train": ("0 1", "4040")}, "list a person twice"),
        ({"train": ("0",)}, "`train.txt` has 1 lines, not two"),
        ({"test": ("1 x", "4039")}, "row 2: no valid `number` (`x`)"),
        ({"test": ("4039", "1")}, "4039 and higher are the sybils"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, files: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(SourceError) as error:
        facebook_sybil.events(write_folder(tmp_path, **files))
    assert message in str(error.value)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is missing"):
        facebook_sybil.events(tmp_path)
