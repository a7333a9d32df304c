"""Routes for operators: state a purpose, and open a person's data under it. The person sees who looked, and why."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple, Self

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.features.lineage import lineage
from api.http.dependencies import ContextDep, Now, Operator
from api.http.fields import LongText, PartyId, PerkId, RecordId, StatedLookKind
from api.http.lanes import WRITES, LanedRoute
from api.http.problems import error_responses
from api.http.routes.cases import DisputeView, ReviewView
from api.http.routes.export_rows import ConsentRequestExport, OrderExport
from api.http.routes.feature_lineage import FeatureLineage, FeatureName
from api.http.routes.me import SCORE_CODES, EvidenceItems, Inquiries, Language, Limit
from api.http.routes.my_consents import ActiveConsent, active_consents
from api.http.routes.my_looks import LookView
from api.http.routes.network_view import NetworkView
from api.http.routes.page import After, Page
from api.http.routes.score_views import MyScore, PastScore, RecourseAnswer
from api.people import looks, person
from api.people.characteristics import CharacteristicItem, list_characteristics
from api.people.languages import choose_language
from api.people.looks import Look, Purpose
from api.people.records import list_records
from api.render import picture
from api.runtime.context import AppContext
from engine.errors import Rejected

router = APIRouter(prefix="/v1", tags=["operators"], route_class=LanedRoute)

PersonPath = Annotated[PartyId, Path(alias="person", description="the person's id")]
LookQuery = Annotated[RecordId | None, Query(description="your look at this person: POST /v1/people/{person}/looks")]
DecisionPath = Annotated[RecordId, Path(description="a decision's id")]


class PersonPage(NamedTuple):
    """Which page of a list about a person an operator reads, and under which look."""

    look: str | None
    after: int | None
    limit: int
    language: str | None


async def person_page(
    look: LookQuery = None, after: After = None, limit: Limit = person.PAGE, language: Language = None
) -> PersonPage:
    """The page that a request names."""
    return PersonPage(look, None if after is None else int(after), limit, language)


PersonPageDep = Annotated[PersonPage, Depends(person_page)]


class LookForm(BaseModel):
    """Why you look. The person can read it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: StatedLookKind
    purpose: LongText = Field(description="in your own words", min_length=3)


class OpenLook(LookView):
    """Your look, with its id: send it as `look` with each request, until it ends."""

    id: str
    person: str

    @classmethod
    def of(cls, look: Look) -> Self:
        """With the look's id."""
        return cls(**vars(look))


class FoundPerson(BaseModel):
    """The id of a person."""

    person: str


class FoundPeople(Page[FoundPerson]):
    """People whose ids begin with a text, in order; at most twenty."""


class PersonRecords(BaseModel):
    """A person, as an operator may see them under a look."""

    person: str
    look: OpenLook
    score: MyScore | None = Field(description="null: there is no score now, see `problem`")
    problem: str | None = Field(description="the code of the reason why there is no score")
    characteristics: list[CharacteristicItem] = Field(
        description="each line of the scorecard, in the order of the file"
    )
    consents: list[ActiveConsent]
    history: list[PastScore] = Field(description="oldest first; of each list the newest hundred")
    orders: list[OrderExport]
    consent_requests: list[ConsentRequestExport]
    disputes: list[DisputeView]
    reviews: list[ReviewView]
    looks: list[LookView] = Field(description="everyone who looked at this person, newest first")


@router.get("/people")
async def search_people(
    context: ContextDep,
    caller: Operator,
    now: Now,
    starts: Annotated[PartyId, Query(description="the beginning of an id")],
) -> FoundPeople:
    """Find people by the beginning of their id. We record a look at each person that we name, and they can read it."""
    ids = await WRITES.run(looks.search_people, context.database, caller, starts, now)
    return FoundPeople(items=[FoundPerson(person=name) for name in ids])


@router.post("/people/{person:path}/looks", status_code=201, responses=error_responses("unknown_person"))
def look_at_person(name: PersonPath, body: LookForm, context: ContextDep, caller: Operator, now: Now) -> OpenLook:
    """State why you open a person's data. We record it before we show anything, and the person can read it."""
    purpose = Purpose(body.kind, body.purpose)
    return OpenLook.of(looks.look_at_person(context.database, caller, name, purpose, now))


@router.post("/decisions/{decision_id}/looks", status_code=201, responses=error_responses("unknown_decision", "erased"))
def look_at_decision(
    decision_id: DecisionPath, body: LookForm, context: ContextDep, caller: Operator, now: Now
) -> OpenLook:
    """State why you open the record of a decision. The person that it is about can read it."""
    purpose = Purpose(body.kind, body.purpose)
    return OpenLook.of(looks.look_at_decision(context.database, caller, decision_id, purpose, now))


