"""Check that the solver's formulas have the status that the reference engine gives, for random conditions and people."""

import z3
from hypothesis import given, settings

from engine.decide.decide import ReferenceEvaluator, decide
from engine.decide.scorecard import score
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import AS_OF, Values
from engine.lang.model.program import AMOUNT, PERK_HELD, SCORE, Program, hold_stage_name
from engine.lang.model.types import BOOL, DATE, Type
from engine.verify.prove.encoding import Encoder, Formula, Term
from tests.effort import by_effort
from tests.engine.random_people import ReleaseTrial, trials

PEOPLE = 12


def encoder(program: Program) -> Encoder:
    """An encoder of everything that the conditions of the one perk read."""
    perk, card = program.perks[0], program.scorecard
    types = {name: a.type for name, a in program.schema.items()} | {a.name: a.type for a in perk.request}
    types |= {SCORE: Type("int", 0, (), card.lowest, card.highest), AMOUNT: perk.money, PERK_HELD: BOOL, AS_OF: DATE}
    return Encoder(types, {AS_OF, SCORE, AMOUNT, PERK_HELD})


def value_of(formula: Formula | Term, people: Encoder, values: Values) -> object:
    """The value of a formula for one person: the solver only simplifies."""
    result = z3.simplify(z3.substitute(formula, *people.assignment(values)))
    return result.as_long() if z3.is_int(result) else {"True": True, "False": False}[str(result)]


@settings(max_examples=by_effort(5, 150), deadline=None)
@given(trials(2, PEOPLE))
def test_each_condition_and_the_score_have_the_reference_s_result(trial: ReleaseTrial) -> None:
    for batch in trial.batches:
        program = trial.release.at(batch.day)
        people = encoder(program)
        for question in batch.questions:
            decision = decide(ReferenceEvaluator(program), question)
            context = {f"request.{name}": value for name, value in question.context.items()}
            values = {**question.values, **context, AS_OF: question.day, AMOUNT: question.amount}
            values |= {SCORE: decision.scored.score or 500, PERK_HELD: decision.held_since is not None}
            for name, stage in program.stages.items():
                if name not in (SCORE, program.perks[0].id, hold_stage_name(program.perks[0].id)):
                    continue
                for id_, status in evaluate(stage, values).items():
                    encoding = people.status(stage[id_])
                    actual = value_of(encoding.met, people, values), value_of(encoding.unmet, people, values)
                    assert actual == (status is True, status is False), (id_, values)
            statuses = evaluate(program.stages[SCORE], values) | {"scorable": True}
            expected = score(program.scorecard, statuses).score
            assert value_of(people.score(program.scorecard), people, values) == expected


def test_a_string_that_no_rule_names_has_a_word_of_its_own() -> None:
    people = Encoder({"town": Type("string"), "home": Type("string")}, ())
    solver = z3.Solver()
    solver.add(people.has_value("town"), people.has_value("home"), people.value("town") != people.value("home"))
    solver.add(people.value("town") != people.words.number("Oslo"), *people.bounds)
    assert solver.check() == z3.sat
    values = people.values_in(solver.model(), ("town", "home"))
    assert "Oslo" != values["town"] != values["home"]
