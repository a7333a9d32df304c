"""Who stands by them. Local: their own ties. Global: where they are in the whole social layer, by NetworkX.

Positive only: no tie lowers anyone, and what a tied person does never counts.
"""

from collections.abc import Collection
from typing import Any, Final

import narwhals as nw
import networkx as nx
import polars as pl

from graph.build import social_of, trust_of
from graph.features.exact import Frame, counted

GLOBAL: Final = ("relationships.core", "relationships.clustering", "relationships.trust")
TOLERANCE: Final = 1e-14  # of the mean, in each person: far below what is rounded away, so platforms agree
ITERATIONS: Final = 1_000
Place = tuple[int, int, int | None]  # core, clustering in thousandths, trust in hundredths


def ties(live: Frame) -> Frame:
    """Their own ties, of those in force: one row per `person` with any.

    A vouch counts for whom it is for: nobody gains by giving it.
    """
    forth = live.filter(nw.col("tie") != "vouch").select("tie", person="a", party="b")
    back = live.select("tie", person="b", party="a")
    both = nw.concat([forth, back])
    return both.group_by("person").agg(
        nw.col("party").n_unique().alias("relationships.degree"),
        counted(nw.col("tie") == "household").sum().alias("relationships.household"),
        counted(nw.col("tie") == "vouch").sum().alias("relationships.vouches"),
    )


def position(live: pl.DataFrame, levels: dict[str, int], asked: Collection[str]) -> pl.DataFrame:
    """`person` and the `GLOBAL` features of those `asked` for; `levels` has everybody's identity level.

    `live` are the ties in force of the whole view. Cost: O(ties x (iterations + degree)); O(ties) when nobody asked for is tied.
    """
    tied = {*live["a"], *live["b"]}
    seeds = verified(tied, levels)
    found = _placed(live, seeds, [p for p in asked if p in tied])
    alone = (0, 0, 0 if seeds else None)
    rows = [(p, *found.get(p, alone)) for p in asked]
    return pl.DataFrame(rows, schema={"person": live.schema["a"], **dict.fromkeys(GLOBAL, pl.Int64)}, orient="row")


def _placed(live: pl.DataFrame, seeds: Collection[str], asked: Collection[str]) -> dict[str, Place]:
    if not asked:  # most people, one at a time: the layer need not be built to know it
        return {}
    layer = social_of(live)
    cores, around = nx.core_number(layer), nx.clustering(layer, asked)
    reach = trusted(trust_of(live), seeds) if seeds else {}
    return {p: (cores[p], _scaled(around[p], 1000), reach.get(p)) for p in asked}


def verified(tied: Collection[str], levels: dict[str, int]) -> list[str]:
    """Whom trust comes from: the tied people of identity level 3, or those of level 2 if there are none; sorted."""
    groups = (sorted(p for p in tied if levels.get(p, 0) >= wanted) for wanted in (3, 2))
    return next((group for group in groups if group), [])


def trusted(layer: Any, seeds: Collection[str]) -> dict[str, int]:
    """Hundredths of an equal share that everyone of the layer is reached by: personalised PageRank from the seeds."""
    start = dict.fromkeys(seeds, 1)
    ranks = nx.pagerank(layer, personalization=start, weight="weight", tol=TOLERANCE, max_iter=ITERATIONS)
    return {person: _scaled(rank * len(layer), 100) for person, rank in ranks.items()}


def _scaled(value: float, scale: int) -> int:
    """Rounded to nine digits first: what is a half but for floating-point noise is then rounded up everywhere."""
    return int(round(value, 9) * scale + 0.5)
