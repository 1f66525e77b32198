"""The credentials that a registry of connectors has for clients: what is rotated there holds here at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from narrows.governance.rotation import jwks, proves
from narrows.stores.registry import Connectors, StoredCredential, holding


class RegisteredClients:
    """The clients of one issuer (by its name in the settings) that have a credential in a registry."""

    def __init__(self, connectors: Connectors, issuer: str) -> None:
        self._connectors = connectors
        self._issuer = issuer
        self._ever: Mapping[str, Sequence[StoredCredential]] = {}

    async def look(self, now: float) -> None:
        """Read the registry anew. Raises `Unavailable`."""
        _, entries = await self._connectors.all()
        self._ever = {
            entry.record.client_id: holding(entry, now)
            for entry in entries
            if entry.record.issuer == self._issuer and (entry.credentials or entry.state == "revoked")
        }

    def knows(self, client_id: str) -> bool:
        """Whether the registry decides about this client, and what stands in the configuration does not count."""
        return client_id in self._ever

    def proves(self, client_id: str, secret: str) -> bool:
        """Whether this is one of its secrets that hold."""
        return proves(self._ever.get(client_id, ()), secret)

    def keys(self, client_id: str) -> list[dict[str, Any]]:
        """Its public keys that hold."""
        return jwks(self._ever.get(client_id, ()))["keys"]

    def has_secret(self, client_id: str) -> bool:
        """Whether it has a secret that holds."""
        return any(one.salt is not None for one in self._ever.get(client_id, ()))
