"""Events by the API: the accepted formats, bodies that we refuse as a whole, and the submissions that a contributor
sees.
"""

import asyncio
import gzip
import json
import tracemalloc
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from api.evidence import bodies, ledger
from engine.errors import Rejected
from graph.evidence.events import CONTENT_COLUMNS, conform
from tests.api.evidence.contributor.contributor_client import (
    NDJSON,
    NOW,
    ContributorClient,
    ndjson,
    payment,
    reference_event,
    results,
)
from tests.api.merchant_client import assert_problem

BODIES: dict[str, tuple[str, bytes, str | None]] = {
    "lines": (NDJSON, ndjson(payment("a"), payment("b")), None),
    "lines with blank ones and of Windows": (
        NDJSON,
        b"\r\n" + ndjson(payment("a")) + b"\r\n\r\n" + ndjson(payment("b")),
        None,
    ),
    "a list": ("application/json", json.dumps([payment("a"), payment("b")], indent=2).encode(), None),
    "a list by its name": (
        "application/json; charset=utf-8",
        json.dumps({"events": [payment("a"), payment("b")]}).encode(),
        None,
    ),
    "lines in gzip": (NDJSON, gzip.compress(ndjson(payment("a"), payment("b"))), "gzip"),
    "a list in gzip": ("application/json", gzip.compress(json.dumps([payment("a"), payment("b")]).encode()), "gzip"),
    "with a byte order mark": (NDJSON, b"\xef\xbb\xbf" + ndjson(payment("a"), payment("b")), "identity"),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_form_gives_the_same_events(sqlite_client: ContributorClient, name: str) -> None:
    media_type, body, encoding = BODIES[name]
    response = sqlite_client.post(body, media_type, **({"Content-Encoding": encoding} if encoding else {}))
    assert results(response.json()) == ["accepted", "accepted"]
    expected = pl.DataFrame([payment("a"), payment("b")]).with_columns(
        pl.col("happened_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"),
        contributor=pl.lit("bank"),
    )
    assert_frame_equal(
        ledger.read(sqlite_client.database).select(CONTENT_COLUMNS), conform(expected).select(CONTENT_COLUMNS)
    )


def nested_lists(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


# name -> content type, encoding, body, status, code
REJECTED_BODIES: dict[str, tuple[str, str, bytes, int, str]] = {
    "no type": ("", "", ndjson(payment()), 415, "unsupported_type"),
    "another type": ("text/csv", "", b"a,b", 415, "unsupported_type"),
    "another encoding": (NDJSON, "br", ndjson(payment()), 415, "unsupported_type"),
    "no events": (NDJSON, "", b"\n\n", 422, "bad_request"),
    "an empty list": ("application/json", "", b"[]", 422, "bad_request"),
    "one event without a list": ("application/json", "", ndjson(payment()), 422, "bad_request"),
    "more beside the list": ("application/json", "", b'{"events": [{}], "more": 1}', 422, "bad_request"),
    "a list that breaks off": ("application/json", "", b"[{}, {}", 422, "bad_request"),
    "a list that goes on": ("application/json", "", b"[{}] [{}]", 422, "bad_request"),
    "no JSON": ("application/json", "", b"[{}, nonsense]", 422, "bad_request"),
    "no UTF-8": ("application/json", "", b'["\xff\xfe"]', 422, "bad_request"),
    "a very deep list": ("application/json", "", nested_lists(400_000), 422, "bad_request"),
    "too many lines": (NDJSON, "", b"{}\n" * 10_001, 413, "too_many_rows"),
    "too many in a list": ("application/json", "", b"[" + b"{}," * 10_000 + b"{}]", 413, "too_many_rows"),
    "a million blank lines": (NDJSON, "", b"\n" * 1_000_000, 413, "too_many_rows"),
    "17 MiB": (NDJSON, "", b" " * (17 * 2**20), 413, "too_large"),
    "17 MiB in gzip": (NDJSON, "gzip", gzip.compress(b" " * (17 * 2**20)), 413, "too_large"),
    "half a gzip": (NDJSON, "gzip", gzip.compress(ndjson(payment()))[:-4], 422, "bad_request"),
    "two in one gzip": (NDJSON, "gzip", gzip.compress(ndjson(payment())) * 2, 422, "bad_request"),
    "no gzip": (NDJSON, "gzip", ndjson(payment()), 422, "bad_request"),
}


@pytest.mark.parametrize("name", REJECTED_BODIES)
def test_a_body_that_cannot_be_split_into_rows_is_refused_as_a_whole(
    shared_client: ContributorClient, name: str
) -> None:
    media_type, encoding, body, status, code = REJECTED_BODIES[name]
    before = ledger.extent(shared_client.database), shared_client.get("submissions").json()
    headers = (
        shared_client.bearer()
        | ({"Content-Type": media_type} if media_type else {})
        | ({"Content-Encoding": encoding} if encoding else {})
    )
    assert_problem(shared_client.http.post("/v1/events", content=body, headers=headers), status, code)
    assert (ledger.extent(shared_client.database), shared_client.get("submissions").json()) == before


def test_a_decompression_bomb_is_refused_within_bounded_memory() -> None:
    bomb = gzip.compress(b" " * 400_000_000, 1)
    tracemalloc.start()
    with pytest.raises(Rejected, match="too large"):
        bodies.rows_of(bomb, NDJSON, "gzip")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * bodies.MAX_UNPACKED_BYTES


def test_ten_thousand_events_are_accepted_in_one_request(sqlite_client: ContributorClient) -> None:
    response = sqlite_client.post(
        gzip.compress(ndjson(*(payment(f"p{n}") for n in range(bodies.MAX_ROWS)))), **{"Content-Encoding": "gzip"}
    )
    assert response.json()["accepted"] == ledger.extent(sqlite_client.database).events == 10_000


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"role": "merchant"}, 403)])
def test_a_caller_without_permission_is_refused_before_the_body_is_read(
    shared_client: ContributorClient, headers: dict[str, str], status: int
) -> None:
    messages: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        messages.append(message)

    bearer = shared_client.bearer("inn", headers["role"]) if headers else {}
    raw_headers = [
        (name.lower().encode(), value.encode()) for name, value in {"Content-Type": NDJSON, **bearer}.items()
    ]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "headers": raw_headers, "query_string": b""}
    asyncio.run(shared_client.http.app(scope, receive, send))  # type: ignore[arg-type]
    assert messages[0]["status"] == status


