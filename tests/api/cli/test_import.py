"""`iftah import`: columns of a file become events, by a map. Expected events are written out by hand."""

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.evidence.imports.cells import Cell
from api.evidence.imports.number_cells import NumberForm, integer_of
from tests.api.imports import ORDER_MAP, ORDERS, PAYMENTS, ImportRunner, with_fields
from tests.api.terminal import environment, run_in_process
from tests.paths import RULES


@pytest.fixture
def runner(database_url: str, tmp_path: Path) -> ImportRunner:
    return ImportRunner(database_url, tmp_path)


@pytest.fixture
def sqlite_runner(tmp_path: Path) -> ImportRunner:
    return ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)


def test_a_row_makes_an_enrolment_a_consent_and_a_payment(runner: ImportRunner) -> None:
    completed = runner.import_text(ORDER_MAP, ORDERS, "orders.csv")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.splitlines()[-1] == "orders.csv: 9 accepted, 2 duplicates, 0 rejected"
    # 09:30 in Shanghai is 01:30 in UTC; 182.50 yuan are 18250 fen, and a yen has no smaller unit
    assert runner.events("kind", "event_id", "subject", "happened_at", "amount", "currency") == [
        ("person.enrolled", "enrolled-ann", "ann", datetime(2026, 1, 3, 1, 30, tzinfo=UTC), None, None),
        ("person.enrolled", "enrolled-ben", "ben", datetime(2026, 1, 4, 2, tzinfo=UTC), None, None),
        ("person.enrolled", "enrolled-dee", "dee", datetime(2026, 1, 6, 2, tzinfo=UTC), None, None),
        ("consent.granted", "consent-ann", "ann", datetime(2026, 1, 3, 1, 30, tzinfo=UTC), None, None),
        ("consent.granted", "consent-ben", "ben", datetime(2026, 1, 4, 2, tzinfo=UTC), None, None),
        ("consent.granted", "consent-dee", "dee", datetime(2026, 1, 6, 2, tzinfo=UTC), None, None),
        ("payment.made", "order-1", "ann", datetime(2026, 1, 3, 1, 30, tzinfo=UTC), 18250, "CNY"),
        ("payment.made", "order-3", "ann", datetime(2026, 1, 5, 2, tzinfo=UTC), 2000, "CNY"),
        ("payment.made", "order-4", "dee", datetime(2026, 1, 6, 2, tzinfo=UTC), 1000, "JPY"),
    ]


def test_importing_again_changes_nothing(runner: ImportRunner) -> None:
    runner.import_text(ORDER_MAP, ORDERS)
    before = runner.events("contributor", "event_id", "recorded_at")
    completed = runner.run("in.csv")
    assert "in.csv: 0 accepted, 11 duplicates, 0 rejected" in completed.stdout
    assert runner.events("contributor", "event_id", "recorded_at") == before


def test_the_first_row_of_an_id_counts_in_a_later_file_too(sqlite_runner: ImportRunner) -> None:
    sqlite_runner.import_text(ORDER_MAP, ORDERS)
    later = ORDERS.splitlines()[0] + "\n9,ann,paid,7,CNY,09/02/2026 09:00\n"
    completed = sqlite_runner.import_text(ORDER_MAP, later, "february.csv")
    assert "february.csv: 1 accepted, 2 duplicates, 0 rejected" in completed.stdout
    assert sqlite_runner.events("event_id").count("enrolled-ann") == 1


def test_without_first_only_a_second_row_of_an_id_is_rejected(sqlite_runner: ImportRunner) -> None:
    completed = sqlite_runner.import_text(ORDER_MAP.replace("    first_only: true\n", "", 1), ORDERS)
    assert "8 accepted" not in completed.stdout
    ((line, reason),) = sqlite_runner.rejects()
    assert (completed.returncode, line) == (1, 4)
    assert reason.startswith("person.enrolled: `event_id` was sent before with other content, see `happened_at`")


