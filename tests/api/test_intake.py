"""Evidence by the API: what becomes of each row, what is refused whole, and what a contributor sees again."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sqlalchemy import Engine

from api import deps
from api.access import tokens
from api.database import open_database
from api.evidence import bodies, json_rows, ledger
from api.evidence.intake import HELD
from api.evidence.load import load_file
from api.people import erasure
from api.world import World
from engine.engines import Engines
from engine.errors import Refused
from graph.events import CONTENT, SCHEMA, conform
from tests.api.apps import app_over
from tests.api.door import refused
from tests.api.world import shipped
from tests.effort import pairs

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
LINES = "application/x-ndjson"


@cache
def engines() -> Engines:
    return Engines(shipped())


class Door:
    """The contributor `bank` at the door; other contributors by their name."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, NOW
        app = app_over(World(engine, engines()))
        app.dependency_overrides[deps.present] = lambda: self.now
        self.client = TestClient(app, raise_server_exceptions=False)
        self.tokens: dict[str, str] = {}

    def bearer(self, party: str = "bank", role: str = "contributor") -> dict[str, str]:
        if party + role not in self.tokens:
            self.tokens[party + role] = tokens.issue(self.engine, role, party, party, NOW)
        return {"Authorization": f"Bearer {self.tokens[party + role]}"}

    def post(self, body: bytes, kind: str = LINES, party: str = "bank", query: str = "", **headers: str) -> Any:
        headers = {"Content-Type": kind, **self.bearer(party), **headers}
        return self.client.post(f"/v1/events{query}", content=body, headers=headers)

    def send(self, *rows: dict[str, object], party: str = "bank", query: str = "") -> dict[str, Any]:
        response = self.post(lines(*rows), party=party, query=query)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        assert [row["row"] for row in found["rows"]] == list(range(len(found["rows"])))
        for result, count in (("accepted", "accepted"), ("duplicate", "duplicates"), ("refused", "refused")):
            assert found[count] == sum(row["result"] == result for row in found["rows"])
        assert all((row["reason"] is None) == (row["result"] != "refused") for row in found["rows"])
        return found

    def get(self, path: str, party: str = "bank") -> Any:
        return self.client.get(f"/v1/events/{path}", headers=self.bearer(party))


@pytest.fixture
def door(engine: Engine) -> Door:
    return Door(engine)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Door]:
    engine = open_database(f"sqlite:///{tmp_path / 'iftah.db'}")
    yield Door(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One for many tests, which leave in it what they leave."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('used') / 'iftah.db'}")
    yield Door(engine)
    engine.dispose()


