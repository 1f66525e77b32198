"""What every store of an audit log promises; each kind runs these with a `store` of its own, which is new."""

import asyncio

import pytest

from narrows.audit.merkle import grow, leaf_hash
from narrows.stores.audit import Head, Person

ANNA, BEN = Person("a" * 32, b"sealed anna"), Person("b" * 32, b"sealed ben")


def grown(was, *leaves):
    """What `append` is given to add leaves."""
    head, nodes = grow(was, map(leaf_hash, leaves))
    return was, head, leaves, nodes


async def test_a_new_log_is_empty(store):
    """Nothing is in it, and nothing is found."""
    assert await store.head() == Head()
    assert await store.leaves(0, 10) == []
    assert await store.kept("name") is None
    assert await store.person(b"anna") is None
    assert await store.find_person(ANNA.hash) is None
    assert not await store.forget_person(b"anna")


async def test_what_was_added_is_read_in_its_order(store):
    """Leaves from an index on, and the subtrees that they complete."""
    first = grown(Head(), b"0", b"1", b"2")
    assert await store.append(*first)
    second = grown(first[1], b"3", b"4")
    assert await store.append(*second)
    assert await store.head() == second[1]
    assert await store.leaves(0, 100) == [b"0", b"1", b"2", b"3", b"4"]
    assert await store.leaves(1, 2) == [b"1", b"2"]
    assert await store.leaves(4, 2) == [b"4"]
    assert await store.leaves(5, 2) == []
    digests = {(level, place): digest for level, place, digest in first[3] + second[3]}
    wanted = [(2, 0), (0, 4), (1, 1)]
    assert await store.nodes(wanted) == [digests[place] for place in wanted]
    assert await store.nodes([]) == []


async def test_a_subtree_that_is_not_complete_is_not_there(store):
    """Whoever asks for it is told which it is."""
    assert await store.append(*grown(Head(), b"0"))
    with pytest.raises(KeyError):
        await store.nodes([(0, 0), (1, 0)])


async def test_a_log_does_not_fork(store):
    """Of many that add to the same head one does, and the others add nothing at all."""
    adding = [grown(Head(), f"leaf {number}".encode(), b"second") for number in range(5)]
    added = await asyncio.gather(*(store.append(*each) for each in adding))
    assert sorted(added) == [False] * 4 + [True]
    winner = adding[added.index(True)]
    assert await store.head() == winner[1]
    assert await store.leaves(0, 10) == list(winner[2])
    assert not await store.append(*grown(Head(2, (bytes(32),)), b"on a head of the same size"))
    assert await store.append(*grown(winner[1], b"on the right one"))


async def test_a_small_value_is_put_by_whoever_saw_the_last(store):
    """The others are told that somebody was faster."""
    assert await store.keep("name", 0, b"one")
    assert not await store.keep("name", 0, b"again")
    assert not await store.keep("name", 2, b"too early")
    assert not await store.keep("other", 1, b"too early")
    assert await store.kept("name") == (1, b"one")
    assert await store.keep("name", 1, b"two")
    assert await store.kept("name") == (2, b"two")
    assert await store.kept("other") is None


async def test_a_person_is_put_once(store):
    """Whoever comes second is told what the first put."""
    assert await store.put_person(b"anna", ANNA) == ANNA
    assert await store.put_person(b"anna", Person("c" * 32, b"another key")) == ANNA
    assert await store.put_person(b"ben", BEN) == BEN
    assert await store.person(b"anna") == ANNA
    assert await store.find_person(BEN.hash) == BEN
    assert await store.find_person("c" * 32) is None


async def test_a_person_who_is_forgotten_is_found_no_more(store):
    """Another is, and whoever comes again is somebody new."""
    await store.put_person(b"anna", ANNA)
    await store.put_person(b"ben", BEN)
    assert await store.forget_person(b"anna")
    assert not await store.forget_person(b"anna")
    assert await store.person(b"anna") is None
    assert await store.find_person(ANNA.hash) is None
    assert await store.person(b"ben") == BEN
    fresh = Person("d" * 32, b"a new key")
    assert await store.put_person(b"anna", fresh) == fresh
