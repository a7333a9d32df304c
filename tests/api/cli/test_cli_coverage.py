"""`iftah test --coverage`: what no case tries, with its place, and a case to paste."""

from pathlib import Path

import pytest

from tests.api.cli.test_cli_rules import CommandRunner, edit, iftah, rules

__all__ = ["iftah", "rules"]  # fixtures
LAST_CASE = """  - name: nor where nobody knows for how long the person is known
    given: {identity.tenure_days: missing}
    expect: {outcome: UNSCORABLE, unknown: [tenure], reasons: [too_little_known]}
"""


def test_cases_that_try_everything_cover_all_branches(rules: Path, iftah: CommandRunner) -> None:
    result = iftah("test", "--threshold", "100")
    assert result.status == 0
    assert result.out.endswith("branches, 100.0 %\n")


def test_a_branch_without_a_case_is_named_with_its_place_and_gets_a_case_that_tries_it(
    rules: Path, iftah: CommandRunner
) -> None:
    edit(rules / "trust.cases.yaml", LAST_CASE, "")
    result = iftah("test", "--coverage")
    assert result.status == 0
    line = "trust.yaml:175:14 the feature `identity.tenure_days` of `tenure` is never missing\n"
    assert f"rules/{line}" in result.out
    head = "add to rules/trust.cases.yaml, under `cases`; each expects what the rules give now, so read it first:\n"
    text = result.out.partition(head)[2]
    assert text.startswith(
        "  # trust.yaml:175 the feature `identity.tenure_days` of `tenure` is never missing\n  - name: "
    )
    path = rules / "trust.cases.yaml"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    assert iftah("test", "--threshold", "100").status == 0
    assert iftah("fmt", "--check").status == 0


def test_less_coverage_than_the_threshold_is_status_1(rules: Path, iftah: CommandRunner) -> None:
    edit(rules / "trust.cases.yaml", LAST_CASE, "")
    result = iftah("test", "--threshold", "100")
    assert result.status == 1
    assert "coverage: 249 of 250 branches, 99.6 %\n" in result.out
    assert result.out.endswith("coverage is below 100 %\n")
    assert iftah("test", "--threshold", "99").status == 0


@pytest.mark.parametrize("text", ["101", "-1", "9.5", "many", "٣"])
def test_a_threshold_is_a_whole_number_of_percent(rules: Path, iftah: CommandRunner, text: str) -> None:
    result = iftah("test", "--threshold", text)
    assert result.status == 2
    assert "is not a whole number from 0 to 100" in result.err
