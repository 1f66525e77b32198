"""How many connections are open now, and from whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from narrows.addresses import Network


class Peers:
    """The open connections of one server process, counted by peer; every protocol instance of the server shares it.

    `per_peer` and `total` are the most connections at one time. Peers in `exempt` (the proxies in front, behind which
    many clients share one address) are held by `total` alone.
    """

    def __init__(self, *, per_peer: int, total: int, exempt: Iterable[Network] = ()) -> None:
        self._per_peer = per_peer
        self._total = total
        self._exempt = tuple(exempt)
        self._open: Counter[Network | None] = Counter()

    def __len__(self) -> int:
        return self._open.total()

    def enter(self, peer: Network | None) -> bool:
        """Count one more connection of the peer; False, and nothing counted, when a cap is reached."""
        if len(self) >= self._total or (self._open[peer] >= self._per_peer and not self._is_exempt(peer)):
            return False
        self._open[peer] += 1
        return True

    def leave(self, peer: Network | None) -> None:
        """Count one connection of the peer less; a peer without connections is forgotten."""
        self._open[peer] -= 1
        if not self._open[peer]:
            del self._open[peer]

    def _is_exempt(self, peer: Network | None) -> bool:
        return peer is not None and any(_holds(network, peer) for network in self._exempt)


def _holds(network: Network, peer: Network) -> bool:
    if isinstance(network, IPv4Network) and isinstance(peer, IPv4Network):
        return peer.subnet_of(network)
    if isinstance(network, IPv6Network) and isinstance(peer, IPv6Network):
        # A proxy named by its address alone stands for the /64 that is counted for it.
        return peer.overlaps(network)
    return False
