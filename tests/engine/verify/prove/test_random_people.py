"""No random person contradicts a warning about a random release, with all types, lists, rates, ties, caps and periods."""

import re
from collections.abc import Iterator

import pytest

from engine.decide.decide import Decision, ReferenceEvaluator, decide
from engine.lang.engines.reference import truth
from engine.lang.model.conditions import AS_OF, Truth, Values
from engine.lang.model.problems import Problem, SourceSpan
from engine.lang.model.program import AMOUNT, SCORE, PointRule, Program
from engine.verify.prove.lines import ProgramLines, release_lines
from engine.verify.prove.warnings import lint
from tests.effort import by_effort
from tests.engine.random_people import draw_trial

SEEDS = range(by_effort(4, 250))
DAYS, PEOPLE = 3, 120
OF_SOME_DAYS = re.compile(r", (from|until) \d{4}-\d{2}-\d{2}( on)?$")


def tiers(program: Program, lines: ProgramLines) -> dict[SourceSpan, str]:
    """The tiers, by the places of their conditions."""
    perk = program.perks[0]
    return {line.when.at: t.id for t, line in zip(perk.tiers, lines.perk(perk.id).tiers, strict=True)}


def conditions(program: Program, lines: ProgramLines, *, has_score: bool) -> Iterator[tuple[SourceSpan, Truth]]:
    """The conditions that we evaluate for a person, by their places: of rules, and with a score of knock-outs and tiers.

    Without `held`, those that read it are unknown.
    """
    perk, own = program.perks[0], lines.perk(program.perks[0].id)
    rules = [item for item in program.scorecard.items if isinstance(item, PointRule)]
    yield from ((line.when.at, rule.when) for rule, line in zip(rules, lines.card.rules, strict=True))
    if has_score:
        yield from ((line.when.at, k.when) for k, line in zip(perk.knockouts, own.knockouts, strict=True))
        yield from ((line.when.at, t.when) for t, line in zip(perk.tiers, own.tiers, strict=True))


def contradictions(
    program: Program, lines: ProgramLines, warned: dict[str, set[SourceSpan]], decision: Decision
) -> list[object]:
    """The warnings that a decision contradicts."""
    question = decision.question
    context = {f"request.{name}": value for name, value in question.context.items()}
    values: Values = {
        **question.values,
        **context,
        AMOUNT: question.amount,
        AS_OF: question.day,
        SCORE: decision.scored.score,
    }
    statuses = [
        (at, truth(when, values))
        for at, when in conditions(program, lines, has_score=decision.scored.score is not None)
    ]
    reached = {at for at, id_ in tiers(program, lines).items() if id_ == decision.answer.tier}
    return [
        *(at for at, status in statuses if status and at in warned["W101"]),
        *(at for at, status in statuses if status is False and at in warned["W102"]),
        *(reached & (warned["W104"] | warned["W105"])),
    ]


def places(problems: tuple[Problem, ...]) -> dict[str, set[SourceSpan]]:
    """The places of whole conditions, by code; only of warnings about all days."""
    sure = [p for p in problems if not OF_SOME_DAYS.search(p.message) and not p.message.startswith("the part of")]
    return {code: {p.at for p in sure if p.code == code} for code in ("W101", "W102", "W104", "W105")}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_person_contradicts_a_warning(seed: int) -> None:
    trial = draw_trial(seed, DAYS, PEOPLE)
    result, lines = lint(trial.release), release_lines(trial.release)
    assert result.undecided == 0
    warned = places(result.warnings)
    for batch in trial.batches:
        program = trial.release.at(batch.day)
        for question in batch.questions:
            decision = decide(ReferenceEvaluator(program), question)
            assert contradictions(program, lines.at(program), warned, decision) == [], (trial, question)
