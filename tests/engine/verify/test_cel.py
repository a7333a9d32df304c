"""Check that CEL, an independent C++ implementation, agrees with our evaluator on random conditions and people."""

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.lang.check.resolve import Scope
from engine.lang.engines.reference import truth
from engine.lang.model.conditions import Truth
from engine.lang.model.problems import Report
from engine.lang.model.program import AMOUNT, SCORE
from engine.lang.model.types import Attribute, Schema, Type, Value
from engine.lang.syntax.expressions import parse
from tests.effort import by_effort
from tests.engine import cel
from tests.engine.lang.check.test_resolve import scalar
from tests.engine.random_rules import AMOUNTS, ANCHORS, NUMBERS, OPS, SCHEMA, conditions, leaves, sample_people

PEOPLE = 30
MIN_PAIRS = by_effort(2_000, 60_000)  # of each of the two comparisons
PERK_SCHEMA: Schema = SCHEMA | {
    SCORE: Attribute(SCORE, Type("int", 0, (), 350, 950)),
    AMOUNT: Attribute(AMOUNT, Type("money", 2, (), 0, 10**9, currency="CNY")),
}
SCORES = [None, 350, 351, 499, 500, 501, 600, 699, 700, 950]
StatusCounts = Counter[bool | None]
cel_settings = settings(
    max_examples=MIN_PAIRS // PEOPLE + 10,  # a few more, because Hypothesis can stop before the last ones
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.generate, Phase.shrink),
)


@pytest.fixture
def status_counts() -> Iterator[StatusCounts]:
    """The number of pairs that were met, not met and unknown."""
    counts: StatusCounts = Counter()
    yield counts
    assert counts.total() >= MIN_PAIRS, f"only {counts.total()} pairs were compared"
    assert min(counts[status] for status in (True, False, None)) > MIN_PAIRS // 20, counts


@cel_settings
@given(text=conditions(perk=True), seed=st.integers(0, 2**32))
def test_cel_agrees_with_the_reference_on_the_tree_of_a_condition(
    text: str, seed: int, status_counts: StatusCounts
) -> None:
    means = meaning(text)
    judge = cel.compile_cel(cel.to_cel(means))
    for values in people(seed):
        expected = truth(means, values)
        assert judge(cel.person(values)) is expected, (text, values)
        status_counts[expected] += 1


@st.composite
def sums(draw: st.DrawFn) -> str:
    """A comparison of sums of some terms; either side can be a single number."""
    name = st.sampled_from(["a.count", "a.other", "b.ratio", "b.share"])
    whole = st.sampled_from(
        ["0", "3", "7", "1000"]
    )  # a number that is alone on its side takes the type of the other side
    number = whole | st.sampled_from(["0.85", "1.5", "0.999"])
    term = name | name.map("2 * {}".format) | name.map("{} * 3".format)
    many = st.lists(st.tuples(st.sampled_from([" + ", " - "]), term | number), max_size=3)
    left = draw(term) + "".join(sign + one for sign, one in draw(many))
    right = draw(term | whole)
    sides = draw(st.sampled_from([(left, right), (right, left)]))
    return f" {draw(OPS)} ".join(sides)


mirrored = st.sampled_from(sorted(NUMBERS)).flatmap(
    lambda name: st.tuples(st.sampled_from(ANCHORS[name]), OPS, st.just(name)).map(" ".join)
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Conditions with few brackets: precedence is left to the parser."""
    single = mirrored | sums() | leaves(perk=True).filter(lambda leaf: "a.count * b.share" not in leaf)

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        more = st.lists(st.tuples(st.sampled_from([" and ", " or "]), inner), min_size=1, max_size=4)
        flat = st.tuples(inner, more).map(lambda of: of[0] + "".join(word + part for word, part in of[1]))
        return flat | flat.map("({})".format) | inner.map("not {}".format) | inner.map("not ({})".format)

    return draw(st.recursive(single, grow, max_leaves=14))


@cel_settings
@given(text=texts(), seed=st.integers(0, 2**32))
def test_cel_agrees_with_the_reference_on_the_text_of_a_condition(
    text: str, seed: int, status_counts: StatusCounts
) -> None:
    means = meaning(text)
    judge = cel.compile_cel(cel.translate(text))
    for values in people(seed):
        expected = truth(means, values)
        assert judge(cel.person(cel.in_thousandths(values, PERK_SCHEMA))) is expected, (
            text,
            cel.translate(text),
            values,
        )
        status_counts[expected] += 1


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a.count >= 3 and not d.flag or b.ratio < 0.85", "v.a.count >= 3000 && !( v.d.flag ) || v.b.ratio < 850 "),
        ("not a.count > 3 and d.flag", "!( v.a.count > 3000 ) && v.d.flag "),
        ("not (d.flag or known(a.count))", "!( ( v.d.flag || has ( v.a.count ) ) )"),
        ("e.kind not in ['red', 'blue']", "( !( v.e.kind in [ 'red' , 'blue' ] ) ) "),
        ("missing(c.since) or c.since < 1970-01-31", "!has ( v.c.since ) || v.c.since < 30 "),
        ("3 * a.count > b.ratio - b.share * 2", "3 * v.a.count > v.b.ratio - v.b.share * 2 "),
    ],
)
def test_text_becomes_cel_token_by_token(text: str, same: str) -> None:
    assert cel.translate(text).split() == same.split()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a.count >= 3", "a.count > 3"),
        ("a.count >= 3 or d.flag", "a.count >= 3 and d.flag"),
        ("a.count >= 3", "known(a.count) and a.count >= 3"),
        ("e.kind != 'red'", "e.kind in ['green', 'blue'] or missing(e.kind)"),
        ("a.huge <= 9007199254740990", "a.huge <= 9007199254740989"),
    ],
)
def test_the_oracle_detects_wrong_meanings(text: str, wrong: str) -> None:
    judge, means = cel.compile_cel(cel.to_cel(meaning(text))), meaning(wrong)
    assert any(judge(cel.person(values)) is not truth(means, values) for values in people(1))


def meaning(text: str) -> Truth:
    report = Report()
    expr = parse(scalar(text), report)
    condition = Scope(PERK_SCHEMA, {}, report).condition(expr) if expr else None
    assert condition is not None, (text, report.problems)
    return condition


def people(seed: int) -> Iterator[dict[str, Value | None]]:
    """Random people with the further names of a perk: the score and the amount."""
    chooser = Random(seed)
    for row in sample_people(seed, PEOPLE).rows:
        yield row | {SCORE: chooser.choice(SCORES), AMOUNT: chooser.choice([None, *AMOUNTS])}
