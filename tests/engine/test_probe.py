"""Probes stand where engines could differ: an engine that is wrong anywhere the rules look is found out."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from engine.decide import Engine, Reference, assess
from engine.lang.online import Online
from engine.lang.program import Release, Statuses, Values
from engine.lang.types import Value
from engine.probe import PEOPLE, columns, crowd, difference, disagreement, rows
from tests.engine import small
from tests.engine.random_rules import Trial, trials

Wrong = Callable[[Values], bool]


class Liar:
    """An engine that says of one condition the contrary of what is so, of whom `wrong` picks."""

    def __init__(self, release: Release, condition: str, wrong: Wrong) -> None:
        self.release, self._condition, self._wrong, self._true = release, condition, wrong, Reference(release)

    def statuses(self, stage: str, values: Values) -> Statuses:
        said = dict(self._true.statuses(stage, values))
        if self._condition in said and self._wrong(values):
            said[self._condition] = not said[self._condition]
        return said


def has(**wanted: Value | None) -> Wrong:
    """Whoever has just these values; `_` stands for the dot of a name."""
    return lambda values: all(values.get(name.replace("__", ".")) == value for name, value in wanted.items())


def steady(threshold: str) -> Release:
    """The small rules, with the rule `steady` on a condition of the test's own."""
    return small.release("trust.yaml", "steady: money.months >= 6 and not money.paused", f"steady: {threshold}")


def test_the_engines_agree_on_the_small_rules() -> None:
    engine = Online(small.release())
    assert disagreement(engine) is None
    engine.close()


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        *(("missed#1", has(credit__missed=n)) for n in (1, 2)),  # cuts 1 and 3: the first and the last of the bin
        *(("missed#0", has(credit__missed=n)) for n in (0,)),
        *(("missed#2", has(credit__missed=n)) for n in (3, 100)),  # 100 is the bound
        *(("cover#0", has(money__cover=n)) for n in (0, 79)),  # 0.80 in hundredths
        ("cover#1", has(money__cover=80)),
        ("balance#0", has(money__balance=-(10**9))),
        ("balance#1", has(money__balance=0)),
        *(("steady", has(money__months=n)) for n in (5, 6, 7, None)),
        ("steady", has(money__paused=None)),
        ("late", has(credit__last_missed=19_723)),  # 2024-01-01
        ("late", has(credit__last_missed=19_722)),
        ("scorable", has(identity__level=None)),
        ("room.guest", has(identity__kind="guest")),
        ("room.guest", has(identity__kind=None)),
        *(("room.700", has(score=n)) for n in (699, 700, 701)),
        *(("room.600", {"request.amount": n}) for n in (50_000, 50_001)),
        ("scooter.600", has(score=600)),
    ],
)
def test_an_engine_that_is_wrong_at_one_value_is_found_out(condition: str, wrong: Any) -> None:
    pick = wrong if callable(wrong) else lambda values: values.items() >= wrong.items()
    said = disagreement(Liar(small.release(), condition, pick))
    assert said
    assert said.startswith("durable-rules says `")
    assert "\n" not in said


def total(values: Values) -> int | None:
    months, cover = values.get("money.months"), values.get("money.cover")
    return None if months is None or cover is None else 100 * int(months) + int(cover)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_sums_are_brought_to_where_their_comparison_turns(step: int) -> None:
    release = steady("money.months + money.cover > 97.53")
    assert disagreement(Liar(release, "steady", lambda values: total(values) == 9_753 + step))


def test_features_compared_with_each_other_are_brought_together() -> None:
    release = steady("money.huge > money.months and not money.paused")
    equal: Wrong = lambda values: None is not values.get("money.huge") == values.get("money.months")  # noqa: E731
    assert disagreement(Liar(release, "steady", equal))


def test_a_difference_is_told_in_one_line() -> None:
    release = small.release()
    people = crowd(release, 50)
    expected = list(rows(Reference(release), people))
    wrong = rows(Liar(release, "late", has(credit__last_missed=None)), people)
    place = next(n for n, p in enumerate(people) if p.values["credit.last_missed"] is None)
    assert (
        difference("the engine", expected, wrong)
        == f"the engine says `late` is True, the reference None (number {place} of the probe)"
    )
    assert difference("the engine", expected, columns(release, people)) is None


def test_half_of_the_people_are_scorable_and_scores_come_to_where_tiers_begin() -> None:
    release = small.release()
    people = crowd(release)
    assert len(people) == PEOPLE
    found = [assess(Reference(release), p.values).score for p in people]
    assert sum(s is not None for s in found) > PEOPLE / 2
    assert {600, 700} <= set(found)
    outcomes = {row["outcome"] for row in rows(Reference(release), people)}
    assert outcomes == {"ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"}


def test_the_same_seed_makes_the_same_people_and_another_others() -> None:
    release = small.release()
    assert crowd(release, 20) == crowd(release, 20)
    assert crowd(release, 20) != crowd(release, 20, seed=2)


def test_values_stay_within_what_the_catalogue_says() -> None:
    release = small.release()
    for person in crowd(release, 300):
        for name, value in person.values.items():
            type_ = small.SCHEMA[name].type
            assert value is None or not type_.numeric or type_.low <= int(value) <= type_.high
        assert 1 <= person.amount <= person.perk.most


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(trials(1))
def test_the_engines_agree_on_probes_of_random_rules(trial: Trial) -> None:
    engine: Engine = Online(trial.release)
    assert disagreement(engine) is None, _texts(trial.release.files.values())


def _texts(files: Iterable[str]) -> str:
    return "\n".join(files)
