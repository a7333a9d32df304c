"""Check that the buckets divide people evenly, for ever alike, and that a larger share has everyone of a smaller one."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, pearsonr

from engine.errors import Rejected
from engine.rollout.buckets import BUCKETS, bucket, takes_part

KEYS = st.binary(min_size=1, max_size=40)
PEOPLE = [f"p-{n}" for n in range(100_000)]


@given(KEYS, st.text())
def test_a_bucket_is_the_head_of_the_hmac_modulo_the_number_of_buckets(key, person):
    digest = hmac.new(key, person.encode(), hashlib.sha256).hexdigest()
    assert bucket(key, person) == int(digest[:16], 16) % BUCKETS


def test_a_bucket_stays_what_it_was():
    """The digest is that of test case 2 of RFC 4231: it begins with 5bdcc146bf60754e, 6,619,378,061,930,427,726."""
    assert bucket(b"Jefe", "what do ya want for nothing?") == 7726


@given(KEYS, st.text(), st.integers(0, BUCKETS), st.integers(0, BUCKETS))
def test_whoever_is_in_a_share_is_in_each_larger_one(key, person, one, other):
    small, large = sorted((one, other))
    assert takes_part(key, person, small) <= takes_part(key, person, large)


@given(KEYS, st.text())
def test_a_share_has_the_buckets_below_it(key, person):
    own = bucket(key, person)
    assert not takes_part(key, person, own)
    assert takes_part(key, person, own + 1)


@given(KEYS, st.text())
def test_nobody_is_in_no_share_and_everyone_in_all(key, person):
    assert not takes_part(key, person, 0)
    assert takes_part(key, person, BUCKETS)


def test_buckets_are_uniform():
    """Over 100 groups of buckets, the chi-square test (SciPy) finds nothing. The key is fixed, so the result is too."""
    counts = [0] * 100
    for person in PEOPLE:
        counts[bucket(b"key", person) // 100] += 1
    assert chisquare(counts).pvalue > 0.01


def test_a_share_has_its_part_of_the_people():
    """1 % of 100,000 people: 1,000 on average, and three standard deviations are 94."""
    assert abs(sum(takes_part(b"key", person, 100) for person in PEOPLE) - 1_000) < 94


def test_buckets_of_two_keys_have_nothing_to_do_with_each_other():
    """The correlation of 20,000 independent pairs lies within 3 / sqrt(20,000) = 0.021."""
    pairs = [(bucket(b"one", person), bucket(b"two", person)) for person in PEOPLE[:20_000]]
    assert abs(pearsonr(*zip(*pairs, strict=True)).statistic) < 0.021


@pytest.mark.parametrize("share", [-1, 10_001])
def test_a_share_lies_between_nobody_and_everyone(share):
    with pytest.raises(Rejected, match=f"share: a share of `{share}` basis points"):
        takes_part(b"key", "ann", share)


def test_an_empty_key_is_rejected_since_everyone_knows_it():
    with pytest.raises(Rejected, match="the key of the buckets is empty"):
        bucket(b"", "ann")
