"""Sign in by a token or by a ticket, sign out, prove again who you are, and choose a language."""

import ipaddress
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from api.access import auth, sessions
from api.access.auth import Caller
from api.access.oidc_sign_in import Arrival, CodeFlow
from api.console.navigation import home_of
from api.console.render import HEADERS, static_response
from api.console.visits import (
    COOKIE,
    LANGUAGE_COOKIE,
    AnyVisit,
    PageProblem,
    PageRoute,
    SignInNeeded,
    Visit,
    form_of,
    local_address,
    require_own_page,
)
from api.console.words import LANGUAGES
from engine.errors import Rejected

router = APIRouter(route_class=PageRoute, include_in_schema=False)

LANGUAGE_SECONDS: Final = int(timedelta(days=365).total_seconds())
STATE_COOKIE: Final = "__Host-iftah-state"
Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/")
async def open_home(visit: AnyVisit) -> Response:
    """The first page of the person who signed in."""
    return visit.see_other(home_of(visit.session.caller.role) if visit.session else "/sign-in")


@router.get("/static/{name}")
async def get_static(request: Request, name: str) -> Response:
    """A file that pages load."""
    response = static_response(name, request.headers.get("accept-encoding", ""))
    if response is None:
        raise HTTPException(404)
    return response


@router.get("/language/{language}")
async def choose(visit: AnyVisit, language: str, address: Next = "/") -> Response:
    """Keep the language that somebody chose, and go back."""
    response = visit.see_other(local_address(address))
    if language in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, LANGUAGE_SECONDS, secure=True, httponly=True, samesite="lax")
    return response


@router.get("/sign-in")
async def show_sign_in(visit: AnyVisit, address: Next = "/") -> Response:
    """The form for a token."""
    return visit.page("sign_in.html", address=local_address(address), problem=None)


@router.post("/sign-in")
async def sign_in(visit: AnyVisit) -> Response:
    """Open a session for the holder of a token."""
    form = await form_of(visit)
    address = local_address(str(form.get("next", "/")))
    _require_same_site(visit)
    try:
        caller = await _caller_of_token(visit, str(form.get("token", "")).strip())
    except Rejected as problem:
        return visit.page("sign_in.html", 401, address=address, problem=problem.code)
    return await open_for(visit, caller, address)


