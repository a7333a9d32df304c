"""Scores in a terminal."""

from pathlib import Path

import polars as pl
import pytest

from api.render import present
from tests.api.terminal import environment, run_in_process
from tests.api.town import shipped_release

SCHEMA = {"person": pl.String, "score": pl.Int64, "band": pl.String}


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([], "No one has a score: there are no people, so there is no chart"),
        (
            [("ann", None, None), ("bob", None, None)],
            "No one has a score: all 2 people are unscorable, so there is no chart",
        ),
    ],
)
def test_an_empty_chart_has_a_note(people: list[tuple[str, None, None]], message: str) -> None:
    scores = pl.DataFrame(people, schema=SCHEMA, orient="row")
    assert list(present.distribution(shipped_release().programs[0], scores)) == [message]


def test_a_chart_has_a_bar_for_each_step_of_scores_and_the_shares_of_bands() -> None:
    scores = pl.DataFrame([("ann", 600, "good"), ("bob", 655, "good"), ("cy", None, None)], schema=SCHEMA, orient="row")
    first, *bars, bands = present.distribution(shipped_release().programs[0], scores)
    assert first == "Scores of 2 people; 1 unscorable"
    assert [bar.split()[0] for bar in bars] == ["600-624", "625-649", "650-674"]
    assert [bar.split()[-1] for bar in bars] == ["1", "0", "1"]
    assert "good 100 %" in bands


def test_a_report_of_a_year_without_answers_has_a_note(tmp_path: Path) -> None:
    env = environment(IFTAH_DATABASE_URL=f"sqlite:///{tmp_path / 'iftah.db'}")
    assert run_in_process(("audit", "report", "2024"), env).stdout.splitlines() == [
        "2024: 0 answers, 0 of them about people who have left",
        "there were no decisions in that year, so there is no table",
    ]
