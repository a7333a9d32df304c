"""Without relationships: what a score and an answer would be then, by hand and against people who have none.

The oracle owes `withheld` nothing: the same person is asked about once more, with every value of relationships missing.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from engine.decide import Reference, assess, decide
from engine.lang.check import check
from engine.lang.program import Program
from engine.lang.types import Value
from tests.effort import pairs
from tests.engine.random_people import Trial, eased, trials
from tests.engine.small import DAY, KINDS, PERSON, SCHEMA, asked, base, release

TIED = PERSON | {"ties.degree": 3}
GIVEN = "points: 7, unknown: 2"


def ruled(when: str, given: str = GIVEN) -> Program:
    """The small rules with one more, which reads of ties."""
    line = f'  - {{id: more, dimension: ties, when: "{when}", {given}, reason: ties}}\n'
    return release("trust.yaml", "rules:\n", f"rules:\n{line}")


@pytest.mark.parametrize(
    ("when", "points", "alone"),
    [
        ("ties.degree >= 1", 7, 2),  # unknown without
        ("ties.degree > 3", 0, 2),
        ("not ties.degree >= 1", 0, 2),
        ("known(ties.degree)", 7, 0),  # whether it is known is known: it is not
        ("missing(ties.degree)", 0, 7),
        ("not known(ties.degree)", 0, 7),
        ("ties.degree >= 1 and money.months >= 6", 7, 2),
        ("ties.degree >= 1 and money.months >= 60", 0, 0),  # settled by what stays
        ("ties.degree >= 9 or money.months >= 6", 7, 7),
        ("ties.degree >= 1 or money.months >= 60", 7, 2),
        ("ties.degree * 2 > money.months", 0, 2),
        ("ties.degree in [1, 3]", 7, 2),
        ("money.months >= 6", 7, 7),  # not of ties at all
    ],
)
def test_a_rule_without_relationships(when: str, points: int, alone: int) -> None:
    """Beside it the small rules give 20 for a tie, and 670 without."""
    found = assess(Reference(ruled(when)), TIED, DAY)
    assert (found.score, found.alone) == (690 + points, 670 + alone)
    bare = assess(Reference(ruled(when)), TIED | {"ties.degree": None}, DAY)
    assert bare.score == bare.alone == found.alone


@pytest.mark.parametrize(("degree", "score"), [(None, 670), (0, 670), (1, 690), (3, 690)])
def test_a_characteristic_without_relationships_is_as_if_it_were_missing(degree: Value, score: int) -> None:
    found = assess(Reference(release()), TIED | {"ties.degree": degree}, DAY)
    assert (found.score, found.alone) == (score, 670)


TOO_GOOD = "knockouts:\n      - {id: room.top, when: score > 680, unknown: pass, reason: guest}\n"


def test_nobody_is_refused_for_what_ties_are_worth() -> None:
    """690 with ties, above which nobody gets a room; 670 without: 33 %."""
    stern = release("perks.yaml", "knockouts:\n", TOO_GOOD)
    found = decide(Reference(stern), asked("room", 50_000, "CNY", TIED))
    assert (found.outcome, found.answer.waived, found.answer) == ("PARTIAL", 16_500, found.alone)
    assert found.statuses["room.top"] is True, "what is told is what was asked"
    assert found.same_without_relationships
    assert found.scored.score == 690
    bare = decide(Reference(stern), asked("room", 50_000, "CNY", PERSON))
    assert bare.answer == found.answer
    worse = decide(Reference(stern), asked("room", 50_000, "CNY", TIED | {"identity.kind": "guest"}))
    assert (worse.outcome, worse.answer.because) == ("DECLINE", ("guest",)), "a guest without ties is refused too"


def test_what_ties_add_is_kept_and_told() -> None:
    """With a cover of 0.79: 660, and 640 without."""
    near = release("perks.yaml", "score >= 700", "score >= 655")
    found = decide(Reference(near), asked("room", 50_000, "CNY", TIED | {"money.cover": 79}))
    assert (found.outcome, found.alone.outcome) == ("ADMIT", "PARTIAL")
    assert not found.same_without_relationships
    assert json.loads(found.canonical())["same_without_relationships"] is False


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("perks.yaml", "bad: credit.missed >= 3", "bad: ties.degree < 1"),
        ("perks.yaml", "when: score >= 700", "when: score >= 700 and ties.degree >= 1"),
        ("perks.yaml", "granted: score >= 640", "granted: known(ties.degree)"),
        ("trust.yaml", "when: identity.level >= 1", "when: identity.level >= 1 and ties.degree >= 1"),
    ],
)
def test_no_ground_of_a_perk_may_read_of_ties(file: str, old: str, new: str) -> None:
    text = base()[file]
    assert text.count(old) == 1
    found, problems = check({**base(), file: text.replace(old, new)}, SCHEMA, KINDS)
    assert found is None
    assert "R405" in {p.code for p in problems}


class Ease(Counter[str]):
    """How many were asked about, and how many of them would have been refused for their ties."""

    def __repr__(self) -> str:
        return f"{self['eased']} of {self['asked']} eased"


@pytest.fixture(scope="module")
def ease() -> Iterator[Ease]:
    counted = Ease()
    yield counted
    assert counted["eased"] >= 20, counted


@settings(
    max_examples=pairs(25, 250),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)
@given(trial=trials(2, 60))
def test_alone_is_as_if_the_person_had_no_ties(trial: Trial, ease: Ease) -> None:
    for crowd in trial.crowds:
        program = trial.release.at(crowd.day)
        engine = Reference(program)
        for question in crowd.questions:
            bare = {n: None if n in program.relationships else v for n, v in question.values.items()}
            found, without = decide(engine, question), decide(engine, replace(question, values=bare))
            assert found.scored.alone == without.scored.score == without.scored.alone, (trial, question)
            assert found.alone == without.answer == without.alone, (trial, question)
            assert found.outcome != "DECLINE" or without.outcome == "DECLINE", (trial, question)
            ease.update(["asked", *(["eased"] if eased(program, found) else [])])
