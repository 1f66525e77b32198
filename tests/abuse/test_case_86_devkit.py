"""Case 86: the embedded authorization server on its real socket, and a `narrows run` that never imports it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from narrows.devkit.authority import Authority
from narrows.devkit.authority_serve import listen, serve
from narrows.errors import SettingsError
from narrows.testing import Clock
from tests.flow.world import make_authority

PATIENCE_S = 30
ON_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
FORM = "application/x-www-form-urlencoded"
BODY = b"grant_type=client_credentials&client_id=nightly&client_secret=nightly-secret&scope=dining:read"


class Heard(NamedTuple):
    """What a server said, as it came."""

    status: int
    head: str
    body: bytes


class Site(NamedTuple):
    """An authorization server on loopback."""

    host: str
    port: int
    authority: Authority

    async def say(self, request: bytes) -> Heard:
        """Send a request in bytes, and read until the server has closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE_S):
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        return Heard(int(head.split(b" ")[1]), head.decode("latin-1").lower(), body)

    async def ask(
        self, path: str, *lines: str, method: str = "GET", host: str | None = None, body: bytes = b""
    ) -> Heard:
        """Send a request with these header lines."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {host or self.host}", "Connection: close", *lines]
        head += [f"Content-Type: {FORM}", f"Content-Length: {len(body)}"] if body else []
        return await self.say("\r\n".join([*head, "", ""]).encode("latin-1") + body)


@asynccontextmanager
async def serving_authority() -> AsyncIterator[Site]:
    """Serve the issuer of the tests on a free port of loopback."""
    listener = listen()
    port = listener.getsockname()[1]
    clock = Clock()
    authority = make_authority(clock, issuer=f"http://127.0.0.1:{port}")
    async with serve(authority, listener):
        yield Site(f"127.0.0.1:{port}", port, authority)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    """The embedded server, as `narrows dev` and the demo serve it."""
    async with serving_authority() as made:
        yield made


PATHS = ["/jwks", "/authorize?client_id=where2eat-page", "/.well-known/oauth-authorization-server", "/nowhere"]
REBOUND = [
    "evil.test", "evil.test:80", "127.0.0.1.evil.test", "localhost.evil.test", "127.0.0.1@evil.test", "127.0.0.1.",
    "localhost.", "127.0.0.2", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "0.0.0.0", "[::]",
    "[::ffff:127.0.0.1]", "[::1].evil.test", "127.0.0.1:80:80", "127.0.0.1:evil", "localhost evil.test",
    "evil.test#127.0.0.1", "127.0.0.1/evil", "localhost,evil.test", "\xef\xbc\x9127.0.0.1", "-", "*", "null",
]  # fmt: skip


@ON_ONE_LOOP
@pytest.mark.parametrize("host", REBOUND)
async def test_case_86_a_rebound_name_reaches_nothing(site: Site, host: str) -> None:
    """A page whose name was made to point to loopback is refused on every path, and reads nothing of the server."""
    for path in PATHS:
        heard = await site.ask(path, host=host)
        assert heard.status in (400, 421), (path, heard)
        assert b"keys" not in heard.body
        assert b"<form" not in heard.body
    heard = await site.ask("/token", method="POST", host=host, body=BODY)
    assert heard.status in (400, 421)
    assert b"access_token" not in heard.body


@ON_ONE_LOOP
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /jwks HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /jwks HTTP/1.0\r\n\r\n",
        b"GET /jwks HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
        b"GET http://evil.test/jwks HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n",
        b"GET /jwks HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
    ],
)
async def test_case_86_no_host_two_hosts_and_a_foreign_target_are_refused(site: Site, request_bytes: bytes) -> None:
    """There is exactly one host, and it is ours."""
    heard = await site.say(request_bytes)
    assert heard.status in (400, 421)
    assert b"keys" not in heard.body


CROSS: dict[str, Sequence[str]] = {
    "another site": ["Origin: https://evil.test"],
    "no origin": ["Origin: null"],
    "another port": ["Origin: http://127.0.0.1:1"],
    "no port": ["Origin: http://127.0.0.1"],
    "a suffix": ["Origin: http://127.0.0.1.evil.test"],
    "two origins": ["Origin: http://{host}", "Origin: https://evil.test"],
    "two origins in one": ["Origin: http://{host}, https://evil.test"],
    "no scheme": ["Origin: {host}"],
    "fetched across sites": ["Sec-Fetch-Site: cross-site"],
    "fetched across origins": ["Sec-Fetch-Site: same-site", "Origin: http://{host}"],
    "fetched in an unknown way": ["Sec-Fetch-Site: x", "Origin: http://{host}"],
}


@ON_ONE_LOOP
@pytest.mark.parametrize("name", CROSS)
@pytest.mark.parametrize("path", ["/token", "/authorize", "/introspect", "/revoke"])
async def test_case_86_a_form_of_another_origin_is_refused(site: Site, path: str, name: str) -> None:
    """No page but the server's own sends it a form, whatever the form holds."""
    lines = [line.format(host=site.host) for line in CROSS[name]]
    heard = await site.ask(path, *lines, method="POST", body=BODY)
    assert heard.status in (400, 403)
    assert b"access_token" not in heard.body
    assert "access-control-allow" not in heard.head


