"""Leaving: nothing of the person is left, others' features stay, the chain holds, and nothing about them comes in again."""

import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text, update
from sqlmodel import SQLModel

from api import actions, services
from api.access import tokens
from api.database import open_database, reading, writing
from api.decisions.decisions import FIRST, Asked, chained, entry
from api.evidence import departed, ledger
from api.features import builds, refresh
from api.features.standing import standing
from api.people.erasure import Erased, erase, held, sweep
from api.services import Terms
from api.tables import BUILDS, DECISIONS, DISPUTES, EVENTS, MOVES, ORDER_MOVES, ORDERS, SUBMISSIONS, TOKENS, WAITING
from api.world import World
from engine.engines import Engines
from engine.errors import Refused
from graph.features import features
from graph.view import visible
from tests.api.conftest import server_of
from tests.api.databases import Template
from tests.api.leaving import LATER, LIFE, TEXTS, ZEB, left_in
from tests.api.refreshing import LOCAL, Refresher, append, rebuilt, rows
from tests.api.terminal import environment, in_process
from tests.api.world import NOW, event
from tests.effort import pairs
from tests.graph.happenings import before, happenings
from tests.graph.story import story
from tests.strategies import NOW as LAST

LONG_AFTER = LAST + timedelta(days=40)
HELD = (  # tables in which both have something
    *("events", "features", "scores", "score_history", "decision_subjects", "decisions", "tokens", "consent_requests"),
    *("disputes", "reviews", "monitored", "orders", "order_moves", "messages", "submissions"),
)
PEOPLE_COUNTED = {
    "behaviour.out_counterparties",
    "behaviour.in_counterparties",
}  # people paid: who left is none any more


@pytest.fixture(params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path: Path, lived: Template, shipped_engines: Engines) -> Iterator[World]:
    """A copy of it of the test's own."""
    with lived.lent(server_of(request), tmp_path) as url:
        database = open_database(url)
        yield World(database, shipped_engines)
        database.dispose()


@pytest.fixture
def left(town: World) -> tuple[World, Erased]:
    """It, after they left."""
    return town, erase(town.database, ZEB, LATER)


def mine(world: World, person: str) -> dict[str, Any]:
    return rows(world.database)[person][1]


def test_nothing_of_who_left_is_in_the_files_or_a_dump(left: tuple[World, Erased]) -> None:
    engine = left[0].database
    assert sweep(engine)
    assert left_in(engine, *TEXTS) == {}
    assert left_in(engine, "t-bob-ann") != {}  # what is looked for would be found
    assert not sweep(engine)


def test_what_was_there_was_found_before(town: World) -> None:
    found = {hit for hits in left_in(town.database, *TEXTS).values() for hit in hits}
    assert found == set(TEXTS)


def test_others_sums_stay_as_they_were_and_ties_go(town: World) -> None:
    before = {p: mine(town, p) for p in ("ann", "bob", "cy")}
    erase(town.database, ZEB, LATER)
    Refresher(town.database, town.engines).all(LATER)
    made, known = builds.latest(town.database), ledger.extent(town.database).recorded_at
    assert made
    assert known
    anew = rebuilt(ledger.read(town.database), made.as_of, known)
    assert all({n: mine(town, p)[n] for n in LOCAL} == anew[p] for p in before)
    for person, values in before.items():
        now = mine(town, person)
        changed = {n for n, v in values.items() if n in now and now[n] != v and not n.startswith("relationships.")}
        assert changed <= PEOPLE_COUNTED, person
    assert before["ann"]["relationships.vouches"] == mine(town, "ann")["relationships.vouches"]
    assert mine(town, "ann")["relationships.degree"] == before["ann"]["relationships.degree"] - 1
    assert mine(town, "bob")["relationships.degree"] == before["bob"]["relationships.degree"] - 1


def test_two_people_s_payments_with_who_left_cannot_be_laid_together(left: tuple[World, Erased]) -> None:
    with reading(left[0].database) as connection:
        sides = EVENTS.c.subject.startswith("gone-") | EVENTS.c.other.startswith("gone-")
        kept = connection.execute(select(EVENTS.c.subject, EVENTS.c.other, EVENTS.c.kind).where(sides)).all()
    of: defaultdict[str, set[str]] = defaultdict(set)
    for subject, other, _ in kept:
        for end, alias in ((subject, other), (other, subject)):
            if str(alias).startswith("gone-"):
                of[str(end)].add(alias)
    assert {k for _, _, k in kept} == {"payment.made", "dispute.opened"}
    assert {end: len(aliases) for end, aliases in of.items() if end != "None"} == {"ann": 1, "bob": 1}
    assert of["ann"] != of["bob"]


