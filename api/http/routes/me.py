"""Routes for people: your score and its reasons, recourse, your evidence, inquiries about you, your export, and erasure."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.features.lineage import lineage
from api.http.dependencies import ContextDep, Now, Subject
from api.http.fields import AsStored, DataClass, DisputeState, Int64, Money, PerkId, RecordedOutcome
from api.http.lanes import LanedRoute
from api.http.problems import error_responses
from api.http.routes.cases import DisputeView, ReviewView
from api.http.routes.event_fields import EventFields
from api.http.routes.export_rows import ConsentRequestExport, OrderExport
from api.http.routes.feature_lineage import FeatureLineage, FeatureName
from api.http.routes.my_looks import LookView
from api.http.routes.page import After, Page
from api.http.routes.score_views import MyScore, PastScore, Reason, RecourseAnswer
from api.people import erasure, person
from api.people import evidence as stored_evidence
from api.people.features import list_features
from api.people.languages import choose_language
from api.people.linked import linked_classes
from api.runtime.context import AppContext
from api.store.database import reading
from engine.lang.model.program import Program

router = APIRouter(prefix="/v1/me", tags=["people"], route_class=LanedRoute)

SCORE_CODES = ("unknown_person", "features_stale")
Language = Annotated[
    str | None, Header(alias="Accept-Language", max_length=200, description="the language of all words: en, zh")
]
Limit = Annotated[int, Query(ge=1, le=1000)]


class ScoreHistory(Page[PastScore]):
    """Changes of your score, oldest first."""


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

    @classmethod
    def of_person(
        cls, context: AppContext, name: str, now: datetime, after: int, limit: int, language: str | None
    ) -> Self:
        """A page of a person's evidence, of their other ids too."""
        words = choose_language(language, context.release.programs[-1].languages)
        with reading(context.database) as connection:
            linked = linked_classes(connection, name, now)
            rows = stored_evidence.list_evidence(connection, context.vocabulary, name, after, limit + 1, linked, words)
        return cls.cut([EvidenceItem(**row) for row in rows], limit, "number")


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

    @classmethod
    def of_person(
        cls, context: AppContext, name: str, now: datetime, before: int | None, limit: int, language: str | None
    ) -> Self:
        """A page of the questions about a person, under all their ids."""
        program = context.release.programs[-1]
        words = choose_language(language, program.languages)
        with reading(context.database) as connection:
            linked = linked_classes(connection, name, now)
            rows = person.inquiries(connection, program, name, words, before, limit + 1, linked)
        return cls.cut([Inquiry(**row) for row in rows], limit, "number")


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
    looks: list[LookView]


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
    return MyScore.of(person.explain_own_score(context, caller.party, now), language)


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
    return RecourseAnswer.of(plan)


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
    return EvidenceItems.of_person(context, caller.party, now, int(after or 0), limit, language)


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
    return Inquiries.of_person(context, caller.party, now, None if after is None else int(after), limit, language)


@router.get("/export")
def export_me(context: ContextDep, caller: Subject, now: Now, response: Response, language: Language = None) -> Export:
    """Export everything that we store about you, in one JSON document."""
    program: Program = context.release.programs[-1]
    sections = person.export_person(
        context.database, program, context.vocabulary, caller.party, choose_language(language, program.languages)
    )
    explanation = person.explain_score_if_any(context, caller.party, now)
    response.headers["Content-Disposition"] = 'attachment; filename="iftah.json"'
    score = None if explanation is None else MyScore.of(explanation, language)
    return Export(version=1, person=caller.party, exported_at=now, score=score, **sections)


@router.get("/monitoring")
def get_my_monitoring(context: ContextDep, caller: Subject) -> Attributes:
    """Read your attributes for reports by group."""
    with reading(context.database) as connection:
        return Attributes(person.monitored_attributes(connection, caller.party))


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
