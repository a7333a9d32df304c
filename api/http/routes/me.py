"""Routes for people: your score and its reasons, recourse, your evidence, inquiries about you, your export, and erasure."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.decisions.score_explanation import ScoreExplanation
from api.features.lineage import lineage
from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import AsStored, DataClass, DisputeState, Int64, Money, PerkId, RecordedOutcome
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.cases import DisputeView, ReviewView
from api.http.routes.event_fields import EventFields
from api.http.routes.export_rows import ConsentRequestExport, OrderExport
from api.http.routes.feature_lineage import FeatureLineage, FeatureName
from api.http.routes.page import After, Page
from api.people import erasure, person
from api.people import evidence as stored_evidence
from api.people.features import list_features
from api.people.languages import choose_language
from api.people.linked import linked_classes
from api.store.database import reading
from engine.lang.model.program import Program

router = APIRouter(prefix="/v1/me", tags=["people"], route_class=LanedRoute)

SCORE_CODES = ("unknown_person", "features_stale")
Language = Annotated[
    str | None, Header(alias="Accept-Language", max_length=200, description="the language of all words: en, zh")
]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Reason(BaseModel):
    """A reason for lost points, or for an answer other than ADMIT."""

    code: str
    text: str


class Dimension(BaseModel):
    """The points of one dimension of the scorecard, and its maximum."""

    name: str
    points: int
    best: int


class ScoreBand(BaseModel):
    """A range of scores, up to the next band."""

    name: str
    lowest: int


class MyScore(BaseModel):
    """Your score, and the reasons why it is not higher."""

    person: str
    score: int | None = Field(description="null: we know too little, see the reasons")
    band: str | None
    lowest: int
    highest: int
    bands: list[ScoreBand] = Field(description="all bands of the scorecard, the lowest first")
    base: int = Field(description="the points with which each person begins")
    dimensions: list[Dimension]
    reasons: list[Reason]
    consents_to: list[DataClass] = Field(description="classes of evidence that we use, by your own consent")
    linked_ids: list[str] = Field(description="all of your ids, if we read several as one person; else empty")
    as_of: datetime
    computed_at: datetime
    release: str = Field(description="the rules in force")


class PastScore(BaseModel):
    """A score that differs from the previous one."""

    at: datetime
    score: int | None
    band: str | None
    release: str


class ScoreHistory(Page[PastScore]):
    """Changes of your score, oldest first."""


class RecourseStep(BaseModel):
    """One change."""

    feature: str
    characteristics: list[str] = Field(description="the lines of the scorecard that read the feature")
    now: int | str | bool | None = Field(
        description="the stored value: decimals as whole numbers of their last digit; null: missing"
    )
    reach: int
    text: str


class RecourseAnswer(BaseModel):
    """The change with the fewest and easiest steps to the target. `new_score` is the engine's own result for it."""

    score: int | None
    target: int
    reached: bool = Field(
        description="false: no few steps reach the target or the perk's other conditions; these come nearest to the score"
    )
    steps: list[RecourseStep]
    new_score: int | None
    new_band: str | None


class EarlierContent(BaseModel):
    """The content of an item before a correction."""

    with_: str | None = Field(alias="with", description="the other party, where it is yours to know")
    happened_at: datetime
    recorded_at: datetime = Field(description="since when the item had this content")
    fields: AsStored[EventFields]


class EvidenceItem(BaseModel):
    """An item of evidence, or a later statement about one."""

    number: Int64
    id: str = Field(description="the id of yours that the item names")
    contributor: str
    event_id: str
    kind: str
    about: str = Field(description="what happened, in words, in your language")
    data_class: DataClass | None
    with_: str | None = Field(alias="with", description="the other party, where it is yours to know")
    said_of_you_by_another: bool
    happened_at: datetime
    recorded_at: datetime
    fields: AsStored[EventFields] = Field(description="the current content, with corrections")
    dispute: DisputeState | None
    corrected_at: datetime | None = Field(description="when it was last corrected; null: never")
    retracted_at: datetime | None = Field(
        description="when its contributor retracted it, or corrected it to another person; null: never"
    )
    history: list[EarlierContent] = Field(description="its earlier contents, oldest first")


class EvidenceItems(Page[EvidenceItem]):
    """Your stored evidence, oldest first."""