@router.get("/sign-in/ticket")
async def use_ticket(visit: AnyVisit, ticket: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Open a session by the address that `iftah run` printed: once, from this machine."""
    if not _is_local(visit):
        raise PageProblem(403, "not_local")
    database = visit.request.app.state.context.database
    content = await run_in_threadpool(sessions.complete_sign_in, database, "ticket", ticket, visit.now)
    if content is None:
        return visit.page("sign_in.html", 401, address="/", problem="ticket_used")
    caller = Caller(content["token"], content["role"], content["party"])
    return await open_for(visit, caller, local_address(content.get("next")))


@router.get("/sign-in/oidc")
async def leave_for_issuer(visit: AnyVisit, address: Next = "/", *, confirm: bool = False) -> Response:
    """Send the browser to the other issuer, to sign in or to confirm who it is."""
    if confirm and visit.session is None:
        raise SignInNeeded
    session = visit.session.digest if confirm and visit.session else None
    database, target = visit.request.app.state.context.database, local_address(address)
    departure = await run_in_threadpool(_flow(visit).depart, database, target, visit.now, session)
    response = RedirectResponse(departure.url, 303, HEADERS)
    response.set_cookie(STATE_COOKIE, departure.secret, secure=True, httponly=True, samesite="lax", path="/")
    return response


@router.get("/sign-in/oidc/callback")
async def arrive_from_issuer(
    visit: AnyVisit,
    state: Annotated[str, Query(max_length=64)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
) -> Response:
    """Open or confirm the session of the person who comes back from the other issuer."""
    database, secret = visit.request.app.state.context.database, visit.request.cookies.get(STATE_COOKIE, "")
    try:
        arrival = await run_in_threadpool(_flow(visit).arrive, database, state, code, secret, visit.now)
    except Rejected as problem:
        return visit.page("sign_in.html", 401, address="/", problem=problem.code)
    if arrival.confirms is None:
        response = await open_for(visit, arrival.caller, local_address(arrival.address))
    else:
        response = await _confirm_arrival(visit, arrival)
    response.delete_cookie(STATE_COOKIE, secure=True, httponly=True, samesite="lax")
    return response


async def _confirm_arrival(visit: Visit, arrival: Arrival) -> Response:
    session, caller = visit.session, arrival.caller
    if session is None or session.digest != arrival.confirms:
        raise SignInNeeded
    if (caller.role, caller.party) != (session.caller.role, session.caller.party):
        return visit.page("confirm.html", 403, address=arrival.address, problem="other_person")
    await run_in_threadpool(sessions.confirm, visit.request.app.state.context.database, session, visit.now)
    return RedirectResponse(local_address(arrival.address), 303, HEADERS)


def _flow(visit: Visit) -> CodeFlow:
    flow: CodeFlow | None = visit.request.app.state.gate.flow
    if flow is None:
        raise PageProblem(404, "not_found")
    return flow


@router.post("/sign-out")
async def sign_out(visit: AnyVisit) -> Response:
    """End the session."""
    if visit.session is not None:
        await require_own_page(visit)
        database, secret = visit.request.app.state.context.database, visit.request.cookies.get(COOKIE, "")
        await run_in_threadpool(sessions.close_session, database, secret)
    response = visit.see_other("/sign-in", "signed_out")
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return response


@router.get("/confirm")
async def show_confirmation(visit: AnyVisit, address: Next = "/") -> Response:
    """The form in which a person proves again to be the holder, before a release."""
    if visit.session is None:
        raise SignInNeeded
    return visit.page("confirm.html", address=local_address(address), problem=None)


@router.post("/confirm")
async def confirm(visit: AnyVisit) -> Response:
    """Record the proof: the token of the same party in the same role."""
    if visit.session is None:
        raise SignInNeeded
    await require_own_page(visit)
    form = await form_of(visit)
    address, own = local_address(str(form.get("next", "/"))), visit.session.caller
    try:
        caller = await _caller_of_token(visit, str(form.get("token", "")).strip())
    except Rejected as problem:
        return visit.page("confirm.html", 401, address=address, problem=problem.code)
    if (caller.role, caller.party) != (own.role, own.party):
        return visit.page("confirm.html", 403, address=address, problem="other_person")
    await run_in_threadpool(sessions.confirm, visit.request.app.state.context.database, visit.session, visit.now)
    return RedirectResponse(address, 303, HEADERS)


async def open_for(visit: Visit, caller: Caller, address: str) -> Response:
    """Open a session with a new secret, and send the person to a page."""
    database = visit.request.app.state.context.database
    secret = await run_in_threadpool(sessions.open_session, database, caller, visit.now)
    response = visit.see_other(home_of(caller.role) if address == "/" else address)
    response.set_cookie(COOKIE, secret, secure=True, httponly=True, samesite="lax", path="/")
    return response


async def _caller_of_token(visit: Visit, secret: str) -> Caller:
    state, client = visit.request.app.state, visit.request.client
    if not secret or len(secret) > auth.MAX_SECRET_CHARS:
        raise auth.bad_token()
    caller: Caller = await state.gate.admit(state.context.database, secret, visit.now, client.host if client else "")
    return caller


def _require_same_site(visit: Visit) -> None:
    """Nobody signs a browser in from another site: its owner would work in a stranger's name."""
    headers = visit.request.headers
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != headers.get("host")
    ):
        raise PageProblem(403, "other_site")


def _is_local(visit: Visit) -> bool:
    """Whether the browser and the address that it opened are on this machine."""
    client, host = visit.request.client, urlsplit(f"//{visit.request.headers.get('host', '')}").hostname
    try:
        is_client_local = client is not None and ipaddress.ip_address(client.host).is_loopback
    except ValueError:
        return False
    return (
        is_client_local and host in ("127.0.0.1", "localhost", "::1") and "x-forwarded-for" not in visit.request.headers
    )
