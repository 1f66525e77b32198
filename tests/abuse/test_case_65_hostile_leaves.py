"""Cases 55 and 65: a record that somebody put into the store ends no search, no tail and no watch, and fakes no other.

Whoever can write the store can write any bytes there; those that are good must still be found, shown and judged.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from narrows.alerts.seen import read
from narrows.audit.merkle import grow, leaf_hash
from narrows.audit.search import Wanted, search
from narrows.cli.audit_opened import opened_log
from narrows.stores.memory_audit import MemoryAuditStore
from tests.unit.alerts.traffic import MONDAY, Traffic
from tests.unit.cli.test_audit import keep, lunch, run, told

__all__ = ["lunch"]

GOOD = b'{"effects":["Tables.book"],"event":"call","mode":"live","time":"2026-11-25T10:00:00.000Z"}'
HOSTILE: dict[str, bytes] = {
    "deep": b'{"event":"call","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep alone": b"[" * 100_000,
    "no text": b"\xff",
    "no document": b"[]",
    "a time that is none": b'{"event":"call","time":7}',
    "a time before all": b'{"event":"call","time":"0001-01-01T00:00:00+14:00"}',
    "effects that are none": b'{"event":"call","effects":7}',
    "effects of numbers": b'{"event":"call","effects":[7]}',
    "actors that are none": b'{"event":"call","actors":[[]]}',
    "arguments that are none": b'{"event":"call","arguments":"x"}',
    "arguments within": b'{"event":"call","arguments":{"a":{"b":1}}}',
    "a problem that is none": b'{"event":"call","problem":{}}',
    "infinite": b'{"event":"call","size":1e999}',
    "an event that is none": b'{"event":[]}',
    "fields that are none": b'{"event":{},"what":[],"rule":{},"by":[1],"connector":{},"caller":[],"purpose":[]}',
}


async def put(store: Any, *leaves: bytes) -> None:
    """Add leaves as somebody does who can write the store."""
    was = await store.head()
    head, nodes = grow(was, map(leaf_hash, leaves))
    assert await store.append(was, head, leaves, nodes)


@pytest.mark.parametrize("leaf", HOSTILE.values(), ids=HOSTILE)
async def test_case_65_a_hostile_record_hides_no_other_from_a_search(leaf: bytes) -> None:
    """What stands behind it is found, by whatever is asked for."""
    store = MemoryAuditStore()
    await put(store, GOOD, leaf, GOOD)
    for wanted in (Wanted(), Wanted(event="call"), Wanted(effect="Tables.book"), Wanted(since="2026")):
        assert {0, 2} <= {one.index async for one in search(store, wanted)}


@pytest.mark.parametrize("leaf", HOSTILE.values(), ids=HOSTILE)
def test_case_65_a_hostile_record_is_shown_and_ends_nothing(lunch: str, leaf: bytes) -> None:
    """In each form, with what stands behind it."""
    keep(lunch, {})

    async def add() -> None:
        async with opened_log(lunch, None) as log:
            await put(log.store, leaf)

    asyncio.run(add())
    keep(lunch, {})
    for form in ("text", "line", "json"):
        assert run("search", lunch, "--format", form).count("lunch.book") == 2, form


@pytest.mark.parametrize("leaf", HOSTILE.values(), ids=HOSTILE)
def test_case_65_a_hostile_record_does_not_end_the_watch(leaf: bytes) -> None:
    """It is no call, or a call like others; who probes behind it is found."""
    traffic = Traffic()
    assert traffic.feed(leaf) == []
    assert [alert.rule for alert in traffic.calls(MONDAY, 30, status=403)] == ["refusals"]
    assert read(HOSTILE["deep"]) is None


def test_case_65_no_record_gives_itself_another_index(lunch: str) -> None:
    """What a program reads as the place of a record is its place."""

    async def add() -> None:
        async with opened_log(lunch, None) as log:
            await put(log.store, json.dumps({"event": "call", "index": 7}).encode())

    asyncio.run(add())
    assert [one["index"] for one in told("search", lunch)] == [0]


def test_case_55_no_value_passes_for_another(lunch: str) -> None:
    """An id, an actor or a name of somebody that holds commas and words stands between quotes."""
    evil = "7, booking.seats=2; not shown: x"
    keep(lunch, {"arguments": {"team_id": evil, "when": "2026-11-25T12:00:00+01:00"}, "actors": ("a, then b", "c")})
    shown = run("search", lunch)
    assert f'    arguments team_id="{evil}", when=2026-11-25T12:00:00+01:00; not shown: booking.note\n' in shown
    assert ', through "a, then b", then c\n' in shown
