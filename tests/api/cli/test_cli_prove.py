"""`iftah check --prove`: warnings with places and examples, in every format; and what `--strict` makes of them."""

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


def test_few_rules_are_proved_unasked_and_many_only_on_request(
    rules: Path, iftah: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "warning W104" in iftah("check", rules).out
    assert "no problem" in iftah("check", rules, "--no-prove").out
    monkeypatch.setattr(proofs, "MAX_LINES_UNASKED", 10)
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
            result.err == f"iftah: {option}: the solver z3 is not installed (install it: pip install 'iftah[prove]')\n"
        )


def test_rules_with_a_problem_get_no_warning(rules: Path, iftah: CommandRunner) -> None:
    edit(rules / "trust.yaml", "feature: credit.kept", "feature: credit.keptt")
    result = iftah("check", rules, "--prove")
    assert result.status == 1
    assert "error R101" in result.out
    assert "warning" not in result.out
