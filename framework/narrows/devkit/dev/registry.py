"""The connectors of the files beside a BFF: registered and approved for this run, or left to the settings' registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from narrows.declare.bff import Bff
from narrows.declare.connectors import Written
from narrows.governance.connectors import Governor, Operator
from narrows.settings import GovernanceSettings, Settings
from narrows.stores.registry import Connectors
from narrows.surfaces.http import documents_of

_DEVELOPER = Operator(name="the developer at narrows dev")
_APPROVER = Operator(name="narrows dev")


async def register(
    bff: Bff, settings: Settings, store: Connectors, written: Sequence[Written], now: Callable[[], float]
) -> None:
    """Take each record through a registry of this process alone, up to live. Policies are told by `narrows check`.

    Raises `ConnectorError` for what template or BFF do not allow: file, line, rule and remedy.
    """
    own = msgspec.structs.replace(settings, governance=GovernanceSettings(approvers=(_APPROVER.name,)))
    governor = Governor(bff, own, store, now=now, documents=partial(documents_of, bff))
    await governor.apply(written, _DEVELOPER)
    for one in written:
        for _ in ("trial", "live"):
            await governor.approve(one.record.id, _APPROVER)


def has_registry(stores: Mapping[str, Any], base: Path, environ: Mapping[str, str]) -> bool:
    """Whether the settings name a registry on this machine, and the key that seals it is at hand."""
    if not str(stores.get("connectors", "")).startswith("sqlite:"):
        return False
    match stores.get("key"):
        case {"file": str(name)}:
            return (base / name).is_file()
        case {"env": str(name)}:
            return name in environ
    return False
