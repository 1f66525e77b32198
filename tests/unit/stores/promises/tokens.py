"""What every shelf of tokens promises; `shelf` is an empty one."""

import asyncio

from narrows.stores.tokens import Mark

KEY, OTHER = bytes([1]) * 32, bytes([2]) * 32
ANNA, LUNCH = bytes([3]) * 32, bytes([4]) * 32


def marks(subject=0, connector=0):
    """The epochs that something is made under."""
    return [Mark(ANNA, subject), Mark(LUNCH, connector)]


async def test_what_is_put_is_there_until_it_is_dropped(shelf):
    """Under its own key; what depends on nobody has no marks."""
    assert await shelf.get(KEY, marks()) is None
    assert await shelf.put(KEY, marks(), b"sealed", 60)
    assert await shelf.put(OTHER, [], b"other", 60)
    assert [await shelf.get(KEY, marks()), await shelf.get(OTHER, [])] == [b"sealed", b"other"]
    await shelf.drop(KEY)
    await shelf.drop(KEY)
    assert [await shelf.get(KEY, marks()), await shelf.get(OTHER, [])] == [None, b"other"]


async def test_what_was_made_under_an_older_epoch_is_not_kept(shelf):
    """Whichever of the two is over, and also when a newer one was only asked for."""
    assert await shelf.get(KEY, marks(subject=2)) is None
    assert not await shelf.put(KEY, marks(subject=1), b"late", 60)
    assert await shelf.put(KEY, marks(subject=2, connector=7), b"new", 60)
    assert not await shelf.put(OTHER, marks(subject=2, connector=6), b"late", 60)
    assert await shelf.get(OTHER, marks(subject=2, connector=7)) is None


async def test_what_is_kept_is_not_given_to_an_older_epoch(shelf):
    """A process that knows less asks anew, and reads nothing."""
    assert await shelf.put(KEY, marks(connector=3), b"sealed", 60)
    assert await shelf.get(KEY, marks(connector=2)) is None
    assert await shelf.get(KEY, marks(connector=3)) == b"sealed"


async def test_of_two_at_once_the_older_epoch_never_lies_there_last(shelf):
    """Judging and keeping is one step: whatever the order, what can be read is of the newest epoch."""
    for round_ in range(1, 20):
        older, newer = marks(subject=2 * round_ - 1), marks(subject=2 * round_)
        await asyncio.gather(shelf.put(KEY, older, b"older", 60), shelf.put(KEY, newer, b"newer", 60))
        assert await shelf.get(KEY, newer) == b"newer"
