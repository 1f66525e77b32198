"""What listens, what it trusts, and what is refused before it listens."""

import asyncio
import socket

import msgspec
import pytest

from narrows.errors import StartRefused
from narrows.settings import read_settings
from narrows.surfaces import serving
from narrows.surfaces.serving import ReceiptLimits, Tls, listening, make_config, make_server, serve
from tests.abuse.wire import PATIENCE_S, get, post, respond, served
from tests.unit.surfaces.test_serving_protocol import make_certificate


def refusals(app="app:app", **how) -> list[str]:
    """The codes of what is refused."""
    try:
        make_config(app, **how)
    except StartRefused as refused:
        return [refusal.code for refusal in refused.refusals]
    return []


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.7", "bff.test", "128.0.0.1", "localhost.test"])
def test_plain_http_off_loopback_is_refused(host):
    """Tokens do not cross a network in the clear; every remedy is named."""
    with pytest.raises(StartRefused) as caught:
        make_server("app:app", host=host)
    (refusal,) = caught.value.refusals
    assert (refusal.code, refusal.subject) == ("plain-http", "serving.host")
    assert all(key in refusal.remedy for key in ("tls_certificate", "behind_tls_proxy", "127.0.0.1"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_plain_http_on_loopback_is_served(host):
    """A developer's machine needs no certificate."""
    assert refusals(host=host) == []


def test_plain_http_behind_a_declared_tls_proxy_is_served():
    """The proxy that ends TLS is declared, not guessed."""
    assert refusals(host="0.0.0.0", behind_tls_proxy=True) == []


def test_a_certificate_serves_everywhere(tmp_path):
    """With a certificate that loads any address may be bound."""
    certificate, key = make_certificate(tmp_path)
    assert refusals(host="0.0.0.0", tls=Tls(certificate=certificate, key=key)) == []


def test_a_certificate_that_does_not_load_is_refused_at_start(tmp_path):
    """A missing file, and a key of another certificate, are found before the port is bound."""
    certificate, _ = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = make_certificate(tmp_path / "other")
    assert refusals(tls=Tls(certificate=certificate, key=str(tmp_path / "none.pem"))) == ["tls-unusable"]
    assert refusals(tls=Tls(certificate=certificate, key=other)) == ["tls-unusable"]


def test_an_encrypted_key_is_refused_and_nobody_is_asked(tmp_path):
    """A start without a terminal must not wait for a password."""
    from cryptography.hazmat.primitives import serialization

    certificate, key = make_certificate(tmp_path)
    loaded = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"password")
    pem = loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    (tmp_path / "key.pem").write_bytes(pem)
    assert refusals(tls=Tls(certificate=certificate, key=key)) == ["tls-unusable"]


@pytest.mark.parametrize("proxy", ["*", "proxy.test", "10.0.0.1/8", "0.0.0.0/0", "::/0", ""])
def test_a_proxy_is_an_address_or_a_network_of_some_addresses(proxy):
    """A proxy that is not exactly known would let every client name its own address."""
    assert refusals(trusted_proxies=[proxy]) == ["no-network"]


def test_every_reason_is_listed_at_once():
    """One start shows all that has to be changed."""
    assert refusals(app=object(), host="::", trusted_proxies=["a", "b"]) == [
        "plain-http",
        "no-network",
        "no-network",
    ]


@pytest.mark.parametrize(("proxies", "client"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.9")])
async def test_forwarded_addresses_are_believed_of_named_proxies_only(proxies, client):
    """X-Forwarded-For changes nothing unless its sender is a trusted proxy, loopback included."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["client"][0])
        await respond(send, b"")

    async with served(app, trusted_proxies=proxies) as site, site.client() as one:
        await one.send(get("/", "X-Forwarded-For: 203.0.113.9"))
        await one.answer()
    assert seen == [client]


async def test_a_trusted_proxy_is_not_held_to_the_share_of_one_peer():
    """All clients behind a proxy share its address."""

    async def app(scope, receive, send):
        await respond(send, b"")

    limits = ReceiptLimits(per_peer=1)
    async with (
        served(app, limits=limits, trusted_proxies=["127.0.0.0/30"]) as site,
        site.client(),
        site.client() as second,
    ):
        await second.send(get())
        assert (await second.answer()).status == 200


class Lived:
    """An application that notes its lifespan."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await respond(send, b"served")
            return
        for kind in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{kind}"
            self.noted.append(kind)
            await send({"type": f"lifespan.{kind}.complete"})


def listener() -> socket.socket:
    """A socket that accepts before anybody serves it, so that no test waits for a start."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


async def test_a_server_runs_the_lifespan_and_names_the_date_but_not_itself():
    """The application starts before the first answer and ends after the last; the answer has Date and no Server."""
    app, sock = Lived(), listener()
    server = make_server(app, limits=ReceiptLimits())
    running = asyncio.create_task(server.serve([sock]))
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(get("/", "Connection: close"))
    head = (await asyncio.wait_for(reader.read(), PATIENCE_S)).lower()
    writer.close()
    server.should_exit = True
    await asyncio.wait_for(running, PATIENCE_S)
    assert b"\r\ndate: " in head
    assert b"server:" not in head
    assert app.noted == ["startup", "shutdown"]


async def test_stopping_waits_for_a_slow_request_no_longer_than_its_deadline():
    """A server that is told to stop is not held by a client that does not end its body."""
    app, sock = Lived(), listener()
    server = make_server(app, limits=ReceiptLimits(body_s=0.1, idle_s=0.1))
    running = asyncio.create_task(server.serve([sock]))
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(post("Content-Length: 9"))
    await asyncio.wait_for(reader.readuntil(b"served"), PATIENCE_S)
    server.should_exit = True
    await asyncio.wait_for(running, PATIENCE_S)
    writer.close()
    assert app.noted[-1] == "shutdown"


def test_an_application_that_does_not_start_ends_the_process():
    """A failed start ends with an exit status, not with a server that refuses every call."""

    async def broken(scope, receive, send):
        raise RuntimeError

    with pytest.raises(SystemExit):
        serve(broken, port=0)


def settings(**serving_keys):
    """Settings with only `[serving]` filled."""
    return read_settings({"public_url": "https://bff.test", "base": "/etc/bff", "serving": serving_keys})


def test_the_settings_become_the_arguments():
    """Every key of `[serving]` arrives; files are found beside the settings file."""
    how = listening(
        settings(
            host="192.0.2.7",
            port=8443,
            tls_certificate="chain.pem",
            tls_key="/keys/key.pem",
            trusted_proxies=["10.0.0.1"],
            headers_s=1,
            per_peer=9,
        )
    )
    limits = how.pop("limits")
    assert how == {
        "host": "192.0.2.7",
        "port": 8443,
        "behind_tls_proxy": False,
        "trusted_proxies": ("10.0.0.1",),
        "tls": Tls(certificate="/etc/bff/chain.pem", key="/keys/key.pem"),
    }
    assert (limits.headers_s, limits.per_peer, limits.header_bytes) == (1.0, 9, 16 * 1024)


def test_the_settings_of_a_developer_need_no_key_at_all():
    """Without `[serving]` the server listens on loopback."""
    assert "tls" not in listening(settings())
    assert refusals(**listening(settings())) == []


@pytest.mark.parametrize("half", [{"tls_certificate": "chain.pem"}, {"tls_key": "key.pem"}])
def test_half_a_certificate_is_refused(half):
    """A certificate without its key must not silently become plain HTTP."""
    with pytest.raises(StartRefused) as caught:
        listening(settings(**half))
    assert [refusal.code for refusal in caught.value.refusals] == ["tls-incomplete"]


def test_every_limit_of_the_settings_is_one_of_the_server():
    """A limit added to `[serving]` under a name that the server does not know would guard nothing."""
    known = {*ReceiptLimits.__struct_fields__, *serving.Listening.__annotations__, "tls_certificate", "tls_key"}
    fields = {field.name for field in msgspec.structs.fields(type(settings().serving))}
    assert fields <= known
