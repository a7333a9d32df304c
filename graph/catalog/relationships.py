"""Who stands by them. Positive only: no tie lowers anyone."""

from dataclasses import replace
from typing import Final

from graph.catalog.feature import Feature, count, refused, whole_layer

BOYD: Final = "Batagelj and Zaversnik, An O(m) algorithm for cores decomposition of networks, 2003"
CLUSTERING: Final = "Watts and Strogatz, Collective dynamics of small-world networks, Nature 393, 1998"
PAGERANK: Final = "Page et al., The PageRank citation ranking, 1999; seeded as in Cao et al., SybilRank, NSDI 2012"

RELATIONSHIPS: Final[tuple[Feature, ...]] = (
    count(
        "relationships.degree", "People tied to them, by a mutual tie or by vouching for them.", "people", formula="|T|"
    ),
    count("relationships.household", "People of the same household.", "people", formula="|T by household|"),
    count("relationships.vouches", "People who vouch for them.", "people", formula="|T by a vouch for them|"),
    whole_layer(
        count(
            "relationships.core", "The largest k such that they belong to a group tied to k others of it each.", "ties"
        ),
        "O(ties)",
        BOYD,
        "the highest k with a group of people, them among it, in which each is tied to k others of it",
    ),
    whole_layer(
        replace(
            count("relationships.clustering", "The share of pairs of their people who are tied themselves.", "ratio"),
            type="decimal",
            digits=3,
            high=1000,
            direction="none",
            missing=f"Missing with {refused('relationship')}; 0.000 with fewer than two people.",
        ),
        "O(ties x degree)",
        CLUSTERING,
        "ties among their people / (n (n - 1) / 2), n: people they are tied with either way",
    ),
    whole_layer(
        replace(
            count("relationships.trust", "", "times the mean"),
            about="Trust that reaches them over ties and vouches from verified people; 1.00 is an equal share for everyone tied.",
            type="decimal",
            digits=2,
            missing=f"Missing with {refused('relationship')}, or when nobody who is tied is verified; 0.00 without ties.",
        ),
        "O(ties x iterations)",
        PAGERANK,
        "n r(p), where r(p) = 0.15 s(p) + 0.85 (sum over q of r(q) w(q, p) / sum(w(q, .))); s: equal parts for the "
        "verified, w: strength of ties, n: people tied",
    ),
)
