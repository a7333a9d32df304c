"""The examples of public data sets, on made-up rows with the columns of the public files.

`make public-data` runs them on the whole files: tests/public_data.
"""

from pathlib import Path

import pytest

from tests.public_data.data_sets import DATA_SETS
from tests.public_data.examples import EXAMPLES, ExampleRun

RENTALS = "rental_id,customer_id,store_id,title,rental_rate,replacement_cost,rental_date,return_date,due,days_late\n" + "".join(
    f"{10 * customer + n},{customer},1,FILM {n},2.99,19.99,2005-0{n}-01 10:00:00,2005-0{n}-0{5 + late} 09:00:00,2005-0{n}-05,{late}\n"
    for customer, late in ((1, 0), (2, 3))
    for n in range(1, 7)
) + "31,1,1,FILM 9,0.99,9.99,2006-02-14 15:16:03,,2006-02-17,0\n"  # fmt: skip
PAYMENTS = "payment_id,customer_id,store_id,payment_date,price,late_fee\n" + "".join(
    f"{n},{1 + n % 2},1,2005-05-01 10:00:00,{0 if n == 4 else 2.99},{0 if n % 2 == 0 else 1}\n" for n in range(1, 7)
)
CUSTOMERS = "customer_id,store_id,last_update\n2,1,2006-02-15 09:57:20\n"
INVOICES = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n" + "".join(
    f"{100 + n},84A,CUP,{n},2011-{n:02}-07 08:26:00,100.55,17001.0,France\n"
    f"{100 + n},84A,CUP,{n},2011-{n:02}-07 08:26:00,100.55,17001.0,France\n"
    for n in range(4, 13)
) + """\
201,90,DISH,2,2010-12-05 09:00:00,10.00,17002.0,EIRE
202,90,DISH,1,2010-12-06 09:00:00,0.00,17002.0,EIRE
203,90,DISH,2,2011-01-06 09:00:00,2.125,17002.0,EIRE
C204,90,DISH,-2,2011-01-07 09:00:00,10.00,17002.0,EIRE
C204,D,Discount,-1,2011-01-07 09:00:00,1.00,17002.0,EIRE
205,90,DISH,1,2011-02-01 09:00:00,3.50,,EIRE
"""  # fmt: skip
TRANSACTIONS = (
    "txn_type,caller_id,recipient_id,timestamp,amount,sender_balance_before,sender_balance_after,"
    "recipient_balance_before,recipient_balance_after\n"
    + "".join(
        f"billpay,001,009,2020-02-{n:02} 10:00:00,10.00499999999999,400.5,390.123456789,7.25,17.251234567\n"
        f"p2p,00{3 + n % 3},001,2020-02-{n:02} 11:00:00,1.5,200.75,190.123456789,390.25,391.75\n"
        for n in range(2, 22)
    )
    + "".join(f"cashout,002,,2020-01-{n:02} 10:00:00,5.5,60.5,55.123456789,,\n" for n in range(1, 7))
)
RECHARGES = "caller_id,amount,timestamp\n" + "".join(f"001,96,2020-02-{n:02} 12:00:00\n" for n in range(1, 20))
DATA = "caller_id,volume,timestamp\n001,91.3865182252614,2020-01-01 00:01:15\n002,5.25,2020-01-01 00:02:00\n"


def write(run: ExampleRun, **files: str) -> None:
    for name, content in files.items():
        (run.folder / f"{name}.csv").write_text(content, encoding="utf-8")


def test_a_chain_of_film_shops_decides_by_returns(tmp_path: Path) -> None:
    run = ExampleRun("dvd-rental", tmp_path)
    write(run, rentals=RENTALS, payments=PAYMENTS, customers=CUSTOMERS)
    imports = [(f"{name}.csv", "--map", f"{name}.yaml") for name in ("rentals", "payments", "customers")]
    # 13 rentals, of which one is out, of two people; five prices and three late fees
    assert run.import_all(imports) == [(4 + 13 + 12, 22, 0), (8, 0, 0), (1, 0, 0)]
    assert "Scores of 2 people; 0 unscorable" in run.build_and_score("2006-03-01T00:00:00Z")
    assert run.ask("customer-1", "film", 20).startswith("ADMIT")
    answer = run.ask("customer-2", "film", 20)
    assert answer.startswith("DECLINE")
    assert "[membership_closed]" in answer


def test_a_wholesale_shop_decides_by_invoices_and_refunds(tmp_path: Path) -> None:
    run = ExampleRun("online-retail", tmp_path)
    write(run, invoices=INVOICES)
    # 18 and 2 lines of payments, two of refunds; a line at no price, and one without a customer, make none
    assert run.import_all([("invoices.csv", "--map", "map.yaml")]) == [(4 + 20 + 2, 42, 0)]
    assert "Scores of 2 people; 0 unscorable" in run.build_and_score("2011-12-10T00:00:00Z")
    # both lines of an invoice count, although they are alike: 2 x (4 + .. + 12) x 100.55
    lineage = run.run("features", "sales.net", "--person", "customer-17001.0")
    assert lineage.startswith("sales.net = 14479.20 GBP")
    # 20.00 and 4.25 bought, 20.00 and a discount paid back
    assert run.run("features", "sales.net", "--person", "customer-17002.0").startswith("sales.net = 3.25 GBP")
    assert run.ask("customer-17001.0", "on_account", 600).startswith("ADMIT")
    answer = run.ask("customer-17002.0", "on_account", 600)
    assert answer.startswith("DECLINE")
    assert "[much_sent_back]" in answer


def test_an_operator_of_mobile_money_decides_by_the_wallet(tmp_path: Path) -> None:
    run = ExampleRun("mobile-money", tmp_path)
    write(run, transactions=TRANSACTIONS, recharges=RECHARGES, data=DATA)
    imports = [(f"{name}.csv", "--map", f"{name}.yaml") for name in ("transactions", "recharges", "data")]
    # six people; 40 payments with two balances each, six of cash with one
    assert run.import_all(imports) == [(12 + 40 + 80 + 6 + 6, 46 + 40 - 6 + 46 + 40 - 6, 0), (19, 0, 0), (2, 0, 0)]
    run.build_and_score("2020-03-01T00:00:00Z")
    # 20 times 10.00: 10.00499 is rounded once, to cents
    assert run.run("features", "wallet.received", "--person", "phone-009").startswith("wallet.received = 200.00 USD")
    assert run.ask("phone-001", "airtime_credit", 20).startswith("ADMIT")
    answer = run.ask("phone-002", "airtime_credit", 20)
    assert answer.startswith("DECLINE")
    assert "[low_balance]" in answer


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda each: each.name)
def test_the_page_of_an_example_names_its_source_and_its_assumption(data_set: object) -> None:
    assert data_set in DATA_SETS
    name, home, licence = (getattr(data_set, key) for key in ("name", "home", "licence"))
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert home in page
    assert licence in page
    assert "consent" in page
    maps = [path.read_text(encoding="utf-8") for path in (EXAMPLES / name).glob("*.yaml")]
    for text in maps:
        assert text.count("kind: consent.granted") <= 2 * text.count("ASSUMPTION")
    assert not list((EXAMPLES / name).rglob("*.py"))
