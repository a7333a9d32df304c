"""Evidence by the API: in which forms it may be sent, what is refused whole, and what a contributor sees again."""

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
from engine.errors import Refused
from graph.events import CONTENT, conform
from tests.api.contributor.door import LINES, NOW, Door, about, lines, payment, results
from tests.api.door import refused

BODIES: dict[str, tuple[str, bytes, str | None]] = {
    "lines": (LINES, lines(payment("a"), payment("b")), None),
    "lines with blank ones and of Windows": (
        LINES,
        b"\r\n" + lines(payment("a")) + b"\r\n\r\n" + lines(payment("b")),
        None,
    ),
    "a list": ("application/json", json.dumps([payment("a"), payment("b")], indent=2).encode(), None),
    "a list by its name": (
        "application/json; charset=utf-8",
        json.dumps({"events": [payment("a"), payment("b")]}).encode(),
        None,
    ),
    "lines in gzip": (LINES, gzip.compress(lines(payment("a"), payment("b"))), "gzip"),
    "a list in gzip": ("application/json", gzip.compress(json.dumps([payment("a"), payment("b")]).encode()), "gzip"),
    "with a byte order mark": (LINES, b"\xef\xbb\xbf" + lines(payment("a"), payment("b")), "identity"),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_form_gives_the_same_events(sqlite: Door, name: str) -> None:
    kind, body, encoding = BODIES[name]
    response = sqlite.post(body, kind, **({"Content-Encoding": encoding} if encoding else {}))
    assert results(response.json()) == ["accepted", "accepted"]
    wanted = pl.DataFrame([payment("a"), payment("b")]).with_columns(
        pl.col("happened_at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"),
        contributor=pl.lit("bank"),
    )
    assert_frame_equal(ledger.read(sqlite.engine).select(CONTENT), conform(wanted).select(CONTENT))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


# name -> content type, encoding, body, status, code
WHOLE: dict[str, tuple[str, str, bytes, int, str]] = {
    "no type": ("", "", lines(payment()), 415, "unsupported_type"),
    "another type": ("text/csv", "", b"a,b", 415, "unsupported_type"),
    "another encoding": (LINES, "br", lines(payment()), 415, "unsupported_type"),
    "no events": (LINES, "", b"\n\n", 422, "bad_request"),
    "an empty list": ("application/json", "", b"[]", 422, "bad_request"),
    "one event without a list": ("application/json", "", lines(payment()), 422, "bad_request"),
    "more beside the list": ("application/json", "", b'{"events": [{}], "more": 1}', 422, "bad_request"),
    "a list that breaks off": ("application/json", "", b"[{}, {}", 422, "bad_request"),
    "a list that goes on": ("application/json", "", b"[{}] [{}]", 422, "bad_request"),
    "no JSON": ("application/json", "", b"[{}, nonsense]", 422, "bad_request"),
    "no UTF-8": ("application/json", "", b'["\xff\xfe"]', 422, "bad_request"),
    "a very deep list": ("application/json", "", nested(400_000), 422, "bad_request"),
    "too many lines": (LINES, "", b"{}\n" * 10_001, 413, "too_many_rows"),
    "too many in a list": ("application/json", "", b"[" + b"{}," * 10_000 + b"{}]", 413, "too_many_rows"),
    "a million blank lines": (LINES, "", b"\n" * 1_000_000, 413, "too_many_rows"),
    "17 MiB": (LINES, "", b" " * (17 * 2**20), 413, "too_large"),
    "17 MiB in gzip": (LINES, "gzip", gzip.compress(b" " * (17 * 2**20)), 413, "too_large"),
    "half a gzip": (LINES, "gzip", gzip.compress(lines(payment()))[:-4], 422, "bad_request"),
    "two in one gzip": (LINES, "gzip", gzip.compress(lines(payment())) * 2, 422, "bad_request"),
    "no gzip": (LINES, "gzip", lines(payment()), 422, "bad_request"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_cut_into_rows_is_refused_whole(used: Door, name: str) -> None:
    kind, encoding, body, status, code = WHOLE[name]
    before = ledger.extent(used.engine), used.get("submissions").json()
    headers = (
        used.bearer() | ({"Content-Type": kind} if kind else {}) | ({"Content-Encoding": encoding} if encoding else {})
    )
    refused(used.client.post("/v1/events", content=body, headers=headers), status, code)
    assert (ledger.extent(used.engine), used.get("submissions").json()) == before


def test_a_bomb_does_not_go_off() -> None:
    bomb = gzip.compress(b" " * 400_000_000, 1)
    tracemalloc.start()
    with pytest.raises(Refused, match="too large"):
        bodies.rows_of(bomb, LINES, "gzip")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 * bodies.MOST_UNPACKED


def test_ten_thousand_events_are_taken_at_once(sqlite: Door) -> None:
    response = sqlite.post(
        gzip.compress(lines(*(payment(f"p{n}") for n in range(bodies.MOST_ROWS)))), **{"Content-Encoding": "gzip"}
    )
    assert response.json()["accepted"] == ledger.extent(sqlite.engine).events == 10_000


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"role": "merchant"}, 403)])
def test_who_may_not_send_is_refused_before_the_body_is_read(used: Door, headers: dict[str, str], status: int) -> None:
    told: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        told.append(message)

    bearer = used.bearer("inn", headers["role"]) if headers else {}
    given = [(name.lower().encode(), value.encode()) for name, value in {"Content-Type": LINES, **bearer}.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/events", "headers": given, "query_string": b""}
    asyncio.run(used.client.app(scope, receive, send))  # type: ignore[arg-type]
    assert told[0]["status"] == status


def test_a_contributor_sees_its_sendings_newest_first_page_by_page(door: Door) -> None:
    for n in range(5):
        door.now += timedelta(seconds=n // 2)  # some at the same moment
        door.send(payment(f"p{n}"), payment(f"p{n - 1}"))
    door.send(payment("x"), party="other-bank")
    first = door.get("submissions?limit=3").json()
    rest = door.get(f"submissions?limit=3&after={first['next']}").json()
    ids = [one["id"] for one in (*first["items"], *rest["items"])]
    assert (len(ids), len(set(ids)), rest["next"]) == (5, 5, None)
    times = [one["received_at"] for one in (*first["items"], *rest["items"])]
    assert times == sorted(times, reverse=True)
    assert all((one["rows"], one["refused"]) == (2, 0) for one in first["items"])


def test_what_was_refused_is_seen_again_without_what_was_in_it(door: Door) -> None:
    sent = door.send(payment("a", currency="Ann Smith"), payment("b", amount="`Ann`"), payment("c"))
    assert "Ann" in json.dumps(sent["rows"])  # the sender's own words, at once
    shown = door.get(f"submissions/{sent['id']}")
    assert [(p["row"], p["event_id"]) for p in shown.json()["problems"]] == [(0, "a"), (1, "b")]
    assert "`currency`" in shown.json()["problems"][0]["reason"]
    assert "Ann" not in shown.text


def test_nobody_elses_sending_or_event_is_shown(door: Door) -> None:
    sent = door.send(payment("a"))
    refused(door.get(f"submissions/{sent['id']}", "other-bank"), 404, "unknown_submission")
    refused(door.get(f"submissions?after={sent['id']}", "other-bank"), 404, "unknown_submission")
    refused(door.get("a", "other-bank"), 404, "unknown_event")
    refused(door.get("b"), 404, "unknown_event")


def test_an_event_is_shown_as_recorded_with_what_was_said_of_it_since(door: Door) -> None:
    door.send(payment("a/b c", category="dining"))
    door.send(about("event.corrected", "c1", "a/b c", fields={"amount": 5, "other": "cafe"}))
    door.send(about("event.retracted", "r1", "a/b c"))
    common = {"contributor": "ann-herself", "happened_at": NOW, "ref_event": "a/b c", "ref_contributor": "bank"}
    spoken = [
        common | {"event_id": "d1", "kind": "dispute.opened", "subject": "cafe", "statement": "never there"},
        common | {"event_id": "d2", "kind": "dispute.opened", "subject": "stranger", "statement": "me neither"},
        common | {"event_id": "d3", "kind": "dispute.resolved", "subject": "cafe", "outcome": "rejected"},
    ]
    ledger.append(door.engine, conform(pl.DataFrame(spoken)), NOW + timedelta(seconds=1))
    response = door.get("a%2Fb%20c")
    shown = response.json()
    assert set(shown) == {"event_id", "recorded_at", "since"}  # what it says is the contributor's own
    assert shown["event_id"] == "a/b c"
    said = [(one["what"], one["outcome"]) for one in shown["since"]]
    assert said == [("corrected", None), ("retracted", None), ("disputed", None), ("dispute_resolved", "rejected")]
    assert "never there" not in response.text
    assert "d1" not in response.text


@pytest.mark.parametrize(
    "path",
    ["..%2f..%2fetc%2fpasswd", "%00", "a%00b", "'; drop table events; --", "x" * 3_000, "%ff", "submissions/%00"],
)
def test_an_id_is_only_ever_an_id(used: Door, path: str) -> None:
    response = used.get(path)
    assert (response.status_code, response.json()["code"]) in ((404, "unknown_event"), (422, "bad_request"))
