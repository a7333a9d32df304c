"""`iftah import`: the same events from every format and from a query; values that a format has and an event has not."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from api.evidence import text_files
from tests.api.imports import ImportRunner, with_fields

MAP = with_fields("amount: {column: total, scale: 100}\nhappened_at: at")
FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "customer": ["ann", "ben", 'a "quoted", name'],
        "at": ["2026-01-03T09:30:00Z", "2026-01-04T10:00:00+01:00", "2026-01-05T00:00:00.25Z"],
        "total": [182.5, 0.29, 1000000.01],
    }
)
EVENTS = [
    ("1", "ann", datetime(2026, 1, 3, 9, 30, tzinfo=UTC), 18250),
    ("2", "ben", datetime(2026, 1, 4, 9, tzinfo=UTC), 29),
    ("3", 'a "quoted", name', datetime(2026, 1, 5, 0, 0, 0, 250000, UTC), 100000001),
]


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)  # type: ignore[no-any-return]


def parquet(frame: pl.DataFrame, path: Path) -> bytes:
    frame.write_parquet(path)
    return path.read_bytes()


TEXTS: dict[str, Callable[[pl.DataFrame, Path], bytes]] = {
    ".csv": lambda frame, _: frame.write_csv().encode(),
    ".tsv": lambda frame, _: frame.write_csv(separator="\t").encode(),
    ".ndjson": lambda frame, _: frame.write_ndjson().encode(),
    ".jsonl": lambda frame, _: frame.write_ndjson().encode(),
    ".json": lambda frame, _: json.dumps(frame.to_dicts(), indent=1).encode(),
    ".parquet": lambda frame, folder: parquet(frame, folder / "plain"),
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd}


@pytest.fixture
def runner(tmp_path: Path) -> ImportRunner:
    return ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("ending", TEXTS)
def test_every_format_gives_the_same_events(runner: ImportRunner, tmp_path: Path, ending: str, packing: str) -> None:
    content = PACKERS[packing](TEXTS[ending](FRAME, tmp_path))
    completed = runner.import_text(MAP, content, f"in{ending}{packing}")
    assert (completed.returncode, completed.stderr) == (0, ""), completed.stdout
    assert runner.events("event_id", "subject", "happened_at", "amount") == EVENTS


def test_a_csv_file_may_have_another_delimiter(runner: ImportRunner) -> None:
    completed = runner.import_text("delimiter: ';'\n" + MAP, FRAME.write_csv(separator=";"))
    assert (completed.returncode, completed.stderr) == (0, ""), completed.stdout
    assert runner.events("event_id", "subject", "happened_at", "amount") == EVENTS


def test_a_wrong_delimiter_is_one_line(runner: ImportRunner) -> None:
    completed = runner.import_text(MAP, FRAME.write_csv(separator=";"))
    assert completed.stderr == (
        "iftah: in.csv: the header is one column: wrong delimiter? (separate the columns by commas)\n"
    )


def test_json_numbers_keep_their_digits_and_inner_objects_are_columns(runner: ImportRunner) -> None:
    rows = [
        '{"id": 12345678901234567890, "at": "2026-01-03T09:30:00Z", "total": 182.10, "customer": {"name": "ann"}}',
        '{"id": "b", "at": "2026-01-03T09:30:00Z", "total": "0.29", "customer": {"name": "ben", "tags": ["x", "y"]}}',
    ]
    map_text = MAP.replace(
        "subject: customer",
        "subject: customer.name\n  category: {column: customer.tags, missing: fees, lookup: {'x,y': dining, fees: fees}}",
    )
    completed = runner.import_text(map_text, "\n".join(rows), "in.ndjson")
    assert (completed.returncode, completed.stderr) == (0, ""), completed.stdout
    assert runner.events("event_id", "subject", "amount", "category") == [
        ("12345678901234567890", "ann", 18210, "fees"),
        ("b", "ben", 29, "dining"),
    ]


@pytest.mark.parametrize("name", ["in.ndjson", "in.json"])
def test_json_rows_are_refused_one_by_one(runner: ImportRunner, name: str) -> None:
    good = '{"id": %d, "customer": "ann", "at": "2026-01-03T09:30:00Z", "total": %s}'
    rows = [
        good % (1, "1"),
        '{"id": 2, "id": 3}',
        "[1]",
        good % (4, "NaN"),
        good % (5, "true"),
        good % (6, '"\\ud800"'),
        good % (7, "2"),
    ]
    text = "\n".join(rows) if name == "in.ndjson" else "[" + ",\n".join(rows) + "]"
    completed = runner.import_text(MAP, text, name)
    assert completed.returncode == 1
    assert runner.events("event_id") == ["1", "7"]
    assert runner.rejects(name) == [
        (2, "`id` is there twice: keep one"),
        (3, "the row is not a JSON object"),
        (6, "a text has half of a character (a lone surrogate): check how it was written"),
        (4, "payment.made: `amount`: `NaN` in `total` is not a number"),
        (5, "payment.made: `amount`: `true` in `total` is not a number"),
    ]


def test_a_key_that_only_a_late_object_has_is_a_column(runner: ImportRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 500)
    rows = [{"id": n, "customer": "ann", "at": "2026-01-03T09:30:00Z", "total": 1} for n in range(40)]
    rows[39]["kind"] = "dining"
    text = "\n".join(map(json.dumps, rows))
    completed = runner.import_text(MAP.replace("amount: {", "category: kind\n      amount: {"), text, "in.ndjson")
    assert (completed.returncode, completed.stderr) == (0, ""), completed.stdout
    assert runner.events("event_id", "category")[38:] == [("38", None), ("39", "dining")]


@pytest.mark.parametrize("packing", PACKERS)
def test_an_array_is_read_in_pieces_and_ends_at_what_is_no_json(
    runner: ImportRunner, monkeypatch: pytest.MonkeyPatch, packing: str
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 700)
    rows = [
        json.dumps({"id": n, "customer": "zoë [x] {y}", "at": "2026-01-03T09:30:00Z", "total": n}, ensure_ascii=False)
        for n in range(50)
    ]
    completed = runner.import_text(MAP, PACKERS[packing](f"[{', '.join(rows)}]".encode()), f"in.json{packing}")
    assert completed.stdout.endswith(": 50 accepted, 0 duplicates, 0 rejected\n"), completed.stdout
    broken = f"[{', '.join(rows[:30])}, {{oops, {', '.join(rows[30:])}]"
    completed = runner.import_text(MAP, PACKERS[packing](broken.encode()), f"broken.json{packing}")
    assert completed.returncode == 1
    assert completed.stdout.endswith(f"broken.json{packing}: after row 30 the file is not JSON: write it again\n")
    assert "0 accepted, 30 duplicates" in completed.stdout


@pytest.mark.parametrize("ending", [".csv", ".ndjson"])
@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_file_that_breaks_off_gives_the_rows_before_the_break(
    runner: ImportRunner, tmp_path: Path, ending: str, packing: str
) -> None:
    number = pl.int_range(60_000, eager=True)
    frame = pl.DataFrame({"id": number, "customer": number.cast(pl.String) + "-" + number.hash(1).cast(pl.String)})
    frame = frame.with_columns(at=pl.lit("2026-01-03T09:30:00Z"), total=pl.lit(1))
    content = PACKERS[packing](TEXTS[ending](frame, tmp_path))
    completed = runner.import_text(MAP, content[: len(content) // 2], f"in{ending}{packing}")
    assert completed.returncode == 1
    assert "the file breaks off here" in completed.stdout
    count = len(runner.events("event_id"))
    assert 1_000 < count < 59_000
    assert runner.events("event_id") == list(map(str, range(count)))


# name -> a column of a Parquet file, the field that it fills, and the value in each of two rows (None: it is refused)
TYPED: dict[str, tuple[pl.Series, str, list[Any]]] = {
    "whole numbers": (pl.Series([5, 7]), "amount: x", [5, 7]),
    "small whole numbers times 100": (pl.Series([5, 127], dtype=pl.Int8), "amount: {column: x, scale: 100}", [500, 12700]),
    "floats that are whole": (pl.Series([5.0, 5.5]), "amount: x", [5, None]),
    "floats times 100": (pl.Series([3.3000000000000003, 4.35]), "amount: {column: x, scale: 100}", [330, 435]),
    "a float that is no cent": (pl.Series([1.1, 0.005]), "amount: {column: x, scale: 100}", [110, None]),
    "NaN": (pl.Series([1.0, float("nan")]), "amount: {column: x, scale: 100}", [100, None]),
    "infinity": (pl.Series([1.0, float("-inf")]), "amount: {column: x, scale: currency}", [100, None]),
    "half-precision floats": (pl.Series([1.5, 0.1], dtype=pl.Float32), "amount: {column: x, scale: 100}", [150, None]),
    "decimals": (pl.Series([Decimal("1.10"), Decimal("0.005")]), "amount: {column: x, scale: 100}", [110, None]),
    "days": (pl.Series([date(2026, 2, 1), None]), "due: x", [date(2026, 2, 1), None]),
    "moments in a zone": (
        pl.Series([datetime(2026, 1, 1, 8), datetime(2026, 1, 1, 9)]).dt.replace_time_zone("Asia/Shanghai"),
        "happened_at: x",
        [datetime(2026, 1, 1, 0, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC)],
    ),
    "moments without a zone": (
        pl.Series([datetime(2026, 1, 1, 8), datetime(2024, 3, 31, 2, 30)]).cast(pl.Datetime("ns")),
        "happened_at: {column: x, zone: Europe/Prague}",
        [datetime(2026, 1, 1, 7, tzinfo=UTC), None],
    ),
    "seconds": (
        pl.Series([1_700_000_000, 0]), "happened_at: {column: x, format: unix}",
        [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)],
    ),
    "categories": (pl.Series(["dining", "fees"], dtype=pl.Categorical), "category: x", ["dining", "fees"]),
    "ids that are floats": (pl.Series([17.0, 18.5]), "obligation: x", ["17", None]),
    "booleans": (pl.Series([True, False]), "category: {column: x, lookup: {'true': fees, 'false': other}}", ["fees", "other"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPED)
def test_a_typed_column_fills_a_field_exactly(runner: ImportRunner, tmp_path: Path, name: str) -> None:
    column, fields, expected = TYPED[name]
    field = fields.partition(":")[0]
    optional = field == "due"
    frame = FRAME.head(2).with_columns(
        column.alias("x"), pl.col("at").str.to_datetime(time_zone="UTC"), total=pl.lit(5)
    )
    kind = "obligation.paid" if field in ("due", "obligation") else "payment.made"
    obligation = "" if field == "obligation" else "\nobligation: {value: loan}"
    map_text = with_fields(fields + (obligation if kind != "payment.made" else ""), kind).replace(
        "zone: UTC", "zone: UTC"
    )
    if kind != "payment.made":
        map_text = map_text.replace("  other: {value: shop}\n", "")
    completed = runner.import_text(map_text, parquet(frame, tmp_path / "in.parquet"), "in.parquet")
    assert completed.stderr == ""
    good = expected if optional else [value for value in expected if value is not None]
    assert runner.events(field) == good
    assert completed.returncode == (0 if len(good) == 2 else 1)


def test_nan_and_infinity_are_wrong_rows_with_their_reason(runner: ImportRunner, tmp_path: Path) -> None:
    frame = FRAME.with_columns(total=pl.Series([float("nan"), float("inf"), 1.0]))
    runner.import_text(MAP, parquet(frame, tmp_path / "x"), "in.parquet")
    assert runner.rejects("in.parquet") == [
        (1, "payment.made: `amount`: `NaN` in `total` is not a number"),
        (2, "payment.made: `amount`: `inf` in `total` is not a number"),
    ]
    rows = (runner.folder / "in.parquet.rejects.ndjson").read_text()
    assert ('"total": "nan"' in rows, '"total": "inf"' in rows) == (True, True)  # JSON has neither


def test_nan_of_a_query_is_a_wrong_row(runner: ImportRunner, postgres: str) -> None:
    runner.write("map.yaml", MAP)
    row = "SELECT {} AS id, 'ann' AS customer, now() AS at, {}::numeric AS total"
    query = " UNION ALL ".join((row.format(1, 1.10), row.format(2, "'NaN'")))
    completed = runner.run("--from", postgres, "--query", query)
    assert (completed.returncode, completed.stderr) == (1, "")
    assert runner.events("event_id", "amount") == [("1", 110)]
    assert runner.rejects("query") == [(2, "payment.made: `amount`: `NaN` in `total` is not a number")]


@pytest.mark.parametrize(
    ("column", "fields", "words"),
    [
        (pl.Series([[1], [2]]), "amount: x", "`x` has the type list, and `amount` is a whole number"),
        (pl.Series([datetime(2026, 1, 1)] * 2), "happened_at: x", "the times of `x` do not say their time zone"),
        (pl.Series([1, 2]), "happened_at: x", "`x` has the type int64, and `happened_at` is a time"),
        (
            pl.Series([datetime(2026, 1, 1)] * 2),
            'event_id: "o-{x}"',
            "`x` has the type datetime, and `event_id` is a text",
        ),
    ],
)
def test_a_column_of_another_type_is_a_mistake_of_the_map(
    runner: ImportRunner, tmp_path: Path, column: pl.Series, fields: str, words: str
) -> None:
    frame = FRAME.head(2).with_columns(column.alias("x"), total=pl.lit(5))
    completed = runner.import_text(with_fields(fields), parquet(frame, tmp_path / "x"), "in.parquet")
    assert (completed.returncode, completed.stderr.count("\n"), words in completed.stderr) == (2, 1, True), (
        completed.stderr
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "in.xlsx",
            b"x",
            "unknown format (name it .csv, .tsv, .ndjson, .jsonl, .json, .parquet, each with .gz or .zst",
        ),
        ("in.csv", b"", "the file is empty"),
        ("in.csv.zst", b"id,customer", "nothing in it can be read"),
        ("in.json", b"", "the file is empty"),
        ("in.csv", "id,x\n".encode("utf-16"), "the text is UTF-16"),
        ("in.parquet", b"PAR1", "this is not a Parquet file, or it is damaged"),
        ("in.parquet.gz", b"PAR1", "the file breaks off"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(runner: ImportRunner, name: str, content: bytes, words: str) -> None:
    completed = runner.import_text(MAP, content, name)
    assert (completed.returncode, completed.stderr.count("\n"), words in completed.stderr) == (2, 1, True), (
        completed.stderr
    )


# --- queries -------------------------------------------------------------------------------------------------------


def shop_database(folder: Path, rows: int = 3) -> str:
    """A database of a shop, and its URL."""
    connection = sqlite3.connect(folder / "shop.db")
    connection.execute("CREATE TABLE payments (id INTEGER, customer TEXT, at TEXT, total)")
    row = ("ann", "2026-01-03T09:30:00Z")
    connection.executemany("INSERT INTO payments VALUES (?, ?, ?, ?)", [(n, *row, n + 0.5) for n in range(rows)])
    connection.commit()
    connection.close()
    return f"sqlite:///{folder / 'shop.db'}"


def test_the_rows_of_a_query_are_imported(runner: ImportRunner, tmp_path: Path) -> None:
    runner.write("map.yaml", MAP)
    query = "SELECT * FROM payments WHERE customer LIKE 'a%' AND at <> ':x'"
    completed = runner.run("--from", shop_database(tmp_path), "--query", query)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.endswith("query: 3 accepted, 0 duplicates, 0 rejected\n")
    assert runner.events("event_id", "amount") == [("0", 50), ("1", 150), ("2", 250)]


def test_a_query_of_no_rows_imports_nothing(runner: ImportRunner, tmp_path: Path) -> None:
    runner.write("map.yaml", MAP)
    completed = runner.run("--from", shop_database(tmp_path), "--query", "SELECT * FROM payments WHERE 0")
    assert completed.stdout.endswith("query: 0 accepted, 0 duplicates, 0 rejected\n"), completed.stderr


POSTGRES_QUERY = """
SELECT g AS id, 'ann' AS customer, timestamptz '2026-01-03 09:30+00' AS at, (g * 1.10)::numeric(12, 2) AS total,
    CASE WHEN g > 150000 THEN 'dining' END AS sort, repeat('x', 100) AS note
