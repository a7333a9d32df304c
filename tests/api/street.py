"""A world with callers of every role at its door, and what each was answered, so that answers about two people can be compared."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from fastapi.testclient import TestClient

from api import deps, services
from api.access import tokens
from api.database import open_database
from api.services import Terms
from api.world import World
from engine.engines import Engines
from tests.api.apps import app_over
from tests.api.leaving import LATER, ZEB

NOBODY: Final = "nobody-at-all"
SIGNS: Final = {ZEB: "z", NOBODY: "n"}  # in names that callers choose themselves
_CHANGING: Final = re.compile(r'"(?:[0-9a-f]{16}|[0-9a-f]{32})"')  # ids of our own
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


class Street:
    """The world: a motel that has signed up, and a clock that may be moved."""

    def __init__(self, url: str, engines: Engines) -> None:
        self.database, self.now = open_database(url), LATER
        app = app_over(World(self.database, engines))
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}
        self.times: dict[str, dict[str, str]] = {}  # of each person the times that were told, in order
        services.sign_up(self.database, "motel", "rooms", Terms("hotel"), LATER)

    def call(self, role: str, party: str, method: str, path: str, body: object = None) -> Any:
        if party not in self.tokens:
            self.tokens[party] = tokens.issue(self.database, role, party, party, LATER).secret
        bearer = {"Authorization": f"Bearer {self.tokens[party]}"}
        return self.client.request(method, f"/v1{path}", json=body, headers=bearer)

    def motel(self, method: str, path: str, body: object = None) -> Any:
        return self.call("merchant", "motel", method, path, body)

    def depot(self, method: str, path: str, body: object = None) -> Any:
        """A contributor, a second later each time."""
        self.now += timedelta(seconds=1)
        return self.call("contributor", "depot", method, f"/events{path}", body)

    def ask(self, person: str, amount: int, service: str = "rooms") -> Any:
        body = {"transaction_id": f"T-{amount}", "service": service, "subject": person, "amount": amount}
        return self.motel("POST", "/eligibility", body)

    def me(self, method: str, path: str, body: object = None) -> Any:
        return self.call("subject", ZEB, method, f"/me{path}", body)

    def told(self, person: str, script: Iterator[Any]) -> list[tuple[int, str]]:
        """What was answered, but for the person's name, ids that are new each time, and which time it was."""
        times, found = self.times.setdefault(person, {}), []
        for response in script:
            text = _CHANGING.sub('"id"', response.text).replace(json.dumps(person)[1:-1], "X")
            text = re.sub(rf"-{SIGNS[person]}\b", "-x", text)
            text = _TIME.sub(lambda at: times.setdefault(at[0], f"time {len(times)}"), text)
            found.append((response.status_code, text))
        return found
