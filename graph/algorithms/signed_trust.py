"""Signed ratings between people, from -1 to 1: how good the rated are, and how far you can believe each rater."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from graph.algorithms.ranges import Floats, Ints

CONVERGENCE: Final = 1e-13  # largest change in the last round: far below the rounding of the features
MAX_ROUNDS: Final = 100  # a round at least halves the remaining distance, so 44 rounds get below `CONVERGENCE`


@dataclass(frozen=True)
class Ratings:
    """Ratings from -1 to 1, one row a pair, each pair once. Raters and rated are numbers 0 .. `people` - 1."""

    people: int
    rater: Ints
    rated: Ints
    rating: Floats


def fairness_and_goodness(ratings: Ratings) -> tuple[Floats, Floats]:
    """Compute `fairness` (0..1) of each rater and `goodness` (-1..1) of each rated person; NaN where there is no
    rating.

    Goodness is the mean rating, with each rating weighted by its rater's fairness. Fairness is 1 less half the mean
    distance between a rater's ratings and the goodness of the rated people:

        goodness(v) = (sum of fairness(u) x rating(u, v)) / ratings of v
        fairness(u) = 1 - (sum of |rating(u, v) - goodness(v)| / 2) / ratings by u

    There is one solution, and we approach it by rounds. We start from fairness 1 for all; each round at least halves the distance to the solution.
    Cost: O(ratings) a round, under 50 rounds. Source: Kumar, Spezzano, Subrahmanian and Faloutsos, Edge weight
    prediction in weighted signed networks, ICDM 2016.
    """
    of, by = _counts(ratings.rated, ratings.people), _counts(ratings.rater, ratings.people)
    fairness = np.ones(ratings.people)
    for _ in range(MAX_ROUNDS):
        goodness = _sums(ratings.rated, fairness[ratings.rater] * ratings.rating, ratings.people) / of
        distance = np.abs(ratings.rating - goodness[ratings.rated]) / 2
        before, fairness = fairness, 1 - _sums(ratings.rater, distance, ratings.people) / by
        if np.max(np.nan_to_num(np.abs(fairness - before)), initial=0.0) < CONVERGENCE:
            break
    return fairness, goodness


def weighted_mean(ratings: Ratings, weight: Floats) -> Floats:
    """Compute each person's mean rating, weighted by the raters' `weight`, with one more neutral rating of weight 1.

    mean(v) = (sum of weight(u) x rating(u, v)) / (1 + sum of weight(u)). So a mean of few ratings, or of ratings with
    low weight, stays near 0, and a rater of weight w moves it by at most 2w / (1 + w). We give NaN to a person without
    ratings. Cost: O(ratings). Source: the m-estimate of Cestnik, Estimating probabilities, ECAI 1990, with m = 1 and
    prior 0.
    """
    weights = weight[ratings.rater]
    total = _sums(ratings.rated, weights * ratings.rating, ratings.people)
    mean: Floats = total / (1 + _sums(ratings.rated, weights, ratings.people))
    return np.where(np.isnan(_counts(ratings.rated, ratings.people)), np.nan, mean)


def _sums(person: Ints, value: Floats, people: int) -> Floats:
    return np.bincount(person, value, people).astype(
        np.float64, copy=False
    )  # NumPy returns integers for an empty array


def _counts(person: Ints, people: int) -> Floats:
    """Count the occurrences of each person; NaN for none, which makes the mean NaN."""
    count = np.bincount(person, minlength=people).astype(np.float64)
    return np.where(count > 0, count, np.nan)
