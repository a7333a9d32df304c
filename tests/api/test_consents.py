"""Consents: asked, granted, declined, withdrawn; two gates; and a merchant learns nothing by asking."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from api import services
from api.consent import consents, permissions
from api.consent.consents import Ask
from api.database import fetched, open_database, reading
from api.evidence import ledger
from api.services import Terms
from api.world import World
from engine.errors import Refused
from graph.events import conform
from graph.view import consented
from graph.vocabulary import CLASSES
from tests.api.door import Door, refused
from tests.api.world import NOW
from tests.effort import pairs

DAY = timedelta(days=1)
ALL = list(CLASSES)
PLAIN = [name for name in CLASSES if name != "restricted"]


class Desk:
    """A merchant that asks, and a person who answers, by the API."""

    def __init__(self, world: World) -> None:
        self.door = Door(world)
        self.person = self.door.anyone()
        self.mine = self.door.issue("subject", self.person)
        self.door.sign_up()

    def ask(self, subject: str | None = None, token: str | None = None, **changes: Any) -> Any:
        body = {"service": "hotel", "subject": subject or self.person, "classes": PLAIN} | changes
        return self._call("POST", "/v1/consents", token or self.door.token, json=body)

    def state(self, name: str) -> tuple[str, list[str]]:
        told = self._call("GET", f"/v1/consents/{name}", self.door.token).json()
        return told["state"], told["granted"]

    def me(self, path: str = "", token: str | None = None, **body: Any) -> Any:
        method = "POST" if path or body else "GET"
        sent = {"json": body} if method == "POST" else {}
        return self._call(method, f"/v1/me/consents{path}", token or self.mine, **sent)

    def asks(self) -> int:
        return int(self.door.put(self.person).status_code)

    def _call(self, method: str, path: str, token: str, **given: Any) -> Any:
        return self.door.client.request(method, path, headers=self.door.bearer(token), **given)


@pytest.fixture
def desk(town: World) -> Desk:
    return Desk(town)


def test_a_merchant_asks_the_person_grants_and_withdraws(desk: Desk) -> None:
    refused(desk.door.put(desk.person), 403, "no_consent")
    asked = desk.ask()
    assert asked.status_code == 201
    name = asked.json()["id"]
    (request,) = desk.me().json()["requests"]
    assert (request["id"], request["merchant"], request["classes"], request["warning"]) == (name, "inn", PLAIN, None)
    assert desk.state(name) == ("asked", [])
    assert desk.asks() == 403  # nothing is granted by being asked
    assert desk.me(f"/{name}/grant", classes=["identity", "credit"]).json()["granted"] == ["identity", "credit"]
    assert desk.state(name) == ("granted", ["identity", "credit"])
    assert desk.me().json()["requests"] == []
    assert desk.asks() == 200
    here = [line for line in desk.me().json()["in_force"] if line["service"] == "inn/hotel"]
    assert [line["data_class"] for line in here] == ["credit", "identity"]
    assert desk.me("/withdraw", purpose="perks", service="inn/hotel").status_code == 200
    assert desk.state(name) == ("withdrawn", [])
    assert desk.asks() == 403
    assert desk.me("", purpose="perks", classes=ALL, service="inn/hotel", warned=True).status_code == 201
    assert desk.me("", purpose="perks", classes=ALL, service="inn/hotel", warned=True).status_code == 200
    assert desk.asks() == 200
    desk.me("/withdraw", purpose="perks")
    assert desk.me().json()["in_force"] == []
    assert desk.asks() == 403


def test_a_withdrawal_from_a_service_that_is_named_by_halves_is_refused_and_changes_nothing(desk: Desk) -> None:
    assert desk.me("", purpose="perks", classes=["identity"], service="inn/hotel").status_code == 201
    before = desk.me().json()["in_force"]
    assert (
        "merchant/service"
        in refused(desk.me("/withdraw", purpose="perks", service="hotel"), 422, "bad_event")["detail"]
    )
    assert desk.me().json()["in_force"] == before


def test_asking_tells_nothing_of_a_person(desk: Desk) -> None:
    def told(subject: str) -> dict[str, Any]:
        made = desk.ask(subject)
        assert made.status_code == 201
        desk.door.now += timedelta(seconds=1)
        again = desk.ask(subject)
        assert (again.status_code, again.json()) == (200, made.json())
        seen = desk._call("GET", f"/v1/consents/{made.json()['id']}", desk.door.token).json()
        assert seen == made.json()
        return {k: v for k, v in seen.items() if k not in ("id", "subject", "asked_at")}

    known = told(desk.person)
    assert known == told("nobody")
    desk.door.consent(desk.person, service="hotel")  # what others know of it is not told by asking
    desk.door.now += timedelta(seconds=1)
    changed = desk.ask(desk.person, classes=["identity"]).json()
    assert (changed["state"], changed["granted"]) == ("asked", [])


def test_one_request_of_a_service_waits_at_a_time_and_for_thirty_days(desk: Desk) -> None:
    first, second = desk.ask().json()["id"], desk.ask(classes=["identity"]).json()["id"]
    assert desk.state(first)[0] == "expired"
    refused(desk.me(f"/{first}/grant", classes=["identity"]), 409, "consent_answered")
    assert [r["id"] for r in desk.me().json()["requests"]] == [second]
    desk.door.now += timedelta(days=30)
    desk.door.token, desk.mine = desk.door.issue("merchant", "inn"), desk.door.issue("subject", desk.person)
    assert desk.state(second)[0] == "expired"
    refused(desk.me(f"/{second}/decline"), 409, "consent_answered")
    assert desk.me().json()["requests"] == []


def test_a_no_stays_a_no_and_saying_the_same_again_changes_nothing(desk: Desk) -> None:
    name = desk.ask().json()["id"]
    for _ in range(2):
        assert desk.me(f"/{name}/decline").json() == {"id": name, "state": "declined", "granted": []}
    assert desk.state(name) == ("declined", [])
    refused(desk.me(f"/{name}/grant", classes=["identity"]), 409, "consent_answered")
    other = desk.ask().json()["id"]
    before = ledger.extent(desk.door.world.database).events
    for _ in range(2):
        assert desk.me(f"/{other}/grant", classes=PLAIN).status_code == 200
    assert ledger.extent(desk.door.world.database).events == before + 1
    refused(desk.me(f"/{other}/decline"), 409, "consent_answered")


def test_what_is_wrong_with_a_grant_is_told_and_nothing_is_granted(desk: Desk) -> None:
    end = desk.door.now + 10 * DAY
    name = desk.ask(classes=["identity", "restricted"], until=end.isoformat()).json()["id"]
    assert set(desk.me().json()["requests"][0]["warning"]) == {"en", "zh"}
    later, past = (end + DAY).isoformat(), desk.door.now.isoformat()
    wrong: tuple[tuple[str, int, dict[str, Any]], ...] = (
        *(("bad_request", 422, {}), ("bad_request", 422, {"classes": []}), ("bad_request", 422, {"classes": None})),
        *(("not_asked", 422, {"classes": ["credit"]}), ("bad_request", 422, {"classes": ["all"]})),
        *(
            ("warning_needed", 422, {"classes": c, "warned": False})
            for c in (["restricted"], ["identity", "restricted"])
        ),
        *(("bad_until", 422, {"classes": ["identity"], "until": until}) for until in (later, past)),
        ("bad_request", 422, {"classes": ["identity"], "until": "2026-02-01T00:00:00"}),
    )
    for code, status, body in wrong:
        refused(desk.me(f"/{name}/grant", **body), status, code)
    other = desk.door.issue("subject", "somebody")
    refused(desk.me(f"/{name}/grant", other, classes=["identity"]), 404, "unknown_consent")
    refused(desk.me(f"/{name}/decline", other), 404, "unknown_consent")
    lodge = desk.door.issue("merchant", "lodge")
    refused(desk._call("GET", f"/v1/consents/{name}", lodge), 404, "unknown_consent")
    refused(desk.ask(token=lodge), 404, "unknown_service")
    refused(desk.ask(until=past), 422, "bad_until")
    refused(desk.me("", purpose="credit", classes=["identity"]), 422, "unknown_purpose")
    lost = desk.me("", purpose="perks", classes=["identity"], service="inn/none")
    assert "merchant/service" in refused(lost, 404, "unknown_service")["hint"]  # to sign up is not the person's
    refused(desk.me("", purpose="perks", classes=["restricted"]), 422, "warning_needed")
    assert desk.state(name) == ("asked", [])
    assert desk.me(f"/{name}/grant", classes=["identity", "restricted"], warned=True).status_code == 200
    desk.door.now = end
    desk.door.token = desk.door.issue("merchant", "inn")
    assert desk.state(name) == ("expired", [])


def test_a_grant_and_its_answer_stand_or_fall_together(engine: Engine) -> None:
    services.sign_up(engine, "inn", "hotel", Terms("hotel"), NOW)
    made = consents.ask(engine, Ask("inn", "hotel", "ann ", "perks", ("identity",)), NOW)
    said = consents.Said("ann ", "perks", ("identity",))
    with pytest.raises(Refused, match="begins or ends with a space"):  # the ledger does not take such a person
        consents.grant(engine, made.id, said, NOW)
    assert consents.of_merchant(engine, "inn", made.id, NOW).state == "asked"
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from events")).scalar() == 0


TIMES = [NOW + timedelta(hours=n) for n in range(4)]
NAMES = ("ann", "bob")
FEW = ("identity", "credit")  # so that what is said is often about what was said before
SERVICES = (None, "inn/hotel", "inn/car")
REFERRING: dict[str, dict[str, Any]] = {  # of these only a retraction ends a grant
    **{"event.retracted": {}, "event.corrected": {"fields": '{"channel":"cash"}'}, "dispute.opened": {}},
}


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["consent.granted", "consent.granted", "consent.withdrawn", *REFERRING]))
    row: dict[str, Any] = {
        **{"contributor": draw(st.sampled_from(["iftah", "bank"])), "kind": kind},
        **{"subject": draw(st.sampled_from(("ann", "ann", "ann", "bob"))), "happened_at": draw(st.sampled_from(TIMES))},
    }
    if kind in REFERRING:
        return row | {"ref_event": f"e{draw(st.integers(0, 11))}", **REFERRING[kind]}
    classes = draw(st.lists(st.sampled_from(FEW), min_size=1, max_size=2, unique=True))
    row |= {
        "purpose": draw(st.sampled_from(["perks", "perks", "perks", "credit"])),
        "service": draw(st.sampled_from(SERVICES)),
    }
    if kind == "consent.withdrawn":
        return row | {"classes": draw(st.sampled_from([None, ",".join(classes)]))}
    ends = [None, *(at for at in TIMES if at > row["happened_at"])]
    return row | {"classes": ",".join(classes), "until": draw(st.sampled_from(ends))}


@pytest.fixture(scope="module")
def ledger_of_one(tmp_path_factory: pytest.TempPathFactory) -> Any:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('consents') / 'iftah.db'}")
    yield engine
    engine.dispose()


LATER_FIRST: list[dict[str, Any]] = [  # what is sent first happened last
    {"contributor": "bank", "kind": "consent.withdrawn", "subject": "ann", "happened_at": TIMES[2], "purpose": "perks"},
    {**{"contributor": "bank", "kind": "consent.granted", "subject": "ann", "happened_at": TIMES[1]}}
    | {"purpose": "perks", "classes": "identity"},
]


@example(LATER_FIRST, TIMES[3], "perks")
@settings(max_examples=pairs(60, 3_000), deadline=None)
@given(
    st.lists(said(), min_size=3, max_size=12), st.sampled_from(TIMES[1:]), st.sampled_from(["perks", "perks", "credit"])
)
def test_what_is_in_force_is_what_the_view_says_of_both_gates(
    ledger_of_one: Engine, rows: list[dict[str, Any]], at: datetime, purpose: str
) -> None:
    """The view's own reading of consents, on the events that each gate is made of, is the oracle."""
    both_gates = {"contributor": "iftah", "kind": "consent.granted", "subject": "ann", "happened_at": TIMES[0]}
    both_gates |= {"purpose": "perks", "classes": ",".join(FEW)}
    rows = [both_gates, both_gates | {"service": "inn/hotel"}, *rows]
    recorded = NOW + DAY
    events = conform(
        pl.DataFrame([{"event_id": f"e{n}", **row} for n, row in enumerate(rows)], infer_schema_length=None)
    )
    with ledger_of_one.connect() as connection, connection.begin() as transaction:
        checked = ledger.check(events, recorded)
        assert checked.refused.is_empty()
        ledger.insert_in(connection, checked, recorded)
        (rows_,) = fetched(connection, permissions.said_of_all(NAMES, at))
        told = [row for row in rows_ if row[1] == purpose]
        found = permissions.in_force(told, [(p, s) for p in NAMES for s in SERVICES], at)
        transaction.rollback()
    known = events.with_columns(recorded_at=pl.lit(recorded))
    general = pl.col("service").is_null()
    used = consented(known.filter(general), at, recorded, purpose)
    for service in SERVICES:
        of_service = known.filter(~((pl.col("kind") == "consent.granted") & general))
        own = used if service is None else consented(of_service, at, recorded, purpose, service)
        for person in NAMES:
            both = set(used.filter(person=person)["data_class"]) & set(own.filter(person=person)["data_class"])
            assert found[person, service] == both


def test_consents_are_read_in_the_same_way_on_both_databases(engine: Engine) -> None:
    services.sign_up(engine, "inn", "hotel", Terms("hotel"), NOW)
    give = consents.Said("ann", "perks", ("identity", "credit"), None, NOW + DAY)
    assert consents.give(engine, give, NOW)
    assert consents.give(engine, consents.Said("ann", "perks", ("credit",), "inn/hotel"), NOW)
    consents.withdraw(engine, "ann", "perks", ("identity",), None, NOW + timedelta(hours=1))
    with reading(engine) as connection:
        for hours, expected in ((0, {"credit"}), (23, {"credit"}), (24, set())):
            at = NOW + timedelta(hours=hours)
            (rows,) = fetched(connection, permissions.said_of_all(["ann"], at))
            assert permissions.in_force(rows, [("ann", "inn/hotel")], at)["ann", "inn/hotel"] == expected
        (rows,) = fetched(connection, permissions.said_of_all(["ann"], NOW))
        general = permissions.in_force(rows, [("ann", None)], NOW)["ann", None]
    assert general == {"identity", "credit"}
