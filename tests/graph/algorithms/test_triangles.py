import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.algorithms import ranges
from graph.algorithms.triangles import neighbourhood_structure
from tests.effort import by_effort

PAIRS = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda p: p[0] < p[1]), max_size=30)


def both_ways(pairs) -> tuple[np.ndarray, np.ndarray]:
    ends = [*pairs, *((b, a) for a, b in pairs)]
    return tuple(np.array([e[i] for e in ends], np.int64) for i in (0, 1))


@settings(max_examples=by_effort(66, 600), deadline=None)
@given(PAIRS, st.data(), st.sampled_from([1, 3, 10**6]))
def test_circles_equal_networkxs_components_of_each_ego_network(pairs, data, max_rows):
    node, party = both_ways(sorted(pairs))
    supports = np.array([data.draw(st.booleans()) for _ in node], bool)
    graph = nx.empty_graph(9)
    graph.add_edges_from(pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "MAX_PIECE_ROWS", max_rows)
        structure = neighbourhood_structure(9, node, party, supports)
    assert dict(enumerate(structure.degree.tolist())) == dict(graph.degree)
    assert dict(enumerate(structure.triangles.tolist())) == nx.triangles(graph)
    for ego in graph:
        supporters = [p for n, p, s in zip(node.tolist(), party.tolist(), supports, strict=True) if n == ego and s]
        assert structure.components[ego] == len(list(nx.connected_components(graph.subgraph(supporters))))


def test_an_empty_graph_and_one_node_have_no_circles():
    none = np.empty(0, np.int64)
    assert neighbourhood_structure(0, none, none, none.astype(bool)).components.tolist() == []
    assert neighbourhood_structure(1, none, none, none.astype(bool)).components.tolist() == [0]


def test_a_hub_of_many_costs_no_more_than_its_ties():
    """100,000 neighbours have five thousand million pairs; a triangle with each of a pair is found all the same."""
    hub = [(0, other) for other in range(1, 100_001)]
    node, party = both_ways([*hub, (1, 2)])
    structure = neighbourhood_structure(100_001, node, party, np.ones(len(node), bool))
    assert (structure.triangles[0], structure.components[0]) == (1, 99_999)
