"""`iftah import --guess`: a first map of a file, each line with its reason."""

from pathlib import Path

import polars as pl
import pytest

from tests.api.imports import ORDERS, ImportRunner

GUESS = """\
kind: map  # what each row of orders becomes; try it with --dry-run
timezone: UTC  # placed does not say its zone: write the one of your clocks
set:
  contributor: {value: orders}  # the file's name, the same for each row: name yourself
  subject: customer  # its name is one for a person; 3 different values in the first 4 rows
  happened_at: {column: placed, format: "%d/%m/%Y %H:%M"}  # most values fit this format, and %m/%d/%Y %H:%M too: check which it is
events:
  - kind: person.enrolled  # only people who are enrolled get a score
    first_only: true  # a person has many rows: the first one enrols them
    set:
      event_id: "enrolled-{customer}"  # one for each person
      identity_level: {value: "1"}  # 0 none, 1 phone, 2 document, 3 document seen in person: check
  - kind: payment.made  # the rows have an amount; docs/events.md lists the other kinds
    set:
      event_id: "payment-{order}"  # order is different in each row
      other: {value: payee}  # no column has a name for the payee: name yourself, if it is you
      amount: {column: total, scale: currency}  # numbers with a point: whole units, which the currency's minor units scale
      currency: currency  # most values are codes of ISO 4217
  # Without a consent, evidence does not count. Add this event only if your customers agreed to it:
  # - kind: consent.granted
  #   first_only: true
  #   set:
  #     event_id: "consent-{customer}"
  #     purpose: {value: perks}
  #     classes: {value: "identity,behaviour"}
# not used: Status (2 different values in the first 4 rows: late, paid)
"""


@pytest.fixture
def runner(tmp_path: Path) -> ImportRunner:
    return ImportRunner(f"sqlite:///{tmp_path / 'iftah.db'}", tmp_path)


def test_a_guess_says_why_on_each_line_and_imports_as_it_stands(runner: ImportRunner) -> None:
    runner.write("orders.csv", ORDERS)
    completed = runner.run("--guess", "orders.csv")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert (runner.folder / "map.yaml").read_text() == GUESS
    assert not (runner.folder / "iftah.db").exists()
    assert "orders.csv: 7 accepted, 1 duplicates, 0 rejected" in runner.run("orders.csv").stdout
    assert ("payment-1", 18250) in runner.events("event_id", "amount")


def test_a_map_that_is_there_is_overwritten_only_by_force(runner: ImportRunner) -> None:
    runner.write("orders.csv", ORDERS)
    runner.write("mine.yaml", "my work")
    completed = runner.run("--guess", "orders.csv", "--map", "mine.yaml")
    assert (completed.returncode, completed.stderr) == (
        2,
        "iftah: mine.yaml: there is a map already (name another with --map FILE, or add --force)\n",
    )
    assert (runner.folder / "mine.yaml").read_text() == "my work"
    assert runner.run("--guess", "orders.csv", "--map", "mine.yaml", "--force").returncode == 0
    assert (runner.folder / "mine.yaml").read_text() == GUESS


