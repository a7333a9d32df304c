"""After an erasure, no request writes the person's id, for any concurrent request and in any process."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any, Final, cast

import pytest
from fastapi.testclient import TestClient
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from sqlalchemy import insert, select
from sqlmodel import SQLModel

from api.access import auth, sessions, tokens
from api.access.auth import Caller
from api.access.oidc import Issuer
from api.access.rates import Rates
from api.consent import consents
from api.http import dependencies
from api.http.gate import Gate
from api.people.erasure import count_rows, erase
from api.runtime.context import AppContext
from api.store.database import open_database, reading, writing
from api.store.tables import DEFERRED_REFRESHES, DEMO_MARK, LINKED_IDS, MONITORED_ATTRIBUTES, ORDERS, TOKENS
from engine.decide.evaluators import Evaluators
from tests.api.app_pool import borrow_app
from tests.api.conftest import server_of
from tests.api.database_templates import Template
from tests.api.evidence.contributor.contributor_client import payment, reference_event
from tests.api.full_record import LATER, ZEB, count_rows_with
from tests.api.route_client import ROUTES

PERSON_ROUTES: Final[
    dict[str, tuple[str, dict[str, Any] | None]]
] = {  # each writing route of a person: an address and a body
    "PUT /v1/me/monitoring": ("/v1/me/monitoring", {"attributes": {"region": "north"}}),
    "DELETE /v1/me/monitoring": ("/v1/me/monitoring", None),
    "POST /v1/me/consents": ("/v1/me/consents", {"purpose": "perks", "classes": ["identity"]}),
    "POST /v1/me/consents/{request_id}/grant": (f"/v1/me/consents/{'0' * 32}/grant", {"classes": ["identity"]}),
    "POST /v1/me/consents/{request_id}/decline": (f"/v1/me/consents/{'0' * 32}/decline", None),
    "POST /v1/me/consents/withdraw": ("/v1/me/consents/withdraw", {"purpose": "perks"}),
    "POST /v1/me/orders/{order_id}/confirm": ("/v1/me/orders/0/confirm", None),
    "POST /v1/me/orders/{order_id}/dispute": ("/v1/me/orders/0/dispute", {"statement": "never there"}),
    "POST /v1/me/disputes": ("/v1/me/disputes", {"contributor": "bank", "event_id": "p2"}),
    "POST /v1/me/disputes/{dispute_id}/statement": (f"/v1/me/disputes/{'0' * 16}/statement", {"statement": "mine"}),
    "POST /v1/me/reviews": ("/v1/me/reviews", {"decision_id": "0"}),
}
IMPORT_MAP: Final = """\
kind: map
set:
  contributor: {value: bank}
  subject: customer
  other: payee
  happened_at: {column: at, zone: UTC}
  currency: {value: CNY}
  amount: total
  event_id: "{id}"
events:
  - kind: payment.made
    set:
      category: {value: groceries}
