"""The API for a person, over a small population: a person with every kind of data, and the few people around."""

from datetime import datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api.access import tokens
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.http import dependencies
from api.runtime.context import AppContext
from api.runtime.scoring import score_everyone
from engine.decide.evaluators import Evaluators
from tests.api.app_pool import borrow_app
from tests.api.full_record import LIFE_EVENTS, ZEB
from tests.api.refresh_town import Refresher, append_events
from tests.api.town import NOW, build_features
from tests.graph.story import story


def seed_events(database: Engine, evaluators: Evaluators) -> None:
    """Load evidence, and build features and scores that follow the clock."""
    append_events(database, story(LIFE_EVENTS), NOW)
    score_everyone(AppContext(database, evaluators), build_features(database, NOW, "perks", NOW, follows=True))


class PersonClient:
    """A person with a token, an operator, and a clock that you can move."""

    def __init__(self, database: Engine, evaluators: Evaluators) -> None:
        self.database, self.now = database, NOW + timedelta(hours=1)
        self.context = AppContext(database, evaluators)
        app = borrow_app(self.context)
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}

    def call(self, method: str, path: str, body: object = None, caller: str = ZEB, **headers: str) -> Any:
        if caller not in self.tokens:
            role = caller if caller in ("operator", "merchant") else "subject"
            party = f"the-{caller}" if role == caller else caller
            self.tokens[caller] = tokens.issue(self.database, role, party, caller, NOW).secret
        bearer = {"Authorization": f"Bearer {self.tokens[caller]}", **headers}
        return self.http.request(method, f"/v1{path}", json=body, headers=bearer)

    def get(self, path: str, caller: str = ZEB, **headers: str) -> Any:
        response = self.call("GET", path, caller=caller, **headers)
        assert response.status_code == 200, response.text
        return response.json()

    def refresh(self) -> None:
        Refresher(self.database, self.context.evaluators).run(self.now)

    def decide(self, perk: str = "power_bank", amount: int = 99, transaction: str = "t-1", person: str = ZEB) -> str:
        return answer_question(
            self.context, EligibilityQuestion("inn", transaction, person, perk, amount, "CNY", self.now)
        ).id

    def advance(self, **step: float) -> datetime:
        self.now += timedelta(**step)
        return self.now
