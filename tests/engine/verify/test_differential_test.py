"""Check that the differential test finds an engine that is wrong anywhere the rules look."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings

from engine.decide.caps import remaining_by_cap
from engine.decide.decide import ReferenceEvaluator, assess, decide
from engine.decide.evaluators import Evaluators
from engine.decide.patterns import PatternEvent, reference_match
from engine.lang.check.release import release_of
from engine.lang.engines.durable import DurableEvaluator
from engine.lang.model.conditions import Statuses, Values
from engine.lang.model.patterns import Pattern
from engine.lang.model.program import Program, Release
from engine.lang.model.types import Value
from engine.verify.boundary_cases import PEOPLE, boundary_questions
from engine.verify.differential_test import (
    columns,
    days,
    difference,
    disagreement,
    pattern_difference,
    program_difference,
    rows,
)
from tests.effort import by_effort
from tests.engine import small_rules
from tests.engine.random_rules import ProgramTrial, trials
from tests.engine.small_rules import DAY

FaultCondition = Callable[[Values], bool]
# Rules that read flags. A tie could not take points away, so `paid_friend` is about payments in both directions.
FLAGS = (
    ("trust.yaml", "recent: credit.last_missed >= 2024-01-01", "recent: watch.thrice or watch.paid_friend"),
    ("watch.yaml", "{event: tie, role: either}", "{event: payment, role: other}"),
)


class FaultyEvaluator:
    """An engine that negates one condition for the people that `wrong` selects."""

    def __init__(self, program: Program, condition: str, wrong: FaultCondition) -> None:
        self.program, self._condition, self._wrong, self._true = program, condition, wrong, ReferenceEvaluator(program)

    def statuses(self, stage: str, values: Values) -> Statuses:
        statuses = dict(self._true.statuses(stage, values))
        if self._condition in statuses and self._wrong(values):
            statuses[self._condition] = not statuses[self._condition]
        return statuses


def having(**expected: Value | None) -> FaultCondition:
    """Selects people with exactly these values; `__` stands for the dot of a name."""
    return lambda values: all(values.get(name.replace("__", ".")) == value for name, value in expected.items())


def make_release(*changes: tuple[str, str, str]) -> Release:
    """The release of the small rules, with texts of files replaced."""
    files = small_rules.base()
    for file, replace, by in changes:
        assert files[file].count(replace) == 1
        files[file] = files[file].replace(replace, by)
    return release_of(files, small_rules.SCHEMA, small_rules.KINDS)


@contextmanager
def open_evaluators(release: Release) -> Iterator[Evaluators]:
    evaluators = Evaluators(release)
    yield evaluators
    evaluators.close()


def program_with_steady(threshold: str) -> Program:
    """The small rules, with the test's own condition for the rule `steady`."""
    return small_rules.release("trust.yaml", "steady: money.months >= 6 and not money.paused", f"steady: {threshold}")


def test_the_engines_agree_on_the_small_rules() -> None:
    with open_evaluators(make_release()) as evaluators:
        assert disagreement(evaluators) is None


def test_the_engines_agree_on_flags_and_on_each_period() -> None:
    since = ("trust.yaml", "id: late, dimension", "id: late, from: 2023-01-01, dimension")
    release = make_release(*FLAGS, since)
    assert len(release.programs) == 2
    with open_evaluators(release) as evaluators:
        assert disagreement(evaluators) is None


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        *(("missed#1", having(credit__missed=n)) for n in (1, 2)),  # cuts 1 and 3: the first and the last of the bin
        *(("missed#0", having(credit__missed=n)) for n in (0,)),
        *(("missed#2", having(credit__missed=n)) for n in (3, 100)),  # 100 is the bound
        *(("cover#0", having(money__cover=n)) for n in (0, 79)),  # 0.80 in hundredths
        ("cover#1", having(money__cover=80)),
        ("balance#0", having(money__balance=-(10**9))),
        ("balance#1", having(money__balance=0)),
        *(("steady", having(money__months=n)) for n in (5, 6, 7, None)),
        ("steady", having(money__paused=None)),
        ("late", having(credit__last_missed=19_723)),  # 2024-01-01
        ("late", having(credit__last_missed=19_722)),
        ("scorable", having(identity__level=None)),
        ("room.guest", having(identity__kind="guest")),
        ("room.guest", having(identity__kind=None)),
        *(("room.700", having(score=n)) for n in (699, 700, 701)),
        *(("room.600", having(request__amount=n)) for n in (50_000, 50_001)),
        ("scooter.600", having(score=600)),
        *(("granted", having(score=n)) for n in (639, 640)),
        *(("kept", having(score=n)) for n in (599, 600)),
        *(("villa.short", having(request__nights=n)) for n in (7, 8, None)),
        *(("villa.town", having(request__town=word)) for word in ("Basra", "another")),
        ("villa.town", having(request__town="Cairo", as_of=19_782)),  # the last day on which the value is in the list
        ("villa.town", having(request__town="Cairo", as_of=19_783)),
        *(("villa.town", having(held=value)) for value in (True, False, None)),
        *(("too_many", having(person__unpaid=n)) for n in (0, 1, None)),
        ("pay", having(order__state="used")),
        ("use", lambda values: None is not values.get("event.total") == values.get("order.waived")),
    ][:: by_effort(2, 1)],
)
def test_an_engine_wrong_at_one_value_is_detected(condition: str, wrong: FaultCondition) -> None:
    message = program_difference(FaultyEvaluator(small_rules.release(), condition, wrong), DAY)
    assert message
    assert message.startswith("durable-rules says `")
    assert "\n" not in message


