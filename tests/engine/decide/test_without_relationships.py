"""Check scores and outcomes without relationships, by hand and against people without any.

The oracle does not use `without_attributes`: we decide about the same person once more, with every relationship feature
missing.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from engine.decide.decide import ReferenceEvaluator, assess, decide
from engine.lang.check.release import check
from engine.lang.model.program import Program
from engine.lang.model.types import Value
from tests.effort import by_effort
from tests.engine.random_people import ReleaseTrial, draw_trial, is_eased, trials
from tests.engine.small_rules import DAY, KINDS, PERSON, SCHEMA, base, make_question, release

PERSON_WITH_TIES = PERSON | {"ties.degree": 3}
RULE_POINTS = "points: 7, unknown: 2"


def program_with_rule(when: str, points: str = RULE_POINTS) -> Program:
    """The small rules, with one more rule that reads ties."""
    line = f'  - {{id: more, dimension: ties, when: "{when}", {points}, reason: ties}}\n'
    return release("trust.yaml", "rules:\n", f"rules:\n{line}")


@pytest.mark.parametrize(
    ("when", "points", "points_without"),
    [
        ("ties.degree >= 1", 7, 2),  # unknown without
        ("ties.degree > 3", 0, 2),
        ("not ties.degree >= 1", 0, 2),
        ("known(ties.degree)", 7, 0),  # we know whether it is known: it is not
        ("missing(ties.degree)", 0, 7),
        ("not known(ties.degree)", 0, 7),
        ("ties.degree >= 1 and money.months >= 6", 7, 2),
        ("ties.degree >= 1 and money.months >= 60", 0, 0),  # decided by the remaining features
        ("ties.degree >= 9 or money.months >= 6", 7, 7),
        ("ties.degree >= 1 or money.months >= 60", 7, 2),
        ("ties.degree * 2 > money.months", 0, 2),
        ("ties.degree in [1, 3]", 7, 2),
        ("money.months >= 6", 7, 7),  # does not read ties at all
    ],
)
def test_a_rule_without_relationships(when: str, points: int, points_without: int) -> None:
    """Without this rule, the small rules give 690 with a tie, and 670 without ties."""
    result = assess(ReferenceEvaluator(program_with_rule(when)), PERSON_WITH_TIES, DAY)
    assert (result.score, result.score_without_relationships) == (690 + points, 670 + points_without)
    bare_result = assess(ReferenceEvaluator(program_with_rule(when)), PERSON_WITH_TIES | {"ties.degree": None}, DAY)
    assert bare_result.score == bare_result.score_without_relationships == result.score_without_relationships


@pytest.mark.parametrize(("degree", "score"), [(None, 670), (0, 670), (1, 690), (3, 690)])
def test_without_relationships_a_characteristic_counts_as_missing(degree: Value, score: int) -> None:
    result = assess(ReferenceEvaluator(release()), PERSON_WITH_TIES | {"ties.degree": degree}, DAY)
    assert (result.score, result.score_without_relationships) == (score, 670)


TOO_GOOD = "knockouts:\n      - {id: room.top, when: score > 680, unknown: pass, reason: guest}\n"


def test_points_of_ties_never_cause_a_decline() -> None:
    """690 with ties, above which nobody gets a room; 670 without: 33 %."""
    stern = release("perks.yaml", "knockouts:\n", TOO_GOOD)
    decision = decide(ReferenceEvaluator(stern), make_question("room", 50_000, "CNY", PERSON_WITH_TIES))
    assert (decision.outcome, decision.answer.waived, decision.answer) == (
        "PARTIAL",
        16_500,
        decision.without_relationships,
    )
    assert decision.statuses["room.top"] is True, "what is told is what was asked"
    assert decision.same_without_relationships
    assert decision.scored.score == 690
    bare = decide(ReferenceEvaluator(stern), make_question("room", 50_000, "CNY", PERSON))
    assert bare.answer == decision.answer
    worse = decide(
        ReferenceEvaluator(stern), make_question("room", 50_000, "CNY", PERSON_WITH_TIES | {"identity.kind": "guest"})
    )
    assert (worse.outcome, worse.answer.because) == ("DECLINE", ("guest",)), "a guest without ties is refused too"


def test_the_effect_of_ties_is_granted_and_recorded() -> None:
    """With a cover of 0.79: 660, and 640 without."""
    near = release("perks.yaml", "score >= 700", "score >= 655")
    decision = decide(
        ReferenceEvaluator(near), make_question("room", 50_000, "CNY", PERSON_WITH_TIES | {"money.cover": 79})
    )
    assert (decision.outcome, decision.without_relationships.outcome) == ("ADMIT", "PARTIAL")
    assert not decision.same_without_relationships
    assert json.loads(decision.canonical())["same_without_relationships"] is False


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("perks.yaml", "bad: credit.missed >= 3", "bad: ties.degree < 1"),
        ("perks.yaml", "when: score >= 700", "when: score >= 700 and ties.degree >= 1"),
        ("perks.yaml", "granted: score >= 640", "granted: known(ties.degree)"),
        ("trust.yaml", "when: identity.level >= 1", "when: identity.level >= 1 and ties.degree >= 1"),
    ],
)
def test_no_condition_of_a_perk_may_read_relationships(file: str, old: str, new: str) -> None:
    text = base()[file]
    assert text.count(old) == 1
    result, problems = check({**base(), file: text.replace(old, new)}, SCHEMA, KINDS)
    assert result is None
    assert "R405" in {p.code for p in problems}


class EaseCounts(Counter[str]):
    """The number of questions, and of those that we would have declined for ties."""

    def __repr__(self) -> str:
        return f"{self['eased']} of {self['asked']} eased"


@pytest.fixture(scope="module")
def ease_counts() -> Iterator[EaseCounts]:
    counts = EaseCounts()
    yield counts
    assert counts["eased"] >= 20, counts


@settings(
    max_examples=by_effort(8, 250),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(trial=trials(2, 60))
@example(trial=draw_trial(15, 2, 60))  # seeds under which ties would decline many people
@example(trial=draw_trial(18, 2, 60))
def test_the_score_without_relationships_equals_that_of_a_person_without_ties(
    trial: ReleaseTrial, ease_counts: EaseCounts
) -> None:
    for batch in trial.batches:
        program = trial.release.at(batch.day)
        evaluator = ReferenceEvaluator(program)
        for question in batch.questions:
            bare_values = {n: None if n in program.relationships else v for n, v in question.values.items()}
            decision, without = decide(evaluator, question), decide(evaluator, replace(question, values=bare_values))
            assert (
                decision.scored.score_without_relationships
                == without.scored.score
                == without.scored.score_without_relationships
            ), (trial, question)
            assert decision.without_relationships == without.answer == without.without_relationships, (trial, question)
            assert decision.outcome != "DECLINE" or without.outcome == "DECLINE", (trial, question)
            ease_counts.update(["asked", *(["eased"] if is_eased(program, decision) else [])])
