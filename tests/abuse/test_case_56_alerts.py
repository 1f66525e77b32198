"""Case 56, at the alerts: nobody has another's program stopped by using up what both of them share."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.alerts.alert import Alert
from narrows.alerts.arranging import facts_of
from narrows.alerts.replay import replay
from narrows.settings import AlertSettings
from narrows.settings.alerting import AlertRules, RefusalSettings
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.testing import bearer
from tests.flow.world import World, make_settings, world
from tests.unit.alerts.traffic import MONDAY, Traffic

OWN = "/teams/7/bookings"
STOPPING = AlertSettings(rules=AlertRules(refusals=RefusalSettings(then="suspend")))


async def told(made: World) -> list[Alert]:
    """What the log would have told, and done."""
    plan = made.app.plan
    assert plan.log.writer is not None
    await plan.log.writer.flush()
    return [one async for one in replay(plan.audit, facts_of(plan.bff), STOPPING, (), made.clock())]


async def test_case_56_a_tenants_rate_that_a_neighbour_used_up_stops_nobody() -> None:
    """One program takes all of the tenant's rate, and the other's honest calls are 429: no burst of its refusals."""
    settings = make_settings(tenants={"example": {"rates": ["5/hour"]}})
    async with world(settings=settings, around={"audit": MemoryAuditStore()}) as made:
        page = bearer(made.token(client_id="where2eat-page"))
        for _ in range(5):
            assert (await made.client.get(OWN, headers=page)).status_code == 200
        for _ in range(25):
            assert (await made.get(OWN)).status_code == 429
        assert [one.connector for one in await told(made)] == []


async def test_case_56_who_probes_is_still_stopped() -> None:
    """A program that is refused for what it asks is found as before."""
    async with world(around={"audit": MemoryAuditStore()}) as made:
        for _ in range(25):
            assert (await made.get("/teams/8/bookings")).status_code == 403
        assert [(one.connector, one.then) for one in await told(made)] == [("copilot", "suspend")]


@pytest.mark.parametrize(
    ("refused", "stopped"),
    [
        ({"rule": "rate 30/minute per caller"}, True),
        ({"rule": "rate 5/minute per connector over all endpoints"}, True),
        ({"rule": "rate 5/minute per tenant, 30/minute per caller"}, True),
        ({"rule": "rate attempts 60/minute per caller"}, True),
        ({"rule": "rate 5 concurrent per tenant over all endpoints"}, False),
        ({"rule": "rate 100/minute per endpoint, 5/minute per tenant"}, False),
        ({"rule": "role:member", "problem": "urn:narrows:problem:volume-exhausted"}, False),
    ],
    ids=str,
)
def test_case_56_only_what_is_a_programs_own_counts_against_it(refused: dict[str, Any], stopped: bool) -> None:
    """Its own rates do; what others use up with it, and volumes, of which budgets tell, do not."""
    traffic = Traffic(STOPPING)
    assert bool(traffic.calls(MONDAY, 30, status=429, outcome="refused", **refused)) is stopped
