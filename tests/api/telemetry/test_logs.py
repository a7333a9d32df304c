"""The log has one line for each request, in one format, and never personal data, in whatever part of a request you send
it.
"""

import io
import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.access import auth, tokens
from api.http import dependencies
from api.http.app import create_app
from api.runtime.context import AppContext
from api.telemetry import logs
from tests.api.town import NOW
from tests.effort import every

MARK = "Zq7Marked"
SQLITE_ONLY = pytest.mark.parametrize(
    "town_url", ["sqlite"], indirect=True
)  # what is logged does not depend on the database


@contextmanager
def installed_logs(log_format: str) -> Iterator[io.StringIO]:
    """The output of our loggers. We restore their levels afterwards, for other tests."""
    root, names = logging.getLogger(), list(logs.LEVELS)
    before = root.handlers[:], [(logging.getLogger(n).handlers[:], logging.getLogger(n).level) for n in names]
    out = io.StringIO()
    logs.install(log_format, out)
    try:
        yield out
    finally:
        root.handlers[:] = before[0]
        for name, (handlers, level) in zip(names, before[1], strict=True):
            log = logging.getLogger(name)
            log.handlers[:] = handlers
            log.setLevel(level)


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    """The log as JSON."""
    with installed_logs("json") as out:
        yield out


def log_entries(log_output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_output.getvalue().splitlines()]


def crash() -> None:
    raise RuntimeError(f"something about {MARK}")


@SQLITE_ONLY
def test_no_text_from_a_request_is_in_the_log(town: AppContext, log_output: io.StringIO) -> None:
    """Every route, with every role and with none, marked everywhere; and with a mistake of ours in its way.

    In a usual run each route meets one in three of the roles, by turns.
    """
    app = create_app(town)
    client = TestClient(app, raise_server_exceptions=False)
    secrets = [tokens.issue(town.database, role, MARK, MARK, NOW).secret for role in auth.ROLES] + [f"iftah_{MARK}"]
    marked_headers = {
        "X-Request-ID": MARK,
        "User-Agent": MARK,
        "X-Forwarded-For": MARK,
        MARK: MARK,
        "Cookie": f"a={MARK}",
    }
    body = {"subject": MARK, "perk": "hotel", "amount": 1, "context": {MARK: MARK}, MARK: MARK}
    request_count = 0
    for crashing in (False, True):
        if crashing:
            app.dependency_overrides[dependencies.get_now] = crash
        for number, (method, path) in enumerate(marked_routes(app)):
            for token in secrets[::4] if crashing else every(3, secrets, number):
                headers = marked_headers | {"Authorization": f"Bearer {token}"}
                for content in ({"json": body}, {"content": f'{{"{MARK}'.encode()}):
                    client.request(method, f"{path}?{MARK}={MARK}&from={MARK}", headers=headers, **content)  # type: ignore[arg-type]
                    request_count += 1
    client.get(f"/{MARK}")
    client.request(MARK, f"/v1/health/{MARK}")
    request_id = client.get("/v1/health").headers["x-request-id"]  # also for an internal error
    assert [line for line in log_entries(log_output) if line["event"] == "request"][-1]["request"] == request_id
    request_count += 1
    assert MARK not in log_output.getvalue()
    entries = log_entries(log_output)
    assert sum(line["event"] == "request" for line in entries) == request_count + 2
    assert {line.get("code") for line in entries} >= {"internal", "bad_token", "wrong_role", "bad_request", "not_found"}


def marked_routes(app: Any) -> list[tuple[str, str]]:
    """Each method and path of the app, with a marked text in every parameter."""
    paths = app.openapi()["paths"]
    pairs = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(pairs) > 8
    return [(m, "/".join(MARK if part.startswith("{") else part for part in p.split("/"))) for m, p in pairs]


@SQLITE_ONLY
def test_a_request_is_one_line_with_its_template_status_code_time_and_caller(
    town: AppContext, log_output: io.StringIO
) -> None:
    client = TestClient(create_app(town))
    secret = tokens.issue(town.database, "supervisor", "bank", "b", NOW).secret
    request_id = str(uuid.uuid4())
    response = client.get(
        "/v1/audit/decisions/00ff", headers={"Authorization": f"Bearer {secret}", "X-Request-ID": request_id}
    )
    (line,) = log_entries(log_output)
    assert response.headers["x-request-id"] == line["request"] == request_id
    assert line.pop("ms") > 0
    assert line.pop("at").endswith("Z")
    assert line == {
        **{"event": "request", "level": "info", "method": "GET", "route": "/v1/audit/decisions/{decision_id}"},
        **{"status": 404, "code": "unknown_decision", "request": request_id, "role": "supervisor"},
        "token": tokens.list_tokens(town.database)[0].id,
    }


@SQLITE_ONLY
@pytest.mark.parametrize("sent", [None, "alice", "13800000000", "110101199001011234", "x" * 32, "{}", "a b"])
def test_a_request_id_that_could_be_personal_is_not_logged(town: AppContext, sent: str | None) -> None:
    client = TestClient(create_app(town))
    response = client.get("/v1/health", headers={} if sent is None else {"X-Request-ID": sent})
    assert response.headers["x-request-id"] != sent
    assert uuid.UUID(response.headers["x-request-id"])


@SQLITE_ONLY
def test_a_request_refused_before_routing_is_logged(town: AppContext, log_output: io.StringIO) -> None:
    client = TestClient(create_app(town), raise_server_exceptions=False)
    client.post("/v1/eligibility", content=b"x" * 100_000)
    client.get("/nothing/here")
    client.delete("/v1/health")
    assert [(line["route"], line["status"]) for line in log_entries(log_output)] == [
        ("(none)", 413),
        ("(none)", 404),
        ("/v1/health", 405),
    ]


def test_an_error_logged_by_a_library_is_reduced_to_its_type_and_place(log_output: io.StringIO) -> None:
    try:
        crash()
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    (line,) = log_entries(log_output)
    assert (line["event"], line["level"]) == ("Exception in ASGI application", "error")
    assert line["error"].startswith("RuntimeError at ")
    assert MARK not in log_output.getvalue()


def test_the_text_format_is_readable() -> None:
    with installed_logs("text") as out:
        logging.getLogger("iftah").info("release %s serves", "00ff", extra={"status": 200})
    at, level, rest = out.getvalue().split(" ", 2)
    assert (at[-1], level, rest) == ("Z", "INFO", "release 00ff serves status=200\n")


def test_a_line_without_the_machinery_of_logging_is_the_same_line(log_output: io.StringIO) -> None:
    """But for the moment, to which we give one length."""
    log = logging.getLogger("iftah.request")
    fields = {
        "method": "POST",
        "ms": 1.25,
        "status": 200,
        "route": "/v1/eligibility",
        "code": 'q"\\ é 中\n',
        "role": None,
    }
    log.info("request", extra=fields)
    logs.write_info(log, "request", fields)
    first, second = ({**entry, "at": len(entry["at"]) > 19} for entry in log_entries(log_output))
    assert first == second
    usual, quick = log_output.getvalue().splitlines()
    assert usual.partition('"at"')[0] == quick.partition('"at"')[0]


def test_a_log_with_another_handler_gets_each_line_from_logging(log_output: io.StringIO) -> None:
    records: list[logging.LogRecord] = []

    class ListHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logging.getLogger().addHandler(ListHandler())
    logs.write_info(logging.getLogger("iftah.request"), "request", {"status": 200})
    assert [vars(record)["status"] for record in records] == [200]
    assert len(log_entries(log_output)) == 1
