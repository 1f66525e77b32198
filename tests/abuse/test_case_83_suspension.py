"""Case 83: what changes while a call runs: the next write is stopped, and no token comes back into the cache.

What processes share is tested in `test_case_83_shared_cache.py`, its sealing in `test_tokens.py` and `test_sealing.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from narrows import Answer, Bff, Narrow, NumberId, Upstream, read, write
from narrows.errors import Unavailable
from narrows.stores.connectors import MemoryConnectors
from narrows.stores.registry import Connectors
from narrows.testing import bearer
from tests.flow.programs import ERIK, FREE, Programs, allow_open_writes, registered
from tests.flow.world import World

HOST = "tables.test"
Between = Callable[[], Awaitable[object]]


class Ticket(Narrow):
    """What the upstream answers."""

    id: str = ""


class Tables(Upstream):
    """Two writes and a read."""

    @read("/first", asks="bookings:read")
    def look(self) -> Answer[Ticket]: ...

    @write("/first", asks="bookings:write")
    def first(self) -> Answer[Ticket]: ...

    @write("/second", asks="bookings:write")
    def second(self) -> Answer[Ticket]: ...


twofold = Bff(
    "twofold",
    version="1.0.0",
    owner="red@example.com",
    purpose="Write twice",
    exposure="internal",
    sensitivity="personal",
    importance="low",
    review_by="2027-05-01",
)
_GUARDS: dict[str, Any] = {
    "roles": {"member"},
    "within": "team:{team_id}",
    "scope": "dining:read",
    "rate": "100/minute",
}


@twofold.write("/teams/{team_id}/both", uses=[Tables.first, Tables.second], for_services=True, **_GUARDS)
async def both(team_id: NumberId) -> Ticket:
    """Write twice."""
    await Tables.first()
    return await Tables.second()


@twofold.read("/teams/{team_id}/look", uses=[Tables.look], for_services=True, **_GUARDS)
async def look(team_id: NumberId) -> Ticket:
    """Read."""
    return await Tables.look()


RECORD = {
    "kind": "service",
    "template": FREE,
    "endpoints": ["twofold.both", "twofold.look"],
    "scopes": ["dining:read"],
}


@pytest.fixture
def registry() -> Connectors:
    """Where the program is registered; attacks that are run again in tests/interop put another here."""
    return MemoryConnectors()


class Host(httpx.AsyncBaseTransport):
    """An upstream that does something of the test's before it answers its first write."""

    def __init__(self) -> None:
        self.between: Between | None = None
        self.written: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.written.append(request.url.path)
            if self.between is not None and request.url.path == "/first":
                await self.between()
        return httpx.Response(200, json={"id": "t"})


@asynccontextmanager
async def writing(
    monkeypatch: pytest.MonkeyPatch, store: Connectors | None = None
) -> AsyncIterator[tuple[World, Programs, Host]]:
    """A world whose program writes twice."""
    allow_open_writes(monkeypatch)
    host = Host()
    async with registered(bff=twofold, record=RECORD, hosts={HOST: host}, store=store) as (made, programs):
        yield made, programs, host


async def test_two_writes_leave_when_nothing_happens(monkeypatch: pytest.MonkeyPatch, registry: Connectors) -> None:
    """The attack below is stopped by what it does, and not by the world."""
    async with writing(monkeypatch, registry) as (made, _, host):
        assert (await made.post("/teams/7/both", None)).status_code == 200
        assert host.written == ["/first", "/second"]