def test_a_contributor_lists_its_submissions_newest_first_in_pages(client: ContributorClient) -> None:
    for n in range(5):
        client.now += timedelta(seconds=n // 2)  # some have the same time
        client.send(payment(f"p{n}"), payment(f"p{n - 1}"))
    client.send(payment("x"), party="other-bank")
    first = client.get("submissions?limit=3").json()
    second = client.get(f"submissions?limit=3&after={first['next']}").json()
    ids = [item["id"] for item in (*first["items"], *second["items"])]
    assert (len(ids), len(set(ids)), second["next"]) == (5, 5, None)
    times = [item["received_at"] for item in (*first["items"], *second["items"])]
    assert times == sorted(times, reverse=True)
    assert all((item["rows"], item["refused"]) == (2, 0) for item in first["items"])


def test_stored_refusals_do_not_contain_the_refused_values(client: ContributorClient) -> None:
    report = client.send(payment("a", currency="Ann Smith"), payment("b", amount="`Ann`"), payment("c"))
    assert "Ann" in json.dumps(report["rows"])  # the direct answer repeats the sender's own text
    response = client.get(f"submissions/{report['id']}")
    assert [(p["row"], p["event_id"]) for p in response.json()["problems"]] == [(0, "a"), (1, "b")]
    assert "`currency`" in response.json()["problems"][0]["reason"]
    assert "Ann" not in response.text


def test_submissions_and_events_of_others_are_not_shown(client: ContributorClient) -> None:
    report = client.send(payment("a"))
    assert_problem(client.get(f"submissions/{report['id']}", "other-bank"), 404, "unknown_submission")
    assert_problem(client.get(f"submissions?after={report['id']}", "other-bank"), 404, "unknown_submission")
    assert_problem(client.get("a", "other-bank"), 404, "unknown_event")
    assert_problem(client.get("b"), 404, "unknown_event")


def test_an_event_is_shown_with_its_later_corrections_and_disputes(client: ContributorClient) -> None:
    client.send(payment("a/b c", category="dining"))
    client.send(reference_event("event.corrected", "c1", "a/b c", fields={"amount": 5, "other": "cafe"}))
    client.send(reference_event("event.retracted", "r1", "a/b c"))
    common = {"contributor": "ann-herself", "happened_at": NOW, "ref_event": "a/b c", "ref_contributor": "bank"}
    rows = [
        common | {"event_id": "d1", "kind": "dispute.opened", "subject": "cafe", "statement": "never there"},
        common | {"event_id": "d2", "kind": "dispute.opened", "subject": "stranger", "statement": "me neither"},
        common | {"event_id": "d3", "kind": "dispute.resolved", "subject": "cafe", "outcome": "rejected"},
    ]
    ledger.append(client.database, conform(pl.DataFrame(rows)), NOW + timedelta(seconds=1))
    response = client.get("a%2Fb%20c")
    payload = response.json()
    assert set(payload) == {"event_id", "recorded_at", "since"}  # the contributor already has the content
    assert payload["event_id"] == "a/b c"
    statements = [(item["what"], item["outcome"]) for item in payload["since"]]
    assert statements == [
        ("corrected", None),
        ("retracted", None),
        ("disputed", None),
        ("dispute_resolved", "rejected"),
    ]
    assert "never there" not in response.text
    assert "d1" not in response.text


@pytest.mark.parametrize(
    "path",
    ["..%2f..%2fetc%2fpasswd", "%00", "a%00b", "'; drop table events; --", "x" * 3_000, "%ff", "submissions/%00"],
)
def test_an_id_in_a_path_is_never_interpreted(shared_client: ContributorClient, path: str) -> None:
    response = shared_client.get(path)
    assert (response.status_code, response.json()["code"]) in ((404, "unknown_event"), (422, "bad_request"))
