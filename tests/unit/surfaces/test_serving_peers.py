"""The count of connections by peer."""

from ipaddress import ip_network

import pytest

from narrows.addresses import peer_of
from narrows.surfaces.serving_peers import Peers


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_a_peer_is_an_ipv4_address_or_the_64_of_an_ipv6_address(host, peer):
    """Who owns one IPv6 address owns its /64, so that is what counts; a mapped IPv4 address counts as IPv4."""
    assert peer_of(host) == ip_network(peer)


def test_a_transport_without_an_address_is_one_peer():
    """Sockets of the file system have no address; all of them share one count."""
    peers = Peers(per_peer=1, total=10, exempt=[ip_network("10.0.0.0/8")])
    assert peer_of(None) is None
    assert [peers.enter(None), peers.enter(None)] == [True, False]


def test_an_attempt_that_is_refused_is_not_counted():
    """Only connections that are open count, so a refused one need not leave."""
    peers, peer = Peers(per_peer=1, total=10), peer_of("192.0.2.7")
    assert [peers.enter(peer), peers.enter(peer), len(peers)] == [True, False, 1]
    peers.leave(peer)
    assert [len(peers), peers.enter(peer)] == [0, True]


def test_the_total_holds_for_everybody():
    """The cap of the process is for exempt peers too."""
    peers = Peers(per_peer=1, total=2, exempt=[ip_network("192.0.2.0/24")])
    assert [peers.enter(peer_of(f"192.0.2.{last}")) for last in (1, 1, 2)] == [True, True, False]


@pytest.mark.parametrize(
    ("proxy", "host", "exempt"),
    [
        ("192.0.2.0/24", "192.0.2.9", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8:5::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:db8::/32", "192.0.2.1", False),
        ("0.0.0.0/1", "2001:db8::1", False),
    ],
)
def test_a_proxy_in_front_is_not_held_to_the_share_of_one_peer(proxy, host, exempt):
    """Many clients share the address of a proxy; the networks named for it are exempt, and no others."""
    peers, peer = Peers(per_peer=1, total=10, exempt=[ip_network(proxy)]), peer_of(host)
    assert peers.enter(peer)
    assert peers.enter(peer) is exempt
