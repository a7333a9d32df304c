"""A build or new scores that would leave far fewer people with a score: refused, said why, and what to do instead."""

import re
from pathlib import Path

import pytest

from api.commands.serve import served
from api.database import open_database
from tests.api.terminal import Done, Run, environment, in_process
from tests.api.test_cli_rules import edit
from tests.api.world import ROOT

HEAD = "contributor,event_id,kind,subject,other,happened_at,identity_level,amount,currency,purpose,classes"
PEOPLE = 10
LAST = "2024-06-15"


def rows() -> list[str]:
    """Ten people who paid for half a year, long ago; one of them is known by nothing but a name, and one paid nothing."""
    found = [HEAD]
    for n in range(PEOPLE):
        level = 0 if n == 0 else 2
        found.append(f"bank,e{n},person.enrolled,p{n},,2023-01-01T00:00:00Z,{level},,,,")
        found.append(f'bank,c{n},consent.granted,p{n},,2023-01-01T00:00:00Z,,,,perks,"identity,behaviour"')
        for month in range(1, 7) if n != 1 else ():
            found.append(f"bank,a{n}-{month},payment.made,p{n},shop,2024-0{month}-15T00:00:00Z,,500,CNY,,")
    return found


@pytest.fixture
def iftah(tmp_path: Path) -> Run:
    """The command line on a database of its own that holds these people, and its own copy of the rules."""
    import shutil

    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "old.csv").write_text("\n".join(rows()) + "\n")
    own = {"IFTAH_DATABASE_URL": f"sqlite:///{tmp_path / 'iftah.db'}", "IFTAH_RULES": str(tmp_path / "rules")}

    def run(*words: str) -> Done:
        return in_process(words, environment(**own, COLUMNS="200"))

    assert run("load", str(tmp_path / "old.csv")).returncode == 0
    return run


def test_a_first_build_that_leaves_nobody_scored_is_refused_and_a_moment_proposed(iftah: Run) -> None:
    done = iftah("build")
    assert done.returncode == 2
    assert re.fullmatch(
        rf"iftah: as of [^ ]+: 0 people could be scored, and 8 can as of {LAST}T00:00:00Z: the newest evidence is of {LAST} "
        rf"\(run `iftah build --as-of {LAST}T00:00:00Z`, or `iftah build --yes` if it is meant\)\n",
        done.stderr,
    )
    assert "no features have been built yet" in iftah("score").stderr
    proposed = iftah("build", "--as-of", f"{LAST}T00:00:00Z")
    assert (proposed.returncode, "the newest evidence is of 2024-06-15" in proposed.stdout) == (0, True)
    assert "long after" not in proposed.stdout
    assert "Scores of 8 people; 2 unscorable" in iftah("score").stdout


def test_a_later_build_that_leaves_far_fewer_scored_leaves_the_one_before_in_place(iftah: Run, tmp_path: Path) -> None:
    assert iftah("build", "--as-of", f"{LAST}T00:00:00Z", "--yes").returncode == 0
    assert iftah("score").returncode == 0
    done = iftah("build")
    assert (done.returncode, "0 people could be scored, and 8 can as of 2024-06-15" in done.stderr) == (2, True)
    assert "Scores of 8 people" in iftah("score").stdout
    done = iftah("build", "--yes")
    assert done.returncode == 0
    assert f"`iftah build --as-of {LAST}T00:00:00Z`" in done.stdout
    said = iftah("score").stdout
    assert "Nobody has a score: all 10 people are unscorable, so there is no chart" in said
    assert "the newest evidence is of 2024-06-15; as of 20" in said
    assert f"`iftah build --as-of {LAST}T00:00:00Z`" in said


def test_scores_say_which_part_of_scorable_keeps_how_many_from_one(iftah: Run) -> None:
    assert iftah("build", "--as-of", f"{LAST}T00:00:00Z").returncode == 0
    said = iftah("score").stdout
    assert "the newest evidence is of 2024-06-15; as of 2024-06-15T00:00:00Z, 8 of 10 people have a score\n" in said
    _, _, lacking = said.partition("Of those without a score, so many do not meet:\n")
    level, active = lacking.splitlines()
    assert level == "  1: identity.level >= 1"  # p0, whom nobody identified
    assert active.startswith(
        "  1: (behaviour.payments >= 5 and behaviour.active_months >= 2) or credit."
    )  # p1, who paid nothing


def test_rules_that_take_the_score_from_most_are_refused_before_any_score_is_kept(iftah: Run, tmp_path: Path) -> None:
    assert iftah("build", "--as-of", f"{LAST}T00:00:00Z").returncode == 0
    assert iftah("score").returncode == 0
    edit(tmp_path / "rules" / "trust.yaml", "when: identity.level >= 1 and", "when: identity.level >= 3 and")
    done = iftah("score")
    assert done.returncode == 2
    assert "score: 0 of 8 people would keep a score under these rules" in done.stderr
    assert "Nobody has a score" in iftah("score", "--yes").stdout


def test_what_serves_says_what_it_serves(iftah: Run, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    assert list(served(database)) == ["no features have been built yet: every question is refused until `iftah build`"]
    assert iftah("build", "--yes").returncode == 0
    assert iftah("score").returncode == 0
    state, advice = served(database)
    assert re.fullmatch(r"the newest evidence is of 2024-06-15; as of .*Z, 0 of 10 people have a score", state)
    assert f"`iftah build --as-of {LAST}T00:00:00Z`" in advice
    database.dispose()
