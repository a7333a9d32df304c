"""Erasure: no data of the person remains, others' features stay, the chain holds, and we accept no new data about the person."""

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

from api.access import tokens
from api.decisions.decisions import GENESIS_HASH, chain_hash, entry
from api.decisions.eligibility import answer_question
from api.decisions.question import EligibilityQuestion
from api.evidence import erasure_tombstones, ledger
from api.features import builds, refresh
from api.features.serving_features import serving_features_of
from api.merchants import services
from api.merchants.services import Terms
from api.people.erasure import ErasureResult, count_rows, erase, vacuum
from api.runtime.context import AppContext
from api.store.database import open_database, reading, writing
from api.store.tables import (
    BUILDS,
    CORRECTED_PARTIES,
    DECISIONS,
    DISPUTES,
    EVENTS,
    ORDER_MOVES,
    ORDERS,
    SCHEDULED_EVENTS,
    SUBMISSIONS,
    TOKENS,
)
from engine.decide.evaluators import Evaluators
from engine.errors import Rejected
from graph.evidence.visibility import visible
from tests.api.conftest import server_of
from tests.api.database_templates import Template
from tests.api.full_record import LATER, LIFE_EVENTS, PERSONAL_TEXTS, ZEB, remaining_texts
from tests.api.refresh_town import LOCAL_FEATURES, Refresher, append_events, feature_rows, rebuild_features
from tests.api.terminal import environment, run_in_process
from tests.api.town import NOW, build_features, event
from tests.effort import by_effort
from tests.graph.random_ledgers import initial_events, random_events
from tests.graph.story import story
from tests.strategies import NOW as LAST

LONG_AFTER = LAST + timedelta(days=40)
SHARED_TABLES = (  # tables in which both have something
    *("events", "features", "scores", "score_history", "decision_subjects", "decisions", "tokens", "consent_requests"),
    *("disputes", "reviews", "monitored_attributes", "orders", "order_moves", "messages", "submissions"),
)
COUNTERPARTY_FEATURES = {
    "behaviour.out_counterparties",
    "behaviour.in_counterparties",
}  # people paid: the erased person no longer counts


@pytest.fixture(params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest, tmp_path: Path, full_record_template: Template, shipped_evaluators: Evaluators
) -> Iterator[AppContext]:
    """A copy of the town for one test."""
    with full_record_template.lend(server_of(request), tmp_path) as url:
        database = open_database(url)
        yield AppContext(database, shipped_evaluators)
        database.dispose()


@pytest.fixture
def erased_town(town: AppContext) -> tuple[AppContext, ErasureResult]:
    """The town after the erasure."""
    return town, erase(town.database, ZEB, LATER)


def features_of(context: AppContext, person: str) -> dict[str, Any]:
    return feature_rows(context.database)[person][1]


def test_no_personal_text_remains_in_the_files_or_a_dump(erased_town: tuple[AppContext, ErasureResult]) -> None:
    database = erased_town[0].database
    assert vacuum(database)
    assert remaining_texts(database, *PERSONAL_TEXTS) == {}
    assert remaining_texts(database, "t-bob-ann") != {}  # the search finds texts that exist
    assert not vacuum(database)


def test_every_personal_text_is_found_before_the_erasure(town: AppContext) -> None:
    hits_before = {hit for hits in remaining_texts(town.database, *PERSONAL_TEXTS).values() for hit in hits}
    assert hits_before == set(PERSONAL_TEXTS)


