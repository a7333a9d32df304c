"""Every route of the app, whichever routers it has: for tests that must hold for those that are yet to come."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Final, cast

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api import deps, services
from api.access import auth, tokens
from api.actions import ready
from api.app import create_app
from api.evidence import ledger
from api.features import builds
from api.services import Terms
from api.world import World
from engine.engines import Engines
from graph.vocabulary import CLASSES
from tests.api.world import NOW, event, shipped

PARTIES: Final = {"merchant": "inn", "contributor": "bank"}


@dataclass(frozen=True)
class Route:
    """One operation of the OpenAPI document."""

    method: str
    path: str
    query: tuple[str, ...]  # the parameters it knows
    body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, value: str) -> str:
        """Its address, with `value` in place of each id."""
        return re.sub(r"\{\w+\}", lambda _: value, self.path)

    @property
    def ids(self) -> bool:
        return "{" in self.path


def _route(method: str, path: str, operation: dict[str, Any]) -> Route:
    query = tuple(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
    return Route(method.upper(), path, query, "requestBody" in operation)


DOCUMENT: Final[dict[str, Any]] = create_app(cast(World, None)).openapi()
ROUTES: Final = tuple(
    _route(method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
)
OPEN: Final = tuple(r for r in ROUTES if r.path == "/v1/health")  # to anyone


class Doors:
    """The whole app over a scored town, a token of each role, and a person who lets `inn` ask about its hotel."""

    def __init__(self, database: Engine) -> None:
        self.world = World(database, Engines(shipped()))
        self.app = create_app(self.world)
        self.app.dependency_overrides[deps.present] = lambda: NOW
        self.numbers = count(1)
        self.client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        services.sign_up(database, "inn", "hotel", Terms("hotel"), NOW)
        named = services.named("inn", "hotel")
        told = {"purpose": "perks", "classes": ",".join(CLASSES), "service": named}
        ledger.append(database, event("consent.granted", self.person, event_id="yes", **told), NOW)
        self.tokens = {role: self.issue(role, self.party(role)) for role in auth.ROLES}

    @cached_property
    def person(self) -> str:
        """Who has the best score."""
        return str(builds.scores(self.world.database, ready(self.world)).sort("score", nulls_last=False)["person"][-1])

    def party(self, role: str) -> str:
        return self.person if role == "subject" else PARTIES.get(role, f"a-{role}")

    def issue(self, role: str, party: str, **more: Any) -> str:
        return tokens.issue(self.world.database, role, party, f"{role} {party}", NOW, **more).secret

    @cached_property
    def roles(self) -> dict[Route, str]:
        """A role that each route is for: one that is not told it is the wrong one."""
        return {route: next(role for role in auth.ROLES if not self._wrong(route, role)) for route in ROUTES}

    def _wrong(self, route: Route, role: str) -> bool:
        said = self.client.request(route.method, route.at("no-such-id"), headers=bearer(self._of(route, role)))
        return bool(said.status_code == 403 and said.json()["code"] == "wrong_role")

    def token(self, route: Route) -> str:
        return self._of(route, self.roles[route])

    def _of(self, route: Route, role: str) -> str:
        """The role's token; for a route that deletes one of somebody new, who may be gone after it."""
        return self.issue(role, f"leaver-{next(self.numbers)}") if route.method == "DELETE" else self.tokens[role]

    def another(self, route: Route) -> str:
        """A token of a role that the route is not for."""
        return next(token for role, token in self.tokens.items() if self._wrong(route, role))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
