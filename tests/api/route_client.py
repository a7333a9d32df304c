"""Every route of the app, for tests that must also hold for routes that we add later."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Final, cast

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.access import auth, tokens
from api.evidence import ledger
from api.features import builds
from api.http import dependencies
from api.http.app import create_app
from api.merchants import services
from api.merchants.services import Terms
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from engine.decide.evaluators import Evaluators
from graph.evidence.vocabulary import CLASSES
from tests.api.town import NOW, event, shipped_release

ROLE_PARTIES: Final = {"merchant": "inn", "contributor": "bank"}


@dataclass(frozen=True)
class Route:
    """One operation of the OpenAPI document."""

    method: str
    path: str
    query: tuple[str, ...]  # its parameters
    body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def url(self, value: str) -> str:
        """The URL, with `value` in place of each id."""
        return re.sub(r"\{\w+\}", lambda _: value, self.path)

    @property
    def has_ids(self) -> bool:
        return "{" in self.path


def _route(method: str, path: str, operation: dict[str, Any]) -> Route:
    query = tuple(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
    return Route(method.upper(), path, query, "requestBody" in operation)


DOCUMENT: Final[dict[str, Any]] = create_app(cast(AppContext, None)).openapi()
ROUTES: Final = tuple(
    _route(method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
)
PUBLIC_ROUTES: Final = tuple(r for r in ROUTES if r.path in ("/v1/health", "/v1/health/live", "/v1/demo"))  # to anyone


class RouteClient:
    """The app over a scored town, a token of each role, and a person who lets `inn` ask about its hotel."""

    def __init__(self, database: Engine) -> None:
        self.context = AppContext(database, Evaluators(shipped_release()))
        self.app = create_app(self.context)
        self.app.dependency_overrides[dependencies.get_now] = lambda: NOW
        self.numbers, self.wrong_roles = count(1), dict[Route, str]()
        self.http = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        services.sign_up(database, "inn", "hotel", Terms("hotel"), NOW)
        service_name = services.service_name("inn", "hotel")
        consent_fields = {"purpose": "perks", "classes": ",".join(CLASSES), "service": service_name}
        ledger.append(
            database, event("consent.granted", self.best_scored_person, event_id="yes", **consent_fields), NOW
        )
        self.tokens = {role: self.issue(role, self.party(role)) for role in auth.ROLES}

    @cached_property
    def best_scored_person(self) -> str:
        """The person with the best score."""
        return str(
            builds.scores(self.context.database, current_build(self.context)).sort("score", nulls_last=False)["person"][
                -1
            ]
        )

    def party(self, role: str) -> str:
        return self.best_scored_person if role == "subject" else ROLE_PARTIES.get(role, f"a-{role}")

    def issue(self, role: str, party: str, **options: Any) -> str:
        return tokens.issue(self.context.database, role, party, f"{role} {party}", NOW, **options).secret

    @cached_property
    def roles(self) -> dict[Route, str]:
        """A role for each route; pass a wrong one to test its refusal."""
        return {route: next(role for role in auth.ROLES if not self._is_wrong_role(route, role)) for route in ROUTES}

    def _is_wrong_role(self, route: Route, role: str) -> bool:
        response = self.http.request(
            route.method, route.url("no-such-id"), headers=bearer(self._token_for(route, role))
        )
        return bool(response.status_code == 403 and response.json()["code"] == "wrong_role")

    def token(self, route: Route) -> str:
        return self._token_for(route, self.roles[route])

    def _token_for(self, route: Route, role: str) -> str:
        """The role's token. For a route that may erase the caller, we issue the token to a new person."""
        return self.issue(role, f"leaver-{next(self.numbers)}") if route.method == "DELETE" else self.tokens[role]

    def wrong_role_token(self, route: Route) -> str:
        """A token of a role that the route is not for."""
        if route not in self.wrong_roles:
            self.wrong_roles[route] = next(role for role in self.tokens if self._is_wrong_role(route, role))
        return self.tokens[self.wrong_roles[route]]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
