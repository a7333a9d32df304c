"""What a person sees and does about themselves: the score and why, what would raise it, what is stored, who asked, leaving."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, RootModel

from api import actions
from api.database import reading
from api.deps import InWorld, Now, Subject
from api.identifiers import Identifier
from api.lanes import LanedRoute
from api.people import erasure, person
from api.people import evidence as stored
from api.people.languages import chosen
from api.problems import documented
from api.routes.cases import Dispute, Review
from api.routes.eligibility import PLAIN
from api.routes.page import After, Page
from api.routes.schema import DataClass, DisputeState, Int64, Money, RecordedOutcome
from engine.lang.program import Program

router = APIRouter(prefix="/v1/me", tags=["people"], route_class=LanedRoute)

SCORED = ("unknown_person", "features_stale")
Language = Annotated[str | None, Header(alias="Accept-Language", max_length=200, description="of the reasons: en, zh")]
Limit = Annotated[int, Query(ge=1, le=1000)]


class Reason(BaseModel):
    """Why points were lost, or an answer was not an admission."""

    code: str
    text: str


class Dimension(BaseModel):
    """What a part of the scorecard gives, and the most it could."""

    name: str
    points: int
    best: int


class Me(BaseModel):
    """The score, and why it is not higher."""

    person: str
    score: int | None = Field(description="null: too little is known, see the reasons")
    band: str | None
    lowest: int
    highest: int
    base: int = Field(description="the points that everyone begins with")
    dimensions: list[Dimension]
    reasons: list[Reason]
    consents_to: list[DataClass] = Field(description="classes of evidence that are looked at, by your own consent")
    as_of: datetime
    computed_at: datetime
    release: str = Field(description="the rules in force")


class Scored(BaseModel):
    """A score that was not the one before it."""

    at: datetime
    score: int | None
    band: str | None
    release: str


class History(Page[Scored]):
    """Scores as they changed, oldest first."""


class Step(BaseModel):
    """One thing to change."""

    feature: str
    characteristics: list[str] = Field(description="the lines of the scorecard that look at it")
    now: int | str | bool | None = Field(
        description="as it is held: decimals as whole numbers of their last digit; null: nothing yet"
    )
    reach: int
    text: str


class Raised(BaseModel):
    """The change of the fewest and easiest steps that leads to the target; the score is what the engine says of it."""

    score: int | None
    target: int
    reached: bool = Field(
        description="false: no few steps lead there, or to what else the perk asks; these lead nearest to the score"
    )
    steps: list[Step]
    new_score: int | None
    new_band: str | None


class EarlierContent(BaseModel):
    """What a piece of evidence said before it was corrected."""

    with_: str | None = Field(alias="with", description="the other party, where it is yours to know")
    happened_at: datetime
    recorded_at: datetime = Field(description="since when it said so")
    fields: dict[str, Any]


class Item(BaseModel):
    """A piece of evidence, or what was said about one."""

    number: Int64
    contributor: str
    event_id: str
    kind: str
    data_class: DataClass | None
    with_: str | None = Field(alias="with", description="the other party, where it is yours to know")
    said_of_you_by_another: bool
    happened_at: datetime
    recorded_at: datetime
    fields: dict[str, Any] = Field(description="what it says now, corrections included")
    dispute: DisputeState | None
    corrected_at: datetime | None = Field(
        description="when it came to say what it says now; null: it was never corrected"
    )
    retracted_at: datetime | None = Field(
        description="when its contributor took it back, or corrected it to be about somebody else; null: it stands"
    )
    history: list[EarlierContent] = Field(description="what it said before, oldest first")


class Evidence(Page[Item]):
    """What is stored, oldest first."""


class Inquiry(BaseModel):
    """Somebody asked about you."""

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
    """Who asked, newest first."""


class Export(BaseModel):
    """All that is kept of a person, in one document."""

    version: Literal[1]
    person: str
    exported_at: datetime
    score: Me | None = Field(description="null: there is none just now")
    history: list[Scored]
    evidence: list[Item]
    consent_requests: list[dict[str, Any]]
    inquiries: list[Inquiry]
    orders: list[dict[str, Any]]
    disputes: list[Dispute]
    reviews: list[Review]
    monitoring: dict[str, str]


class Leave(BaseModel):
    """To leave for good."""

    model_config = ConfigDict(extra="forbid", strict=True)
    confirm: Literal["leave"]


class Left(BaseModel):
    """What went: events, those that stay as somebody else's without your name, and records of decisions."""

    events: int
    kept_of_others: int
    decisions: int


Attribute = Annotated[str, Field(pattern="^[a-z][a-z_]*$", max_length=40)]


class Monitoring(BaseModel):
    """What you give for reports by group."""

    model_config = ConfigDict(extra="forbid", strict=True)
    attributes: dict[Attribute, Annotated[Identifier, Field(pattern=PLAIN, max_length=60)]] = Field(
        max_length=10, examples=[{"region": "north"}]
    )


