"""The world of Where2Eat with its programs in a registry, as production has them, and those who change it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from bffs.where2eat.app import bff as where2eat
from narrows import Bff
from narrows.declare.connectors import ConnectorRecord, Written, read_records
from narrows.declare.rate import Rate
from narrows.declare.templates import TEMPLATES, Template
from narrows.governance.connectors import Governor, Operator
from narrows.governance.rotation import Rotated, rotate
from narrows.settings import Settings
from narrows.stores.connectors import MemoryConnectors
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.stores.registry import Connectors
from narrows.surfaces.http import documents_of
from tests.flow.world import World, make_settings, world

DANA, ERIK = Operator(name="dana@example.com"), Operator(name="erik@example.com")
FREE = "free-for-tests@1"


def allow_open_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know a template in which writes need no receipt, for tests of other things than receipts."""
    rate = Rate.parse("1000/minute per connector")
    free = Template(name=FREE, writes=True, commit="open", rate=rate, price=Decimal(1), credential_days=90)
    monkeypatch.setitem(TEMPLATES, FREE, free)  # type: ignore[arg-type]  # it is a dict, which nobody else writes to


class Programs:
    """The registry, and those who change it. A second has passed when a change returns."""

    def __init__(self, made: World, governor: Governor) -> None:
        self.made = made
        self.governor = governor

    async def apply(self, name: str = "copilot", **over: Any) -> str:
        """Apply the record of one of Where2Eat's programs with other fields; answers the state that it has then."""
        [difference] = await self.governor.apply([written(name, **over)], ERIK)
        self.made.clock.move(1)
        return str(difference.after)

    async def approve(self, name: str = "copilot", steps: int = 2) -> None:
        """Approve a draft: once for a trial, twice to be live."""
        for _ in range(steps):
            await self.governor.approve(name, DANA)
        self.made.clock.move(1)

    async def suspend(self, name: str = "copilot") -> None:
        """Suspend."""
        await self.governor.suspend(name, ERIK)
        self.made.clock.move(1)

    async def rotate(self, name: str = "copilot", **how: Any) -> Rotated:
        """Give a new credential."""
        rotated = await rotate(self.governor, name, ERIK, now=self.made.clock, **how)
        self.made.clock.move(1)
        return rotated


def written(name: str, **over: Any) -> Written:
    """The record of one of Where2Eat's programs, with other fields; it has no budgets, which need a store."""
    [found] = [one for one in read_records(where2eat.folder / "connectors") if one.record.id == name]
    fields = {**msgspec.to_builtins(found.record), "budgets": [], "volumes": [], **over}
    return Written(msgspec.convert(fields, ConnectorRecord), found.file, found.text)


def without_table(approvers: Sequence[str] = (DANA.name, ERIK.name), **over: Any) -> Settings:
    """The settings of the world as production has them: no program stands in them, and tokens are attributed."""
    issuers = {"corp": {"attribution": "authorization_details"}}
    made = make_settings(governance={"approvers": approvers}, issuers=issuers, **over)
    return msgspec.structs.replace(made, environment="production", connectors={})


@asynccontextmanager
async def registered(
    *,
    bff: Bff = where2eat,
    store: Connectors | None = None,
    around: Mapping[str, Any] | None = None,
    steps: int = 2,
    over: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    **how: Any,
) -> AsyncIterator[tuple[World, Programs]]:
    """The world with the copilot in the registry, approved `steps` times.

    `record` has other fields of its record, `over` other settings, `how` is for `world`.
    """
    kept = store or MemoryConnectors()
    surroundings = {"connectors": kept, "audit": MemoryAuditStore(), **(around or {})}
    async with world(bff=bff, around=surroundings, settings=without_table(**(over or {})), **how) as made:
        governor = Governor(bff, made.app.plan.settings, kept, now=made.clock, documents=lambda: documents_of(bff))
        programs = Programs(made, governor)
        await programs.apply(**(record or {}))
        if (record or {}).get("kind") == "service":
            await programs.rotate()
        await programs.approve(steps=steps)
        yield made, programs