def test_what_is_said_of_a_payment_stays_with_it(left: tuple[World, Erased]) -> None:
    engine = left[0].database
    events = ledger.read(engine, people=["ann", "bob"])
    known = ledger.extent(engine).recorded_at
    assert known
    seen = visible(ledger.read(engine), NOW, known, "perks")
    amounts = seen.filter(
        pl.col("kind") == "payment.made", pl.any_horizontal(pl.col("subject", "other").is_in(["ann", "bob"]))
    )
    assert sorted(amounts["amount"]) == [60, 500, 700, 950]  # 40 and 33 are disputed, 900 was corrected
    assert ZEB not in json.dumps(events.to_dicts(), default=str)
    with reading(engine) as connection:
        moves = connection.execute(
            select(MOVES.c.other, MOVES.c.event_id).where(MOVES.c.event_id.in_(["p5", "t-ann-cy"]))
        ).all()
    assert {event_id for _, event_id in moves} == {"p5", "t-ann-cy"}
    assert all(str(other).startswith("gone-") for other, _ in moves)


def test_the_chain_still_holds_and_the_orders_name_nobody(left: tuple[World, Erased]) -> None:
    world, erased = left
    with reading(world.database) as connection:
        entries = connection.execute(select(DECISIONS).order_by(DECISIONS.c.seq)).mappings().all()
        orders = connection.execute(select(ORDERS)).mappings().all()
        digests = connection.execute(select(ORDER_MOVES.c.order, ORDER_MOVES.c.digest)).all()
        problems = sorted(connection.execute(select(SUBMISSIONS.c.problems)).scalars())
        tokens_ = connection.execute(select(TOKENS).where(TOKENS.c.role == "subject")).mappings().all()
    previous = FIRST
    for row in entries:
        assert (row["previous_hash"], row["hash"]) == (previous, chained(previous, entry(dict(row))))
        previous = row["hash"]
    assert (len(entries), erased.decisions) == (4, 2)
    gone, kept = ([o for o in orders if o["subject"] == who] for who in (None, "ann"))
    assert (len(gone), len(kept), len(orders)) == (2, 2, 4)
    blank = {"service_introduction": "", "risk_fund": {"name": "DEPOSIT", "amount": 99}}
    assert all((o["state"], json.loads(o["content"]), o["digest"]) == ("settled", blank, "") for o in gone)
    assert all(json.loads(o["content"])["service_introduction"] == "heron-order-text for ann" for o in kept)
    assert {order for order, digest in digests if not digest} == {o["id"] for o in gone}
    assert [json.loads(one)[0]["event_id"] for one in problems] == ["pay-ann-9"] * 2 + ["pay-gone-9"] * 2
    ended = [(t["party"], t["name"]) for t in tokens_ if t["revoked_at"] is not None]
    assert ended == [(None, "")] * 2
    assert [t["party"] for t in tokens_ if t["revoked_at"] is None] == ["ann"] * 2


def test_another_s_objection_to_a_payment_stays_with_it_and_names_nobody(left: tuple[World, Erased]) -> None:
    with reading(left[0].database) as connection:
        disputed = connection.execute(select(DISPUTES).where(DISPUTES.c.subject == "bob")).mappings().one()
        same = (EVENTS.c.contributor == disputed["contributor"]) & (EVENTS.c.event_id == disputed["event_id"])
        item = connection.execute(select(EVENTS.c.subject, EVENTS.c.amount).where(same)).one()
    assert (disputed["statement"], tuple(item)) == ("not gone", ("bob", 40))


def others(engine: Engine) -> dict[str, set[str]]:
    """Every row that is nobody's who leaves, by table, but for what is counted over all."""
    counted = {"builds", "extent", "house", "departed", "marks"}
    found: dict[str, set[str]] = {}
    with reading(engine) as connection:
        own = {*connection.execute(select(ORDERS.c.id).where(ORDERS.c.subject.in_([ZEB]))).scalars()}
        own |= {departed.pseudonym(engine, ZEB)}
        for table in SQLModel.metadata.sorted_tables:
            rows = connection.execute(select(table)).all() if table.name not in counted else []
            texts = (json.dumps(list(row), default=str) for row in rows)
            found[table.name] = {t for t in texts if not any(name in t for name in (ZEB, *own))}
    return found


