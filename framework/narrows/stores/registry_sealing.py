"""How the registry of connectors is sealed at rest, wherever it lies."""

from __future__ import annotations

import msgspec

from narrows.errors import Unavailable
from narrows.stores.registry import Change, Registered
from narrows.stores.sealing import Sealer, frame


class RegistryEnvelope:
    """Names and seals what a registry keeps: a row that is moved or put back to an older generation does not open.

    `key` has 32 bytes. What does not open raises `Unavailable`: nothing is guessed of a row that somebody else wrote,
    or that another key sealed.
    """

    def __init__(self, key: bytes) -> None:
        self._sealer = Sealer(key, purpose="connectors")

    def name(self, connector_id: str) -> str:
        """What stands for a connector."""
        return self._sealer.digest("connector", connector_id)

    def seal(self, entry: Registered) -> bytes:
        """Seal an entry for the row of its name and generation."""
        return self._sealer.seal(msgspec.json.encode(entry), _place(self.name(entry.id), entry.generation))

    def open(self, name: str, generation: int, sealed: bytes) -> Registered:
        """Open an entry."""
        return msgspec.json.decode(_readable(self._sealer.open(sealed, _place(name, generation))), type=Registered)

    def seal_change(self, change: Change) -> bytes:
        """Seal a line of the history."""
        return self._sealer.seal(msgspec.json.encode(change), frame("change", self.name(change.connector)))

    def open_change(self, name: str, sealed: bytes) -> Change:
        """Open a line of the history."""
        return msgspec.json.decode(_readable(self._sealer.open(sealed, frame("change", name))), type=Change)


def _place(name: str, generation: int) -> bytes:
    return frame("connector", name, str(generation))


def _readable(plain: bytes | None) -> bytes:
    if plain is None:
        raise Unavailable("The registry of connectors cannot be read.", headers={"Retry-After": "5"})
    return plain