"""
ROWS: Final = (
    f"id,customer,payee,at,total\n{ZEB}-1,{ZEB},bob,2025-12-03T09:30:00,1200\nx2,bob,{ZEB},2025-12-04T09:30:00,7\n"
)
UPLOAD: Final = {"name": "rows.csv", "content": base64.b64encode(ROWS.encode()).decode(), "map": IMPORT_MAP}
OTHER_ROUTES: Final[
    dict[str, tuple[str, str, str, Any]]
] = {  # each other writing route: role, party, address, body that names them
    "POST /v1/eligibility": (
        *("merchant", "inn", "/v1/eligibility"),
        {"transaction_id": "T-1", "service": "rooms", "subject": ZEB, "amount": 99},
    ),
    "PUT /v1/services/{service}": ("merchant", "inn", "/v1/services/new", {"perk": "hotel", "allowed": [ZEB, "ann"]}),
    "POST /v1/callbacks/secret/rotate": ("merchant", "inn", "/v1/callbacks/secret/rotate", None),
    "POST /v1/callbacks/{message_id}/resend": ("merchant", "inn", "/v1/callbacks/msg-{order}/resend", None),
    "POST /v1/consents": (
        *("merchant", "inn", "/v1/consents"),
        {"service": "rooms", "subject": ZEB, "classes": ["identity"]},
    ),
    "POST /v1/orders": (
        *("merchant", "inn", "/v1/orders"),
        {"out_order_no": "new", "service": "rooms", "decision_id": "{decision}", "service_introduction": ZEB}
        | {"risk_fund": {"amount": 1}},
    ),
    **{
        f"POST /v1/orders/{{out_order_no}}/{action}": ("merchant", "inn", f"/v1/orders/{{order}}/{action}", body)
        for action, body in {
            "cancel": {"cancel_reason": ZEB},
            "complete": {"post_payments": [{"name": ZEB, "amount": 1}]}
            | {"time_range": {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}},
            "modify": {"post_payments": [{"name": ZEB, "amount": 1}], "modify_reason": ZEB},
            "pay": None,
            "sync": {"paid_at": "2026-01-01T00:00:00Z"},
            "dispute": {"statement": ZEB},
        }.items()
    },
    "POST /v1/events": (
        *("contributor", "bank", "/v1/events"),
        [
            payment(f"pay-{ZEB}-9", subject=ZEB),
            payment(f"pay-{ZEB}-10", subject=ZEB, amount="much"),
            payment("to-them", other=ZEB),
            reference_event("event.corrected", "moves-to-them", "p5", subject="bob", fields={"other": ZEB}),
        ],
    ),
    "POST /v1/people/{person}/looks": (
        *("operator", "lee", f"/v1/people/{ZEB}/looks"),
        {"kind": "enquiry", "purpose": f"looks for {ZEB}"},
    ),
    "POST /v1/decisions/{decision_id}/looks": (
        *("operator", "lee", "/v1/decisions/{decision}/looks"),
        {"kind": "enquiry", "purpose": f"looks for {ZEB}"},
    ),
    "POST /v1/disputes/{dispute_id}/resolve": (
        *("operator", "an-operator", "/v1/disputes/{order}/resolve"),
        {"outcome": "upheld", "note": ZEB},
    ),
    "POST /v1/reviews/{review_id}/answer": (
        *("operator", "an-operator", "/v1/reviews/{order}/answer"),
        {"outcome": "stands", "note": ZEB},
    ),
    "POST /v1/rules/assessment": (
        *("operator", "lee", "/v1/rules/assessment"),
        {"files": {}, "person": ZEB, "purpose": f"looks for {ZEB}"},
    ),
    "POST /v1/evidence/imports/dry-run": ("operator", "lee", "/v1/evidence/imports/dry-run", UPLOAD),
    "POST /v1/evidence/imports": ("operator", "lee", "/v1/evidence/imports", UPLOAD | {"receipt": "0" * 64}),
    "POST /v1/callers/callbacks/{message_id}/resend": (
        *("operator", "lee", "/v1/callers/callbacks/msg-{order}/resend", None),
    ),
    "POST /v1/callbacks/verification": ("merchant", "inn", "/v1/callbacks/verification", {"headers": {}, "body": ZEB}),
    "POST /v1/services/{service}/sandbox": (
        *("merchant", "inn", "/v1/services/rooms/sandbox"),
        {"subject": ZEB, "amount": 100},
    ),
    "POST /v1/tokens/{token_id}/rotate": ("admin", "an-admin", "/v1/tokens/{token}/rotate", None),
    "DELETE /v1/tokens/{token_id}": ("admin", "an-admin", "/v1/tokens/{token}", None),
}
REINSTATING_ROUTE: Final = "POST /v1/tokens"  # reinstates the person
PERSON_COLUMNS: Final = {"subject", "other", "person", "party", "linked"}  # names of columns that hold a person's id


class Worker:
    """A server's process: an app with its own engine and its own token cache."""

    def __init__(self, url: str, evaluators: Evaluators, gate: Gate | None = None) -> None:
        self.database = open_database(url)
        app = borrow_app(AppContext(self.database, evaluators), gate)
        app.dependency_overrides[dependencies.get_now] = lambda: LATER
        self.http = TestClient(app, raise_server_exceptions=False)

    def call(self, method: str, path: str, token: str, body: object = None) -> Any:
        return self.http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})

    def leave(self, token: str) -> int:
        return int(self.call("DELETE", "/v1/me", token, {"confirm": "leave"}).status_code)


