"""The person's side of the door, in a small world: somebody with a bit of everything, and the few people around."""

from datetime import datetime, timedelta
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from api import actions, deps
from api.access import tokens
from api.decisions.decisions import Asked
from api.features import builds
from api.world import World
from engine.engines import Engines
from tests.api.apps import app_over
from tests.api.leaving import LIFE, ZEB
from tests.api.refreshing import Refresher, append
from tests.api.world import NOW
from tests.graph.story import story


def peopled(engine: Engine, engines: Engines) -> None:
    """Evidence in, features and scores out, of a build that follows the clock."""
    append(engine, story(LIFE), NOW)
    actions.scored(World(engine, engines), builds.build(engine, NOW, "perks", NOW, follows=True))


class Side:
    """Somebody with a token, an operator, and a clock that may be moved."""

    def __init__(self, engine: Engine, engines: Engines) -> None:
        self.engine, self.now = engine, NOW + timedelta(hours=1)
        self.world = World(engine, engines)
        app = app_over(self.world)
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}

    def call(self, method: str, path: str, body: object = None, who: str = ZEB, **headers: str) -> Any:
        if who not in self.tokens:
            role = who if who in ("operator", "merchant") else "subject"
            party = f"the-{who}" if role == who else who
            self.tokens[who] = tokens.issue(self.engine, role, party, who, NOW).secret
        bearer = {"Authorization": f"Bearer {self.tokens[who]}", **headers}
        return self.client.request(method, f"/v1{path}", json=body, headers=bearer)

    def get(self, path: str, who: str = ZEB, **headers: str) -> Any:
        answer = self.call("GET", path, who=who, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refreshed(self) -> None:
        Refresher(self.engine, self.world.engines).all(self.now)

    def asked(self, perk: str = "power_bank", amount: int = 99, transaction: str = "t-1", of: str = ZEB) -> str:
        return actions.eligibility(self.world, Asked("inn", transaction, of, perk, amount, "CNY"), self.now).id

    def later(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now
