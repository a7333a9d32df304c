"""Trust by a short random walk: the share of the seeds' trust that each person holds after a few steps."""

import numpy as np
from scipy import sparse

from graph.algorithms.ranges import Bools, Floats


def short_walk_trust(weights: sparse.csr_array, seeds: Bools) -> Floats:
    """Compute the trust of each node per unit of weight, as a multiple of the mean; 0 for a node without ties.

    `weights` is a symmetric SciPy CSR array of non-negative weights. `seeds` is a mask over its rows; at least one seed
    must have a tie. We start with all trust at the seeds that have ties, in equal parts. In each of ceil(log2 n) steps (n:
    nodes with ties) we let every node pass all its trust to its neighbours, in proportion to the weights. Such a short
    walk spreads evenly over the region that is well connected to the seeds, while little trust crosses the few ties
    into another region. By this difference we tell sybils from people.

    We divide each node's trust by its weight (the sum of its ties' weights), so that many ties are no advantage. We
    then divide by the same ratio of the whole graph (all trust over all weight): 1.00 is the value of every node if
    trust had spread evenly.

    We deviate from the paper in one point: the result is the mean of the last two steps. Where ties form no odd cycle,
    as in a pair, trust is on one side at a time, and the side would depend on whether n has an odd or even number of
    binary digits.

    Cost: O(ties x log n) time, O(nodes) memory besides the weights. Deterministic to rounding. Source: Cao, Sirivianos,
    Yang and Pregueiro, Aiding the detection of fake accounts in large scale social online services (SybilRank), NSDI
    2012, section 4.
    """
    weight = np.asarray(weights.sum(axis=1), np.float64).ravel()
    has_ties = weight > 0
    share = np.divide(1.0, weight, out=np.zeros_like(weight), where=has_ties)
    start = seeds & has_ties
    last = now = start / start.sum()
    for _ in range(steps(int(has_ties.sum()))):
        last, now = now, weights @ (now * share)
    mean: Floats = (last + now) / 2 * share * weight.sum()
    return mean


def steps(nodes: int) -> int:
    """Return ceil(log2 n), computed exactly; 0 for no nodes."""
    return max(nodes - 1, 0).bit_length()
