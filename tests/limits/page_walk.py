"""Find every page: sign in as each role, follow links, and keep one address of each page, part and filter.

A page that nobody reaches by a link is in `UNLINKED`, with the reason; any other one is an error of the walk.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import Match

from api.access import sessions, tokens
from api.access.auth import Caller
from api.console.navigation import PAGES
from api.console.router import ROUTERS
from api.console.visits import COOKIE
from api.runtime.context import AppContext
from api.store import clock

# Addresses that lead elsewhere, or belong to nobody who is signed in.
UNLINKED: Final = {
    "/": "leads to the first page",
    "/static/{name}": "a file",
    "/language/{language}": "leads back",
    "/sign-in": "before anybody is signed in",
    "/sign-in/ticket": "leads to the first page",
    "/sign-in/oidc": "leads to the issuer",
    "/sign-in/oidc/callback": "leads back",
    "/cases/next": "leads to a case",
}
LOOK: Final = {"kind": "supervision", "purpose": "the pages are measured"}
_LINK: Final = re.compile(r'(?:href|hx-get)="(/[^"#]*)[^"]*"')
_PARTS: Final = ("part", "kind", "days", "view", "check")  # values that choose another page behind one address
ROUTES: Final = tuple(r for router in ROUTERS for r in router.routes if isinstance(r, APIRoute) and "GET" in r.methods)
Key = tuple[str, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class PageAddress:
    """One page of one person: who signs in, its address, and the name of its route."""

    role: str
    party: str
    address: str
    route: str


@dataclass(frozen=True, eq=False)
class PageReader:
    """A person with a session and a token."""

    client: TestClient
    role: str
    party: str
    headers: Mapping[str, str]

    def get(self, address: str) -> Any:
        """The answer with a page."""
        return self.client.get(address, headers=self.headers, follow_redirects=False)

    def post(self, address: str, body: Any = None) -> Any:
        """The JSON of an answer of the API."""
        answer = self.client.post(address, json=body, headers=self.headers)
        assert answer.is_success, answer.text
        return answer.json()


def reader(context: AppContext, client: TestClient, role: str, party: str) -> PageReader:
    """Sign somebody in."""
    issued = tokens.issue(context.database, role, party, party, clock.now())
    session = sessions.open_session(context.database, Caller(issued.token.id, role, party), clock.now())
    headers = {"Authorization": f"Bearer {issued.secret}", "Cookie": f"{COOKIE}={session}", "Accept": "text/html"}
    return PageReader(client, role, party, headers)


def page_key(address: str) -> Key | None:
    """What makes an address a page of its own; None for no page."""
    parts = urlsplit(address)
    scope = {"type": "http", "path": parts.path, "method": "GET"}
    matches = ((route, *route.matches(scope)) for route in ROUTES)
    route, path_values = next(
        ((route, more["path_params"]) for route, match, more in matches if match is Match.FULL), (None, {})
    )
    if route is None or route.path in UNLINKED:
        return None
    query = parse_qsl(parts.query)
    if any(name == "after" for name, _ in query):  # a later page of a list has its own address each time
        query = [(name, value) for name, value in query if name in {"after", *_PARTS}]
    query_values = [(name, value) for name, value in sorted(query) if name in _PARTS]
    values = tuple(f"{name}={value}" for name, value in (*query_values, *path_values.items()) if name in _PARTS)
    return route.path, tuple(sorted(name for name, _ in query)), values


def walk(person: PageReader, starts: tuple[str, ...] = ()) -> Iterator[PageAddress]:
    """Every page that somebody reaches from the navigation and from these addresses."""
    waiting = [*starts, *(address for address, _ in PAGES[person.role])]
    met: set[Key | None] = {None}
    while waiting:
        address = waiting.pop(0)
        if (key := page_key(address)) in met or key is None:
            continue
        met.add(key)
        answer = person.get(address)
        if answer.status_code != 200:
            assert answer.status_code in (303, 404, 409), f"{address}: {answer.status_code}"
            continue
        yield PageAddress(person.role, person.party, address, key[0])
        if answer.headers["content-type"].startswith("text/html"):
            waiting += [html.unescape(link) for link in _LINK.findall(answer.text)]


def operator_starts(operator: PageReader, person: str, decision: str, count: int = 1) -> tuple[str, ...]:
    """Pages behind a statement of purpose, and a draft."""
    name = quote(person, safe="")
    look = operator.post(f"/v1/people/{name}/looks", LOOK)["id"]
    own_look = operator.post(f"/v1/decisions/{decision}/looks", LOOK)["id"]
    draft = operator.post("/v1/rules/drafts", {"name": f"measured {count}"})["id"]
    own_pages = [f"/rules/drafts/{draft}{page}" for page in ("", "/try", "/moves", "/proposal")]
    return (
        "/confirm",
        *(f"/people/{name}?look={look}&part={part}" for part in ("score", "network", "evidence")),
        f"/network?person={name}&look={look}",
        *(f"/decisions/{decision}?look={own_look}{check}" for check in ("", "&check=replay", "&check=proof")),
        *own_pages,
    )


def merchant_starts(merchant: PageReader, service: str, person: str) -> tuple[str, ...]:
    """A request for a consent."""
    form = {"service": service, "subject": person, "classes": ["identity", "behaviour"]}
    return (f"/ask/consents/{merchant.post('/v1/consents', form)['id']}",)


def unmet_routes(pages: list[PageAddress]) -> set[str]:
    """Routes of pages that no walk came to."""
    return {route.path for route in ROUTES} - {page.route for page in pages} - set(UNLINKED)
