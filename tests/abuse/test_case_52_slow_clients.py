"""Case 52: slow headers, slow bodies, idle sockets and slow readers are closed in their deadline, and stop nobody."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from narrows.surfaces.serving import ReceiptLimits
from tests.abuse.wire import PATIENCE_S, Echo, get, post, respond, served

LATE = "urn:narrows:problem:request-timeout"


def only(**quick: float) -> ReceiptLimits:
    """Limits of which only those named are short, so that no other deadline can have closed the connection."""
    return ReceiptLimits(**{"headers_s": 60, "body_s": 60, "idle_s": 60, "write_s": 60, "linger_s": 0.1} | quick)


async def test_case_52_a_socket_that_says_nothing_is_closed():
    """A connection without a byte is closed without an answer."""
    async with served(Echo(), limits=only(idle_s=0.05)) as site, site.client() as client:
        assert await client.rest() == b""
        await site.next_lost()
        assert len(site.peers) == 0


async def test_case_52_a_socket_that_says_nothing_after_an_answer_is_closed():
    """Keep-alive lasts as long as `idle_s`."""
    async with served(Echo(), limits=only(idle_s=0.05)) as site, site.client() as client:
        await client.send(get())
        assert (await client.answer()).status == 200
        assert await client.rest() == b""


@pytest.mark.parametrize("sent", [b"G", get()[:-2], get()[:-1]])
async def test_case_52_half_a_head_is_a_408(sent):
    """A head that does not end in time is answered with a problem, and closed."""
    app = Echo()
    async with served(app, limits=only(headers_s=0.05)) as site, site.client() as client:
        answer = await client.ask(sent)
        assert (answer.status, answer.problem["type"]) == (408, LATE)
        assert answer.headers["connection"] == "close"
        assert answer.headers["cache-control"] == "no-store"
    assert app.calls == []


async def test_case_52_headers_that_drip_are_a_408():
    """The deadline of the head counts from its first byte and is not renewed by more of them."""
    async with served(Echo(), limits=only(headers_s=0.2)) as site, site.client() as client:
        answer = asyncio.ensure_future(client.answer())
        await drip(client, b"GET / HTTP/1.1\r\nX-Slow: ", answer)
        assert (await answer).status == 408


async def test_case_52_a_second_head_that_drips_is_a_408():
    """A connection that has served once gets no more time than a new one."""
    async with served(Echo(), limits=only(headers_s=0.05)) as site, site.client() as client:
        await client.send(get() + b"GET /second")
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 408
        assert await client.rest() == b""


@pytest.mark.parametrize(
    "sent", [post("Content-Length: 10", body=b"half"), post("Transfer-Encoding: chunked", body=b"a\r\nhalf")]
)
async def test_case_52_half_a_body_is_a_408_and_the_application_sees_the_end(sent):
    """A body that does not end in time is answered for the application, which sees its client gone."""
    app = Echo()
    async with served(app, limits=only(body_s=0.05)) as site, site.client() as client:
        answer = await client.ask(sent)
        assert (answer.status, answer.problem["type"]) == (408, LATE)
    assert (app.calls, app.disconnects) == ([], 1)


async def test_case_52_a_body_that_drips_is_a_408():
    """The deadline of the body is a total: bytes that keep coming do not renew it."""
    async with served(Echo(), limits=only(body_s=0.2)) as site, site.client() as client:
        answer = asyncio.ensure_future(client.answer())
        await drip(client, post("Content-Length: 1000000"), answer)
        assert (await answer).status == 408


async def drip(client, head: bytes, answer: asyncio.Future) -> None:
    """Send byte after byte for as long as there is no answer; the sockets set the pace."""
    await client.send(head)
    while not answer.done():
        await client.send(b"x")
        await asyncio.wait([answer], timeout=0.01)


async def test_case_52_a_body_that_the_answer_did_not_need_ends_too():
    """A client cannot hold a connection by never ending a body that was refused unread."""

    async def app(scope, receive, send):
        await respond(send, b"no", status=401)

    async with served(app, limits=only(body_s=0.05)) as site, site.client() as client:
        answer = await client.ask(post("Content-Length: 10", body=b"half"))
        assert answer.status == 401
        await site.next_lost()


@pytest.mark.parametrize("at_once", [True, False])
async def test_case_52_a_client_that_does_not_read_is_cut_off(at_once):
    """An answer that is not taken within `write_s` is dropped, whether written whole or piece by piece."""
    piece, ended = b"x" * (1 << 20), asyncio.Event()

    async def app(scope, receive, send):
        if at_once:
            await respond(send, piece * 32)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(32):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        ended.set()

    async with served(app, limits=only(write_s=0.1)) as site, site.client() as client:
        client.writer.transport.pause_reading()
        await client.send(get())
        await site.next_lost()
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        assert len(site.peers) == 0


async def test_case_52_a_client_that_reads_slowly_but_reads_gets_all():
    """The deadline for reading starts anew with every piece that the client has taken."""
    piece = b"x" * (1 << 20)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        for more in range(15, -1, -1):
            await send({"type": "http.response.body", "body": piece, "more_body": bool(more)})

    async with served(app, limits=only(write_s=1)) as site, site.client() as client:
        await client.send(get())
        received = await client.rest()
        assert received.count(b"x") == 16 << 20


async def test_case_52_two_hundred_slow_sockets_do_not_stop_normal_traffic():
    """Idle sockets, half heads and half bodies from four addresses: others are served, and all 200 are closed."""
    app = Echo()
    slow = [b"", b"G", get()[:-2], post("Content-Length: 10", body=b"half")]
    # Long enough that all 200 stand open at once, also where another process has the cores.
    limits = ReceiptLimits(headers_s=2.5, body_s=2.5, idle_s=2.5, linger_s=0.1)
    async with served(app, limits=limits) as site, AsyncExitStack() as stack:
        clients = []
        for index in range(200):
            clients.append(await stack.enter_async_context(site.client(f"127.0.0.{2 + index % 4}")))
            await clients[-1].send(slow[index // 4 % 4])
        async with site.client() as normal:
            await normal.send(get("/normal"))
            assert (await normal.answer()).status == 200
            assert len(site.peers) == 201
        ends = await asyncio.gather(*(client.rest(patience_s=5) for client in clients))
        assert {end[9:12] for end in ends} == {b"", b"408"}
        for _ in range(201):
            await site.next_lost()
        assert len(site.peers) == 0
    assert [call["target"] for call in app.calls] == ["/normal"]


async def test_case_52_one_address_holds_no_more_than_its_share():
    """With 200 sockets of one address open the next of it is turned away at once, and another address is served."""
    app = Echo()
    limits = ReceiptLimits(per_peer=200, idle_s=60)
    async with served(app, limits=limits) as site, AsyncExitStack() as stack:
        for _ in range(200):
            await stack.enter_async_context(site.client("127.0.0.2"))
        async with site.client("127.0.0.2") as excess:
            answer = await excess.answer()
            assert (answer.status, answer.problem["type"]) == (503, "urn:narrows:problem:unavailable")
            assert answer.headers["retry-after"] == "1"
            assert await excess.rest() == b""
        async with site.client("127.0.0.3") as other:
            await other.send(get())
            assert (await other.answer()).status == 200
    assert len(app.calls) == 1


async def test_case_52_a_share_that_is_given_back_can_be_used_again():
    """Turned away is who comes while the share is used up, not who comes after."""
    async with served(Echo(), limits=ReceiptLimits(per_peer=1)) as site:
        async with site.client(), site.client() as excess:
            assert (await excess.answer()).status == 503
        await site.next_lost()
        await site.next_lost()
        async with site.client() as client:
            await client.send(get())
            assert (await client.answer()).status == 200


async def test_case_52_all_addresses_together_hold_no_more_than_the_cap():
    """Rotating the address does not get more connections than the server has."""
    async with served(Echo(), limits=ReceiptLimits(connections=3)) as site, AsyncExitStack() as stack:
        for last in (2, 3, 4):
            await stack.enter_async_context(site.client(f"127.0.0.{last}"))
        async with site.client("127.0.0.5") as excess:
            assert (await excess.answer()).status == 503
