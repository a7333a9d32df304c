"""Who stands by them. Positive only: no tie lowers anyone.

What is said against someone shows in `goodness` and `vouch_mean` (and in the `fairness` of who says it), and nowhere else; the
policy lets no feature of relationships take points.
"""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count, ratio, refused, whole_layer

BATAGELJ: Final = "Batagelj and Zaversnik, An O(m) algorithm for cores decomposition of networks, 2003"
WATTS: Final = "Watts and Strogatz, Collective dynamics of small-world networks, Nature 393, 1998"
UGANDER: Final = "Ugander, Backstrom, Marlow and Kleinberg, Structural diversity in social contagion, PNAS 109, 2012"
PAGERANK: Final = "Page et al., The PageRank citation ranking, 1999; seeded as in Gyöngyi et al., TrustRank, VLDB 2004"
SYBILRANK: Final = "Cao et al., Aiding the detection of fake accounts (SybilRank), NSDI 2012"
KUMAR: Final = "Kumar et al., Edge weight prediction in weighted signed networks, ICDM 2016"
CESTNIK: Final = f"Cestnik, Estimating probabilities, ECAI 1990 (m-estimate, m = 1, prior 0); fairness as in {KUMAR}"
FIRST_RING: Final = "O(ties^1.5) for all at once, worst case; of one person: their ties and those among their people"


def _share(name: str, about: str, when: str) -> Feature:
    """Of two digits, missing `when`."""
    return ratio(name, about, when, "all")


def _multiple(name: str, about: str, when: str) -> Feature:
    """So many times the mean, of two digits."""
    feature = replace(count(name, about, "times the mean"), type="decimal", digits=2)
    return replace(feature, missing=f"Missing with {refused('relationship')}, or {when}; 0.00 without ties.")


RELATIONSHIPS: Final[tuple[Feature, ...]] = (
    replace(
        count("relationships.degree", "People tied to them, by a mutual tie or by vouching for them.", "people"),
        formula="|T|",
    ),
    replace(
        count("relationships.household", "People of the same household.", "people"),
        formula="|T by household|",
    ),
    replace(
        count("relationships.vouches", "People who vouch for them.", "people"),
        formula="|T by a vouch for them|",
    ),
    replace(
        _share(
            "relationships.ties_kept",
            "The share of the people tied to them half a year ago who still are.",
            "when nobody was tied to them then",
        ),
        window="6 months",
        formula="|T then, and T now| / |T then|, then: 6 calendar months before",
    ),
    whole_layer(
        replace(
            count(
                "relationships.core",
                "The largest k such that they belong to a group tied to k others of it each.",
                "ties",
            ),
            formula="core number in the undirected graph of all ties, vouches either way included",
        ),
        "O(ties)",
        BATAGELJ,
    ),
    replace(
        count("relationships.clustering", "The share of pairs of their people who are tied themselves.", "ratio"),
        type="decimal",
        digits=3,
        high=1000,
        direction="none",
        missing=f"Missing with {refused('relationship')}; 0.000 with fewer than two people.",
        cost=FIRST_RING,
        reference=WATTS,
        formula="ties among their people / (n (n - 1) / 2), n: people they are tied with either way",
    ),
    replace(
        count(
            "relationships.circles",
            "Groups into which the people tied to them fall, when only ties among those are looked at: family, work, friends.",
            "groups",
        ),
        cost=FIRST_RING,
        reference=UGANDER,
        formula="connected components of T, by the ties among T",
    ),
    whole_layer(
        replace(
            _multiple(
                "relationships.trust",
                "Trust that reaches them over ties and vouches from verified people; 1.00 is an equal share for everyone tied.",
                "when nobody who is tied is verified",
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
                "relationships.walk",
                "Trust from verified people after a short walk over ties that both sides stand for, for the weight of their ties; "
                "1.00 is an even spread.",
                "when nobody with such a tie is verified",
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
                "What people say of them, for (up to 1.00) or against (down to -1.00), each believed as far as their word is fair.",
                "when nobody vouched for or against them",
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
                "How near what they say of others is to what is said of those: 1.00 when they agree with everyone.",
                "when they vouched for or against nobody",
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
                "The mean of what people say of them, each by how far they are trusted and fair; few or untrusted voices leave it near 0.",
                "when nobody vouched for or against them, or nobody with a tie that both sides stand for is verified",
            ),
            low=-100,
            unit="-1 to 1",
            formula="sum of c(u) x strength(u, v) / 10 / (1 + sum of c(u)), c(u) = fairness(u) x the lower of walk(u) and 1",
        ),
        "O(vouches x iterations), under 50 iterations",
        CESTNIK,
    ),
)
