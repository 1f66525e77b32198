"""How a ring of keys is renewed, shared and held."""

import asyncio
import contextvars
import json

import pytest
from joserfc.jwk import Key

from narrows.errors import Unavailable
from narrows.identity.keys import KeySet, VerifyKey, read_keys
from narrows.identity.ring import KeyRing
from narrows.transport import Failure
from tests.abuse.tokens import Clock, ec, public, rsa

ALGORITHMS = ("RS256", "PS256", "ES256")


def published(*keys: Key) -> KeySet:
    """The set of these keys, as it is read."""
    return read_keys(json.dumps({"keys": [public(key) for key in keys]}).encode(), ALGORITHMS)


class Source:
    """Gives out sets of keys, counts how often, and waits at its gate."""

    def __init__(self) -> None:
        self.set: KeySet | Exception = published(rsa(), ec())
        self.fetches = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> KeySet:
        """Give out the set."""
        self.fetches += 1
        await self.gate.wait()
        if isinstance(self.set, Exception):
            raise self.set
        return self.set


def ring(source: Source, clock: Clock) -> KeyRing:
    """A ring of ten minutes, an hour of grace and half a minute between fetches."""
    return KeyRing("corp", source.fetch, max_age_s=600, stale_s=3600, cooldown_s=30, now=clock)


async def found(keys: KeyRing, kid: str | None = "rsa-1", algorithm: str = "RS256") -> VerifyKey:
    """A key that must be there."""
    key = await keys.find(kid, algorithm)
    assert key is not None
    return key


async def test_fresh_keys_are_not_fetched_again() -> None:
    """Within their age a known key costs no fetch."""
    source, clock = Source(), Clock()
    keys = ring(source, clock)
    await found(keys)
    clock.forward(599)
    await found(keys, "ec-1", "ES256")
    assert source.fetches == 1
    clock.forward(1)
    await found(keys)
    assert source.fetches == 2


async def test_a_key_is_bound_to_its_algorithms() -> None:
    """A known key id with an algorithm that the key is not for finds nothing."""
    keys = ring(Source(), Clock())
    assert await keys.find("rsa-1", "ES256") is None
    assert await keys.find(None, "RS256") is None


async def test_without_an_id_the_only_key_is_meant() -> None:
    """A token without a key id is checked with the only key of the set."""
    source = Source()
    source.set = published(ec())
    keys = ring(source, Clock())
    assert (await found(keys, None, "ES256")) is (await found(keys, "ec-1", "ES256"))


async def test_one_fetch_for_all_who_wait() -> None:
    """Fifty who need the keys at once wait for one fetch."""
    source = Source()
    source.gate.clear()
    keys = ring(source, Clock())
    waiting = [asyncio.create_task(found(keys)) for _ in range(50)]
    await asyncio.sleep(0)
    source.gate.set()
    assert len(set(await asyncio.gather(*waiting))) == 1
    assert source.fetches == 1


async def test_a_cancelled_leader_leaves_the_fetch_to_the_others() -> None:
    """Who asked first may be cancelled: the others still get the keys, of the same fetch."""
    source = Source()
    source.gate.clear()
    keys = ring(source, Clock())
    leader, follower = asyncio.create_task(found(keys)), asyncio.create_task(found(keys))
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    source.gate.set()
    assert (await follower).algorithms == {"RS256", "PS256"}
    assert source.fetches == 1


async def test_the_fetch_belongs_to_no_call() -> None:
    """What the first caller carries with it is not seen by the fetch, which serves all."""
    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nothing")
    seen: list[str] = []

    async def fetch() -> KeySet:
        seen.append(mine.get())
        return KeySet()

    mine.set("a caller's")
    await KeyRing("corp", fetch, max_age_s=1, stale_s=1, cooldown_s=1, now=Clock()).refresh()
    assert seen == ["nothing"]


async def test_known_keys_are_answered_while_others_wait() -> None:
    """A token with an unknown key id makes nobody wait but itself."""
    source, clock = Source(), Clock()
    keys = ring(source, clock)
    await found(keys)
    source.gate.clear()
    clock.forward(30)
    stranger = asyncio.create_task(keys.find("unknown", "RS256"))
    await asyncio.sleep(0)
    await found(keys)
    assert not stranger.done()
    source.gate.set()
    assert await stranger is None


async def test_without_keys_nothing_is_verified() -> None:
    """An issuer whose keys were never had is unavailable, asked once in a cool-down, and says when to come again."""
    source, clock = Source(), Clock()
    source.set = Failure("timeout")
    keys = ring(source, clock)
    for wait, fetches in ((0.0, 1), (10.5, 1), (19.5, 2)):
        clock.forward(wait)
        with pytest.raises(Unavailable) as caught:
            await keys.find("rsa-1", "RS256")
        assert source.fetches == fetches
        assert caught.value.headers == {"Retry-After": {0.0: "30", 10.5: "20", 19.5: "30"}[wait]}
    clock.forward(31)
    assert keys.unavailable().headers == {"Retry-After": "1"}


async def test_a_clock_that_is_set_back_makes_keys_old() -> None:
    """Keys from the future are renewed, and cannot stay fresh for as long as the clock was wrong."""
    source, clock = Source(), Clock()
    keys = ring(source, clock)
    await found(keys)
    clock.forward(-5000)
    await found(keys)
    assert source.fetches == 2


async def test_a_held_key_is_the_same_object_after_a_refresh() -> None:
    """A key that stays is known by its identity; one that was replaced or withdrawn is not held any more."""
    source, clock = Source(), Clock()
    keys = ring(source, clock)
    rsa_key, ec_key = await found(keys), await found(keys, "ec-1", "ES256")
    source.set = read_keys(json.dumps({"keys": [public(rsa(), alg="RS256"), public(ec())]}).encode(), ALGORITHMS)
    await keys.refresh()
    assert keys.holds("ec-1", ec_key)
    assert not keys.holds("rsa-1", rsa_key)


async def test_holding_renews_aged_keys_in_the_background() -> None:
    """An aged key is held while its renewal runs, and for no longer than the grace when that fails."""
    source, clock = Source(), Clock()
    keys = ring(source, clock)
    key = await found(keys)
    source.set = Failure("network")
    clock.forward(600)
    assert keys.holds("rsa-1", key)
    assert keys.holds("rsa-1", key)
    await keys.refresh()
    assert (source.fetches, keys.last_error) == (2, "network")
    assert keys.holds("rsa-1", key)
    assert source.fetches == 2
    clock.forward(3600)
    assert not keys.holds("rsa-1", key)
    await keys.close()


async def test_closing_ends_the_fetch_under_way() -> None:
    """Nothing runs after the ring is closed, and closing twice does no harm."""
    source = Source()
    source.gate.clear()
    keys = ring(source, Clock())
    waiting = asyncio.create_task(keys.refresh())
    await asyncio.sleep(0)
    await keys.close()
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_alarms_are_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Every bad answer raises an alarm that names the issuer and the kind, and nothing of the answer."""
    source, clock = Source(), Clock()
    keys = ring(source, clock)
    source.set = RuntimeError("canary")
    await keys.refresh()
    source.set = KeySet({}, ("no-keys",))
    await keys.refresh()
    assert (keys.last_error, keys.alarms) == ("no-keys", 2)
    assert [record.getMessage() for record in caplog.records] == [
        "issuer corp: its keys are not as they should be (fault)",
        "issuer corp: its keys are not as they should be (no-keys)",
    ]
    source.set = published(rsa())
    await keys.refresh()
    assert (keys.last_error, keys.alarms) == (None, 2)
