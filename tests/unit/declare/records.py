"""A record of a connector that holds, and the BFF and settings that it is for, to which a test adds one defect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from narrows.declare.connectors import ConnectorRecord, Written
from narrows.errors import ConnectorError
from narrows.governance.connectors import Governor, Operator
from narrows.stores.connectors import MemoryConnectors
from narrows.stores.registry import Connectors, Registered
from narrows.testing import Clock
from tests.flow.minimal import make_bff, make_settings

CARLA, DANA, ERIK = Operator(name="carla"), Operator(name="dana", os_user="d"), Operator(name="erik")
FIELDS: dict[str, Any] = {
    "id": "lunch-app",
    "version": "1.0",
    "issuer": "corp",
    "client_id": "lunch-app",
    "tenant": "example",
    "owner": "olga",
    "contact": "conny",
    "kind": "low-code",
    "purpose": "Book lunch",
    "template": "limited-write@1",
    "endpoints": ["lunch.team", "lunch.book"],
    "scopes": ["lunch:read"],
    "rates": ["60/minute"],
    "price_ceiling": "0.10 EUR",
    "sensitive": True,
}


def record(**over: Any) -> ConnectorRecord:
    """A record that holds, with other fields; None leaves one out."""
    fields = {name: value for name, value in {**FIELDS, **over}.items() if value is not None}
    return msgspec.convert(fields, ConnectorRecord)


def file(folder: Path, **over: Any) -> Path:
    """The same as a file."""
    fields = {name: value for name, value in {**FIELDS, **over}.items() if value is not None}
    path = folder / f"{fields.pop('id')}.toml"
    path.write_text("".join(f"{name} = {toml(value)}\n" for name, value in fields.items()), encoding="utf-8")
    return path


def toml(value: Any) -> str:
    """A value as TOML writes it; a date stays bare."""
    return value.isoformat() if hasattr(value, "isoformat") else msgspec.json.encode(value).decode()


class Office:
    """A registry, and those who change it: Olga owns, Conny is asked, Dana and Erik approve, Carla applies."""

    def __init__(self, store: Connectors | None = None, *, clock: Clock | None = None, **how: Any) -> None:
        self.clock = clock or Clock()
        self.store = store or MemoryConnectors()
        settings = make_settings(governance={"approvers": [" Dana ", "ERIK", "olga", "conny"]})
        self.governor = Governor(make_bff(), settings, self.store, now=self.clock, **how)

    async def apply(self, *records: ConnectorRecord, by: Operator = CARLA) -> list[Any]:
        """Apply records, as if each stood in a file."""
        return await self.governor.apply([Written(one, Path(f"{one.id}.toml")) for one in records], by)

    async def live(self, **over: Any) -> Registered:
        """A connector that was applied and approved."""
        one = record(**over)
        await self.apply(one)
        await self.governor.approve(one.id, DANA)
        return await self.governor.approve(one.id, ERIK)

    async def refused(self, change: Any) -> str:
        """What a change that is refused says."""
        try:
            await change
        except ConnectorError as error:
            return str(error)
        raise AssertionError("it was not refused")
