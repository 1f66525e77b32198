"""The writer drops nothing, writes many at once, and fails closed while it cannot write."""

import asyncio
import logging

import pytest

from narrows.audit.signing import LogBroken
from narrows.audit.writer import Writer
from narrows.errors import Unavailable
from narrows.stores.audit import Head
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.testing import Clock
from tests.unit.audit.logs import OTHER, SIGNER, add, make_leaf, make_log, newest


class Store(MemoryAuditStore):
    """A log that can be stopped, and that counts its transactions.

    `away` raises instead of an answer, `lost` raises after the work was done; `gate` holds every append.
    """

    def __init__(self):
        super().__init__()
        self.away = self.lost = False
        self.appends = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.before = None

    async def append(self, was, head, leaves, nodes):
        await self.gate.wait()
        if self.before is not None:
            before, self.before = self.before, None
            await before()
        if self.away:
            raise Unavailable
        self.appends.append(len(leaves))
        added = await super().append(was, head, leaves, nodes)
        if self.lost:
            raise Unavailable
        return added


class Pause:
    """What the writer sleeps with: it wakes up when the test says so."""

    def __init__(self):
        self.sleeping = asyncio.Event()
        self._go = asyncio.Event()

    async def __call__(self, _):
        self.sleeping.set()
        await self._go.wait()
        self._go.clear()
        self.sleeping.clear()

    def end(self):
        """Let it try again."""
        self._go.set()


@pytest.fixture
def store():
    """A log."""
    return Store()


@pytest.fixture
def pause():
    """How it waits between two attempts."""
    return Pause()


@pytest.fixture
def clock():
    """A steady clock."""
    return Clock()


@pytest.fixture
async def writer(store, pause, clock):
    """A writer with room for four."""
    made = Writer(store, SIGNER, most=4, checkpoint_s=60, steady=clock, sleep=pause)
    await made.start()
    yield made
    await made.close()


async def settled():
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def all_of(store):
    """What is in the log."""
    return await store.leaves(0, 1000)


async def test_what_is_kept_is_in_the_log(writer, store):
    """When `keep` returns; what is put is there a moment later."""
    writer.put(b"0")
    await writer.keep(b"1")
    assert await all_of(store) == [b"0", b"1"]
    writer.put(b"2")
    assert writer.waiting == 1
    await writer.flush()
    assert await all_of(store) == [b"0", b"1", b"2"]
    await writer.flush()


async def test_many_that_wait_are_one_transaction(writer, store):
    """A group commit: one wait for the disk for all of them."""
    store.gate.clear()
    first = asyncio.create_task(writer.keep(b"first"))
    await settled()
    rest = [asyncio.create_task(writer.keep(f"{n}".encode())) for n in range(50)]
    await settled()
    store.gate.set()
    await asyncio.gather(first, *rest)
    assert store.appends == [1, 50]


async def test_a_full_queue_blocks_and_drops_nothing(writer, store):
    """Whoever wants to begin waits; what has begun is never refused."""
    store.gate.clear()
    for number in range(6):
        writer.put(f"{number}".encode())
    begun = [asyncio.create_task(writer.room()) for _ in range(3)]
    await settled()
    assert not any(task.done() for task in begun)
    begun[2].cancel()
    store.gate.set()
    await asyncio.gather(*begun[:2])
    assert [int(leaf) for leaf in await all_of(store)] == list(range(6))


async def test_while_nothing_can_be_written_nothing_begins(writer, store, pause, caplog):
    """It is told once, tried again and again, and nothing of what waits is lost."""
    store.away = True
    with pytest.raises(Unavailable):
        await writer.keep(b"0")
    assert writer.failing
    for _ in range(2):
        await pause.sleeping.wait()
        for call in (writer.room(), writer.keep(b"1"), writer.flush()):
            with pytest.raises(Unavailable):
                await call
        writer.put(b"2")
        pause.end()
        await settled()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    store.away = False
    await pause.sleeping.wait()
    pause.end()
    await settled()
    assert not writer.failing
    assert await all_of(store) == [b"0", b"1", b"2", b"1", b"2"]
    assert caplog.records[-1].getMessage() == "the audit log can be written again"
    await writer.room()


