"""*Releases*: changes of rules, with whom they move before what they change; the release in force; and all that were."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.console import release_views, release_words
from api.console.calls import CallProblem
from api.console.labels import BANDS
from api.console.plan_form import form_of_plan
from api.console.render import HEADERS
from api.console.visits import OperatorVisit, PageRoute, ReviewerVisit, Visit

router = APIRouter(prefix="/releases", route_class=PageRoute, include_in_schema=False)

Number = Annotated[int, Path(ge=1, le=10**9)]
After = Annotated[str | None, Query(max_length=20)]
ReleaseId = Annotated[str, Query(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Query(max_length=2000)]
PROPOSALS: Final = 20
COMPARABLE: Final = 200
Json = Mapping[str, Any]


@router.get("")
async def list_releases(
    visit: ReviewerVisit, after: After = None, earlier: After = None, reason: Text = "", show: Text = ""
) -> Response:
    """The release in force, changes that wait, and the releases before."""
    return await releases_page(visit, after=after, earlier=earlier, draft=reason, show=show)


@router.get("/compare")
async def compare(visit: ReviewerVisit, old: ReleaseId, new: ReleaseId) -> Response:
    """Any two releases: what differs in meaning, then in text."""
    comparison = await visit.api.get("/v1/releases/comparison", old=old, new=new)
    options = await _options(visit)
    diffs = release_views.file_diffs(comparison["text_differences"])
    return visit.page("release_comparison.html", comparison=comparison, options=options, diffs=diffs)


@router.get("/keys")
async def list_keys(visit: ReviewerVisit) -> Response:
    """The keys that sign changes of rules, and a new one in this browser."""
    return await keys_page(visit)


@router.get("/break-glass")
async def show_break_glass(visit: OperatorVisit, reason: Text = "") -> Response:
    """The form by which one person puts rules into force alone."""
    return await break_glass_page(visit, draft={"reason": reason})


@router.get("/{number}")
async def show_proposal(visit: ReviewerVisit, number: Number, reason: Text = "", show: Text = "") -> Response:
    """One change of rules."""
    return await proposal_page(visit, number, draft=reason, show=show)


@router.get("/{number}/progress")
async def show_progress(visit: ReviewerVisit, number: Number, mark: Text = "") -> Response:
    """How far the server is with a check; the whole page is read again when that has changed."""
    proposal = await visit.api.get(f"/v1/proposals/{number}")
    response = visit.page("release_progress.html", proposal=proposal, words=release_views.state_words(proposal))
    return _refreshed(response, is_same=_mark(proposal) == mark)


@router.get("/{number}/guards")
async def show_guards(visit: ReviewerVisit, number: Number, mark: Text = "") -> Response:
    """What the guards of a trial say now."""
    record = await visit.api.get(f"/v1/proposals/{number}/record")
    response = visit.page("release_guards.html", **_trial(visit, record))
    return _refreshed(response, is_same=_mark(record["proposal"]) == mark)


async def releases_page(
    visit: Visit,
    status: int = 200,
    *,
    after: str | None = None,
    earlier: str | None = None,
    draft: str = "",
    show: str = "",
    problem: Json | None = None,
) -> Response:
    """The page of all releases."""
    releases = await visit.api.get("/v1/releases", after=earlier, limit=PROPOSALS)
    proposals = await visit.api.get("/v1/proposals", after=after, limit=PROPOSALS)
    keys = await visit.api.get("/v1/keys", limit=COMPARABLE)
    options = await _options(visit)
    own = [key for key in keys["items"] if key["party"] == party_of(visit) and not key["revoked"]]
    return visit.page(
        "releases.html",
        status,
        releases=releases,
        proposals=proposals,
        options=options,
        earlier_options=[o for o in options if o["was_in_force"] and o["id"] != _release_of(releases["in_force"])],
        own_keys=own,
        parties={key["party"] for key in keys["items"] if not key["revoked"]},
        is_operator=role_of(visit) == "operator",
        is_confirmed=visit.is_confirmed,
        draft=draft,
        show=show,
        problem=_problem(problem),
        state_words=release_views.state_words,
        activations=release_words.ACTIVATIONS,
        release_states=release_words.STATES,
    )


async def proposal_page(
    visit: Visit,
    number: int,
    status: int = 200,
    *,
    draft: str = "",
    plan: Json | None = None,
    show: str = "",
    problem: Json | None = None,
) -> Response:
    """The page of one change of rules. `plan`: what somebody typed into its form."""
    record = await visit.api.get(f"/v1/proposals/{number}/record")
    releases = await visit.api.get("/v1/releases", limit=1)
    keys = (await visit.api.get("/v1/keys", limit=COMPARABLE))["items"]
    proposal = record["proposal"]
    swap = release_views.swap_of(proposal)
    return visit.page(
        "release.html",
        status,
        **_trial(visit, record),
        record=record,
        swap=swap,
        moved=release_views.people_moved(swap),
        move_table=release_views.move_table,
        diffs=release_views.file_diffs(record["text_differences"]),
        possible=release_views.possible_steps(proposal, role_of(visit), party_of(visit)),
        took_part=party_of(visit) in release_views.hands(proposal),
        is_under_way=proposal["state"] in release_views.UNDER_WAY and not proposal["problems"],
        releases=releases,
        keys=keys,
        own_fingerprints=_own_fingerprints(visit, keys),
        plan=plan or form_of_plan(proposal["plan"]),
        step_words=release_words.STEPS,
        band_words=BANDS,
        is_confirmed=visit.is_confirmed,
        draft=draft,
        show=show,
        problem=_problem(problem),
    )


async def keys_page(visit: Visit, status: int = 200, *, problem: Json | None = None) -> Response:
    """The page of keys."""
    keys = (await visit.api.get("/v1/keys", limit=COMPARABLE))["items"]
    return visit.page(
        "release_keys.html",
        status,
        keys=keys,
        own_fingerprints=_own_fingerprints(visit, keys),
        is_confirmed=visit.is_confirmed,
        problem=_problem(problem),
    )


async def break_glass_page(
    visit: Visit, status: int = 200, *, draft: Json | None = None, problem: Json | None = None
) -> Response:
    """The page of the break-glass."""
    releases = await visit.api.get("/v1/releases", limit=1)
    proposals = (await visit.api.get("/v1/proposals", limit=COMPARABLE))["items"]
    sources = [one for one in proposals if one["release"] and one["state"] != "in force"]
    return visit.page(
        "release_break_glass.html",
        status,
        releases=releases,
        sources=sources,
        draft=draft or {},
        is_confirmed=visit.is_confirmed,
        problem=_problem(problem),
    )


def party_of(visit: Visit) -> str:
    """The party of the person who signed in."""
    return visit.session.caller.party if visit.session else ""


def role_of(visit: Visit) -> str:
    """Their role."""
    return visit.session.caller.role if visit.session else ""


def _trial(visit: Visit, record: Json) -> dict[str, Any]:
    proposal = record["proposal"]
    return {
        "proposal": proposal,
        "words": release_views.state_words(proposal),
        "mark": _mark(proposal),
        "guards": record["guards"],
        "outcomes": record["outcomes"],
        "measures": release_words.MEASURES,
        "guard_words": release_words.GUARDS,
        "is_on_trial": proposal["state"] in release_views.TRIALS,
        "is_broken": any(guard["status"] == "broken" for guard in record["guards"]) or bool(proposal["hold"]),
        "is_operator": role_of(visit) == "operator",
        "release_states": release_words.STATES,
    }


def _mark(proposal: Json) -> str:
    """What changes whenever somebody takes a step."""
    return f"{proposal['state']}-{len(proposal['steps'])}"


def _refreshed(response: Response, *, is_same: bool) -> Response:
    if not is_same:
        response.headers["HX-Refresh"] = "true"
    response.headers.update(HEADERS)
    return response


def _own_fingerprints(visit: Visit, keys: list[Any]) -> list[str]:
    return [key["fingerprint"] for key in keys if key["party"] == party_of(visit) and not key["revoked"]]


def _release_of(activation: Json | None) -> str:
    return str(activation["release"]) if activation else ""


def _problem(document: Json | None) -> Json | None:
    """A problem of the API with the words of the page."""
    return None if document is None else dict(document) | {"words": release_words.PROBLEMS.get(document["code"], "")}


async def _options(visit: Visit) -> list[dict[str, Any]]:
    try:
        releases = await visit.api.get("/v1/releases", limit=COMPARABLE)
    except CallProblem:
        return []
    proposals = (await visit.api.get("/v1/proposals", limit=COMPARABLE))["items"]
    return release_views.release_options(releases, proposals)
