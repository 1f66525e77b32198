import asyncio

import pytest

from narrows.errors import Forbidden, Unavailable
from narrows.settings import Secret
from narrows.upstreams.token_cache import Denied, Epochs, Granted, TokenCache

NO = Denied(kind=Forbidden, detail="no", clear=True)
AWAY = Denied(kind=Unavailable, detail="away", headers={"Retry-After": "5"})


class World:
    def __init__(self, **options):
        self.at = 1000.0
        self.events = []
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.cache = TokenCache(now=lambda: self.at, on_event=self.events.append, **options)

    async def get(self, key=b"k", lasts=300.0, outcome=None):
        async def obtain():
            self.asked += 1
            number = self.asked
            await self.gate.wait()
            return outcome or Granted(Secret(f"token {number}"), None if lasts is None else self.at + lasts)

        return (await self.cache.get(key, obtain)).reveal()


@pytest.fixture
def world():
    """A cache and a server that numbers its tokens."""
    return World()


async def test_a_token_is_used_until_the_skew_before_its_end(world):
    """At 290 of 300 seconds a new one is obtained, not later."""
    assert await world.get() == "token 1"
    world.at += 289.9
    assert await world.get() == "token 1"
    assert world.events == ["hit"]
    world.at += 0.1
    assert await world.get() == "token 2"


@pytest.mark.parametrize("lasts", [None, 10.0, 3.0, -5.0])
async def test_what_ends_within_the_skew_is_not_kept(world, lasts):
    """A token of unknown or too short a life is handed out once."""
    assert [await world.get(lasts=lasts), await world.get(lasts=lasts)] == ["token 1", "token 2"]
    assert len(world.cache) == 0


async def test_a_clock_set_back_makes_tokens_obtained_anew(world):
    """A clock that jumps back does not lengthen the life of a token."""
    await world.get()
    world.at -= 3600
    assert await world.get() == "token 2"


async def test_many_who_miss_share_one_request(world):
    """One request in flight for each key, and none is left behind."""
    world.gate.clear()
    waiting = [asyncio.create_task(world.get()) for _ in range(50)]
    other = asyncio.create_task(world.get(key=b"other"))
    await asyncio.sleep(0)
    world.gate.set()
    assert set(await asyncio.gather(*waiting)) == {"token 1"}
    assert await other == "token 2"
    assert world.cache._flights == {}
    assert world.events == ["joined"] * 49


async def test_a_cancelled_leader_leaves_the_request_to_the_others(world):
    """Neither the first nor any other who gives up ends the request for the rest."""
    world.gate.clear()
    waiting = [asyncio.create_task(world.get()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    await asyncio.sleep(0)
    world.gate.set()
    assert await waiting[2] == "token 1"
    assert waiting[0].cancelled()
    assert waiting[1].cancelled()
    assert world.asked == 1


async def test_a_request_nobody_waits_for_still_fills_the_cache(world):
    """Its answer was paid for, so the next one finds it."""
    world.gate.clear()
    alone = asyncio.create_task(world.get())
    await asyncio.sleep(0)
    alone.cancel()
    await asyncio.gather(alone, return_exceptions=True)
    world.gate.set()
    assert await world.get() == "token 1"


async def test_a_fault_reaches_all_who_wait_and_is_not_kept(world):
    """Each gets a problem of its own, and the next call asks again."""
    world.gate.clear()
    waiting = [asyncio.create_task(world.get(outcome=AWAY)) for _ in range(5)]
    await asyncio.sleep(0)
    world.gate.set()
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(failure) for failure in failures} == {Unavailable}
    assert len({id(failure) for failure in failures}) == 5
    assert {failure.headers["Retry-After"] for failure in failures} == {"5"}
    assert await world.get() == "token 2"


async def test_a_clear_no_is_kept_for_a_moment(world):
    """For two seconds nobody asks again; then they do."""
    for _ in range(3):
        with pytest.raises(Forbidden):
            await world.get(outcome=NO)
    assert world.asked == 1
    assert world.events == []
    world.at += 2
    assert await world.get() == "token 2"


async def test_a_bug_reaches_who_waits_and_leaves_nothing(world):
    """An exception that is no problem passes through, and the key is free again."""

    async def broken():
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await world.cache.get(b"k", broken)
    assert await world.get() == "token 1"


async def test_the_longest_unused_goes_first():
    """The cache never holds more than its capacity, and use keeps a token in."""
    world = World(capacity=2)
    for key in (b"a", b"b"):
        await world.get(key=key)
    await world.get(key=b"a")
    await world.get(key=b"c")
    assert len(world.cache) == 2
    assert await world.get(key=b"a") == "token 1"
    assert await world.get(key=b"b") == "token 4"


async def test_a_discarded_token_is_gone_under_every_key(world):
    """An upstream's 401 removes that token and no other outcome."""
    same = Granted(Secret("same"), world.at + 300)
    await world.get(key=b"a", outcome=same)
    await world.get(key=b"b", outcome=same)
    await world.get(key=b"c")
    with pytest.raises(Forbidden):
        await world.get(key=b"d", outcome=NO)
    assert world.cache.discard(Secret("same")) == [b"a", b"b"]
    assert len(world.cache) == 2
    assert await world.get(key=b"c") == "token 3"


async def test_closing_stops_what_is_in_flight(world):
    """Who waits reads a 503 rather than a cancellation that is not theirs, and no token stays."""
    await world.get(key=b"kept")
    world.gate.clear()
    waiting = asyncio.create_task(world.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await world.cache.close()
    with pytest.raises(Unavailable):
        await waiting
    assert len(world.cache) == 0
    assert world.cache._flights == {}


def test_epochs_grow_and_never_return():
    """A name's epoch changes when it advances, and beyond the capacity all change at once, never back."""
    epochs = Epochs(capacity=2)
    seen = [(epochs.of("a"), epochs.of("b"))]
    for name, number in (("a", 1), ("b", 2), ("a", 3), ("a", 2), ("c", 4), ("a", 5)):
        epochs.advance(name, number)
        seen.append((epochs.of("a"), epochs.of("b")))
    assert seen == [(0, 0), (1, 0), (1, 2), (3, 2), (3, 2), (4, 4), (5, 4)]