def test_every_row_that_is_somebody_else_s_stays_as_it_is(town: World) -> None:
    before = others(town.database)
    assert all(len(before[t]) >= 2 for t in HELD), {t: len(before[t]) for t in HELD}
    erase(town.database, ZEB, LATER)
    after = others(town.database)
    assert {t: before[t] - after[t] for t in before if before[t] - after[t]} == {}


def test_what_goes_is_counted(left: tuple[World, Erased]) -> None:
    world, erased = left
    with reading(world.database) as connection:
        events = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
    assert ledger.extent(world.database).events == events
    made = builds.latest(world.database)
    assert made
    assert made.seen == events
    assert made.people == len(rows(world.database))
    assert erased.kept_of_others == 9
    with pytest.raises(Refused, match="unknown person"):
        standing(world.database, ZEB, LATER)


def test_who_has_an_order_open_cannot_leave_yet(town: World) -> None:
    with writing(town.database) as connection:
        connection.execute(update(ORDERS).values(closed_at=None, state="in_service"))
    events = ledger.extent(town.database).events
    with pytest.raises(Refused) as refused:
        erase(town.database, ZEB, LATER)
    assert refused.value.code == "orders_open"
    assert ledger.extent(town.database).events == events
    assert standing(town.database, ZEB, LATER)


def test_nothing_about_who_left_is_taken_in(left: tuple[World, Erased]) -> None:
    engine = left[0].database
    sent = pl.concat(
        [
            event("person.enrolled", ZEB, event_id="n1", identity_level=1),
            event("payment.made", "ann", event_id="n2", other=ZEB, amount=1, currency="CNY"),
            event("payment.made", "ann", event_id="n3", other="bob", amount=1, currency="CNY"),
            event("event.corrected", "ann", event_id="n4", ref_event="n3", fields=json.dumps({"other": ZEB})),
        ]
    )
    done = ledger.append(engine, sent, LATER)
    assert (done.accepted, done.refused["row"].to_list()) == (1, [0, 1, 3])
    assert set(done.refused["reason"]) == {departed.REASON}
    assert ledger.append(engine, sent, LATER, all_or_nothing=True).accepted == 0
    assert ledger.append(engine, story(LIFE).filter(pl.col("event_id") == f"pay-{ZEB}-1"), LATER).refused.height == 1


def test_who_comes_back_is_taken_in_again(left: tuple[World, Erased]) -> None:
    engine = left[0].database
    tokens.issue(engine, "subject", "somebody-else", "phone", LATER)
    enrolment = event("person.enrolled", ZEB, event_id="n1", identity_level=1)
    assert append(engine, enrolment, LATER) == 0
    tokens.issue(engine, "subject", ZEB, "phone", LATER)
    assert append(engine, enrolment, LATER) == 1


