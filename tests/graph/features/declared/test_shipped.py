"""The shipped declarations give the catalogue's features bit for bit, on the town, random ledgers, and Berka's bank."""

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import graph
import iftah
from engine.lang.model.timezones import zone
from graph.datasets import berka
from graph.datasets.town import END, town
from graph.evidence.events import conform
from iftah.catalogue import schema
from iftah.declarations import catalogue_line
from tests.effort import by_effort
from tests.graph.features.declared.random_definitions import MOMENTS, random_history
from tests.graph.features.declared.shipped import both_ways, shipped_definitions
from tests.graph.features.test_payments import HISTORIES, ZONES, ledger
from tests.paths import ROOT
from tests.strategies import NOW, ledgers

SHANGHAI = zone("Asia/Shanghai")


def town_events(people: int, seed: int) -> pl.DataFrame:
    events = pl.concat([conform(f) for f in town(people, seed=seed).events()])
    return events.with_columns(recorded_at="happened_at")


def test_at_least_thirty_features_are_declared() -> None:
    names = {d.name for d in shipped_definitions() if not d.is_internal}
    assert len(names) >= 30
    assert names <= {f.name for f in graph.schema()}


def test_a_declaration_has_the_type_unit_class_direction_and_effort_of_the_catalogue() -> None:
    catalogue, lines = schema(), {f.name: f for f in graph.schema()}
    declarations = iftah.load_rules(ROOT / "rules").programs[0].declarations
    for name, feature in declarations.items():
        if not feature.is_internal:
            own, line = feature.attribute, catalogue[name]
            assert (own.type, own.unit, own.data_class) == (line.type, line.unit, line.data_class), name
            assert (feature.direction, feature.effort) == (lines[name].direction, lines[name].effort), name


def test_the_line_of_a_declaration_is_that_of_the_catalogue_but_for_its_words() -> None:
    lines = {f.name: f for f in graph.schema()}
    for name, feature in iftah.load_rules(ROOT / "rules").programs[0].declarations.items():
        if not feature.is_internal:
            line, own = lines[name], catalogue_line(feature)
            words = {
                "about": "",
                "missing": "",
                "window": "",
                "formula": "",
                "reference": "",
                "cost": "",
                "formerly": "",
            }
            assert replace(own, **words) == replace(line, **words), name
            assert own.window == line.window or feature.source == "features" or name == "credit.written_off_5y", name


@pytest.mark.parametrize("tz", [UTC, SHANGHAI], ids=["utc", "shanghai"])
def test_the_town_has_the_same_features(tz) -> None:
    declared, catalogue = both_ways(town_events(by_effort(300, 3_000), 7), END, tz)
    assert declared.height >= 200
    assert_frame_equal(declared, catalogue)


def test_a_few_people_of_the_town_have_the_same_features() -> None:
    events = town_events(200, 8)
    declared, catalogue = both_ways(events, datetime(2025, 7, 31, tzinfo=UTC), SHANGHAI, ["p-3", "p-5", "p-8"])
    assert declared.height > 0
    assert_frame_equal(declared, catalogue)


def test_berkas_bank_has_the_same_features(berka_folder) -> None:
    events = berka.events(berka_folder).with_columns(recorded_at="happened_at")
    people = events.filter(pl.col("kind") == "person.enrolled")["subject"].unique().sort()
    people = people.head(by_effort(300, people.len()))
    involved = pl.col("subject").is_in(people.implode()) | pl.col("other").is_in(people.implode()).fill_null(False)
    as_of = events["happened_at"].max()
    assert isinstance(as_of, datetime)
    declared, catalogue = both_ways(events.filter(involved), as_of, zone("Europe/Prague"))
    assert declared.height >= 300
    assert_frame_equal(declared, catalogue)


@settings(max_examples=by_effort(15, 1_000), deadline=None)
@given(ledgers(max_events=40))
def test_any_ledger_gives_the_same_features(events) -> None:
    assert_frame_equal(*both_ways(events, NOW))


@settings(max_examples=by_effort(10, 1_000), deadline=None)
@given(HISTORIES, ZONES)
def test_any_history_of_payments_gives_the_same_features(history, tz) -> None:
    assert_frame_equal(*both_ways(ledger(history), NOW, tz))


@settings(max_examples=by_effort(15, 2_000), deadline=None)
@given(st.integers(0, 2**32))
def test_ledgers_with_changes_give_the_same_features(seed) -> None:
    chooser = Random(seed)
    as_of = chooser.choice(MOMENTS)
    assert_frame_equal(*both_ways(random_history(chooser, as_of), as_of, SHANGHAI))
