"""Bitcoin OTC's ratings become the events that we expect from the raw file."""

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from graph.datasets import bitcoin_otc
from graph.datasets.dataset import SourceError
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def events(otc_folder: Path) -> pl.DataFrame:
    return bitcoin_otc.events(otc_folder)


@pytest.fixture(scope="module")
def rows(otc_folder: Path) -> list[list[str]]:
    with gzip.open(otc_folder / "soc-sign-bitcoinotc.csv.gz", "rt", newline="") as file:
        return list(csv.reader(file))


def of_kind(events: pl.DataFrame, kind: str) -> pl.DataFrame:
    return events.filter(pl.col("kind") == kind)


def write_folder(directory: Path, *lines: str) -> Path:
    (directory / "soc-sign-bitcoinotc.csv").write_text("\n".join(lines) + "\n")
    return directory


def test_every_event_may_enter_the_ledger(events: pl.DataFrame) -> None:
    assert events.schema == pl.Schema(SCHEMA)
    assert problems(events, NOW).is_empty()
    assert events["event_id"].is_unique().all()
    assert events["recorded_at"].null_count() == events.height


def test_each_rating_is_a_vouch_with_its_sign(events: pl.DataFrame, rows: list[list[str]]) -> None:
    vouches = of_kind(events, "tie.formed")
    assert vouches.height == len(rows) == 35_592
    expected = {(f"otc-{a}", f"otc-{b}", int(s)) for a, b, s, _ in rows}
    assert set(vouches.select("subject", "other", "strength").iter_rows()) == expected
    assert set(vouches["tie"]) == {"vouch"}
    assert vouches["strength"].min() == -10


def test_the_first_row_read_by_hand(events: pl.DataFrame) -> None:
    # 6,2,4,1289241911.72836: 8 November 2010, 18:45:11
    row = of_kind(events, "tie.formed").row(0, named=True)
    assert {k: v for k, v in row.items() if v is not None} == {
        "contributor": "bitcoin-otc",
        "event_id": "6-2-1289241911.72836",
        "kind": "tie.formed",
        "subject": "otc-6",
        "other": "otc-2",
        "happened_at": datetime(2010, 11, 8, 18, 45, 11, 728_360, tzinfo=UTC),
        "tie": "vouch",
        "strength": 4,
    }


def test_people_enrol_and_consent_when_they_first_appear(events: pl.DataFrame, rows: list[list[str]]) -> None:
    first: dict[str, str] = {}
    for rater, rated, _, epoch in rows:  # the file is in order of time
        first.setdefault(f"otc-{rater}", epoch)
        first.setdefault(f"otc-{rated}", epoch)
    micros = {p: int(e.split(".")[0]) * 10**6 + int(e.split(".")[1].ljust(6, "0")) for p, e in first.items()}
    assert len(first) == 5_881
    for kind in ("person.enrolled", "consent.granted"):
        assert dict(of_kind(events, kind).select("subject", pl.col("happened_at").dt.epoch("us")).iter_rows()) == micros
    assert set(of_kind(events, "person.enrolled")["identity_level"]) == {0}


def test_labels_are_136_trusted_and_180_fraudulent_among_the_people(events: pl.DataFrame, otc_folder: Path) -> None:
    labels = bitcoin_otc.labels(otc_folder)
    assert labels.schema == pl.Schema({"person": pl.String, "trusted": pl.Boolean})
    assert (labels["trusted"].sum(), (~labels["trusted"]).sum()) == (136, 180)
    assert labels["person"].is_in(of_kind(events, "person.enrolled")["subject"].implode()).all()


def test_the_labels_come_from_36_labellers(events: pl.DataFrame, otc_folder: Path) -> None:
    labels = bitcoin_otc.labels(otc_folder)
    by = bitcoin_otc.labellers(events)
    assert (len(by), by.is_sorted()) == (36, True)
    ratings = of_kind(events, "tie.formed").filter(pl.col("subject").is_in(by.implode()))
    trusted = {*by, *ratings.filter(pl.col("strength") >= 5)["other"]}
    doubted = {*ratings.filter(pl.col("strength") <= -5)["other"]}
    assert set(labels.filter("trusted")["person"]) <= trusted
    assert set(labels.filter(~pl.col("trusted"))["person"]) <= doubted


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("1,1,5,10.5",), "rates themselves"),
        (("1,2,5,10.5", "1,2,4,11.5"), "rates another twice"),
        (("1,2,5,10.5", "2,1,high,11.5"), "row 2: no valid `strength` (`high`)"),
        (("1,2,5",), "has no column"),
        (("1,2,11,10.5",), "row 1: no valid `strength` (`11`)"),
        (("1,2,5,9999999999999",), "row 1: no valid `at`"),
        (("1,2,5,-9999999999999",), "row 1: no valid `at`"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(SourceError) as error:
        bitcoin_otc.events(write_folder(tmp_path, *lines))
    assert message in str(error.value)
    assert "soc-sign-bitcoinotc.csv" in str(error.value)


def test_a_label_without_a_valid_sign_is_refused(tmp_path: Path) -> None:
    (tmp_path / "otc_gt.csv").write_text("5,+1\n6,0\n")
    with pytest.raises(SourceError, match=r"`otc_gt.csv`, row 2"):
        bitcoin_otc.labels(tmp_path)
