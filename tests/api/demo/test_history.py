"""Simulated activity: through the actions of everybody, in order, once, and in demo data alone."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from api.access import tokens
from api.consent import consents
from api.demo.parties import COLLEAGUE, CONTRIBUTOR, FIRST_MERCHANT, MERCHANTS
from api.evidence import ledger, submissions
from api.orders import messages
from api.people import disputes, reviews
from api.releases.release_log import read_state
from api.releases.release_states import IN_REVIEW
from api.runtime import demo_mark
from api.runtime.configured_rules import needs_approval
from api.runtime.context import AppContext
from api.settings.settings import Settings
from api.store.clock import micros
from api.store.database import reading
from api.store.tables import CONSENT_REQUESTS, DECISIONS, DEMO_MARK, ORDERS
from api.supervision import audit, digests, replay
from tests.api.app_pool import borrow_app
from tests.api.database_templates import create_database, discard_database, url_of
from tests.api.demo.demo_database import NOW, WEEKS, start
from tests.api.town import event


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as within:
        yield within


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Iterator[AppContext]:
    """A demo database with four weeks of activity."""
    folder = tmp_path_factory.mktemp("demo")
    patch.setenv("IFTAH_ANCHORS", str(folder / "anchors"))
    context, _ = start(f"sqlite:///{folder / 'iftah.db'}", patch)
    yield context
    context.database.dispose()


def counts(context: AppContext) -> Counter[str]:
    """How many decisions and orders there are, by outcome and state."""
    with reading(context.database) as connection:
        outcomes = connection.execute(select(DECISIONS.c.outcome, func.count()).group_by(DECISIONS.c.outcome)).all()
        states = connection.execute(select(ORDERS.c.state, func.count()).group_by(ORDERS.c.state)).all()
    return Counter({str(name): int(count) for name, count in (*outcomes, *states)})


def test_the_chain_verifies_and_decisions_replay_bit_for_bit(demo: AppContext) -> None:
    report = audit.verify(demo.database)
    assert report.first_break is None
    with reading(demo.database) as connection:
        names = connection.execute(select(DECISIONS.c.id).where(DECISIONS.c.outcome != "REFUSED")).scalars().all()
    assert len(names) > 60
    for name in names[::12]:
        assert replay.replay(demo, name).equal


def test_decisions_are_in_order_of_time_until_now(demo: AppContext) -> None:
    with reading(demo.database) as connection:
        times = list(connection.execute(select(DECISIONS.c.decided_at).order_by(DECISIONS.c.seq)).scalars())
    assert times == sorted(times)
    assert micros(NOW - WEEKS) <= times[0] < micros(NOW - WEEKS + timedelta(days=3))
    assert micros(NOW - timedelta(days=3)) < times[-1] < micros(NOW)


def test_past_days_have_digests(demo: AppContext) -> None:
    assert len(digests.list_digests(demo.database)) >= 26


def test_every_outcome_and_the_common_states_of_orders_occur(demo: AppContext) -> None:
    assert set(counts(demo)) >= {"ADMIT", "PARTIAL", "DECLINE", "UNSCORABLE", "settled", "due", "in_service"}


def test_there_is_work_for_an_operator(demo: AppContext) -> None:
    near = micros(NOW + timedelta(days=2))
    for waiting in (
        disputes.list_disputes(demo.database, waiting=True),
        reviews.list_reviews(demo.database, waiting=True),
    ):
        assert len(waiting) >= 3
        assert micros(NOW) < waiting[0]["due_at"] < near
    (proposal,) = read_state(demo.database).proposals.values()
    assert (proposal.state, proposal.author) == (IN_REVIEW, COLLEAGUE)
    resolved_rows = [row for row in disputes.list_disputes(demo.database, waiting=False) if row["resolved_at"]]
    assert resolved_rows


def test_one_person_still_releases_rules_by_the_folder(demo: AppContext) -> None:
    assert not needs_approval(Settings(), read_state(demo.database))


def test_callbacks_were_sent_and_some_wait(demo: AppContext) -> None:
    states = Counter(
        message.state for one in MERCHANTS for message in messages.list_messages(demo.database, one.party, None, 500)
    )
    assert states["sent"] > 50
    assert states["waiting"] > 0
    assert messages.list_messages(demo.database, FIRST_MERCHANT, None, 10)


def test_some_evidence_was_refused(demo: AppContext) -> None:
    reports = submissions.list_submissions(demo.database, CONTRIBUTOR, 50)
    assert {report.refused > 0 for report in reports} == {True, False}


def test_the_person_as_whom_a_newcomer_signs_in_has_something_of_everything(demo: AppContext) -> None:
    mark = demo_mark.read_mark(demo.database)
    assert mark is not None
    assert mark.person is not None
    assert [one.state for one in consents.pending_requests(demo.database, mark.person, NOW)] == ["asked"]
    with reading(demo.database) as connection:
        assert disputes.of_person(connection, mark.person)
        own = connection.execute(select(func.count()).where(ORDERS.c.subject == mark.person)).scalar_one()
        assert connection.execute(select(CONSENT_REQUESTS.c.id)).first()
    assert own > 0


def test_the_database_says_that_it_holds_demo_data(demo: AppContext) -> None:
    person = str(demo_mark.read_mark(demo.database).person)  # type: ignore[union-attr]
    http = TestClient(borrow_app(demo))
    answer = http.get("/v1/demo", params={"parties": f"{FIRST_MERCHANT},lotus-hotel/room,{person},m-3,nobody"}).json()
    assert (answer["demo"], answer["evidence"], answer["parties"]["subject"]) == (True, "town", person)
    assert answer["names"][FIRST_MERCHANT] == {"en": "Lotus Hotel", "zh": "莲花酒店"}
    assert set(answer["names"]) == {FIRST_MERCHANT, "lotus-hotel/room", person, "m-3"}


def test_activity_is_never_added_twice(demo: AppContext, patch: pytest.MonkeyPatch) -> None:
    before = counts(demo)
    _, stages = start(str(demo.database.url), patch, now=NOW + timedelta(days=40))
    assert stages["activity"] == "it is there already"
    assert counts(demo) == before


def test_other_evidence_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'iftah.db'}"
    context, stages = start(url, monkeypatch, None)
    assert "activity" not in stages
    ledger.append(context.database, event("person.enrolled", "somebody", identity_level=2), NOW)
    context, stages = start(url, monkeypatch, now=NOW + WEEKS)
    assert stages["activity"] == "none: the database holds more than the demo's evidence"
    assert not counts(context)
    context.database.dispose()


def test_a_database_without_the_mark_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'iftah.db'}"
    context, _ = start(url, monkeypatch, None)
    with context.database.begin() as connection:
        connection.execute(DEMO_MARK.delete())
    context, stages = start(url, monkeypatch, now=NOW + WEEKS)
    assert "activity" not in stages
    assert not counts(context)
    assert not TestClient(borrow_app(context)).get("/v1/demo", params={"parties": "p-1"}).json()["demo"]
    context.database.dispose()


def test_activity_that_was_interrupted_is_not_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'iftah.db'}"
    context, _ = start(url, monkeypatch, None)
    assert demo_mark.begin_activity(context.database, NOW)
    assert not demo_mark.begin_activity(context.database, NOW)
    _, stages = start(url, monkeypatch, now=NOW + WEEKS)
    assert stages["activity"] == "it was interrupted: `make clean` begins anew"
    context.database.dispose()


def test_postgresql_gets_the_same_activity(demo: AppContext, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = create_database(postgres)
    context, _ = start(url_of(postgres, name), monkeypatch)
    assert counts(context) == counts(demo)
    assert audit.verify(context.database).first_break is None
    assert tokens.list_tokens(context.database) == []
    context.database.dispose()
    discard_database(postgres, name)


def test_every_party_of_the_demo_can_read_its_lists(demo: AppContext) -> None:
    client, mark = TestClient(borrow_app(demo)), demo_mark.read_mark(demo.database)
    assert mark is not None
    assert mark.person is not None
    lists = {
        **dict.fromkeys((("merchant", merchant.party) for merchant in MERCHANTS), ("orders", "callbacks", "services")),
        ("subject", mark.person): ("me", "me/orders", "me/inquiries", "me/evidence", "me/export", "me/consents"),
        ("operator", "mei"): ("disputes", "reviews", "proposals", "today", "monitor", "evidence/submissions"),
        ("supervisor", "sun"): ("audit/decisions", "audit/releases", "audit/looks"),
    }
    for (role, party), addresses in lists.items():
        secret = tokens.issue(demo.database, role, party, f"reads-{role}", NOW).secret
        for address in addresses:
            answer = client.get(f"/v1/{address}", headers={"Authorization": f"Bearer {secret}"})
            assert answer.status_code == 200, (party, address, answer.text)
