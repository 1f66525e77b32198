"""Case 53: upstreams on a socket that hang, drip, lie or break off; the deadline holds and nothing of it is reused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from tests.abuse.attack import ask, post
from tests.abuse.sockets import Upstream, answer, upstream
from tests.abuse.wire import PATIENCE_S, get, served
from tests.flow.world import World, world

BOOKINGS = "/teams/7/bookings"
NEW = {"place_id": "node-1", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
MINE = b'{"id":"booking-1","team_id":7,"place_id":"node-1","starts_at":"2025-12-24T12:00:00Z","seats":4}'
FAKE = MINE.replace(b"booking-1", b"booking-666")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Behave = Callable[[Upstream, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def behind(behave: Behave, deadline_s: float = 5.0, **over: Any) -> AsyncIterator[tuple[World, Upstream]]:
    """The world with the tables service on a socket that behaves so."""
    async with upstream(behave) as site:
        tables = {"url": f"http://{site.netloc}", "deadline_s": deadline_s, "breaker_failures": 100}
        async with world(hosts={site.netloc: site.transport}, upstreams={"tables": tables}, **over) as w:
            yield w, site


async def hang(site: Upstream, _: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await site.held.wait()


async def drip(site: Upstream, writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send byte after byte, without an end, until nobody listens."""
    held = asyncio.ensure_future(site.held.wait())
    while not held.done() and not writer.is_closing():
        writer.write(data)
        await writer.drain()
        await asyncio.wait([held], timeout=0.02)


async def drip_head(site: Upstream, writer: asyncio.StreamWriter) -> None:
    """Headers without an end, slowly."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await drip(site, writer, b"x")


async def drip_body(site: Upstream, writer: asyncio.StreamWriter) -> None:
    """A body without an end, slowly."""
    writer.write(HEAD + b"Content-Length: 100000\r\n\r\n[")
    await drip(site, writer, b" ")


async def drip_chunks(site: Upstream, writer: asyncio.StreamWriter) -> None:
    """Chunks without an end, slowly."""
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await drip(site, writer, b"1\r\n \r\n")


async def continue_for_ever(site: Upstream, writer: asyncio.StreamWriter) -> None:
    """One interim answer after the other."""
    await drip(site, writer, b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize("behave", [hang, drip_head, drip_body, drip_chunks, continue_for_ever])
async def test_case_53_a_slow_upstream_ends_at_the_deadline(behave: Behave) -> None:
    """The deadline is for the whole answer: bytes that keep coming do not renew it, and the connection is dropped."""
    async with behind(behave, deadline_s=0.3) as (w, site):
        began = time.perf_counter()
        got = await ask(w.app, BOOKINGS, token=w.token())
        assert (got.status, got.kind) == (504, "upstream-timeout")
        assert 0.25 < time.perf_counter() - began < 1.5
        await site.next_gone()
        assert site.connections == 1


async def test_case_53_a_slow_write_is_sent_once() -> None:
    """A write that got no answer in time is not tried again: nobody knows whether it has happened."""
    async with behind(hang, deadline_s=0.2) as (w, site):
        got = await post(w.app, BOOKINGS, NEW, token=w.token())
        assert got.status == 504
        assert len(site.requests) == 1


async def test_case_53_the_call_has_one_deadline_for_all_its_operations() -> None:
    """The second operation gets no more time than the call has left, whatever its own deadline says."""

    async def slow(site: Upstream, writer: asyncio.StreamWriter) -> None:
        if len(site.requests) == 2:
            await site.held.wait()
        writer.write(answer(MINE))

    async with behind(slow, limits={"call_s": 0.4}) as (w, site):
        began = time.perf_counter()
        got = await ask(w.app, "/bookings/booking-1", "DELETE", token=w.token())
        assert got.status == 504
        assert time.perf_counter() - began < 1.5
        assert len(site.requests) == 2


BROKEN = {
    "HTML": answer(b"<html>", media="text/html"),
    "HTML named JSON": answer(b"<html>"),
    "text": answer(b"[]", media="text/plain"),
    "another type": answer(b'{"id":1}'),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n[]",
    "205": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "206": answer(b"[", "206 Partial Content"),
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n[]",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]]",
    "length and chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n[]",
    "broken chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n",
    "500 with a stack": answer(b'{"trace":"CANARY"}', "500 Internal Server Error"),
    "418": answer(b'{"detail":"CANARY"}', "418 Teapot"),
    "404": answer(b'{"detail":"CANARY"}', "404 Not Found"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_case_53_a_broken_answer_is_502(name: str) -> None:
    """Whatever is not the declared answer is a 502 that repeats nothing of it."""

    async def behave(_: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(BROKEN[name])
        writer.close()

    async with behind(behave) as (w, _):
        got = await ask(w.app, BOOKINGS, token=w.token())
        assert (got.status, got.kind) == (502, "upstream-failed")
        assert b"CANARY" not in got.body
        assert (await ask(w.app, "/health")).status == 200


async def test_case_53_a_reset_in_mid_body_is_502_after_one_more_try() -> None:
    """A read whose connection breaks is tried once more, on another connection; a write is not."""

    async def behave(_: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n[")
        await writer.drain()
        writer.transport.abort()

    async with behind(behave) as (w, site):
        got = await ask(w.app, BOOKINGS, token=w.token())
        assert (got.status, got.kind) == (502, "upstream-failed")
        assert (len(site.requests), site.connections) == (2, 2)
        got = await post(w.app, BOOKINGS, NEW, token=w.token())
        assert got.status == 502
        assert sum(request.startswith(b"POST") for request in site.requests) == 1


POISON = answer(b"[" + FAKE + b"]")
SPILLED = {
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON,
    "204 with chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + POISON,
    "204 and an answer": b"HTTP/1.1 204 No Content\r\n\r\n" + POISON,
    "200 and an answer": answer(b"[]") + POISON,
    "200 in chunks and an answer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n" + POISON,
    "200 and a little": answer(b"[]") + b"\r\n",
}


@pytest.mark.parametrize("name", SPILLED)
async def test_case_53_what_follows_an_answer_is_nobodys_answer(name: str) -> None:
    """Bytes behind an answer do not become the answer to somebody else's next request: the connection ends."""

    async def behave(site: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(SPILLED[name] if len(site.requests) == 2 else answer(b"[" + MINE + b"]"))

    async def first(site: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(MINE) if len(site.requests) == 1 else b"")
        if len(site.requests) > 1:
            await behave(site, writer)

    async with behind(first) as (w, site):
        got = await ask(w.app, "/bookings/booking-1", "DELETE", token=w.token())
        assert got.status in (204, 502)
        for _ in range(2):
            listed = await ask(w.app, BOOKINGS, token=w.token("chloe"))
            assert b"booking-666" not in listed.body
            assert (listed.status, b"booking-1" in listed.body) == (200, True)
        assert [request.split(b" ")[0] for request in site.requests] == [b"GET", b"DELETE", b"GET", b"GET"]
        assert site.connections == 2


async def test_case_53_a_sound_connection_is_used_again() -> None:
    """Answers that end where they say do not cost a new connection each."""

    async def behave(_: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"[]"))

    async with behind(behave) as (w, site):
        for _ in range(5):
            assert (await ask(w.app, BOOKINGS, token=w.token())).status == 200
        assert (len(site.requests), site.connections) == (5, 1)


