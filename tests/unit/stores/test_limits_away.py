"""While the shared store of rates is away this process counts alone, and visibly; and where limits are opened."""

import base64

import pytest

from narrows.declare.rate import Rate
from narrows.errors import SettingsError, Unavailable
from narrows.settings import Secret, Settings, StoreSettings
from narrows.stores.limits_away import StandIn
from narrows.stores.limits_memory import MemoryLimiter
from narrows.stores.opening import open_limiter, place_faults
from narrows.stores.servers import Servers
from narrows.testing import Clock

TWO = [("ann", Rate(2, 60))]
AT_ONCE = [("app", Rate(1, 0, "connector"))]


class Shared(MemoryLimiter):
    """A store that can be away, and that counts how often it was asked."""

    away = False
    asked = 0

    def _ask(self):
        self.asked += 1
        if self.away:
            raise Unavailable

    async def take(self, wanted, lease="", *, strict=False):
        self._ask()
        return await super().take(wanted, lease)

    async def give_back(self, wanted):
        self._ask()
        await super().give_back(wanted)

    async def release(self, wanted, lease):
        self._ask()
        await super().release(wanted, lease)


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


@pytest.fixture
def shared(clock):
    """A shared store, which is there."""
    return Shared(clock)


@pytest.fixture
def told():
    """What was told."""
    return []


@pytest.fixture
def limiter(shared, clock, told):
    """A shared limiter with its stand-in."""
    return StandIn(shared, MemoryLimiter(clock), clock, told.append)


async def takes(limiter, times, wanted=TWO):
    """Which of so many takes passed."""
    return [(await limiter.take(wanted, f"call-{number}")).allowed for number in range(times)]


async def test_as_long_as_the_store_is_there_it_alone_counts(limiter, shared, told):
    """Nothing is counted twice, and nothing is told."""
    assert await takes(limiter, 3) == [True, True, False]
    await limiter.give_back(TWO)
    assert await takes(limiter, 2) == [True, False]
    assert (shared.asked, told) == (6, [])


async def test_while_it_is_away_each_process_lets_a_rate_through_once_more(limiter, shared, clock, told):
    """And no more than once; it is told once that the store left, and of each call that it was counted here."""
    assert await takes(limiter, 3) == [True, True, False]
    shared.away = True
    assert await takes(limiter, 3) == [True, True, False]
    assert told == ["left", "local", "local", "local"]


async def test_what_must_not_happen_is_refused_with_when_to_come_again(limiter, shared, told):
    """Whether the store was asked for this call, or was known to be away."""
    shared.away = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await limiter.take(TWO, strict=True)
    with pytest.raises(Unavailable) as caught:
        await limiter.take(TWO, strict=True)
    assert caught.value.headers == {"Retry-After": "5"}
    assert (shared.asked, told) == (1, ["left", "refused", "refused", "refused"])


async def test_one_call_a_second_looks_whether_it_is_back(limiter, shared, clock, told):
    """The others do not wait for it; with the first that finds it there all count together again."""
    shared.away = True
    await takes(limiter, 2)
    assert shared.asked == 1
    clock.move(0.9)
    await limiter.take([("bob", Rate(9, 60))])
    assert shared.asked == 1
    clock.move(0.1)
    await limiter.take([("bob", Rate(9, 60))])
    assert shared.asked == 2
    shared.away = False
    clock.move(1)
    assert await takes(limiter, 3) == [True, True, False]
    assert told == ["left", *["local"] * 4, "back"]
    assert shared.asked == 5


async def test_what_was_taken_here_is_given_back_here(limiter, shared):
    """A take of the time without the store does not come back in the store."""
    await takes(limiter, 1)
    shared.away = True
    assert await takes(limiter, 2) == [True, True]
    await limiter.give_back(TWO)
    assert await takes(limiter, 2) == [True, False]
    shared.away = False


async def test_a_lease_is_let_go_wherever_it_is_held(limiter, shared, clock):
    """Of a store that is away it ends by itself, and nobody hears of the attempt."""
    assert (await limiter.take(AT_ONCE, "before")).allowed
    shared.away = True
    assert (await limiter.take(AT_ONCE, "local")).allowed
    assert not (await limiter.take(AT_ONCE, "other")).allowed
    await limiter.release(AT_ONCE, "local")
    assert (await limiter.take(AT_ONCE, "other")).allowed
    await limiter.release(AT_ONCE, "before")
    shared.away = False
    clock.move(1)
    assert not (await limiter.take(AT_ONCE, "after")).allowed
    clock.move(14)
    assert (await limiter.take(AT_ONCE, "after")).allowed
    await limiter.release(AT_ONCE, "after")
    assert (await limiter.take(AT_ONCE, "last")).allowed


def settings(**stores):
    """Settings with such stores."""
    return Settings(public_url="https://bff.test", stores=StoreSettings(**stores))


def opened(made, clock):
    """What counts under such settings."""
    return open_limiter(made, Servers(made.stores), clock, "narrows:test", print)


KEY = Secret(base64.b64encode(bytes(32)).decode())


async def test_limits_are_in_memory_unless_a_server_is_named(clock):
    """A server needs the key of the buckets' names; without one, and in a file, there are none."""
    assert isinstance(opened(settings(), clock), MemoryLimiter)
    shared = settings(limits="redis:", redis=Secret("redis://127.0.0.1:1"), key=KEY)
    assert isinstance(opened(shared, clock), StandIn)
    with pytest.raises(SettingsError, match="is encrypted, and needs a key"):
        opened(settings(limits="redis:", redis=Secret("redis://127.0.0.1:1")), clock)
    with pytest.raises(SettingsError, match="nothing says where it is"):
        opened(settings(limits="redis:", key=KEY), clock)
    with pytest.raises(SettingsError, match="set one of `memory:`, `redis:`"):
        opened(settings(limits="sqlite:limits.db", key=KEY), clock)
    assert list(place_faults(settings(limits="redis:"))) != []
