"""The pieces into which we cut large conditions, and what a lowered condition reads and asks, each worked out by hand."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lang.engines.lowering import (
    ConditionSize,
    Vocabulary,
    attributes_read,
    bins,
    condition,
    count_paths,
    equal_attributes,
    exact_reader,
    in_list,
    may_be_unknown,
    size,
    split_stage,
)
from engine.lang.engines.reference import evaluate
from engine.lang.model.conditions import (
    And,
    Attr,
    Cmp,
    Comparison,
    Const,
    DayStart,
    Flag,
    InList,
    Int,
    Not,
    Op,
    Or,
    Truth,
    Values,
)
from engine.lang.model.types import MAX_INTEGER


def flags(first: int, last: int) -> tuple[Flag, ...]:
    """The flags `f{first}` to `f{last}`."""
    return tuple(Flag(f"f{n}") for n in range(first, last + 1))


def answers(*numbers: int) -> tuple[Flag, ...]:
    """The results of the pieces with these numbers."""
    return tuple(Flag(f"~{n}") for n in numbers)


def chain(*leaves: int) -> Truth:
    """Groups inside each other, `and` outermost and `or` by turns, each with so many leaves of its own."""
    kind, whole = (And, Or)[(len(leaves) - 1) % 2], None
    for number in reversed(leaves):
        own = flags(1, number)
        whole = kind(own if whole is None else (*own, whole))
        kind = Or if kind is And else And
    assert whole is not None
    return whole


def test_the_size_of_a_condition_is_that_of_the_larger_of_its_two_questions() -> None:
    """An `or` takes as many paths as its sides have together, an `and` as many as they have multiplied; negated, in reverse."""
    assert size(Flag("f1")) == size(Not(Flag("f1"))) == ConditionSize(1, 0, 1)
    assert size(Or(flags(1, 3))) == ConditionSize(4, 1, 3)
    assert size(And(flags(1, 3))) == size(Not(And(flags(1, 3)))) == ConditionSize(4, 1, 3)
    pairs = (Or(flags(1, 2)), Or(flags(3, 5)))
    assert size(And(pairs)) == ConditionSize(8, 3, 6)  # 1 + 3 + 4 nodes; true by 2 x 3 paths, false by 1 + 1
    assert size(Or(pairs)) == ConditionSize(8, 3, 5)  # true by 2 + 3 paths, false by 1 x 1
    assert size(Or((And(flags(1, 2)), And(flags(3, 5))))) == ConditionSize(8, 3, 6)  # true by 2, false by 2 x 3


def test_a_condition_of_exactly_the_largest_size_stays_whole() -> None:
    """The limits are 16 nodes, 6 groups and 8 paths."""
    of_nodes_and_groups = chain(1, 2, 2, 2, 2, 1)
    assert size(of_nodes_and_groups) == ConditionSize(16, 6, 6)  # 10 leaves; `and` 1 + 2 + 2, `or` 2 + 2 + 1 of them
    of_paths = Or(flags(1, 8))
    assert size(of_paths) == ConditionSize(9, 1, 8)
    for whole in (of_nodes_and_groups, of_paths, And(flags(1, 8)), Not(of_paths)):
        assert size(whole).fits
        assert split_stage({"r": whole}) == [{"r": whole}]


@pytest.mark.parametrize(
    ("large", "expected"),
    [
        (chain(2, 2, 2, 2, 2, 1), ConditionSize(17, 6, 7)),
        (chain(1, 1, 1, 1, 1, 1, 2), ConditionSize(15, 7, 5)),
        (Or(flags(1, 9)), ConditionSize(10, 1, 9)),
        (And(flags(1, 9)), ConditionSize(10, 1, 9)),
    ],
    ids=["nodes", "groups", "paths of true", "paths of false"],
)
def test_a_condition_one_larger_than_a_limit_is_cut(large: Truth, expected: ConditionSize) -> None:
    assert size(large) == expected
    assert not size(large).fits
    *pieces, last = split_stage({"r": large})
    assert pieces
    assert all(size(piece).fits for stage in (*pieces, last) for piece in stage.values())


def test_of_too_many_leaves_the_first_eight_are_asked_before_the_rest() -> None:
    """20 leaves: after the first piece 12 and one answer are left, after the second 4 and two."""
    assert split_stage({"r": Or(flags(1, 20))}) == [
        {"~0": Or(flags(1, 8)), "~1": Or(flags(9, 16))},
        {"r": Or((*flags(17, 20), *answers(0, 1)))},
    ]
    assert split_stage({"r": And(flags(1, 9))}) == [{"~0": And(flags(1, 8))}, {"r": And((*flags(9, 9), *answers(0)))}]


def test_a_piece_of_answers_is_asked_after_the_pieces_that_it_names() -> None:
    """72 leaves make nine pieces of eight, and nine answers are one too many."""
    eights = {f"~{n}": Or(flags(8 * n + 1, 8 * n + 8)) for n in range(9)}
    assert split_stage({"r": Or(flags(1, 72))}) == [
        eights,
        {"~9": Or(answers(0, 1, 2, 3, 4, 5, 6, 7))},
        {"r": Or(answers(8, 9))},
    ]


def test_the_largest_group_is_cut_out_first_and_its_answer_stays_in_its_place() -> None:
    """2 x 5 x 3 = 30 paths are too many, without the largest group they are 6."""
    first, second, third = Or(flags(1, 2)), Or(flags(3, 7)), Or(flags(8, 10))
    assert split_stage({"r": And((first, second, third))}) == [
        {"~0": second},
        {"r": And((first, *answers(0), third))},
    ]
    negation = Not(And(flags(3, 7)))
    assert split_stage({"r": And((first, negation, third))}) == [
        {"~0": negation},
        {"r": And((first, *answers(0), third))},
    ]


def test_conditions_of_one_stage_share_the_passes_and_no_name() -> None:
    stage: dict[str, Truth] = {"r": Or(flags(1, 9)), "s": Not(Or(flags(11, 19))), "t": Flag("f1")}
    assert split_stage(stage) == [
        {"~0": Or(flags(1, 8)), "~1": Or(flags(11, 18))},
        {"r": Or((*flags(9, 9), *answers(0))), "s": Not(Or((*flags(19, 19), *answers(1)))), "t": Flag("f1")},
    ]


CONDITIONS = st.recursive(
    st.builds(Flag, st.sampled_from([f"f{n}" for n in range(1, 9)])),
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.builds(And, st.lists(parts, min_size=1, max_size=12).map(tuple)),
        st.builds(Or, st.lists(parts, min_size=1, max_size=12).map(tuple)),
    ),
    max_leaves=60,
)


@settings(max_examples=100, deadline=None)
@given(CONDITIONS, st.lists(st.sampled_from([True, False, None]), min_size=8, max_size=8))
def test_the_pieces_of_a_condition_fit_and_together_say_what_it_says(
    whole: Truth, values_of_flags: Sequence[bool | None]
) -> None:
    """The reference engine, which cuts nothing, is the judge."""
    values: dict[str, bool | None] = {f"f{n}": value for n, value in enumerate(values_of_flags, 1)}
    expected = evaluate({"r": whole}, values)
    passes = split_stage({"r": whole})
    for stage in passes[:-1]:
        values |= evaluate(stage, values)
    assert evaluate(passes[-1], values) == expected
    assert all(size(piece).fits for stage in passes for piece in stage.values())


@pytest.mark.parametrize("want", [True, False])
def test_the_size_says_how_many_paths_the_lowered_condition_has(want: bool) -> None:
    """Counted by hand: an `or` of 2 and 3 in an `and` has 6, its negation 2."""
    whole = And((Or(flags(1, 2)), Or(flags(3, 5))))
    lowered = condition(whole, want, Vocabulary())
    assert isinstance(lowered, dict)
    assert count_paths(lowered) == (6 if want else 2)
    assert list(attributes_read(lowered)) == ["a0", "a1", "a2", "a3", "a4"]


def test_constants_vanish_from_a_lowered_group_or_decide_it() -> None:
    one, words = Flag("f1"), Vocabulary()
    leaf = condition(one, True, words)
    assert leaf == {"a0": 1}
    assert condition(And((Const(True), one)), True, words) == condition(Or((Const(False), one)), True, words) == leaf
    assert condition(And((Const(False), one)), True, words) is False
    assert condition(Or((Const(True), one)), True, words) is True
    assert condition(And(()), True, words) is True
    assert condition(Or(()), True, words) is False
    unknown = Const(None)
    assert [condition(unknown, want, words) for want in (True, False)] == [False, False]
    assert list(attributes_read(True)) == []


@pytest.mark.parametrize(
    ("op", "want", "leaf"),
    [
        ("==", True, {"a0": 3}),
        ("==", False, {"$neq": {"a0": 3}}),
        ("!=", False, {"a0": 3}),
        ("<", True, {"$lt": {"a0": 3}}),
        ("<", False, {"$gte": {"a0": 3}}),
        ("<=", False, {"$gt": {"a0": 3}}),
        (">", False, {"$lte": {"a0": 3}}),
        (">=", False, {"$lt": {"a0": 3}}),
    ],
)
def test_a_comparison_with_a_constant_is_asked_of_the_value_itself(
    op: Comparison, want: bool, leaf: dict[str, object]
) -> None:
    words = Vocabulary()
    assert condition(Cmp(op, Attr("n"), Int(3)), want, words) == leaf
    assert words.plain == {"a0": "n"}
    assert words.derive({"n": 3}) == {}


@pytest.mark.parametrize(("left", "right", "sign"), [(5, 3, 1), (3, 5, -1), (4, 4, 0)])
def test_of_two_numbers_we_compute_the_sign_of_the_difference(left: int, right: int, sign: int) -> None:
    words = Vocabulary()
    assert condition(Cmp(">", Attr("n"), Attr("m")), True, words) == {"$gt": {"a0": 0}}
    assert words.derive({"n": left, "m": right}) == {"a0": sign}
    assert words.derive({"n": left, "m": None}) == words.derive({"n": None, "m": right}) == words.derive({}) == {}


def test_only_a_part_that_is_always_unknown_makes_a_known_condition_unknown() -> None:
    unknown, flag = Const(None), Flag("f1")
    never: list[Truth] = [flag, Const(True), Not(flag), And((flag, flag)), Or((flag, Const(False)))]
    sometimes: list[Truth] = [unknown, Not(unknown), And((flag, unknown)), Or((unknown, flag))]
    assert not any(map(may_be_unknown, never))
    assert all(map(may_be_unknown, sometimes))


def test_two_words_are_equal_unequal_or_unknown() -> None:
    holds = equal_attributes("one", "other")
    cases: list[tuple[Values, bool | None]] = [
        ({"one": "x", "other": "x"}, True),
        ({"one": "x", "other": "y"}, False),
        ({"one": "x"}, None),
        ({"other": "x"}, None),
    ]
    assert [holds(values) for values, _ in cases] == [expected for _, expected in cases]


def test_a_list_is_that_of_the_day_in_whichever_order_the_days_are_asked() -> None:
    """`x` stays; `y` is valid before day 10, `z` before day 20."""
    entries = (("x", None), ("y", 10), ("z", 20))
    valid = {9: "xyz", 10: "xz", 19: "xz", 20: "x", None: "x"}
    for days in (list(valid), list(reversed(valid))):
        holds = in_list(InList("word", entries))
        for day in days:
            for word in "xyz":
                assert holds({"word": word, "as_of": day}) is (word in valid[day]), (word, day)
        assert holds({"as_of": 9}) is None


def test_numbers_are_read_exactly_however_large() -> None:
    values: Values = {"n": MAX_INTEGER, "m": 3, "on": True}
    product = Op("*", Attr("n"), Op("-", Attr("m"), Int(5)))
    assert exact_reader(product)(values) == -2 * MAX_INTEGER
    assert exact_reader(Op("+", Attr("on"), Int(1)))(values) == 2
    assert [exact_reader(Op("+", Attr(a), Attr(b)))(values) for a, b in ("n?", "?n")] == [None, None]
    assert exact_reader(DayStart(Attr("m"), "UTC"))(values) == 3 * 86_400
    assert exact_reader(DayStart(Attr("m"), "Asia/Shanghai"))(values) == 3 * 86_400 - 8 * 3_600
    assert exact_reader(DayStart(Attr("?"), "UTC"))(values) is None


CUTS = (1, 5, 9)


def test_bins_are_a_binary_search_of_their_cuts() -> None:
    """Of the cuts 1, 5 and 9, the search begins at 5."""
    under, over = [Cmp("<", Attr("n"), Int(cut)) for cut in CUTS], [Cmp(">=", Attr("n"), Int(cut)) for cut in CUTS]
    whole: list[Truth] = [under[0], And((over[0], under[1])), And((over[1], under[2])), over[2]]
    assert bins(whole, Vocabulary()) == [
        {"$and": [{"$lt": {"a0": 5}}, {"$lt": {"a0": 1}}]},
        {"$and": [{"$lt": {"a0": 5}}, {"$gte": {"a0": 1}}]},
        {"$and": [{"$gte": {"a0": 5}}, {"$lt": {"a0": 9}}]},
        {"$and": [{"$gte": {"a0": 5}}, {"$gte": {"a0": 9}}]},
    ]
