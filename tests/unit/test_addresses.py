from ipaddress import ip_network

import pytest

from narrows.addresses import peer_of


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
    ],
)
def test_a_peer_is_what_one_party_has(host: str, peer: str) -> None:
    """One IPv4 address, or the whole /64 that an IPv6 host can rotate through."""
    assert peer_of(host) == ip_network(peer)


def test_no_address_is_no_peer() -> None:
    """A transport without an address has none, and what is no address is refused."""
    assert peer_of(None) is None
    with pytest.raises(ValueError, match="testclient"):
        peer_of("testclient")