def test_sums_of_others_stay_and_ties_to_the_person_are_removed(town: AppContext) -> None:
    before = {p: features_of(town, p) for p in ("ann", "bob", "cy")}
    erase(town.database, ZEB, LATER)
    Refresher(town.database, town.evaluators).run(LATER)
    build, known_at = builds.latest_build(town.database), ledger.extent(town.database).recorded_at
    assert build
    assert known_at
    expected = rebuild_features(ledger.read(town.database), build.as_of, known_at)
    assert all({n: features_of(town, p)[n] for n in LOCAL_FEATURES} == expected[p] for p in before)
    for person, values in before.items():
        now = features_of(town, person)
        changed = {n for n, v in values.items() if n in now and now[n] != v and not n.startswith("relationships.")}
        assert changed <= COUNTERPARTY_FEATURES, person
    assert before["ann"]["relationships.vouches"] == features_of(town, "ann")["relationships.vouches"]
    assert features_of(town, "ann")["relationships.degree"] == before["ann"]["relationships.degree"] - 1
    assert features_of(town, "bob")["relationships.degree"] == before["bob"]["relationships.degree"] - 1


def test_two_payments_with_the_erased_person_cannot_be_linked(
    erased_town: tuple[AppContext, ErasureResult],
) -> None:
    with reading(erased_town[0].database) as connection:
        sides = EVENTS.c.subject.startswith("gone-") | EVENTS.c.other.startswith("gone-")
        rows = connection.execute(select(EVENTS.c.subject, EVENTS.c.other, EVENTS.c.kind).where(sides)).all()
    aliases_by_end: defaultdict[str, set[str]] = defaultdict(set)
    for subject, other, _ in rows:
        for end, alias in ((subject, other), (other, subject)):
            if str(alias).startswith("gone-"):
                aliases_by_end[str(end)].add(alias)
    assert {k for _, _, k in rows} == {"payment.made", "dispute.opened"}
    assert {end: len(aliases) for end, aliases in aliases_by_end.items() if end != "None"} == {"ann": 1, "bob": 1}
    assert aliases_by_end["ann"] != aliases_by_end["bob"]


def test_corrections_and_disputes_of_a_payment_stay_with_it(erased_town: tuple[AppContext, ErasureResult]) -> None:
    database = erased_town[0].database
    events = ledger.read(database, people=["ann", "bob"])
    known_at = ledger.extent(database).recorded_at
    assert known_at
    visible_events = visible(ledger.read(database), NOW, known_at, "perks")
    amounts = visible_events.filter(
        pl.col("kind") == "payment.made", pl.any_horizontal(pl.col("subject", "other").is_in(["ann", "bob"]))
    )
    assert sorted(amounts["amount"]) == [60, 500, 700, 950]  # 40 and 33 are disputed, 900 was corrected
    assert ZEB not in json.dumps(events.to_dicts(), default=str)
    with reading(database) as connection:
        moves = connection.execute(
            select(CORRECTED_PARTIES.c.other, CORRECTED_PARTIES.c.event_id).where(
                CORRECTED_PARTIES.c.event_id.in_(["p5", "t-ann-cy"])
            )
        ).all()
    assert {event_id for _, event_id in moves} == {"p5", "t-ann-cy"}
    assert all(str(other).startswith("gone-") for other, _ in moves)


def test_the_chain_still_verifies_and_orders_name_no_person(erased_town: tuple[AppContext, ErasureResult]) -> None:
    context, erased = erased_town
    with reading(context.database) as connection:
        entries = connection.execute(select(DECISIONS).order_by(DECISIONS.c.seq)).mappings().all()
        orders = connection.execute(select(ORDERS)).mappings().all()
        digests = connection.execute(select(ORDER_MOVES.c.order, ORDER_MOVES.c.digest)).all()
        problems = sorted(connection.execute(select(SUBMISSIONS.c.problems)).scalars())
        tokens_ = connection.execute(select(TOKENS).where(TOKENS.c.role == "subject")).mappings().all()
    previous = GENESIS_HASH
    for row in entries:
        assert (row["previous_hash"], row["hash"]) == (previous, chain_hash(previous, entry(dict(row))))
        previous = row["hash"]
    assert (len(entries), erased.decisions) == (4, 2)
    erased_orders, other_orders = ([o for o in orders if o["subject"] == subject] for subject in (None, "ann"))
    assert (len(erased_orders), len(other_orders), len(orders)) == (2, 2, 4)
    blank = {"service_introduction": "", "risk_fund": {"name": "DEPOSIT", "amount": 99}}
    assert all((o["state"], json.loads(o["content"]), o["digest"]) == ("settled", blank, "") for o in erased_orders)
    assert all(json.loads(o["content"])["service_introduction"] == "heron-order-text for ann" for o in other_orders)
    assert {order for order, digest in digests if not digest} == {o["id"] for o in erased_orders}
    assert [json.loads(problem_text)[0]["event_id"] for problem_text in problems] == ["pay-ann-9"] * 2 + [
        "pay-gone-9"
    ] * 2
    revoked_tokens = [(t["party"], t["name"]) for t in tokens_ if t["revoked_at"] is not None]
    assert revoked_tokens == [(None, "")] * 2
    assert [t["party"] for t in tokens_ if t["revoked_at"] is None] == ["ann"] * 2


