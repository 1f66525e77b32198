"""Case 56, at the alerts: nobody drowns what is told of a program in refusals that anybody can bring about."""

from __future__ import annotations

import httpx

from narrows.alerts.telling import QUEUE
from tests.unit.alerts.test_watch import WEEKS_2, settle, started
from tests.unit.alerts.test_webhooks import Hook
from tests.unit.alerts.traffic import leaf


async def test_case_56_anonymous_networks_push_out_no_alert_of_a_program() -> None:
    """While a receiver is away, somebody with hundreds of networks has no token: what waits of the program stays."""
    site, watch = await started(hook=Hook(lambda: httpx.Response(503)))
    await site.spike(WEEKS_2 + 3 * 3600, calls=22, connector="app", status=403)
    await settle(watch)
    for number in range(QUEUE + 5):
        peer = f"2001:db8:{number:x}::1"
        refused = {"connector": None, "tenant": None, "status": 401, "peer": peer}
        await site.put(*(leaf(WEEKS_2 + 4 * 3600 + one * 0.01, **refused) for one in range(41)))
    await settle(watch)
    waiting = [one.alert.connector for one in (await site.state()).pending if one.to.startswith("webhook:")]
    assert len(waiting) == QUEUE
    assert "app" in waiting
