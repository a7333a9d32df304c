"""The evaluators of declared features agree on every value, for random declarations and random ledgers."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from engine.lang.model.timezones import zone
from graph.evidence.visibility import visible_with_consents
from tests.effort import by_effort
from tests.graph.features.declared.evaluators import (
    by_duckdb,
    by_polars,
    by_polars_in_slices,
    by_reference,
    by_refresh,
    by_refresh_in_columns,
)
from tests.graph.features.declared.random_declarations import declared_definitions, random_declarations, random_rates
from tests.graph.features.declared.random_definitions import MOMENTS, random_definitions, random_history

ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe")
SEEDS = st.integers(0, 2**32)
PARTS = 4


def declared_sample(seed: int):
    """A ledger, and the definitions of a random features file."""
    chooser = Random(seed)
    as_of, name = chooser.choice(MOMENTS), chooser.choice(ZONES)
    view, consents = visible_with_consents(random_history(chooser, as_of), as_of, as_of, "perks", zone(name))
    return (
        view,
        consents,
        declared_definitions(random_declarations(chooser), name, rates=random_rates(chooser)),
        as_of,
        zone(name),
    )


def sample(seed: int):
    chooser = Random(seed)
    as_of, tz = chooser.choice(MOMENTS), zone(chooser.choice(ZONES))
    view, consents = visible_with_consents(random_history(chooser, as_of), as_of, as_of, "perks", tz)
    return view, consents, random_definitions(chooser), as_of, tz


# 5,000 examples are what one test does within its time limit
@pytest.mark.parametrize("part", range(PARTS))
@settings(max_examples=by_effort(4, 5_000), deadline=None)
@given(SEEDS)
def test_columns_on_polars_give_what_the_reference_gives(part, seed):
    computation = sample(seed * PARTS + part)
    assert_frame_equal(by_polars(*computation), by_reference(*computation))


@settings(max_examples=by_effort(1, 1_000), deadline=None)
@given(SEEDS)
def test_columns_on_duckdb_give_what_the_reference_gives(seed):
    computation = sample(seed)
    assert_frame_equal(by_duckdb(*computation), by_reference(*computation))


@pytest.mark.parametrize("evaluator", [by_refresh, by_refresh_in_columns, by_polars_in_slices])
@settings(max_examples=by_effort(4, 1_000), deadline=None)
@given(seed=SEEDS)
def test_one_person_or_slices_of_people_give_what_everyone_s_computation_gives(evaluator, seed):
    computation = sample(seed)
    assert_frame_equal(evaluator(*computation), by_polars(*computation))


@pytest.mark.parametrize("part", range(PARTS))
@settings(max_examples=by_effort(4, 5_000), deadline=None)
@given(SEEDS)
def test_declarations_give_on_polars_what_they_give_in_the_reference(part, seed):
    computation = declared_sample(seed * PARTS + part)
    assert_frame_equal(by_polars(*computation), by_reference(*computation))


@settings(max_examples=by_effort(1, 1_000), deadline=None)
@given(SEEDS)
def test_declarations_give_the_same_on_duckdb_and_for_one_person(seed):
    computation = declared_sample(seed)
    assert_frame_equal(by_duckdb(*computation), by_refresh(*computation))


def test_refunds_of_random_ledgers_come_off_values() -> None:
    """Otherwise the agreement says little about them."""
    changed = 0
    for seed in range(20):
        view, consents, definitions, as_of, tz = declared_sample(seed)
        gross = tuple(replace(d, value=d.value and replace(d.value, less=())) for d in definitions)
        net, whole = (by_polars(view, consents, d, as_of, tz) for d in (definitions, gross))
        changed += not net.equals(whole)
    assert changed >= 2


@pytest.mark.parametrize("seed", range(3))
def test_random_ledgers_give_values_to_compare(seed):
    """Otherwise an agreement says little."""
    values = [v for n in range(20) for v in by_reference(*sample(seed * 100 + n)).drop("person").to_dict().values()]
    assert sum(v.drop_nulls().len() for v in values) > sum(v.len() for v in values) // 4
