"""AMLSim's transfers become the events that we expect from the raw files."""

import csv
import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from graph.datasets import amlsim
from graph.datasets.dataset import SourceError
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NODES = "nodeid,isFraud,init_balance,fraudStep"
TRANSFERS = "sourceNodeId,targetNodeId,value,time"


@pytest.fixture(scope="module")
def events(amlsim_folder: Path) -> pl.DataFrame:
    return amlsim.events(amlsim_folder)


@pytest.fixture(scope="module")
def rows(amlsim_folder: Path) -> list[dict[str, str]]:
    with gzip.open(amlsim_folder / "transactions.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def payments(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter(pl.col("kind") == "payment.made")


def write_folder(directory: Path, nodes: tuple[str, ...], transfers: tuple[str, ...]) -> Path:
    (directory / "nodes.csv").write_text("\n".join((NODES, *nodes)) + "\n")
    (directory / "transactions.csv").write_text("\n".join((TRANSFERS, *transfers)) + "\n")
    return directory


def test_every_event_may_enter_the_ledger(events: pl.DataFrame) -> None:
    assert events.schema == pl.Schema(SCHEMA)
    assert problems(events, NOW).is_empty()
    assert events["event_id"].is_unique().all()
    assert events["recorded_at"].null_count() == events.height


def test_each_transfer_except_to_oneself_is_a_payment(events: pl.DataFrame, rows: list[dict[str, str]]) -> None:
    between_accounts = [r for r in rows if r["sourceNodeId"] != r["targetNodeId"]]
    assert (len(rows), len(between_accounts)) == (120_558, 120_543)
    expected = sorted(
        (f"account-{r['sourceNodeId']}", f"account-{r['targetNodeId']}", int(Decimal(r["value"]) * 100))
        for r in between_accounts
    )
    assert sorted(payments(events).select("subject", "other", "amount").iter_rows()) == expected


def test_the_first_row_read_by_hand(events: pl.DataFrame) -> None:
    # 216,14730,163.3,1: a day after the first of January
    row = payments(events).filter(pl.col("event_id") == "transfer-1").row(0, named=True)
    assert {k: v for k, v in row.items() if v is not None} == {
        "contributor": "amlsim",
        "event_id": "transfer-1",
        "kind": "payment.made",
        "subject": "account-216",
        "other": "account-14730",
        "happened_at": datetime(2017, 1, 2, tzinfo=UTC),
        "amount": 16_330,
        "currency": "USD",
        "category": "transfer",
        "channel": "transfer",
    }


def test_accounts_enrol_and_consent_before_the_first_transfer(events: pl.DataFrame) -> None:
    for kind in ("person.enrolled", "consent.granted"):
        matching = events.filter(pl.col("kind") == kind)
        assert (matching.height, matching["subject"].n_unique()) == (20_000, 20_000)
        assert set(matching["happened_at"]) == {datetime(2017, 1, 1, tzinfo=UTC)}
    assert payments(events)["happened_at"].min() == datetime(2017, 1, 2, tzinfo=UTC)


def test_1804_accounts_were_put_on_a_ring_and_half_of_them_never_acted(amlsim_folder: Path) -> None:
    labels = amlsim.labels(amlsim_folder)
    assert labels.columns == ["person", "ringed", "acted"]
    assert (labels.height, labels["ringed"].sum()) == (20_000, 1_804)
    assert labels.filter("ringed")["acted"].count() == labels["acted"].count() == 898


def test_labels_read_by_hand(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, ("0,0,184.44,-1", "1,1,175.80,3", "2,1,9.00,-1"), ())
    third = datetime(2017, 1, 4, tzinfo=UTC)
    assert amlsim.labels(folder).rows() == [
        ("account-0", False, None),
        ("account-1", True, third),
        ("account-2", True, None),
    ]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("0,maybe,1.00,-1", "no valid `isFraud` (`maybe`)"),
        ("0,0,1.00,soon", "no valid `fraudStep`"),
        ("0,1,1.00,9000000000000", "no valid `fraudStep`"),
    ],
)
def test_an_invalid_label_is_refused(tmp_path: Path, node: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        amlsim.labels(write_folder(tmp_path, (node,), ()))
    assert f"`nodes.csv`, row 1: {message}" in str(error.value)


@pytest.mark.parametrize(
    ("transfer", "message"),
    [
        ("0,1,1.234,1", "no valid `value` (`1.234`)"),
        ("0,1,1.00,x", "no valid `time` (`x`)"),
        ("0,1,-1.00,1", "no valid `value` (`-1.00`)"),
        ("0,1,99999999999999.99,1", "no valid `value` (`99999999999999.99`)"),
        ("0,1,99999999999999999999,1", "no valid `value` (`99999999999999999999`)"),
        ("0,1,1.00,-1", "no valid `time` (`-1`)"),
        ("0,1,1.00,9000000000000", "no valid `time` (`9000000000000`)"),
    ],
)
def test_an_invalid_transfer_is_refused(tmp_path: Path, transfer: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        amlsim.events(write_folder(tmp_path, (), ("0,1,1.00,1", transfer)))
    assert f"`transactions.csv`, row 2: {message}" in str(error.value)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is missing"):
        amlsim.events(tmp_path)
