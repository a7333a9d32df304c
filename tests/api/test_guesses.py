"""What could be read in two ways is refused with what to write, and not guessed: by the API, the loader and the command line."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from api.settings import settings
from api.world import World
from engine.errors import Refused
from graph.currencies import DIGITS
from tests.api.door import Door, refused
from tests.api.loading import load, payments, rejects
from tests.api.ordering import Counter
from tests.api.terminal import environment, in_process

HEADER = "contributor,event_id,kind,subject,other,happened_at,amount,currency"
ROW = "bank,{id},payment.made,ann,shop,{at},{amount},{currency}"
AT = "2024-03-01T09:30:00Z"


@pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
class TestOfTheApi:
    def post(self, door: Door, path: str, text: str, token: str | None = None) -> Any:
        headers = door.bearer(token or door.token) | {"Content-Type": "application/json"}
        return door.client.post(path, content=text, headers=headers)

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            ('{"transaction_id": "t", "service": "hotel", "subject": "p", "amount": 1, "amount": 50000}', "amount"),
            ('{"service": "hotel", "amount": 5, "context": {"nights": 1, "nights": 2}}', "nights"),
            ('{"subject": "a", "\\u0073ubject": "b"}', "subject"),
        ],
    )
    def test_a_key_that_is_there_twice_is_refused(self, town: World, body: str, where: str) -> None:
        problem = refused(self.post(Door(town), "/v1/eligibility", body), 422, "bad_request")
        assert (problem["detail"], problem["where"], problem["hint"]) == (
            f"`{where}` is there twice",
            where,
            "keep one",
        )

    def test_also_in_every_other_body_and_in_the_address(self, town: World) -> None:
        counter = Counter(town)
        bodies = {
            "/v1/consents": ('{"service": "hotel", "service": "car"}', counter.token),
            "/v1/orders": ('{"risk_fund": {"amount": 1, "amount": 2}}', counter.token),
            "/v1/me/consents": ('{"purpose": "perks", "purpose": "ads"}', counter.me),
            "/v1/me/disputes": ('{"event_id": "a", "event_id": "b"}', counter.me),
            "/v1/tokens": ('{"role": "merchant", "role": "admin"}', counter.issue("admin", "ops")),
        }
        for path, (body, token) in bodies.items():
            assert "is there twice" in refused(self.post(counter, path, body, token), 422, "bad_request")["detail"], (
                path
            )
        twice = counter.client.get("/v1/orders?limit=1&limit=2", headers=counter.bearer(counter.token))
        assert refused(twice, 422, "bad_request")["detail"] == "`limit` is there twice"

    def test_true_is_not_one_also_where_a_question_is_asked_again(self, town: World) -> None:
        door = Door(town)
        person = door.anyone()
        question = {"transaction_id": "T-1", "context": {"nights": 1}}
        assert door.ask(person, **question).status_code == 200
        assert door.ask(person, **question).status_code == 200
        again = door.ask(person, **question | {"context": {"nights": True}})
        assert again.status_code in (409, 422), again.text
        assert door.ask(person, context={"nights": True}).json()["code"] == "bad_context"
        refused(door.put(person, amount=True), 422, "bad_amount")

    @pytest.mark.parametrize(
        ("until", "said"),
        [
            ("2030-01-31T09:30:00", "should say its time zone"),
            ("2030-01-31", "should be a time with its zone and not a day"),
            (1_900_000_000, "should be a time written as text"),
            ("1900000000", "should be a time such as"),
            (True, "should be a time written as text"),
        ],
    )
    def test_a_moment_is_read_in_one_way(self, town: World, until: object, said: str) -> None:
        door = Door(town)
        body = {"service": "hotel", "subject": "somebody", "classes": ["credit"], "until": until}
        problem = refused(self.post(door, "/v1/consents", json.dumps(body)), 422, "bad_request")
        assert problem["detail"].startswith(f"`until` {said}")

    def test_so_are_those_of_orders_of_addresses_and_days(self, town: World) -> None:
        counter = Counter(town)
        day = str((counter.now - timedelta(days=1)).date())
        for moment in (day, f"{day}T10:00:00", 1_700_000_000):
            times = {"start_time": moment, "end_time": f"{day}T11:00:00Z"}
            problem = refused(counter.complete(time_range=times), 422, "bad_request")
            assert problem["where"] == "time_range.start_time"
        auditor = counter.bearer(counter.issue("supervisor", "auditor"))
        for moment in (day, f"{day}T10:00:00", "1700000000"):
            for name in ("from", "to"):
                answer = counter.client.get("/v1/audit/decisions", params={name: moment}, headers=auditor)
                assert refused(answer, 422, "bad_request")["where"] == name
        asked = {"from": f"{day}T10:00:00+08:00"}
        assert counter.client.get("/v1/audit/decisions", params=asked, headers=auditor).status_code == 200
        for wrong in (f"{day}T00:00:00", "1700000000", "2026-1-1"):
            answer = counter.client.get(f"/v1/reconciliation/{wrong}", headers=counter.bearer(counter.token))
            assert refused(answer, 422, "bad_request")["detail"] == "`day` should be a day such as 2026-01-31"


class TestOfFiles:
    def test_times_currencies_and_repeated_keys(self, sqlite: Engine, tmp_path: Path) -> None:
        rows = [
            ROW.format(id="a", at=AT, amount=1200, currency="CNY"),
            ROW.format(id="b", at="2024-03-01T09:30:00", amount=1200, currency="CNY"),
            ROW.format(id="c", at="2024-03-01", amount=1200, currency="CNY"),
            ROW.format(id="d", at=AT, amount=1200, currency="RMB"),
            ROW.format(id="e", at=AT, amount=1200, currency="XXX"),
            ROW.format(id="f", at=AT, amount="true", currency="CNY"),
            ROW.format(id="g", at=AT, amount=1200, currency="HRK"),
        ]
        path = tmp_path / "p.csv"
        path.write_text("\n".join([HEADER, *rows, ""]))
        report = load(sqlite, path)
        told = dict(rejects(report))
        assert (report.accepted, set(told)) == (2, {3, 4, 5, 6, 7})
        assert "does not say its time zone: write 2024-03-01T09:30:00Z" in told[3]
        assert "is a day and not a time" in told[4]
        assert told[5] == "`currency` `RMB` is not a currency of ISO 4217: use a code such as CNY"
        assert "`currency` `XXX`" in told[6]
        assert told[7] == "`amount` `true` is not a whole number"

    def test_a_column_of_times_without_a_zone_is_refused_before_the_first_row(
        self, sqlite: Engine, tmp_path: Path
    ) -> None:
        path = tmp_path / "p.parquet"
        frame = payments(3)
        frame.with_columns(frame["happened_at"].dt.replace_time_zone(None)).write_parquet(path)
        with pytest.raises(Refused, match="the times of column `happened_at` have no time zone") as error:
            load(sqlite, path)
        assert error.value.hint == "write it with one: a timestamp in UTC"

    def test_json_lines(self, sqlite: Engine, tmp_path: Path) -> None:
        row = {"contributor": "bank", "event_id": "a", "kind": "payment.made", "subject": "ann", "other": "shop"}
        good = json.dumps(row | {"happened_at": AT, "amount": 1200, "currency": "CNY"})
        path = tmp_path / "p.ndjson"
        path.write_text("\n".join([good.replace("1200", "true"), good.replace("1200", '1, "amount": 2'), good, ""]))
        assert rejects(load(sqlite, path)) == [
            (1, "`amount` is not a whole number"),
            (2, "`amount` is there twice: keep one"),
        ]

    def test_the_fields_of_a_correction(self, sqlite: Engine, tmp_path: Path) -> None:
        row = {"contributor": "bank", "kind": "event.corrected", "subject": "ann", "happened_at": AT, "ref_event": "a"}
        texts = [
            '{"amount": 1, "amount": 2}',
            '{"amount": NaN}',
            '{"happened_at": "2024-03-01"}',
            '{"currency": "RMB"}',
        ]
        path = tmp_path / "p.ndjson"
        path.write_text("\n".join(json.dumps(row | {"event_id": f"c{n}", "fields": t}) for n, t in enumerate(texts)))
        told = [reason for _, reason in rejects(load(sqlite, path))]
        words = (
            "`amount` is there twice",
            "`fields` is not JSON",
            "ISO 8601 with a zone",
            "not a currency of ISO 4217",
        )
        assert [word in reason for word, reason in zip(words, told, strict=True)] == [True] * 4, told


class TestOfTheCommandLine:
    @pytest.mark.parametrize("town_url", ["sqlite"], indirect=True)
    def test_a_field_that_is_there_twice(self, town_url: str) -> None:
        env = environment(IFTAH_DATABASE_URL=town_url)
        words = ("eligible", "ann", "--perk", "hotel", "--amount", "500", "--with", "nights=1", "--with", "nights=2")
        done = in_process(words, env)
        assert (done.returncode, "`nights` is there twice" in done.stderr) == (2, True), done.stderr

    def test_a_proof_with_a_key_twice(self, tmp_path: Path) -> None:
        proof = tmp_path / "proof.json"
        proof.write_text('{"root": "00", "root": "11"}')
        done = in_process(("audit", "check-proof", str(proof), "--root", "00"), environment())
        assert (done.returncode, "`root` is there twice" in done.stderr) == (2, True), done.stderr

    def test_true_as_a_number_of_the_settings_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "iftah.toml"
        file.write_text("workers = true\n")
        monkeypatch.setenv("IFTAH_CONFIG", str(file))
        with pytest.raises(Refused, match="workers"):
            settings()


def test_the_currencies_are_those_of_iso_4217_with_their_digits() -> None:
    """List one of 2026-01-01 has 165 codes with minor units."""
    withdrawn = {"ANG", "BGN", "CUC", "HRK", "MRO", "SLL", "STD", "VEF", "ZWL"}
    assert len(set(DIGITS) - withdrawn) == 165
    assert {code: DIGITS[code] for code in ("CNY", "JPY", "KWD", "CLF", "CZK")} == {
        **{"CNY": 2, "JPY": 0, "KWD": 3, "CLF": 4, "CZK": 2},
    }
    assert {"XXX", "XTS", "XAU", "RMB", "CNH", "EURO", "cny"} & set(DIGITS) == set()
