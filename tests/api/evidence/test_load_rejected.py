"""Files that we refuse: bad rows with their lines and reasons, and bad files as a whole."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Engine

from api.evidence import ledger
from api.store.database import open_database
from engine.errors import Rejected
from tests.api.loading import WRITERS, load, payments, rejects

HEADER = "contributor,event_id,kind,subject,other,happened_at,amount,currency"
GOOD_ROW = "bank,{0},payment.made,ann,shop,2024-03-01T09:30:00Z,1200,CNY"


# name -> CSV lines after the header, refusals (line, words of the reason), number of accepted rows
BAD_ROWS: dict[str, tuple[list[str], list[tuple[int, str]], int]] = {
    "too few fields": ([GOOD_ROW, "bank,x,payment.made", GOOD_ROW], [(3, "3 fields in place of 8")], 2),
    "too many fields": ([GOOD_ROW + ",more", GOOD_ROW], [(2, "9 fields in place of 8")], 1),
    "a negative amount": ([GOOD_ROW, GOOD_ROW.replace("1200", "-12")], [(3, "`amount` is negative (-12)")], 1),
    "an amount with a point": (
        [GOOD_ROW, GOOD_ROW.replace("1200", "12.00")],
        [(3, "`amount` `12.00` is not a whole number")],
        1,
    ),
    "an amount beyond 64 bits": ([GOOD_ROW.replace("1200", "9" * 20)], [(2, "is not a whole number")], 0),
    "the year 9999": ([GOOD_ROW.replace("2024", "9999"), GOOD_ROW], [(2, "lies in the future")], 1),
    "a time that is none": (
        [GOOD_ROW, GOOD_ROW.replace("2024-03-01T09:30:00Z", "01/03/2024")],
        [(3, "`happened_at` `01/03/2024` is not a time")],
        1,
    ),
    "the 31st of June": ([GOOD_ROW.replace("2024-03-01", "2023-06-31")], [(2, "is not a time")], 0),
    "an unknown kind": (
        [GOOD_ROW, GOOD_ROW.replace("payment.made", "payment.mad")],
        [(3, "unknown kind `payment.mad`")],
        1,
    ),
    "no event_id": ([GOOD_ROW.replace("{0}", "")], [(2, "`event_id` is empty")], 0),
    "two wrong values": (
        [GOOD_ROW.replace("1200", "x").replace("2024-", "x24-")],
        [(2, "`happened_at`"), (2, "`amount` `x`")],
        0,
    ),
    "blank lines": (["", GOOD_ROW, "", "bank,x", ""], [(5, "2 fields")], 1),
    "a quoted text over lines": (
        ['"bank","q1",payment.made,"a ""n""\nn",shop,2024-03-01T09:30:00Z,1,CNY', GOOD_ROW, "bank,short"],
        [(2, "`subject` has a control character"), (5, "2 fields")],
        1,
    ),
    "a quote that never closes": ([GOOD_ROW, 'bank,"q,payment.made', GOOD_ROW, GOOD_ROW], [(3, "never closed")], 3),
    "a quote in the middle": (
        [GOOD_ROW, 'bank,"q"x,payment.made,ann,shop,2024-03-01T09:30:00Z,1,CNY', GOOD_ROW],
        [(3, "quotes do not match")],
        2,
    ),
    "a NUL": ([GOOD_ROW, GOOD_ROW.replace("ann", "a\0n"), GOOD_ROW], [(3, "`subject` has a control character")], 2),
    "a formula": ([GOOD_ROW.replace("ann", "=cmd|' /C calc'!A0")], [], 1),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_refused_with_its_line_and_the_rest_is_loaded(
    sqlite_database: Engine, tmp_path: Path, name: str
) -> None:
    lines, expected, accepted = BAD_ROWS[name]
    file = tmp_path / "in.csv"
    file.write_text("\n".join([HEADER, *(line.replace("{0}", f"p{n}") for n, line in enumerate(lines))]) + "\n")
    report = load(sqlite_database, file)
    actual = rejects(report) if expected else []
    assert report.accepted == accepted
    assert sorted({line for line, _ in actual}) == sorted({line for line, _ in expected})
    for line, words in expected:
        assert any(at == line and words in reason for at, reason in actual), actual


def test_two_events_with_one_id_are_reported_by_line(sqlite_database: Engine, tmp_path: Path) -> None:
    rows = [GOOD_ROW, GOOD_ROW, GOOD_ROW.replace("1200", "7"), GOOD_ROW.replace("{0}", "next")]
    (tmp_path / "in.csv").write_text("\n".join([HEADER, *rows]))
    report = load(sqlite_database, tmp_path / "in.csv")
    assert (report.accepted, report.duplicates, report.refused) == (2, 1, 1)
    assert rejects(report) == [
        (4, "`event_id` was sent before with other content, see `amount`: send event.corrected instead")
    ]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("size", [10_000_000, 40_000_000])
def test_a_field_of_many_megabytes_is_refused_and_the_rest_is_loaded(
    sqlite_database: Engine, tmp_path: Path, quote: str, size: int
) -> None:
    big = GOOD_ROW.replace("{0}", f"{quote}{'x' * size}{quote}")
    (tmp_path / "in.csv").write_text("\n".join([HEADER, GOOD_ROW.format("a"), big, GOOD_ROW.format("b")]) + "\n")
    report = load(sqlite_database, tmp_path / "in.csv")
    assert report.accepted == 2
    assert rejects(report) == [(3, "the row is longer than 1000000 bytes: shorten it")]
    assert report.rejects_path is not None
    assert report.rejects_path.stat().st_size < 10_000


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(sqlite_database: Engine, tmp_path: Path) -> None:
    text = "\r\n".join([HEADER, GOOD_ROW.format("a"), "bank,x", GOOD_ROW.format("b"), ""])
    (tmp_path / "in.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    report = load(sqlite_database, tmp_path / "in.csv")
    assert (report.accepted, rejects(report)[0][0]) == (2, 3)
    assert ledger.read(sqlite_database)["currency"].to_list() == ["CNY", "CNY"]


def test_a_row_that_is_not_utf_8_is_refused(sqlite_database: Engine, tmp_path: Path) -> None:
    rows = [GOOD_ROW.format("a"), GOOD_ROW.format("b").replace("ann", "zoë"), GOOD_ROW.format("c")]
    (tmp_path / "in.csv").write_bytes("\n".join([HEADER, *rows]).encode("latin-1"))
    report = load(sqlite_database, tmp_path / "in.csv")
    assert (report.accepted, rejects(report)) == (2, [(3, "byte 23 of the row is not UTF-8: save the file as UTF-8")])


def test_json_lines_are_refused_one_by_one(sqlite_database: Engine, tmp_path: Path) -> None:
    good = dict(zip(HEADER.split(","), GOOD_ROW.split(","), strict=True)) | {"amount": 5}
    lines = [
        json.dumps(good),
        '{"contributor": ',
        "[1]",
        json.dumps(good | {"amout": 5}),
        json.dumps(good | {"amount": 5.5}),
        json.dumps(good | {"recorded_at": "2024-01-01"}),
        json.dumps(good | {"subject": "\ud800"}),
        "[" * 100_000,
        json.dumps(good | {"event_id": "last", "amount": "6"}),
    ]
    (tmp_path / "in.ndjson").write_text("\n".join(lines))
    report = load(sqlite_database, tmp_path / "in.ndjson")
    assert report.accepted == 2
    words = [
        "not JSON",
        "not a JSON object",
        "did you mean `amount`?",
        "not a whole number",
        "set by the ledger",
        "surrogate",
        "not JSON",
    ]
    reject_rows = rejects(report)
    assert [line for line, _ in reject_rows] == [2, 3, 4, 5, 6, 7, 8]
    assert [w for w, (_, reason) in zip(words, reject_rows, strict=True) if w not in reason] == []


def test_parquet_rows_are_refused_by_their_number(sqlite_database: Engine, tmp_path: Path) -> None:
    amount = pl.when(pl.col("amount") == 4).then(4.5).otherwise(pl.col("amount").cast(pl.Float64))
    payments(9).with_columns(amount=amount).write_parquet(tmp_path / "in.parquet")
    report = load(sqlite_database, tmp_path / "in.parquet")
    assert (report.accepted, rejects(report)) == (8, [(5, "`amount` `4.5` is not a whole number")])


@pytest.mark.parametrize("name", ["p.csv.gz", "p.ndjson.gz"])
def test_a_truncated_gzip_gives_the_rows_before_the_break_and_an_error(
    sqlite_database: Engine, tmp_path: Path, name: str
) -> None:
    WRITERS[name](payments(20_000), tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[: (tmp_path / name).stat().st_size // 2])
    report = load(sqlite_database, tmp_path / name)
    assert report.broken is not None
    assert "breaks off" in report.broken
    assert (2_000 < report.accepted < 19_000, report.refused) == (True, 0)
    assert ledger.read(sqlite_database)["amount"].to_list() == list(range(report.accepted))


def test_a_damaged_parquet_page_gives_the_rows_before_it(sqlite_database: Engine, tmp_path: Path) -> None:
    payments(4000).write_parquet(tmp_path / "p.parquet", row_group_size=1000, compression="zstd")
    data = bytearray((tmp_path / "p.parquet").read_bytes())
    middle = len(data) * 6 // 10
    data[middle : middle + 600] = b"\xff" * 600
    (tmp_path / "p.parquet").write_bytes(data)
    report = load(sqlite_database, tmp_path / "p.parquet", batch_rows=500)
    assert report.broken is not None
    assert "cannot be read after row" in report.broken
    assert 500 <= report.accepted < 4000


# name and content of a file -> code and words of the error
BAD_FILES: dict[str, tuple[str, bytes, str, str]] = {
    "empty": ("in.csv", b"", "file_empty", "the file is empty"),
    "an empty gzip": ("in.csv.gz", gzip.compress(b""), "file_empty", "the file is empty"),
    "no gzip": ("in.csv.gz", HEADER.encode(), "file_broken", "nothing in it can be read"),
    "unknown format": ("in.xlsx", b"x", "file_format", "name it .csv"),
    "semicolons": ("in.csv", HEADER.replace(",", ";").encode(), "file_delimiter", "wrong delimiter?"),
    "tabs": ("in.csv", HEADER.replace(",", "\t").encode(), "file_delimiter", "wrong delimiter?"),
    "a misspelt column": (
        "in.csv",
        HEADER.replace("amount", "amout").encode(),
        "file_columns",
        "did you mean `amount`?",
    ),
    "a missing column": (
        "in.csv",
        HEADER.replace("subject,", "").encode(),
        "file_columns",
        "column `subject` is missing",
    ),
    "a column twice": ("in.csv", (HEADER + ",amount").encode(), "file_columns", "column `amount` is there twice"),
    "recorded_at": ("in.csv", (HEADER + ",recorded_at").encode(), "file_columns", "`recorded_at` is set by the ledger"),
    "UTF-16": ("in.csv", HEADER.encode("utf-16"), "file_encoding", "UTF-16"),
    "no Parquet": ("in.parquet", b"PAR1 is not enough", "file_broken", "not a Parquet file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_of_another_kind_is_refused_in_one_line(sqlite_database: Engine, tmp_path: Path, name: str) -> None:
    file, content, code, words = BAD_FILES[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(Rejected) as error:
        load(sqlite_database, tmp_path / file)
    message = str(error.value)
    assert (error.value.code, words in message, "\n" in message) == (code, True, False), message
    assert not list(tmp_path.glob("*.rejects*"))


def test_an_absent_file_and_a_folder_are_refused(sqlite_database: Engine, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="there is no such file"):
        load(sqlite_database, tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(Rejected, match="this is a folder"):
        load(sqlite_database, tmp_path / "folder.csv")


def test_a_parquet_column_of_a_foreign_type_is_refused_whole(sqlite_database: Engine, tmp_path: Path) -> None:
    payments(3).with_columns(amount=pl.lit([1])).write_parquet(tmp_path / "in.parquet")
    with pytest.raises(Rejected, match=r"`amount` has the type list.*make it a whole number"):
        load(sqlite_database, tmp_path / "in.parquet")


def test_a_read_only_database_is_refused_before_anything_is_written(sqlite_database: Engine, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///file:{tmp_path / 'iftah.db'}?mode=ro&uri=true")
    (tmp_path / "in.csv").write_text(f"{HEADER}\n{GOOD_ROW}\nbank,short\n")
    with pytest.raises(Rejected, match="the database is read-only"):
        load(database, tmp_path / "in.csv")
    database.dispose()
    assert not (tmp_path / "in.csv.rejects.ndjson").exists()


def test_rejects_go_to_the_current_folder_if_the_files_own_is_read_only(
    sqlite_database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "in.csv").write_text(f"{HEADER}\n{GOOD_ROW}\nbank,short\n")
    (tmp_path / "in.csv.rejects.ndjson.partial").mkdir()  # not even root can write a file of that name now
    assert load(sqlite_database, tmp_path / "in.csv").rejects_path == tmp_path / "here" / "in.csv.rejects.ndjson"


def test_loading_a_fixed_file_removes_the_old_rejects(sqlite_database: Engine, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text(f"{HEADER}\n{GOOD_ROW}\nbank,short\n")
    assert load(sqlite_database, file).rejects_path == tmp_path / "in.csv.rejects.ndjson"
    file.write_text(f"{HEADER}\n{GOOD_ROW}\n")
    assert load(sqlite_database, file).rejects_path is None
    assert [p.name for p in tmp_path.glob("in.csv*")] == ["in.csv"]


def test_nothing_is_loaded_if_rejects_cannot_be_written(
    sqlite_database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "in.csv").write_text(f"{HEADER}\n{GOOD_ROW}\nbank,short\n")
    for folder in (tmp_path, tmp_path / "here"):
        (folder / "in.csv.rejects.ndjson.partial").mkdir()  # not even root can write a file of that name now
    with pytest.raises(Rejected, match="the refused rows cannot be written down") as error:
        load(sqlite_database, tmp_path / "in.csv")
    assert error.value.code == "rejects_unwritable"
    assert "kept" not in str(error.value)
    assert ledger.extent(sqlite_database).events == 0


def test_rejects_go_to_the_named_file(sqlite_database: Engine, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(f"{HEADER}\n{GOOD_ROW}\nbank,short\n")
    assert (
        load(sqlite_database, tmp_path / "in.csv", rejects=tmp_path / "bad.ndjson").rejects_path
        == tmp_path / "bad.ndjson"
    )
    assert sorted(p.name for p in tmp_path.glob("*in.csv*")) == ["in.csv"]
    for place in (tmp_path, tmp_path / "none" / "bad.ndjson", tmp_path / "in.csv"):
        with pytest.raises(Rejected, match="the refused rows cannot"):
            load(sqlite_database, tmp_path / "in.csv", rejects=place)
    assert (tmp_path / "in.csv").read_text() == f"{HEADER}\n{GOOD_ROW}\nbank,short\n"


def test_a_load_that_ends_early_reports_the_number_of_kept_rows(sqlite_database: Engine, tmp_path: Path) -> None:
    rows = "\n".join(GOOD_ROW.format(f"e{n}") for n in range(10))
    (tmp_path / "in.csv").write_text(f"{HEADER}\n{rows}\nbank,short\n")
    if not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    (tmp_path / "bad.ndjson.partial").symlink_to("/dev/full")
    with pytest.raises(Rejected, match=r"cannot be written down: .*; 10 rows were kept before"):
        load(sqlite_database, tmp_path / "in.csv", rejects=tmp_path / "bad.ndjson")
    assert ledger.extent(sqlite_database).events == 10


def test_a_consent_by_file_names_the_merchant_and_its_service(sqlite_database: Engine, tmp_path: Path) -> None:
    head = "contributor,event_id,kind,subject,happened_at,purpose,classes,service,until"
    rows = (
        "desk,c1,consent.granted,ann,2024-01-01T00:00:00Z,perks,identity,hotel,",
        "desk,c2,consent.granted,ann,2024-01-01T00:00:00Z,perks,identity,inn/hotel,",
        "desk,c3,consent.granted,ann,2024-01-01T00:00:00Z,perks,identity,,2023-01-01T00:00:00Z",
    )
    (tmp_path / "in.csv").write_text("\n".join((head, *rows)) + "\n")
    report = load(sqlite_database, tmp_path / "in.csv")
    first, third = rejects(report)
    assert (report.accepted, first[0], third[0]) == (1, 2, 4)
    assert "`service` `hotel` names no merchant's service: write `merchant/service`" in first[1]
    assert "never be in force" in third[1]
