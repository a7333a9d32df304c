"""Merkle trees: compare them with the RFC's definitions, and detect every alteration."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from api.supervision import merkle

LEAVES = st.lists(st.binary(max_size=6), min_size=1, max_size=40)


def mth(leaves: list[bytes]) -> bytes:
    """The definition of RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = largest_power_below(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def inclusion(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*inclusion(m, leaves[:k]), mth(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), mth(leaves[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def test_the_root_of_no_leaves_is_the_hash_of_the_empty_string() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # RFC 6962's


@given(LEAVES)
def test_roots_equal_those_of_rfc_9162(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == mth(leaves)


@given(LEAVES, st.data())
def test_every_leaf_has_the_proof_of_rfc_9162_which_leads_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_path(index, leaves)
    assert path == inclusion(index, leaves)
    assert merkle.root_of_path(leaves[index], index, len(leaves), path) == mth(leaves)


@given(LEAVES, st.data())
def test_an_altered_leaf_or_proof_does_not_lead_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root, size = merkle.inclusion_path(index, leaves), mth(leaves), len(leaves)
    assert merkle.root_of_path(leaves[index] + b"!", index, size, path) != root
    assert merkle.root_of_path(leaves[index], index, size, [*path, root]) != root
    other = data.draw(st.integers(-1, size).filter(lambda n: n != index))
    if not 0 <= other < size or leaves[other] != leaves[index]:
        assert merkle.root_of_path(leaves[index], other, size, path) != root
    if path:
        position = data.draw(st.integers(0, len(path) - 1))
        altered_path = [*path]
        altered_path[position] = bytes([altered_path[position][0] ^ 1]) + altered_path[position][1:]
        assert merkle.root_of_path(leaves[index], index, size, altered_path) != root
        assert merkle.root_of_path(leaves[index], index, size, path[:position] + path[position + 1 :]) != root


@given(st.binary(max_size=4), st.binary(max_size=4))
def test_a_node_is_never_accepted_as_a_leaf(a: bytes, b: bytes) -> None:
    concatenation = merkle.leaf_hash(a) + merkle.leaf_hash(b)
    assert merkle.root([a, b]) != merkle.root([concatenation])
