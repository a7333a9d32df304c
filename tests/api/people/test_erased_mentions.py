"""An erasure finds the person in rows of others in whatever spelling, touches no more than that, and counts what it removes."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Engine, func, insert, select, update

from api.evidence import ledger
from api.features import builds
from api.people.erasure import count_rows, drop_inquiries, erase, vacuum
from api.store.clock import micros
from api.store.database import open_database, reading, writing
from api.store.tables import DISPUTES, EVENTS, MESSAGES, SCHEDULED_EVENTS, SUBMISSIONS
from engine.decide.evaluators import Evaluators
from tests.api.conftest import server_of
from tests.api.database_templates import Template
from tests.api.full_record import LATER, ZEB
from tests.api.refresh_town import Refresher, append_events, feature_rows
from tests.api.town import NOW, build_features, event
from tests.graph.story import enrol, story

JOSE, DAY = "josé", timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, full_record_template: Template) -> Iterator[Engine]:
    """A small world for one test, with a bit of everything about two people."""
    with full_record_template.lend(server_of(request), tmp_path) as url:
        opened = open_database(url)
        yield opened
        opened.dispose()


def insert_submissions(database: Engine, problems: dict[str, str]) -> None:
    counts = {"rows": 1, "accepted": 0, "duplicates": 0, "refused": 1}
    rows = [
        {"id": name, "contributor": "bank", "received_at": micros(LATER), **counts, "problems": text}
        for name, text in problems.items()
    ]
    with writing(database) as connection:
        connection.execute(insert(SUBMISSIONS), rows)


def test_a_name_is_found_as_json_spells_it_and_as_it_is(database: Engine) -> None:
    """JSON writes `é` as `\\\\u00e9`. Josée is somebody else, and so is Jos."""
    texts = ["pay-josé-1", "pay-josée-1", "pay-jos-1"]
    insert_submissions(database, {f"escaped-{n}": json.dumps([{"event_id": text}]) for n, text in enumerate(texts)})
    insert_submissions(
        database, {f"plain-{n}": json.dumps([{"event_id": text}], ensure_ascii=False) for n, text in enumerate(texts)}
    )
    assert count_rows(database, JOSE)["submissions"] == 2  # as JSON spells it, his name and hers
    erase(database, JOSE, LATER)
    with reading(database) as connection:
        rows = connection.execute(select(SUBMISSIONS.c.id, SUBMISSIONS.c.problems)).all()
    problems = {name: json.loads(text)[0]["event_id"] for name, text in rows if name.startswith(("escaped", "plain"))}
    expected = ["pay-gone-1", "pay-josée-1", "pay-jos-1"]
    assert problems == {f"{spelling}-{n}": text for spelling in ("escaped", "plain") for n, text in enumerate(expected)}


def test_a_dispute_of_another_thing_keeps_its_words(database: Engine) -> None:
    """Only disputes of erased events are changed: this one is of an event that is somebody else's."""
    row = {"id": "of-ann", "subject": "ann", "contributor": "bank", "event_id": f"note-{ZEB}"}
    with writing(database) as connection:
        times = {"opened_at": micros(LATER), "due_at": micros(LATER)}
        connection.execute(insert(DISPUTES).values(**row, **times, statement=f"{ZEB} was there"))
    erase(database, ZEB, LATER)
    with reading(database) as connection:
        dispute = connection.execute(select(DISPUTES).where(DISPUTES.c.id == "of-ann")).mappings().one()
    assert (dispute["event_id"], dispute["statement"]) == (f"note-{ZEB}", f"{ZEB} was there")


def test_a_message_keeps_the_letters_of_what_stays_in_it(database: Engine) -> None:
    with writing(database) as connection:
        for name, text in connection.execute(select(MESSAGES.c.id, MESSAGES.c.body)).all():
            body = json.loads(text)
            body["data"]["out_order_no"] = "房-1"
            changed = json.dumps(body, ensure_ascii=False)
            connection.execute(update(MESSAGES).where(MESSAGES.c.id == name).values(body=changed))
    erase(database, ZEB, LATER)
    with reading(database) as connection:
        bodies = connection.execute(select(MESSAGES.c.body)).scalars().all()
    assert len(bodies) == 4
    assert all('"out_order_no": "房-1"' in body for body in bodies)
    assert sum("heron-order-text" in body for body in bodies) == 2
    assert not any("kingfisher" in body for body in bodies)