# the columns of a file of two rows, and a line of its map
COLUMNS: dict[str, tuple[dict[str, list[object]], str]] = {
    "times in ISO 8601": ({"t": ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00+01:00"]}, "happened_at: t  # most values are times with their zone"),
    "local times": ({"t": ["2026-01-01T00:00:00", "2026-01-20T00:00:00"]}, 'format: "%Y-%m-%dT%H:%M:%S"}  # most values fit this format'),
    "days of Germany": ({"t": ["01.02.2026", "14.02.2026"]}, 'format: "%d.%m.%Y"}  # most values fit this format'),
    "days of America": ({"t": ["02/14/2026", "02/01/2026"]}, 'format: "%m/%d/%Y"}  # most values fit this format'),
    "seconds since 1970": ({"created": ["1700000000", "1700000001"]}, "{column: created, format: unix}  # most values are such numbers"),
    "milliseconds since 1970": ({"created": [1700000000000, 1700000000001]}, "{column: created, format: unix_ms}"),
    "whole amounts": ({"amount": ["5", "5"]}, "amount: {column: amount}  # whole numbers: taken as minor units"),
    "amounts with a point": ({"x": [5.5, 7.25]}, "amount: {column: x, scale: currency}  # numbers with a point"),
    "currencies": ({"x": ["CNY", "EUR"], "amount": ["1", "2"]}, "currency: x  # most values are codes of ISO 4217"),
    "a payee": ({"Merchant ID": ["a", "a"], "amount": ["1", "2"]}, 'other: "Merchant ID"  # its name is one for the other party'),
    "a name that YAML would misread": ({"no": ["a", "b"], "amount": ["1", "2"]}, 'event_id: "payment-{no}"  # "no" is different in each row'),
    "no person": ({"x": ["a", "b"]}, "subject: CHANGE_ME  # no column has a name for a person"),
    "no time": ({"x": ["a", "b"]}, "happened_at: CHANGE_ME  # no column has times"),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_taken_for_what_its_values_and_name_say(runner: ImportRunner, name: str) -> None:
    columns, line = COLUMNS[name]
    frame = pl.DataFrame(columns)
    frame.write_parquet(runner.folder / "in.parquet")
    frame.write_csv(runner.folder / "in.csv")
    for file in ("in.csv", "in.parquet"):
        assert runner.run("--guess", file, "--force").returncode == 0
        assert line in (runner.folder / "map.yaml").read_text()


def test_the_delimiter_is_guessed(runner: ImportRunner) -> None:
    runner.write("in.csv", "customer;day;amount\nann;2026-01-01;1,5\n")
    runner.run("--guess", "in.csv")
    text = (runner.folder / "map.yaml").read_text()
    assert 'delimiter: ";"  # the sign that the first line has most often' in text
    assert "subject: customer" in text


def test_parts_that_no_column_fills_are_each_one_line_of_the_import(runner: ImportRunner) -> None:
    runner.write("in.csv", "x,amount\na,5\na,7\n")
    runner.run("--guess", "in.csv")
    lines = runner.run("in.csv").stderr.splitlines()
    assert len(lines) == 4  # the person twice, the time, and the id of a payment
    assert all("in.csv has no column `CHANGE_ME`" in line for line in lines)


def test_a_file_without_rows_gives_a_map_to_fill_in(runner: ImportRunner) -> None:
    runner.write("in.csv", "customer,day\n")
    assert runner.run("--guess", "in.csv").returncode == 0
    assert "subject: CHANGE_ME" in (runner.folder / "map.yaml").read_text()


# Made up, with the columns of a public table of invoices.
INVOICES = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID
1001,84A,BLUE CUP,6,2011-01-03 08:26:00,2.55,17001.0
1001,84A,BLUE CUP,2,2011-01-03 08:26:00,2.55,17001.0
C1002,84A,BLUE CUP,-1,2011-01-04 09:00:00,2.55,17001.0
1003,90,RED CUP,1,2011-01-05 10:00:00,0.85,17002.0
"""
# Made up, with the columns of a public table of mobile money.
TRANSFERS = """\
txn_type,caller_id,recipient_id,timestamp,amount,balance_of_recipient
p2p,0018,0019,2020-01-01 00:15:51,55.163313343557675,167.70830003496997
cashout,0018,,2020-01-01 00:18:59,81.86099896162102,
p2p,0019,0018,2020-01-02 00:18:59,1.005,3.5
"""
# name -> the file, and lines of the guess
TABLES: dict[str, tuple[str, list[str]]] = {
    "a price and a quantity with refunds, and no key": (
        INVOICES,
        [
            "  subject: CustomerID  # its name is one for a person; 2 different values in the first 4 rows",
            "  quantity: Quantity  # conditions take names in lower case",
            "    when: quantity > 0  # negative in other rows: perhaps refunds, which are events of another kind",
            '      event_id: "payment-{InvoiceNo}-{#line}"  # no column is different in each row: {#line} is the row\'s line in the file',
            "      amount: {column: UnitPrice, multiplied_by: Quantity, scale: currency}  # a price and a quantity; "
            "numbers with a point: whole units, which the currency's minor units scale",
        ],
    ),
    "amounts of more digits than money has": (
        TRANSFERS,
        [
            "  subject: caller_id  # its name is one for a person; 2 different values in the first 3 rows",
            "      other: recipient_id  # its name is one for the other party; 2 different values in the first 3 rows",
            "      amount: {column: amount, scale: currency, rounding: half_up}  # numbers with a point: whole units, which the "
            "currency's minor units scale; more digits than money has: we round them",
        ],
    ),
    "a key whose name has the word payment in it": (
        "payment_id,customer_id,amount,payment_date\n17503,1,7.99,2005-01-01 09:30:00\n17504,1,0.99,2005-01-02 09:30:00\n",
        [
            '      event_id: "payment-{payment_id}"  # payment_id is different in each row',
            "      amount: {column: amount, scale: currency}  # numbers with a point: whole units, which the currency's minor units scale",
        ],
    ),
    "a number that is perhaps no money": (
        "caller_id,volume,at\n7,1.25,2005-01-01 09:30:00\n7,2.5,2005-01-02 09:30:00\n",
        [
            "      amount: {column: volume, scale: currency}  # numbers with a point: whole units, which the currency's minor units "
            "scale; its name does not speak of money: check",
        ],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_guess_of_tables_that_people_publish(runner: ImportRunner, name: str) -> None:
    content, lines = TABLES[name]
    runner.write("table.csv", content)
    assert runner.run("--guess", "table.csv").returncode == 0
    guess = (runner.folder / "map.yaml").read_text().splitlines()
    assert [line for line in lines if line not in guess] == []


def test_a_guess_of_invoices_imports_as_it_stands(runner: ImportRunner) -> None:
    runner.write("invoices.csv", INVOICES)
    runner.run("--guess", "invoices.csv")
    completed = runner.run("invoices.csv")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    # 6 x 2.55, 2 x 2.55 and 0.85; the refund makes no payment
    assert [each for each in runner.events("event_id", "amount") if each[1]] == [
        ("payment-1001-2", 1530),
        ("payment-1001-3", 510),
        ("payment-1003-5", 85),
    ]
