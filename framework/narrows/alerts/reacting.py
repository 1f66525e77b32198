"""What an alert does to its connector, where that is declared: suspend or revoke it, as an operator would."""

from __future__ import annotations

import logging

from narrows.alerts.alert import Alert
from narrows.errors import ConnectorError, Unavailable
from narrows.governance.connectors import Governor, Operator

BY = "narrows alerts"
"""Who did it, in the history of the connector."""

_log = logging.getLogger("narrows.alerts")


async def react(governor: Governor, alert: Alert) -> bool:
    """Do what the alert asks for; False when it has to be tried again.

    It only ever takes away: what is suspended or revoked already stays as it is, and nothing is resumed.
    """
    connector = alert.connector or ""
    change = governor.revoke if alert.then == "revoke" else governor.suspend
    try:
        await change(connector, Operator(name=BY), f"alert {alert.id}: {alert.what}; {alert.observed}")
    except ConnectorError as error:
        return await _stands(governor, alert, connector, str(error))
    except Unavailable:
        return False
    _log.warning("%s: %s by an alert: %s", connector, "revoked" if alert.then == "revoke" else "suspended", alert.what)
    return True


async def _stands(governor: Governor, alert: Alert, connector: str, refused: str) -> bool:
    """Whether the connector is already stopped, or is not in the registry: then there is nothing left to do."""
    try:
        entry = await governor.store.get(connector)
    except Unavailable:
        return False
    stopped = ("revoked",) if alert.then == "revoke" else ("suspended", "revoked")
    _log.warning("%s by an alert: %s", alert.then, refused)
    return entry is None or entry.state in stopped