def test_a_dispute_of_another_stays_and_names_no_erased_person(
    erased_town: tuple[AppContext, ErasureResult],
) -> None:
    with reading(erased_town[0].database) as connection:
        dispute = connection.execute(select(DISPUTES).where(DISPUTES.c.subject == "bob")).mappings().one()
        same_event = (EVENTS.c.contributor == dispute["contributor"]) & (EVENTS.c.event_id == dispute["event_id"])
        item = connection.execute(select(EVENTS.c.subject, EVENTS.c.amount).where(same_event)).one()
    assert (dispute["statement"], tuple(item)) == ("not gone", ("bob", 40))


def rows_of_others(database: Engine) -> dict[str, set[str]]:
    """Every row of people who stay, by table, without totals over everyone."""
    shared_tables = {"builds", "extent", "system", "erasure_tombstones", "deferred_refreshes"}
    rows_by_table: dict[str, set[str]] = {}
    with reading(database) as connection:
        own_ids = {*connection.execute(select(ORDERS.c.id).where(ORDERS.c.subject.in_([ZEB]))).scalars()}
        own_ids |= {erasure_tombstones.pseudonym(database, ZEB)}
        for table in SQLModel.metadata.sorted_tables:
            rows = connection.execute(select(table)).all() if table.name not in shared_tables else []
            texts = (json.dumps(list(row), default=str) for row in rows)
            rows_by_table[table.name] = {t for t in texts if not any(name in t for name in (ZEB, *own_ids))}
    return rows_by_table


def test_every_row_of_others_stays_unchanged(town: AppContext) -> None:
    before = rows_of_others(town.database)
    assert all(len(before[t]) >= 2 for t in SHARED_TABLES), {t: len(before[t]) for t in SHARED_TABLES}
    erase(town.database, ZEB, LATER)
    after = rows_of_others(town.database)
    assert {t: before[t] - after[t] for t in before if before[t] - after[t]} == {}


def test_totals_are_updated_after_an_erasure(erased_town: tuple[AppContext, ErasureResult]) -> None:
    context, erased = erased_town
    with reading(context.database) as connection:
        events = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
    assert ledger.extent(context.database).events == events
    build = builds.latest_build(context.database)
    assert build
    assert build.events_counted == events
    assert build.people == len(feature_rows(context.database))
    assert erased.kept_of_others == 9
    with pytest.raises(Rejected, match="unknown person"):
        serving_features_of(context.database, context.release, ZEB, LATER)


def test_a_person_with_an_open_order_cannot_be_erased(town: AppContext) -> None:
    with writing(town.database) as connection:
        connection.execute(update(ORDERS).values(closed_at=None, state="in_service"))
    events = ledger.extent(town.database).events
    with pytest.raises(Rejected) as error:
        erase(town.database, ZEB, LATER)
    assert error.value.code == "open_orders"
    assert ledger.extent(town.database).events == events
    assert serving_features_of(town.database, town.release, ZEB, LATER)