async def test_case_53_a_failed_connection_is_not_used_again() -> None:
    """After an answer that was cut off, the next request goes out on a connection of its own."""
    answers = [HEAD + b"Content-Length: 99999999\r\n\r\n[", answer(b"[]")]

    async def behave(_: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))

    async with behind(behave) as (w, site):
        assert (await ask(w.app, BOOKINGS, token=w.token())).status == 502
        await site.next_gone()
        assert (await ask(w.app, BOOKINGS, token=w.token())).status == 200
        assert site.connections == 2


async def next_record(lines: asyncio.Queue[bytes]) -> dict[str, Any]:
    """Wait for the next record of a call."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            record = msgspec.json.decode(await lines.get(), type=dict[str, Any])
            # A token that was obtained for the call has a record of its own.
            if record["event"] == "call":
                return record


async def test_case_53_a_client_that_goes_away_ends_its_upstream_call() -> None:
    """When the socket of the client closes, the read that it waited for is dropped at the upstream too."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    around = {"write_record": lines.put_nowait}
    async with behind(hang, around=around) as (w, site), served(w.app) as server:
        async with server.client() as client:
            await client.send(get(BOOKINGS, f"Authorization: Bearer {w.token()}"))
            await site.next_arrival()
        await site.next_gone()
        assert (await next_record(lines))["outcome"] == "cancelled"


async def test_case_53_a_client_that_goes_away_does_not_undo_a_write() -> None:
    """A write that is on its way is finished and recorded, whoever still listens."""
    go = asyncio.Event()

    async def behave(_: Upstream, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(answer(MINE, "201 Created"))

    lines: asyncio.Queue[bytes] = asyncio.Queue()
    around = {"write_record": lines.put_nowait}
    async with behind(behave, around=around) as (w, site), served(w.app) as server:
        body = b'{"place_id":"node-1","starts_at":"2025-12-24T12:00:00Z","seats":4}'
        head = [
            f"POST {BOOKINGS} HTTP/1.1",
            "Host: bff.test",
            f"Authorization: Bearer {w.token()}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "",
            "",
        ]
        async with server.client() as client:
            await client.send("\r\n".join(head).encode() + body)
            await site.next_arrival()
        await server.next_lost()
        go.set()
        record = await next_record(lines)
        assert (record["outcome"], record["effects"]) == ("ok", ["Tables.book"])


RETRY_AFTER = [
    "3",
    "\xb2",
    "\u0663".encode().decode("latin-1"),
    "00000003600000",
    "-1",
    "3600000",
    "soon",
    "1\t2",
    "",
    "Wed, 21 Oct 2026 07:28:00 GMT",
]


@pytest.mark.parametrize("value", RETRY_AFTER, ids=range(len(RETRY_AFTER)))
async def test_case_53_a_strange_retry_after_is_not_believed(value: str) -> None:
    """What an upstream says of when to come back reaches the client only as a sensible number of seconds."""

    async def behave(_: Upstream, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", "503 Service Unavailable", f"Retry-After: {value}"))

    async with behind(behave) as (w, _):
        got = await ask(w.app, BOOKINGS, token=w.token())
        assert (got.status, got.kind) == (503, "unavailable")
        told = got.header("retry-after") or ""
        assert told.isascii()
        assert told.isdigit()
        assert 1 <= int(told) <= 3600
        assert len(told) <= 4


async def test_case_53_an_upstream_that_fails_on_is_left_alone() -> None:
    """After five failures in a row the upstream is not asked for a while: 503 at once, and `Retry-After`."""
    async with upstream(hang) as site:
        tables = {"url": f"http://{site.netloc}", "deadline_s": 0.05}
        async with world(hosts={site.netloc: site.transport}, upstreams={"tables": tables}) as w:
            statuses = [(await ask(w.app, BOOKINGS, token=w.token())).status for _ in range(8)]
            assert statuses == [504] * 5 + [503] * 3
            assert len(site.requests) == 5
            w.clock.move(11)
            assert (await ask(w.app, BOOKINGS, token=w.token())).status == 504
            assert len(site.requests) == 6
