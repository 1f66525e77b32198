"""Records are found by what they say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from narrows.audit.canonical import canonical
from narrows.audit.search import Found, Wanted, search
from narrows.stores.audit import Head
from narrows.stores.memory_audit import MemoryAuditStore

CALL: dict[str, Any] = {
    "event": "call",
    "time": "2026-11-25T10:00:00.000Z",
    "tenant": "acme",
    "connector": "copilot",
    "caller": "a" * 32,
    "endpoint": "where2eat.book",
    "outcome": "ok",
    "trace_id": "t1",
    "mode": "live",
    "peer": "192.0.2.1",
    "effects": ["Tables.book", "Tables.pay"],
}


async def log_of(*leaves: bytes) -> MemoryAuditStore:
    """A log of these leaves; its tree is not looked at here."""
    store = MemoryAuditStore()
    assert await store.append(Head(), Head(len(leaves), (b"x",)), leaves, ())
    return store


async def found(store: MemoryAuditStore, start: int = 0, **wanted: Any) -> list[int]:
    """Where the records stand that are wanted."""
    return [one.index async for one in search(store, Wanted(**wanted), start)]


@pytest.mark.parametrize("field", [*sorted(CALL.keys() - {"effects", "time"}), "effect"])
async def test_each_field_finds_its_own(field: str) -> None:
    """What says something else is passed over, and so is what says nothing of it."""
    value = "Tables.pay" if field == "effect" else CALL[field]
    other = {**CALL, "effects": ["Tables.cancel"]} if field == "effect" else {**CALL, field: "other"}
    silent = {name: said for name, said in CALL.items() if name not in (field, "effects")}
    store = await log_of(canonical(other), canonical(CALL), canonical(silent))
    assert await found(store, **{field: value}) == [1]


async def test_a_time_lies_from_one_to_before_the_other() -> None:
    """The beginning of a time is enough."""
    times = ["2026-11-25T09:59:59.999Z", "2026-11-25T10:00:00.000Z", "2026-11-25T11:00:00.000Z"]
    store = await log_of(*(canonical({**CALL, "time": time}) for time in times))
    assert await found(store, since="2026-11-25T10", until="2026-11-25T11") == [1]
    assert await found(store, since="2026-11-25T10") == [1, 2]
    assert await found(store) == [0, 1, 2]


async def test_a_long_log_is_read_in_pieces() -> None:
    """From any index on, in order, and the record comes with its place."""
    store = await log_of(*(canonical({**CALL, "trace_id": f"t{n}"}) for n in range(2500)))
    assert await found(store, connector="copilot") == list(range(2500))
    assert await found(store, 2498, connector="copilot") == [2498, 2499]
    last = [one async for one in search(store, Wanted(trace_id="t2400"))]
    assert last == [Found(2400, {**CALL, "trace_id": "t2400"})]


async def test_a_word_in_another_place_is_not_what_was_asked_for() -> None:
    """Every place has its own meaning, however alike the words are."""
    store = await log_of(canonical({**CALL, "endpoint": "copilot", "connector": "x", "purpose": "Tables.cancel"}))
    assert await found(store, connector="copilot") == []
    assert await found(store, effect="Tables.cancel") == []


@pytest.mark.parametrize("name", ["größe", 'a"b', "a\\b", "a\nb"])
async def test_what_json_writes_otherwise_is_found_too(name: str) -> None:
    """No text is missed for how it is written."""
    store = await log_of(canonical({**CALL, "connector": name}), msgspec.json.encode({"connector": name}))
    assert await found(store, connector=name) == [0, 1]


@pytest.mark.parametrize("leaf", [b"{", b"\xff", b"[1]"])
async def test_a_leaf_that_is_no_record_stops_nothing(leaf: bytes) -> None:
    """Somebody may have written into the store; what is left is still read."""
    store = await log_of(leaf, canonical(CALL))
    assert await found(store, event="call") == [1]
    first, _ = [one.record async for one in search(store, Wanted())]
    assert first == {"event": "unreadable"}