def payment(event_id: str = "p1", **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": "payment.made", "subject": "ann", "other": "shop"}
    return common | {"happened_at": "2024-03-01T09:30:00Z", "amount": 1200, "currency": "CNY"} | changes


def about(kind: str, event_id: str, ref: str, **changes: object) -> dict[str, object]:
    common = {"event_id": event_id, "kind": kind, "subject": "ann", "ref_event": ref}
    return common | {"happened_at": "2024-03-02T09:30:00Z"} | changes


def lines(*rows: dict[str, object]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def results(found: dict[str, Any]) -> list[str]:
    return [row["result"] for row in found["rows"]]


def test_each_row_is_told_whether_it_is_accepted_known_or_refused(door: Door) -> None:
    first = door.send(payment("a"), payment("b"))
    assert results(first) == ["accepted", "accepted"]
    assert datetime.fromisoformat(first["recorded_at"]) == NOW
    sent = (payment("a"), payment("c"), payment("c"), payment("b", amount=7), payment("d", amount=-1), payment("e"))
    found = door.send(*sent)
    assert results(found) == ["duplicate", "accepted", "duplicate", "refused", "refused", "accepted"]
    assert "with other content, see `amount`" in found["rows"][3]["reason"]
    assert "`amount` is negative" in found["rows"][4]["reason"]
    assert [row["event_id"] for row in found["rows"]] == ["a", "c", "c", "b", "d", "e"]
    assert ledger.read(door.engine)["event_id"].to_list() == ["a", "b", "c", "e"]


def test_sending_again_changes_nothing(door: Door) -> None:
    rows = [payment(f"p{n}") for n in range(50)]
    door.send(*rows)
    before = ledger.read(door.engine)
    door.now += timedelta(days=1)
    again = door.send(*rows)
    assert (again["duplicates"], again["recorded_at"]) == (50, None)
    assert_frame_equal(ledger.read(door.engine), before)


def test_all_or_nothing_keeps_out_every_row_if_one_is_refused(door: Door) -> None:
    door.send(payment("old"))
    for bad in (payment("new", amout=1), payment("x", amount=-5), payment("old", amount=8)):
        found = door.send(payment("a"), bad, payment("old"), query="?all_or_nothing=true")
        assert results(found) == ["refused"] * 3
        assert [row["reason"] == HELD for row in found["rows"]] == [True, False, True]
        assert found["recorded_at"] is None
    assert ledger.extent(door.engine).events == 1
    assert results(door.send(payment("a"), payment("old"), query="?all_or_nothing=true")) == ["accepted", "duplicate"]


def test_a_contributor_speaks_for_itself_alone(door: Door) -> None:
    named, other = payment("a", contributor="bank"), payment("b", contributor="other-bank")
    found = door.send(named, other, payment("c", contributor=None), payment("d", contributor=""))
    assert results(found) == ["accepted", "refused", "accepted", "accepted"]
    assert "`contributor` is not the token's own" in found["rows"][1]["reason"]
    assert results(door.send(payment("a", amount=3), party="other-bank")) == ["accepted"]
    assert ledger.read(door.engine)["contributor"].to_list() == ["bank", "bank", "bank", "other-bank"]


NOT_THEIRS: dict[str, dict[str, object]] = {
    "consent.granted": {"purpose": "perks", "classes": "credit"},
    "consent.withdrawn": {"purpose": "perks"},
    "dispute.opened": {"ref_event": "p"},
    "dispute.resolved": {"ref_event": "p", "outcome": "rejected"},
    "order.settled": {"order": "o"},
    "order.overdue": {"order": "o"},
    "order.cancelled": {"order": "o"},
}


def test_what_is_the_persons_or_the_houses_to_say_is_refused(door: Door) -> None:
    common = {"subject": "ann", "happened_at": "2024-03-01T09:30:00Z"}
    rows = [common | {"event_id": kind, "kind": kind} | fields for kind, fields in NOT_THEIRS.items()]
    found = door.send(*rows)
    assert results(found) == ["refused"] * len(rows)
    assert all("not a contributor's to say" in row["reason"] for row in found["rows"])
    assert ledger.extent(door.engine).events == 0


def test_a_contributor_cannot_retract_a_consent_that_a_file_recorded_under_its_name(door: Door) -> None:
    consent = {"event_id": "no", "kind": "consent.withdrawn", "subject": "ann", "purpose": "perks"}
    ledger.append(door.engine, conform(pl.DataFrame([consent | {"contributor": "bank", "happened_at": NOW}])), NOW)
    door.send(payment("p"))
    found = door.send(about("event.retracted", "r1", "no"), about("event.retracted", "r2", "p"))
    assert results(found) == ["refused", "accepted"]


def test_nothing_is_taken_about_somebody_who_has_left(door: Door) -> None:
    door.send(payment("a"), payment("b", subject="bob", other="shop"))
    erasure.erase(door.engine, "ann", NOW)
    found = door.send(payment("a"), payment("c"), payment("d", subject="bob"), payment("e", subject="eve", other="ann"))
    assert results(found) == ["refused", "refused", "accepted", "refused"]
    again = door.send(payment("d", subject="bob"), payment("f", subject="ann"), query="?all_or_nothing=true")
    assert results(again) == ["refused", "refused"]


def test_the_house_is_no_contributor(door: Door) -> None:
    with pytest.raises(Exception, match="the house's own name"):
        door.bearer("iftah")


def test_only_a_contributor_may_send_or_see(door: Door) -> None:
    merchant = door.bearer("inn", "merchant")
    for method, path in (("POST", ""), ("GET", "/submissions"), ("GET", "/submissions/x"), ("GET", "/x")):
        refused(door.client.request(method, f"/v1/events{path}"), 401, "no_token")
        refused(door.client.request(method, f"/v1/events{path}", headers=merchant), 403, "wrong_role")


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


def test_a_file_and_a_request_say_the_same_of_a_row(sqlite: Door, tmp_path: Path) -> None:
    bad = [
        payment("a", contributor="bank", amout=1),
        payment("b", contributor="bank", amount=1.5),
        payment("c", contributor="bank", happened_at="yesterday"),
        payment("d", contributor="bank", kind="x"),
    ]
    raw = (
        lines(*bad)
        + b'\n{"event_id": "e", "event_id": "f"}\nnonsense\n'
        + lines(payment("g", contributor="bank", subject="\ud800"))
    )
    told = [row["reason"] for row in sqlite.post(raw).json()["rows"]]
    (tmp_path / "in.ndjson").write_bytes(raw)
    path = load_file(sqlite.engine, tmp_path / "in.ndjson", now=lambda: NOW).rejects_path
    assert path is not None
    from_file = [json.loads(row)["reason"] for row in path.read_text().splitlines()]
    assert sorted(from_file) == sorted(told)


# name -> a row as it is written, and words of why it is refused
ROWS: dict[str, tuple[str, str]] = {
    "a key twice": ('{"event_id": "a", "kind": "x", "event_id": "b"}', "`event_id` is there twice"),
    "a key twice in fields": (
        json.dumps(about("event.corrected", "c", "p", fields=1)).replace('": 1', '": {"amount": 1, "amount": 2}'),
        "`amount` is there twice",
    ),
    "NUL": (json.dumps(payment(subject="a\0b")), "control character"),
    "a line feed": (json.dumps(payment(other="a\nb")), "control character"),
    "half a character": (json.dumps(payment(subject="\ud800")), "surrogate"),
    "half a character in fields": (
        json.dumps(about("event.corrected", "c", "p", fields={"other": "\udfff"})),
        "surrogate",
    ),
    "half a character in a text of fields": (
        json.dumps(about("event.corrected", "c", "p", fields='{"\\ud800": 1}')),
        "surrogate",
    ),
    "half a character in a name": ('{"\\ud800": 1}', "unknown field `?`"),
    "a huge number": (json.dumps(payment(amount=10**30)), "not a whole number"),
    "a number of 5,000 digits": ('{"amount": ' + "9" * 5_000 + "}", "not JSON"),
    "not a number": (json.dumps(payment(amount=float("nan"))), "not JSON"),
    "infinity": (json.dumps(payment(amount=float("-inf"))), "not JSON"),
    "beyond a float": ('{"amount": 1e999}', "not a whole number"),
    "true": (json.dumps(payment(amount=True)), "not a whole number"),
    "a thousand lists": ('{"amount": ' + "[" * 500 + "]" * 500 + "}", "not a whole number"),
    "deep fields": ('{"event_id": "a", "fields": ' + '{"a":' * 300 + "1" + "}" * 300 + "}", "kind"),
    "nothing in it": ("{}", "`event_id` is empty"),
    "null": ("null", "not a JSON object"),
    "an id of 200 characters": (json.dumps(payment("x" * 200)), "longer than 128"),
    "recorded_at": (json.dumps(payment(recorded_at="2024-01-01")), "set by the ledger"),
    "a time to come": (json.dumps(payment(happened_at="2031-01-01T00:00:00Z")), "lies in the future"),
    "the year 9999": (json.dumps(payment(happened_at="9999-12-31T23:59:59.999999+23:59")), "lies in the future"),
}


@pytest.mark.parametrize("kind", [LINES, "application/json"])
@pytest.mark.parametrize("name", ROWS)
def test_a_bad_row_is_refused_alone(used: Door, name: str, kind: str) -> None:
    row, words = ROWS[name]
    good = json.dumps(payment(f"good {name} {kind}"))
    body = f"{good}\n{row}" if kind == LINES else f"[{good}, {row}]"
    found = used.post(body.encode(), kind).json()
    assert results(found) == ["accepted", "refused"]
    assert words in found["rows"][1]["reason"]
    shown = used.get(f"submissions/{found['id']}").json()
    assert [problem["row"] for problem in shown["problems"]] == [1]


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
    rest = door.get(f"submissions?limit=3&before={first['next']}").json()
    ids = [one["id"] for one in (*first["submissions"], *rest["submissions"])]
    assert (len(ids), len(set(ids)), rest["next"]) == (5, 5, None)
    times = [one["received_at"] for one in (*first["submissions"], *rest["submissions"])]
    assert times == sorted(times, reverse=True)
    assert all((one["rows"], one["refused"]) == (2, 0) for one in first["submissions"])


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
    refused(door.get(f"submissions?before={sent['id']}", "other-bank"), 404, "unknown_submission")
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
    assert shown["event"] == payment("a/b c", category="dining") | {"contributor": "bank"}
    said = [(one["what"], one["event_id"], one["fields"], one["outcome"]) for one in shown["since"]]
    assert said == [
        ("corrected", "c1", {"amount": 5, "other": "cafe"}, None),
        ("retracted", "r1", None, None),
        ("disputed", None, None, None),
        ("dispute_resolved", None, None, "rejected"),
    ]
    assert "never there" not in response.text
    assert "d1" not in response.text


@pytest.mark.parametrize(
    "path",
    ["..%2f..%2fetc%2fpasswd", "%00", "a%00b", "'; drop table events; --", "x" * 3_000, "%ff", "submissions/%00"],
)
def test_an_id_is_only_ever_an_id(used: Door, path: str) -> None:
    response = used.get(path)
    assert (response.status_code, response.json()["code"]) in ((404, "unknown_event"), (422, "bad_request"))


texts = st.text(st.characters(codec="utf-8"), max_size=4)
values = st.one_of(
    st.none(), texts, st.integers(), st.booleans(), st.floats(), st.dictionaries(texts, st.integers(), max_size=2)
)
objects = st.dictionaries(st.one_of(st.sampled_from(json_rows.KNOWN), texts), values, max_size=4)
plain = st.fixed_dictionaries(
    {"event_id": st.sampled_from(["a", "bé"])},
    optional={"amount": st.integers(-(2**64), 2**64), "subject": st.sampled_from(["x", ""]), "other": st.none()},
)
written = st.one_of(
    plain.map(lambda row: json.dumps(row, ensure_ascii=False)),
    objects.map(json.dumps),
    st.sampled_from(
        [
            '{"event_id":"a","event_id":"a"}',
            '{"fields":{"a":1,"a":1}}',
            "",
            " ",
            "{",
            "[]",
            '{"event_id":"a"},{"event_id":"b"}',
        ]
    ),
)


@settings(max_examples=pairs(150, 5_000), deadline=None)
@given(st.lists(written, min_size=1, max_size=4))
def test_the_fast_road_reads_what_the_careful_one_reads(rows: list[str]) -> None:
    """The oracle takes each row by itself, with Python's own JSON; a batch that is plain in every row is read by columns."""
    raw = [row.encode(errors="surrogatepass") for row in rows]
    by_columns = json_rows._plain(raw)
    if by_columns is None:
        return
    one_by_one = [json_rows._careful(row) for row in raw]
    assert all(isinstance(row, tuple) and not isinstance(row, json_rows.Wrong) for row in one_by_one)
    slow = json_rows.text_frame(json_rows.KNOWN, one_by_one)
    fast = by_columns.with_columns(pl.all().cast(pl.String))
    missing = {c: pl.lit(None, pl.String) for c in json_rows.KNOWN if c not in fast.columns}
    assert_frame_equal(fast.with_columns(**missing).select(json_rows.KNOWN), slow)
    assert set(by_columns.columns) <= set(SCHEMA)
