"""Abuse cases 14 to 17 and 19: what an issuer, or somebody in its place, does to the keys."""

import asyncio
import time

import httpx
import pytest
from joserfc.jwk import OctKey

from narrows.errors import InvalidToken, StartRefused, Unavailable
from narrows.identity import Identity
from narrows.identity.jwt import Reason
from narrows.transport import dial
from tests.abuse.tokens import Authority, Clock, ec, mint, new_settings, public, rsa, started


async def reason(identity: Identity, token: str) -> Reason:
    """Why a token is refused."""
    with pytest.raises(InvalidToken) as caught:
        await identity.verify(token)
    return Reason(str(caught.value))


async def test_case_14_random_key_ids() -> None:
    """A thousand tokens with made-up key ids cause one fetch in a cool-down."""
    authority, clock = Authority(), Clock()
    identity = await started(authority, clock)
    tokens = [mint(header={"kid": f"random-{number}"}) for number in range(1000)]
    clock.forward(30)
    reasons = await asyncio.gather(*(reason(identity, token) for token in tokens))
    assert set(reasons) == {Reason.KEY}
    assert authority.fetches == 2
    clock.forward(29)
    assert await reason(identity, tokens[0]) is Reason.KEY
    assert authority.fetches == 2
    clock.forward(1)
    assert await reason(identity, tokens[0]) is Reason.KEY
    assert authority.fetches == 3


async def test_case_15_rotation() -> None:
    """A new key works without a restart, for fifty at once with one fetch; the old one is refused from then on."""
    authority, clock = Authority(rsa("old")), Clock()
    identity = await started(authority, clock)
    old_cached = mint(rsa("old"))
    await identity.verify(old_cached)
    authority.published = [public(rsa("new"))]
    clock.forward(31)
    new = mint(rsa("new"))
    credentials = await asyncio.gather(*(identity.verify(new) for _ in range(50)))
    assert {credential.subject for credential in credentials} == {"anna"}
    assert authority.fetches == 2
    assert identity.known(old_cached) is None
    assert await reason(identity, old_cached) is Reason.KEY
    assert await reason(identity, mint(rsa("old"), jti="2")) is Reason.KEY


async def test_case_15_other_key_under_the_same_id() -> None:
    """A key that was replaced under its id takes with it the tokens that were verified by the old one."""
    authority, clock = Authority(ec("same")), Clock()
    identity = await started(authority, clock)
    token = mint(ec("same"))
    await identity.verify(token)
    authority.published = [public(ec("other"), kid="same")]
    clock.forward(600)
    assert await reason(identity, mint(ec("same"), jti="2")) is Reason.SIGNATURE
    assert identity.known(token) is None
    assert await reason(identity, token) is Reason.SIGNATURE


async def test_case_15_withdrawal_is_noticed_by_cached_tokens_alone() -> None:
    """When only tokens come that are known already, their keys are renewed all the same, without making them wait."""
    authority, clock = Authority(rsa()), Clock()
    identity = await started(authority, clock)
    token = mint(exp=int(clock.now) + 3600)
    await identity.verify(token)
    authority.published = []
    clock.forward(600)
    assert identity.known(token) is not None
    await identity.issuers["corp"].ring.refresh()
    assert authority.fetches == 2
    assert identity.known(token) is None
    assert identity.issuers["corp"].ring.last_error == "no-keys"


