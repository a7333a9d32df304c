"""Who has left is named by nothing that is written afterwards, whichever request was under way, in whichever process."""

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

from api import deps
from api.access import auth, tokens
from api.access.auth import Caller
from api.access.gate import Gate
from api.access.oidc import Issuer
from api.access.rates import Rates
from api.consent import consents
from api.database import open_database, reading, writing
from api.people.erasure import erase, held
from api.tables import MARKS, MONITORED, ORDERS, TOKENS
from api.world import World
from engine.engines import Engines
from tests.api.apps import app_over
from tests.api.conftest import server_of
from tests.api.contributor.door import about, payment
from tests.api.databases import Template
from tests.api.every_route import ROUTES
from tests.api.leaving import LATER, ZEB, naming

OWN: Final[dict[str, tuple[str, dict[str, Any] | None]]] = {  # each writing route of a person: an address and a body
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
OTHERS: Final[
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
            about("event.corrected", "moves-to-them", "p5", subject="bob", fields={"other": ZEB}),
        ],
    ),
    "POST /v1/disputes/{dispute_id}/resolve": (
        *("operator", "an-operator", "/v1/disputes/{order}/resolve"),
        {"outcome": "upheld", "note": ZEB},
    ),
    "POST /v1/reviews/{review_id}/answer": (
        *("operator", "an-operator", "/v1/reviews/{order}/answer"),
        {"outcome": "stands", "note": ZEB},
    ),
    "POST /v1/tokens/{token_id}/rotate": ("admin", "an-admin", "/v1/tokens/{token}/rotate", None),
    "DELETE /v1/tokens/{token_id}": ("admin", "an-admin", "/v1/tokens/{token}", None),
}
BACK: Final = "POST /v1/tokens"  # by which they come back
PERSON: Final = {"subject", "other", "person", "party"}  # what a column is called that names somebody


class Worker:
    """A server's process: an app with an engine, and a memory of tokens, of its own."""

    def __init__(self, url: str, engines: Engines, gate: Gate | None = None) -> None:
        self.database = open_database(url)
        app = app_over(World(self.database, engines), gate)
        app.dependency_overrides[deps.present] = lambda: LATER
        self.client = TestClient(app, raise_server_exceptions=False)

    def call(self, method: str, path: str, token: str, body: object = None) -> Any:
        return self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})

    def leave(self, token: str) -> int:
        return int(self.call("DELETE", "/v1/me", token, {"confirm": "leave"}).status_code)


class OtherIssuer:
    """An issuer whose tokens say outright for whom they speak."""

    def caller(self, token: str, now: datetime) -> tuple[Caller, int]:
        return Caller(f"{auth.ISSUED}-{token}", "subject", token), 2**62


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, lived: Template) -> Iterator[str]:
    with lived.lent(server_of(request), tmp_path) as lent:
        yield lent


@pytest.fixture
def workers(url: str, shipped_engines: Engines) -> Iterator[tuple[Worker, Worker]]:
    gate = Gate(issuer=cast(Issuer, OtherIssuer()))
    made = Worker(url, shipped_engines, gate), Worker(url, shipped_engines, gate)
    yield made
    for worker in made:
        worker.database.dispose()


def issued(worker: Worker, person: str = ZEB) -> str:
    return tokens.issue(worker.database, "subject", person, person, LATER).secret


def test_every_writing_route_is_tried_here() -> None:
    writing_ones = {str(r) for r in ROUTES if r.method != "GET" and r.path.startswith("/v1/me")}
    assert writing_ones - {"DELETE /v1/me"} == set(OWN)
    others = {str(r) for r in ROUTES if r.method != "GET" and not r.path.startswith("/v1/me")}
    assert others - {BACK} == set(OTHERS)


def filled(value: Any, names: dict[str, str]) -> Any:
    """The address or the body, with what was the person's before they left."""
    text = json.dumps(value)
    for name, known in names.items():
        text = text.replace(f"{{{name}}}", known)
    return json.loads(text)