@router.get(
    "/people/{person:path}/recourse",
    responses=error_responses("look_needed", *SCORE_CODES, "unknown_perk", "bad_score", "engine_failed"),
)
def get_recourse_of_person(
    name: PersonPath,
    context: ContextDep,
    caller: Operator,
    now: Now,
    look: LookQuery = None,
    perk: Annotated[PerkId | None, Query(description="the change for this perk's nearest tier")] = None,
    score: Annotated[int | None, Query(ge=0, le=10_000, description="the change for this score")] = None,
    language: Language = None,
) -> RecourseAnswer:
    """Find the smallest change that raises a person's score, as the person may see it."""
    looks.require_look(context.database, caller, name, look, now)
    return RecourseAnswer.of(person.propose_recourse(context, name, now, _words(context, language), perk, score))


@router.get(
    "/people/{person:path}/features/{feature}",
    responses=error_responses("look_needed", *SCORE_CODES, "unknown_feature", "no_lineage"),
)
def get_feature_of_person(
    name: PersonPath, feature: FeatureName, context: ContextDep, caller: Operator, now: Now, look: LookQuery = None
) -> FeatureLineage:
    """Show the value of a feature of a person, the events that made it, and the value without each of them, under a look."""
    looks.require_look(context.database, caller, name, look, now)
    return FeatureLineage.of(lineage(context.database, context.evaluators, name, feature, now))


@router.get("/people/{person:path}/evidence", responses=error_responses("look_needed"))
def list_evidence_of_person(
    name: PersonPath, context: ContextDep, caller: Operator, now: Now, page: PersonPageDep
) -> EvidenceItems:
    """List a person's stored evidence with its contributors, oldest first, in pages, as the person may see it."""
    looks.require_look(context.database, caller, name, page.look, now)
    return EvidenceItems.of_person(context, name, now, page.after or 0, page.limit, page.language)


@router.get("/people/{person:path}/inquiries", responses=error_responses("look_needed"))
def list_inquiries_of_person(
    name: PersonPath, context: ContextDep, caller: Operator, now: Now, page: PersonPageDep
) -> Inquiries:
    """List the questions about a person, with their answers, newest first, in pages."""
    looks.require_look(context.database, caller, name, page.look, now)
    return Inquiries.of_person(context, name, now, page.after, page.limit, page.language)


@router.get("/people/{person:path}/network", responses=error_responses("look_needed", "unknown_person"))
def get_network_of_person(
    name: PersonPath,
    context: ContextDep,
    caller: Operator,
    now: Now,
    look: LookQuery = None,
    steps: Annotated[int, Query(ge=1, le=picture.MAX_NEAR_HOPS, description="from the person")] = 1,
    language: Language = None,
) -> NetworkView:
    """Show the ties and payments around a person, as the person may see them: names further away are hidden."""
    looks.require_look(context.database, caller, name, look, now)
    image = picture.make_picture(context.database, context.vocabulary, name, steps, "person", now)
    return NetworkView.of(image, _words(context, language))


# Last: an id of a person may contain any of the words above after a slash.
@router.get("/people/{person:path}", responses=error_responses("look_needed"))
def get_person(
    name: PersonPath,
    context: ContextDep,
    caller: Operator,
    now: Now,
    look: LookQuery = None,
    language: Language = None,
) -> PersonRecords:
    """Open a person: the score with each line of the scorecard, its changes, and the person's records."""
    own_look = looks.require_look(context.database, caller, name, look, now)
    return PersonRecords(
        person=name,
        look=OpenLook.of(own_look),
        **_score(context, name, now, language),
        consents=active_consents(context.database, name, now),
        **list_records(context.database, name),
    )


def _score(context: AppContext, name: str, now: datetime, language: str | None) -> dict[str, Any]:
    """The score with its lines, or the reason why there is none."""
    try:
        explanation = person.explain_own_score(context, name, now)
    except Rejected as error:
        if error.code not in (*SCORE_CODES, "not_ready"):
            raise
        return {"score": None, "problem": error.code, "characteristics": []}
    lines = list_characteristics(explanation, _words(context, language))
    return {"score": MyScore.of(explanation, language), "problem": None, "characteristics": lines}


def _words(context: AppContext, language: str | None) -> str:
    return choose_language(language, context.release.programs[-1].languages)