def test_no_event_about_an_erased_person_is_accepted(erased_town: tuple[AppContext, ErasureResult]) -> None:
    database = erased_town[0].database
    events = pl.concat(
        [
            event("person.enrolled", ZEB, event_id="n1", identity_level=1),
            event("payment.made", "ann", event_id="n2", other=ZEB, amount=1, currency="CNY"),
            event("payment.made", "ann", event_id="n3", other="bob", amount=1, currency="CNY"),
            event("event.corrected", "ann", event_id="n4", ref_event="n3", fields=json.dumps({"other": ZEB})),
        ]
    )
    result = ledger.append(database, events, LATER)
    assert (result.accepted, result.refused["row"].to_list()) == (1, [0, 1, 3])
    assert set(result.refused["reason"]) == {erasure_tombstones.REJECTION_REASON}
    assert ledger.append(database, events, LATER, all_or_nothing=True).accepted == 0
    assert (
        ledger.append(database, story(LIFE_EVENTS).filter(pl.col("event_id") == f"pay-{ZEB}-1"), LATER).refused.height
        == 1
    )


def test_events_about_a_reinstated_person_are_accepted(erased_town: tuple[AppContext, ErasureResult]) -> None:
    database = erased_town[0].database
    tokens.issue(database, "subject", "somebody-else", "phone", LATER)
    enrolment = event("person.enrolled", ZEB, event_id="n1", identity_level=1)
    assert append_events(database, enrolment, LATER) == 0
    tokens.issue(database, "subject", ZEB, "phone", LATER)
    assert append_events(database, enrolment, LATER) == 1