JSON = {"content-type": "application/json"}
BAD_ANSWERS = {
    "500": (httpx.Response(500, json={"keys": []}), "unavailable"),
    "429": (httpx.Response(429), "unavailable"),
    "404": (httpx.Response(404), "absent"),
    "html": (httpx.Response(200, html="<html>"), "media-type"),
    "html named json": (
        httpx.Response(200, text="<html>", headers=JSON),
        "not-a-key-set",
    ),
    "no type": (httpx.Response(200, content=b'{"keys":[]}'), "media-type"),
    "huge": (httpx.Response(200, content=b" " * 300_000, headers=JSON), "too-large"),
    "deep": (httpx.Response(200, content=b'{"keys":' + b"[" * 90_000, headers=JSON), "not-a-key-set"),
    "redirect": (httpx.Response(302, headers={"location": "http://127.0.0.1:8001/admin"}), "redirect"),
    "gzip": (httpx.Response(200, headers={"content-encoding": "gzip"}), "encoded"),
    "list": (httpx.Response(200, json=[]), "not-a-key-set"),
    "null": (httpx.Response(200, json={"keys": None}), "not-a-key-set"),
    "connection refused": (httpx.ConnectError("no"), "connect"),
    "reset": (httpx.ReadError("no"), "network"),
    "fault of the transport": (RuntimeError("no"), "fault"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_case_16_bad_answer(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever stands in the place of the keys, the last good ones stay in use and an alarm is raised."""
    answer, kind = BAD_ANSWERS[name]
    authority, clock = Authority(), Clock()
    identity = await started(authority, clock)
    ring = identity.issuers["corp"].ring
    authority.answers["/jwks"] = answer
    clock.forward(600)
    assert (await identity.verify(mint(jti="2"))).subject == "anna"
    assert (ring.last_error, ring.alarms) == (kind, 1)
    assert kind in caplog.text
    assert {request.url.host for request in authority.requests} == {"login.example"}


async def test_case_16_then_denied_and_back_again() -> None:
    """Keys that cannot be renewed are used for the grace and no longer; then 503 until they are back."""
    authority, clock = Authority(), Clock()
    identity = await started(authority, clock)
    long_lived = mint(exp=int(clock.now) + 40_000)
    await identity.verify(long_lived)
    authority.answers["/jwks"] = httpx.Response(500)
    clock.forward(4199)
    assert identity.known(long_lived) is not None
    assert (await identity.verify(mint(iat=int(clock.now), exp=int(clock.now) + 60, jti="2"))).subject == "anna"
    clock.forward(1)
    assert identity.known(long_lived) is None
    with pytest.raises(Unavailable) as caught:
        await identity.verify(long_lived)
    assert caught.value.headers == {"Retry-After": "29"}
    del authority.answers["/jwks"]
    clock.forward(29)
    assert (await identity.verify(long_lived)).subject == "anna"
    assert identity.issuers["corp"].ring.last_error is None


class SlowIssuer:
    """An issuer on a real socket that sends its metadata at once and its keys a byte at a time."""

    def __init__(self, pause: asyncio.Event) -> None:
        self.pause = pause
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/jwks" in head.splitlines()[0]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
            await writer.drain()
            await self.pause.wait()
        else:
            body = f'{{"issuer": "{self.url}", "jwks_uri": "{self.url}/jwks"}}'.encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()


async def test_case_16_drip_on_a_real_socket() -> None:
    """An issuer that sends its keys slowly is given up at the deadline, and the tokens are answered with 503."""
    pause = asyncio.Event()
    slow = SlowIssuer(pause)
    server = await asyncio.start_server(slow.serve, "127.0.0.1", 0)
    slow.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    clock = Clock()
    identity = Identity(new_settings(url=slow.url, deadline_s=0.2), dial=dial, now=clock)
    began = time.perf_counter()
    await identity.start()
    assert time.perf_counter() - began < 2
    assert identity.issuers["corp"].ring.last_error == "timeout"
    with pytest.raises(Unavailable):
        await identity.verify(mint(iss=slow.url))
    pause.set()
    await identity.close()
    server.close()
    await server.wait_closed()


async def test_case_17_poisoned_set() -> None:
    """With one symmetric or private key in the set none of it is believed, and the old keys stay."""
    poison = [
        OctKey.generate_key(256, {"kid": "mac"}).as_dict(private=True),
        public(rsa("new"), k="AAAA"),
        rsa("leaked").as_dict(private=True),
        public(ec(), kid=7),
    ]
    for number, key in enumerate(poison):
        authority, clock = Authority(rsa()), Clock()
        identity = await started(authority, clock)
        authority.published = [public(rsa("new")), key]
        clock.forward(600)
        assert await reason(identity, mint(rsa("new"))) is Reason.KEY, number
        assert (await identity.verify(mint(jti="2"))).subject == "anna"
        assert identity.issuers["corp"].ring.alarms == 1


async def test_case_19_another_issuer_in_the_metadata() -> None:
    """Metadata that names another issuer, by a slash only, refuses the start, and no key is fetched."""
    for other in ("https://login.example/", "https://evil.example", ""):
        authority = Authority()
        authority.metadata["issuer"] = other
        with pytest.raises(StartRefused) as caught:
            await started(authority)
        assert [refusal.code for refusal in caught.value.refusals] == ["issuer-differs"]
        assert "issuers.corp" in str(caught.value)
        assert "evil" not in str(caught.value)
        assert authority.fetches == 0