def test_a_refresh_or_build_that_was_under_way_does_not_bring_them_back(
    town: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(town.database, event("payment.made", ZEB, other="shop", amount=5, currency="CNY", event_id="late"), LATER)
    made, computed = refresh._made, features

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        erase(town.database, ZEB, LATER)
        return made(*args, **kwargs)

    monkeypatch.setattr(refresh, "_made", meanwhile)
    assert refresh.refresh(town.database, town.engines, LATER) == refresh.Refreshed()
    Refresher(town.database, town.engines).all(LATER)
    assert ZEB not in rows(town.database)

    tokens.issue(town.database, "subject", ZEB, "phone", LATER)
    append(town.database, event("person.enrolled", ZEB, event_id="back", identity_level=1), LATER)
    grant = {"purpose": "perks", "classes": "identity"}
    append(town.database, event("consent.granted", ZEB, event_id="yes", **grant), LATER)

    def while_built(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        erase(town.database, ZEB, LATER)
        return computed(*args, **kwargs)

    monkeypatch.setattr(builds, "features", while_built)
    again = builds.build(town.database, NOW, "perks", LATER)
    found = rows(town.database)
    assert ZEB not in found
    assert (again.people, again.seen) == (len(found), ledger.extent(town.database).events)


def test_events_of_others_stay_append_only(left: tuple[World, Erased]) -> None:
    with pytest.raises(Refused) as refused, writing(left[0].database) as connection:
        connection.execute(text("DELETE FROM events WHERE subject = 'ann'"))
    assert refused.value.code == "append_only"
    with reading(left[0].database) as connection:
        assert connection.execute(text("SELECT count(*) FROM erasing")).scalar_one() == 0


@settings(max_examples=pairs(8, 150), deadline=None, phases=[Phase.generate])  # a seed does not shrink
@given(st.integers(0, 2**32))
def test_whatever_happened_others_are_as_if_the_person_had_never_consented(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The law of leaving: what counts of others then is what counts when nothing of the person ever did."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('leaves') / 'iftah.db'}")
    append(engine, pl.concat([before(), happenings(Random(seed), 30, 20)]), LONG_AFTER)
    known, events = ledger.extent(engine).recorded_at, ledger.read(engine)
    assert known
    standing_of = pl.col("kind").is_in(["person.enrolled", "consent.granted"]) & (pl.col("subject") == "ann")
    expected = rebuilt(events.filter(~standing_of), LONG_AFTER, known)
    erase(engine, "ann", LONG_AFTER)
    after = ledger.read(engine)
    assert "ann" not in [
        *after["subject"],
        *after["other"],
        *re.findall(r"\w+", " ".join(after["fields"].drop_nulls())),
    ]
    assert rebuilt(after, LONG_AFTER, known) == expected
    assert ledger.extent(engine).events == after.height
    engine.dispose()


def test_a_question_about_somebody_who_left_is_refused_and_kept_without_their_name(town: World) -> None:
    services.sign_up(town.database, "inn", "rooms", Terms("hotel"), LATER)
    erase(town.database, ZEB, LATER)
    asked = Asked("inn", "t-9", ZEB, "", 99, "", service="rooms")
    with pytest.raises(Refused) as refused:
        actions.eligibility(town, asked, LATER)
    assert refused.value.code == "no_consent"
    with reading(town.database) as connection:
        newest = "select * from decision_subjects where seq = (select max(seq) from decision_subjects)"
        row = connection.execute(text(newest)).one()
    assert ZEB not in json.dumps(list(row))


def test_whoever_asks_by_letter_is_erased_by_a_command_which_asks_whether_it_is_meant(
    town: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = environment(IFTAH_DATABASE_URL=town.database.url.render_as_string(hide_password=False))
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        asked = in_process(("erase", ZEB), env)
        assert asked.returncode == 1, asked
        assert "2 decision_subjects" in asked.stdout
    assert held(town.database, ZEB)["decision_subjects"] == 2
    done = in_process(("erase", ZEB, "--yes"), env)
    assert done.returncode == 0, done
    assert "2 decisions stay in the chain" in done.stdout
    assert held(town.database, ZEB) == {}
    again = in_process(("erase", ZEB, "--yes"), env)
    assert (again.returncode, again.stdout) == (2, "")
    assert "nothing is kept of this person" in again.stderr


def test_whoever_is_only_named_by_others_is_held_too(town: World) -> None:
    tokens.issue(town.database, "subject", "caller", "phone", LATER)
    assert held(town.database, "caller") == {"tokens": 1}
    erase(town.database, "caller", LATER)
    assert held(town.database, "caller") == {}


def test_of_two_builds_the_newest_is_counted_anew(town: World) -> None:
    engine = town.database
    old = builds.latest(engine)
    new = builds.build(engine, NOW, "perks", NOW)
    assert old
    with writing(engine) as connection:
        about = (EVENTS.c.subject == ZEB) | (EVENTS.c.other == ZEB)
        number = connection.execute(
            select(EVENTS.c.seq).where(about, EVENTS.c.kind == "obligation.opened")
        ).scalar_one()
        waiting = [{"build": b, "seq": number, "at": 1, "kind": "obligation.opened"} for b in (old.id, new.id)]
        connection.execute(insert(WAITING), waiting)
        counts = select(BUILDS.c.id, BUILDS.c.seen, BUILDS.c.later, BUILDS.c.people)
        before = {row[0]: row[1:] for row in connection.execute(counts)}
    erased = erase(engine, ZEB, LATER)
    with reading(engine) as connection:
        after = {row[0]: row[1:] for row in connection.execute(counts)}
        assert connection.execute(select(WAITING.c.build).where(WAITING.c.seq == number)).scalars().all() == [old.id]
    assert after[old.id] == before[old.id]
    seen, later, people = before[new.id]
    assert after[new.id] == (seen - erased.events, later, people - 1)
