"""Trust by a short random walk: how much of what starts at the seeds is with each person after a few steps."""

from typing import Any

import numpy as np

from graph.ranges import Bools, Floats


def landed(weights: Any, seeds: Bools) -> Floats:
    """The trust of each node by its weight, as a multiple of the whole's mean; 0 for a node without ties.

    `weights` is a symmetric SciPy CSR array of non-negative weights, `seeds` as long as it is wide, at least one of them with
    a tie. All trust, in equal parts, starts at the seeds that have ties. In each of ceil(log2 n) steps every node hands on
    all it holds to its neighbours by weight (n: nodes with ties). A walk that short has spread evenly over the part of the
    graph that is well tied to the seeds, and little has crossed a few ties into another part: that is what tells sybils.

    What has landed is divided by the node's weight (the sum of its ties'), so that many ties are not an advantage, and by
    the same ratio of the whole (all trust over all weight): 1.00 is what everyone would have, had it spread evenly.

    One thing differs from the paper: it is the mean of the last two steps. Where ties make no odd cycle, as in a pair, trust
    is only on one side at a time, and the side would hang on whether n has one binary digit more or less.

    Cost: O(ties x log n) time, O(nodes) memory besides the weights. Deterministic to rounding.
    Source: Cao, Sirivianos, Yang and Pregueiro, Aiding the detection of fake accounts in large scale social online services
    (SybilRank), NSDI 2012, section 4.
    """
    weight = np.asarray(weights.sum(axis=1), np.float64).ravel()
    tied = weight > 0
    share = np.divide(1.0, weight, out=np.zeros_like(weight), where=tied)
    started = seeds & tied
    last = now = started / started.sum()
    for _ in range(steps(int(tied.sum()))):
        last, now = now, weights @ (now * share)
    mean: Floats = (last + now) / 2 * share * weight.sum()
    return mean


def steps(nodes: int) -> int:
    """ceil(log2 n), exactly; 0 of none."""
    return max(nodes - 1, 0).bit_length()