class Attributes(RootModel[dict[str, str]]):
    """What you give for reports by group, as it is kept now."""


@router.get("", responses=documented(*SCORED))
def get_me(world: InWorld, caller: Subject, now: Now, language: Language = None) -> Me:
    """Your score, its parts, and the reasons why it is not higher."""
    return _me(person.explained(world, caller.party, now), language)


@router.get("/history")
def list_my_scores(world: InWorld, caller: Subject) -> History:
    """Your scores as they changed, oldest first."""
    with reading(world.database) as connection:
        return History(items=[Scored(**row) for row in person.changes(connection, caller.party)])


@router.get("/raise", responses=documented(*SCORED, "unknown_perk", "bad_score", "engine_failed"))
def get_my_raise(
    world: InWorld,
    caller: Subject,
    now: Now,
    perk: Annotated[
        Identifier | None,
        Query(pattern=PLAIN, max_length=60, description="up to its nearest tier, past what keeps you from it"),
    ] = None,
    score: Annotated[int | None, Query(ge=0, le=10_000, description="up to this score")] = None,
    language: Language = None,
) -> Raised:
    """The least that you could change for a higher score: up to the next band, unless a perk or a score is named."""
    words = chosen(language, world.release.programs[-1].languages)
    made = person.raised(world, caller.party, now, words, perk, score)
    best = made.found
    steps = [
        Step(feature=s.feature, characteristics=list(s.items), now=s.before, reach=s.after, text=text)
        for s, text in zip(best.steps, made.words, strict=True)
    ]
    new = {"new_score": best.scored.score, "new_band": best.scored.band}
    return Raised(score=made.explained.scored.score, target=best.target, reached=best.reached, steps=steps, **new)


@router.get("/evidence")
def list_my_evidence(world: InWorld, caller: Subject, after: After = None, limit: Limit = person.PAGE) -> Evidence:
    """What is stored of you and who told it, oldest first, in pages."""
    with reading(world.database) as connection:
        rows = stored.evidence(connection, caller.party, int(after or 0), limit + 1)
    return Evidence.cut([Item(**row) for row in rows], limit, "number")


@router.get("/inquiries")
def list_my_inquiries(
    world: InWorld,
    caller: Subject,
    after: After = None,
    limit: Limit = person.PAGE,
    language: Language = None,
) -> Inquiries:
    """Who asked about you, when, what for, and what came of it, newest first, in pages."""
    program = world.release.programs[-1]
    with reading(world.database) as connection:
        words, last = chosen(language, program.languages), None if after is None else int(after)
        rows = person.inquiries(connection, program, caller.party, words, last, limit + 1)
    return Inquiries.cut([Inquiry(**row) for row in rows], limit, "number")


@router.get("/export")
def export_me(world: InWorld, caller: Subject, now: Now, response: Response, language: Language = None) -> Export:
    """All that is kept of you, in one JSON document."""
    program: Program = world.release.programs[-1]
    found = person.everything(world.database, program, caller.party, chosen(language, program.languages))
    explained = person.explained_if_any(world, caller.party, now)
    response.headers["Content-Disposition"] = 'attachment; filename="iftah.json"'
    score = None if explained is None else _me(explained, language)
    return Export(version=1, person=caller.party, exported_at=now, score=score, **found)


@router.put("/monitoring")
def put_my_monitoring(body: Monitoring, world: InWorld, caller: Subject) -> Attributes:
    """Give attributes for reports on how groups fare, in the place of those given before. No rule reads them; giving none is fine."""
    return Attributes(person.monitor(world.database, caller.party, body.attributes))


@router.delete("/monitoring")
def delete_my_monitoring(world: InWorld, caller: Subject) -> Attributes:
    """Take these attributes back."""
    return Attributes(person.monitor(world.database, caller.party, {}))


@router.delete("", responses=documented("orders_open"))
def delete_me(_: Leave, world: InWorld, caller: Subject, now: Now) -> Left:
    """Leave for good: all that is kept of you is erased, and your token ends."""
    gone = erasure.erase(world.database, caller.party, now)
    return Left(events=gone.events, kept_of_others=gone.kept_of_others, decisions=gone.decisions)


def _me(found: actions.Explained, language: str | None) -> Me:
    card, program, scored = found.program.scorecard, found.program, found.scored
    words = chosen(language, program.languages)
    names = dict.fromkeys(part.dimension for part in scored.parts)
    parts = {name: [p for p in scored.parts if p.dimension == name] for name in names}
    return Me(
        person=found.person,
        score=scored.score,
        band=scored.band,
        lowest=card.lowest,
        highest=card.highest,
        base=card.base,
        dimensions=[
            Dimension(name=n, points=sum(p.points for p in of), best=sum(p.baseline for p in of))
            for n, of in parts.items()
        ],
        reasons=[Reason(code=c, text=person.wording(program, c, words)) for c in scored.reasons],
        consents_to=sorted(found.classes),
        as_of=found.build.as_of,
        computed_at=found.build.computed_at,
        release=program.release,
    )
