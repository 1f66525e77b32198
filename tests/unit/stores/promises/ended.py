"""What every store of ended ids promises; `ended` is one with room for three, `clock` is its own."""

import asyncio


async def test_an_id_that_was_ended_holds_no_more(ended, clock):
    """And another one does."""
    assert await ended.add("a", clock() + 10)
    assert await ended.holds("a", clock())
    assert not await ended.holds("b", clock())


async def test_an_id_is_ended_once(ended, clock):
    """Of many that come at once one is the first."""
    assert sorted(await asyncio.gather(*(ended.add("a", clock() + 10) for _ in range(5)))) == [False] * 4 + [True]


async def test_ended_ids_are_forgotten_when_they_would_have_expired(ended, clock):
    """So that the store does not fill, and nothing else is ended with them."""
    for name in "abcdefgh":
        assert await ended.add(name, clock() + 10)
        assert await ended.holds(name, clock())
        clock.move(5)
    assert not await ended.holds("z", clock() - 100)


async def test_when_there_are_too_many_everything_older_is_ended(ended, clock):
    """More than was asked for, and never less; what begins later holds."""
    since = clock()
    for name in "abc":
        await ended.add(name, clock() + 100)
    assert not await ended.add("c", clock() + 100)
    assert not await ended.holds("never", since)
    for name in "defghij":
        assert await ended.add(name, clock() + 100)
    for name in (*"abcdefghij", "never"):
        assert await ended.holds(name, since)
    clock.move(1)
    assert not await ended.holds("later", clock())
