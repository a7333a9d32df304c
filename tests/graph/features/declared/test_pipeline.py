"""The pipeline computes declared features with those of the catalogue: for whole_table, with codes for ids, and for a few."""

from random import Random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import graph
from graph.evidence.visibility import visible_with_consents
from graph.features.declared.columns import declared_features
from graph.features.declared.data_fields import with_data_fields
from graph.features.declared.definition import FeatureDefinition
from graph.features.pipeline import features
from tests.graph.features.declared.declarations import definitions
from tests.graph.features.declared.random_definitions import LEAP_DAY, random_history, without_refunds
from tests.graph.features.declared.shipped import definitions_in_any_currency
from tests.graph.features.python_definitions.table import python_features
from tests.graph.story import moment

DECLARATIONS = """
- {id: shop.cash, about: a, of: payment.made, where: "channel == 'cash'", measure: count, missing: zero}
- {id: shop.yuan, about: a, of: payment.made, where: "currency == 'CNY'", measure: sum, value: amount, currency: CNY, missing: zero}
- {id: shop.all, about: a, of: payment.made, measure: sum, value: amount, currency: CNY, missing: zero}
- {id: shop.large, about: a, of: payment.made, where: amount >= 0.05 CNY, measure: count}
- {id: shop.loans, about: a, of: [obligation.opened, obligation.missed], where: "obligation == 'loan'", measure: count}
- {id: shop.banks, about: a, of: [obligation.opened, obligation.missed], measure: distinct, value: obligation}
- {id: shop.half, about: a, formula: shop.yuan, divided_by: shop.cash}
- {id: shop.near, about: a, of: neighbours, where: identity.best >= 2, measure: share}
- {id: identity.best, about: a, of: person.enrolled, measure: max, value: identity_level, internal: true}
"""
BY_PARTY = "- {id: shop.shop, about: a, of: payment.made, where: \"other == 'shop'\", measure: count, missing: zero}"


def histories() -> list[pl.DataFrame]:
    return [random_history(Random(seed), LEAP_DAY) for seed in range(4)]


def test_the_pipeline_gives_the_values_of_the_definitions_in_python() -> None:
    for events in map(without_refunds, histories()):
        view, consents = visible_with_consents(events, LEAP_DAY, LEAP_DAY, "perks")
        expected = python_features(view, consents, LEAP_DAY)
        table = features(events, LEAP_DAY, LEAP_DAY, "perks", definitions=definitions_in_any_currency())
        assert_frame_equal(table.select(expected.columns), expected)


def test_the_pipeline_computes_the_catalogue_and_the_declarations_and_nothing_else() -> None:
    table = features(histories()[0], LEAP_DAY, LEAP_DAY, "perks", definitions=definitions(DECLARATIONS))
    own = [d.name for d in definitions(DECLARATIONS) if not d.is_internal]
    assert table.columns == ["person", *(f.name for f in graph.schema()), *own]
    assert {"credit.kept", "fraud.fan_in", "behaviour.payments"} & set(table.columns) == set()


@pytest.mark.parametrize("text", [DECLARATIONS, BY_PARTY], ids=["codes", "texts"])
def test_codes_for_ids_change_no_value(text: str) -> None:
    for events in histories():
        view, consents = visible_with_consents(events, LEAP_DAY, LEAP_DAY, "perks")
        expected = declared_features(view, consents, definitions(text), LEAP_DAY)
        actual = features(events, LEAP_DAY, LEAP_DAY, "perks", definitions=definitions(text))
        assert_frame_equal(actual.select(expected.columns), expected)


def test_a_few_people_have_the_same_values_as_everyone() -> None:
    for events in histories():
        whole_table = features(events, LEAP_DAY, LEAP_DAY, "perks", definitions=definitions(DECLARATIONS))
        few = features(events, LEAP_DAY, LEAP_DAY, "perks", ["ann", "cy"], definitions=definitions(DECLARATIONS))
        assert_frame_equal(few, whole_table.filter(pl.col("person").is_in(["ann", "cy"])))


def test_features_by_name_come_with_those_that_they_use() -> None:
    events = histories()[0]
    table = features(
        events,
        LEAP_DAY,
        LEAP_DAY,
        "perks",
        feature_names=["shop.half", "credit.open"],
        definitions=definitions(DECLARATIONS),
    )
    assert table.columns == ["person", "credit.open", "shop.half"]
    whole_table = features(events, LEAP_DAY, LEAP_DAY, "perks", definitions=definitions(DECLARATIONS))
    assert_frame_equal(table, whole_table.select(table.columns))


def test_fields_in_the_column_of_data_are_read_by_their_type() -> None:
    data = '{"days":3,"rating":-45,"good":true,"on":"2024-02-29","name":"a \\"b\\" 银行"}'
    view = pl.DataFrame({"data": [data, '{"days":null}', None], "kind": ["a", "a", "b"]})
    names = ("days", "integer"), ("rating", "integer"), ("good", "bool"), ("on", "date"), ("name", "text")
    table = with_data_fields(view, [FeatureDefinition("a.b", "count", fields=names)])
    # 2024-02-29 is day 19,782
    expected = {"days": 3, "good": True, "name": 'a "b" 银行', "on": 19_782, "rating": -45}
    assert table.drop("data", "kind").to_dicts() == [expected, *[dict.fromkeys(expected)] * 2]
    assert moment("2024-02-29").toordinal() - moment("1970-01-01").toordinal() == 19_782
