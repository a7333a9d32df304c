"""Events by the API: the result of each row."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from api.evidence import json_rows, ledger
from api.evidence.intake import ALL_OR_NOTHING_REASON
from api.evidence.load import load_file
from api.people import erasure
from graph.evidence.events import SCHEMA, conform
from graph.evidence.vocabulary import STANDARD
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
from tests.effort import by_effort


def test_each_row_is_reported_as_accepted_duplicate_or_refused(client: ContributorClient) -> None:
    first = client.send(payment("a"), payment("b"))
    assert results(first) == ["accepted", "accepted"]
    assert datetime.fromisoformat(first["recorded_at"]) == NOW
    rows = (payment("a"), payment("c"), payment("c"), payment("b", amount=7), payment("d", amount=-1), payment("e"))
    report = client.send(*rows)
    assert results(report) == ["duplicate", "accepted", "duplicate", "refused", "refused", "accepted"]
    assert "with other content: send event.corrected instead" in report["rows"][3]["reason"]
    assert "`amount` is negative" in report["rows"][4]["reason"]
    assert [row["event_id"] for row in report["rows"]] == ["a", "c", "c", "b", "d", "e"]
    assert ledger.read(client.database)["event_id"].to_list() == ["a", "b", "c", "e"]


def test_sending_again_changes_nothing(client: ContributorClient) -> None:
    rows = [payment(f"p{n}") for n in range(50)]
    client.send(*rows)
    before = ledger.read(client.database)
    client.now += timedelta(days=1)
    report = client.send(*rows)
    assert (report["duplicates"], report["recorded_at"]) == (50, None)
    assert_frame_equal(ledger.read(client.database), before)


def test_all_or_nothing_refuses_every_row_if_one_is_refused(client: ContributorClient) -> None:
    client.send(payment("old"))
    for bad in (payment("new", amout=1), payment("x", amount=-5), payment("old", amount=8)):
        report = client.send(payment("a"), bad, payment("old"), query="?all_or_nothing=true")
        assert results(report) == ["refused"] * 3
        assert [row["reason"] == ALL_OR_NOTHING_REASON for row in report["rows"]] == [True, False, True]
        assert report["recorded_at"] is None
    assert ledger.extent(client.database).events == 1
    assert results(client.send(payment("a"), payment("old"), query="?all_or_nothing=true")) == ["accepted", "duplicate"]


def test_a_contributor_sends_only_events_of_its_own(client: ContributorClient) -> None:
    own_row, other_row = payment("a", contributor="bank"), payment("b", contributor="other-bank")
    report = client.send(own_row, other_row, payment("c", contributor=None), payment("d", contributor=""))
    assert results(report) == ["accepted", "refused", "accepted", "accepted"]
    assert "`contributor` is not the token's own" in report["rows"][1]["reason"]
    assert results(client.send(payment("a", amount=3), party="other-bank")) == ["accepted"]
    assert ledger.read(client.database)["contributor"].to_list() == ["bank", "bank", "bank", "other-bank"]


FORBIDDEN_KINDS: dict[str, dict[str, object]] = {
    "consent.granted": {"purpose": "perks", "classes": "credit"},
    "consent.withdrawn": {"purpose": "perks"},
    "dispute.opened": {"ref_event": "p"},
    "dispute.resolved": {"ref_event": "p", "outcome": "rejected"},
    "order.settled": {"order": "o"},
    "order.overdue": {"order": "o"},
    "order.cancelled": {"order": "o"},
}


def test_kinds_reserved_for_the_person_or_the_system_are_refused(client: ContributorClient) -> None:
    common = {"subject": "ann", "happened_at": "2024-03-01T09:30:00Z"}
    rows = [common | {"event_id": kind, "kind": kind} | fields for kind, fields in FORBIDDEN_KINDS.items()]
    report = client.send(*rows)
    assert results(report) == ["refused"] * len(rows)
    assert all("not a contributor's to say" in row["reason"] for row in report["rows"])
    assert ledger.extent(client.database).events == 0


def test_a_contributor_cannot_retract_a_consent_that_a_file_recorded_under_its_name(client: ContributorClient) -> None:
    consent = {"event_id": "no", "kind": "consent.withdrawn", "subject": "ann", "purpose": "perks"}
    ledger.append(client.database, conform(pl.DataFrame([consent | {"contributor": "bank", "happened_at": NOW}])), NOW)
    client.send(payment("p"))
    report = client.send(reference_event("event.retracted", "r1", "no"), reference_event("event.retracted", "r2", "p"))
    assert results(report) == ["refused", "accepted"]


def test_events_about_an_erased_person_are_dropped_without_a_sign(client: ContributorClient) -> None:
    client.send(payment("a"), payment("b", subject="bob", other="shop"))
    erasure.erase(client.database, "ann", NOW)
    report = client.send(
        payment("a"), payment("c"), payment("d", subject="bob"), payment("e", subject="eve", other="ann")
    )
    assert results(report) == ["duplicate", "accepted", "accepted", "accepted"]
    second_report = client.send(payment("d", subject="bob"), payment("f", subject="ann"), query="?all_or_nothing=true")
    assert results(second_report) == ["duplicate", "accepted"]
    assert ledger.read(client.database)["event_id"].to_list() == ["b", "d"]


def test_the_system_is_not_a_contributor(client: ContributorClient) -> None:
    with pytest.raises(Exception, match="the house's own name"):
        client.bearer("iftah")


def test_only_a_contributor_may_send_or_see(client: ContributorClient) -> None:
    merchant = client.bearer("inn", "merchant")
    for method, path in (("POST", ""), ("GET", "/submissions"), ("GET", "/submissions/x"), ("GET", "/x")):
        assert_problem(client.http.request(method, f"/v1/events{path}"), 401, "no_token")
        assert_problem(client.http.request(method, f"/v1/events{path}", headers=merchant), 403, "wrong_role")


def test_a_file_and_a_request_report_the_same_for_a_row(sqlite_client: ContributorClient, tmp_path: Path) -> None:
    bad = [
        payment("a", contributor="bank", amout=1),
        payment("b", contributor="bank", amount=1.5),
        payment("c", contributor="bank", happened_at="yesterday"),
        payment("d", contributor="bank", kind="x"),
    ]
    raw = (
        ndjson(*bad)
        + b'\n{"event_id": "e", "event_id": "f"}\nnonsense\n'
        + ndjson(payment("g", contributor="bank", subject="\ud800"))
    )
    reasons = [row["reason"] for row in sqlite_client.post(raw).json()["rows"]]
    (tmp_path / "in.ndjson").write_bytes(raw)
    path = load_file(sqlite_client.database, tmp_path / "in.ndjson", now=lambda: NOW).rejects_path
    assert path is not None
    file_reasons = [json.loads(row)["reason"] for row in path.read_text().splitlines()]
    assert sorted(file_reasons) == sorted(reasons)


# name -> a row as sent, and words of the reason of its refusal
BAD_ROWS: dict[str, tuple[str, str]] = {
    "a key twice": ('{"event_id": "a", "kind": "x", "event_id": "b"}', "`event_id` is there twice"),
    "a key twice in fields": (
        json.dumps(reference_event("event.corrected", "c", "p", fields=1)).replace(
            '": 1', '": {"amount": 1, "amount": 2}'
        ),
        "`amount` is there twice",
    ),
    "NUL": (json.dumps(payment(subject="a\0b")), "control character"),
    "a line feed": (json.dumps(payment(other="a\nb")), "control character"),
    "half a character": (json.dumps(payment(subject="\ud800")), "surrogate"),
    "half a character in fields": (
        json.dumps(reference_event("event.corrected", "c", "p", fields={"other": "\udfff"})),
        "surrogate",
    ),
    "half a character in a text of fields": (
        json.dumps(reference_event("event.corrected", "c", "p", fields='{"\\ud800": 1}')),
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


@pytest.mark.parametrize("kind", [NDJSON, "application/json"])
@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_refused_alone(shared_client: ContributorClient, name: str, kind: str) -> None:
    row, words = BAD_ROWS[name]
    good = json.dumps(payment(f"good {name} {kind}"))
    body = f"{good}\n{row}" if kind == NDJSON else f"[{good}, {row}]"
    report = shared_client.post(body.encode(), kind).json()
    assert results(report) == ["accepted", "refused"]
    assert words in report["rows"][1]["reason"]
    submission = shared_client.get(f"submissions/{report['id']}").json()
    assert [problem["row"] for problem in submission["problems"]] == [1]


texts = st.text(st.characters(codec="utf-8"), max_size=4)
values = st.one_of(
    st.none(), texts, st.integers(), st.booleans(), st.floats(), st.dictionaries(texts, st.integers(), max_size=2)
)
objects = st.dictionaries(st.one_of(st.sampled_from(json_rows.INPUT_COLUMNS), texts), values, max_size=4)
plain_rows = st.fixed_dictionaries(
    {"event_id": st.sampled_from(["a", "bé"])},
    optional={"amount": st.integers(-(2**64), 2**64), "subject": st.sampled_from(["x", ""]), "other": st.none()},
)
row_texts = st.one_of(
    plain_rows.map(lambda row: json.dumps(row, ensure_ascii=False)),
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


@settings(max_examples=by_effort(150, 5_000), deadline=None)
@given(st.lists(row_texts, min_size=1, max_size=4))
def test_the_fast_parser_agrees_with_the_careful_one(rows: list[str]) -> None:
    """The oracle parses each row by itself with Python's JSON. If all rows are plain, we parse a batch by columns."""
    raw = [row.encode(errors="surrogatepass") for row in rows]
    by_columns = json_rows._parse_plain(raw)
    if by_columns is None:
        return
    one_by_one = [json_rows._parse_row(row, STANDARD) for row in raw]
    assert all(isinstance(row, tuple) and not isinstance(row, json_rows.BadRow) for row in one_by_one)
    slow = json_rows.text_frame(json_rows.INPUT_COLUMNS, one_by_one)
    fast = by_columns.with_columns(pl.all().cast(pl.String))
    missing = {c: pl.lit(None, pl.String) for c in json_rows.INPUT_COLUMNS if c not in fast.columns}
    assert_frame_equal(fast.with_columns(**missing).select(json_rows.INPUT_COLUMNS), slow)
    assert set(by_columns.columns) <= set(SCHEMA)
