"""The tree is that of RFC 9162: the roots of Certificate Transparency's own vectors, and proofs against a recursion."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.audit import merkle
from narrows.stores.audit import Head

# The leaves and roots with which implementations of Certificate Transparency are tested.
LEAVES = [bytes.fromhex(leaf) for leaf in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
SIZES = st.integers(1, 80)


def naive(leaves):
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


def naive_path(m, leaves):
    """PATH of RFC 9162, 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive(leaves[:k])]


def naive_subproof(m, leaves, whole):
    """SUBPROOF of RFC 9162, 2.1.4.1, word for word."""
    if m == len(leaves):
        return [] if whole else [naive(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive(leaves[:k])]


def tree(leaves):
    """A head with all its subtrees."""
    head, nodes = merkle.grow(Head(), map(merkle.leaf_hash, leaves))
    return head, {(level, place): digest for level, place, digest in nodes}


def make(size):
    """Leaves that differ."""
    return [str(index).encode() for index in range(size)]


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_roots_are_those_of_certificate_transparency(size):
    """For every size from none to eight."""
    assert merkle.root(tree(LEAVES[:size])[0]).hex() == ROOTS[size]


@given(st.integers(0, 80), st.integers(0, 80))
def test_a_tree_that_grows_in_two_steps_is_the_tree_of_all_its_leaves(first, then):
    """And it keeps each complete subtree once."""
    leaves = make(first + then)
    begun, nodes = merkle.grow(Head(), map(merkle.leaf_hash, leaves[:first]))
    grown, more = merkle.grow(begun, map(merkle.leaf_hash, leaves[first:]))
    assert merkle.root(grown) == naive(leaves)
    assert (grown, {(n.level, n.place): n.digest for n in nodes + more}) == tree(leaves)
    for level, place, digest in nodes + more:
        assert digest == naive(leaves[place << level : (place + 1) << level])


@given(SIZES, st.data())
def test_inclusion_is_proven_by_the_hashes_that_the_rfc_names(size, data):
    """And the proof holds for this leaf at this place in this tree alone."""
    index = data.draw(st.integers(0, size - 1))
    leaves = make(size)
    head, digests = tree(leaves)
    ranges = merkle.inclusion_ranges(index, size)
    path = merkle.proof(ranges, {place: digests[place] for place in merkle.needed(ranges)})
    assert path == naive_path(index, leaves)
    leaf, root = merkle.leaf_hash(leaves[index]), merkle.root(head)
    assert merkle.is_included(leaf, index, size, path, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda other: other != index) if size > 1 else st.just(size))
    assert not merkle.is_included(leaf, other, size, path, root)
    assert not merkle.is_included(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not merkle.is_included(leaf, index, size, [*path, root], root)
    assert not path or not merkle.is_included(leaf, index, size, path[:-1], root)
    for at in range(len(path)):
        assert not merkle.is_included(leaf, index, size, [*path[:at], bytes(32), *path[at + 1 :]], root)


@given(SIZES, SIZES, st.data())
def test_consistency_is_proven_by_the_hashes_that_the_rfc_names(one, two, data):
    """And the proof holds for these two trees alone."""
    old, size = min(one, two), max(one, two)
    leaves = make(size)
    head, digests = tree(leaves)
    ranges = merkle.consistency_ranges(old, size)
    path = merkle.proof(ranges, digests)
    assert path == (naive_subproof(old, leaves, True))
    before, after = merkle.root(tree(leaves[:old])[0]), merkle.root(head)
    assert merkle.is_consistent(old, before, size, after, path)
    assert not merkle.is_consistent(old, before, size, bytes(32), path)
    assert not merkle.is_consistent(old, bytes(32), size, after, path)
    assert not merkle.is_consistent(old, before, size, after, [*path, after])
    assert not path or not merkle.is_consistent(old, before, size, after, path[:-1])
    for at in range(len(path)):
        assert not merkle.is_consistent(old, before, size, after, [*path[:at], bytes(32), *path[at + 1 :]])


def test_nothing_is_proven_of_an_empty_tree():
    """Every tree would go on from it, and no leaf is in it."""
    root = merkle.root(tree(LEAVES)[0])
    assert not merkle.is_consistent(0, merkle.EMPTY_ROOT, 8, root, [])
    assert not merkle.is_consistent(8, root, 4, root, [])
    assert not merkle.is_included(root, 0, 0, [], root)
    for old in (0, 9, -1):
        with pytest.raises(ValueError, match="no tree of 8"):
            merkle.consistency_ranges(old, 8)
    for index in (-1, 8):
        with pytest.raises(ValueError, match="not in a tree of 8"):
            merkle.inclusion_ranges(index, 8)


def test_hashes_of_another_length_prove_nothing():
    """Not even where they would not be looked at."""
    leaf, root = merkle.leaf_hash(b""), merkle.leaf_hash(b"")
    assert merkle.is_included(leaf, 0, 1, [], root)
    assert not merkle.is_included(leaf, 0, 1, [], root + b"x")
    assert not merkle.is_included(b"", 0, 1, [], b"")
    assert not merkle.is_included(leaf, 0, 2, [b""], root)
    assert merkle.is_consistent(1, root, 1, root, [])
    assert not merkle.is_consistent(1, b"", 1, b"", [])
    assert not merkle.is_consistent(1, root, 2, root, [b"short"])


def test_a_head_with_too_few_peaks_has_no_root():
    """It came from a store that was changed."""
    with pytest.raises(ValueError, match="3 leaves has 2 peaks, not 1"):
        merkle.root(Head(3, (bytes(32),)))