async def test_whoever_waits_for_room_is_told_that_there_will_be_none(writer, store):
    """A call that did not begin yet does not hang."""
    store.gate.clear()
    store.away = True
    for number in range(4):
        writer.put(f"{number}".encode())
    waiting = asyncio.create_task(writer.room())
    await settled()
    store.gate.set()
    with pytest.raises(Unavailable):
        await waiting


async def test_an_answer_that_was_lost_does_not_double_a_record(writer, store, pause):
    """It was added: that is found at its place."""
    store.lost = True
    writer.put(b"0")
    with pytest.raises(Unavailable):
        await writer.keep(b"1")
    writer.put(b"2")
    store.lost = False
    await pause.sleeping.wait()
    pause.end()
    await settled()
    assert await all_of(store) == [b"0", b"1", b"2"]


async def test_an_attempt_that_was_not_made_is_made_after_others(writer, store, pause):
    """Another process went on meanwhile: what was not added is added behind it, once."""
    store.away = True
    with pytest.raises(Unavailable):
        await writer.keep(b"own")
    store.away = False
    await add(store, b"other", signer=None)
    await pause.sleeping.wait()
    pause.end()
    await settled()
    assert await all_of(store) == [b"other", b"own"]


async def test_a_call_whose_client_went_away_is_kept(writer, store):
    """Nobody waits for it any more, and it is written all the same."""
    store.gate.clear()
    gone = asyncio.create_task(writer.keep(b"0"))
    await settled()
    gone.cancel()
    await settled()
    store.gate.set()
    await writer.flush()
    assert await all_of(store) == [b"0"]


async def test_a_client_that_went_away_before_a_failure_is_nobody(writer, store, pause):
    """There is nobody to tell."""
    store.gate.clear()
    store.away = True
    gone = asyncio.create_task(writer.keep(b"0"))
    await settled()
    gone.cancel()
    await settled()
    store.gate.set()
    await pause.sleeping.wait()
    assert writer.waiting == 1


async def test_two_writers_never_fork_a_log(writer, store):
    """Who was slower looks where the log is now."""
    other = Writer(store, SIGNER)
    for number in range(10):
        await asyncio.gather(writer.keep(f"a{number}".encode()), other.keep(f"b{number}".encode()))
    leaves = await all_of(store)
    assert [leaf for leaf in leaves if leaf.startswith(b"a")] == [f"a{n}".encode() for n in range(10)]
    assert sorted(leaves) == sorted({*leaves})
    await other.close()


async def test_a_log_that_went_back_is_written_no_more(writer, store, caplog, pause):
    """Somebody put an older state in its place: nothing is answered until that was looked into."""
    for number in range(5):
        await writer.keep(make_leaf(number))
    small, _ = await make_log(3)
    store._head, store._leaves, store._nodes = small._head, small._leaves, small._nodes
    with pytest.raises(Unavailable):
        await writer.keep(b"5")
    assert caplog.records[-1].levelname == "CRITICAL"
    assert "has 3 records, and had 5 before" in caplog.text
    for call in (writer.room(), writer.keep(b"6"), writer.sign()):
        with pytest.raises(Unavailable):
            await call
    assert len(await all_of(store)) == 3
    assert not pause.sleeping.is_set()


async def test_a_log_that_was_replaced_is_written_no_more(writer, store):
    """Even by a longer one."""
    await writer.keep(b"0")
    other, _ = await make_log(3)
    store._head, store._leaves, store._nodes = other._head, other._leaves, other._nodes
    with pytest.raises(Unavailable):
        await writer.keep(b"1")
    assert len(await all_of(store)) == 3


async def test_a_log_that_lost_what_was_signed_does_not_start():
    """Or was signed by another."""
    store, _ = await make_log(5)
    small, _ = await make_log(3)
    small._kept = store._kept
    for log, signer in ((small, SIGNER), (store, OTHER)):
        with pytest.raises(LogBroken):
            await Writer(log, signer).start()
    writer = Writer(store, SIGNER)
    await writer.start()
    await writer.start()
    await writer.close()


