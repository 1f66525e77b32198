"""Interop tests run real programs of others against ours; `make interop` installs those that are missing."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import msgspec
import pytest
import uvicorn

from examples.where2eat import places
from narrows.settings import Secret
from narrows.stores.postgres_server import PostgresServer
from tests.interop.hostile import NAME, PLACE, ROOT
from tests.interop.servers import PostgresPeer, RedisPeer, postgres_bin


def pytest_sessionstart():
    """A missing browser is a failure and no reason to skip: what is not tried is not known to work."""
    programs = ("chromium", "redis-server", "promtool", "prometheus", "wrk")
    missing = [name for name in programs if shutil.which(name) is None]
    missing += [] if postgres_bin() else ["initdb"]
    missing += [name for name in ("playwright",) if find_spec(name) is None]
    if missing:
        raise pytest.UsageError(f"missing: {', '.join(missing)}. `make interop` installs what these tests need.")


@contextmanager
def _served(app, listener):
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def redis_peer(tmp_path_factory) -> Iterator[RedisPeer]:
    """A real Redis, shared by the tests: each uses keys of its own, and whoever stops it starts it again."""
    server = RedisPeer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_peer() -> Iterator[PostgresPeer]:
    """A real PostgreSQL, shared by the tests: each uses tables of its own, and whoever stops it starts it again."""
    # Not below pytest's own folder, into which the server's user may not look.
    with tempfile.TemporaryDirectory(prefix="narrows-postgres-") as folder:
        server = PostgresPeer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def postgres_url(postgres_peer) -> Iterator[str]:
    """A place of its own in the real PostgreSQL, by its URL."""
    url = postgres_peer.place()
    yield url
    postgres_peer.give_up(url)


@pytest.fixture
async def postgres(postgres_url) -> AsyncIterator[PostgresServer]:
    """A pool to that place."""
    server = PostgresServer(Secret(postgres_url))
    yield server
    await server.close()


@pytest.fixture(scope="session")
def hostile_places():
    """The places as they are, but that the nearest is always open and has markup for a name."""
    known = places.places()
    kept = known[PLACE]
    known[PLACE] = msgspec.structs.replace(kept, name=NAME, opening_hours="24/7")
    yield
    known[PLACE] = kept


@pytest.fixture(scope="session")
def world(tmp_path_factory, hostile_places) -> Iterator[dict[str, str]]:
    """The world of `make dev`, as a process, with the hostile places behind it; gives where everything listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # What is kept alive would be left over, because nothing of the served loop's own ends it.
    transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))
    app = places.places_app(f"http://127.0.0.1:{port}/as", transport, time.time)
    with _served(app, socket.create_server(("127.0.0.1", 0))) as url:
        command = [sys.executable, "-m", "examples.where2eat.dev", "--json", "--port", str(port)]
        command += ["--folder", str(tmp_path_factory.mktemp("world")), "--upstream", f"places={url}"]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'framework'}{os.pathsep}{ROOT}"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as process:  # noqa: S603 # ours
            try:
                yield json.loads(process.stdout.readline())
            finally:
                process.terminate()


@pytest.fixture
def elsewhere() -> Iterator[Callable[[str], str]]:
    """Serves a page on another origin; takes its markup and gives its URL."""
    with ExitStack() as stack:

        def serve(markup: str) -> str:
            async def page(scope, receive, send):
                headers = [(b"content-type", b"text/html; charset=utf-8")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": b"<!doctype html>" + markup.encode()})

            url = stack.enter_context(_served(page, socket.create_server(("127.0.0.1", 0))))
            # The same site under another name would get the cookies that are bound to a site.
            return url.replace("127.0.0.1", "localhost")

        yield serve


@pytest.fixture
def framing(world, elsewhere) -> str:
    """A page of another origin with the micro-app in a frame."""
    return elsewhere(f'<iframe src="{world["origin"]}/"></iframe>')


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium that talks to nobody but the pages it is shown.

    While Playwright is there its event loop runs in this thread, and no test of another file could run its own.
    """
    from playwright.sync_api import sync_playwright

    quiet = "quic", "background-networking", "component-update", "sync"
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{it}" for it in quiet)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()
