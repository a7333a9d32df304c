"""Where people are in the whole social layer: how deep, and how much of the trust that starts at verified people reaches them.

Global. Positive only: ties add, and what a tied person does never counts.
"""

from typing import Any, Final

import networkx as nx
import numpy as np
import polars as pl

from graph.build import Layer
from graph.features.rounded import rounded
from graph.ranges import Bools, Floats, Ints
from graph.walk import landed

NAMES: Final = ("relationships.core", "relationships.trust", "relationships.walk")
TOLERANCE: Final = 1e-14  # of all trust: far below what is rounded away, so platforms agree
ITERATIONS: Final = 1_000
WANTED: Final = (3, 2)  # identity levels that are verified: the second where nobody is of the first


def position(whole: Layer, levels: pl.DataFrame, asked: pl.Series) -> pl.DataFrame:
    """`person` and the features of `NAMES` of those `asked` for.

    `levels` has everybody's `identity_level` by `person`. Cost: O(ties x iterations), of which there are about 200 for trust
    (0.85^200 is below `TOLERANCE`) and log2 of the people for the walk; O(people) when nobody asked for is tied, since the
    graphs need not be built to know it.
    """
    level = _level(whole.people, levels)
    seeds, answered = verified(level), verified(np.where(whole.answered, level, 0))
    nobody = whole.people.clear().to_frame().with_columns(pl.lit(None, pl.Int64).alias(name) for name in NAMES)
    found = _placed(whole, seeds, answered) if asked.is_in(whole.people.implode()).any() else nobody
    joined = asked.alias("person").to_frame().join(found, on="person", how="left", maintain_order="left")
    alone = (0, 0 if seeds.any() else None, 0 if answered.any() else None)
    return joined.select(
        "person", *(pl.col(n).fill_null(pl.lit(a, pl.Int64)) for n, a in zip(NAMES, alone, strict=True))
    )


def _placed(whole: Layer, seeds: Bools, answered: Bools) -> pl.DataFrame:
    cores = nx.core_number(whole.social)
    found = (
        pl.Series(cores.values(), dtype=pl.Int64),
        rounded(trusted(whole.lending, seeds), 2),
        rounded(walked(whole, answered), 2),
    )
    return whole.people.to_frame().with_columns(c.alias(n) for n, c in zip(NAMES, found, strict=True))


def verified(level: Ints) -> Bools:
    """Whom trust comes from: those of identity level 3, or those of level 2 if there are none."""
    return next(
        (chosen for chosen in (level == wanted for wanted in WANTED) if chosen.any()), np.zeros(len(level), bool)
    )


def trusted(lending: Any, seeds: Bools) -> Floats:
    """What reaches everyone of the layer, in equal shares (1.0: the mean): personalised PageRank from the seeds; NaN without.

    `lending` is an `nx.DiGraph` over numbers, `seeds` an entry a node.
    """
    if not seeds.any():
        return np.full(len(seeds), np.nan)
    start = dict.fromkeys(np.flatnonzero(seeds).tolist(), 1)
    enough = TOLERANCE / len(seeds)  # NetworkX multiplies by the nodes
    ranks = nx.pagerank(lending, personalization=start, weight="weight", tol=enough, max_iter=ITERATIONS)
    shares: Floats = np.fromiter(ranks.values(), float, len(seeds)) * len(seeds)
    return shares


def walked(whole: Layer, seeds: Bools) -> Floats:
    """What a short walk from the seeds leaves with everyone by the weight of their ties (1.0: the mean); NaN without seeds.

    The layer's ties as an undirected graph: what two people lend each other counts by the lower of the two, so that nobody
    gains by vouching for those who do not know them.
    """
    if not seeds.any():
        return np.full(len(seeds), np.nan)
    lends = whole.lending.csr.matrix("weight")
    return landed(lends.minimum(lends.T.tocsr()), seeds)


def _level(people: pl.Series, levels: pl.DataFrame) -> Ints:
    """The level of each of the layer, 0 of who is not enrolled."""
    found = people.to_frame().join(levels, on="person", how="left", maintain_order="left")
    return found["identity_level"].fill_null(0).cast(pl.Int64).to_numpy()