def test_an_erasure_takes_its_events_to_come_out_of_the_count(database: Engine) -> None:
    """The oracle is the ledger: after the erasure, the count is that of the events which are still there."""
    as_of = NOW - 400 * DAY
    balance = {"amount": 5, "currency": "CNY"}
    for n, person in enumerate((ZEB, ZEB, "ann")):
        append_events(database, event("account.balance", person, NOW, f"balance-{n}", **balance), NOW)
    before = build_features(database, as_of, "perks", NOW)
    erase(database, ZEB, LATER)
    after = builds.latest_build(database)
    events = ledger.read(database)
    assert after
    assert after.future_events == events.filter(pl.col("happened_at") > as_of).height
    assert before.future_events - after.future_events >= 2  # the balances, and more
    assert after.events_counted == events.height


def test_the_events_of_a_person_are_those_of_either_side(database: Engine) -> None:
    """The oracle is the ledger: no event has one person on both sides."""
    events = ledger.read(database)
    sides = (pl.col("subject") == ZEB).fill_null(False), (pl.col("other") == ZEB).fill_null(False)
    own, counterparty = (events.filter(side).height for side in sides)
    assert min(own, counterparty) > 0
    assert count_rows(database, ZEB)["events"] == own + counterparty


def test_what_waits_for_its_day_goes_with_the_person_and_that_of_another_stays(database: Engine) -> None:
    build = builds.latest_build(database)
    assert build
    with writing(database) as connection:
        seqs = {
            person: connection.execute(select(func.max(EVENTS.c.seq)).where(EVENTS.c.subject == person)).scalar_one()
            for person in (ZEB, "ann")
        }
        rows = [{"build": build.id, "seq": seq, "at": 1, "kind": "payment.made"} for seq in seqs.values()]
        connection.execute(insert(SCHEDULED_EVENTS), rows)
    erase(database, ZEB, LATER)
    with reading(database) as connection:
        waiting = connection.execute(select(SCHEDULED_EVENTS.c.seq)).scalars().all()
    assert list(waiting) == [seqs["ann"]]


def test_a_person_who_was_only_tied_to_the_erased_one_is_refreshed(
    database: Engine, shipped_evaluators: Evaluators
) -> None:
    """Dan has two ties and no payment: one of the two people leaves."""
    ties = "\n".join(
        f"2020-01-01 tie.formed dan > {other} #dan-{other} tie=friend strength=5" for other in (ZEB, "ann")
    )
    append_events(database, story(f"{enrol('dan')}\n{ties}"), NOW)
    build_features(database, NOW, "perks", NOW)
    assert feature_rows(database)["dan"][1]["relationships.degree"] == 2
    erase(database, ZEB, LATER)
    Refresher(database, shipped_evaluators).run(LATER)
    assert feature_rows(database)["dan"][1]["relationships.degree"] == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_with_no_amount_retained_nothing_waits_for_a_writer(database: Engine) -> None:
    with writing(database):
        drop_inquiries(database, LATER)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_vacuum_that_a_reader_delays_is_done_the_next_time(database: Engine) -> None:
    erase(database, ZEB, LATER)
    with database.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 100")  # the pool gives the same connection to the vacuum
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        assert not vacuum(database)
    assert vacuum(database)
    assert not vacuum(database)


def test_a_refund_still_names_its_payment_when_both_ids_named_the_erased_payer(database: Engine) -> None:
    """The refund came before the payment. The payee keeps both, and the sum that the refund leaves."""
    lines = f"""
    2024-03-02 payment.refunded {ZEB} > mia #back-{ZEB} ref_event=pay-{ZEB} amount=200 currency=CNY
    2024-03-01 payment.made {ZEB} > mia #pay-{ZEB} amount=500 currency=CNY category=wage
    2024-03-01 payment.made {ZEB} > mia #plain amount=70 currency=CNY category=wage
    2024-03-03 payment.refunded {ZEB} > mia #plain-back ref_event=plain amount=30 currency=CNY"""
    assert append_events(database, story(f"{enrol('mia')}\n{lines}"), LATER) == 6
    erase(database, ZEB, LATER)
    with reading(database) as connection:
        rows = connection.execute(select(EVENTS).where(EVENTS.c.other == "mia")).mappings().all()
    payments = {row["event_id"] for row in rows if row["kind"] == "payment.made"}
    references = {row["ref_event"] for row in rows if row["kind"] == "payment.refunded"}
    assert references == payments
    assert "plain" in payments
    assert len(payments) == 2
    assert not any(ZEB in str(value) for row in rows for value in row.values())
    build_features(database, LATER, "perks", LATER)
    assert feature_rows(database)["mia"][1]["capacity.income_total"] == 340  # 500 - 200 + 70 - 30