class OtherIssuer:
    """An issuer whose tokens contain the name of their party."""

    def caller(self, token: str, now: datetime) -> tuple[Caller, int]:
        return Caller(f"{auth.OIDC_ID_PREFIX}-{token}", "subject", token), 2**62


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, full_record_template: Template) -> Iterator[str]:
    with full_record_template.lend(server_of(request), tmp_path) as url:
        yield url


@pytest.fixture
def workers(url: str, shipped_evaluators: Evaluators) -> Iterator[tuple[Worker, Worker]]:
    gate = Gate(issuer=cast(Issuer, OtherIssuer()))
    pair = Worker(url, shipped_evaluators, gate), Worker(url, shipped_evaluators, gate)
    yield pair
    for worker in pair:
        worker.database.dispose()


def issue_token(worker: Worker, person: str = ZEB) -> str:
    return tokens.issue(worker.database, "subject", person, person, LATER).secret


# They write about rules: no field names a person. `/v1/rules/assessment` may look at one, so it is listed above.
RULE_ROUTES: Final = ("/v1/proposals", "/v1/releases", "/v1/keys", "/v1/rules")


def test_this_module_covers_every_writing_route() -> None:
    person_routes = {str(r) for r in ROUTES if r.method != "GET" and r.path.startswith("/v1/me")}
    assert person_routes - {"DELETE /v1/me"} == set(PERSON_ROUTES)
    other_routes = {str(r) for r in ROUTES if r.method != "GET" and not r.path.startswith("/v1/me")}
    about_rules = {route for route in other_routes if route.split()[1].startswith(RULE_ROUTES)}
    assert other_routes - {REINSTATING_ROUTE} - about_rules == set(OTHER_ROUTES) - about_rules


def fill_placeholders(value: Any, names: dict[str, str]) -> Any:
    """The path or the body, with the ids of the person's objects from before the erasure."""
    text = json.dumps(value)
    for name, replacement in names.items():
        text = text.replace(f"{{{name}}}", replacement)
    return json.loads(text)


def test_no_other_partys_request_stores_an_erased_person(workers: tuple[Worker, Worker]) -> None:
    worker, other_worker = workers
    with reading(worker.database) as connection:
        order = connection.execute(select(ORDERS.c.id, ORDERS.c.decision).where(ORDERS.c.subject == ZEB)).first()
        token = connection.execute(select(TOKENS.c.id).where(TOKENS.c.party == ZEB)).scalars().first()
    assert order
    names = {"order": order.id, "decision": order.decision, "token": str(token)}
    callers = {(r, p): tokens.issue(worker.database, r, p, p, LATER).secret for r, p, *_ in OTHER_ROUTES.values()}
    erase(worker.database, ZEB, LATER)
    for route, (role, party, path, body) in OTHER_ROUTES.items():
        response = other_worker.call(
            route.split()[0], fill_placeholders(path, names), callers[role, party], fill_placeholders(body, names)
        )
        assert response.status_code < 500, (route, response.text)
        assert count_rows_with(other_worker.database, ZEB) == {}, (route, response.text)


def test_an_operators_import_stores_no_erased_person(workers: tuple[Worker, Worker]) -> None:
    worker = workers[0]
    operator = tokens.issue(worker.database, "operator", "lee", "lee", LATER).secret
    erase(worker.database, ZEB, LATER)
    report = worker.call("POST", "/v1/evidence/imports/dry-run", operator, UPLOAD)
    body = UPLOAD | {"receipt": report.json()["receipt"]}
    assert worker.call("POST", "/v1/evidence/imports", operator, body).status_code == 200
    assert count_rows_with(worker.database, ZEB) == {}


