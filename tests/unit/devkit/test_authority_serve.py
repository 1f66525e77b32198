import signal

import httpx
import pytest

from narrows.devkit.authority import Authority
from narrows.devkit.authority_serve import assert_loopback, listen, serve
from narrows.errors import SettingsError


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_fine(host):
    """The three names of loopback pass."""
    assert_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.0.1", "example.org", "127.0.0.1.example.org"])
def test_any_other_address_is_refused(host):
    """The server cannot be bound where another machine could reach it."""
    with pytest.raises(SettingsError, match="loopback only"):
        listen(host)


async def test_it_serves_real_sockets():
    """On a free port it answers over TCP, leaves the signals alone, and stops with the block."""
    before = signal.getsignal(signal.SIGINT)
    with listen() as listener:
        port = listener.getsockname()[1]
        authority = Authority(f"http://127.0.0.1:{port}/as", algorithm="ES256")
        async with serve(authority, listener) as base, httpx.AsyncClient(trust_env=False) as client:
            assert base == f"http://127.0.0.1:{port}"
            answered = await client.get(f"{base}/as/jwks", headers={"X-Forwarded-For": "1.2.3.4"})
            assert signal.getsignal(signal.SIGINT) is before
            assert "server" not in answered.headers
            assert answered.json() == authority.jwks()


async def test_it_serves_ipv6():
    """The other loopback works the same."""
    with listen("::1") as listener:
        authority = Authority("http://localhost", algorithm="ES256")
        async with serve(authority, listener) as base, httpx.AsyncClient(trust_env=False) as client:
            assert base.startswith("http://[::1]:")
            assert (await client.get(f"{base}/jwks")).status_code == 200


async def test_a_socket_of_another_address_is_not_served():
    """A socket that somebody else has bound to all addresses is refused."""

    class Everywhere:
        def getsockname(self):
            return ("0.0.0.0", 80)

    with pytest.raises(SettingsError, match="loopback only"):
        async with serve(Authority("http://localhost", algorithm="ES256"), Everywhere()):
            pytest.fail("it was served")
