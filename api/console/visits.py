"""A visit: one request of a browser, with its session, its language and its calls of the API.

Forms that write send the session's `csrf`. A browser also says where a request comes from (`Sec-Fetch-Site`, `Origin`), and we
refuse what comes from another site.
"""

import hmac
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL, FormData
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from api.access.sessions import Session, find_session
from api.console.break_glass import break_glass_end
from api.console.calls import CallProblem, Calls
from api.console.demo import DemoBanner, demo_mark
from api.console.navigation import NOTICES, PAGES, ROLE_NAMES
from api.console.render import HEADERS, html_page
from api.console.words import LANGUAGES, choose_language
from api.settings.settings import settings
from api.store import clock

COOKIE: Final = "__Host-iftah"
LANGUAGE_COOKIE: Final = "__Host-iftah-language"
MAX_FORM_FIELDS: Final = 200


class SignInNeeded(Exception):
    """Nobody is signed in, and the page is somebody's."""


class ConfirmationNeeded(Exception):
    """The person must first prove again who they are."""


class PageProblem(Exception):
    """A page that we do not show: its status, and a code that the template explains."""

    def __init__(self, status: int, code: str, detail: str = "", hint: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.hint = status, code, detail, hint


@dataclass(frozen=True)
class Visit:
    """One request of a browser."""

    request: Request
    session: Session | None
    language: str
    now: datetime
    demo: DemoBanner
    break_glass_until: datetime | None

    @property
    def api(self) -> Calls:
        """The API, as the person who signed in. Raises SignInNeeded."""
        if self.session is None:
            raise SignInNeeded
        client = self.request.client
        return Calls(self.request.app, self.session.caller, self.language, client.host if client else "127.0.0.1")

    @property
    def zone(self) -> str:
        """The time zone of the rules in force."""
        return str(self.request.app.state.context.release.timezone)

    @property
    def address(self) -> str:
        """The page on which the person is: this one, or the one whose form was sent."""
        url = self.request.url
        if self.request.method != "GET":
            url = URL(self.request.headers.get("referer", ""))
            if url.netloc != self.request.headers.get("host"):
                return "/"
        return local_address(f"{url.path}?{url.query}" if url.query else url.path)

    @property
    def origin(self) -> str:
        """The address of this server as browsers see it, without a path."""
        return settings().public_url.rstrip("/") or str(self.request.base_url).rstrip("/")

    @property
    def is_confirmed(self) -> bool:
        """Whether the person proved lately to be the holder of the session."""
        return self.session is not None and self.session.is_confirmed(self.now)

    def require_confirmation(self) -> None:
        """Ask for a new proof of who the person is, and lead them back. Raises ConfirmationNeeded unless they gave one lately."""
        if not self.is_confirmed:
            raise ConfirmationNeeded

    def page(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """The page of a template. Every template has the values of `common`, too."""
        return html_page(self.language, template, self.common() | values, status)

    def common(self) -> dict[str, Any]:
        """The values of every page."""
        caller = self.session.caller if self.session else None
        role, path = caller.role if caller else "", self.request.url.path
        return {
            "caller": caller,
            "csrf": self.session.csrf if self.session else "",
            "pages": PAGES.get(role, ()),
            "role_name": ROLE_NAMES.get(role, ""),
            "here": path,
            "back": quote(self.address, safe=""),
            "language": self.language,
            "languages": LANGUAGES,
            "now": self.now,
            "zone": self.zone,
            "is_demo": self.demo.is_demo,
            "break_glass_until": self.break_glass_until,
            "party_name": self.demo.names.get(self.language, ""),
            "oidc": self.request.app.state.gate.flow is not None,
            "notice": NOTICES.get(self.request.query_params.get("notice", ""), ""),
        }

    def see_other(self, address: str, notice: str | None = None, **query: str) -> Response:
        """Send the browser on to a page of ours after a write. `notice` is a code of NOTICES."""
        values = query | ({"notice": notice} if notice else {})
        target = f"{address}?{urlencode(values)}" if values else address
        return RedirectResponse(target, 303, HEADERS)


def local_address(address: str | None, default: str = "/") -> str:
    """The address if it is one of ours, else the default: we send nobody to another site."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")) or "\\" in address:
        return default
    parts = urlsplit(address)
    is_clean = address.isprintable() and not any(c.isspace() for c in address)
    return address if is_clean and not parts.scheme and not parts.netloc else default


async def get_visit(request: Request) -> Visit:
    """The visit, whoever makes it."""
    now, secret, session = clock.now(), request.cookies.get(COOKIE), None
    if secret and len(secret) <= 64:
        session = await run_in_threadpool(find_session, request.app.state.context.database, secret, now)
    language = choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
    demo = await demo_mark(request, session.caller.party if session else "")
    break_glass = await break_glass_end(request, session.caller.role if session else "", now)
    return Visit(request, session, language, now, demo, break_glass)


def visit_as(*roles: str) -> Callable[[Visit], Awaitable[Visit]]:
    """A dependency that returns the visit of somebody in one of these roles. A write must come from a page of ours.

    Raises SignInNeeded, and PageProblem `wrong_role` or `other_site`.
    """

    async def check(visit: Annotated[Visit, Depends(get_visit)]) -> Visit:
        if visit.session is None:
            raise SignInNeeded
        if visit.session.caller.role not in roles:
            raise PageProblem(403, "wrong_role")
        if visit.request.method != "GET":
            await require_own_page(visit)
        return visit

    return check


async def require_own_page(visit: Visit) -> None:
    """Refuse a write that no page of this session made. Raises PageProblem `other_site`."""
    headers = visit.request.headers
    origin = headers.get("origin")
    is_foreign = headers.get("sec-fetch-site", "same-origin") != "same-origin" or (
        origin is not None and urlsplit(origin).netloc != headers.get("host")
    )
    csrf = headers.get("x-csrf") or str((await form_of(visit)).get("csrf", ""))
    expected = visit.session.csrf if visit.session else ""
    if is_foreign or not expected or not hmac.compare_digest(csrf.encode(), expected.encode()):
        raise PageProblem(403, "other_site")


async def form_of(visit: Visit) -> FormData:
    """The fields of a form. Files in it are small: the limits on bodies hold before."""
    return await visit.request.form(max_files=1, max_fields=MAX_FORM_FIELDS)


class PageRoute(APIRoute):
    """A route of a page: problems are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, with problems as pages."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                response = await handle(request)
                for name, value in HEADERS.items():
                    response.headers.setdefault(name, value)
                return response
            except SignInNeeded:
                return _to_sign_in(request)
            except ConfirmationNeeded:
                return to_confirmation((await get_visit(request)).address)
            except CallProblem as problem:
                document = problem.document
                return await problem_page(request, problem.status, problem.code, document)
            except PageProblem as problem:
                values = {"detail": problem.detail, "hint": problem.hint}
                return await problem_page(request, problem.status, problem.code, values)
            except RequestValidationError:
                return await problem_page(request, 422, "bad_request", {})
            except HTTPException as problem:
                return await problem_page(request, problem.status_code, "not_found", {})
            finally:
                await request.close()  # files of its form

        return handle_page


def _to_sign_in(request: Request) -> Response:
    address = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        address += f"?{request.url.query}"
    return RedirectResponse(f"/sign-in?next={quote(address, safe='')}", 303, HEADERS)


def to_confirmation(address: str) -> Response:
    """Send the person to prove who they are; they come back to this page."""
    return RedirectResponse(f"/confirm?next={quote(address, safe='')}", 303, HEADERS)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for a page, which may not exist."""
    is_page = not request.url.path.startswith(("/v1", "/docs", "/openapi", "/metrics"))
    return is_page and "text/html" in request.headers.get("accept", "")


async def problem_page(request: Request, status: int, code: str, document: Mapping[str, Any]) -> Response:
    """The page that explains a problem."""
    visit = await get_visit(request)
    values = {"status": status, "code": code, "detail": document.get("detail", ""), "hint": document.get("hint", "")}
    return visit.page("problem.html", status, **values)


AnyVisit = Annotated[Visit, Depends(get_visit)]
OperatorVisit = Annotated[Visit, Depends(visit_as("operator"))]
ReviewerVisit = Annotated[Visit, Depends(visit_as("operator", "approver"))]
MerchantVisit = Annotated[Visit, Depends(visit_as("merchant"))]
SubjectVisit = Annotated[Visit, Depends(visit_as("subject"))]
SupervisorVisit = Annotated[Visit, Depends(visit_as("supervisor"))]
