"""Reject a build or scores that would take the score from most people, with a reason and a hint."""

import re
from pathlib import Path

import pytest

from api.cli.serve import coverage_lines
from api.store.database import open_database
from tests.api.cli.commands import edit
from tests.api.terminal import CommandRunner, CompletedCommand, environment, run_in_process
from tests.paths import ROOT

HEAD = "contributor,event_id,kind,subject,other,happened_at,identity_level,amount,currency,purpose,classes"
PEOPLE_COUNT = 10
LAST_DAY = "2024-06-15"


def event_lines() -> list[str]:
    """Ten people who paid for half a year, long ago. One has no identity level, and one paid nothing."""
    lines = [HEAD]
    for n in range(PEOPLE_COUNT):
        level = 0 if n == 0 else 2
        lines.append(f"bank,e{n},person.enrolled,p{n},,2023-01-01T00:00:00Z,{level},,,,")
        lines.append(f'bank,c{n},consent.granted,p{n},,2023-01-01T00:00:00Z,,,,perks,"identity,behaviour"')
        for month in range(1, 7) if n != 1 else ():
            lines.append(f"bank,a{n}-{month},payment.made,p{n},shop,2024-0{month}-15T00:00:00Z,,500,CNY,,")
    return lines


@pytest.fixture
def iftah(tmp_path: Path) -> CommandRunner:
    """Run the command line on a new database with these people and a copy of the rules."""
    import shutil

    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "old.csv").write_text("\n".join(event_lines()) + "\n")
    overrides = {"IFTAH_DATABASE_URL": f"sqlite:///{tmp_path / 'iftah.db'}", "IFTAH_RULES": str(tmp_path / "rules")}

    def run(*args: str) -> CompletedCommand:
        return run_in_process(args, environment(**overrides, COLUMNS="200"))

    assert run("load", str(tmp_path / "old.csv")).returncode == 0
    return run


def test_a_first_build_without_any_score_is_refused_and_proposes_a_moment(iftah: CommandRunner) -> None:
    result = iftah("build")
    assert result.returncode == 2
    assert re.fullmatch(
        rf"iftah: as of [^ ]+: 0 people could be scored, and 8 can as of {LAST_DAY}T00:00:00Z: the newest evidence is of {LAST_DAY} "
        rf"\(run `iftah build --as-of {LAST_DAY}T00:00:00Z`, or `iftah build --yes` if you mean it\)\n",
        result.stderr,
    )
    assert "no features have been built yet" in iftah("score").stderr
    second_result = iftah("build", "--as-of", f"{LAST_DAY}T00:00:00Z")
    assert (second_result.returncode, "the newest evidence is of 2024-06-15" in second_result.stdout) == (0, True)
    assert "long after" not in second_result.stdout
    assert "Scores of 8 people; 2 unscorable" in iftah("score").stdout


def test_a_later_build_with_far_fewer_scores_does_not_replace_the_earlier_one(
    iftah: CommandRunner, tmp_path: Path
) -> None:
    assert iftah("build", "--as-of", f"{LAST_DAY}T00:00:00Z", "--yes").returncode == 0
    assert iftah("score").returncode == 0
    result = iftah("build")
    assert (result.returncode, "0 people could be scored, and 8 can as of 2024-06-15" in result.stderr) == (2, True)
    assert "Scores of 8 people" in iftah("score").stdout
    result = iftah("build", "--yes")
    assert result.returncode == 0
    assert f"`iftah build --as-of {LAST_DAY}T00:00:00Z`" in result.stdout
    output = iftah("score").stdout
    assert "No one has a score: all 10 people are unscorable, so there is no chart" in output
    assert "the newest evidence is of 2024-06-15; as of 20" in output
    assert f"`iftah build --as-of {LAST_DAY}T00:00:00Z`" in output


def test_score_counts_the_people_that_each_condition_leaves_without_a_score(iftah: CommandRunner) -> None:
    assert iftah("build", "--as-of", f"{LAST_DAY}T00:00:00Z").returncode == 0
    output = iftah("score").stdout
    assert "the newest evidence is of 2024-06-15; as of 2024-06-15T00:00:00Z, 8 of 10 people have a score\n" in output
    _, _, breakdown = output.partition("People without a score who do not meet:\n")
    level, active = breakdown.splitlines()
    assert level == "  1: identity.level >= 1"  # p0, whom nobody identified
    assert active.startswith(
        "  1: (behaviour.payments >= 5 and behaviour.active_months >= 2) or credit."
    )  # p1, who paid nothing


def test_rules_that_remove_most_scores_are_refused_before_any_score_is_stored(
    iftah: CommandRunner, tmp_path: Path
) -> None:
    assert iftah("build", "--as-of", f"{LAST_DAY}T00:00:00Z").returncode == 0
    assert iftah("score").returncode == 0
    edit(tmp_path / "rules" / "trust.yaml", "when: identity.level >= 1 and", "when: identity.level >= 3 and")
    result = iftah("score")
    assert result.returncode == 2
    assert "score: 0 of 8 people would keep a score under these rules" in result.stderr
    assert "No one has a score" in iftah("score", "--yes").stdout


def test_serving_reports_the_coverage_of_its_build(iftah: CommandRunner, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    assert list(coverage_lines(database)) == [
        "no features have been built yet: every question is rejected until you run `iftah build`"
    ]
    assert iftah("build", "--yes").returncode == 0
    assert iftah("score").returncode == 0
    state, advice = coverage_lines(database)
    assert re.fullmatch(r"the newest evidence is of 2024-06-15; as of .*Z, 0 of 10 people have a score", state)
    assert f"`iftah build --as-of {LAST_DAY}T00:00:00Z`" in advice
    database.dispose()
