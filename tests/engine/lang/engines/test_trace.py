"""Check the explanation of conditions: the causes of UNKNOWN, and the distance of each comparison from its turn."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lang.engines.reference import truth
from engine.lang.engines.trace import Atom, atoms, causes
from engine.lang.model.conditions import (
    AS_OF,
    And,
    Attr,
    AttrKnown,
    AttrsEqual,
    Cmp,
    Const,
    Flag,
    InList,
    Int,
    Not,
    Num,
    Op,
    Or,
    Same,
    Truth,
)
from engine.lang.model.program import SCORE
from engine.lang.model.types import DATE, DAYS, STRING, Attribute, Type, Value, format_value
from tests.engine.lang.check.test_resolve import SCHEMA as RESOLVED
from tests.engine.lang.check.test_resolve import meaning
from tests.engine.random_people import question_batch
from tests.engine.random_releases import release
from tests.engine.random_values import ON_DAYS

SCHEMA = {
    "n.whole": Attribute("n.whole", Type("int")),
    "n.other": Attribute("n.other", Type("int")),
    "n.cents": Attribute("n.cents", Type("decimal", 2)),
    "n.age": Attribute("n.age", DAYS),
    "n.day": Attribute("n.day", DATE),
    "b.on": Attribute("b.on", Type("bool")),
    "s.town": Attribute("s.town", STRING),
    "s.home": Attribute("s.home", STRING),
}
OPS = ["==", "!=", "<", "<=", ">", ">="]
WHOLE = Attr("n.whole")


def only_atom(node: Truth, **values: Value | None) -> Atom:
    results = list(atoms(node, {k.replace("_", "."): v for k, v in values.items()}, SCHEMA))
    assert len(results) == 1
    return results[0]


@pytest.mark.parametrize(
    ("node", "values", "says"),
    [
        (Cmp(">=", WHOLE, Int(3)), {"n_whole": 1}, ("n.whole >= 3", False, "1", "3", "+2")),
        (Cmp(">=", WHOLE, Int(3)), {"n_whole": 5}, ("n.whole >= 3", True, "5", "3", "-3")),
        (Not(Cmp(">=", WHOLE, Int(3))), {"n_whole": 5}, ("n.whole < 3", False, "5", "3", "-3")),
        (Cmp("<", Attr("n.cents"), Int(85)), {"n_cents": 85}, ("n.cents < 0.85", False, "0.85", "0.85", "-0.01")),
        (Cmp(">", Attr("n.age"), Int(90)), {"n_age": 30}, ("n.age > 90d", False, "30d", "90d", "+61d")),
        (
            Cmp("<=", Attr("n.day"), Int(10)),
            {"n_day": 12},
            ("n.day <= 1970-01-11", False, "1970-01-13", "1970-01-11", "-2d"),
        ),
        (
            Cmp("==", WHOLE, Int(3)),
            {"n_whole": 3},
            ("n.whole == 3", True, "3", "3", ""),
        ),  # any change would turn the result
        (Cmp("==", WHOLE, Int(3)), {"n_whole": 9}, ("n.whole == 3", False, "9", "3", "-6")),
        (Cmp(">=", WHOLE, Int(3)), {}, ("n.whole >= 3", None, "UNKNOWN", "3", "")),
        (
            Cmp(">", Op("+", WHOLE, Attr("n.other")), Int(9)),
            {"n_whole": 4, "n_other": 4},
            ("n.whole + n.other > 9", False, "8", "9", "+2"),
        ),
        (
            Cmp(">", Op("*", WHOLE, Int(100), scaling=True), Attr("n.cents")),
            {"n_whole": 2, "n_cents": 150},
            ("n.whole > n.cents", True, "2.00", "1.50", "-0.50"),
        ),
        (
            Cmp(">=", Op("-", Attr("n.day"), Int(10)), Int(5)),
            {"n_day": 12},
            ("n.day - 10d >= 1970-01-06", False, "1970-01-03", "1970-01-06", "+3d"),
        ),
        (
            Cmp("<", Op("-", Attr("n.day"), Attr("n.day")), Int(1)),
            {"n_day": 12},
            ("n.day - n.day < 1d", True, "0d", "1d", "+1d"),
        ),
        (Flag("b.on"), {"b_on": False}, ("b.on", False, "false", "", "")),
        (Not(Flag("b.on")), {"b_on": False}, ("not b.on", True, "false", "", "")),
        (AttrKnown("s.town"), {}, ("known(s.town)", False, "UNKNOWN", "", "")),
        (Not(AttrKnown("s.town")), {}, ("missing(s.town)", True, "UNKNOWN", "", "")),
        (Same("s.town", "Basra"), {"s_town": "Cairo"}, ("s.town == 'Basra'", False, "Cairo", "Basra", "")),
        (AttrsEqual("s.town", "s.home"), {"s_town": "a", "s_home": "a"}, ("s.town == s.home", True, "a", "a", "")),
        (InList("s.town", (("a", None), ("b", 3))), {"s_town": "b"}, ("s.town in a list of 1", False, "b", "", "")),
        (Const(None), {}, ("never known", None, "", "", "")),
    ],
    ids=str,
)
def test_an_atom_has_its_condition_value_and_distance(
    node: Truth, values: dict[str, Value | None], says: tuple[str, bool | None, str, str, str]
) -> None:
    assert only_atom(node, **values) == Atom(*says)


@pytest.mark.parametrize(
    ("text", "value", "threshold", "distance"),
    [
        ("n.whole * 100 > n.cents", "300.00", "1.50", "-298.50"),  # as in the text: this is not the scale of n.cents
        ("n.whole > n.cents", "3.00", "1.50", "-1.50"),
        ("n.cents * 2 < 3", "3.00", "3.00", "-0.01"),
        ("n.cents * 0.5 >= 1", "0.750", "1.000", "+0.250"),
        ("3 * n.whole == n.cents", "9.00", "1.50", "-7.50"),
        ("n.cents + 0.05 >= n.mills", "1.550", "2.250", "+0.700"),
        ("n.cents - n.mills * 2 <= 0", "-3.000", "0.000", "+3.001"),
        ("(n.whole + 1) * n.cents > 5.5", "6.00", "5.50", "-0.50"),
        ("n.whole - (n.whole - 1) == 1", "1", "1", ""),
        ("n.day - n.since > 90d", "31d", "90d", "+60d"),
        ("n.day + 12h < n.at", "2024-03-01T12:00:00Z", "2024-03-01T06:00:00Z", "-21601s"),
        ("n.at - n.day >= 3h", "6h", "3h", "-10801s"),
        ("n.age * n.whole > n.wait", "90d", "36h", "-2124h"),
        ("-1 * n.age < 30d", "-30d", "30d", "+60d"),
        ("n.since + n.age == n.day", "2024-02-29", "2024-03-01", "+1d"),
    ],
)
def test_a_sum_is_shown_as_written_in_its_own_units(text: str, value: str, threshold: str, distance: str) -> None:
    """n.whole is 3, n.cents 1.50, n.mills 2.250, n.day 2024-03-01 and n.since a month before, n.at six hours after."""
    values: dict[str, Value | None] = {"n.whole": 3, "n.cents": 150, "n.mills": 2_250, "n.age": 30, "n.wait": 129_600}
    values |= {"n.day": 19_783, "n.since": 19_752, "n.at": 19_783 * 86_400 + 21_600}
    (atom,) = atoms(meaning(text), values, RESOLVED)
    assert (atom.text, atom.value, atom.threshold, atom.distance) == (text, value, threshold, distance)


@given(st.sampled_from(OPS), st.integers(-50, 50), st.integers(-50, 50), st.booleans())
def test_the_distance_is_the_least_change_that_flips_the_condition(
    op: str, value: int, threshold: int, negated: bool
) -> None:
    node: Truth = Cmp(op, WHOLE, Int(threshold))  # type: ignore[arg-type]
    condition = Not(node) if negated else node
    atom = only_atom(condition, n_whole=value)
    now = truth(condition, {"n.whole": value})
    assert atom.status is now
    if atom.distance:
        gap = int(atom.distance)
        assert truth(condition, {"n.whole": value + gap}) is not now
        step = -1 if gap > 0 else 1
        assert truth(condition, {"n.whole": value + gap + step}) is now


NUMBERS: st.SearchStrategy[Num] = st.sampled_from([WHOLE, Attr("n.other"), Int(3), Op("+", WHOLE, Attr("n.other"))])
TRUTHS: st.SearchStrategy[Truth] = st.recursive(
    st.builds(Cmp, st.sampled_from(OPS), NUMBERS, NUMBERS)
    | st.sampled_from([Flag("b.on"), Same("s.town", "a"), AttrKnown("b.on"), Const(True), Const(False)]),
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=1, max_size=3).map(lambda p: And(tuple(p)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda p: Or(tuple(p)))
    ),
    max_leaves=8,
)
VALUES = st.fixed_dictionaries(
    {"n.whole": st.none() | st.integers(0, 6), "n.other": st.none() | st.integers(0, 6)}
    | {"b.on": st.none() | st.booleans(), "s.town": st.none() | st.sampled_from("ab")}
)


@given(TRUTHS, VALUES)
def test_causes_of_unknown_are_missing_values_that_would_settle_it(
    node: Truth, values: dict[str, Value | None]
) -> None:
    missing = causes(node, values)
    assert bool(missing) == (truth(node, values) is None)
    assert all(values[name] is None for name in missing)
    samples: dict[str, Value] = {"n.whole": 1, "n.other": 1, "b.on": True, "s.town": "a"}
    filled_values = values | {name: samples[name] for name in missing}
    if "Known(" in repr(node):  # a condition can test whether it is known, and compare it only then
        while further := causes(node, filled_values):
            assert all(filled_values[name] is None for name in further)
            filled_values |= {name: samples[name] for name in further}
    assert truth(node, filled_values) is not None


def test_the_causes_of_unknown_depend_on_the_known_values() -> None:
    on, same = Flag("b.on"), AttrsEqual("n.whole", "n.whole")
    node = And((on, Or((same, Not(AttrKnown("b.on"))))))
    values: dict[str, Value | None] = {"n.whole": None, "b.on": None}
    assert causes(node, values) == ("b.on",)
    assert causes(node, values | {"b.on": True}) == ("n.whole",)


def test_a_number_is_formatted_like_its_attribute() -> None:
    assert format_value(1, Type("decimal", 2)) == "0.01"


@pytest.mark.parametrize("seed", range(8))
def test_every_condition_of_random_rules_can_be_traced(seed: int) -> None:
    chooser = Random(seed)
    day = chooser.choice(ON_DAYS)
    program = release(chooser).at(day)
    schema = {**program.schema, AS_OF: Attribute(AS_OF, DATE)}
    for question in question_batch(chooser, day, 10).questions:
        values = {**question.values, AS_OF: day}
        for id_, node in program.stages[SCORE].items():
            results = list(atoms(node, values, schema))
            assert all(
                a.status is None or a.value != "UNKNOWN" or "known(" in a.text or "missing(" in a.text for a in results
            )
            assert id_.endswith("~") or bool(causes(node, values)) == (truth(node, values) is None)
