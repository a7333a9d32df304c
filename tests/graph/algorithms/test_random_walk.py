from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from graph.algorithms.random_walk import short_walk_trust, steps


def matrix(size: int, ties: dict[tuple[int, int], int]) -> csr_array:
    weights = np.zeros((size, size))
    for (a, b), weight in ties.items():
        weights[a, b] = weights[b, a] = weight
    return csr_array(weights)


def seed_mask(size: int, *seeds: int) -> np.ndarray:
    return np.isin(np.arange(size), seeds)


@pytest.mark.parametrize(
    ("nodes", "expected"), [(0, 0), (1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10), (1025, 11)]
)
def test_the_steps_are_the_binary_logarithm_rounded_up(nodes, expected):
    assert steps(nodes) == expected


def test_a_walk_along_five_in_a_row():
    """From the first, three steps (log2 of 5, rounded up): (1 0 0 0 0), (0 1 0 0 0), (1/2 0 1/2 0 0), (0 3/4 0 1/4 0).

    The mean of the last two is (2 3 2 1 0) / 8; over the weights (1 2 2 2 1), times their sum of 8: 2, 1.5, 1, 0.5, 0.
    """
    path = matrix(5, {(0, 1): 1, (1, 2): 1, (2, 3): 1, (3, 4): 1})
    assert short_walk_trust(path, seed_mask(5, 0)) == pytest.approx([2, 1.5, 1, 0.5, 0])


def test_in_a_symmetric_ring_trust_stays_even():
    """In a ring of four everyone is like everyone."""
    ring = matrix(4, {(0, 1): 3, (1, 2): 3, (2, 3): 3, (0, 3): 3})
    assert short_walk_trust(ring, seed_mask(4, 0, 1, 2, 3)) == pytest.approx([1, 1, 1, 1])


def test_a_seed_without_ties_neither_keeps_nor_takes_trust():
    pair = matrix(3, {(0, 1): 2})
    assert short_walk_trust(pair, seed_mask(3, 0, 2)) == pytest.approx([1, 1, 0])


TIES = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda p: p[0] < p[1]), st.integers(1, 9), min_size=1
)


@given(TIES, st.data())
def test_a_walk_equals_the_fractions_computed_by_hand(ties, data):
    nodes = sorted({p for pair in ties for p in pair})
    seeds = data.draw(st.sets(st.sampled_from(nodes), min_size=1))
    weight = {p: sum(w for pair, w in ties.items() if p in pair) for p in nodes}
    last = now = {p: Fraction(p in seeds, len(seeds)) for p in nodes}
    for _ in range(int(np.ceil(np.log2(len(nodes))))):
        to = {p: Fraction(0) for p in nodes}
        for (a, b), w in ties.items():
            to[a] += now[b] * w / weight[b]
            to[b] += now[a] * w / weight[a]
        last, now = now, to
    expected = [
        float((last[p] + now[p]) / 2 / weight[p] * sum(weight.values())) if p in weight else 0 for p in range(6)
    ]
    trust = short_walk_trust(matrix(6, ties), seed_mask(6, *seeds))
    assert trust == pytest.approx(expected)
    assert sum(trust[p] * weight[p] for p in nodes) == pytest.approx(sum(weight.values()))  # the weighted mean is 1


def test_little_trust_crosses_one_tie_to_many_strangers():
    """Two cliques of eight and one tie between them: four steps leave most of it where it started."""
    ties = {(side + i, side + j): 1 for side in (0, 8) for i in range(8) for j in range(i + 1, 8)}
    trust = short_walk_trust(matrix(16, {**ties, (0, 8): 1}), seed_mask(16, 1, 2))
    assert min(trust[:8]) > 1.5 > 0.5 > max(trust[8:])