def total(values: Values) -> int | None:
    months, cover = values.get("money.months"), values.get("money.cover")
    return None if months is None or cover is None else 100 * int(months) + int(cover)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_generated_sums_reach_the_boundary_of_their_comparison(step: int) -> None:
    program = program_with_steady("money.months + money.cover > 97.53")
    assert program_difference(FaultyEvaluator(program, "steady", lambda values: total(values) == 9_753 + step), DAY)


def test_generated_features_reach_the_boundary_between_each_other() -> None:
    program = program_with_steady("money.huge > money.months and not money.paused")
    equal: FaultCondition = lambda values: None is not values.get("money.huge") == values.get("money.months")  # noqa: E731
    assert program_difference(FaultyEvaluator(program, "steady", equal), DAY)


def test_a_pattern_wrong_at_one_moment_is_detected() -> None:
    program = make_release(*FLAGS).at(DAY)
    month, second = 30 * 86_400, 1_000_000

    def late(pattern: Pattern, events: Sequence[PatternEvent], as_of: int) -> bool:
        """Treat a match of the maximum length as too long."""
        just = [e for e in events if e.kind == "bill.missed" and e.at == events[0].at + month * second]
        return reference_match(pattern, events, as_of) and not (pattern.id == "thrice" and just)

    assert pattern_difference(program, reference_match) is None
    assert str(pattern_difference(program, late)).startswith(
        "durable-rules says `watch.thrice` is False, the reference True"
    )


def test_a_difference_is_reported_in_one_line() -> None:
    program = small_rules.release()
    people = boundary_questions(program, DAY, 50)
    expected = list(rows(ReferenceEvaluator(program), people))
    wrong = rows(FaultyEvaluator(program, "late", having(credit__last_missed=None)), people)
    place = next(n for n, p in enumerate(people) if p.values["credit.last_missed"] is None)
    assert (
        difference("the engine", expected, wrong)
        == f"the engine says `late` is True, the reference None (number {place} of the probe)"
    )
    assert difference("the engine", expected, columns(program, people)) is None


def test_half_of_the_people_are_scorable_and_scores_reach_tier_bounds() -> None:
    program = small_rules.release()
    people = boundary_questions(program, DAY)
    assert len(people) == PEOPLE
    scores = [assess(ReferenceEvaluator(program), q.values, DAY).score for q in people]
    assert sum(s is not None for s in scores) > PEOPLE / 2
    assert {600, 640, 700} <= set(scores)
    decisions = [decide(ReferenceEvaluator(program), q) for q in people]
    assert {d.outcome for d in decisions} == {"ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE"}
    villa = [d for d in decisions if d.question.perk == "villa"]
    assert {d.held_since is None for d in villa} == {True, False}
    perk = program.perk("villa")
    assert perk
    assert any("capped" in d.reasons for d in villa)
    remaining = {remaining_by_cap(perk, d.question.used, d.question.asked_at) for d in villa}
    assert {caps[1] for caps in remaining} == {0, None}  # the second: two times within 90 days


def test_the_seed_determines_the_people() -> None:
    program = small_rules.release()
    assert boundary_questions(program, DAY, 20) == boundary_questions(program, DAY, 20)
    assert boundary_questions(program, DAY, 20) != boundary_questions(program, DAY, 20, seed=2)


def test_every_period_of_a_release_is_probed() -> None:
    later = "id: late, from: 2023-01-01, until: 2024-01-01, dimension"
    release = make_release(("trust.yaml", "id: late, dimension", later))
    assert [release.at(day).since for day in days(release)] == [None, 19_358, 19_723]


@settings(max_examples=by_effort(3, 8), deadline=None, suppress_health_check=list(HealthCheck))
@given(trials(1))
def test_the_engines_agree_on_probes_of_random_rules(trial: ProgramTrial) -> None:
    evaluator = DurableEvaluator(trial.program)
    assert program_difference(evaluator, DAY) is None, str(trial.program)
    evaluator.close()
