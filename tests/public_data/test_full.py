"""Three public data sets of other trades go from their files to the answer of a server, by YAML alone.

The figures are those of the whole files. Each file is what `python -m tests.public_data` says, by its hash.
"""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.api.conftest import POSTGRES
from tests.public_data.data_sets import DATA_SETS, SETTING, data_folder, is_complete
from tests.public_data.examples import ExampleRun

FOLDER = data_folder()
if FOLDER is None or not all(is_complete(FOLDER, each) for each in DATA_SETS):
    pytest.skip(
        f"the public data sets are absent: `python -m tests.public_data` says what to fetch; set {SETTING}",
        allow_module_level=True,
    )


@pytest.fixture
def sakila() -> Iterator[str]:
    """A PostgreSQL database with the Sakila data. Gives its URL."""
    assert FOLDER is not None
    server, _, _ = POSTGRES.rpartition("/")
    name = f"sakila_{uuid4().hex[:12]}"
    url = f"{server}/{name}"
    subprocess.run(["psql", "-q", "-c", f"CREATE DATABASE {name}", POSTGRES], check=True, timeout=60)
    try:
        for file in ("postgres-sakila-schema.sql", "postgres-sakila-insert-data-using-copy.sql"):
            path = FOLDER / "dvd-rental" / file
            subprocess.run(["psql", "-q", "-o", "/dev/null", "-f", str(path), url], check=True, timeout=120)
        yield url
    finally:
        subprocess.run(["psql", "-q", "-c", f"DROP DATABASE {name} WITH (FORCE)", POSTGRES], check=True, timeout=60)


def timed_import(run: ExampleRun, imports: list[tuple[str, ...]]) -> list[tuple[int, int, int]]:
    """Import, and print the seconds: `pytest -s` shows them."""
    started = time.perf_counter()
    counts = run.import_all(imports)
    print(f"\n{run.folder.name}: imported in {time.perf_counter() - started:.1f} s: {counts}")
    return counts


def test_a_chain_of_film_shops(sakila: str, tmp_path: Path) -> None:
    run = ExampleRun("dvd-rental", tmp_path)
    queries = {name: (run.folder / f"{name}.sql").read_text() for name in ("rentals", "payments", "customers")}
    imports = [("--from", sakila, "--query", query, "--map", f"{name}.yaml") for name, query in queries.items()]
    # 16,044 rentals of 599 customers, 183 of them still out; 16,049 payments, 24 of nothing; 15 closed memberships
    assert timed_import(run, imports) == [
        (2 * 599 + 16_044 + 15_861, 2 * (16_044 - 599), 0),
        (23_319, 0, 0),
        (15, 0, 0),
    ]
    scores = run.build_and_score("2006-03-01T00:00:00Z")
    assert "Scores of 599 people; 0 unscorable" in scores
    assert run.ask("customer-1", "film", 20).startswith("ADMIT")
    answer = run.ask("customer-315", "film", 20)
    assert answer.startswith("DECLINE")
    assert "The membership is closed." in answer
    assert run.served_answer()["outcome"] == "ADMIT"


def test_a_wholesale_shop(tmp_path: Path) -> None:
    assert FOLDER is not None
    run = ExampleRun("online-retail", tmp_path)
    # 541,909 lines, 406,829 of them with one of 4,372 customers, 40 of these at no price
    assert timed_import(run, [(str(FOLDER / "online-retail" / "invoices.csv"), "--map", "map.yaml")]) == [
        (2 * 4_372 + 406_789, 2 * (406_829 - 4_372), 0)
    ]
    scores = run.build_and_score("2011-12-10T00:00:00Z")
    assert "Scores of 2,845 people; 1,527 unscorable" in scores
    assert run.ask("customer-12681.0", "on_account", 600).startswith("ADMIT")
    answer = run.ask("customer-13672.0", "on_account", 600)
    assert answer.startswith("DECLINE")
    assert "Much of the money was paid back for goods sent back." in answer
    assert run.served_answer()["outcome"] == "ADMIT"


def test_an_operator_of_mobile_money(tmp_path: Path) -> None:
    assert FOLDER is not None
    run = ExampleRun("mobile-money", tmp_path)
    files = (("mobilemoney", "transactions"), ("recharges", "recharges"), ("mobiledata", "data"))
    imports = [(str(FOLDER / "mobile-money" / f"{file}.csv"), "--map", f"{name}.yaml") for file, name in files]
    # 10,000 transactions of 700 people, 5,968 of them with a payee: two balances, else one
    assert timed_import(run, imports) == [
        (2 * 700 + 10_000 + 10_000 + 5_968, 2 * (10_000 + 5_968 - 700), 0),
        (10_000, 0, 0),
        (10_000, 0, 0),
    ]
    scores = run.build_and_score("2020-03-01T00:00:00Z")
    assert "Scores of 700 people; 0 unscorable" in scores
    assert run.ask("phone-00188226442", "telephone", 200).startswith("ADMIT")
    answer = run.ask("phone-00187725979", "airtime_credit", 20)
    assert answer.startswith("DECLINE")
    assert "There have been few transactions." in answer
    assert run.served_answer()["outcome"] == "ADMIT"
