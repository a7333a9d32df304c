"""An app with callers of every role, and a record of their answers, so that we can compare answers about two people."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from fastapi.testclient import TestClient

from api.access import tokens
from api.http import dependencies
from api.merchants import services
from api.merchants.services import Terms
from api.runtime.context import AppContext
from api.store.database import open_database
from engine.decide.evaluators import Evaluators
from tests.api.app_pool import borrow_app
from tests.api.full_record import LATER, ZEB

UNKNOWN_PERSON: Final = "nobody-at-all"
PERSON_SUFFIXES: Final = {ZEB: "z", UNKNOWN_PERSON: "n"}  # in names that the callers choose
_GENERATED_ID: Final = re.compile(r'"(?:/consent/)?(?:[0-9a-f]{16}|[0-9a-f]{32})"')  # ids that we generate
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


class ComparisonClient:
    """The app, a motel that has signed up, and a clock that you can move."""

    def __init__(self, url: str, evaluators: Evaluators) -> None:
        self.database, self.now = open_database(url), LATER
        app = borrow_app(AppContext(self.database, evaluators))
        app.dependency_overrides[dependencies.get_now] = lambda: self.now
        self.http = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}
        self.times: dict[str, dict[str, str]] = {}  # for each person the times in answers, in order
        services.sign_up(self.database, "motel", "rooms", Terms("hotel"), LATER)

    def call(self, role: str, party: str, method: str, path: str, body: object = None) -> Any:
        if party not in self.tokens:
            self.tokens[party] = tokens.issue(self.database, role, party, party, LATER).secret
        bearer = {"Authorization": f"Bearer {self.tokens[party]}"}
        return self.http.request(method, f"/v1{path}", json=body, headers=bearer)

    def as_merchant(self, method: str, path: str, body: object = None) -> Any:
        return self.call("merchant", "motel", method, path, body)

    def as_contributor(self, method: str, path: str, body: object = None) -> Any:
        """A request as the contributor, one second later each time."""
        self.now += timedelta(seconds=1)
        return self.call("contributor", "depot", method, f"/events{path}", body)

    def ask(self, person: str, amount: int, service: str = "rooms") -> Any:
        body = {"transaction_id": f"T-{amount}", "service": service, "subject": person, "amount": amount}
        return self.as_merchant("POST", "/eligibility", body)

    def as_person(self, method: str, path: str, body: object = None) -> Any:
        return self.call("subject", ZEB, method, f"/me{path}", body)

    def transcript_of(self, person: str, responses: Iterator[Any]) -> list[tuple[int, str]]:
        """The answers, without the person's name, without generated ids, and with times replaced by their position."""
        times, transcript = self.times.setdefault(person, {}), []
        for response in responses:
            text = _GENERATED_ID.sub('"id"', response.text).replace(json.dumps(person)[1:-1], "X")
            text = re.sub(rf"-{PERSON_SUFFIXES[person]}\b", "-x", text)
            text = _TIME.sub(lambda at: times.setdefault(at[0], f"time {len(times)}"), text)
            transcript.append((response.status_code, text))
        return transcript