@pytest.mark.parametrize("how", ["suspend", "revoke", "narrow", "widen", "compromise"])
async def test_a_change_between_two_writes_stops_the_second(
    monkeypatch: pytest.MonkeyPatch, registry: Connectors, how: str
) -> None:
    """Within a second; and the answer says which write was sent before."""
    async with writing(monkeypatch, registry) as (made, programs, host):

        async def change() -> None:
            match how:
                case "suspend":
                    await programs.suspend()
                case "revoke":
                    await programs.governor.revoke("copilot", ERIK)
                    made.clock.move(1)
                case "narrow":
                    await programs.apply(**{**RECORD, "endpoints": ["twofold.look"]})
                case "widen":
                    await programs.apply(**{**RECORD, "scopes": ["dining:read", "dining:book"]})
                case _:
                    await programs.rotate(compromised=True)

        host.between = change
        answer = await made.post("/teams/7/both", None)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (403, "urn:narrows:problem:connector-refused")
        assert problem["effects"] == ["Tables.first"]
        assert host.written == ["/first"]
        assert made.records.calls()[-1]["effects"] == ["Tables.first"]


async def test_a_write_does_not_leave_while_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry goes away between the two: the second is a 503, and the first is named."""

    class Leaving(MemoryConnectors):
        away = False

        async def generation(self) -> int:
            if self.away:
                raise Unavailable("The store of connectors is away.", headers={"Retry-After": "5"})
            return await super().generation()

    store = Leaving()
    async with writing(monkeypatch, store) as (made, _, host):

        async def leave() -> None:
            store.away = True
            made.clock.move(1)

        host.between = leave
        answer = await made.post("/teams/7/both", None)
        assert (answer.status_code, answer.json()["effects"]) == (503, ["Tables.first"])
        assert host.written == ["/first"]


class Slow(httpx.AsyncBaseTransport):
    """The issuer, whose exchanges wait for the test."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.gate = asyncio.Event()
        self.arrived = asyncio.Event()
        self.exchanges = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        if request.url.path == "/token":
            self.exchanges += 1
            self.arrived.set()
            await self.gate.wait()
        return answer


async def test_an_exchange_in_flight_does_not_come_back_after_a_revocation(
    monkeypatch: pytest.MonkeyPatch, registry: Connectors
) -> None:
    """What the server gave is thrown away, nothing is sent with it, and it is not kept for later."""
    async with writing(monkeypatch, registry) as (made, programs, _):
        slow = Slow(httpx.ASGITransport(app=made.authority.app))
        made.network.add({"issuer.test": slow})
        token = made.token()
        asking = asyncio.ensure_future(made.client.get("/teams/7/look", headers=bearer(token)))
        await asyncio.wait_for(slow.arrived.wait(), 10)
        await programs.suspend()
        slow.gate.set()
        assert (await asking).status_code == 503
        assert made.network.to(HOST) == []
        await programs.governor.resume("copilot", ERIK)
        made.clock.move(1)
        assert (await made.client.get("/teams/7/look", headers=bearer(token))).status_code == 200
        assert slow.exchanges == 2


async def test_a_token_in_the_cache_is_dropped_when_its_connector_changes(
    monkeypatch: pytest.MonkeyPatch, registry: Connectors
) -> None:
    """After a suspension and its end, a new token is asked for."""
    async with writing(monkeypatch, registry) as (made, programs, _):
        token = bearer(made.token())
        for _ in range(2):
            assert (await made.client.get("/teams/7/look", headers=token)).status_code == 200
        assert len(made.authority.exchanges) == 1
        await programs.suspend()
        await programs.governor.resume("copilot", ERIK)
        made.clock.move(1)
        assert (await made.client.get("/teams/7/look", headers=token)).status_code == 200
        assert len(made.authority.exchanges) == 2


async def test_an_exchange_that_ends_while_the_registry_is_away_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows by then what the connector may do."""

    class Leaving(MemoryConnectors):
        away = False

        async def generation(self) -> int:
            if self.away:
                raise Unavailable("The store of connectors is away.")
            return await super().generation()

    store = Leaving()
    async with writing(monkeypatch, store) as (made, _, _host):
        slow = Slow(httpx.ASGITransport(app=made.authority.app))
        made.network.add({"issuer.test": slow})
        asking = asyncio.ensure_future(made.get("/teams/7/look"))
        await asyncio.wait_for(slow.arrived.wait(), 10)
        store.away = True
        made.clock.move(1)
        slow.gate.set()
        assert (await asking).status_code == 503
        assert made.network.to(HOST) == []