# name -> fields of a payment, the columns of the file, its only row, and what is expected of the event
FIELDS: dict[str, tuple[str, str, str, dict[str, object]]] = {
    "a constant": ("category: {value: dining}", "x", "1", {"category": "dining"}),
    "the line of the row": ('event_id: "{id}-{#line}"', "x", "1", {"event_id": "1-2"}),
    "a constant amount": ("amount: {value: 1000.50 EUR}", "x", "1", {"amount": 100_050, "currency": "EUR"}),
    "a constant amount of yen": ("amount: {value: 100000 JPY}", "x", "1", {"amount": 100_000, "currency": "JPY"}),
    "a template with braces": ('event_id: "a{{{id}}}"', "x", "1", {"event_id": "a{1}"}),
    "times 100": ("amount: {column: x, scale: 100}", "x", "0.29", {"amount": 29}),
    "times a share": ("amount: {column: x, scale: 0.1}", "x", "250", {"amount": 25}),
    "a number with an exact half": ("amount: {column: x, scale: 1000}", "x", "4.0005", {}),
    "times another column": ("amount: {column: x, multiplied_by: y, scale: currency}", "x,y", "2.55,6", {"amount": 1530}),
    "times a weight": ("amount: {column: x, multiplied_by: y, scale: 1000000}", "x,y", "3.999,0.351", {"amount": 1403649}),
    "with its sign turned": ("amount: {column: x, negate: true, scale: 100}", "x", "-4.65", {"amount": 465}),
    "a refund of several pieces": ("amount: {column: x, multiplied_by: y, negate: true, scale: currency}", "x,y", "0.29,-24", {"amount": 696}),
    "a half rounded up": ("amount: {column: x, rounding: half_up, scale: 100}", "x", "0.285", {"amount": 29}),
    "a little less than a half": ("amount: {column: x, rounding: half_up, scale: 100}", "x", "0.28499999999999999", {"amount": 28}),
    "rounded down": ("amount: {column: x, rounding: down, scale: currency}", "x", "55.169999343557675", {"amount": 5516}),
    "by the minor units of yuan": ("amount: {column: x, scale: currency}", "x", "1000000000000.01", {"amount": 100000000000001}),
    "by the minor units of dinars": (
        "amount: {column: x, scale: currency}\ncurrency: {value: BHD}", "x", "1.5", {"amount": 1500}
    ),  # ISO 4217: a dinar of Bahrain has 1000 fils
    "a look-up": ("category: {column: x, lookup: {essen: dining, bahn: transport}}", "x", "bahn", {"category": "transport"}),
    "a look-up of the rest": ("category: {column: x, lookup: {essen: dining}, otherwise: other}", "x", "?", {"category": "other"}),
    "a look-up to a number": ("amount: {column: x, lookup: {small: '5'}}", "x", "small", {"amount": 5}),
    "an empty cell": ("category: {column: x, missing: other}", "x", "", {"category": "other"}),
    "an empty cell of none": ("category: x", "x", "", {"category": None}),
    "Unix seconds": ("happened_at: {column: x, format: unix}", "x", "1700000000.5", {"happened_at": datetime(2023, 11, 14, 22, 13, 20, 500000, UTC)}),
    "Unix milliseconds": ("happened_at: {column: x, format: unix_ms}", "x", "1700000000123", {"happened_at": datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)}),
    "an offset in the format": ('happened_at: {column: x, format: "%Y%m%d %H%M %z"}', "x", "20240301 1730 +0800", {"happened_at": datetime(2024, 3, 1, 9, 30, tzinfo=UTC)}),
    "a day as its midnight": ('happened_at: {column: x, format: "%d.%m.%Y", zone: Europe/Prague}', "x", "01.07.2024", {"happened_at": datetime(2024, 6, 30, 22, tzinfo=UTC)}),
    "the earlier of two moments": (
        "happened_at: {column: x, zone: Europe/Prague, ambiguous: earliest}", "x", "2024-10-27 02:30:00",
        {"happened_at": datetime(2024, 10, 27, 0, 30, tzinfo=UTC)},
    ),  # summer time, UTC+2, ended at 03:00
    "the later of two moments": (
        "happened_at: {column: x, zone: Europe/Prague, ambiguous: latest}", "x", "2024-10-27 02:30:00",
        {"happened_at": datetime(2024, 10, 27, 1, 30, tzinfo=UTC)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_filled_as_the_map_says(sqlite_runner: ImportRunner, name: str) -> None:
    fields, columns, row, expected = FIELDS[name]
    text = f"id,customer,at,total,{columns}\n1,ann,2026-01-03T09:30:00,1200,{row}\n"
    completed = sqlite_runner.import_text(with_fields(fields), text)
    assert completed.returncode == (0 if expected else 1), completed.stdout + completed.stderr
    if expected:
        (event,) = sqlite_runner.events(*expected, "kind")
        assert event == (*expected.values(), "payment.made")
    else:
        assert sqlite_runner.rejects() == [
            (2, f"payment.made: `amount`: `{row}` in `{columns}` times 1000 is not a whole number")
        ]


# name -> the fields, columns and row, and the reason
WRONG_NUMBERS: dict[str, tuple[str, str, str, str]] = {
    "a factor that is none": (
        "amount: {column: x, multiplied_by: y}", "x,y", "2,six", "payment.made: `amount`: `six` in `y` is not a number",
    ),
    "a product that is not whole": (
        "amount: {column: x, multiplied_by: y, scale: currency}", "x,y", "0.005,3",
        "payment.made: `amount`: `0.005` in `x` times `y` in the currency's minor units is not a whole number",
    ),
    "a product of more digits than we count with": (
        "amount: {column: x, multiplied_by: y}", "x,y", "0.0000001,0.0000001",
        "payment.made: `amount`: `0.0000001` in `x` times `y` is not a whole number",
    ),
    "a product that is too large": (
        "amount: {column: x, multiplied_by: y}", "x,y", "9999999999999,9999999999999",
        "payment.made: `amount`: `9999999999999` in `x` times `y` is not a whole number",
    ),
    "an empty factor": ("amount: {column: x, multiplied_by: y}", "x,y", "2,", "payment.made: `amount` is missing: payment.made needs it"),
    "a text that rounding does not help": (
        "amount: {column: x, rounding: half_up}", "x", "n/a", "payment.made: `amount`: `n/a` in `x` is not a number",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_NUMBERS)
def test_a_number_that_does_not_become_a_whole_one_is_a_wrong_row(sqlite_runner: ImportRunner, name: str) -> None:
    fields, columns, row, reason = WRONG_NUMBERS[name]
    text = f"id,customer,at,total,{columns}\n1,ann,2026-01-03T09:30:00,1200,{row}\n"
    completed = sqlite_runner.import_text(with_fields(fields), text)
    assert completed.returncode == 1, completed.stdout + completed.stderr
    assert sqlite_runner.rejects() == [(2, reason)]


@given(
    st.decimals(-(10**6), 10**6, places=3) | st.decimals(-10, 10, places=16),
    st.sampled_from([1, 100, 1000]),
    st.booleans(),
)
@example(Decimal("-0.0049999999999999"), 100, False)
@example(Decimal("-0.0050000000000001"), 100, True)
def test_rounding_is_that_of_exact_fractions(number: Decimal, scale: int, negate: bool) -> None:
    product = Fraction(number) * scale * (-1 if negate else 1)
    expected = {"half_up": floor(product + Fraction(1, 2)), "down": floor(product)}
    for rounding, whole in expected.items():
        cell = Cell(pl.col("x"), pl.String(), "`x`")
        conversion = integer_of(cell, NumberForm(Fraction(scale), None, negate, rounding))
        frame = pl.DataFrame({"x": [format(number, "f")]}).select(conversion.value)
        assert frame.item() == whole, (rounding, number)


def test_a_declared_field_may_be_called_row_or_line(sqlite_runner: ImportRunner) -> None:
    rules = sqlite_runner.folder / "rules"
    shutil.copytree(RULES, rules)
    declared = (
        "fields:\n      row: {type: text}\n      line: {type: int}\n      amount: {type: money, required: true}\n"
    )
    evidence = (rules / "evidence.yaml").read_text()
    (rules / "evidence.yaml").write_text(
        evidence.replace("fields:\n      amount: {type: money, required: true}\n", declared, 1)
    )
    sqlite_runner.write("map.yaml", with_fields("row: id\nline: total"))
    sqlite_runner.write("in.csv", PAYMENTS)
    completed = run_in_process(
        ("import", "in.csv"),
        environment(IFTAH_DATABASE_URL=sqlite_runner.url, IFTAH_RULES=str(rules)),
        sqlite_runner.folder,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert sqlite_runner.events("data") == ['{"line":1200,"row":"1"}', '{"line":5,"row":"2"}']


def test_a_due_day_is_read_by_its_format(sqlite_runner: ImportRunner) -> None:
    fields = 'obligation: "loan-{id}"\ndue: {column: total, format: "%d.%m.%Y"}\namount: {value: "5"}'
    completed = sqlite_runner.import_text(
        with_fields(fields, "obligation.paid").replace("  other: {value: shop}\n", ""),
        PAYMENTS.replace("1200", "01.02.2026"),
    )
    assert completed.returncode == 1
    assert sqlite_runner.events("obligation", "due") == [("loan-1", date(2026, 2, 1))]
    assert sqlite_runner.rejects() == [
        (3, "obligation.paid: `due`: `5` in `total` does not match the format `%d.%m.%Y`")
    ]


# a condition, and the ids of the rows that meet it; the file has a row with an empty `n`
CONDITIONS: dict[str, list[str]] = {
    "word == 'a'": ["1", "4"],
    "word != 'a'": ["2"],
    "('a' == word)": ["1", "4"],
    "n > 9": ["2", "4"],
    "9 < n": ["2", "4"],
    "n >= 9 and word == 'a'": ["1", "4"],
    "n < 10.5 or word == 'b'": ["1", "2"],
    "not (n > 9)": ["1"],
    "missing(n)": ["3"],
    "known(n) and n != 10": ["1", "4"],
    "word in ['a', 'c']": ["1", "4"],
    "n not in [9, 10]": ["4"],
    "day >= 2024-02-01": ["2", "4"],
    "flag == true": ["1"],
    "word == other": ["4"],
    "price > 10.50 EUR": ["4"],
    "price <= 1000 JPY": ["2"],
    "price == 10.5 EUR": ["1"],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_row_makes_an_event_where_the_condition_certainly_holds(sqlite_runner: ImportRunner, condition: str) -> None:
    rows = [
        *("1,a,9,2024-01-31,true,x,10.50 EUR", "2,b,10,2024-02-01,false,x,900 JPY"),
        *("3,,,,,,", "4,a,11,2024-02-02,false,a,11 EUR"),
    ]
    text = "id,word,n,day,flag,other,price,customer,at,total\n"
    text += "".join(f"{row},ann,2026-01-03T09:30:00,1200\n" for row in rows)
    completed = sqlite_runner.import_text(with_fields("", when=condition), text)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert sqlite_runner.events("event_id") == CONDITIONS[condition]


def test_a_cell_that_a_condition_cannot_read_is_a_wrong_row_where_it_matters(sqlite_runner: ImportRunner) -> None:
    text = PAYMENTS.replace("1200", "n/a") + "3,ann,2026-01-05T00:00:00,n/a\n"
    fields = "amount: {value: '5'}"
    completed = sqlite_runner.import_text(with_fields(fields, when="customer == 'ann' and total > 1 and id != 3"), text)
    assert completed.returncode == 1
    assert sqlite_runner.rejects() == [(2, "payment.made: in `when`, `n/a` in `total` is not a number")]


def test_texts_that_mean_no_value_are_empty_cells(sqlite_runner: ImportRunner) -> None:
    map_text = "empty: [NA, '-']\n" + with_fields("category: x")
    text = "id,customer,at,total,x\n1,ann,2026-01-03T09:30:00,1200,NA\n2,ann,2026-01-03T09:30:00,-,-\n"
    completed = sqlite_runner.import_text(map_text, text)
    assert completed.returncode == 1
    assert sqlite_runner.events("event_id", "category") == [("1", None)]
    assert sqlite_runner.rejects() == [(3, "payment.made: `amount` is missing: payment.made needs it")]


def test_wrong_rows_are_written_to_the_file_that_is_named_and_counted(sqlite_runner: ImportRunner) -> None:
    text = PAYMENTS + "3,ann\n4,ann,2026-13-01T00:00:00,5\n"
    completed = sqlite_runner.import_text(with_fields(""), text, "in.csv", "--rejects", "wrong.ndjson")
    assert completed.stdout.endswith("in.csv: 2 accepted, 0 duplicates, 2 rejected, see wrong.ndjson\n")
    assert (sqlite_runner.folder / "wrong.ndjson").read_text().count("\n") == 2
    assert not (sqlite_runner.folder / "in.csv.rejects.ndjson").exists()


def test_a_place_for_wrong_rows_that_cannot_be_written_is_said_before_anything_is_kept(
    sqlite_runner: ImportRunner,
) -> None:
    completed = sqlite_runner.import_text(with_fields(""), PAYMENTS, "in.csv", "--rejects", "no/such/folder.ndjson")
    assert completed.returncode == 2
    assert completed.stderr.startswith("iftah: no/such/folder.ndjson: the refused rows cannot be written down")
    assert sqlite_runner.events("event_id") == []


def test_a_later_file_is_imported_though_an_earlier_one_is_absent(sqlite_runner: ImportRunner) -> None:
    sqlite_runner.write("map.yaml", with_fields(""))
    sqlite_runner.write("b.csv", PAYMENTS)
    completed = sqlite_runner.run("a.csv", "b.csv")
    assert (completed.returncode, completed.stderr) == (2, "iftah: a.csv: there is no such file (check the path)\n")
    assert sqlite_runner.events("event_id") == ["1", "2"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "iftah: import: name files, or a database and a query"),
        (("in.csv", "--from", "sqlite:///x.db", "--query", "select 1"), "name files, or a database and a query"),
        (("--from", "sqlite:///x.db"), "iftah: --from: --from needs --query too"),
        (("--query", "select 1"), "iftah: --query: --query needs --from too"),
        (("a.csv", "b.csv", "--rejects", "r"), "one file cannot hold the rejected rows of several files"),
        (("in.csv", "--map", "nix.yaml"), "iftah: nix.yaml: the map cannot be read: no such file or directory"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    sqlite_runner: ImportRunner, args: tuple[str, ...], words: str
) -> None:
    completed = sqlite_runner.run(*args)
    assert (completed.returncode, words in completed.stderr, completed.stderr.count("\n")) == (2, True, 1)
