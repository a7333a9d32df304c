"""Berka's data become the events that we count in the raw files with the csv module and by hand."""

import csv
import gzip
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from graph.datasets import berka
from graph.datasets.dataset import SourceError
from graph.evidence.event_checks import problems
from graph.evidence.events import SCHEMA

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def raw(folder: Path, name: str) -> list[dict[str, str]]:
    path = folder / name
    with gzip.open(path, "rt", newline="") if name.endswith(".gz") else path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def raw_transactions(folder: Path) -> dict[str, dict[str, str]]:
    both = raw(folder, "trans_preloan.asc.gz") + raw(folder, "trans_1993-01_to_1994-03.asc.gz")
    return {row["trans_id"]: row for row in both}


def owner_of(folder: Path) -> dict[str, str]:
    return {r["account_id"]: f"client-{r['client_id']}" for r in raw(folder, "disp.asc") if r["type"] == "OWNER"}


def day(text: str) -> date:
    return datetime.strptime("19" + text, "%Y%m%d").date()


@pytest.fixture(scope="module")
def events(berka_folder: Path) -> pl.DataFrame:
    return berka.events(berka_folder)


def of_kind(events: pl.DataFrame, kind: str) -> pl.DataFrame:
    return events.filter(pl.col("kind") == kind)


def test_every_event_may_enter_the_ledger(events: pl.DataFrame) -> None:
    assert events.schema == pl.Schema(SCHEMA)
    assert problems(events, NOW).is_empty()
    assert events["recorded_at"].null_count() == events.height
    assert events["event_id"].is_unique().all()
    assert events.select("happened_at", "event_id").equals(
        events.select("happened_at", "event_id").sort("happened_at", "event_id")
    )


def test_each_client_enrols_once_on_the_day_of_the_account(events: pl.DataFrame, berka_folder: Path) -> None:
    opened = {r["account_id"]: day(r["date"]) for r in raw(berka_folder, "account.asc")}
    expected = {f"client-{r['client_id']}": opened[r["account_id"]] for r in raw(berka_folder, "disp.asc")}
    enrolled = of_kind(events, "person.enrolled")
    assert len(expected) == enrolled.height == 5369
    assert dict(enrolled.select("subject", pl.col("happened_at").dt.date()).iter_rows()) == expected
    assert set(enrolled["identity_level"]) == {2}


def test_everyone_consents_at_enrolment(events: pl.DataFrame) -> None:
    both = of_kind(events, "person.enrolled").join(of_kind(events, "consent.granted"), on=("subject", "happened_at"))
    assert both.height == 5369
    assert set(of_kind(events, "consent.granted")["classes"]) == {"identity,relationship,behaviour,restricted,credit"}


def test_consent_to_restricted_data_can_be_left_out_and_nothing_else_changes(
    events: pl.DataFrame, berka_folder: Path
) -> None:
    without = berka.events(berka_folder, restricted_consent=False)
    assert set(of_kind(without, "consent.granted")["classes"]) == {"identity,relationship,behaviour,credit"}
    assert without.drop("classes").equals(events.drop("classes"))


def test_owner_and_disponent_are_one_household(events: pl.DataFrame, berka_folder: Path) -> None:
    owners = owner_of(berka_folder)
    second = [r for r in raw(berka_folder, "disp.asc") if r["type"] == "DISPONENT"]
    ties = of_kind(events, "tie.formed")
    assert ties.height == len(second) == 869
    assert set(ties.select("subject", "other").iter_rows()) == {
        (owners[r["account_id"]], f"client-{r['client_id']}") for r in second
    }
    assert set(ties["tie"]) == {"household"}
    assert ties["strength"].null_count() == 869


def test_each_transaction_except_loan_instalments_gives_one_event(events: pl.DataFrame, berka_folder: Path) -> None:
    rows = raw_transactions(berka_folder)
    assert len(rows) == 54_694 + 49_102 - 6_791
    symbols = Counter(r["k_symbol"].strip() for r in rows.values())
    ids = {f"trans-{i}" for i, r in rows.items() if r["k_symbol"].strip() != "UVER"}
    assert symbols["UVER"] == 123
    assert set(events.filter(pl.col("event_id").str.starts_with("trans-"))["event_id"]) == ids
    assert of_kind(events, "obligation.missed").height == symbols["SANKC. UROK"]
    assert of_kind(events, "payment.made").height == len(ids) - symbols["SANKC. UROK"]


