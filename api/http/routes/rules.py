"""Routes for people who write rules: check, complete, explain, try on a person, and find whom a change moves."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from api.access.auth import Caller
from api.http.dependencies import ContextDep, Now, Operator, Reviewer
from api.http.lanes import CHECKS, DRAFTING, LanedRoute, OnePerParty
from api.http.large_forms import body_of, parse_form, read_body
from api.http.problems import error_responses
from api.http.routes.rule_answers import (
    RuleCheck,
    RuleCompletion,
    RuleExplanationAnswer,
    RuleProblem,
    RulesInForce,
    case_results,
)
from api.http.routes.rule_assessments import RuleAssessment, RuleMeasurement
from api.http.routes.rule_forms import AssessmentForm, CheckForm, FilesForm, PlaceForm
from api.http.routes.swap_figures import SwapSet
from api.people.looks import Purpose, look_at_person
from api.proposals import authoring
from api.proposals.proposals import MAX_FILES_CHARS
from api.proposals.rule_drafts import find_draft
from api.runtime.context import AppContext
from engine.authoring.completion import complete
from engine.authoring.explanation import explain_word
from engine.errors import Rejected

router = APIRouter(prefix="/v1/rules", tags=["operators"], route_class=LanedRoute)

FILE_CODES: Final = ("unknown_draft", "no_rules")
PERSON_CODES: Final = ("no_purpose", "unknown_person", "features_stale")
MAX_DISPLAYED_PROBLEMS: Final = 200
CHECK_LOCK: Final = OnePerParty("another check of yours is in progress")
MEASUREMENT_LOCK: Final = OnePerParty("another measurement of yours is in progress")
Body = Annotated[bytes, Depends(read_body)]  # read after the caller is authenticated


async def _check_turn(operator: Operator) -> AsyncIterator[None]:
    async with CHECK_LOCK.turn(operator.party):
        yield


async def _reader_turn(reviewer: Reviewer) -> AsyncIterator[None]:
    async with CHECK_LOCK.turn(reviewer.party):
        yield


async def _measurement_turn(operator: Operator) -> AsyncIterator[None]:
    async with MEASUREMENT_LOCK.turn(operator.party):
        yield


CheckTurn = Annotated[None, Depends(_check_turn, scope="function")]
ReaderTurn = Annotated[None, Depends(_reader_turn, scope="function")]
MeasurementTurn = Annotated[None, Depends(_measurement_turn, scope="function")]


def files_in_force(context: AppContext) -> Mapping[str, str]:
    """The files of the release in force, with the cases if we have them."""
    return context.files or context.release.files


def _files(context: AppContext, form: FilesForm) -> Mapping[str, str]:
    """All files of a form. Raises Rejected: `unknown_draft`, `no_rules`."""
    base: Mapping[str, str] = files_in_force(context) if form.release else {}
    if form.draft is not None:
        base = find_draft(context.database, form.draft).files
    files = {**base, **form.files}
    if not files or sum(map(len, files.values())) > MAX_FILES_CHARS:
        hint = f"send rule files, at most {MAX_FILES_CHARS:,} characters"
        raise Rejected("there are no rule files", where="files", hint=hint, code="no_rules")
    return files


@router.get("", responses=error_responses())
async def get_rules(context: ContextDep, _: Reviewer) -> RulesInForce:
    """Read the rule files in force."""
    return RulesInForce(release=context.release.id, files=dict(files_in_force(context)))


@router.post("/check", responses=error_responses(*FILE_CODES), openapi_extra=body_of(CheckForm))
async def check_rules(context: ContextDep, _: CheckTurn, body: Body) -> RuleCheck:
    """Check rule files and run their cases, as `iftah check` and `iftah test`. Nothing is stored."""
    return await DRAFTING.run(_check, context, body)


def _check(context: AppContext, body: bytes) -> RuleCheck:
    form = parse_form(body, CheckForm)
    files = _files(context, form)
    release, problems = authoring.check_files(files)
    return RuleCheck(
        release=release.id if release else None,
        problems=[RuleProblem.of(problem) for problem in problems[:MAX_DISPLAYED_PROBLEMS]],
        cases=case_results(authoring.outcomes_by_file(release, files, form.cases)) if release else None,
    )


@router.post("/completion", responses=error_responses(*FILE_CODES), openapi_extra=body_of(PlaceForm))
async def complete_rules(context: ContextDep, _: CheckTurn, body: Body) -> RuleCompletion:
    """Read what fits at a place of a rule file, also inside conditions: keys, features, fields, reasons, lists and words."""
    return await DRAFTING.run(_complete, context, body)


def _complete(context: AppContext, body: bytes) -> RuleCompletion:
    form = parse_form(body, PlaceForm)
    files = _files(context, form)
    vocabulary = authoring.vocabulary(context, files, form.file, form.line, form.language)
    completion = complete(vocabulary.names, form.file, files.get(form.file, ""), form.line, form.column)
    return RuleCompletion.of(completion, vocabulary)


@router.post("/explanation", responses=error_responses(*FILE_CODES), openapi_extra=body_of(PlaceForm))
async def explain_rules(context: ContextDep, _: ReaderTurn, body: Body) -> RuleExplanationAnswer:
    """Read the meaning of the word at a place of a rule file."""
    return await DRAFTING.run(_explain, context, body)


def _explain(context: AppContext, body: bytes) -> RuleExplanationAnswer:
    form = parse_form(body, PlaceForm)
    files = _files(context, form)
    vocabulary = authoring.vocabulary(context, files, form.file, form.line, form.language)
    text = files.get(form.file, "")
    explanation = explain_word(vocabulary.names, text, form.line, form.column)
    rows = text.removeprefix("\ufeff").split("\n")
    row = rows[form.line - 1] if form.line <= len(rows) else ""
    word = row[explanation.column - 1 : explanation.column - 1 + explanation.length]
    return RuleExplanationAnswer.of(explanation, word, vocabulary)


@router.post(
    "/assessment",
    responses=error_responses(*FILE_CODES, *PERSON_CODES, "rules_refused", "bad_value", "bad_amount"),
    openapi_extra=body_of(AssessmentForm),
)
async def assess_rules(context: ContextDep, operator: Operator, now: Now, _: CheckTurn, body: Body) -> RuleAssessment:
    """Try rule files on a real or a made-up person: the score, the perks, and each line with the value that was there.

    A real person's values are a look at that person: it needs a purpose.
    """
    return await DRAFTING.run(_assess, context, operator, body, now)


def _assess(context: AppContext, operator: Caller, body: bytes, now: datetime) -> RuleAssessment:
    form = parse_form(body, AssessmentForm)
    files = _files(context, form)
    if form.person is None:
        return RuleAssessment.of(authoring.try_values(files, form.values, now, form.amounts), form.language)
    purpose = (form.purpose or "").strip()
    if not purpose:
        raise Rejected("a look at a person needs a purpose", where="purpose", hint="say why", code="no_purpose")
    look_at_person(context.database, operator, form.person, Purpose("enquiry", purpose), now)
    return RuleAssessment.of(authoring.try_person(context, files, form.person, now, form.amounts), form.language)


@router.post("/measurement", responses=error_responses(*FILE_CODES, "rules_refused"), openapi_extra=body_of(FilesForm))
async def measure_rules(context: ContextDep, _: MeasurementTurn, body: Body) -> RuleMeasurement:
    """Find whom rule files move against the release in force. It takes seconds, and nothing is stored."""
    return await CHECKS.run(_measure, context, body)


def _measure(context: AppContext, body: bytes) -> RuleMeasurement:
    report, needs_build = authoring.measure_files(context, _files(context, parse_form(body, FilesForm)))
    return RuleMeasurement(swap=SwapSet.model_validate(report.as_dict()), needs_build=list(needs_build))
