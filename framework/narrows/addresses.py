"""Who counts as one peer: limits by address mean the network that one party has as a rule."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def peer_of(host: str | None) -> Network | None:
    """The network that counts as one peer: an IPv4 address, or the /64 of an IPv6 address.

    Who has one IPv6 address has as a rule its whole /64 (RFC 6177), and could otherwise rotate through it. None stands
    for a transport without an address. Raises `ValueError` for what is no address.
    """
    if host is None:
        return None
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return ip_network(mapped) if mapped else ip_network((address, 64), strict=False)
    return ip_network(address)


def bucket_of(peer: str) -> str:
    """Whose bucket an address is; what is no address, such as the name of a socket, is a peer by itself."""
    try:
        return str(peer_of(peer))
    except ValueError:
        return peer
