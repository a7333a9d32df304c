"""Spark, Polars and DuckDB give the same view and the same features of the same ledgers, bit for bit."""

from random import Random

import narwhals as nw
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import seed as hypothesis_seed
from polars.testing import assert_frame_equal

from engine.lang.model.timezones import zone
from graph.evidence.links import rows_by_id
from graph.evidence.visibility import linked_people, visible_with_consents
from graph.evidence.vocabulary import STANDARD
from graph.features.declared.columns import declared_columns, with_names
from graph.features.declared.data_fields import with_data_fields
from graph.features.pipeline import features
from graph.spark.dialect import exact_frame
from graph.spark.features import features_on_spark
from graph.spark.fixed_points import components, trust
from graph.spark.view import ViewQuestion, collected, visible_on_spark
from iftah.shipped import shipped_definitions
from tests.effort import by_effort, only_in_full
from tests.graph.features.ask_features import on_duckdb
from tests.graph.features.declared.evaluators import by_reference
from tests.graph.features.declared.random_definitions import random_definitions, random_history
from tests.graph.random_ledgers import initial_events, random_events
from tests.graph.spark.many_ledgers import as_one, on_spark
from tests.graph.spark.test_fixed_points import as_dict, keep, on_polars, random_edges
from tests.strategies import MOMENTS, NOW, ledgers

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe")
KEY = ("contributor", "event_id")
LEDGERS = 40  # a computation of Spark takes half a minute, whatever it is of: we give it many ledgers at once
RUNS = range(by_effort(1, 6))


def drawn_ledgers(number: int) -> list[pl.DataFrame]:
    """Ledgers that Hypothesis draws, the same for a number."""
    result = list[pl.DataFrame]()

    @hypothesis_seed(number)
    @settings(max_examples=LEDGERS, database=None, phases=[Phase.generate], deadline=None)
    @given(ledgers())
    def collect(events: pl.DataFrame) -> None:
        result.append(events)

    collect()
    return result


def stored(_: str, native):
    return native.localCheckpoint()


def frames_kept(_: str, frame):
    return exact_frame(frame.to_native().localCheckpoint())


@pytest.mark.parametrize("run", RUNS)
def test_spark_gives_the_view_and_the_features_that_polars_and_duckdb_give(spark, run) -> None:
    chooser = Random(run)
    as_of = chooser.choice((NOW, *MOMENTS[-7:])) if run else NOW
    known_at, name = chooser.choice((NOW, MOMENTS[-1])), ZONES[(run + 1) % len(ZONES)]
    histories = [random_events(Random(100 * run + n), evidence=30, now=as_of, links=n % 3) for n in range(12)]
    events = as_one([*drawn_ledgers(run), *(pl.concat([initial_events(), rows]) for rows in histories)])
    question = ViewQuestion(as_of, max(as_of, known_at), "perks", name, zone, STANDARD)
    moments = question.as_of, question.known_at, question.purpose
    definitions = shipped_definitions()
    fields = tuple(sorted({f for d in definitions for f in d.fields}))
    expected = features(events, *moments, zone=question.zone, definitions=definitions)
    linked = linked_people(events, *moments)
    expected = rows_by_id(expected, [*expected["person"], *linked], linked)
    view, consents = visible_with_consents(events, *moments, question.zone)

    on_cluster = visible_on_spark(on_spark(spark, events, run), question, fields, buckets=3)
    table = features_on_spark(on_cluster, question, definitions, expected.columns[1:], stored)

    assert on_cluster.linked == linked
    rows = collected(on_cluster.rows).select(view.columns)
    assert_frame_equal(rows.sort(KEY), view.sort(KEY))
    order = ("person", "data_class")
    assert_frame_equal(collected(on_cluster.consents).sort(order), consents.sort(order))
    assert_frame_equal(collected(table).sort("person"), expected.sort("person"))
    of_duckdb = on_duckdb(view, consents, as_of, question.zone)
    people = expected.filter(pl.col("person").is_in(of_duckdb["person"].implode()))
    assert_frame_equal(of_duckdb, people.select(of_duckdb.columns).sort("person"))


@only_in_full
@pytest.mark.parametrize("run", RUNS)
def test_random_declarations_give_on_spark_what_they_give_in_the_reference(spark, run) -> None:
    chooser = Random(run)
    as_of, name = NOW, chooser.choice(ZONES)
    events = as_one([random_history(Random(100 * run + n), as_of) for n in range(10)])
    view, consents = visible_with_consents(events, as_of, as_of, "perks", zone(name))
    definitions = random_definitions(chooser)
    rows = with_data_fields(view, definitions)
    frames = [exact_frame(spark.createDataFrame(f.to_arrow()).localCheckpoint()) for f in (rows, consents)]
    table = collected(declared_columns(*frames, definitions, as_of, zone=zone(name)))
    expected = by_reference(view, consents, definitions, as_of, zone(name))
    assert_frame_equal(with_names(table, definitions), expected)


@only_in_full
def test_the_traps_of_spark_have_their_adapters(spark) -> None:
    """Dots in names, lengths of time, and whole-number division beyond 2^53. Without the adapters, Narwhals fails or is wrong."""
    big, moment = 2**53 + 1, "timestamp'2024-02-29 12:00:00.000001'"
    pairs = ((big, 1), (999_999_999_999_999_999, 10**9), (-7, 2), (7, -2), (5, 0))
    rows = ", ".join(f"({n}, {dividend}, {divisor}, {moment})" for n, (dividend, divisor) in enumerate(pairs))
    native = spark.sql(f"SELECT * FROM VALUES {rows} AS t(n, `credit.kept`, `credit.orders`, at)")
    frame = exact_frame(native)
    length = nw.col("at") - nw.lit(NOW.replace(day=28, hour=0))
    table = frame.with_columns(
        quotient=nw.col("credit.kept") // nw.col("credit.orders"),
        reverse=10**18 // nw.col("credit.orders"),
        minutes=length.dt.total_minutes(),
        micros=length.dt.total_microseconds(),
        negative=(nw.lit(NOW.replace(day=28, hour=0)) - nw.col("at")).dt.total_microseconds(),
    )
    joined = table.join(frame.select("credit.kept", other="credit.orders"), on="credit.kept", how="left")
    rows = collected(joined).sort("n")
    assert rows["quotient"].to_list() == [big, 999999999, -4, -4, None]
    assert rows["reverse"].to_list() == [10**18, 10**9, 5 * 10**17, -5 * 10**17, None]
    assert rows["other"].to_list() == rows["credit.orders"].to_list()
    assert set(rows["minutes"]) == {36 * 60}
    assert set(rows["micros"]) == {36 * 3_600_000_000 + 1}
    assert set(rows["negative"]) == {-(36 * 3_600_000_000 + 1)}


@only_in_full
@pytest.mark.parametrize("seed", range(2))
def test_components_and_trust_on_spark_are_those_on_polars(spark, seed) -> None:
    edges = random_edges(Random(seed))
    start = edges.select(node="a").head(2)
    frames = [exact_frame(spark.createDataFrame(f.to_arrow())) for f in (edges, start)]
    expected = as_dict(trust(on_polars(edges), on_polars(start), keep, 6), "trust")
    assert as_dict(trust(*frames, frames_kept, 6), "trust") == expected
    expected = as_dict(components(on_polars(edges), keep), "component")
    assert as_dict(components(frames[0], frames_kept), "component") == expected
