"""`iftah check --prove` and `iftah diff --prove`: warnings and losses with their places and examples, in every format."""

import json
import re
import shutil
from pathlib import Path

import pytest

from api.releases import proofs
from tests.api.cli.commands import CommandRunner, command_runner, edit
from tests.paths import RULES

CONTRADICTION = (
    "- {id: car.550, when: score >= 550, waive",
    "- {id: car.550, when: score >= 550 and identity.level <= 1, waive",
)


@pytest.fixture
def iftah(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandRunner:
    return command_runner(monkeypatch, capsys)


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped rules without cases, with a tier that a knock-out contradicts."""
    shutil.copytree(RULES, tmp_path / "rules", ignore=shutil.ignore_patterns("*.cases.yaml"))
    monkeypatch.chdir(tmp_path)
    edit(Path("rules/perks.yaml"), *CONTRADICTION)
    return Path("rules")


def test_a_warning_has_a_place_and_an_example_and_is_no_error(rules: Path, iftah: CommandRunner) -> None:
    result = iftah("check", rules, "--prove")
    assert result.status == 0
    first, line, sign, example, count = result.out.splitlines()
    assert re.match(
        r"rules/perks\.yaml:\d+:29 warning W104 the tier `car\.550` contradicts a knock-out: .*\(.*\)", first
    )
    assert "score >= 550 and identity.level <= 1" in line
    assert sign.strip("| ").startswith("^")
    assert re.fullmatch(r" {7}= for example score \d+, identity\.level 1", example)
    assert re.fullmatch(r"1 warning in \d+ files", count)


def test_strict_takes_a_warning_for_an_error(rules: Path, iftah: CommandRunner) -> None:
    result = iftah("check", rules, "--strict")
    assert result.status == 1
    assert " error W104 " in result.out
    assert re.fullmatch(r"1 problem in \d+ files", result.out.splitlines()[-1])


def test_every_format_has_the_severity(rules: Path, iftah: CommandRunner) -> None:
    (row,) = json.loads(iftah("check", rules, "--prove", "--format", "json").out)
    assert (row["severity"], row["code"], row["file"]) == ("warning", "W104", "rules/perks.yaml")
    assert row["example"]["identity.level"] == "1"
    (run,) = json.loads(iftah("check", rules, "--prove", "--format", "sarif").out)["runs"]
    assert [r["level"] for r in run["results"]] == ["warning"]
    assert run["tool"]["driver"]["rules"][0]["shortDescription"]["text"] == "a condition that contradicts a knock-out"
    assert iftah("check", rules, "--prove", "--format", "github").out.startswith(
        "::warning file=rules/perks.yaml,line="
    )
    assert json.loads(iftah("check", rules, "--strict", "--format", "json").out)[0]["severity"] == "error"


def test_a_check_proves_only_on_request(rules: Path, iftah: CommandRunner) -> None:
    """A check within half a second suits a hook at each save."""
    assert "no problem" in iftah("check", rules).out
    assert "warning W104" in iftah("check", rules, "--prove").out


def test_without_the_solver_a_check_goes_on_and_a_proof_says_what_to_install(
    rules: Path, iftah: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "is_installed", lambda: False)
    assert "no problem" in iftah("check", rules).out
    for option in ("--prove", "--strict"):
        result = iftah("check", rules, option)
        assert result.status == 2
        assert (
            result.err
            == f"iftah: {option}: the solver z3 is not installed (pip install z3-solver, as the extra `prove` does)\n"
        )


def test_rules_with_a_problem_get_no_warning(rules: Path, iftah: CommandRunner) -> None:
    edit(rules / "trust.yaml", "feature: credit.kept", "feature: credit.keptt")
    result = iftah("check", rules, "--prove")
    assert result.status == 1
    assert "error R101" in result.out
    assert "warning" not in result.out


@pytest.fixture
def two_folders(rules: Path) -> Path:
    """The same rules a second time, in a folder `new`."""
    shutil.copytree(rules, "new")
    return Path("new")


def test_a_change_by_which_nobody_loses_is_proved(rules: Path, two_folders: Path, iftah: CommandRunner) -> None:
    edit(two_folders / "perks.yaml", "hotel.600, when: score >= 600", "hotel.600, when: score >= 590")
    result = iftah("diff", rules, two_folders, "--prove", "nobody loses")
    assert result.status == 0
    assert re.fullmatch(r"proved: nobody loses from release [0-9a-f]{12} to [0-9a-f]{12}\n", result.out)


def test_a_person_who_loses_is_shown_with_the_values(rules: Path, two_folders: Path, iftah: CommandRunner) -> None:
    edit(two_folders / "perks.yaml", "hotel.600, when: score >= 600", "hotel.600, when: score >= 610")
    result = iftah("diff", rules, two_folders, "--prove", "nobody loses")
    assert result.status == 1
    first, *lines = result.out.splitlines()
    assert re.fullmatch(r"somebody loses: `hotel`: (ADMIT|PARTIAL) of [0-9.]+ CNY becomes DECLINE of 0\.00 CNY", first)
    values = dict(line.strip().split(" ", 1) for line in lines if " score " not in f" {line.strip()} ")
    assert int(lines[0].removeprefix("  score before ")) in range(600, 610)
    assert values["as_of"] == "2026-01-01"
    assert int(values["identity.level"]) >= 1
    assert lines[-1] == "  and no other value"


def test_only_claims_that_we_can_prove_are_taken(rules: Path, two_folders: Path, iftah: CommandRunner) -> None:
    result = iftah("diff", rules, two_folders, "--prove", "everybody wins")
    assert result.status == 2
    assert "`everybody wins` is not a claim that we can prove (use one of `nobody loses`)" in result.err
