"""The guarantees of the ledger, each on SQLite and PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sqlalchemy import Engine

from api.evidence import ledger
from api.store.database import open_database, writing
from engine.errors import Rejected
from engine.lang.model.identifiers import flaw
from graph.evidence.events import CONTENT_COLUMNS, SCHEMA, conform

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def payment(event_id: str = "p1", **changes: object) -> dict[str, object]:
    common = {"contributor": "bank", "event_id": event_id, "kind": "payment.made", "subject": "ann", "other": "shop"}
    return common | {"happened_at": NOW - timedelta(days=1), "amount": 1200, "currency": "CNY"} | changes


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, schema={c: SCHEMA[c] for c in SCHEMA if any(c in r for r in rows)}))


def events_of_every_kind() -> pl.DataFrame:
    """Each column is set in some row, with the text that is hardest to store."""
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


def test_appended_events_are_read_back_unchanged(database: Engine) -> None:
    events = events_of_every_kind()
    result = ledger.append(database, events, NOW)
    assert (result.accepted, result.duplicates, result.refused.height) == (10, 0, 0)
    assert_frame_equal(ledger.read(database), events.with_columns(recorded_at=pl.lit(NOW, SCHEMA["recorded_at"])))
    unset_columns = {c for c in SCHEMA if events[c].null_count() == events.height}
    assert unset_columns == {"recorded_at", "data"}  # no shipped kind has fields without a column


def test_sending_a_batch_again_changes_nothing(database: Engine) -> None:
    ledger.append(database, events_of_every_kind(), NOW)
    before = ledger.read(database), ledger.extent(database)
    result = ledger.append(database, events_of_every_kind(), NOW + timedelta(days=1))
    assert (result.accepted, result.duplicates, result.refused.height, result.recorded_at) == (0, 10, 0, None)
    assert_frame_equal(ledger.read(database), before[0])
    assert ledger.extent(database) == before[1]


def test_an_event_sent_again_with_other_content_is_refused_by_its_columns(database: Engine) -> None:
    ledger.append(database, frame(payment()), NOW)
    result = ledger.append(database, frame(payment("p0"), payment(amount=1, category="fees"), payment()), NOW)
    assert (result.accepted, result.duplicates) == (1, 1)
    reason = "`event_id` was sent before with other content, see `amount`, `category`: send event.corrected instead"
    assert result.refused.rows() == [(1, reason)]
    assert ledger.read(database)["amount"].to_list() == [1200, 1200]


def test_within_one_batch_the_first_of_an_event_id_wins(database: Engine) -> None:
    result = ledger.append(database, frame(payment(amount=5), payment(amount=6), payment(amount=5)), NOW)
    assert (result.accepted, result.duplicates, result.refused["row"].to_list()) == (1, 1, [1])
    assert ledger.read(database)["amount"].to_list() == [5]


def test_two_contributors_may_use_the_same_event_id(database: Engine) -> None:
    result = ledger.append(database, frame(payment(), payment(contributor="platform", amount=7)), NOW)
    assert (result.accepted, result.refused.height) == (2, 0)


def test_bad_rows_are_refused_with_their_number_and_the_others_are_recorded(database: Engine) -> None:
    result = ledger.append(database, frame(payment("p0", amount=-5), payment(), payment("p2", kind="payment.mad")), NOW)
    assert result.accepted == 1
    assert result.refused["row"].to_list() == [0, 2]
    assert "`amount` is negative (-5)" in result.refused["reason"][0]
    assert "unknown kind `payment.mad`" in result.refused["reason"][1]


@pytest.mark.parametrize("wrong", [payment("p2", amount=-5), payment("p1", amount=6)])
def test_all_or_nothing_records_no_row_if_one_is_bad(database: Engine, wrong: dict[str, object]) -> None:
    result = ledger.append(database, frame(payment(), wrong), NOW, all_or_nothing=True)
    assert (result.accepted, result.duplicates, result.refused["row"].to_list()) == (0, 0, [1])
    assert ledger.read(database).is_empty()
    assert ledger.extent(database) == ledger.LedgerExtent(0, None, None)


def test_the_ledger_sets_recorded_at_and_ignores_that_of_the_batch(database: Engine) -> None:
    ledger.append(database, frame(payment(recorded_at=datetime(2001, 1, 1, tzinfo=UTC))), NOW)
    assert ledger.read(database)["recorded_at"].to_list() == [NOW]


def test_recorded_at_only_grows_even_when_the_clock_goes_back(database: Engine) -> None:
    times = [NOW, NOW, NOW - timedelta(hours=1), NOW + timedelta(hours=1)]
    recorded_times = [ledger.append(database, frame(payment(f"p{n}")), now).recorded_at for n, now in enumerate(times)]
    assert recorded_times == [NOW, NOW + MICROSECOND, NOW + 2 * MICROSECOND, NOW + timedelta(hours=1)]
    assert ledger.read(database)["recorded_at"].to_list() == recorded_times


def test_events_known_at_a_moment_never_change(database: Engine) -> None:
    ledger.append(database, frame(payment()), NOW)
    moment = ledger.extent(database).recorded_at
    before = ledger.read(database, known_at=moment)
    ledger.append(
        database, frame(payment("late", happened_at=datetime(2000, 1, 1, tzinfo=UTC))), NOW - timedelta(days=9)
    )
    assert_frame_equal(ledger.read(database, known_at=moment), before)
    assert ledger.read(database).height == 2


def test_one_persons_events_are_those_with_the_person_at_either_end(database: Engine) -> None:
    ledger.append(
        database, frame(payment("a"), payment("b", subject="bob", other="ann"), payment("c", subject="bob")), NOW
    )
    assert ledger.read(database, people=["ann"])["event_id"].to_list() == ["a", "b"]
    assert ledger.read(database, people={"ann", "bob"})["event_id"].to_list() == ["a", "b", "c"]
    assert ledger.read(database, people=["nobody", "nul\0", "o'hara %s :x"]).is_empty()
    assert ledger.read(database, people=[]).is_empty()


def test_events_are_read_by_kind_in_the_same_shape(database: Engine) -> None:
    events = events_of_every_kind()
    ledger.append(database, events, NOW)
    kinds = ["tie.formed", "dispute.opened"]
    rows = ledger.read(database, kinds=kinds)
    assert_frame_equal(rows.drop("recorded_at"), events.filter(pl.col("kind").is_in(kinds)).drop("recorded_at"))
    assert ledger.read(database, kinds=["no.such"]).schema == rows.schema


def test_the_extent_follows_every_append(database: Engine) -> None:
    assert ledger.extent(database) == ledger.LedgerExtent(0, None, None)
    ledger.append(database, frame(payment("a"), payment("b", happened_at=NOW - timedelta(days=9))), NOW)
    assert ledger.extent(database) == ledger.LedgerExtent(2, NOW, NOW - timedelta(days=1))
    ledger.append(
        database, frame(payment("a", happened_at=NOW), payment("c", happened_at=NOW - timedelta(days=5))), NOW
    )
    assert ledger.extent(database) == ledger.LedgerExtent(3, NOW + MICROSECOND, NOW - timedelta(days=1))


def test_an_empty_text_is_an_absent_one(database: Engine) -> None:
    ledger.append(database, frame(payment(category=None)), NOW)
    assert ledger.append(database, frame(payment(category="")), NOW).duplicates == 1


def test_a_nul_in_a_statement_is_refused_before_it_reaches_the_database(database: Engine) -> None:
    dispute = {"contributor": "ann", "event_id": "d", "kind": "dispute.opened", "subject": "ann", "ref_event": "p1"}
    result = ledger.append(database, frame(payment(), dispute | {"happened_at": NOW, "statement": "a\0b"}), NOW)
    assert (result.accepted, result.refused.rows()) == (1, [(1, "`statement` has a NUL character: remove it")])


def test_a_column_of_the_wrong_type_is_an_error_and_nothing_goes_in(database: Engine) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        ledger.append(database, frame(payment()).with_columns(amount=pl.lit("much")), NOW)
    assert ledger.extent(database).events == 0


@pytest.mark.parametrize("rows", [0, 1, 249, 250, 251, 500, 637])
def test_batches_of_every_size_are_recorded_completely_and_in_order(database: Engine, rows: int) -> None:
    events = frame(payment("x")).clear() if not rows else frame(*(payment(f"p{n:03}", amount=n) for n in range(rows)))
    assert ledger.append(database, events, NOW).accepted == rows
    assert ledger.read(database)["amount"].to_list() == list(range(rows))


@pytest.mark.parametrize("index", [0, 299, 599])
def test_a_batch_with_one_duplicate_is_otherwise_recorded_completely_and_in_order(database: Engine, index: int) -> None:
    """On PostgreSQL we insert such a batch in a second attempt, and must roll back the first completely."""
    events = frame(*(payment(f"p{n:03}", amount=n) for n in range(600)))
    ledger.append(database, events[index], NOW)
    result = ledger.append(database, events, NOW)
    assert (result.accepted, result.duplicates, result.refused.height) == (599, 1, 0)
    assert ledger.read(database)["amount"].to_list() == [index, *(n for n in range(600) if n != index)]
    assert ledger.extent(database).events == 600


def test_writers_at_the_same_time_wait_for_each_other(database: Engine) -> None:
    def write(writer: int) -> None:
        for n in range(5):
            ledger.append(database, frame(payment(f"shared-{n}"), payment(f"own-{writer}-{n}")), NOW)

    threads = [Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = ledger.read(database)
    assert rows.height == ledger.extent(database).events == 25
    assert rows["recorded_at"].is_sorted()
    assert rows["event_id"].n_unique() == 25


def test_an_append_to_a_read_only_database_is_refused_in_one_line(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'iftah.db'}").dispose()
    database = open_database(f"sqlite:///file:{tmp_path / 'iftah.db'}?mode=ro&uri=true")
    with pytest.raises(Rejected, match="the database is read-only"):
        ledger.append(database, frame(payment()), NOW)
    database.dispose()


texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs"]), min_size=1, max_size=5).filter(
    lambda text: not flaw(text)
)
payment_rows = st.builds(
    payment, st.sampled_from("abcd"), contributor=st.sampled_from(["bank", "b2"]), amount=st.integers(0, 2), other=texts
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(payment_rows, max_size=6), max_size=4), repeated=st.lists(st.integers(0, 3), max_size=3)
)
def test_repeated_events_keep_the_first_content(
    database: Engine, batches: list[list[dict[str, object]]], repeated: list[int]
) -> None:
    _delete_events(database)
    first: dict[tuple[object, object], dict[str, object]] = {}
    for batch in [*batches, *(batches[n] for n in repeated if n < len(batches))]:
        rows = [row for row in batch if row["other"] != "ann"]
        count_before, counts = len(first), [0, 0, 0]
        for row in rows:
            first_row = first.setdefault((row["contributor"], row["event_id"]), row)
            counts[1 if first_row == row else 2] += 1
        counts[0] = len(first) - count_before
        counts[1] -= counts[0]
        result = ledger.append(database, frame(*rows) if rows else conform(pl.DataFrame()), NOW)
        assert [result.accepted, result.duplicates, result.refused.height] == counts
    expected = frame(*first.values()) if first else conform(pl.DataFrame())
    assert_frame_equal(ledger.read(database).select(CONTENT_COLUMNS), expected.select(CONTENT_COLUMNS))


def _delete_events(database: Engine) -> None:
    """Delete events as only a test may: we drop the triggers meanwhile."""
    with writing(database) as connection:
        if database.dialect.name == "sqlite":
            trigger_sql = connection.exec_driver_sql(
                "SELECT sql FROM sqlite_master WHERE name = 'events_refuse_delete'"
            ).scalar()
            connection.exec_driver_sql("DROP TRIGGER events_refuse_delete")
            connection.exec_driver_sql("DELETE FROM events")
            connection.exec_driver_sql(str(trigger_sql))
        else:
            connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER ALL")
            connection.exec_driver_sql("DELETE FROM events")
            connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER ALL")
        connection.exec_driver_sql("UPDATE extent SET events = 0, recorded_at = NULL, happened_at = NULL")