async def test_without_a_start_it_looks_before_it_writes():
    """Nothing is added to a log that lost something."""
    store, _ = await make_log(5)
    small, _ = await make_log(3)
    small._kept = store._kept
    writer = Writer(small, SIGNER)
    with pytest.raises(Unavailable):
        await writer.keep(b"3")
    await writer.close()
    assert await small.head() != Head()
    assert len(await small.leaves(0, 9)) == 3


async def test_it_signs_when_it_is_time(writer, store, clock):
    """And once for all that was added since."""
    await writer.keep(b"0")
    await settled()
    assert await newest(store) is None
    clock.move(60)
    await writer.keep(b"1")
    await writer.flush()
    await settled()
    note = await newest(store)
    assert note.split("\n")[1] == "2"
    await writer.keep(b"2")
    await settled()
    assert await newest(store) == note
    assert (await writer.sign()).split("\n")[1] == "3"


async def test_it_signs_what_nothing_came_after(store, clock):
    """A log that rests is signed as far as it goes."""
    writer = Writer(store, SIGNER, checkpoint_s=60, steady=clock)
    await writer.keep(b"0")
    await settled()
    assert await newest(store) is None
    assert writer._later is not None
    clock.move(60)
    writer._later.cancel()
    writer._sign_later()
    await settled()
    assert (await newest(store)).split("\n")[1] == "1"
    await writer.close()


async def test_at_the_end_it_writes_what_waits_and_signs(store, caplog):
    """All of it."""
    writer = Writer(store, SIGNER)
    for number in range(5):
        writer.put(f"{number}".encode())
    await writer.close()
    assert len(await all_of(store)) == 5
    assert (await newest(store)).split("\n")[1] == "5"
    assert caplog.records == []


@pytest.mark.parametrize("heals", [True, False])
async def test_at_the_end_of_a_failure_it_tries_once_more(store, pause, caplog, heals):
    """What cannot be written is told with its number; nothing hangs."""
    writer = Writer(store, SIGNER, sleep=pause)
    store.away = True
    with pytest.raises(Unavailable):
        await writer.keep(b"0")
    await pause.sleeping.wait()
    store.away = not heals
    await writer.close()
    assert await all_of(store) == ([b"0"] if heals else [])
    assert ("1 records could not be kept" in caplog.text) is not heals


async def test_a_failure_while_it_ends_does_not_hang(store, pause, caplog):
    """The attempt that runs is the last but one."""
    writer = Writer(store, SIGNER, sleep=pause)
    store.gate.clear()
    store.away = True
    writer.put(b"0")
    await settled()
    ending = asyncio.create_task(writer.close())
    await settled()
    store.gate.set()
    await ending
    assert "1 records could not be kept" in caplog.text


async def test_a_signature_that_cannot_be_kept_is_tried_again(writer, store, clock, pause, caplog):
    """Meanwhile the log counts as away: what it says could be denied."""
    caplog.set_level(logging.WARNING)
    keep = store.keep

    async def away(*_):
        raise Unavailable

    store.keep = away
    clock.move(60)
    await writer.keep(b"0")
    await pause.sleeping.wait()
    assert writer.failing
    store.keep = keep
    pause.end()
    await settled()
    assert not writer.failing
    assert (await newest(store)).split("\n")[1] == "1"


async def test_what_comes_while_it_signs_is_written_too(writer, store, clock):
    """Nobody else wakes the writer for it."""
    clock.move(60)
    signing, kept = asyncio.Event(), store.kept

    async def slow(name):
        signing.set()
        await asyncio.sleep(0)
        return await kept(name)

    store.kept = slow
    await writer.keep(b"0")
    await signing.wait()
    await writer.keep(b"1")
    assert await all_of(store) == [b"0", b"1"]


@pytest.mark.parametrize(("signed", "told"), [(False, True), (True, False)])
async def test_a_log_that_was_never_signed_is_told(caplog, signed, told):
    """Its checkpoints may have been taken away: whoever starts over it learns so before the next one is made."""
    store = MemoryAuditStore()
    await add(store, make_leaf(0), signer=SIGNER if signed else None)
    await Writer(store, SIGNER).start()
    assert ("1 records and no checkpoint" in caplog.text) is told