FROM generate_series(1, {rows}) g {where}
"""


def test_a_query_of_postgresql_comes_in_pieces_with_its_types(runner: ImportRunner, postgres: str) -> None:
    runner.write("map.yaml", MAP.replace("amount: {", "category: sort\n      amount: {"))
    completed = runner.run("--from", postgres, "--query", POSTGRES_QUERY.format(rows=200_000, where=""))
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.endswith("query: 200,000 accepted, 0 duplicates, 0 rejected\n")
    events = runner.events("event_id", "amount", "category", "happened_at")
    moment = datetime(2026, 1, 3, 9, 30, tzinfo=UTC)
    assert events[0] == ("1", 110, None, moment)
    assert events[-1] == ("200000", 22_000_000, "dining", moment)


def test_a_query_that_fails_half_way_leaves_nothing(runner: ImportRunner, postgres: str) -> None:
    runner.write("map.yaml", MAP)
    query = POSTGRES_QUERY.format(rows=200_000, where="WHERE 1 / (150000 - g) IS NOT NULL")
    completed = runner.run("--from", postgres, "--query", query)
    assert completed.returncode == 2
    assert completed.stdout == ""
    assert completed.stderr.startswith("iftah: postgresql://")
    assert "the query failed after 100,000 rows: division by zero; nothing was imported" in completed.stderr
    assert completed.stderr.count("\n") == 1
    assert runner.events("event_id") == []
    assert not list(runner.folder.glob("*.rejects*"))


@pytest.mark.parametrize(
    ("url", "query", "words"),
    [
        ("postgresql://u:secret@127.0.0.1:1/x", "select 1", "127.0.0.1"),
        ("postgresql://u:secret@host:port/x", "select 1", "this is not a database URL"),
        ("mysql://u:secret@host/x", "select 1", "there is no driver for `mysql` databases here"),
        ("nosuch://u:secret@host/x", "select 1", "there is no driver for `nosuch` databases here"),
        ("sqlite:///nix.db", "select 1", "nix.db: there is no such database"),
        ("sqlite:///{shop}", "select nix from payments", "no such column: nix; nothing was imported"),
        ("sqlite:///{shop}", "delete from payments", "attempt to write a readonly database"),
        ("sqlite:///{shop}", "select 1; select 2", "the query failed"),
    ],
)
def test_a_query_that_cannot_run_is_one_line_without_the_password(
    runner: ImportRunner, tmp_path: Path, url: str, query: str, words: str
) -> None:
    shop_database(tmp_path)
    runner.write("map.yaml", MAP)
    completed = runner.run("--from", url.replace("{shop}", "shop.db"), "--query", query)
    assert completed.returncode == 2
    assert words in completed.stderr
    assert "secret" not in completed.stderr + completed.stdout
    assert completed.stderr.count("\n") == 1


def test_a_query_reads_only(runner: ImportRunner, postgres: str) -> None:
    runner.write("map.yaml", MAP)
    columns = "current_setting('transaction_read_only') AS customer, now() AS at, 1 AS total"
    completed = runner.run("--from", postgres, "--query", f"SELECT 1 AS id, {columns}")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert runner.events("subject") == ["on"]
