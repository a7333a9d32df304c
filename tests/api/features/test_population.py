"""The bins of a build's population, against a count of person by person, and the drift between two builds."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.features import population
from api.features.population import BAND_MEASURE, MISSING, SCORE_MEASURE, UNSCORABLE
from api.runtime.context import AppContext
from api.runtime.scoring import current_build, score_everyone
from api.store.database import reading
from api.store.tables import FEATURES, SCORES
from api.supervision import drift
from engine.lang.model.program import Characteristic, Program
from engine.verify.stability import psi
from graph.datasets.town import END
from tests.api.town import NOW, build_features

DAY = timedelta(days=1)


def _program(town: AppContext) -> Program:
    return town.program(current_build(town))


def _characteristics(program: Program) -> list[Characteristic]:
    return [item for item in program.scorecard.items if isinstance(item, Characteristic)]


def _stored(town: AppContext) -> tuple[list[dict[str, Any]], list[Any]]:
    """Everyone's features and scores in the newest build."""
    build = current_build(town).id
    with reading(town.database) as connection:
        values = connection.execute(select(FEATURES.c["values"]).where(FEATURES.c.build == build)).scalars().all()
        scores = connection.execute(select(SCORES.c.score, SCORES.c.band).where(SCORES.c.build == build)).all()
    return [json.loads(text) for text in values], list(scores)


def _bin(item: Characteristic, value: int | None) -> str:
    """The slow, obvious way."""
    if value is None:
        return MISSING
    names = population.bin_names(item)
    return names[sum(value >= cut for cut in item.cuts)]


def test_everyone_is_in_one_bin_of_each_measure(town: AppContext) -> None:
    values, scores = _stored(town)
    with reading(town.database) as connection:
        counts_of_build = population.newest(connection)
    assert counts_of_build is not None
    lowest = _program(town).scorecard.lowest
    assert counts_of_build.bins[BAND_MEASURE] == Counter(row.band or UNSCORABLE for row in scores)
    assert counts_of_build.bins[SCORE_MEASURE] == Counter(
        UNSCORABLE if row.score is None else str(lowest + (row.score - lowest) // 25 * 25) for row in scores
    )
    for item in _characteristics(_program(town)):
        expected = Counter(_bin(item, row[item.feature]) for row in values)
        assert counts_of_build.bins[f"points:{item.id}"] == expected, item.id


def test_scoring_a_build_again_counts_it_anew(town: AppContext) -> None:
    with reading(town.database) as connection:
        before = population.newest(connection)
    score_everyone(town, current_build(town))
    with reading(town.database) as connection:
        assert population.newest(connection) == before


def test_one_build_has_nothing_to_compare_with(town: AppContext) -> None:
    with reading(town.database) as connection:
        result = drift.population_drift(connection, _program(town), 2)
    assert result is not None
    assert result.reference is None
    assert result.score.shift is None
    assert all(one.shift is None for one in result.characteristics)


def _build_again(town: AppContext, days: int, as_of_days: int) -> None:
    build = build_features(town.database, END - as_of_days * DAY, "perks", NOW + days * DAY)
    score_everyone(town, build)


def test_the_drift_between_two_builds_is_as_computed_from_their_rows(town: AppContext) -> None:
    before, _ = _stored(town)
    _build_again(town, days=1, as_of_days=400)
    now, scores = _stored(town)
    with reading(town.database) as connection:
        result = drift.population_drift(connection, _program(town), 1)
    assert result is not None
    assert result.reference is not None
    assert (result.build.people, result.reference.people) == (len(now), len(before))
    for item, one in zip(_characteristics(_program(town)), result.characteristics, strict=True):
        names = population.bin_names(item)
        counts, reference = (Counter(_bin(item, row[item.feature]) for row in rows) for rows in (now, before))
        assert one.shift is not None
        expected = psi(
            [counts[name] for name in names if counts[name] or reference[name]],
            [reference[name] for name in names if counts[name] or reference[name]],
        )
        assert one.shift.index == pytest.approx(expected, abs=1e-6), item.id
        points = dict(zip(names, (*item.points, item.missing), strict=True))
        means = [sum(points[_bin(item, row[item.feature])] for row in rows) / len(rows) for rows in (now, before)]
        assert one.shift.points == pytest.approx(means[0] - means[1], abs=1e-9)
        assert [b.people for b in one.bins] == [counts[name] for name in names]
    assert {b.name: b.people for b in result.bands.bins if b.people} == Counter(r.band or UNSCORABLE for r in scores)


def test_the_reference_is_the_newest_build_that_is_old_enough_or_else_the_oldest(town: AppContext) -> None:
    _build_again(town, days=1, as_of_days=0)
    _build_again(town, days=60, as_of_days=0)
    with reading(town.database) as connection:
        now = population.newest(connection)
        assert now is not None
        ages = [population.reference_of(connection, now, age * DAY) for age in (90, 59, 60, 1)]
    assert [None if one is None else one.computed_at for one in ages] == [NOW, NOW + DAY, NOW, NOW + DAY]


def test_a_characteristic_with_other_cuts_is_not_compared(town: AppContext) -> None:
    _build_again(town, days=1, as_of_days=0)
    item = _characteristics(_program(town))[0]
    changed = replace(item, cuts=tuple(cut + 1 for cut in item.cuts))
    program = _program(town)
    items = tuple(changed if one is item else one for one in program.scorecard.items)
    with reading(town.database) as connection:
        result = drift.population_drift(
            connection, replace(program, scorecard=replace(program.scorecard, items=items)), 1
        )
    assert result is not None
    assert (result.characteristics[0].shift, result.characteristics[0].bins_changed) == (None, True)
    assert result.characteristics[1].shift is not None


def test_a_small_bin_has_no_number_and_cannot_be_derived(town: AppContext) -> None:
    with reading(town.database) as connection:
        result = drift.population_drift(connection, _program(town), 20)
    assert result is not None
    for one in (result.score, result.bands, *result.characteristics):
        numbers = [b.people for b in one.bins if b.people is not None]
        assert all(people == 0 or people >= 20 for people in numbers)
        hidden = sum(b.people is None for b in one.bins)
        assert hidden != 1
        assert hidden == 0 or result.build.people - sum(numbers) >= 20


def test_bins_read_as_people_write_them(town: AppContext) -> None:
    program = _program(town)
    delay = next(item for item in _characteristics(program) if item.id == "delay")
    type_ = program.schema[delay.feature].type
    assert [drift.bin_text(name, type_) for name in population.bin_names(delay)] == [
        "< 1d",
        "1d – 30d",
        "30d – 90d",
        "≥ 90d",
        "missing",
    ]
