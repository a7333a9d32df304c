"""We reject lookalike ids everywhere: in files and requests of events, questions, tokens, commands and settings."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from api.access import tokens
from api.cli.main import app
from api.evidence.load import load_file
from api.settings.settings import settings
from api.store.database import open_database
from engine.errors import Rejected
from tests.api.database_templates import Template
from tests.api.evidence.contributor.contributor_client import NOW, ContributorClient, payment
from tests.lookalikes import SIGNS, VALID_NAMES

ID_FIELDS = ("event_id", "subject", "other", "obligation", "service", "ref_event", "ref_contributor", "order")
FIELDS_OF_KIND = {
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
def database(empty_template: Template, tmp_path: Path) -> Iterator[Engine]:
    with empty_template.lend("", tmp_path) as url:
        database = open_database(url)
        yield database
        database.dispose()


@pytest.fixture
def client(database: Engine) -> ContributorClient:
    return ContributorClient(database)


def event_with(field: str, value: str, number: int = 0) -> dict[str, Any]:
    row = payment(f"e{number}") | FIELDS_OF_KIND.get(field, {}) | {field: value}
    return {name: content for name, content in row.items() if content is not None}


def test_events_with_a_lookalike_id_are_refused(client: ContributorClient) -> None:
    rows = [(field, sign, reason) for field in ID_FIELDS for sign, reason in SIGNS]
    for start in range(0, len(rows), 40):
        batch = rows[start : start + 40]
        report = client.send(*(event_with(field, f"an{sign}n", n) for n, (field, sign, _) in enumerate(batch)))
        for row, (field, _, reason) in zip(report["rows"], batch, strict=True):
            assert (row["result"], f"`{field}` " in row["reason"], reason in row["reason"]) == (
                "refused",
                True,
                True,
            ), row


def test_ids_in_any_script_are_accepted(client: ContributorClient) -> None:
    report = client.send(*(event_with("subject", name, n) for n, name in enumerate(VALID_NAMES)))
    assert report["accepted"] == len(VALID_NAMES)


def test_a_correction_cannot_set_a_lookalike_id(client: ContributorClient) -> None:
    client.send(payment("p1"))
    fields = json.dumps({"other": "sho\u200bp"})
    row = {"event_id": "c", "kind": "event.corrected", "subject": "ann", "ref_event": "p1", "fields": fields}
    (result,) = client.send(row | {"happened_at": "2024-03-02T09:30:00Z"})["rows"]
    assert "in `fields`: `other` has a character that cannot be seen" in result["reason"]


def test_a_file_with_lookalike_ids_is_refused(database: Engine, tmp_path: Path) -> None:
    rows = [{"contributor": "bank", **event_with("subject", f"an{sign}n", n)} for n, (sign, _) in enumerate(SIGNS)]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = load_file(database, file, now=lambda: NOW)
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
def test_a_request_body_with_a_lookalike_id_is_refused(
    client: ContributorClient, role: str, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    for sign, reason in SIGNS:
        payload = {**body, field: f"{body[field]}{sign}x"}
        response = client.http.request(method, path, json=payload, headers=client.bearer("someone", role))
        assert response.status_code == 422, (sign, response.text)
        assert reason in response.json()["detail"] or "characters that do not belong" in response.json()["detail"]


@pytest.mark.parametrize(
    "query",
    ["/v1/me/recourse?perk=", "/v1/audit/decisions?merchant=", "/v1/audit/decisions?perk=", "/v1/tokens?party="],
)
def test_a_url_with_a_lookalike_id_is_refused(client: ContributorClient, query: str) -> None:
    role = "subject" if "/me/" in query else "supervisor" if "/audit/" in query else "admin"
    response = client.http.get(f"{query}ho%E2%80%8Btel", headers=client.bearer("someone", role))
    assert (response.status_code, response.json()["code"]) == (422, "bad_request")


@pytest.mark.parametrize("party", ["operator ", " operator", "oper\u200bator", "Andre\u0301", "\u202einn"])
def test_no_token_is_issued_for_a_lookalike_id(database: Engine, party: str) -> None:
    with pytest.raises(Rejected) as error:
        tokens.issue(database, "merchant", party, "till", NOW, NOW + timedelta(days=1))
    assert error.value.code == "bad_party"
    with pytest.raises(Rejected):
        tokens.issue(database, "merchant", "inn", party, NOW, NOW + timedelta(days=1))


def test_commands_and_settings_reject_lookalike_ids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IFTAH_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    for args in (["explain", "an\u200bn"], ["draw", "ann ", "--out", str(tmp_path / "a.svg")]):
        result = CliRunner().invoke(app, args)
        assert isinstance(result.exception, Rejected)
        assert result.exception.where == "PERSON"
    monkeypatch.setenv("IFTAH_OIDC_AUDIENCE", "iftah\u200b")
    with pytest.raises(Rejected, match="cannot be seen"):
        settings()
