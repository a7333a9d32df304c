import graph
from graph import catalog
from graph.catalog import Feature
from graph.evidence.vocabulary import CLASSES
from iftah.shipped import shipped_definitions
from tests.shipped_features import FEATURES

MAX_EXACT_INTEGER = 2**53 - 1  # every engine represents integers up to this exactly


def test_the_public_schema_is_the_catalogue():
    assert graph.schema() is catalog.FEATURES


def test_features_are_named_by_dimension_once_each():
    names = [f.name for f in FEATURES]
    assert len(set(names)) == len(names) >= 24
    assert {f.dimension for f in FEATURES} == {"identity", "capacity", "behaviour", "credit", "relationships", "fraud"}
    assert all(n.count(".") == 1 and n.replace(".", "_").isidentifier() and n.islower() for n in names)


def test_every_feature_has_a_description():
    declarations = {d.name for d in shipped_definitions()}
    for f in FEATURES:
        assert f.data_class in CLASSES, f.name
        assert f.about.endswith("."), f.name
        assert f.missing.endswith("."), f.name
        assert "or ." not in f.missing, f.name
        assert f.unit, f.name
        assert f.formula or f.name in declarations, f.name
        assert not set("`\n") & set(f.formula), f.name  # we print it in backticks, on one line
        assert f.window, f.name
        assert f.cost.startswith("O("), f.name


def test_bounds_are_small_enough_for_every_engine_and_digits_are_a_decimals():
    for f in FEATURES:
        assert -MAX_EXACT_INTEGER <= f.low < f.high <= MAX_EXACT_INTEGER, f.name
        assert (f.digits > 0) == (f.type in ("decimal", "money")), f.name
        assert bool(f.values) == (f.type == "enum"), f.name


def test_every_algorithmic_feature_cites_its_source():
    default_cost = Feature("", "int", "", "", "", "", "").cost
    algorithms = [f for f in FEATURES if f.scope == "global" or f.cost != default_cost]
    assert len(algorithms) >= 6
    assert [f.name for f in algorithms if not f.reference] == []


def test_a_feature_that_looks_at_relationships_never_counts_downwards():
    assert {f.direction for f in FEATURES if f.dimension == "relationships"} <= {"higher is better", "none"}
