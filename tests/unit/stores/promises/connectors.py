"""What every registry of connectors promises; `store` is one that is empty."""

import msgspec
import pytest

from narrows.errors import ConnectorError
from narrows.stores.registry import Change, Registered
from tests.unit.declare import records

KEY = b"k" * 32


def entry(name="lunch-app", **over):
    """An entry of the registry."""
    record = records.record(id=name, client_id=name)
    return Registered(id=name, record=record, digest=record.digest(), **over)


def change(name="lunch-app", **over):
    """A line of the history."""
    fields = {"at": 1.0, "by": "carla", "os_user": "c", "action": "apply", "before": None, "after": "draft"}
    return Change(connector=name, digest="d", **{**fields, **over})


async def test_what_is_put_is_there(store):
    """With the generation that it got, alone and among all, sorted."""
    assert (await store.generation(), await store.all(), await store.get("a")) == (0, (0, []), None)
    second = await store.put(entry("b"), change("b"), 0)
    first = await store.put(entry("a"), change("a"), 0)
    assert (second.generation, first.generation) == (1, 2)
    assert await store.all() == (2, [first, second])
    assert await store.get("a") == first
    assert await store.generation() == 2


async def test_a_change_is_made_from_what_is_so(store):
    """Who looked at an older one does not undo what somebody else did."""
    first = await store.put(entry(), change(), 0)
    changed = await store.put(msgspec.structs.replace(first, state="trial"), change(), first.generation)
    assert (changed.state, changed.generation) == ("trial", 2)
    for was in (0, 1, 3):
        with pytest.raises(ConnectorError, match="somebody else changed it meanwhile"):
            await store.put(entry(state="live"), change(), was)
    with pytest.raises(ConnectorError):
        await store.put(entry("new"), change("new"), 5)
    assert await store.all() == (2, [changed])
    assert len(await store.history()) == 2


async def test_the_history_keeps_every_change_in_order(store):
    """Of one connector or of all, also what changed nothing."""
    await store.put(entry("a"), change("a"), 0)
    await store.put(entry("b"), change("b"), 0)
    await store.note(change("a", action="deny", note="no"))
    assert [one.connector for one in await store.history()] == ["a", "b", "a"]
    assert await store.history("a") == [change("a"), change("a", action="deny", note="no")]
    assert await store.generation() == 2
