"""What the audit log keeps of a change in the registry."""

from __future__ import annotations

from narrows.audit.events import Event
from narrows.audit.nowhere import Keeper
from narrows.audit.record import timestamp
from narrows.errors import ConnectorError
from narrows.stores.registry import Change, Registered


async def record_change(log: Keeper, bff: str, entry: Registered, change: Change) -> None:
    """Record a change that was made. Raises `ConnectorError`, which says that it holds but has no record."""
    event = Event(
        time=timestamp(change.at),
        event="connector",
        what=change.action,
        bff=bff,
        tenant=entry.record.tenant,
        connector=entry.id,
        connector_version=entry.version,
        by=change.by,
        account=change.os_user or None,
        before=change.before,
        after=change.after,
        digest=change.digest,
        note=change.note,
    )
    try:
        await log.keep(event)
    except Exception as fault:  # whatever the log raises: the change is made, and cannot be taken back by it
        raise ConnectorError(
            f"{entry.id}: {change.action} is done, but the audit log has no record of it ({type(fault).__name__}). "
            "Remedy: see narrows connector show, which has it in its history, and mend the audit log."
        ) from None
