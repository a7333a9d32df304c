"""Consents: requested, granted, declined, withdrawn. There are two gates, and a merchant learns nothing by a request."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from api.consent import consents, permissions
from api.consent.consents import ConsentTerms
from api.evidence import ledger
from api.merchants import services
from api.merchants.services import Terms
from api.runtime.context import AppContext
from api.store.database import fetch_rows, open_database, reading
from engine.errors import Rejected
from graph.evidence.events import conform
from graph.evidence.visibility import consents_in_force
from graph.evidence.vocabulary import CLASSES
from tests.api.merchant_client import MerchantClient, assert_problem
from tests.api.town import NOW
from tests.effort import by_effort

DAY = timedelta(days=1)
ALL_CLASSES = list(CLASSES)
UNRESTRICTED_CLASSES = [name for name in CLASSES if name != "restricted"]


class ConsentClient:
    """A merchant that requests consent, and a person who answers, by the API."""

    def __init__(self, context: AppContext) -> None:
        self.merchant = MerchantClient(context)
        self.person = self.merchant.scored_person()
        self.person_token = self.merchant.issue("subject", self.person)
        self.merchant.sign_up()

    def ask(self, subject: str | None = None, token: str | None = None, **changes: Any) -> Any:
        body = {"service": "hotel", "subject": subject or self.person, "classes": UNRESTRICTED_CLASSES} | changes
        return self._call("POST", "/v1/consents", token or self.merchant.token, json=body)

    def state(self, name: str) -> tuple[str, list[str]]:
        payload = self._call("GET", f"/v1/consents/{name}", self.merchant.token).json()
        return payload["state"], payload["granted"]

    def as_person(self, path: str = "", token: str | None = None, **body: Any) -> Any:
        method = "POST" if path or body else "GET"
        options = {"json": body} if method == "POST" else {}
        return self._call(method, f"/v1/me/consents{path}", token or self.person_token, **options)

    def ask_status(self) -> int:
        return int(self.merchant.post_question(self.person).status_code)

    def _call(self, method: str, path: str, token: str, **options: Any) -> Any:
        return self.merchant.http.request(method, path, headers=self.merchant.bearer(token), **options)


@pytest.fixture
def client(town: AppContext) -> ConsentClient:
    return ConsentClient(town)


def test_a_merchant_requests_and_the_person_grants_and_withdraws(client: ConsentClient) -> None:
    assert_problem(client.merchant.post_question(client.person), 403, "no_consent")
    response = client.ask()
    assert response.status_code == 201
    name = response.json()["id"]
    (request,) = client.as_person().json()["requests"]
    assert (request["id"], request["merchant"], request["classes"], request["warning"]) == (
        name,
        "inn",
        UNRESTRICTED_CLASSES,
        None,
    )
    assert client.state(name) == ("asked", [])
    assert client.ask_status() == 403  # a request grants nothing
    assert client.as_person(f"/{name}/grant", classes=["identity", "credit"]).json()["granted"] == [
        "identity",
        "credit",
    ]
    assert client.state(name) == ("granted", ["identity", "credit"])
    assert client.as_person().json()["requests"] == []
    assert client.ask_status() == 200
    service_lines = [line for line in client.as_person().json()["in_force"] if line["service"] == "inn/hotel"]
    assert [line["data_class"] for line in service_lines] == ["credit", "identity"]
    assert client.as_person("/withdraw", purpose="perks", service="inn/hotel").status_code == 200
    assert client.state(name) == ("withdrawn", [])
    assert client.ask_status() == 403
    assert (
        client.as_person("", purpose="perks", classes=ALL_CLASSES, service="inn/hotel", warned=True).status_code == 201
    )
    assert (
        client.as_person("", purpose="perks", classes=ALL_CLASSES, service="inn/hotel", warned=True).status_code == 200
    )
    assert client.ask_status() == 200
    client.as_person("/withdraw", purpose="perks")
    assert client.as_person().json()["in_force"] == []
    assert client.ask_status() == 403


def test_a_withdrawal_with_an_incomplete_service_name_is_refused(
    client: ConsentClient,
) -> None:
    assert client.as_person("", purpose="perks", classes=["identity"], service="inn/hotel").status_code == 201
    before = client.as_person().json()["in_force"]
    assert (
        "merchant/service"
        in assert_problem(client.as_person("/withdraw", purpose="perks", service="hotel"), 422, "bad_event")["detail"]
    )
    assert client.as_person().json()["in_force"] == before


def test_a_consent_request_reveals_nothing_about_the_person(client: ConsentClient) -> None:
    def request_view(subject: str) -> dict[str, Any]:
        first = client.ask(subject)
        assert first.status_code == 201
        client.merchant.now += timedelta(seconds=1)
        second = client.ask(subject)
        assert (second.status_code, second.json()) == (200, first.json())
        payload = client._call("GET", f"/v1/consents/{first.json()['id']}", client.merchant.token).json()
        assert payload == first.json()
        return {k: v for k, v in payload.items() if k not in ("id", "page", "subject", "asked_at")}

    person_view = request_view(client.person)
    assert person_view == request_view("nobody")
    client.merchant.consent(client.person, service="hotel")  # a request does not reveal the consents of others
    client.merchant.now += timedelta(seconds=1)
    second_request = client.ask(client.person, classes=["identity"]).json()
    assert (second_request["state"], second_request["granted"]) == ("asked", [])


def test_a_service_has_one_open_request_for_thirty_days(client: ConsentClient) -> None:
    first, second = client.ask().json()["id"], client.ask(classes=["identity"]).json()["id"]
    assert client.state(first)[0] == "expired"
    assert_problem(client.as_person(f"/{first}/grant", classes=["identity"]), 409, "consent_answered")
    assert [r["id"] for r in client.as_person().json()["requests"]] == [second]
    client.merchant.now += timedelta(days=30)
    client.merchant.token, client.person_token = (
        client.merchant.issue("merchant", "inn"),
        client.merchant.issue("subject", client.person),
    )
    assert client.state(second)[0] == "expired"
    assert_problem(client.as_person(f"/{second}/decline"), 409, "consent_answered")
    assert client.as_person().json()["requests"] == []


def test_a_declined_request_stays_declined_and_repeats_change_nothing(client: ConsentClient) -> None:
    name = client.ask().json()["id"]
    for _ in range(2):
        assert client.as_person(f"/{name}/decline").json() == {"id": name, "state": "declined", "granted": []}
    assert client.state(name) == ("declined", [])
    assert_problem(client.as_person(f"/{name}/grant", classes=["identity"]), 409, "consent_answered")
    other = client.ask().json()["id"]
    before = ledger.extent(client.merchant.context.database).events
    for _ in range(2):
        assert client.as_person(f"/{other}/grant", classes=UNRESTRICTED_CLASSES).status_code == 200
    assert ledger.extent(client.merchant.context.database).events == before + 1
    assert_problem(client.as_person(f"/{other}/decline"), 409, "consent_answered")


def test_an_invalid_grant_gets_its_reason_and_grants_nothing(client: ConsentClient) -> None:
    end = client.merchant.now + 10 * DAY
    name = client.ask(classes=["identity", "restricted"], until=end.isoformat()).json()["id"]
    assert set(client.as_person().json()["requests"][0]["warning"]) == {"en", "zh"}
    later, past = (end + DAY).isoformat(), client.merchant.now.isoformat()
    cases: tuple[tuple[str, int, dict[str, Any]], ...] = (
        *(("bad_request", 422, {}), ("bad_request", 422, {"classes": []}), ("bad_request", 422, {"classes": None})),
        *(("not_asked", 422, {"classes": ["credit"]}), ("bad_request", 422, {"classes": ["all"]})),
        *(
            ("warning_needed", 422, {"classes": c, "warned": False})
            for c in (["restricted"], ["identity", "restricted"])
        ),
        *(("bad_until", 422, {"classes": ["identity"], "until": until}) for until in (later, past)),
        ("bad_request", 422, {"classes": ["identity"], "until": "2026-02-01T00:00:00"}),
    )
    for code, status, body in cases:
        assert_problem(client.as_person(f"/{name}/grant", **body), status, code)
    other = client.merchant.issue("subject", "somebody")
    assert_problem(client.as_person(f"/{name}/grant", other, classes=["identity"]), 404, "unknown_consent")
    assert_problem(client.as_person(f"/{name}/decline", other), 404, "unknown_consent")
    lodge = client.merchant.issue("merchant", "lodge")
    assert_problem(client._call("GET", f"/v1/consents/{name}", lodge), 404, "unknown_consent")
    assert_problem(client.ask(token=lodge), 404, "unknown_service")
    assert_problem(client.ask(until=past), 422, "bad_until")
    assert_problem(client.as_person("", purpose="credit", classes=["identity"]), 422, "unknown_purpose")
    response = client.as_person("", purpose="perks", classes=["identity"], service="inn/none")
    assert "merchant/service" in assert_problem(response, 404, "unknown_service")["hint"]  # a person cannot sign up
    assert_problem(client.as_person("", purpose="perks", classes=["restricted"]), 422, "warning_needed")
    assert client.state(name) == ("asked", [])
    assert client.as_person(f"/{name}/grant", classes=["identity", "restricted"], warned=True).status_code == 200
    client.merchant.now = end
    client.merchant.token = client.merchant.issue("merchant", "inn")
    assert client.state(name) == ("expired", [])


def test_a_grant_and_its_request_change_in_one_transaction(database: Engine) -> None:
    services.sign_up(database, "inn", "hotel", Terms("hotel"), NOW)
    request = consents.request_consent(database, ConsentTerms("inn", "hotel", "ann ", "perks", ("identity",)), NOW)
    grant = consents.Consent("ann ", "perks", ("identity",))
    with pytest.raises(Rejected, match="begins or ends with a space"):  # the ledger refuses such a person
        consents.grant(database, request.id, grant, NOW)
    assert consents.request_of_merchant(database, "inn", request.id, NOW).state == "asked"
    with database.connect() as connection:
        assert connection.execute(text("select count(*) from events")).scalar() == 0


TIMES = [NOW + timedelta(hours=n) for n in range(4)]
NAMES = ("ann", "bob")
TWO_CLASSES = ("identity", "credit")  # so that events often refer to earlier ones
SERVICES = (None, "inn/hotel", "inn/car")
REFERRING: dict[str, dict[str, Any]] = {  # of these only a retraction ends a grant
    **{"event.retracted": {}, "event.corrected": {"fields": '{"channel":"cash"}'}, "dispute.opened": {}},
}


@st.composite
def consent_events(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["consent.granted", "consent.granted", "consent.withdrawn", *REFERRING]))
    row: dict[str, Any] = {
        **{"contributor": draw(st.sampled_from(["iftah", "bank"])), "kind": kind},
        **{"subject": draw(st.sampled_from(("ann", "ann", "ann", "bob"))), "happened_at": draw(st.sampled_from(TIMES))},
    }
    if kind in REFERRING:
        return row | {"ref_event": f"e{draw(st.integers(0, 11))}", **REFERRING[kind]}
    classes = draw(st.lists(st.sampled_from(TWO_CLASSES), min_size=1, max_size=2, unique=True))
    row |= {
        "purpose": draw(st.sampled_from(["perks", "perks", "perks", "credit"])),
        "service": draw(st.sampled_from(SERVICES)),
    }
    if kind == "consent.withdrawn":
        return row | {"classes": draw(st.sampled_from([None, ",".join(classes)]))}
    ends = [None, *(at for at in TIMES if at > row["happened_at"])]
    return row | {"classes": ",".join(classes), "until": draw(st.sampled_from(ends))}


@pytest.fixture(scope="module")
def shared_database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('consents') / 'iftah.db'}")
    yield database
    database.dispose()


LATER_FIRST: list[dict[str, Any]] = [  # the first event sent is the last that happened
    {"contributor": "bank", "kind": "consent.withdrawn", "subject": "ann", "happened_at": TIMES[2], "purpose": "perks"},
    {**{"contributor": "bank", "kind": "consent.granted", "subject": "ann", "happened_at": TIMES[1]}}
    | {"purpose": "perks", "classes": "identity"},
]


@example(LATER_FIRST, TIMES[3], "perks")
@settings(max_examples=by_effort(60, 3_000), deadline=None)
@given(
    st.lists(consent_events(), min_size=3, max_size=12),
    st.sampled_from(TIMES[1:]),
    st.sampled_from(["perks", "perks", "credit"]),
)
def test_consents_in_force_match_the_view_for_both_gates(
    shared_database: Engine, rows: list[dict[str, Any]], at: datetime, purpose: str
) -> None:
    """The oracle is the view: it reads consents from the events of both gates."""
    both_gates = {"contributor": "iftah", "kind": "consent.granted", "subject": "ann", "happened_at": TIMES[0]}
    both_gates |= {"purpose": "perks", "classes": ",".join(TWO_CLASSES)}
    rows = [both_gates, both_gates | {"service": "inn/hotel"}, *rows]
    recorded_time = NOW + DAY
    events = conform(
        pl.DataFrame([{"event_id": f"e{n}", **row} for n, row in enumerate(rows)], infer_schema_length=None)
    )
    with shared_database.connect() as connection, connection.begin() as transaction:
        batch = ledger.check(events, recorded_time)
        assert batch.refused.is_empty()
        ledger.insert_in(connection, batch, recorded_time)
        (consent_rows,) = fetch_rows(connection, permissions.consent_query_all_purposes(NAMES, at))
        purpose_rows = [row for row in consent_rows if row[1] == purpose]
        in_force = permissions.allowed_classes(purpose_rows, [(p, s) for p in NAMES for s in SERVICES], at)
        transaction.rollback()
    recorded_events = events.with_columns(recorded_at=pl.lit(recorded_time))
    general = pl.col("service").is_null()
    general_consents = consents_in_force(recorded_events.filter(general), at, recorded_time, purpose)
    for service in SERVICES:
        of_service = recorded_events.filter(~((pl.col("kind") == "consent.granted") & general))
        service_consents = (
            general_consents if service is None else consents_in_force(of_service, at, recorded_time, purpose, service)
        )
        for person in NAMES:
            classes = set(general_consents.filter(person=person)["data_class"]) & set(
                service_consents.filter(person=person)["data_class"]
            )
            assert in_force[person, service] == classes


def test_consents_are_read_in_the_same_way_on_both_databases(database: Engine) -> None:
    services.sign_up(database, "inn", "hotel", Terms("hotel"), NOW)
    grant = consents.Consent("ann", "perks", ("identity", "credit"), None, NOW + DAY)
    assert consents.give_consent(database, grant, NOW)
    assert consents.give_consent(database, consents.Consent("ann", "perks", ("credit",), "inn/hotel"), NOW)
    consents.withdraw(database, "ann", "perks", ("identity",), None, NOW + timedelta(hours=1))
    with reading(database) as connection:
        for hours, expected in ((0, {"credit"}), (23, {"credit"}), (24, set())):
            at = NOW + timedelta(hours=hours)
            (rows,) = fetch_rows(connection, permissions.consent_query_all_purposes(["ann"], at))
            assert permissions.allowed_classes(rows, [("ann", "inn/hotel")], at)["ann", "inn/hotel"] == expected
        (rows,) = fetch_rows(connection, permissions.consent_query_all_purposes(["ann"], NOW))
        general = permissions.allowed_classes(rows, [("ann", None)], NOW)["ann", None]
    assert general == {"identity", "credit"}


def test_the_person_reads_one_request_with_the_merchants_way_back(client: ConsentClient) -> None:
    request = client.ask(return_url="https://inn.example/booked?id=17").json()
    assert request["page"] == f"/consent/{request['id']}"

    def as_person(token: str) -> Any:
        return client._call("GET", f"/v1/me/consents/{request['id']}", token)

    view = as_person(client.person_token).json()
    assert (view["state"], view["return_url"], view["warning"]) == ("asked", "https://inn.example/booked?id=17", None)
    client.as_person(f"/{request['id']}/decline")
    assert as_person(client.person_token).json()["state"] == "declined"
    assert_problem(as_person(client.merchant.issue("subject", "nobody")), 404, "unknown_consent")


def test_another_way_back_makes_another_request(client: ConsentClient) -> None:
    first = client.ask(return_url="https://inn.example/a").json()
    assert client.ask(return_url="https://inn.example/a").json()["id"] == first["id"]
    assert client.ask(return_url="https://inn.example/b").json()["id"] != first["id"]
    assert client.state(first["id"])[0] == "expired"


@pytest.mark.parametrize("url", ["http://inn.example/", "javascript:alert(1)", "https://a@b.example/", "//inn.example"])
def test_a_way_back_is_a_plain_https_address(client: ConsentClient, url: str) -> None:
    assert_problem(client.ask(return_url=url), 422, "bad_request")
