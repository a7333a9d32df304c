"""What people say of each other, for and against: ratings from -1 to 1, and how far to believe who gives them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from graph.ranges import Floats, Ints

SETTLED: Final = 1e-13  # the largest change of the last round: far below what is rounded away
ROUNDS: Final = 100  # a round at least halves what is left to settle, so 44 come below `SETTLED`


@dataclass(frozen=True)
class Ratings:
    """Who rates whom how, -1..1: a row a pair, once each. Raters and rated are numbers 0 .. `people` - 1."""

    people: int
    rater: Ints
    rated: Ints
    rating: Floats


def fairness_and_goodness(ratings: Ratings) -> tuple[Floats, Floats]:
    """`fairness` (0..1) of raters and `goodness` (-1..1) of the rated; NaN for who rates nobody, or is rated by nobody.

    Goodness is the mean rating, each weighted by its rater's fairness and divided by the number of ratings; fairness is 1
    less half the mean distance of a rater's ratings from the goodness of whom they rate:

        goodness(v) = (sum of fairness(u) x rating(u, v)) / ratings of v
        fairness(u) = 1 - (sum of |rating(u, v) - goodness(v)| / 2) / ratings by u

    There is one solution. From fairness 1 for all, each round at least halves the distance to it.
    Cost: O(ratings) a round, under 50 rounds. Source: Kumar, Spezzano, Subrahmanian and Faloutsos, Edge weight prediction in
    weighted signed networks, ICDM 2016.
    """
    of, by = _counts(ratings.rated, ratings.people), _counts(ratings.rater, ratings.people)
    fairness = np.ones(ratings.people)
    for _ in range(ROUNDS):
        goodness = _sums(ratings.rated, fairness[ratings.rater] * ratings.rating, ratings.people) / of
        distance = np.abs(ratings.rating - goodness[ratings.rated]) / 2
        before, fairness = fairness, 1 - _sums(ratings.rater, distance, ratings.people) / by
        if np.max(np.nan_to_num(np.abs(fairness - before)), initial=0.0) < SETTLED:
            break
    return fairness, goodness


def weighted_mean(ratings: Ratings, weight: Floats) -> Floats:
    """The mean rating of each, ratings weighted by `weight` of who gives them, and one neutral rating of weight 1 more.

    mean(v) = (sum of weight(u) x rating(u, v)) / (1 + sum of weight(u)). So few ratings, or ratings by those who weigh
    little, stay near 0, and no rater of weight w moves it by more than 2w / (1 + w). NaN for who is rated by nobody.
    Cost: O(ratings). Source: the m-estimate of Cestnik, Estimating probabilities, ECAI 1990, with m = 1 and prior 0.
    """
    weights = weight[ratings.rater]
    total = _sums(ratings.rated, weights * ratings.rating, ratings.people)
    mean: Floats = total / (1 + _sums(ratings.rated, weights, ratings.people))
    return np.where(np.isnan(_counts(ratings.rated, ratings.people)), np.nan, mean)


def _sums(who: Ints, value: Floats, people: int) -> Floats:
    return np.bincount(who, value, people).astype(np.float64, copy=False)  # whole numbers, of no ratings at all


def _counts(who: Ints, people: int) -> Floats:
    """How often each occurs; NaN for never, which makes every mean NaN."""
    count = np.bincount(who, minlength=people).astype(np.float64)
    return np.where(count > 0, count, np.nan)