class MyFeature(BaseModel):
    """A feature of you that has a value."""

    feature: str
    about: str = Field(description="what it says, in words, in your language")
    value: str = Field(description="as people write it")
    unit: str
    as_of: datetime = Field(description="the moment of the value")
    window: str = Field(description="the period before that moment that it covers")
    data_classes: list[DataClass] = Field(description="the classes of evidence that it needs your consent to")
    made_of: list[str] = Field(
        description="the kinds of evidence that it was computed from, in words; empty: a network of many people"
    )


class MyFeatures(Page[MyFeature]):
    """Your features that have a value now. `GET /v1/me/features/{feature}` names the events behind one."""


class Inquiry(BaseModel):
    """A question about you, and its answer."""

    number: Int64
    decision_id: str
    asked_at: datetime
    merchant: str
    service: str | None
    perk: str
    amount: Money
    currency: str
    purpose: str | None
    outcome: RecordedOutcome
    waived_amount: Money
    deposit_amount: Money
    reasons: list[Reason]


class Inquiries(Page[Inquiry]):
    """Questions about you, newest first."""


class Export(BaseModel):
    """Everything that we store about a person, in one document."""

    version: Literal[1]
    person: str
    exported_at: datetime
    score: MyScore | None = Field(description="null: there is no score now")
    history: list[PastScore]
    evidence: list[EvidenceItem]
    consent_requests: list[ConsentRequestExport]
    inquiries: list[Inquiry]
    orders: list[OrderExport]
    disputes: list[DisputeView]
    reviews: list[ReviewView]
    monitoring: dict[str, str]


class LeaveForm(BaseModel):
    """Your confirmation that you leave for good."""

    model_config = ConfigDict(extra="forbid", strict=True)
    confirm: Literal["leave"]


class ErasureSummary(BaseModel):
    """The numbers of erased events, of other people's events that stay without your id, and of erased decision records."""

    events: int
    kept_of_others: int
    decisions: int


AttributeName = Annotated[str, Field(pattern="^[a-z][a-z_]*$", max_length=40)]


class Monitoring(BaseModel):
    """Your attributes for reports by group."""

    model_config = ConfigDict(extra="forbid", strict=True)
    attributes: dict[AttributeName, PerkId] = Field(max_length=10, examples=[{"region": "north"}])


class Attributes(RootModel[dict[str, str]]):
    """Your stored attributes for reports by group."""


@router.get("", responses=error_responses(*SCORE_CODES))
def get_me(context: ContextDep, caller: Subject, now: Now, language: Language = None) -> MyScore:
    """Read your score, its parts, and the reasons why it is not higher."""
    return _my_score(person.explain_own_score(context, caller.party, now), language)


@router.get("/history")
def list_my_scores(context: ContextDep, caller: Subject) -> ScoreHistory:
    """List the changes of your score, oldest first."""
    with reading(context.database) as connection:
        return ScoreHistory(items=[PastScore(**row) for row in person.changes(connection, caller.party)])


@router.get("/recourse", responses=error_responses(*SCORE_CODES, "unknown_perk", "bad_score", "engine_failed"))
def get_my_recourse(
    context: ContextDep,
    caller: Subject,
    now: Now,
    perk: Annotated[
        PerkId | None,
        Query(description="find the change that gets you this perk's nearest tier"),
    ] = None,
    score: Annotated[int | None, Query(ge=0, le=10_000, description="find the change to this score")] = None,
    language: Language = None,
) -> RecourseAnswer:
    """Find the smallest change for a higher score: to the next band, or to a perk or score that you name."""
    words = choose_language(language, context.release.programs[-1].languages)
    plan = person.propose_recourse(context, caller.party, now, words, perk, score)
    best = plan.plan
    steps = [
        RecourseStep(feature=s.feature, characteristics=list(s.items), now=s.before, reach=s.after, text=text)
        for s, text in zip(best.steps, plan.words, strict=True)
    ]
    return RecourseAnswer(
        score=plan.explanation.result.score,
        target=best.target,
        reached=best.reached,
        steps=steps,
        new_score=best.scored.score,
        new_band=best.scored.band,
    )


@router.get("/features", responses=error_responses(*SCORE_CODES))
def list_my_features(context: ContextDep, caller: Subject, now: Now, language: Language = None) -> MyFeatures:
    """List your features in words: what each says, its value, and the kinds of evidence that made it."""
    words = choose_language(language, context.release.programs[-1].languages)
    return MyFeatures(items=[MyFeature(**item) for item in list_features(context, caller.party, now, words)])


