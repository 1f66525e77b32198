"""An application watches its own log: what its programs do becomes alerts, and alerts what they may do."""

import asyncio
import base64
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from narrows.alerts.arranging import facts_of
from narrows.alerts.replay import replay
from narrows.settings import Secret
from tests.flow.programs import registered
from tests.flow.world import world

KEY = f"whsec_{base64.b64encode(bytes(32)).decode()}"
FOREIGN = "/teams/8/bookings"
OWN = "/teams/7/bookings"


def alerts(made):
    """The alerts in the records."""
    return [record for record in made.records.all() if record["event"] == "alert"]


async def until(seen):
    """Wait for what another task does."""
    async with asyncio.timeout(20):
        while not seen():  # noqa: ASYNC110 - what is waited for is a fake's list
            await asyncio.sleep(0.005)


def settings(**over):
    """Alerts that are looked for at once, and what refusals lead to."""
    return {"alerts": {"every_s": 0.01, **over}}


class Ops:
    """A receiver of webhooks, as an ASGI application's transport."""

    def __init__(self):
        self.got = []

    async def handle(self, request):
        self.got.append(request)
        return httpx.Response(204)


async def test_a_program_that_probes_is_suspended_and_told() -> None:
    """From its refusals, over the log and the rule, to the registry, the webhook and its next call."""
    ops = Ops()
    over = settings(
        rules={"refusals": {"then": "suspend"}},
        webhooks={"ops": {"url": "https://ops.test/hook", "keys": [Secret(KEY)]}},
    )
    async with registered(over=over, hosts={"ops.test": httpx.MockTransport(ops.handle)}) as (made, programs):
        assert (await made.get(OWN)).status_code == 200
        for _ in range(21):
            assert (await made.get(FOREIGN)).status_code == 403
        await until(lambda: ops.got)
        assert (await programs.governor.find("copilot")).state == "suspended"
        made.clock.move(0.5)
        refused = await made.get(OWN)
        assert (refused.status_code, refused.json()["detail"]) == (403, "The connector is in state 'suspended'.")
        (event,) = alerts(made)
        line = (await programs.governor.store.history("copilot"))[-1]
        plan = made.app.plan
        replayed = [one async for one in replay(plan.audit, facts_of(plan.bff), plan.settings.alerts, (), made.clock())]
        change = next(record for record in made.records.all() if record.get("what") == "suspend")
    assert (event["what"], event["connector"], event["amount"]) == (
        "refusals",
        "copilot",
        "21 of 22 calls within ten minutes",
    )
    assert (line.by, line.action) == ("narrows alerts", "suspend")
    assert (change["event"], change["by"], change["after"]) == ("connector", "narrows alerts", "suspended")
    assert change["note"] == line.note
    # What was recorded tells the same again, under the same id.
    assert [(one.rule, one.then) for one in replayed] == [("refusals", "suspend")]
    assert event["note"].startswith(replayed[0].id)
    (request,) = ops.got
    told = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    # The verifier wants the time of its own machine, and the world has a clock of its own: so it signs the same again.
    signed = Webhook(KEY).sign(told[0], datetime.fromtimestamp(told[1], UTC), request.content.decode())
    assert (request.headers["webhook-signature"], told[1]) == (signed, int(made.clock() - 0.5))
    assert KEY.encode()[6:] not in made.network.traffic()


async def test_a_rule_that_only_tells_stops_nobody() -> None:
    """Without a reaction that is declared, the program goes on."""
    async with registered(over=settings()) as (made, programs):
        for _ in range(21):
            await made.get(FOREIGN)
        await until(lambda: alerts(made))
        assert (await programs.governor.find("copilot")).state == "live"
        assert (await made.get(OWN)).status_code == 200


async def test_the_watch_can_be_left_out() -> None:
    """With `watch = false` nothing is looked at."""
    async with registered(over=settings(watch=False)) as (made, _):
        for _ in range(21):
            await made.get(FOREIGN)
        await asyncio.sleep(0)
        assert await made.app.plan.audit.kept("alerts.v1:where2eat") is None
        assert alerts(made) == []


async def test_a_key_that_is_none_stops_the_start() -> None:
    """Rather than signing with it."""
    webhooks = {"ops": {"url": "https://ops.test", "keys": [Secret("whsec_short")]}}
    with pytest.raises(RuntimeError, match=r"^alerts\.webhooks\.ops\.keys: a key is not"):
        async with world(alerts={"webhooks": webhooks}):
            pass
