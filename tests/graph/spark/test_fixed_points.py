"""Components and trust by repeated joins, on Polars and DuckDB, judged by NetworkX and by whole-number arithmetic in plain Python."""

from random import Random

import duckdb
import narwhals as nw
import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.spark.fixed_points import MEAN, components, trust
from tests.effort import by_effort

SEEDS = st.integers(0, 2**32)
EDGE_SCHEMA = {"a": pl.Int64, "b": pl.Int64, "weight": pl.Int64}


def random_edges(chooser: Random) -> pl.DataFrame:
    """A graph with parts of several sizes: paths, stars, and single edges; each pair once."""
    people = chooser.randint(2, 40)
    pairs = {(i, i + 1) for i in range(people) if chooser.random() < 0.7}
    pairs |= {(0, chooser.randrange(1, people)) for _ in range(chooser.randint(0, 5)) if people > 1}
    pairs |= {tuple(chooser.sample(range(people), 2)) for _ in range(chooser.randint(1, people))}
    rows = [(10 * a, 10 * b, chooser.randint(1, 40)) for a, b in sorted(pairs)]
    chooser.shuffle(rows)
    return pl.DataFrame(rows, schema=EDGE_SCHEMA, orient="row")


def on_polars(frame: pl.DataFrame):
    return nw.from_native(frame.lazy())


def keep(_: str, frame):
    return nw.from_native(frame.collect("polars").to_native().lazy())


class DuckTables:
    """Tables of DuckDB in the place of Spark's stored frames."""

    def __init__(self) -> None:
        self.db = duckdb.connect()

    def frame(self, rows: pl.DataFrame):
        self.db.register(f"t{id(rows)}", rows.to_arrow())
        return nw.from_native(self.db.sql(f"FROM t{id(rows)}")).lazy()

    def store(self, name: str, frame):
        frame.to_native().create(name)
        return nw.from_native(self.db.sql(f'FROM "{name}"')).lazy()


def plain_trust(edges: pl.DataFrame, seeds: list[int], rounds: int) -> dict[int, int]:
    """The definition, with Python's integers."""
    rows = edges.rows()
    nodes = sorted({n for a, b, _ in rows for n in (a, b)})
    starts = [s for s in seeds if s in nodes]
    total_trust = len(nodes) * MEAN
    rank = {n: total_trust // len(starts) if n in starts else 0 for n in nodes}
    out = {n: sum(w for a, _, w in rows if a == n) for n in nodes}
    for _ in range(rounds):
        received = {n: sum(rank[a] * w // out[a] for a, b, w in rows if b == n) for n in nodes}
        passed = {n: value * 85 // 100 for n, value in received.items()}
        each = (total_trust - sum(passed.values())) // len(starts)
        rank = {n: passed[n] + (each if n in starts else 0) for n in nodes}
    return {n: (2 * value + MEAN // 100) // (MEAN // 50) for n, value in rank.items()}


def as_dict(frame, value: str) -> dict[int, int]:
    rows = frame.collect("polars").to_native()
    return dict(rows.select("node", value).iter_rows())


@settings(max_examples=by_effort(10, 300), deadline=None)
@given(SEEDS)
def test_components_are_those_of_networkx(seed: int) -> None:
    edges = random_edges(Random(seed))
    graph = nx.Graph(edges.select("a", "b").rows())
    expected = {node: min(part) for part in nx.connected_components(graph) for node in part}
    assert as_dict(components(on_polars(edges), keep), "component") == expected


@settings(max_examples=by_effort(10, 300), deadline=None)
@given(SEEDS)
def test_trust_is_its_definition_in_whole_numbers_whatever_the_order_of_rows(seed: int) -> None:
    chooser = Random(seed)
    edges = random_edges(chooser)
    seeds = chooser.sample(sorted({*edges["a"], *edges["b"]}), 2)
    start = pl.DataFrame({"node": [*seeds, 7]}, schema={"node": pl.Int64})  # nobody has the number 7
    expected = plain_trust(edges, seeds, 5)
    for rows in (edges, edges.sample(fraction=1, shuffle=True, seed=seed % 1000)):
        assert as_dict(trust(on_polars(rows), on_polars(start), keep, 5), "trust") == expected


@settings(max_examples=by_effort(3, 50), deadline=None)
@given(SEEDS)
def test_trust_is_networkx_s_pagerank_to_a_hundredth(seed: int) -> None:
    chooser = Random(seed)
    edges = random_edges(chooser)
    seeds = chooser.sample(sorted({*edges["a"], *edges["b"]}), 2)
    graph = nx.DiGraph()
    graph.add_weighted_edges_from(edges.rows())
    ranks = nx.pagerank(graph, personalization=dict.fromkeys(seeds, 1), tol=1e-14, max_iter=1_000)
    start = pl.DataFrame({"node": seeds}, schema={"node": pl.Int64})
    values = as_dict(trust(on_polars(edges), on_polars(start), keep), "trust")
    assert values == {node: pytest.approx(rank * len(graph) * 100, abs=0.6) for node, rank in ranks.items()}


@pytest.mark.parametrize("seed", range(by_effort(2, 40)))
def test_duckdb_gives_what_polars_gives(seed: int) -> None:
    edges, tables = random_edges(Random(seed)), DuckTables()
    start = edges.select(node="a").head(2)
    expected = as_dict(trust(on_polars(edges), on_polars(start), keep, 4), "trust")
    assert as_dict(trust(tables.frame(edges), tables.frame(start), tables.store, 4), "trust") == expected
    expected = as_dict(components(on_polars(edges), keep), "component")
    tables = DuckTables()
    assert as_dict(components(tables.frame(edges), tables.store), "component") == expected


def test_without_seeds_nobody_has_trust() -> None:
    edges = random_edges(Random(1))
    nobody = pl.DataFrame(schema={"node": pl.Int64})
    assert as_dict(trust(on_polars(edges), on_polars(nobody), keep, 3), "trust") == {}