def test_amounts_equal_the_files_to_the_haler(events: pl.DataFrame, berka_folder: Path) -> None:
    transactions = [r for r in raw_transactions(berka_folder).values() if r["k_symbol"].strip() != "UVER"]
    transaction_events = events.filter(pl.col("event_id").str.starts_with("trans-"))
    assert transaction_events["amount"].sum() == int(sum(Decimal(r["amount"]) for r in transactions) * 100)
    assert set(transaction_events["currency"]) == {"CZK"}


@pytest.mark.parametrize("account", ["2378", "5270", "576"])
def test_money_in_and_out_of_an_account_belongs_to_its_owner(
    events: pl.DataFrame, berka_folder: Path, account: str
) -> None:
    own = owner_of(berka_folder)[account]
    sums: Counter[bool] = Counter()
    for r in raw_transactions(berka_folder).values():
        if r["account_id"] == account and r["k_symbol"].strip() not in ("UVER", "SANKC. UROK"):
            sums[r["type"] == "PRIJEM"] += int(Decimal(r["amount"]) * 100)
    paid = of_kind(events, "payment.made")
    assert paid.filter(pl.col("other") == own)["amount"].sum() == sums[True] > 0
    assert paid.filter(pl.col("subject") == own)["amount"].sum() == sums[False] > 0


def test_one_transaction_read_by_hand(events: pl.DataFrame, berka_folder: Path) -> None:
    # 1548750;5270;930114;"PRIJEM";"PREVOD Z UCTU";44749.00;45549.00;"";"IJ";"80269753"
    row = events.filter(pl.col("event_id") == "trans-1548750").row(0, named=True)
    assert {k: v for k, v in row.items() if v is not None} == {
        "contributor": "berka",
        "event_id": "trans-1548750",
        "kind": "payment.made",
        "subject": "bank-IJ-80269753",
        "other": owner_of(berka_folder)["5270"],
        "happened_at": datetime(1993, 1, 14, 12, tzinfo=UTC),
        "amount": 4_474_900,
        "currency": "CZK",
        "category": "wage",
        "channel": "transfer",
    }


def test_categories_have_the_counts_of_their_symbols_and_operations(events: pl.DataFrame, berka_folder: Path) -> None:
    rows = raw_transactions(berka_folder).values()
    counts = Counter((r["k_symbol"].strip() or r["operation"]) for r in rows)
    categories = dict(of_kind(events, "payment.made").group_by("category").len().iter_rows())
    assert categories == {
        "housing": counts["SIPO"],
        "insurance": counts["POJISTNE"],
        "pension": counts["DUCHOD"],
        "fees": counts["SLUZBY"],
        "interest": counts["UROK"],
        "cash": counts["VKLAD"] + counts["VYBER"],
        "shopping": counts["VYBER KARTOU"],
        "wage": counts["PREVOD Z UCTU"],
        "transfer": counts["PREVOD NA UCET"],
    }
    assert set(of_kind(events, "payment.made").filter(category="shopping")["channel"]) == {"card"}
    assert set(of_kind(events, "payment.made").filter(category="cash")["channel"]) == {"cash"}


def test_an_account_has_one_balance_a_day_and_days_are_consistent(events: pl.DataFrame, berka_folder: Path) -> None:
    rows = raw_transactions(berka_folder).values()
    changes: Counter[tuple[str, date]] = Counter()
    for r in rows:
        changes[r["account_id"], day(r["date"])] += int(Decimal(r["amount"]) * 100) * (
            1 if r["type"] == "PRIJEM" else -1
        )
    balances = of_kind(events, "account.balance")
    close = {
        (i.split("-")[1], at.date()): b for i, at, b in balances.select("event_id", "happened_at", "amount").iter_rows()
    }
    assert set(close) == set(changes)
    days = sorted(changes)
    follows = [abs(close[a] + changes[b] - close[b]) <= 100 for a, b in pairwise(days) if a[0] == b[0]]
    assert len(follows) > 70_000
    assert sum(follows) / len(follows) > 0.999


def test_a_balance_is_that_after_the_days_last_move_in_any_file_order(events: pl.DataFrame) -> None:
    # on 1993-01-31 account 2378 got 94.70 interest (balance 94,153.70) and then paid out 34,700; the file has them reversed
    assert events.filter(pl.col("event_id") == "balance-2378-930131")["amount"].item() == 5_945_370


def test_loans_open_obligations_with_their_term(events: pl.DataFrame, berka_folder: Path) -> None:
    opened = of_kind(events, "obligation.opened")
    assert opened.height == 682
    first = opened.filter(pl.col("obligation") == "loan-5314").row(0, named=True)
    assert first["happened_at"] == datetime(1993, 7, 5, tzinfo=UTC)
    assert (first["amount"], first["due"]) == (9_639_600, date(1994, 7, 5))
    assert first["subject"] == owner_of(berka_folder)["1787"]