@router.get("/features/{feature}", responses=error_responses(*SCORE_CODES, "unknown_feature", "no_lineage"))
def get_my_feature(feature: FeatureName, context: ContextDep, caller: Subject, now: Now) -> FeatureLineage:
    """Show the value of one of your features, the events that made it, and the value without each of them."""
    return FeatureLineage.of(lineage(context.database, context.evaluators, caller.party, feature, now))


@router.get("/evidence")
def list_my_evidence(
    context: ContextDep,
    caller: Subject,
    now: Now,
    after: After = None,
    limit: Limit = person.PAGE,
    language: Language = None,
) -> EvidenceItems:
    """List your stored evidence with its contributors, oldest first, in pages; of your other ids, the evidence that counts."""
    words = choose_language(language, context.release.programs[-1].languages)
    with reading(context.database) as connection:
        linked, first = linked_classes(connection, caller.party, now), int(after or 0)
        rows = stored_evidence.list_evidence(
            connection, context.vocabulary, caller.party, first, limit + 1, linked, words
        )
    return EvidenceItems.cut([EvidenceItem(**row) for row in rows], limit, "number")


@router.get("/inquiries")
def list_my_inquiries(
    context: ContextDep,
    caller: Subject,
    now: Now,
    after: After = None,
    limit: Limit = person.PAGE,
    language: Language = None,
) -> Inquiries:
    """List the questions about you, under all your ids: merchant, time, perk and answer, newest first, in pages."""
    program = context.release.programs[-1]
    with reading(context.database) as connection:
        words, last = choose_language(language, program.languages), None if after is None else int(after)
        linked = linked_classes(connection, caller.party, now)
        rows = person.inquiries(connection, program, caller.party, words, last, limit + 1, linked)
    return Inquiries.cut([Inquiry(**row) for row in rows], limit, "number")


@router.get("/export")
def export_me(context: ContextDep, caller: Subject, now: Now, response: Response, language: Language = None) -> Export:
    """Export everything that we store about you, in one JSON document."""
    program: Program = context.release.programs[-1]
    sections = person.export_person(
        context.database, program, context.vocabulary, caller.party, choose_language(language, program.languages)
    )
    explanation = person.explain_score_if_any(context, caller.party, now)
    response.headers["Content-Disposition"] = 'attachment; filename="iftah.json"'
    score = None if explanation is None else _my_score(explanation, language)
    return Export(version=1, person=caller.party, exported_at=now, score=score, **sections)


@router.put("/monitoring")
def put_my_monitoring(body: Monitoring, context: ContextDep, caller: Subject) -> Attributes:
    """Replace your attributes for reports by group. No rule reads them, and you need not give any."""
    return Attributes(person.set_monitored_attributes(context.database, caller.party, body.attributes))


@router.delete("/monitoring")
def delete_my_monitoring(context: ContextDep, caller: Subject) -> Attributes:
    """Delete these attributes."""
    return Attributes(person.set_monitored_attributes(context.database, caller.party, {}))


@router.delete("", responses=error_responses("open_orders"))
def delete_me(_: LeaveForm, context: ContextDep, caller: Subject, now: Now) -> ErasureSummary:
    """Leave for good: we erase everything that we store about you, and your token ends."""
    summary = erasure.erase(context.database, caller.party, now, context.vocabulary)
    return ErasureSummary(events=summary.events, kept_of_others=summary.kept_of_others, decisions=summary.decisions)


def _my_score(explanation: ScoreExplanation, language: str | None) -> MyScore:
    card, program, score = explanation.program.scorecard, explanation.program, explanation.result
    words = choose_language(language, program.languages)
    names = dict.fromkeys(part.dimension for part in score.parts)
    parts = {name: [p for p in score.parts if p.dimension == name] for name in names}
    return MyScore(
        person=explanation.person,
        score=score.score,
        band=score.band,
        lowest=card.lowest,
        highest=card.highest,
        bands=[ScoreBand(name=band.name, lowest=band.lowest) for band in card.bands],
        base=card.base,
        dimensions=[
            Dimension(name=n, points=sum(p.points for p in group), best=sum(p.baseline for p in group))
            for n, group in parts.items()
        ],
        reasons=[Reason(code=c, text=person.wording(program, c, words)) for c in score.reasons],
        consents_to=sorted(explanation.classes),
        linked_ids=list(explanation.linked),
        as_of=explanation.build.as_of,
        computed_at=explanation.build.computed_at,
        release=program.release,
    )
