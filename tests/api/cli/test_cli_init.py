"""`iftah init`: a folder to work in, for a program that is installed without its checkout."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from api.settings import source
from api.settings.settings import Settings
from engine.errors import Rejected
from tests.api.terminal import IFTAH, environment, run_in_process
from tests.paths import ROOT


def test_a_folder_has_settings_rules_with_their_cases_schemas_and_a_page(tmp_path: Path) -> None:
    completed = run_in_process(("init", "shop"), environment(), tmp_path)
    assert (completed.returncode, completed.stderr) == (0, "")
    shop = tmp_path / "shop"
    assert {p.name for p in shop.iterdir()} == {"README.md", "iftah.toml", "rules", "schemas"}
    shipped_files = {p.relative_to(ROOT / "rules") for p in (ROOT / "rules").rglob("*.yaml")}
    assert {p.relative_to(shop / "rules") for p in (shop / "rules").rglob("*.yaml")} == shipped_files
    assert set(tomllib.loads((shop / "iftah.toml").read_text())) <= set(Settings.model_fields)
    page = (shop / "README.md").read_text()
    assert page.startswith("# shop\n")
    assert len(page.splitlines()) < 40


def test_the_rules_of_a_new_folder_check_and_refer_to_existing_schemas(tmp_path: Path) -> None:
    run_in_process(("init", "shop"), environment(), tmp_path)
    shop = tmp_path / "shop"
    completed = run_in_process(("check", "rules"), environment(), shop)
    assert (completed.returncode, completed.stderr) == (0, "")
    for path in (shop / "rules").rglob("*.yaml"):
        schema_path = path.read_text().splitlines()[0].rpartition("$schema=")[2]
        assert (path.parent / schema_path).resolve().is_file(), path


def test_a_folder_with_files_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("mine")
    completed = run_in_process(("init", "shop"), environment(), tmp_path)
    assert (completed.returncode, completed.stderr) == (2, "iftah: shop: is not empty (name a folder that is new)\n")
    assert [p.name for p in (tmp_path / "shop").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_created_prints_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    completed = run_in_process(("init", "file/shop"), environment(), tmp_path)
    assert (completed.returncode, completed.stderr) == (2, "iftah: file/shop: cannot be made: Not a directory\n")


def test_an_installed_program_creates_no_database_outside_a_project_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(source, "INSTALLED", True)
    monkeypatch.setattr(source, "VAR", tmp_path / "var")
    with pytest.raises(Rejected, match=r"there is no iftah\.toml here \(make a folder with `iftah init FOLDER`"):
        source.make_var()
    (tmp_path / "iftah.toml").write_text("")
    source.make_var()
    assert (tmp_path / "var").is_dir()


@pytest.fixture
def rental_shop(tmp_path: Path) -> Path:
    completed = run_in_process(("init", "shop", "--example", "rental"), environment(), tmp_path)
    assert (completed.returncode, completed.stderr) == (0, "")
    return tmp_path / "shop"


def in_shop(shop: Path, *arguments: str) -> str:
    """The output of a command with the shop's rules, data and database."""
    env = environment(
        IFTAH_RULES=str(shop / "rules"),
        IFTAH_DATABASE_URL=f"sqlite:///{shop / 'iftah.db'}",
        IFTAH_CONFIG=str(shop / "iftah.toml"),
        COLUMNS="120",
    )
    completed = run_in_process(arguments, env, shop)
    assert (completed.returncode, completed.stderr) == (0, ""), completed.stderr
    return completed.stdout


def test_an_example_of_another_trade_goes_from_its_file_to_decisions_by_yaml_alone(rental_shop: Path) -> None:
    """The file has 420 hires of 49 customers: each hire is a payment and a return, each customer enrols and consents."""
    assert "9 files, no problem" in in_shop(rental_shop, "check", str(rental_shop / "rules"))
    trial = in_shop(rental_shop, "import", "hires.csv", "--dry-run")
    assert "payment.made: 420 events, 0 duplicates, 0 rejected" in trial
    assert "rental.returned: 420 events, 0 duplicates, 0 rejected" in trial
    report = in_shop(rental_shop, "demo")
    assert "938 events" in report
    assert "47 scored, 2 unscorable" in report
    for outcome in ("ADMIT", "DECLINE", "UNSCORABLE"):
        assert f'"outcome":"{outcome}"' in report
    # Two of the customer's five hires came back late: without a late one 1 of 4, without another 2 of 4.
    lineage = in_shop(rental_shop, "features", "rental.late_share", "--person", "cleo-1")
    assert lineage.startswith("rental.late_share = 0.40")
    assert (lineage.count("0.25"), lineage.count("0.50")) == (2, 3)


def test_a_command_in_a_new_folder_uses_its_rules_and_database_in_a_checkout_too(rental_shop: Path) -> None:
    command = [str(IFTAH), "settings"]
    completed = subprocess.run(
        command, env=environment(), cwd=rental_shop, capture_output=True, text=True, timeout=60, check=True
    )
    assert f"{rental_shop / 'rules'}" in completed.stdout
    assert f"{rental_shop / 'var' / 'iftah.db'}" in completed.stdout


def test_an_example_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    completed = run_in_process(("init", "shop", "--example", "bakery"), environment(), tmp_path)
    assert completed.returncode == 2
    assert completed.stderr == "iftah: --example: there is no example `bakery` (use rental)\n"
    assert not (tmp_path / "shop").exists()