def test_erasure_removes_the_person_from_every_table(workers: tuple[Worker, Worker]) -> None:
    worker = workers[0]
    with writing(worker.database) as connection:
        connection.execute(insert(DEFERRED_REFRESHES).values(build=1, person=ZEB, seq=1, stale_classes=""))
        connection.execute(insert(LINKED_IDS).values(build=1, person=ZEB, linked=ZEB, classes="identity"))
        connection.execute(insert(LINKED_IDS).values(build=1, person="mia", linked=ZEB, classes="identity"))
        connection.execute(insert(DEMO_MARK).values(id=1, evidence="town", town_people=1, loaded_at=1, person=ZEB))
    sessions.open_session(worker.database, Caller("a-token", "subject", ZEB), LATER)
    tables = {t.name for t in SQLModel.metadata.sorted_tables if PERSON_COLUMNS & {c.name for c in t.columns}}
    with reading(worker.database) as connection:
        assert consents.of_person(connection, ZEB)  # by a pseudonym
    # The editors of drafts are operators.
    assert tables - {"erasures_in_progress", "consent_requests", "withheld_events", "rule_draft_editors"} <= set(
        count_rows_with(worker.database, ZEB)
    )
    erase(worker.database, ZEB, LATER)
    assert count_rows_with(worker.database, ZEB) == {}


@pytest.mark.parametrize("other", [False, True])
def test_a_cached_token_of_an_erased_person_writes_nothing(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 1e9)
    worker, other_worker = workers
    token = ZEB if other else issue_token(worker)
    assert other_worker.call("GET", "/v1/me/evidence", token).status_code == 200  # the process caches it
    assert worker.leave(token) == 200
    for route, (path, body) in PERSON_ROUTES.items():
        response = other_worker.call(route.split()[0], path, token, body)
        assert (route, response.status_code, response.json()["code"]) == (route, 401, "bad_token")
    assert count_rows_with(worker.database, ZEB) == {}
    assert (
        other_worker.call(
            "PUT", "/v1/me/monitoring", "somebody-else", PERSON_ROUTES["PUT /v1/me/monitoring"][1]
        ).status_code
        == 200
    )


def test_an_oidc_token_stops_at_erasure_and_works_after_reinstatement(
    workers: tuple[Worker, Worker],
) -> None:
    worker, _ = workers
    assert worker.call("GET", "/v1/me/evidence", ZEB).status_code == 200
    assert worker.leave(ZEB) == 200
    for method, path in (("GET", "/v1/me/evidence"), ("PUT", "/v1/me/monitoring"), ("DELETE", "/v1/me")):
        assert worker.call(method, path, ZEB, PERSON_ROUTES["PUT /v1/me/monitoring"][1]).status_code == 401
    assert count_rows_with(worker.database, ZEB) == {}
    issue_token(worker)  # we reinstate the person, without any earlier data
    assert worker.call("GET", "/v1/me/evidence", ZEB).json()["items"] == []
    assert worker.call("PUT", "/v1/me/monitoring", ZEB, PERSON_ROUTES["PUT /v1/me/monitoring"][1]).status_code == 200
    assert count_rows_with(worker.database, ZEB) == {MONITORED_ATTRIBUTES.name: 1, "tokens": 1}


def test_rate_limit_keys_do_not_contain_party_names(url: str, shipped_evaluators: Evaluators) -> None:
    storage = MemoryStorage()
    rates = Rates("2/minute")
    rates._limiter = SlidingWindowCounterRateLimiter(storage)
    worker = Worker(url, shipped_evaluators, Gate(rates, cast(Issuer, OtherIssuer())))
    statuses = [worker.call("GET", "/v1/me/evidence", person).status_code for person in (ZEB, ZEB, "ann", ZEB)]
    assert statuses == [200, 200, 200, 429]
    assert storage.storage
    assert not [key for key in storage.storage if ZEB in key or "ann" in key]
    worker.database.dispose()


def test_requests_concurrent_with_erasure_leave_no_row(workers: tuple[Worker, Worker]) -> None:
    token, barrier = issue_token(workers[0]), Barrier(24)

    def send_request(number: int) -> int:
        worker = workers[number % 2]
        barrier.wait(30)
        if number == 0:
            return worker.leave(token)
        return int(worker.call("PUT", "/v1/me/monitoring", token, {"attributes": {"region": "north"}}).status_code)

    with ThreadPoolExecutor(24) as pool:
        erase_status, *put_statuses = pool.map(send_request, range(24))
    assert erase_status == 200
    assert set(put_statuses) <= {200, 401}
    assert count_rows(workers[0].database, ZEB) == count_rows_with(workers[0].database, ZEB) == {}