def test_no_writing_route_of_anybody_else_names_who_left(workers: tuple[Worker, Worker]) -> None:
    here, there = workers
    with reading(here.database) as connection:
        order = connection.execute(select(ORDERS.c.id, ORDERS.c.decision).where(ORDERS.c.subject == ZEB)).first()
        token = connection.execute(select(TOKENS.c.id).where(TOKENS.c.party == ZEB)).scalars().first()
    assert order
    names = {"order": order.id, "decision": order.decision, "token": str(token)}
    callers = {(r, p): tokens.issue(here.database, r, p, p, LATER).secret for r, p, *_ in OTHERS.values()}
    erase(here.database, ZEB, LATER)
    for route, (role, party, path, body) in OTHERS.items():
        said = there.call(route.split()[0], filled(path, names), callers[role, party], filled(body, names))
        assert said.status_code < 500, (route, said.text)
        assert naming(there.database, ZEB) == {}, (route, said.text)


def test_every_table_that_can_name_a_person_names_one_before_and_none_after(workers: tuple[Worker, Worker]) -> None:
    worker = workers[0]
    with writing(worker.database) as connection:
        connection.execute(insert(MARKS).values(build=1, person=ZEB, seq=1, astray=""))
    tables = {t.name for t in SQLModel.metadata.sorted_tables if PERSON & {c.name for c in t.columns}}
    with reading(worker.database) as connection:
        assert consents.of_person(connection, ZEB)  # by a pseudonym
    assert tables - {"erasing", "consent_requests", "withheld_events"} <= set(naming(worker.database, ZEB))
    erase(worker.database, ZEB, LATER)
    assert naming(worker.database, ZEB) == {}


@pytest.mark.parametrize("other", [False, True])
def test_a_process_that_still_knows_the_token_writes_nothing_of_who_left(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    monkeypatch.setattr(auth, "FRESH", 1e9)
    here, there = workers
    token = ZEB if other else issued(here)
    assert there.call("GET", "/v1/me/evidence", token).status_code == 200  # it is remembered there
    assert here.leave(token) == 200
    for route, (path, body) in OWN.items():
        said = there.call(route.split()[0], path, token, body)
        assert (route, said.status_code, said.json()["code"]) == (route, 401, "bad_token")
    assert naming(here.database, ZEB) == {}
    assert there.call("PUT", "/v1/me/monitoring", "somebody-else", OWN["PUT /v1/me/monitoring"][1]).status_code == 200


def test_another_issuer_s_token_ends_with_the_person_and_is_good_again_when_they_come_back(
    workers: tuple[Worker, Worker],
) -> None:
    here, _ = workers
    assert here.call("GET", "/v1/me/evidence", ZEB).status_code == 200
    assert here.leave(ZEB) == 200
    for method, path in (("GET", "/v1/me/evidence"), ("PUT", "/v1/me/monitoring"), ("DELETE", "/v1/me")):
        assert here.call(method, path, ZEB, OWN["PUT /v1/me/monitoring"][1]).status_code == 401
    assert naming(here.database, ZEB) == {}
    issued(here)  # the house lets them in again, and they begin with nothing
    assert here.call("GET", "/v1/me/evidence", ZEB).json()["items"] == []
    assert here.call("PUT", "/v1/me/monitoring", ZEB, OWN["PUT /v1/me/monitoring"][1]).status_code == 200
    assert naming(here.database, ZEB) == {MONITORED.name: 1, "tokens": 1}


def test_who_calls_is_counted_without_being_named(url: str, shipped_engines: Engines) -> None:
    storage = MemoryStorage()
    rates = Rates("2/minute")
    rates._limiter = SlidingWindowCounterRateLimiter(storage)
    worker = Worker(url, shipped_engines, Gate(rates, cast(Issuer, OtherIssuer())))
    statuses = [worker.call("GET", "/v1/me/evidence", person).status_code for person in (ZEB, ZEB, "ann", ZEB)]
    assert statuses == [200, 200, 200, 429]
    assert storage.storage
    assert not [key for key in storage.storage if ZEB in key or "ann" in key]
    worker.database.dispose()


def test_requests_that_race_with_leaving_leave_no_row(workers: tuple[Worker, Worker]) -> None:
    token, ready = issued(workers[0]), Barrier(24)

    def one(number: int) -> int:
        worker = workers[number % 2]
        ready.wait(30)
        if number == 0:
            return worker.leave(token)
        return int(worker.call("PUT", "/v1/me/monitoring", token, {"attributes": {"region": "north"}}).status_code)

    with ThreadPoolExecutor(24) as pool:
        left, *wrote = pool.map(one, range(24))
    assert left == 200
    assert set(wrote) <= {200, 401}
    assert held(workers[0].database, ZEB) == naming(workers[0].database, ZEB) == {}