@ON_ONE_LOOP
async def test_case_86_a_preflight_allows_nothing(site: Site) -> None:
    """No answer tells a browser that another origin may read it."""
    lines = ["Origin: https://evil.test", "Access-Control-Request-Method: POST"]
    for path in ("/token", "/jwks", "/authorize"):
        heard = await site.ask(path, *lines, method="OPTIONS")
        assert heard.status in (403, 405)
        assert "access-control-allow" not in heard.head
    heard = await site.ask("/jwks", "Origin: https://evil.test")
    assert "access-control-allow" not in heard.head


FORWARDED = [
    "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /evil",
    "X-Forwarded-For: 192.0.2.1", "Forwarded: host=evil.test;proto=https", "X-Original-URL: /evil", "X-Host: evil.test",
    "X-Forwarded-Server: evil.test", "X-Rewrite-URL: /evil", "X-HTTP-Method-Override: POST",
]  # fmt: skip


@ON_ONE_LOOP
async def test_case_86_forwarded_headers_have_no_effect(site: Site) -> None:
    """Issuer, endpoints, pages and keys are the same with them; and they open no door for a foreign host."""
    for path in PATHS:
        plain, forwarded = await site.ask(path), await site.ask(path, *FORWARDED)
        assert (plain.status, re.sub(rb'value="[^"]*"', b"", plain.body)) == (
            forwarded.status,
            re.sub(rb'value="[^"]*"', b"", forwarded.body),
        )
        assert b"evil" not in forwarded.body
        assert "evil" not in forwarded.head
    heard = await site.ask("/jwks", "X-Forwarded-Host: 127.0.0.1", "X-Original-Host: 127.0.0.1", host="evil.test")
    assert heard.status == 421


@ON_ONE_LOOP
async def test_case_86_the_own_form_is_served(site: Site) -> None:
    """What the refused forms differ from brings a token."""
    heard = await site.ask("/token", f"Origin: http://{site.host}", method="POST", body=BODY)
    assert heard.status == 200, heard
    assert b"access_token" in heard.body
    assert "cache-control: no-store" in heard.head


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "127.0.0.1.evil.test"])
def test_case_86_it_listens_on_loopback_only(host: str) -> None:
    """Another address is refused before it is bound."""
    with pytest.raises(SettingsError, match="loopback"):
        listen(host)


async def test_case_86_a_socket_off_loopback_is_not_served() -> None:
    """Who binds the socket himself cannot make it public either."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        authority = make_authority(Clock(), issuer="http://127.0.0.1:1")
        with pytest.raises(SettingsError, match="loopback"):
            async with serve(authority, listener):
                pass


# --- narrows run ----------------------------------------------------------------------------------------------------

# The import itself fails, and at its end the process says which modules it has.
RUN = """
import json, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("narrows.devkit", "narrows.testing", "narrows.console")):
            raise ImportError(f"refused: {name}")

sys.meta_path.insert(0, Refusing())
from narrows.cli import main
try:
    main()
finally:
    print("MODULES " + json.dumps(sorted(name for name in sys.modules if name.startswith("narrows"))), flush=True)
"""

SETTINGS = """
public_url = "http://127.0.0.1:8000"
environment = "development"

[serving]
port = 0

[issuers.corp]
url = "{issuer}"
audience = "where2eat-api"
algorithms = ["ES256"]
client = {{ id = "where2eat-bff", secret = {{ env = "BFF_SECRET" }} }}
roles = [
  {{ claim = "teams", role = "member", domain = "team:{{value}}" }},
  {{ claim = "organises", role = "organiser", domain = "team:{{value}}" }},
]

[connectors.copilot]
issuer = "corp"
client_id = "where2eat-copilot"
tenant = "example"
kind = "copilot"
state = "live"

[upstreams.people]
url = "http://127.0.0.1:9"
audience = "people-api"
[upstreams.places]
url = "http://127.0.0.1:9"
audience = "places-api"
[upstreams.tables]
url = "http://127.0.0.1:9"
audience = "tables-api"
"""


async def request(port: int, path: str, *lines: str) -> int:
    """The status of one request to the BFF."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1:8000", *lines, "", ""]).encode())
    async with asyncio.timeout(PATIENCE_S):
        status = int((await reader.readline()).split(b" ")[1])
    writer.close()
    return status


@ON_ONE_LOOP
async def test_case_86_a_live_run_never_imports_the_devkit(tmp_path: Path, site: Site) -> None:
    """From its start through calls of every mode to its end, `narrows run` has no module of the development kit."""
    settings = tmp_path / "narrows.toml"
    settings.write_text(SETTINGS.format(issuer=f"http://{site.host}"), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path), "BFF_SECRET": "bff-secret"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", RUN, "run", "bffs.where2eat.app:bff", "--settings", str(settings)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while "serves on" not in (line := (await process.stderr.readline()).decode()):
                assert line, "it did not start"
        port = int(re.findall(r"127\.0\.0\.1:(\d+)", line)[0])
        bearer = f"Authorization: Bearer {site.authority.issue('anna', 'where2eat-copilot', 'where2eat-api', '')}"
        assert await request(port, "/health") == 200
        assert await request(port, "/openapi.json") == 200
        for base in ("", "/rehearse", "/sandbox"):
            assert await request(port, f"{base}/teams/7/bookings") == 401
            assert await request(port, f"{base}/teams/7/bookings", bearer) in (401, 403)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            written, _ = await process.communicate()
    modules = json.loads(written.decode().rpartition("MODULES ")[2])
    assert "narrows.pipeline" in modules
    assert not [name for name in modules if name.startswith(("narrows.devkit", "narrows.testing", "narrows.console"))]
    assert process.returncode == 0
