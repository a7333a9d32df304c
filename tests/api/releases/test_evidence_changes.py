"""A changed evidence.yaml comes into force unless recorded events would get another meaning; then we say how many there are."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from api.evidence.load import load_file
from api.jobs.reload import attempt
from api.releases import releases
from api.releases.evidence_changes import evidence_problems
from api.releases.probe import Probe
from api.runtime.bootstrap import StageTimer
from api.store.clock import micros
from iftah.rules_folder import load_folder
from tests.api.declared_rules import RENTAL_KINDS, rental_release, rental_vocabulary, write_rental_rules
from tests.api.evidence.test_declared_kinds import write_csv
from tests.api.loading import NOW


@pytest.fixture
def loaded(database: Engine, tmp_path: Path) -> Engine:
    """Two returns and a theft are in the ledger, under the rental rules."""
    release = rental_release(tmp_path / "rules")
    releases.record_release(database, release, micros(NOW))
    write_csv(tmp_path / "r.csv")
    report = load_file(database, tmp_path / "r.csv", now=lambda: NOW, vocabulary=rental_vocabulary())
    assert report.accepted == 3
    return database


def problems_of(database: Engine, folder: Path, replace: str, by: str) -> tuple[str, ...]:
    assert RENTAL_KINDS.count(replace) == 1
    return evidence_problems(database, load_folder(write_rental_rules(folder, RENTAL_KINDS.replace(replace, by))))


@pytest.mark.parametrize(
    ("replace", "by"),
    [
        ("values: [small, large]", "values: [small, large, huge]"),
        ("      helmet: {type: bool}\n", "      helmet: {type: bool}\n      colour: {type: text}\n"),
        ("high: 5", "high: 10"),
        ("values: [small, large]", "values: [small]"),  # nobody used `large`
    ],
)
def test_a_compatible_change_has_no_problem(loaded: Engine, tmp_path: Path, replace: str, by: str) -> None:
    assert problems_of(loaded, tmp_path / "new", replace, by) == ()


@pytest.mark.parametrize(
    ("replace", "by", "problem"),
    [
        ("digits: 1, low: 0, high: 5", "digits: 2, low: 0, high: 5", "`rating` was decimal(1) and is decimal(2): 1"),
        ("values: [small, large]", "values: [large]", "`small` is no word of `size` any more: 1"),
        ("      helmet: {type: bool}\n", "", "`rental.returned` has no field `helmet` any more: 2"),
        ("    adverse: true\n", "", "`adverse` of `rental.stolen` was true and is false: 1"),
        (
            "days_late: {type: int}",
            "days_late: {type: int, required: true}",
            "`days_late` is required in `rental.returned` now: 2",
        ),
    ],
)
def test_a_change_of_meaning_is_rejected_with_the_number_of_events(
    loaded: Engine, tmp_path: Path, replace: str, by: str, problem: str
) -> None:
    assert problems_of(loaded, tmp_path / "new", replace, by) == (f"evidence.yaml: {problem} recorded events have it",)


def test_the_server_keeps_the_release_in_force_when_a_kind_with_events_goes(loaded: Engine, tmp_path: Path) -> None:
    folder = write_rental_rules(tmp_path / "without", "")
    prober = Probe()
    try:
        result = attempt(folder, "", prober, StageTimer(), database=loaded)
    finally:
        prober.close()
    assert result.evaluators is None
    assert result.problems == (
        "evidence.yaml: `rental.returned` is not declared any more: 2 recorded events have it",
        "evidence.yaml: `rental.stolen` is not declared any more: 1 recorded events have it",
    )
