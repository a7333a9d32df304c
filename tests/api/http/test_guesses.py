"""The API, the loader and the command line reject ambiguous input with a hint, and do not guess."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api.runtime.context import AppContext
from api.settings.settings import settings
from engine.errors import Rejected
from graph.evidence.currencies import CURRENCY_DIGITS
from tests.api.loading import load, payments, rejects
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.order_client import OrderClient
from tests.api.terminal import environment, run_in_process

HEADER = "contributor,event_id,kind,subject,other,happened_at,amount,currency"
ROW = "bank,{id},payment.made,ann,shop,{at},{amount},{currency}"
HAPPENED_AT = "2024-03-01T09:30:00Z"


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
class TestOfTheApi:
    def post(self, client: MerchantClient, path: str, text: str, token: str | None = None) -> Any:
        headers = client.bearer(token or client.token) | {"Content-Type": "application/json"}
        return client.http.post(path, content=text, headers=headers)

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ('{"transaction_id": "t", "service": "hotel", "subject": "p", "amount": 1, "amount": 50000}', "amount"),
            ('{"service": "hotel", "amount": 5, "context": {"nights": 1, "nights": 2}}', "nights"),
            ('{"subject": "a", "\\u0073ubject": "b"}', "subject"),
        ],
    )
    def test_a_duplicate_key_is_refused(self, town: AppContext, body: str, where: str) -> None:
        problem = assert_problem(self.post(MerchantClient(town), "/v1/eligibility", body), 422, "bad_request")
        assert (problem["detail"], problem["where"], problem["hint"]) == (
            f"`{where}` is there twice",
            where,
            "keep one",
        )

    def test_duplicate_keys_in_any_body_or_query_are_refused(self, town: AppContext) -> None:
        client = OrderClient(town)
        bodies = {
            "/v1/consents": ('{"service": "hotel", "service": "car"}', client.token),
            "/v1/orders": ('{"risk_fund": {"amount": 1, "amount": 2}}', client.token),
            "/v1/me/consents": ('{"purpose": "perks", "purpose": "ads"}', client.person_token),
            "/v1/me/disputes": ('{"event_id": "a", "event_id": "b"}', client.person_token),
            "/v1/tokens": ('{"role": "merchant", "role": "admin"}', client.issue("admin", "ops")),
        }
        for path, (body, token) in bodies.items():
            assert (
                "is there twice" in assert_problem(self.post(client, path, body, token), 422, "bad_request")["detail"]
            ), path
        response = client.http.get("/v1/orders?limit=1&limit=2", headers=client.bearer(client.token))
        assert assert_problem(response, 422, "bad_request")["detail"] == "`limit` is there twice"

    def test_true_is_not_accepted_as_one_even_in_a_repeated_question(self, town: AppContext) -> None:
        client = MerchantClient(town)
        person = client.scored_person()
        question = {"transaction_id": "T-1", "context": {"nights": 1}}
        assert client.ask(person, **question).status_code == 200
        assert client.ask(person, **question).status_code == 200
        response = client.ask(person, **question | {"context": {"nights": True}})
        assert response.status_code in (409, 422), response.text
        assert client.ask(person, context={"nights": True}).json()["code"] == "bad_context"
        assert_problem(client.post_question(person, amount=True), 422, "bad_amount")

    @pytest.mark.parametrize(
        ("until", "message"),
        [
            ("2030-01-31T09:30:00", "should say its time zone"),
            ("2030-01-31", "should be a time with its zone and not a day"),
            (1_900_000_000, "should be a time written as text"),
            ("1900000000", "should be a time such as"),
            (True, "should be a time written as text"),
        ],
    )
    def test_a_moment_has_one_format(self, town: AppContext, until: object, message: str) -> None:
        client = MerchantClient(town)
        body = {"service": "hotel", "subject": "somebody", "classes": ["credit"], "until": until}
        problem = assert_problem(self.post(client, "/v1/consents", json.dumps(body)), 422, "bad_request")
        assert problem["detail"].startswith(f"`until` {message}")

    def test_times_of_orders_queries_and_days_have_one_format(self, town: AppContext) -> None:
        client = OrderClient(town)
        day = str((client.now - timedelta(days=1)).date())
        for moment in (day, f"{day}T10:00:00", 1_700_000_000):
            times = {"start_time": moment, "end_time": f"{day}T11:00:00Z"}
            problem = assert_problem(client.complete(time_range=times), 422, "bad_request")
            assert problem["where"] == "time_range.start_time"
        auditor = client.bearer(client.issue("supervisor", "auditor"))
        for moment in (day, f"{day}T10:00:00", "1700000000"):
            for name in ("from", "to"):
                response = client.http.get("/v1/audit/decisions", params={name: moment}, headers=auditor)
                assert assert_problem(response, 422, "bad_request")["where"] == name
        query = {"from": f"{day}T10:00:00+08:00"}
        assert client.http.get("/v1/audit/decisions", params=query, headers=auditor).status_code == 200
        for bad_day in (f"{day}T00:00:00", "1700000000", "2026-1-1"):
            response = client.http.get(f"/v1/reconciliation/{bad_day}", headers=client.bearer(client.token))
            assert assert_problem(response, 422, "bad_request")["detail"] == "`day` should be a day such as 2026-01-31"


class TestOfFiles:
    def test_ambiguous_times_currencies_and_repeated_keys_are_refused(
        self, sqlite_database: Engine, tmp_path: Path
    ) -> None:
        rows = [
            ROW.format(id="a", at=HAPPENED_AT, amount=1200, currency="CNY"),
            ROW.format(id="b", at="2024-03-01T09:30:00", amount=1200, currency="CNY"),
            ROW.format(id="c", at="2024-03-01", amount=1200, currency="CNY"),
            ROW.format(id="d", at=HAPPENED_AT, amount=1200, currency="RMB"),
            ROW.format(id="e", at=HAPPENED_AT, amount=1200, currency="XXX"),
            ROW.format(id="f", at=HAPPENED_AT, amount="true", currency="CNY"),
            ROW.format(id="g", at=HAPPENED_AT, amount=1200, currency="HRK"),
        ]
        path = tmp_path / "p.csv"
        path.write_text("\n".join([HEADER, *rows, ""]))
        report = load(sqlite_database, path)
        reasons = dict(rejects(report))
        assert (report.accepted, set(reasons)) == (2, {3, 4, 5, 6, 7})
        assert "does not say its time zone: write 2024-03-01T09:30:00Z" in reasons[3]
        assert "is a day and not a time" in reasons[4]
        assert reasons[5] == "`currency` `RMB` is not a currency of ISO 4217: use a code such as CNY"
        assert "`currency` `XXX`" in reasons[6]
        assert reasons[7] == "`amount` `true` is not a whole number"

    def test_a_column_of_times_without_a_zone_is_refused_before_the_first_row(
        self, sqlite_database: Engine, tmp_path: Path
    ) -> None:
        path = tmp_path / "p.parquet"
        frame = payments(3)
        frame.with_columns(frame["happened_at"].dt.replace_time_zone(None)).write_parquet(path)
        with pytest.raises(Rejected, match="the times of column `happened_at` have no time zone") as error:
            load(sqlite_database, path)
        assert error.value.hint == "write it with one: a timestamp in UTC"

    def test_ambiguous_json_lines_are_refused(self, sqlite_database: Engine, tmp_path: Path) -> None:
        row = {"contributor": "bank", "event_id": "a", "kind": "payment.made", "subject": "ann", "other": "shop"}
        good = json.dumps(row | {"happened_at": HAPPENED_AT, "amount": 1200, "currency": "CNY"})
        path = tmp_path / "p.ndjson"
        path.write_text("\n".join([good.replace("1200", "true"), good.replace("1200", '1, "amount": 2'), good, ""]))
        assert rejects(load(sqlite_database, path)) == [
            (1, "`amount` is not a whole number"),
            (2, "`amount` is there twice: keep one"),
        ]

    def test_ambiguous_fields_of_a_correction_are_refused(self, sqlite_database: Engine, tmp_path: Path) -> None:
        row = {
            "contributor": "bank",
            "kind": "event.corrected",
            "subject": "ann",
            "happened_at": HAPPENED_AT,
            "ref_event": "a",
        }
        texts = [
            '{"amount": 1, "amount": 2}',
            '{"amount": NaN}',
            '{"happened_at": "2024-03-01"}',
            '{"currency": "RMB"}',
        ]
        path = tmp_path / "p.ndjson"
        path.write_text("\n".join(json.dumps(row | {"event_id": f"c{n}", "fields": t}) for n, t in enumerate(texts)))
        reasons = [reason for _, reason in rejects(load(sqlite_database, path))]
        words = (
            "`amount` is there twice",
            "`fields` is not JSON",
            "ISO 8601 with a zone",
            "not a currency of ISO 4217",
        )
        assert [word in reason for word, reason in zip(words, reasons, strict=True)] == [True] * 4, reasons


class TestOfTheCommandLine:
    @pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
    def test_a_duplicate_field_is_refused(self, town_url: str) -> None:
        env = environment(IFTAH_DATABASE_URL=town_url)
        args = ("eligible", "ann", "--perk", "hotel", "--amount", "500", "--with", "nights=1", "--with", "nights=2")
        result = run_in_process(args, env)
        assert (result.returncode, "`nights` is there twice" in result.stderr) == (2, True), result.stderr

    def test_a_proof_with_a_duplicate_key_is_refused(self, tmp_path: Path) -> None:
        proof = tmp_path / "proof.json"
        proof.write_text('{"root": "00", "root": "11"}')
        result = run_in_process(("audit", "check-proof", str(proof), "--root", "00"), environment())
        assert (result.returncode, "`root` is there twice" in result.stderr) == (2, True), result.stderr

    def test_true_is_refused_as_a_number_in_the_settings_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "iftah.toml"
        file.write_text("workers = true\n")
        monkeypatch.setenv("IFTAH_CONFIG", str(file))
        with pytest.raises(Rejected, match="workers"):
            settings()


def test_the_currencies_are_those_of_iso_4217_with_their_digits() -> None:
    """List one of 2026-01-01 has 165 codes with minor units."""
    withdrawn = {"ANG", "BGN", "CUC", "HRK", "MRO", "SLL", "STD", "VEF", "ZWL"}
    assert len(set(CURRENCY_DIGITS) - withdrawn) == 165
    assert {code: CURRENCY_DIGITS[code] for code in ("CNY", "JPY", "KWD", "CLF", "CZK")} == {
        "CNY": 2,
        "JPY": 0,
        "KWD": 3,
        "CLF": 4,
        "CZK": 2,
    }
    assert {"XXX", "XTS", "XAU", "RMB", "CNH", "EURO", "cny"} & set(CURRENCY_DIGITS) == set()
