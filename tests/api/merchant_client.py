"""A merchant that uses the API over a town."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import polars as pl
from fastapi.testclient import TestClient

from api.access import tokens
from api.evidence import ledger
from api.features import builds
from api.http import dependencies
from api.merchants import services
from api.merchants.services import Terms
from api.runtime.context import AppContext
from api.runtime.scoring import current_build
from graph.evidence.vocabulary import CLASSES
from tests.api.app_pool import borrow_app
from tests.api.town import NOW, event


class MerchantClient:
    """A merchant that asks by the API; you can move the clock."""

    def __init__(self, context: AppContext) -> None:
        self.context, self.now = context, NOW + timedelta(hours=1)
        self.parties: dict[str, str] = {}
        self.consented_subjects: dict[tuple[str, str], set[str]] = {}
        self.numbers = count(1)
        app = borrow_app(context)
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, raise_server_exceptions=False)
        self.token = self.issue("merchant", "inn")
        self.scores = builds.scores(context.database, current_build(context))

    def issue(self, role: str, party: str, expires: datetime | None = None) -> str:
        token = tokens.issue(self.context.database, role, party, party, NOW, expires).secret
        self.parties[token] = party
        return token

    def sign_up(self, token: str | None = None, service: str = "hotel", **terms: Any) -> None:
        """Sign up for the perk that the service is named after."""
        party = self.parties[token or self.token]
        services.sign_up(self.context.database, party, service, Terms(**{"perk": service} | terms), NOW)

    def consent(self, subject: str, token: str | None = None, service: str = "hotel", **fields: Any) -> None:
        """The person consents to questions by the service."""
        event_id = f"consent-{next(self.numbers)}"
        service_name = services.service_name(self.parties[token or self.token], service)
        consent_fields = {"purpose": "perks", "classes": ",".join(CLASSES), "service": service_name} | fields
        ledger.append(
            self.context.database, event("consent.granted", subject, event_id=event_id, **consent_fields), self.now
        )

    def ask(self, subject: str, token: str | None = None, *, perk: str = "hotel", **changes: Any) -> Any:
        """Ask a question, after sign-up and with consent."""
        token = token or self.token
        if (token, perk) not in self.consented_subjects:
            self.consented_subjects[token, perk] = set()
            self.sign_up(token, perk)
        if subject not in self.consented_subjects[token, perk]:
            self.consented_subjects[token, perk].add(subject)
            self.consent(subject, token, perk)
        return self.post_question(subject, token, **{"service": perk} | changes)

    def post_question(self, subject: str, token: str | None = None, **changes: Any) -> Any:
        """Send a question as it is."""
        transaction_id = f"N-{next(self.numbers)}"
        body = {"transaction_id": transaction_id, "service": "hotel", "subject": subject, "amount": 50_000} | changes
        return self.http.post("/v1/eligibility", json=body, headers=self.bearer(token or self.token))

    def get_decision(self, decision_id: str, token: str | None = None) -> Any:
        return self.http.get(f"/v1/decisions/{decision_id}", headers=self.bearer(token or self.token))

    def bearer(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def scored_person(self, min_score: int = 600) -> str:
        return str(self.scores.filter(pl.col("score") >= min_score)["person"][0])

    def unscored_person(self) -> str:
        return str(self.scores.filter(pl.col("score").is_null())["person"][0])


def consent_events(people: Iterable[str], merchant: str, service: str, at: datetime) -> pl.DataFrame:
    """Events by which these people let the service ask."""
    fields = {"purpose": "perks", "classes": ",".join(CLASSES), "service": services.service_name(merchant, service)}
    return pl.concat(event("consent.granted", p, at, event_id=f"{merchant}-{service}-{p}", **fields) for p in people)


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Check the status and the code, and return the problem."""
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert set(problem) <= {"type", "title", "status", "code", "detail", "where", "hint"}
    assert "Traceback" not in response.text
    return problem