def test_labels_are_the_known_outcomes_of_1993_to_1996(events: pl.DataFrame, berka_folder: Path) -> None:
    labels = berka.labels(berka_folder)
    assert labels.schema == pl.Schema({"person": pl.String, "loan": pl.String, "date": pl.Date, "bad": pl.Boolean})
    assert (labels.height, labels["bad"].sum()) == (328, 46)
    assert labels["date"].max() < date(1997, 1, 1)
    raw_bad = {r["loan_id"] for r in raw(berka_folder, "loan.asc") if r["status"] in ("B", "D")}
    assert set(labels.filter("bad")["loan"]) == raw_bad
    loans = of_kind(events, "obligation.opened").select(
        person="subject", loan=pl.col("obligation").str.strip_prefix("loan-")
    )
    assert labels.join(loans, on=("person", "loan"), how="semi").height == 328


def test_no_event_depends_on_the_outcome_of_a_loan(events: pl.DataFrame, berka_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(berka_folder, tmp_path / "berka")
    rows = raw(berka_folder, "loan.asc")
    statuses = [r["status"] for r in rows]
    assert statuses != statuses[1:] + statuses[:1]
    with (tmp_path / "berka" / "loan.asc").open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), delimiter=";")
        out.writeheader()
        out.writerows({**r, "status": s} for r, s in zip(rows, statuses[1:] + statuses[:1], strict=True))
    assert berka.events(tmp_path / "berka").equals(events)
    assert not berka.labels(tmp_path / "berka").equals(berka.labels(berka_folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": "-96396"}, "no valid `amount` (`-96396`)"),
        ({"amount": "99999999999999"}, "no valid `amount` (`99999999999999`)"),
        ({"duration": "-12"}, "no valid `duration` (`-12`)"),
        ({"duration": "999999999999"}, "no valid `duration` (`999999999999`)"),
        ({"date": "931399"}, "no valid `date` (`931399`)"),
    ],
)
def test_an_invalid_loan_is_refused_with_its_row(
    berka_folder: Path, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    for path in berka_folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    rows = raw(berka_folder, "loan.asc")
    (tmp_path / "loan.asc").unlink()
    with (tmp_path / "loan.asc").open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), delimiter=";")
        out.writeheader()
        out.writerows([rows[0], rows[1] | change, *rows[2:]])
    with pytest.raises(SourceError) as error:
        berka.labels(tmp_path)
    assert f"`loan.asc`, row 2: {message}" in str(error.value)


def test_just_before_a_loan_only_earlier_events_are_visible(events: pl.DataFrame, berka_folder: Path) -> None:
    granted = {r["account_id"]: day(r["date"]) for r in raw(berka_folder, "loan.asc")}
    moves = [
        r
        for r in raw_transactions(berka_folder).values()
        if r["account_id"] in granted and r["k_symbol"].strip() != "UVER"
    ]
    before = {f"trans-{r['trans_id']}" for r in moves if day(r["date"]) < granted[r["account_id"]]}
    cut = pl.DataFrame({
        "event_id": [f"trans-{r['trans_id']}" for r in moves],
        "as_of": [datetime.combine(granted[r["account_id"]], datetime.min.time(), UTC) - timedelta(microseconds=1) for r in moves],
    })  # fmt: skip
    visible = events.join(cut, on="event_id").filter(pl.col("happened_at") <= pl.col("as_of"))
    assert set(visible["event_id"]) == before
    assert len(before) < len(moves)


def test_no_event_precedes_enrolment(events: pl.DataFrame) -> None:
    since = of_kind(events, "person.enrolled").select("happened_at", subject="subject").rename({"happened_at": "since"})
    for end in ("subject", "other"):
        acts = events.join(since, left_on=end, right_on="subject")
        assert acts.height > 800
        assert acts.filter(pl.col("happened_at") < pl.col("since")).is_empty()


def test_no_forbidden_attribute_is_read(events: pl.DataFrame, berka_folder: Path) -> None:
    births = {r["birth_number"] for r in raw(berka_folder, "client.asc")}
    text = events.select(pl.col(pl.String)).select(pl.all().unique().implode())
    values = {v for column in text.row(0) for v in column if v}
    assert len(births) > 5000
    assert not births & values


def test_a_folder_without_loans_is_refused_in_one_line(berka_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(berka_folder, tmp_path / "berka", ignore=shutil.ignore_patterns("loan.asc"))
    with pytest.raises(SourceError, match=r"loan\.asc` is missing"):
        berka.events(tmp_path / "berka")
