"""Features of the ties that support a person. Positive only: no tie lowers a score.

A vouch against a person shows only in `goodness` and `vouch_mean` (and in the `fairness` of its giver). The policy lets
no feature of relationships take points.
"""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count, ratio, whole_layer, without_consent

BATAGELJ: Final = "Batagelj and Zaversnik, An O(m) algorithm for cores decomposition of networks, 2003"
WATTS: Final = "Watts and Strogatz, Collective dynamics of small-world networks, Nature 393, 1998"
UGANDER: Final = "Ugander, Backstrom, Marlow and Kleinberg, Structural diversity in social contagion, PNAS 109, 2012"
PAGERANK: Final = "Page et al., The PageRank citation ranking, 1999; seeded as in Gyöngyi et al., TrustRank, VLDB 2004"
SYBILRANK: Final = "Cao et al., Aiding the detection of fake accounts (SybilRank), NSDI 2012"
KUMAR: Final = "Kumar et al., Edge weight prediction in weighted signed networks, ICDM 2016"
CESTNIK: Final = f"Cestnik, Estimating probabilities, ECAI 1990 (m-estimate, m = 1, prior 0); fairness as in {KUMAR}"
NEIGHBOURHOOD_COST: Final = (
    "O(ties^1.5) for all at once, worst case; of one person: their ties and those among their people"
)


def _share(name: str, about: str, when: str) -> Feature:
    """Define a share of two digits, missing `when`."""
    return ratio(name, about, when, "all")


def _multiple(name: str, about: str, when: str) -> Feature:
    """Define a multiple of the mean, of two digits."""
    feature = replace(count(name, about, "times the mean"), type="decimal", digits=2)
    return replace(feature, missing=f"Missing {without_consent('relationship')}, or {when}; 0.00 without ties.")


RELATIONSHIPS: Final[tuple[Feature, ...]] = (
    replace(
        _share(
            "relationships.ties_kept",
            "Share of the people tied to the person half a year ago who still are.",
            "if nobody was tied to the person then",
        ),
        window="6 months",
        formula="|T then, and T now| / |T then|, then: 6 calendar months before",
    ),
    whole_layer(
        replace(
            count(
                "relationships.core_number",
                "Core number: the largest k for which the person belongs to a group whose members each have k ties within the group.",
                "ties",
            ),
            formula="core number in the undirected graph of all ties, vouches either way included",
        ),
        "O(ties)",
        BATAGELJ,
    ),
    replace(
        count(
            "relationships.clustering",
            "Clustering: share of the pairs of people tied to the person who are tied to each other.",
            "ratio",
        ),
        type="decimal",
        digits=3,
        high=1000,
        direction="none",
        missing=f"Missing {without_consent('relationship')}; 0.000 with fewer than two people.",
        cost=NEIGHBOURHOOD_COST,
        reference=WATTS,
        formula="ties among their people / (n (n - 1) / 2), n: people they are tied with either way",
    ),
    replace(
        count(
            "relationships.circles",
            "Number of groups that the people tied to the person form by the ties among themselves: family, work, friends.",
            "groups",
        ),
        cost=NEIGHBOURHOOD_COST,
        reference=UGANDER,
        formula="connected components of T, by the ties among T",
    ),
    whole_layer(
        replace(
            _multiple(
                "relationships.trust",
                "Trust that reaches the person from verified people over ties and vouches; 1.00 is an equal share for everyone tied.",
                "if no tied person is verified",
            ),
            formula="n x r, where r(v) = 0.15 x s(v) + 0.85 x (sum over u of r(u) x w(u, v) / (sum of w(u, .))); "
            "s: equal parts to the verified, who also take what those without ties of their own would pass on; n: people tied",
        ),
        "O(ties x iterations), about 200 iterations",
        PAGERANK,
    ),
    whole_layer(
        replace(
            _multiple(
                "relationships.walk_trust",
                "Trust from verified people after a short random walk over ties that both sides confirm, per weight of the "
                "person's ties; 1.00 is an even spread.",
                "if nobody with such a tie is verified",
            ),
            formula="(t(k-1) + t(k)) / 2 / w x W, where t(0) is 1 in equal parts with the verified and each step passes all of it on "
            "by weight; k = ceil(log2 n) steps, w: weight of their ties, W: of all; a pair's weight is the lower of what "
            "the two lend each other",
        ),
        "O(ties x log people)",
        SYBILRANK,
    ),
    whole_layer(
        replace(
            _share(
                "relationships.goodness",
                "Vouches for (up to 1.00) and against (down to -1.00) the person, each weighted by the fairness of its giver.",
                "if nobody vouched for or against the person",
            ),
            low=-100,
            unit="-1 to 1",
            formula="g(v) = mean over u of f(u) x strength(u, v) / 10, f: fairness",
        ),
        "O(vouches x iterations), under 50 iterations",
        KUMAR,
    ),
    whole_layer(
        replace(
            _share(
                "relationships.fairness",
                "Agreement of the person's vouches with those of others: 1.00 if they agree with everyone.",
                "if the person vouched for or against nobody",
            ),
            formula="f(u) = 1 - mean over v of |strength(u, v) / 10 - g(v)| / 2, g: goodness",
        ),
        "O(vouches x iterations), under 50 iterations",
        KUMAR,
    ),
    whole_layer(
        replace(
            _share(
                "relationships.vouch_mean",
                "Mean of the vouches for and against the person, weighted by trust and fairness of each giver; few or untrusted givers leave it near 0.",
                "if nobody vouched for or against the person, or nobody with a tie that both sides confirm is verified",
            ),
            low=-100,
            unit="-1 to 1",
            formula="sum of c(u) x strength(u, v) / 10 / (1 + sum of c(u)), c(u) = fairness(u) x the lower of walk(u) and 1",
        ),
        "O(vouches x iterations), under 50 iterations",
        CESTNIK,
    ),
)