def test_a_concurrent_refresh_or_build_does_not_restore_an_erased_person(
    town: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_events(
        town.database, event("payment.made", ZEB, other="shop", amount=5, currency="CNY", event_id="late"), LATER
    )
    make_rows, compute_features = refresh.compute_rows, builds.features

    def meanwhile(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        erase(town.database, ZEB, LATER)
        return make_rows(*args, **kwargs)

    monkeypatch.setattr(refresh, "compute_rows", meanwhile)
    assert refresh.refresh(town.database, town.evaluators, LATER) == refresh.RefreshResult()
    Refresher(town.database, town.evaluators).run(LATER)
    assert ZEB not in feature_rows(town.database)

    tokens.issue(town.database, "subject", ZEB, "phone", LATER)
    append_events(town.database, event("person.enrolled", ZEB, event_id="back", identity_level=1), LATER)
    grant = {"purpose": "perks", "classes": "identity"}
    append_events(town.database, event("consent.granted", ZEB, event_id="yes", **grant), LATER)

    def while_built(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        erase(town.database, ZEB, LATER)
        return compute_features(*args, **kwargs)

    monkeypatch.setattr(builds, "features", while_built)
    build = build_features(town.database, NOW, "perks", LATER)
    remaining_rows = feature_rows(town.database)
    assert ZEB not in remaining_rows
    assert (build.people, build.events_counted) == (len(remaining_rows), ledger.extent(town.database).events)


def test_events_of_others_stay_append_only(erased_town: tuple[AppContext, ErasureResult]) -> None:
    with pytest.raises(Rejected) as error, writing(erased_town[0].database) as connection:
        connection.execute(text("DELETE FROM events WHERE subject = 'ann'"))
    assert error.value.code == "append_only"
    with reading(erased_town[0].database) as connection:
        assert connection.execute(text("SELECT count(*) FROM erasures_in_progress")).scalar_one() == 0


@settings(max_examples=by_effort(3, 150), deadline=None, phases=[Phase.generate])  # a seed does not shrink
@given(st.integers(0, 2**32))
def test_features_of_others_equal_those_without_the_persons_consent(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The law of erasure: afterwards others' features are the same as if the person's data had never counted."""
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('leaves') / 'iftah.db'}")
    append_events(database, pl.concat([initial_events(), random_events(Random(seed), 30, 20)]), LONG_AFTER)
    known_at, events = ledger.extent(database).recorded_at, ledger.read(database)
    assert known_at
    enrolment = pl.col("kind").is_in(["person.enrolled", "consent.granted"]) & (pl.col("subject") == "ann")
    expected = rebuild_features(events.filter(~enrolment), LONG_AFTER, known_at)
    erase(database, "ann", LONG_AFTER)
    after = ledger.read(database)
    assert "ann" not in [
        *after["subject"],
        *after["other"],
        *re.findall(r"\w+", " ".join(after["fields"].drop_nulls())),
    ]
    assert rebuild_features(after, LONG_AFTER, known_at) == expected
    assert ledger.extent(database).events == after.height
    database.dispose()


def test_a_question_about_an_erased_person_is_refused_and_recorded_without_their_id(town: AppContext) -> None:
    services.sign_up(town.database, "inn", "rooms", Terms("hotel"), LATER)
    erase(town.database, ZEB, LATER)
    question = EligibilityQuestion("inn", "t-9", ZEB, "", 99, "", LATER, service="rooms")
    with pytest.raises(Rejected) as error:
        answer_question(town, question)
    assert error.value.code == "no_consent"
    with reading(town.database) as connection:
        newest = "select * from decision_subjects where seq = (select max(seq) from decision_subjects)"
        row = connection.execute(text(newest)).one()
    assert ZEB not in json.dumps(list(row))


def test_the_erase_command_asks_for_confirmation(town: AppContext, monkeypatch: pytest.MonkeyPatch) -> None:
    env = environment(IFTAH_DATABASE_URL=town.database.url.render_as_string(hide_password=False))
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        prompt_result = run_in_process(("erase", ZEB), env)
        assert prompt_result.returncode == 1, prompt_result
        assert "2 decision_subjects" in prompt_result.stdout
    assert count_rows(town.database, ZEB)["decision_subjects"] == 2
    result = run_in_process(("erase", ZEB, "--yes"), env)
    assert result.returncode == 0, result
    assert "2 decisions stay in the chain" in result.stdout
    assert count_rows(town.database, ZEB) == {}
    second_result = run_in_process(("erase", ZEB, "--yes"), env)
    assert (second_result.returncode, second_result.stdout) == (2, "")
    assert "nothing is stored about this person" in second_result.stderr


def test_a_person_known_only_by_a_token_is_erased(town: AppContext) -> None:
    tokens.issue(town.database, "subject", "caller", "phone", LATER)
    assert count_rows(town.database, "caller") == {"tokens": 1}
    erase(town.database, "caller", LATER)
    assert count_rows(town.database, "caller") == {}


def test_an_erasure_recounts_only_the_newest_build(town: AppContext) -> None:
    database = town.database
    old = builds.latest_build(database)
    new = build_features(database, NOW, "perks", NOW)
    assert old
    with writing(database) as connection:
        about = (EVENTS.c.subject == ZEB) | (EVENTS.c.other == ZEB)
        seq = connection.execute(select(EVENTS.c.seq).where(about, EVENTS.c.kind == "obligation.opened")).scalar_one()
        waiting = [{"build": b, "seq": seq, "at": 1, "kind": "obligation.opened"} for b in (old.id, new.id)]
        connection.execute(insert(SCHEDULED_EVENTS), waiting)
        counts = select(BUILDS.c.id, BUILDS.c.events_counted, BUILDS.c.future_events, BUILDS.c.people)
        before = {row[0]: row[1:] for row in connection.execute(counts)}
    erased = erase(database, ZEB, LATER)
    with reading(database) as connection:
        after = {row[0]: row[1:] for row in connection.execute(counts)}
        assert connection.execute(
            select(SCHEDULED_EVENTS.c.build).where(SCHEDULED_EVENTS.c.seq == seq)
        ).scalars().all() == [old.id]
    assert after[old.id] == before[old.id]
    seen_count, later_count, people_count = before[new.id]
    assert after[new.id] == (seen_count - erased.events, later_count, people_count - 1)
