"""Run cases: examples beside the rules, which serve as their tests.

A case gives the values of a person (decimals as decimals, in the units of the catalogue) and the expected results. A
case of the policy changes a rule file instead, and lists the problems that the checker must find.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from engine.decide import scorecard, unmet_conditions
from engine.decide.decide import ReferenceEvaluator, decide, validate_values
from engine.decide.orders import move
from engine.decide.patterns import flags
from engine.decide.perks import PerkOutcome, perk_outcome
from engine.decide.questions import require_perk
from engine.errors import IftahError
from engine.lang.check.evidence import event_kinds
from engine.lang.check.orders import schema_of
from engine.lang.check.release import cases_in, check
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import AS_OF, Statuses, Values
from engine.lang.model.problems import SourceSpan
from engine.lang.model.program import (
    AMOUNT,
    ORDER_STATE,
    PERK_HELD,
    SCORE,
    Perk,
    Program,
    Release,
    perk_stage,
)
from engine.lang.model.types import Attribute, Kinds, Schema, Value, day_of, extend_schema
from engine.lang.syntax.ast import CaseLine, CasesFile, ChangeLine
from engine.verify import case_assertions
from engine.verify.branches import RESULT_OF_STATUS, RuleBranch, order_branches, perk_branches, score_branches
from engine.verify.case_values import (
    CaseContext,
    decision_inputs,
    is_of_request,
    micros_of,
    money,
    pattern_event,
    read_values,
    request_values,
)
from engine.verify.feature_cases import FeatureCase, FeatureEvaluator

# The keys that we check in each sort of case: keys of the case, and keys of `expect`.
_STATUSES: Final = {"met", "not_met", "unknown"}
_PERSON: Final = {"outcome", "reasons", "raised", "not_raised", *_STATUSES}
CASE_KEYS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "a score": ({"given", "events"}, {"score", "band", *_PERSON}),
    "a perk": (
        {"given", "events", "perk", "amount", "score", "used", "held_since"},
        {"waived", "because", "held", *_PERSON},
    ),
    "an order": ({"order"}, {"to", "code", *_STATUSES}),
    "features": ({"events"}, {"features"}),
}


@dataclass(frozen=True)
class CaseOutcome:
    """The result of one case.

    `failures` compare expected and actual values. `explanation` explains the actual ones. `branches` are those that the case
    tried, of the rules that are in force since the day `since`.
    """

    name: str
    at: SourceSpan
    failures: tuple[str, ...]
    branches: frozenset[RuleBranch] = frozenset()
    since: int | None = None
    explanation: tuple[str, ...] = ()


def run(
    release: Release,
    files: Mapping[str, str],
    schema: Schema,
    kinds: Kinds | None = None,
    feature_evaluator: FeatureEvaluator | None = None,
) -> Iterator[CaseOutcome]:
    """Run every case of every `.cases.yaml` among `files` (name -> text), in order.

    Cases of features need `feature_evaluator`, which computes features from events. `kinds` are those of `check`: a release that
    declares its own kinds of events adds them.
    """
    own_kinds = kinds or {}
    case_kinds = event_kinds(release.evidence, own_kinds) if release.evidence else own_kinds
    for file in cases_in(files).values():
        for case in file.cases:
            yield run_case(release, file, case, case_kinds, feature_evaluator)
        for change in file.changes:
            yield _run_change_case(release.files, schema, own_kinds, change)  # cases need no reading again


def run_case(
    release: Release, file: CasesFile, case: CaseLine, kinds: Kinds, feature_evaluator: FeatureEvaluator | None = None
) -> CaseOutcome:
    """Run one case of a file. `kinds` include those that the release declares."""
    as_of = case.as_of or file.as_of
    day = day_of(as_of.text) if as_of else None
    if day is None:
        return CaseOutcome(
            case.name.text, case.at, ("no day is given: write `as_of: 2026-01-01` at the top of the file",)
        )
    context = CaseContext(case, file, release.at(day), day, kinds)
    ignored = (*_ignored_keys(case), *_unknown_fields(context))
    if ignored:
        return CaseOutcome(case.name.text, case.at, ignored)
    try:
        if case.order:
            return _run_order_case(context)
        if case.expect.features:
            features = FeatureCase(context, feature_evaluator)
            branches = (RuleBranch("feature", name, "met") for name in features.names)
            return _outcome(context, list(features.failures()), branches)
        return _run_person_case(context)
    except IftahError as error:
        return CaseOutcome(case.name.text, case.at, (str(error),))


def _ignored_keys(case: CaseLine) -> Iterator[str]:
    """Keys of a case that we would ignore: the author would think that we test them."""
    sort = "an order" if case.order else "a perk" if case.perk else "features" if case.expect.features else "a score"
    case_keys, expect_keys = CASE_KEYS[sort]
    set_expectations = [
        f.name for f in fields(case.expect) if f.name != "at" and _is_set(f.name, getattr(case.expect, f.name))
    ]
    set_keys = [k for k in ("given", "events", "score", "amount", "used", "held_since") if getattr(case, k)]
    yield from (f"a case of {sort} does not use `{k}`" for k in set_keys if k not in case_keys)
    yield from (f"a case of {sort} cannot expect `{k}`" for k in set_expectations if k not in expect_keys)
    if not set_expectations:
        yield "the case expects nothing"


def _is_set(key: str, value: object) -> bool:
    """Whether a key of `expect` is present. An empty list of reasons expects that there are none."""
    return value is not None and (value != () or key in ("reasons", "because"))


def _unknown_fields(context: CaseContext) -> Iterator[str]:
    """Given fields of the request that the perk does not have."""
    perk = context.program.perk(context.case.perk.text) if context.case.perk else None
    field_names = {a.name for a in perk.request} if perk else set[str]()
    for key, _ in context.case.given:
        if is_of_request(key.text) and key.text not in field_names:
            yield f"`{key.text}` is no field of the request here"


def _run_person_case(context: CaseContext) -> CaseOutcome:
    values = read_values(context.program.schema, context.values_by_name(), context.program.timezone)
    flag_values: dict[str, Value | None] = {}
    if context.case.events:
        classes = {c for kind in context.kinds.values() for c in (kind.data_class,)}
        events = [pattern_event(context, e) for e in context.case.events]
        flag_values = flags(
            context.program, events, micros_of(context.program.start_of(context.day)), classes, unread=True
        )
        values |= {name: value for name, value in flag_values.items() if value is not None}
    result = _run_perk_case(context, values) if context.case.perk else _run_score_case(context, values)
    expect = context.case.expect
    expected_flags = [(f"watch.{w.text}", True) for w in expect.raised] + [
        (f"watch.{w.text}", False) for w in expect.not_raised
    ]
    flag_failures = [
        line
        for name, up in expected_flags
        for line in case_assertions.difference(f"`{name}`", up, flag_values.get(name))
    ]
    flag_branches = {
        RuleBranch("flag", p.id, RESULT_OF_STATUS[bool(flag_values[p.flag])])
        for p in context.program.watch
        if flag_values.get(p.flag) is not None
    }
    return replace(result, failures=(*flag_failures, *result.failures), branches=result.branches | flag_branches)


def _run_score_case(context: CaseContext, values: dict[str, Value]) -> CaseOutcome:
    case, program = context.case, context.program
    inputs = {**validate_values(program, values), AS_OF: context.day}
    stage_statuses = ReferenceEvaluator(program).statuses(SCORE, inputs)
    result = scorecard.score(program.scorecard, stage_statuses, program.relationships)
    statuses = {p.id: p.status for p in result.parts if p.bin is None}
    score_failures = list(case_assertions.score_differences(case, result))
    status_failures = list(case_assertions.status_differences(case, statuses))
    branches = score_branches(program.scorecard, stage_statuses)
    outcome = _outcome(context, [*score_failures, *status_failures], branches)
    if not outcome.failures:
        return outcome
    explanation = [unmet_conditions.explain_points(program.scorecard.base, result.parts)] if score_failures else []
    unscorable = result.score is None
    if unscorable or status_failures:
        rule_ids = [*(["scorable"] if unscorable else []), *case_assertions.expected_rules(case)]
        all_statuses = {**statuses, "scorable": not unscorable}
        explanation += unmet_conditions.explain_conditions(
            rule_ids, program.stages[SCORE], all_statuses, inputs, context.schema
        )
    return replace(outcome, explanation=tuple(explanation))


def _run_perk_case(context: CaseContext, values: dict[str, Value]) -> CaseOutcome:
    case = context.case
    perk = context.program.perk(case.perk.text) if case.perk else None
    amount = money(case.amount, perk) if perk else None
    if perk is None or amount is None:
        return CaseOutcome(case.name.text, case.at, ("a case of a perk names a known `perk` and an `amount`",))
    require_perk(context.program, perk.id, amount, perk.currency)
    result = _decide_perk(context, perk, amount, values)
    failures = [
        *case_assertions.difference("outcome", case_assertions.text(case.expect.outcome), result.outcome.outcome),
        *case_assertions.difference("waived", money(case.expect.waived, perk), result.outcome.waived),
        *case_assertions.difference("because", case_assertions.texts(case.expect.because), result.outcome.because),
        *case_assertions.difference("reasons", case_assertions.texts(case.expect.reasons), result.reasons),
        *case_assertions.difference("held", case.expect.held, result.is_held),
        *case_assertions.status_differences(case, result.statuses),
    ]
    outcome = _outcome(context, failures, perk_branches(perk, result.statuses, result.outcome.tier))
    if not failures:
        return outcome
    schema = extend_schema(context.schema, Attribute(AMOUNT, perk.money), *perk.request)
    statuses = result.statuses
    explanation = unmet_conditions.explain_conditions(statuses, perk_stage(perk), statuses, result.inputs, schema)
    return replace(outcome, explanation=tuple(explanation))


@dataclass(frozen=True)
class _PerkDecision:
    """The result of a case of a perk. `reasons` and `is_held` are None if the case gives only the score."""

    inputs: Values
    statuses: Statuses
    outcome: PerkOutcome
    reasons: tuple[str, ...] | None
    is_held: bool | None


def _decide_perk(context: CaseContext, perk: Perk, amount: int, values: dict[str, Value]) -> _PerkDecision:
    case, program = context.case, context.program
    request = request_values(context, perk)
    inputs = {**validate_values(program, values), **request, AMOUNT: amount, AS_OF: context.day}
    score = case.score.whole if case.score else None
    if score is not None and not (perk.hold or case.used):  # decide about the perk alone, at this score
        inputs |= {SCORE: score}
        statuses = evaluate(perk_stage(perk), inputs)
        return _PerkDecision(inputs, statuses, perk_outcome(perk, statuses, amount), None, None)
    question = decision_inputs(context, perk, amount, values, request)
    decision = decide(_FixedScoreEvaluator(program, score), question)
    is_held = decision.held_since is not None
    inputs |= {SCORE: decision.scored.score if score is None else score, PERK_HELD: is_held if perk.hold else None}
    return _PerkDecision(inputs, decision.statuses, decision.answer, decision.reasons, is_held)


class _FixedScoreEvaluator(ReferenceEvaluator):
    """The reference, with the score that the case gives."""

    def __init__(self, program: Program, score: int | None) -> None:
        super().__init__(program)
        self.score = score

    def statuses(self, stage: str, values: Mapping[str, Value | None]) -> Statuses:
        statuses = super().statuses(
            stage, values if self.score is None or stage == SCORE else {**values, SCORE: self.score}
        )
        return {**statuses, "scorable": True} if stage == SCORE and self.score is not None else statuses


def _run_order_case(context: CaseContext) -> CaseOutcome:
    case, orders = context.case, context.program.orders
    if orders is None:
        return CaseOutcome(case.name.text, case.at, ("there is no orders.yaml",))
    schema = schema_of(orders.states, orders.events)
    values = read_values(schema, {k.text: (k, v) for k, v in case.order}, context.program.timezone)
    statuses = ReferenceEvaluator(context.program).statuses("orders", {**values, AS_OF: context.day})
    transition = move(ReferenceEvaluator(context.program), values, context.day)
    failures = [
        *case_assertions.difference("to", case_assertions.text(case.expect.to), transition.to),
        *case_assertions.difference("code", case_assertions.text(case.expect.code), transition.code),
        *case_assertions.status_differences(case, statuses),
    ]
    if case.expect.to is None and case.expect.code is None:
        failures.append(f"a case of an order in `{values.get(ORDER_STATE)}` expects `to` a state or a `code`")
    rule_ids = [*(r.id for r in orders.refusals if statuses[r.id] is not False), *case_assertions.expected_rules(case)]
    explanation = unmet_conditions.explain_conditions(
        dict.fromkeys(rule_ids), orders.stage, statuses, {**values, AS_OF: context.day}, schema
    )
    outcome = _outcome(context, failures, order_branches(orders, statuses, transition))
    return replace(outcome, explanation=tuple(explanation) if failures else ())


def _outcome(context: CaseContext, failures: list[str], branches: Iterable[RuleBranch]) -> CaseOutcome:
    case = context.case
    return CaseOutcome(case.name.text, case.at, tuple(failures), frozenset(branches), context.program.since)


def _run_change_case(files: Mapping[str, str], schema: Schema, kinds: Kinds, change: ChangeLine) -> CaseOutcome:
    file, before = change.file.text, files.get(change.file.text, "")
    if before.count(change.replace.text) != 1:
        return CaseOutcome(change.name.text, change.at, (f"`{file}` does not hold the text to replace exactly once",))
    changed = {**files, file: before.replace(change.replace.text, change.by.text)}
    _, problems = check(changed, schema, kinds)
    expected, actual = tuple(w.text for w in change.problems), tuple(dict.fromkeys(p.code for p in problems))
    return CaseOutcome(change.name.text, change.at, tuple(case_assertions.difference("problems", expected, actual)))
