"""Connected components and trust by joins that we repeat: for graphs that no single machine holds, on any column engine.

All numbers are 64-bit integers and every step is a minimum or an exact sum. So the results depend neither on the order of rows nor
on their partitions, and every engine gives the same. `store` computes a frame and returns it stored: we call it in each round,
because the plan of all rounds together would grow without end.
"""

from collections.abc import Callable
from typing import Any, Final

import narwhals as nw

from graph.features.integer_math import Frame, integer

MEAN: Final = 10**9  # the units of an even share of trust: with 9 x 10^9 people, all trust is below 2^63
DAMPING_PERCENT: Final = 85  # of its trust that a person passes on in a round: that of PageRank
ROUNDS: Final = 200  # 0.85^200 is below 10^-14, the tolerance of one machine
HUNDREDTH: Final = MEAN // 100
Materialize = Callable[[str, Frame], Frame]


def components(edges: Frame, store: Materialize) -> Frame:
    """Return `node` and `component`, the lowest number of a node in the same connected component.

    `edges` has the nodes `a` and `b`, in either direction. In each round we give every node the lowest label among its own and its
    neighbours', and then the label of that label. We stop when no label changes; then all neighbours have the same. Cost: a round is two joins and a
    grouping; there are about log2 of the longest shortest path, and never more than its length.
    """
    ends = store("ends", nw.concat([edges.select("a", "b"), edges.select(a="b", b="a")]).unique())
    labels = store("labels 0", ends.group_by("a").agg(nw.col("b").min().alias("least")))
    labels = labels.select(node="a", label=nw.min_horizontal("a", "least"))
    number = 0
    while True:
        number += 1
        lower = store(f"labels {number}", _lower_labels(ends, labels))
        if not _count(lower.filter(nw.col("label") != nw.col("before"))):
            return lower.select("node", component="label")
        labels = lower.select("node", "label")


def _lower_labels(ends: Frame, labels: Frame) -> Frame:
    """`node`, its new `label`, and the one `before`."""
    near = ends.join(labels.select(b="node", label="label"), on="b", how="inner")
    least = near.group_by("a").agg(nw.col("label").min().alias("near"))
    both = labels.join(least.select("near", node="a"), on="node", how="left")
    lowest = both.select("node", before="label", first=nw.min_horizontal("label", "near"))
    jump = labels.select("label", first="node")
    jumped = lowest.join(jump, on="first", how="left")
    return jumped.select("node", "before", label=nw.min_horizontal("first", nw.coalesce("label", "first")))


def trust(edges: Frame, seeds: Frame, store: Materialize, rounds: int = ROUNDS) -> Frame:
    """Return `node` and `trust` in hundredths of the mean, halves up: personalised PageRank in fixed-point numbers.

    `edges` has `a`, `b` and a positive `weight`: `a` lends trust to `b`; one row a pair. `seeds` has `node`. In each round every node passes 85 % of its
    trust along its edges, in proportion to the weights, rounded down. Whatever is not passed on, the rest of the roundings included,
    goes to the seeds in equal parts. So no trust is lost, but for the rest of one division a round. Nobody has trust without seeds: then the frame is empty.

    The result of one machine (`graph.features.definitions.position`) is in floating-point numbers. Both differ by the roundings: by at
    most about 7 units of `MEAN` for each edge into a node, that is less than a hundredth below a million edges. Cost: a round is one
    join and two groupings.
    """
    out = edges.group_by("a").agg(nw.col("weight").sum().cast(nw.Int64()).alias("out"))
    flows = store("flows", edges.join(out, on="a", how="inner").select("a", "b", "weight", "out"))
    nodes = nw.concat([edges.select(node="a"), edges.select(node="b")]).unique()
    starts = store("seeds", seeds.select("node").unique().join(nodes, on="node", how="semi"))
    people = store("people", nodes.join(starts.with_columns(is_seed=integer(1)), on="node", how="left"))
    count, seed_count = _count(people), _count(starts)
    if not seed_count:
        return people.filter(nw.col("node") != nw.col("node")).select("node", trust=integer(0))
    total_trust = count * MEAN
    share = total_trust // seed_count
    ranks = people.select(
        "node", "is_seed", rank=nw.when(nw.col("is_seed") == 1).then(integer(share)).otherwise(integer(0))
    )
    for number in range(rounds):
        passed = store(f"passed {number}", _passed(flows, ranks))
        rest = total_trust - _total(passed)
        to_seed = nw.when(nw.col("is_seed") == 1).then(integer(rest // seed_count)).otherwise(integer(0))
        joined = people.join(passed, on="node", how="left")
        ranks = joined.select("node", "is_seed", rank=nw.coalesce(nw.col("passed"), integer(0)) + to_seed)
    return ranks.select("node", trust=(nw.col("rank") + HUNDREDTH // 2) // HUNDREDTH)


def _passed(flows: Frame, ranks: Frame) -> Frame:
    """`node`, and the trust `passed` on to it. We divide before we multiply, so that nothing overflows."""
    along = flows.join(ranks.filter(nw.col("rank") > 0).select("rank", a="node"), on="a", how="inner")
    whole, part = nw.col("rank") // nw.col("out"), nw.col("rank") % nw.col("out")
    received = whole * nw.col("weight") + part * nw.col("weight") // nw.col("out")
    sums = along.select("b", received=received).group_by("b").agg(nw.col("received").sum().cast(nw.Int64()))
    total = nw.col("received")
    damped = total // 100 * DAMPING_PERCENT + total % 100 * DAMPING_PERCENT // 100
    return sums.select(node="b", passed=damped)


def _count(frame: Frame) -> int:
    return _number(frame.select(nw.len().alias("n")))


def _total(passed: Frame) -> int:
    return _number(passed.select(nw.col("passed").sum().cast(nw.Int64()).alias("n")))


def _number(frame: Frame) -> int:
    value: Any = frame.collect("polars").to_native()["n"][0]
    return int(value or 0)
