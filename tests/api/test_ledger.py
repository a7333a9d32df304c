"""The ledger's promises, each on SQLite and PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sqlalchemy import Engine

from api.database import open_database, writing
from api.evidence import ledger
from engine.errors import Refused
from graph.events import CONTENT, SCHEMA, conform

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def payment(event_id: str = "p1", **other: object) -> dict[str, object]:
    common = {"contributor": "bank", "event_id": event_id, "kind": "payment.made", "subject": "ann", "other": "shop"}
    return common | {"happened_at": NOW - timedelta(days=1), "amount": 1200, "currency": "CNY"} | other


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, schema={c: SCHEMA[c] for c in SCHEMA if any(c in r for r in rows)}))


def one_of_each() -> pl.DataFrame:
    """Every column is set in some row, with the text that storage likes least."""
    bare = {
        "contributor": "bank",
        "subject": "ann",
        "happened_at": datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    }
    return frame(
        payment(category="groceries", channel="card", other='a,"b"\\.\'; --'),
        bare | {"event_id": "e1", "kind": "person.enrolled", "identity_level": 3},
        bare | {"event_id": "e2", "kind": "tie.formed", "other": "bob", "tie": "vouch", "strength": -10},
        bare | {"event_id": "e3", "kind": "account.balance", "amount": -(10**15), "currency": "CZK"},
        bare | {"event_id": "e4", "kind": "obligation.opened", "obligation": "loan 1", "due": date(2030, 2, 28)},
        bare | {"event_id": "e5", "kind": "order.settled", "order": "o1", "days_late": 3, "service": "bikes"},
        bare
        | {
            "event_id": "e6",
            "kind": "consent.granted",
            "purpose": "perks",
            "classes": "credit,behaviour",
            "until": datetime(2199, 1, 1, 1, 1, 1, 1, tzinfo=UTC),
        },
        bare
        | {
            "event_id": "e7",
            "kind": "dispute.opened",
            "ref_event": "e4",
            "ref_contributor": "bank",
            "statement": 'not mine:\n\\.\n\t"never" 字 🙂\r\nend',
        },
        bare | {"event_id": "e8", "kind": "dispute.resolved", "ref_event": "e4", "outcome": "upheld"},
        bare | {"event_id": "e9", "kind": "event.corrected", "ref_event": "p1", "fields": '{"amount": 1300}'},
    )


def test_what_is_appended_is_read_back_to_the_last_value(engine: Engine) -> None:
    events = one_of_each()
    appended = ledger.append(engine, events, NOW)
    assert (appended.accepted, appended.duplicates, appended.refused.height) == (10, 0, 0)
    assert_frame_equal(ledger.read(engine), events.with_columns(recorded_at=pl.lit(NOW, SCHEMA["recorded_at"])))
    unset = {c for c in SCHEMA if events[c].null_count() == events.height}
    assert unset == {"recorded_at"}


def test_sending_a_batch_again_changes_nothing(engine: Engine) -> None:
    ledger.append(engine, one_of_each(), NOW)
    before = ledger.read(engine), ledger.extent(engine)
    again = ledger.append(engine, one_of_each(), NOW + timedelta(days=1))
    assert (again.accepted, again.duplicates, again.refused.height, again.recorded_at) == (0, 10, 0, None)
    assert_frame_equal(ledger.read(engine), before[0])
    assert ledger.extent(engine) == before[1]


def test_an_event_sent_again_with_other_content_is_refused_by_its_columns(engine: Engine) -> None:
    ledger.append(engine, frame(payment()), NOW)
    sent = ledger.append(engine, frame(payment("p0"), payment(amount=1, category="fees"), payment()), NOW)
    assert (sent.accepted, sent.duplicates) == (1, 1)
    said = "`event_id` was sent before with other content, see `amount`, `category`: send event.corrected instead"
    assert sent.refused.rows() == [(1, said)]
    assert ledger.read(engine)["amount"].to_list() == [1200, 1200]


def test_within_one_batch_the_first_of_an_event_id_wins(engine: Engine) -> None:
    sent = ledger.append(engine, frame(payment(amount=5), payment(amount=6), payment(amount=5)), NOW)
    assert (sent.accepted, sent.duplicates, sent.refused["row"].to_list()) == (1, 1, [1])
    assert ledger.read(engine)["amount"].to_list() == [5]


def test_two_contributors_may_use_the_same_event_id(engine: Engine) -> None:
    sent = ledger.append(engine, frame(payment(), payment(contributor="platform", amount=7)), NOW)
    assert (sent.accepted, sent.refused.height) == (2, 0)


def test_wrong_rows_are_refused_with_their_number_and_the_others_go_in(engine: Engine) -> None:
    sent = ledger.append(engine, frame(payment("p0", amount=-5), payment(), payment("p2", kind="payment.mad")), NOW)
    assert sent.accepted == 1
    assert sent.refused["row"].to_list() == [0, 2]
    assert "`amount` is negative (-5)" in sent.refused["reason"][0]
    assert "unknown kind `payment.mad`" in sent.refused["reason"][1]


@pytest.mark.parametrize("wrong", [payment("p2", amount=-5), payment("p1", amount=6)])
def test_all_or_nothing_keeps_everything_out_for_one_wrong_row(engine: Engine, wrong: dict[str, object]) -> None:
    sent = ledger.append(engine, frame(payment(), wrong), NOW, all_or_nothing=True)
    assert (sent.accepted, sent.duplicates, sent.refused["row"].to_list()) == (0, 0, [1])
    assert ledger.read(engine).is_empty()
    assert ledger.extent(engine) == ledger.Extent(0, None, None)


def test_the_ledger_sets_recorded_at_whatever_the_batch_says(engine: Engine) -> None:
    ledger.append(engine, frame(payment(recorded_at=datetime(2001, 1, 1, tzinfo=UTC))), NOW)
    assert ledger.read(engine)["recorded_at"].to_list() == [NOW]


def test_recorded_at_only_grows_even_when_the_clock_goes_back(engine: Engine) -> None:
    times = [NOW, NOW, NOW - timedelta(hours=1), NOW + timedelta(hours=1)]
    said = [ledger.append(engine, frame(payment(f"p{n}")), now).recorded_at for n, now in enumerate(times)]
    assert said == [NOW, NOW + MICROSECOND, NOW + 2 * MICROSECOND, NOW + timedelta(hours=1)]
    assert ledger.read(engine)["recorded_at"].to_list() == said


def test_what_was_known_at_a_moment_stays_the_same_for_ever(engine: Engine) -> None:
    ledger.append(engine, frame(payment()), NOW)
    moment = ledger.extent(engine).recorded_at
    before = ledger.read(engine, known_at=moment)
    ledger.append(engine, frame(payment("late", happened_at=datetime(2000, 1, 1, tzinfo=UTC))), NOW - timedelta(days=9))
    assert_frame_equal(ledger.read(engine, known_at=moment), before)
    assert ledger.read(engine).height == 2


def test_one_persons_events_are_those_with_the_person_at_either_end(engine: Engine) -> None:
    ledger.append(
        engine, frame(payment("a"), payment("b", subject="bob", other="ann"), payment("c", subject="bob")), NOW
    )
    assert ledger.read(engine, people=["ann"])["event_id"].to_list() == ["a", "b"]
    assert ledger.read(engine, people={"ann", "bob"})["event_id"].to_list() == ["a", "b", "c"]
    assert ledger.read(engine, people=["nobody", "nul\0", "o'hara %s :x"]).is_empty()
    assert ledger.read(engine, people=[]).is_empty()


def test_events_are_read_by_kind_in_the_same_shape(engine: Engine) -> None:
    events = one_of_each()
    ledger.append(engine, events, NOW)
    kinds = ["tie.formed", "dispute.opened"]
    read = ledger.read(engine, kinds=kinds)
    assert_frame_equal(read.drop("recorded_at"), events.filter(pl.col("kind").is_in(kinds)).drop("recorded_at"))
    assert ledger.read(engine, kinds=["no.such"]).schema == read.schema


def test_the_extent_follows_every_append(engine: Engine) -> None:
    assert ledger.extent(engine) == ledger.Extent(0, None, None)
    ledger.append(engine, frame(payment("a"), payment("b", happened_at=NOW - timedelta(days=9))), NOW)
    assert ledger.extent(engine) == ledger.Extent(2, NOW, NOW - timedelta(days=1))
    ledger.append(engine, frame(payment("a", happened_at=NOW), payment("c", happened_at=NOW - timedelta(days=5))), NOW)
    assert ledger.extent(engine) == ledger.Extent(3, NOW + MICROSECOND, NOW - timedelta(days=1))


def test_an_empty_text_is_an_absent_one(engine: Engine) -> None:
    ledger.append(engine, frame(payment(category=None)), NOW)
    assert ledger.append(engine, frame(payment(category="")), NOW).duplicates == 1


def test_a_nul_in_a_statement_is_refused_before_the_database_chokes_on_it(engine: Engine) -> None:
    dispute = {"contributor": "ann", "event_id": "d", "kind": "dispute.opened", "subject": "ann", "ref_event": "p1"}
    sent = ledger.append(engine, frame(payment(), dispute | {"happened_at": NOW, "statement": "a\0b"}), NOW)
    assert (sent.accepted, sent.refused.rows()) == (1, [(1, "`statement` has a NUL character: remove it")])


def test_a_column_of_the_wrong_type_is_an_error_and_nothing_goes_in(engine: Engine) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        ledger.append(engine, frame(payment()).with_columns(amount=pl.lit("much")), NOW)
    assert ledger.extent(engine).events == 0


@pytest.mark.parametrize("rows", [0, 1, 249, 250, 251, 500, 637])
def test_batches_of_every_size_go_in_whole_and_in_order(engine: Engine, rows: int) -> None:
    events = frame(payment("x")).clear() if not rows else frame(*(payment(f"p{n:03}", amount=n) for n in range(rows)))
    assert ledger.append(engine, events, NOW).accepted == rows
    assert ledger.read(engine)["amount"].to_list() == list(range(rows))


@pytest.mark.parametrize("known", [0, 299, 599])
def test_a_batch_with_one_known_event_goes_in_otherwise_whole_and_in_order(engine: Engine, known: int) -> None:
    """On PostgreSQL such a batch goes by the second road; nothing of the first may be left."""
    events = frame(*(payment(f"p{n:03}", amount=n) for n in range(600)))
    ledger.append(engine, events[known], NOW)
    sent = ledger.append(engine, events, NOW)
    assert (sent.accepted, sent.duplicates, sent.refused.height) == (599, 1, 0)
    assert ledger.read(engine)["amount"].to_list() == [known, *(n for n in range(600) if n != known)]
    assert ledger.extent(engine).events == 600


def test_writers_at_the_same_time_wait_for_each_other(engine: Engine) -> None:
    def write(writer: int) -> None:
        for n in range(5):
            ledger.append(engine, frame(payment(f"shared-{n}"), payment(f"own-{writer}-{n}")), NOW)

    threads = [Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    read = ledger.read(engine)
    assert read.height == ledger.extent(engine).events == 25
    assert read["recorded_at"].is_sorted()
    assert read["event_id"].n_unique() == 25


def test_an_append_to_a_read_only_database_is_refused_in_one_line(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'iftah.db'}").dispose()
    engine = open_database(f"sqlite:///file:{tmp_path / 'iftah.db'}?mode=ro&uri=true")
    with pytest.raises(Refused, match="the database is read-only"):
        ledger.append(engine, frame(payment()), NOW)
    engine.dispose()


texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=5)
sent_rows = st.builds(
    payment, st.sampled_from("abcd"), contributor=st.sampled_from(["bank", "b2"]), amount=st.integers(0, 2), other=texts
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(sent_rows, max_size=6), max_size=4), repeated=st.lists(st.integers(0, 3), max_size=3))
def test_any_sending_with_repeats_leaves_the_first_content_of_each_event(
    engine: Engine, batches: list[list[dict[str, object]]], repeated: list[int]
) -> None:
    _empty(engine)
    first: dict[tuple[object, object], dict[str, object]] = {}
    for batch in [*batches, *(batches[n] for n in repeated if n < len(batches))]:
        rows = [row for row in batch if row["other"] != "ann"]
        known, counts = len(first), [0, 0, 0]
        for row in rows:
            recorded = first.setdefault((row["contributor"], row["event_id"]), row)
            counts[1 if recorded == row else 2] += 1
        counts[0] = len(first) - known
        counts[1] -= counts[0]
        sent = ledger.append(engine, frame(*rows) if rows else conform(pl.DataFrame()), NOW)
        assert [sent.accepted, sent.duplicates, sent.refused.height] == counts
    expected = frame(*first.values()) if first else conform(pl.DataFrame())
    assert_frame_equal(ledger.read(engine).select(CONTENT), expected.select(CONTENT))


def _empty(engine: Engine) -> None:
    """A door that only a test has: the triggers are taken away for as long as it is open."""
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            kept = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE name = 'events_refuse_delete'"
            ).scalar()
            connection.exec_driver_sql("DROP TRIGGER events_refuse_delete")
            connection.exec_driver_sql("DELETE FROM events")
            connection.exec_driver_sql(str(kept))
        else:
            connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.exec_driver_sql("DELETE FROM events")
            connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER ALL")
        connection.exec_driver_sql("UPDATE extent SET events = 0, recorded_at = NULL, happened_at = NULL")
