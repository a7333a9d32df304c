"""The shipped declarations give what their definitions in Python give, bit for bit, on the town, random ledgers, and Berka's bank."""

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
from api.releases.undeclared_features import UNDECLARED
from engine.lang.model.timezones import zone
from graph.datasets import berka
from graph.datasets.town import END, town
from graph.evidence.events import conform
from iftah.shipped import shipped_definitions
from tests.effort import by_effort
from tests.graph.features.declared.random_definitions import MOMENTS, random_history, without_refunds
from tests.graph.features.declared.shipped import both_ways
from tests.graph.features.python_definitions.table import NAMES
from tests.graph.features.test_payments import HISTORIES, ZONES, ledger
from tests.paths import ROOT
from tests.strategies import NOW, ledgers

SHANGHAI = zone("Asia/Shanghai")


def town_events(people: int, seed: int) -> pl.DataFrame:
    events = pl.concat([conform(f) for f in town(people, seed=seed).events()])
    return events.with_columns(recorded_at="happened_at")


def test_at_least_thirty_features_are_declared_and_no_feature_of_the_catalogue_is() -> None:
    names = {d.name for d in shipped_definitions() if not d.is_internal}
    assert len(names) >= 30
    assert names == set(NAMES)
    assert not names & {f.name for f in graph.schema()}


def test_a_declaration_has_the_type_unit_and_class_that_the_feature_had_before_it_was_declared() -> None:
    for name, feature in iftah.load_rules(ROOT / "rules").programs[0].declarations.items():
        if not feature.is_internal:
            own, former = feature.attribute, UNDECLARED[name]
            plain = replace(own.type, kind="int", digits=0, currency="") if own.type.currency else own.type
            assert (plain, own.unit, own.data_class) == (former.type, former.unit, former.data_class), name


def test_a_feature_that_has_another_name_now_is_recorded_under_both() -> None:
    declarations = iftah.load_rules(ROOT / "rules").programs[0].declarations
    former = {f.formerly: name for name, f in declarations.items() if f.formerly}
    assert former == {
        "capacity.inflow_share": "capacity.net_inflow_share",
        "capacity.payers": "capacity.distinct_payers",
    }
    assert {UNDECLARED[n].type for n in former} == {UNDECLARED[n].type for n in former.values()}


@pytest.mark.parametrize("tz", [UTC, SHANGHAI], ids=["utc", "shanghai"])
def test_the_town_has_the_same_features(tz) -> None:
    declared, in_python = both_ways(town_events(by_effort(300, 3_000), 7), END, tz)
    assert declared.height >= 200
    assert_frame_equal(declared, in_python)


def test_a_few_people_of_the_town_have_the_same_features() -> None:
    events = town_events(200, 8)
    declared, in_python = both_ways(events, datetime(2025, 7, 31, tzinfo=UTC), SHANGHAI, ["p-3", "p-5", "p-8"])
    assert declared.height > 0
    assert_frame_equal(declared, in_python)


def test_berkas_bank_has_the_same_features(berka_folder) -> None:
    events = berka.events(berka_folder).with_columns(recorded_at="happened_at")
    people = events.filter(pl.col("kind") == "person.enrolled")["subject"].unique().sort()
    people = people.head(by_effort(300, people.len()))
    involved = pl.col("subject").is_in(people.implode()) | pl.col("other").is_in(people.implode()).fill_null(False)
    as_of = events["happened_at"].max()
    assert isinstance(as_of, datetime)
    declared, in_python = both_ways(events.filter(involved), as_of, zone("Europe/Prague"))
    assert declared.height >= 300
    assert_frame_equal(declared, in_python)


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
    assert_frame_equal(*both_ways(without_refunds(random_history(chooser, as_of)), as_of, SHANGHAI))
