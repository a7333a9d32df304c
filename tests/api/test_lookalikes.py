"""An id that looks like another's is refused at every door: files and requests of events, questions, tokens, commands, settings."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from api.access import tokens
from api.cli import app
from api.database import open_database
from api.evidence.load import load_file
from api.settings import settings
from engine.errors import Refused
from tests.api.contributor.door import NOW, Door, payment
from tests.api.databases import Template
from tests.lookalikes import FAIR, SIGNS

IDS = ("event_id", "subject", "other", "obligation", "service", "ref_event", "ref_contributor", "order")
OF_KIND = {
    "obligation": {"kind": "obligation.settled", "other": None, "amount": None, "currency": None},
    "order": {"kind": "order.settled", "other": None, "amount": None, "currency": None},
    "service": {
        "kind": "consent.granted",
        "other": None,
        "amount": None,
        "currency": None,
        "purpose": "perks",
        "classes": "credit",
    },
    "ref_event": {"kind": "dispute.opened", "other": None, "amount": None, "currency": None},
    "ref_contributor": {"kind": "dispute.opened", "other": None, "amount": None, "currency": None, "ref_event": "p1"},
}


@pytest.fixture
def engine(empty: Template, tmp_path: Path) -> Iterator[Engine]:
    with empty.lent("", tmp_path) as url:
        engine = open_database(url)
        yield engine
        engine.dispose()


@pytest.fixture
def door(engine: Engine) -> Door:
    return Door(engine)


def event(field: str, value: str, number: int = 0) -> dict[str, Any]:
    row = payment(f"e{number}") | OF_KIND.get(field, {}) | {field: value}
    return {name: said for name, said in row.items() if said is not None}


def test_events_are_refused_for_each_id_that_looks_like_another(door: Door) -> None:
    rows = [(field, sign, said) for field in IDS for sign, said in SIGNS]
    for start in range(0, len(rows), 40):
        part = rows[start : start + 40]
        found = door.send(*(event(field, f"an{sign}n", n) for n, (field, sign, _) in enumerate(part)))
        for row, (field, _, said) in zip(found["rows"], part, strict=True):
            assert (row["result"], f"`{field}` " in row["reason"], said in row["reason"]) == ("refused", True, True), (
                row
            )


def test_names_of_any_script_are_taken(door: Door) -> None:
    found = door.send(*(event("subject", name, n) for n, name in enumerate(FAIR)))
    assert found["accepted"] == len(FAIR)


def test_a_correction_does_not_bring_one_in(door: Door) -> None:
    door.send(payment("p1"))
    fields = json.dumps({"other": "sho\u200bp"})
    row = {"event_id": "c", "kind": "event.corrected", "subject": "ann", "ref_event": "p1", "fields": fields}
    (said,) = door.send(row | {"happened_at": "2024-03-02T09:30:00Z"})["rows"]
    assert "in `fields`: `other` has a character that cannot be seen" in said["reason"]


def test_a_file_is_held_to_the_same(engine: Engine, tmp_path: Path) -> None:
    rows = [{"contributor": "bank", **event("subject", f"an{sign}n", n)} for n, (sign, _) in enumerate(SIGNS)]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = load_file(engine, file, now=lambda: NOW)
    assert (report.accepted, report.refused) == (0, len(SIGNS))


QUESTION = {"transaction_id": "N-1", "service": "hotel", "subject": "ann", "amount": 500}
BODIES: tuple[tuple[str, str, str, dict[str, Any], str], ...] = (
    ("merchant", "POST", "/v1/eligibility", QUESTION, "subject"),
    ("merchant", "POST", "/v1/consents", {"service": "hotel", "subject": "ann", "classes": ["credit"]}, "subject"),
    ("merchant", "PUT", "/v1/services/hotel", {"perk": "hotel"}, "perk"),
    ("subject", "POST", "/v1/me/disputes", {"contributor": "bank", "event_id": "p1"}, "event_id"),
    ("subject", "POST", "/v1/me/disputes", {"contributor": "bank", "event_id": "p1"}, "contributor"),
    ("admin", "POST", "/v1/tokens", {"role": "merchant", "party": "inn"}, "party"),
    ("admin", "POST", "/v1/tokens", {"role": "merchant", "party": "inn", "name": "till"}, "name"),
)


@pytest.mark.parametrize(
    ("role", "method", "path", "body", "field"), BODIES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_request_that_names_one_is_refused(
    door: Door, role: str, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    for sign, said in SIGNS:
        put = {**body, field: f"{body[field]}{sign}x"}
        answer = door.client.request(method, path, json=put, headers=door.bearer("someone", role))
        assert answer.status_code == 422, (sign, answer.text)
        assert said in answer.json()["detail"] or "characters that do not belong" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query", ["/v1/me/raise?perk=", "/v1/audit/decisions?merchant=", "/v1/audit/decisions?perk=", "/v1/tokens?party="]
)
def test_so_is_an_address_that_does(door: Door, query: str) -> None:
    role = "subject" if "/me/" in query else "supervisor" if "/audit/" in query else "admin"
    answer = door.client.get(f"{query}ho%E2%80%8Btel", headers=door.bearer("someone", role))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_request")


@pytest.mark.parametrize("party", ["operator ", " operator", "oper\u200bator", "Andre\u0301", "\u202einn"])
def test_nobody_has_a_token_for_one(engine: Engine, party: str) -> None:
    with pytest.raises(Refused) as told:
        tokens.issue(engine, "merchant", party, "till", NOW, NOW + timedelta(days=1))
    assert told.value.code == "bad_party"
    with pytest.raises(Refused):
        tokens.issue(engine, "merchant", "inn", party, NOW, NOW + timedelta(days=1))


def test_commands_and_settings_take_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IFTAH_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    for words in (["explain", "an\u200bn"], ["graph", "ann ", "--out", str(tmp_path / "a.svg")]):
        told = CliRunner().invoke(app, words)
        assert isinstance(told.exception, Refused)
        assert told.exception.where == "PERSON"
    monkeypatch.setenv("IFTAH_OIDC_AUDIENCE", "iftah\u200b")
    with pytest.raises(Refused, match="cannot be seen"):
        settings()
