"""The operator's figures over HTTP: what waits, what happened, who sends evidence and who calls; each against its own rows."""

import base64
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from api.evidence import contributor_sums, ledger
from api.http import metrics
from api.jobs.order_clock import tick_orders
from api.runtime.context import AppContext
from api.store.clock import iso, micros, moment
from api.store.database import reading, writing
from api.store.tables import DISPUTES, EVENTS, MESSAGES, REVIEWS
from api.supervision import daily_sums
from tests.api.merchant_client import assert_problem
from tests.api.order_client import OrderClient
from tests.api.town import NOW, event

DAY = timedelta(days=1)
CSV = (
    "id,customer,at,total\n1,ann,2025-12-03T09:30:00,1200\n2,ben,2025-12-04T10:00:00Z,x\n3,ann,2025-12-05T10:00:00,7\n"
)
MAP = """\
kind: map
set:
  contributor: {value: shop}
  subject: customer
  other: {value: shop}
  happened_at: {column: at, zone: UTC}
  currency: {value: CNY}
  amount: total
  event_id: "{id}"
events:
  - kind: payment.made
    set:
      category: {value: groceries}
"""


class OperatorClient(OrderClient):
    """An operator beside a merchant and its guest."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context, callback="https://inn.example/hook")
        self.operator = self.issue("operator", "mei")

    def read(self, path: str, token: str | None = None) -> Any:
        answer = self.http.get(f"/v1{path}", headers=self.bearer(token or self.operator))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, path: str, body: dict[str, Any], token: str | None = None) -> Any:
        return self.http.post(f"/v1{path}", json=body, headers=self.bearer(token or self.operator))

    def upload(self, content: str = CSV, map_text: str = MAP, name: str = "orders.csv", **more: Any) -> dict[str, Any]:
        return {"name": name, "content": base64.b64encode(content.encode()).decode(), "map": map_text, **more}


@pytest.fixture
def client(town: AppContext) -> OperatorClient:
    return OperatorClient(town)


def test_the_monitor_counts_each_answer_on_its_day(client: OperatorClient) -> None:
    people = [str(p) for p in client.scores["person"]][:12]
    answers = []
    for n, person in enumerate(people):
        client.now = NOW + n % 3 * DAY
        answers.append((n % 3, client.ask(person).json()["outcome"]))
    client.now = NOW + 2 * DAY
    for _ in range(2):  # by the reader alone, then by the job
        figures = client.read("/monitor?days=3")["answers"]
        days = figures["days"]
        assert [sum(day["outcomes"].values()) for day in days] == [4, 4, 4]
        for n, day in enumerate(days):
            assert {k: v for k, v in day["outcomes"].items() if v} == Counter(o for d, o in answers if d == n)
        hotel = next(perk for perk in figures["perks"] if perk["perk"] == "hotel")
        admitted = Counter(o for _, o in answers)["ADMIT"]
        assert hotel["admit_rate"] == pytest.approx(admitted / len(answers))
        for n, rate in enumerate(hotel["admit_rates"]):  # of the seven days up to each
            until = [outcome for day, outcome in answers if day <= n]
            assert rate == pytest.approx(until.count("ADMIT") / len(until))
        assert figures["behind"] == 0
        daily_sums.add_new(client.context.database, client.context.release.timezone)
    assert sum(sum(day["outcomes"].values()) for day in client.read("/monitor?days=1")["answers"]["days"]) == 4


def test_an_admit_rate_counts_seven_days_and_no_more(client: OperatorClient) -> None:
    person, other = client.scored_person(650), client.unscored_person()
    client.ask(person)
    client.now = NOW + 7 * DAY
    client.ask(other)
    client.now = NOW + 8 * DAY
    perks = client.read("/monitor?days=9")["answers"]["perks"]
    rates = next(perk["admit_rates"] for perk in perks if perk["perk"] == "hotel")
    assert rates == [1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert next(
        p["admit_rates"] for p in client.read("/monitor?days=2")["answers"]["perks"] if p["perk"] == "hotel"
    ) == [0, 0]


def test_a_long_window_is_counted_by_week(client: OperatorClient) -> None:
    person = client.scored_person()
    for day in (0, 3, 7, 13, 14):
        client.now = NOW + day * DAY
        client.ask(person)
    for days, step in ((120, 1), (121, 7), (366, 7)):
        answers = client.read(f"/monitor?days={days}")["answers"]
        assert answers["step_days"] == step
        assert len(answers["days"]) == -(-days // step)
        assert sum(sum(day["outcomes"].values()) for day in answers["days"]) == 5
        assert all(len(perk["admit_rates"]) == len(answers["days"]) for perk in answers["perks"])
    client.now = NOW + 20 * DAY
    weeks = client.read("/monitor?days=126")["answers"]["days"][-3:]  # 18 whole weeks: the last three begin at NOW
    assert [(week["day"], sum(week["outcomes"].values())) for week in weeks] == [
        (f"{(NOW + 7 * n * DAY).date()}", count) for n, count in enumerate((2, 2, 1))
    ]


def test_an_overdue_order_counts_in_the_band_in_which_we_admitted(client: OperatorClient) -> None:
    band = client.scores.filter(client.scores["person"] == client.person)["band"][0]
    client.create_due_order("O-1")
    client.post_action("O-1", "pay")
    client.create_due_order("O-2")
    tick_orders(client.context, client.advance(days=8))
    assert client.state("O-2") == "overdue"
    hidden = client.read("/monitor?days=30")["outcomes"]
    assert hidden["hidden"] == [band]  # two orders are too few to show
    assert band not in [one["band"] for one in hidden["calibration"]["bands"]]


def test_a_band_of_enough_orders_shows_its_rate_and_the_year_before(
    client: OperatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IFTAH_REPORT_SMALLEST_GROUP", "2")
    band = client.scores.filter(client.scores["person"] == client.person)["band"][0]
    for number in ("O-1", "O-2"):
        client.create_due_order(number)
        client.post_action(number, "pay")
    client.advance(days=40)
    client.create_due_order("O-3")
    client.post_action("O-3", "pay")
    client.create_due_order("O-4")
    tick_orders(client.context, client.advance(days=8))
    outcomes = client.read("/monitor?days=30")["outcomes"]
    rates = {one["band"]: one for one in outcomes["calibration"]["bands"]}
    assert (rates[band]["count"], rates[band]["bad"], rates[band]["rate"]) == (2, 1, 0.5)
    assert rates[band]["expected"] == 0
    assert outcomes["reference_orders"] == 2


def test_latencies_are_read_from_the_process(client: OperatorClient) -> None:
    client.read("/monitor")
    rows = {(row["method"], row["route"]): row for row in client.read("/monitor")["latencies"]}
    row = rows["GET", "/v1/monitor"]
    assert row["requests"] >= 1
    assert 0 < row["median"] <= row["p95"] <= row["p99"]


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({1.0: 0, 2.0: 100, float("inf"): 100}, 0.5, 1.5),
        ({1.0: 50, 2.0: 100, float("inf"): 100}, 0.25, 0.5),
        ({1.0: 50, 2.0: 90, float("inf"): 100}, 0.95, None),
        ({1.0: 10, 2.0: 10, float("inf"): 10}, 1.0, 1.0),
    ],
)
def test_quantiles_are_those_of_prometheus(counts: dict[float, float], share: float, expected: float | None) -> None:
    """As its documentation of `histogram_quantile`: linear within a bucket."""
    assert metrics._quantile(counts, share) == expected


def test_the_population_of_a_first_build_has_no_reference(client: OperatorClient) -> None:
    drift = client.read("/monitor/population")["drift"]
    assert drift["reference"] is None
    assert drift["build"]["people"] == client.scores.height
    assert sum(b["people"] or 0 for b in drift["score"]["bins"]) <= client.scores.height


def test_today_shows_what_waits_the_most_urgent_first(client: OperatorClient) -> None:
    client.create_due_order("O-1")
    with writing(client.context.database) as connection:
        for n, days in enumerate((5, -1, 9)):
            due = micros(client.now + days * DAY)
            case = {"id": f"{n:016x}", "subject": "p", "due_at": due}
            dispute = {"contributor": "bank", "event_id": str(n), "opened_at": 0}
            connection.execute(insert(DISPUTES).values(case | dispute))
            connection.execute(insert(REVIEWS).values(case | {"decision": str(n), "asked_at": 0}))
        connection.execute(update(REVIEWS).where(REVIEWS.c.id == f"{1:016x}").values(answered_at=1, outcome="stands"))
        connection.execute(update(MESSAGES).values(state="failed"))
        failed = len(connection.execute(select(MESSAGES.c.id)).all())
    today = client.read("/today")
    assert (today["disputes"]["waiting"], today["disputes"]["overdue"]) == (3, 1)
    assert [case["id"][-1] for case in today["disputes"]["first"]] == ["1", "0", "2"]
    assert (today["reviews"]["waiting"], today["reviews"]["overdue"]) == (2, 0)
    alarms = {alarm["alarm"]: alarm for alarm in today["alarms"]}
    assert alarms["callbacks_failed"]["count"] == failed > 0
    assert alarms["cases_overdue"]["count"] == 1
    assert today["release"]["id"] == client.context.release.id
    assert sum(sum(day["outcomes"].values()) for day in today["answers"]["days"]) == 1


def test_an_approver_reads_today_and_a_supervisor_the_monitor(client: OperatorClient) -> None:
    approver, supervisor = client.issue("approver", "tom"), client.issue("supervisor", "sue")
    assert client.read("/today", approver)["party"] == "tom"
    for token in (approver, supervisor):
        client.read("/monitor", token)
        client.read("/monitor/population", token)
        client.read("/evidence/contributors", token)
    refused = client.http.get("/v1/today", headers=client.bearer(supervisor))
    assert_problem(refused, 403, "wrong_role")


def test_contributors_are_counted_by_kind_in_any_number_of_steps(
    client: OperatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> None:
        with reading(client.context.database) as connection:
            rows = connection.execute(select(EVENTS.c.contributor, EVENTS.c.kind, EVENTS.c.happened_at)).all()
        expected = Counter((row.contributor, row.kind) for row in rows if row.contributor != "iftah")
        items = client.read("/evidence/contributors")["items"]
        assert {(one["contributor"], k["kind"]): k["events"] for one in items for k in one["kinds"]} == expected
        assert all(one["events"] == sum(k["events"] for k in one["kinds"]) for one in items)
        newest = {one["contributor"]: one["last_happened_at"] for one in items}
        for contributor in newest:
            last = max(row.happened_at for row in rows if row.contributor == contributor)
            assert newest[contributor] == iso(moment(last))

    check()
    monkeypatch.setattr(contributor_sums, "BATCH", 1 + client.scores.height * 20)
    while contributor_sums.add_new(client.context.database):
        pass
    check()
    ledger.append(
        client.context.database, event("person.enrolled", "zoe", event_id="zoe", identity_level=1), client.now
    )
    check()


def test_evidence_is_stale_after_a_month_without_news(client: OperatorClient) -> None:
    assert not any(one["stale"] for one in client.read("/evidence/contributors")["items"])
    client.advance(days=32)
    assert all(one["stale"] for one in client.read("/evidence/contributors")["items"])
    alarms = [alarm["detail"] for alarm in client.read("/today")["alarms"] if alarm["alarm"] == "evidence_stale"]
    assert alarms == [one["contributor"] for one in client.read("/evidence/contributors")["items"]]


def test_an_operator_sees_what_arrived_and_why_rows_were_refused(client: OperatorClient) -> None:
    good = {"event_id": "e-1", "kind": "person.enrolled", "subject": "zoe", "happened_at": "2025-12-01T00:00:00Z"}
    for party, rows in (("bank", [good | {"identity_level": 1}]), ("shop", [good | {"identity_level": 9}])):
        answer = client.send("/events", {"events": rows}, client.issue("contributor", party))
        assert answer.status_code == 200, answer.text
        client.advance(minutes=1)
    items = client.read("/evidence/submissions")["items"]
    assert [(one["contributor"], one["accepted"], one["refused"]) for one in items] == [("shop", 0, 1), ("bank", 1, 0)]
    refused = client.read("/evidence/submissions?refused=true")["items"]
    assert [one["contributor"] for one in refused] == ["shop"]
    details = client.read(f"/evidence/submissions/{refused[0]['id']}")
    assert [(row["row"], row["event_id"]) for row in details["problems"]] == [(0, "e-1")]
    assert client.read("/evidence/submissions?contributor=bank")["items"][0]["accepted"] == 1
    first = client.read("/evidence/submissions?limit=1")
    assert [one["contributor"] for one in client.read(f"/evidence/submissions?after={first['next']}")["items"]] == [
        "bank"
    ]


def _payments(client: OperatorClient) -> list[str]:
    with reading(client.context.database) as connection:
        query = select(EVENTS.c.event_id).where(EVENTS.c.contributor == "shop", EVENTS.c.kind == "payment.made")
        return sorted(connection.execute(query).scalars())


def test_a_dry_run_writes_nothing_and_its_receipt_imports_the_file(client: OperatorClient) -> None:
    before = _payments(client)
    report = client.send("/evidence/imports/dry-run", client.upload()).json()
    assert (report["accepted"], report["refused"], report["mistakes"]) == (2, 1, [])
    assert [(p["rows"], p["first_line"]) for p in report["problems"]] == [(1, 3)]
    assert report["first_events"][0]["subject"] == "ann"
    assert _payments(client) == before
    imported = client.send("/evidence/imports", client.upload(receipt=report["receipt"])).json()
    assert (imported["accepted"], imported["refused"], imported["receipt"]) == (2, 1, None)
    assert _payments(client) == sorted([*before, "1", "3"])
    repetition = client.send("/evidence/imports", client.upload(receipt=report["receipt"])).json()
    assert (repetition["accepted"], repetition["duplicates"]) == (0, 2)


def test_no_receipt_is_good_for_another_file_map_party_or_day(client: OperatorClient) -> None:
    receipt = client.send("/evidence/imports/dry-run", client.upload()).json()["receipt"]
    other = client.issue("operator", "tom")
    for body, token in (
        (client.upload(CSV + "4,ann,2025-12-06T10:00:00,8\n", receipt=receipt), None),
        (client.upload(map_text=MAP + "# changed\n", receipt=receipt), None),
        (client.upload(name="other.csv", receipt=receipt), None),
        (client.upload(receipt=receipt), other),
        (client.upload(receipt="0" * 64), None),
    ):
        assert_problem(client.send("/evidence/imports", body, token), 409, "no_dry_run")
    client.advance(days=1)
    assert client.send("/evidence/imports", client.upload(receipt=receipt)).status_code == 200
    client.advance(days=1)
    assert_problem(client.send("/evidence/imports", client.upload(receipt=receipt)), 409, "no_dry_run")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"map_text": "kind: maps"}, "this is not an import map"),
        ({"map_text": MAP.replace("amount: total", "amount: tital")}, "tital"),
        ({"map_text": MAP.replace("payment.made", "consent.granted")}, "consent.granted"),
        ({"map_text": MAP.replace("payment.made", "event.retracted")}, "event.retracted"),
        ({"map_text": MAP.replace("{value: shop}\n  subject", "{value: iftah}\n  subject")}, "one contributor"),
        ({"map_text": MAP.replace("contributor: {value: shop}", "contributor: customer")}, "one contributor"),
        ({"name": "orders.csv.gz"}, "cannot be read here"),
        ({"name": "orders.parquet"}, "cannot be read here"),
        ({"content": ""}, ""),
        ({"content": "\x00\x01", "name": "a.json"}, ""),
    ],
)
def test_a_bad_map_or_file_is_explained_and_gets_no_receipt(
    client: OperatorClient, change: dict[str, str], part: str
) -> None:
    answer = client.send("/evidence/imports/dry-run", client.upload(**change))
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["receipt"] is None
    assert part in " ".join(report["mistakes"])
    assert report["mistakes"] or report["refused"]
    assert "/tmp" not in answer.text
    assert "iftah-upload" not in answer.text


def test_content_that_is_no_base64_is_refused(client: OperatorClient) -> None:
    body = client.upload() | {"content": "not base64!"}
    assert_problem(client.send("/evidence/imports/dry-run", body), 422, "bad_request")


def test_an_operator_sees_tokens_without_secrets_and_without_people(client: OperatorClient) -> None:
    admin = client.issue("admin", "ada")
    for token in (client.operator, admin):
        items = client.read("/callers/tokens", token)["items"]
        assert {(one["role"], one["party"]) for one in items} >= {("merchant", "inn"), ("operator", "mei")}
        assert not [one for one in items if one["role"] == "subject"]
        assert client.read("/callers/tokens?role=subject", token)["items"] == []
    assert "iftah_" not in client.http.get("/v1/callers/tokens", headers=client.bearer(admin)).text
    assert_problem(client.http.get("/v1/tokens", headers=client.bearer(client.operator)), 403, "wrong_role")


def test_an_operator_sees_the_services_of_all_merchants_page_by_page(client: OperatorClient) -> None:
    for merchant in ("a-inn", "z-inn"):
        for service in ("hotel", "car"):
            client.sign_up(client.issue("merchant", merchant), service)
    client.sign_up(client.issue("merchant", "a-inn"), "hotel", perk="bicycle")
    names, after = [], ""
    while True:
        page = client.read(f"/callers/services?limit=2{after}")
        names += [(one["name"], one["merchant"], one["version"]) for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    expected = [("a-inn/car", 1), ("a-inn/hotel", 2), ("inn/hotel", 1), ("z-inn/car", 1), ("z-inn/hotel", 1)]
    assert names == [(name, name.partition("/")[0], version) for name, version in expected]


def test_an_operator_resends_a_callback_that_was_given_up(client: OperatorClient) -> None:
    client.create_due_order("O-1")
    with writing(client.context.database) as connection:
        connection.execute(update(MESSAGES).values(state="failed", attempts=16))
    failed = client.read("/callers/callbacks")["items"]
    assert {one["merchant"] for one in failed} == {"inn"}
    assert "body" not in failed[0]
    answer = client.send(f"/callers/callbacks/{failed[0]['id']}/resend", {})
    assert (answer.status_code, answer.json()["state"], answer.json()["attempts"]) == (200, "waiting", 0)
    assert [one["id"] for one in client.read("/callers/callbacks?state=waiting")["items"]] == [failed[0]["id"]]
    assert len(client.read("/callers/callbacks")["items"]) == len(failed) - 1
    pages = client.read("/callers/callbacks?limit=1")
    following = client.read(f"/callers/callbacks?limit=200&after={pages['next']}")["items"] if pages["next"] else []
    assert len(following) == len(failed) - 2
    assert client.read("/callers/callbacks?merchant=nobody")["items"] == []
    assert_problem(client.send(f"/callers/callbacks/msg_{0:032x}/resend", {}), 404, "unknown_callback")
