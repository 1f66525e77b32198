"""A log is signed as it goes on, and never against what was signed before."""

import pytest

from narrows.audit.checkpoint import Signer, read_checkpoint
from narrows.audit.merkle import grow, leaf_hash, root
from narrows.audit.signing import LogBroken, check_extends, check_signed, checkpoints, newest, sign
from narrows.stores.audit import Head, Kept
from narrows.stores.memory_audit import MemoryAuditStore
from tests.unit.audit.logs import KEYS, ORIGIN, OTHER, SIGNER, add, make_leaf, make_log


async def all_of(store):
    """The checkpoints that are kept."""
    return [note async for note in checkpoints(store)]


async def test_every_checkpoint_is_kept_with_the_log():
    """The oldest first, and each of them holds."""
    store, notes = await make_log(3, 5, 9)
    assert await all_of(store) == notes
    assert await newest(store) == notes[-1]
    assert [read_checkpoint(note, KEYS).size for note in notes] == [3, 5, 9]


async def test_a_log_that_was_never_signed_has_no_checkpoint():
    """And nothing is wrong with it."""
    store = MemoryAuditStore()
    assert await newest(store) is None
    assert await all_of(store) == []
    await check_signed(store, SIGNER, Head())


async def test_the_same_tree_is_signed_once():
    """Whoever asks again reads the same checkpoint."""
    store, [note] = await make_log(3)
    assert await sign(store, SIGNER, await store.head()) == note
    assert await all_of(store) == [note]


async def test_a_checkpoint_of_which_the_number_is_missing_is_put_there_by_the_next():
    """Who signed it was killed between two steps."""
    store, notes = await make_log(3, 5)
    await add(store, make_leaf(5))
    del store._kept["checkpoint/1"]
    assert await all_of(store) == [notes[1], await newest(store)]


async def test_another_process_may_be_ahead():
    """What it signed of a larger tree is answered, if this one is the beginning of it."""
    store, notes = await make_log(3, 5)
    smaller = grow(Head(), [leaf_hash(make_leaf(n)) for n in range(3)])[0]
    assert await sign(store, SIGNER, smaller) == notes[1]
    with pytest.raises(LogBroken, match="The first 3 records"):
        await sign(store, SIGNER, grow(Head(), [leaf_hash(b"other")] * 3)[0])


async def test_of_two_that_sign_at_once_the_slower_looks_again():
    """And finds what the faster signed."""
    store, [_] = await make_log(3)
    await add(store, make_leaf(3), signer=None)
    head, keep = await store.head(), store.keep

    async def late(name, was, value):
        store.keep = keep
        await sign(store, SIGNER, head)
        return await keep(name, was, value)

    store.keep = late
    assert await sign(store, SIGNER, head) == await newest(store)
    assert len(await all_of(store)) == 2


async def test_a_log_that_went_back_is_not_signed():
    """It has fewer records than somebody signed for."""
    store, _ = await make_log(5)
    small, _ = await make_log(3)
    small._kept = store._kept
    with pytest.raises(LogBroken, match="has 3 records, and had 5"):
        await sign(small, SIGNER, await small.head())
    with pytest.raises(LogBroken, match="has 3 records, and had 5"):
        await check_signed(small, SIGNER, await small.head())


async def test_a_log_that_was_rewritten_is_not_signed():
    """However it goes on."""
    store, _ = await make_log(5)
    other, _ = await make_log(9, leaf=lambda n: make_leaf(n, "rewritten" if n == 4 else "said"))
    other._kept = store._kept
    for call in (sign, check_signed):
        with pytest.raises(LogBroken, match="The first 5 records"):
            await call(other, SIGNER, await other.head())


async def test_a_log_whose_hashes_are_gone_does_not_go_on():
    """Nobody could prove it."""
    store, _ = await make_log(3)
    before = await store.head()
    await add(store, make_leaf(3))
    store._nodes.clear()
    with pytest.raises(LogBroken, match="not what they were"):
        await check_extends(store, before, await store.head())
    await check_extends(store, Head(), await store.head())


async def test_the_checkpoint_of_another_is_no_way_to_go_on():
    """A changed key or name is told with its remedy; nothing is signed over what cannot be read."""
    store, _ = await make_log(3, signer=OTHER)
    for signer in (SIGNER, Signer("bff.test/other", [b"k" * 32])):
        for call in (sign, check_signed):
            with pytest.raises(LogBroken, match=r"audit\.old_key"):
                await call(store, signer, await store.head())
    rotated = Signer(ORIGIN, [bytes(32), b"k" * 32])
    await add(store, make_leaf(3), signer=rotated)
    assert read_checkpoint(await newest(store), KEYS).root == root(await store.head())
    store._kept["checkpoint"] = Kept(3, b"no note")
    with pytest.raises(LogBroken, match="not its own"):
        await check_signed(store, rotated, await store.head())
