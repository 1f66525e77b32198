"""What the rules look at of one record of the audit log."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network

import msgspec

HOUR_S = 3600
DAY_S = 86_400
REFUSALS = frozenset({401, 403, 429})

# Of what several programs use up together, the one that is refused need not be the one that used it.
_SHARED = (" per tenant", " per endpoint")
_OF_RATES = "rate "
_VOLUMES = "urn:narrows:problem:volume-exhausted"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One call as the log tells it, or one budget; the fields are those of `Record` and `Event` of `narrows.audit`."""

    time: str
    event: str
    bff: str = ""
    endpoint: str = ""
    mode: str = ""
    status: int = 0
    outcome: str = ""
    problem: str | None = None
    tenant: str | None = None
    connector: str | None = None
    connector_version: str | None = None
    peer: str = ""
    size: int = 0
    records: int = 0
    trace_id: str = ""
    what: str = ""
    rule: str | None = None
    amount: str | None = None

    @property
    def at(self) -> float:
        """Seconds since 1970. Raises `ValueError` for a time that is none."""
        return datetime.fromisoformat(self.time).timestamp()

    @property
    def refused(self) -> bool:
        """Whether it was answered 401, 403 or 429, but for a volume, of which budgets tell, and for shared rates."""
        if self.status != 429:
            return self.status in REFUSALS
        return self.problem != _VOLUMES and not self._by_shared_rates

    @property
    def _by_shared_rates(self) -> bool:
        """Whether only rates refused it that other programs use up too: anybody of them could have others refused."""
        kind, named = (self.rule or "")[: len(_OF_RATES)], (self.rule or "")[len(_OF_RATES) :]
        return kind == _OF_RATES and all(any(whose in one for whose in _SHARED) for one in named.split(", "))


_decode = msgspec.json.Decoder(Seen).decode


def read(leaf: bytes) -> Seen | None:
    """The call or budget that a leaf tells of; None for any other record, and for what is in the sandbox."""
    try:
        seen = _decode(leaf)
        return seen if seen.event in ("call", "budget") and seen.mode != "sandbox" and seen.at > 0 else None
    # One of a later version, whose fields have other types, or put there by somebody else: the watch goes on.
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def network_of(peer: str) -> str:
    """The network that an address is in: /24 of IPv4, /48 of IPv6; what is no address stands for itself."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer[:64]
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ip_network((address, 48 if address.version == 6 else 24), strict=False))
