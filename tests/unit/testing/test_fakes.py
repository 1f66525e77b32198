import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from narrows.testing import Clock, Network, Records, bearer, running, serving


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An application without a lifespan of its own."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


class Living:
    """An application that notes its life."""

    def __init__(self, *, start: Any = None, stop: Any = None) -> None:
        self.life: list[str] = []
        self._start = start
        self._stop = stop

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Live, or say hello."""
        if scope["type"] != "lifespan":
            await hello(scope, receive, send)
            return
        self.life.append((await receive())["type"])
        await send(self._start or {"type": "lifespan.startup.complete"})
        self.life.append((await receive())["type"])
        await send(self._stop or {"type": "lifespan.shutdown.complete"})


# --- the clock and the records --------------------------------------------------------------------------------------


def test_a_clock_stands_until_it_is_moved() -> None:
    """Both ways."""
    clock = Clock(100.0)
    assert (clock(), clock()) == (100.0, 100.0)
    clock.move(5)
    clock.move(-10)
    assert clock() == 95.0
    assert Clock()() == Clock()()


def test_records_are_kept_in_their_order() -> None:
    """As lines and as values."""
    records = Records()
    records.write(b'{"a":1}\n')
    records.write(b'{"a":2}\n')
    assert records.lines == [b'{"a":1}\n', b'{"a":2}\n']
    assert records.all() == [{"a": 1}, {"a": 2}]


def test_records_of_calls_are_told_from_the_others():
    """What happened in a call and beside it has records too."""
    records = Records()
    records.write(b'{"event":"grant"}')
    records.write(b'{"event":"call","status":200}')
    assert records.calls() == [{"event": "call", "status": 200}]


def test_bearer_is_the_header_of_a_token() -> None:
    """RFC 6750, 2.1."""
    assert bearer("t") == {"Authorization": "Bearer t"}


# --- the network ----------------------------------------------------------------------------------------------------


async def send(network: Network, request: httpx.Request) -> httpx.Response:
    """Send one request over a transport of the network."""
    return await network.dial(None).handle_async_request(request)


async def test_hosts_are_applications_or_transports() -> None:
    """Each is reached by its name and port."""
    network = Network({"a.test": hello, "b.test:8443": httpx.MockTransport(lambda _: httpx.Response(204))})
    assert (await send(network, httpx.Request("GET", "https://a.test/"))).status_code == 200
    assert (await send(network, httpx.Request("GET", "https://b.test:8443/"))).status_code == 204


@pytest.mark.parametrize(
    "url", ["https://c.test/", "https://b.test/", "https://sub.a.test/", "https://a.test.evil/", "https://127.0.0.1/"]
)
async def test_no_other_host_can_be_reached(url: str) -> None:
    """What is tried is kept, and leaves the process nowhere."""
    network = Network({"a.test": hello, "b.test:8443": hello})
    with pytest.raises(httpx.ConnectError):
        await send(network, httpx.Request("GET", url))
    assert [str(request.url) for request in network.sent] == [url]


async def test_hosts_can_be_added_and_replaced() -> None:
    """An application that itself needs the network is made with it."""
    network = Network({})
    network.add({"a.test": hello})
    network.add({"a.test": httpx.MockTransport(lambda _: httpx.Response(418))})
    assert (await send(network, httpx.Request("GET", "https://a.test/"))).status_code == 418


async def test_an_application_that_fails_answers_500() -> None:
    """As behind a real server."""

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    assert (await send(Network({"a.test": fail}), httpx.Request("GET", "https://a.test/"))).status_code == 500


async def test_requests_are_kept_as_they_were_sent() -> None:
    """What is changed on the object later does not reach the copy; a body that comes in pieces is whole."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    network = Network({"a.test": hello, "b.test": hello})
    request = httpx.Request("POST", "https://a.test/x%2Fy?q=1", headers={"X-Secret": "s"}, content=pieces())
    await send(network, request)
    request.headers["x-secret"] = "[hidden]"
    await send(network, httpx.Request("GET", "https://b.test/"))
    [kept] = network.to("a.test")
    assert (kept.method, kept.url.raw_path, kept.content, kept.headers["x-secret"]) == (
        "POST",
        b"/x%2Fy?q=1",
        b"ab",
        "s",
    )
    assert len(network.sent) == 2


async def test_all_traffic_can_be_searched_as_bytes() -> None:
    """For what must not be in it."""
    network = Network({"a.test": hello})
    await send(network, httpx.Request("POST", "https://a.test/x?q=1", headers={"X-Y": "z"}, content=b"body"))
    await send(network, httpx.Request("GET", "https://a.test/second"))
    traffic = network.traffic()
    assert traffic.startswith(b"POST /x?q=1 HTTP/1.1\r\nHost: a.test\r\n")
    for part in (b"\r\nX-Y: z\r\n", b"\r\n\r\nbody\n", b"GET /second HTTP/1.1"):
        assert part in traffic
    assert Network({}).traffic() == b""


# --- applications ---------------------------------------------------------------------------------------------------


async def test_serving_gives_a_client_of_a_started_application() -> None:
    """And stops it afterwards."""
    app = Living()
    async with serving(app, "https://a.test") as client:
        assert app.life == ["lifespan.startup"]
        assert (await client.get("/")).text == "hello"
        assert str(client.base_url) == "https://a.test"
    assert app.life == ["lifespan.startup", "lifespan.shutdown"]


async def test_an_application_is_stopped_after_a_failure_too() -> None:
    """A test that fails leaves nothing open."""
    app = Living()
    with pytest.raises(LookupError):
        async with running(app):
            raise LookupError
    assert app.life == ["lifespan.startup", "lifespan.shutdown"]


async def test_a_refused_start_is_an_error_with_its_reason() -> None:
    """The task of the application is not left behind."""
    before = asyncio.all_tasks()
    with pytest.raises(RuntimeError, match="no upstream"):
        async with running(Living(start={"type": "lifespan.startup.failed", "message": "no upstream"})):
            raise AssertionError("it started")
    assert asyncio.all_tasks() == before


async def test_a_refused_start_without_reason_names_the_phase() -> None:
    """There is nothing else to tell."""
    with pytest.raises(RuntimeError, match="ended during startup"):
        async with running(Living(start={"type": "lifespan.startup.failed"})):
            raise AssertionError("it started")


async def test_a_refused_stop_is_an_error_too() -> None:
    """A test sees what was not closed."""
    with pytest.raises(RuntimeError, match="still open"):
        async with running(Living(stop={"type": "lifespan.shutdown.failed", "message": "still open"})):
            pass


@pytest.mark.parametrize("fault", [None, LookupError("x")])
async def test_an_application_that_ends_without_a_word_has_not_started(fault: Exception | None) -> None:
    """Whether it raises or returns."""

    async def ends(scope: Any, receive: Any, send: Any) -> None:
        if fault is not None:
            raise fault

    with pytest.raises(RuntimeError, match="ended during startup"):
        async with running(ends):
            raise AssertionError("it started")
