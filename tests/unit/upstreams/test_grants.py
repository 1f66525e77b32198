"""Each request for a token leaves a record, whatever became of it."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.current import current
from narrows.errors import Forbidden, Unavailable
from narrows.settings import Secret
from narrows.upstreams.token_cache import Denied
from tests.unit.pipeline import calls
from tests.unit.upstreams.fake_authority import READ, SERVICE, World


async def team() -> None:
    """Handle one call."""


@pytest.fixture
def world() -> World:
    """An exchanger over a fake authorization server."""
    return World()


async def within(call: Any, work: Any) -> Any:
    """Do something as a call does."""
    token = current.set(call)
    try:
        return await work
    finally:
        current.reset(token)


async def test_a_token_that_was_made_is_recorded_once(world: World) -> None:
    """For whom, for which program, where it is good and for what; what the cache answers is no new one."""
    call = calls.call(calls.declared(team, "/team"))
    await within(call, world.exchange())
    await within(call, world.exchange())
    assert world.records == [
        {
            "time": "2027-01-15T08:00:00.000Z",
            "event": "grant",
            "what": "made",
            "bff": "lunch",
            "tenant": "example",
            "connector": "app",
            "connector_version": "1",
            "caller": "a" * 32,
            "endpoint": "lunch.team",
            "trace_id": calls.TRACE_ID,
            "rule": None,
            "amount": None,
            "by": "corp",
            "note": "",
            "audience": "https://people.test",
            "scopes": ["profiles:read"],
            "before": None,
            "after": None,
            "digest": None,
            "account": None,
            "operation": None,
            "shape": [],
        }
    ]


async def test_a_token_of_the_service_itself_is_nobodys(world: World) -> None:
    """The record leads to the call for which it was asked, and names no caller."""
    await within(calls.call(calls.declared(team, "/team")), world.exchanger.as_service(SERVICE, READ))
    [record] = world.records
    assert (record["caller"], record["trace_id"]) == (None, calls.TRACE_ID)


async def test_what_was_refused_and_what_failed_are_told_apart(world: World) -> None:
    """A 'no' of the server, and a server that is not well; outside a call there is nobody to name."""
    world.server.say(400, {"error": "invalid_target"})
    with pytest.raises(Forbidden):
        await world.exchange()
    world.server.say(500)
    with pytest.raises(Unavailable):
        await world.exchange("ben")
    assert [(r["what"], r["bff"], r["caller"], r["trace_id"]) for r in world.records] == [
        ("refused", "", None, None),
        ("failed", "", None, None),
    ]


async def test_a_sign_in_is_a_token_too(world: World) -> None:
    """The code of somebody who signed in on the page is redeemed for one."""
    world.server.say(400, {"error": "invalid_grant"})
    assert isinstance(await world.exchanger.redeem("corp", Secret("c"), Secret("v"), "https://bff.test/cb"), Denied)
    assert [(r["what"], r["audience"], r["by"]) for r in world.records] == [("refused", "https://bff.test", "corp")]


async def test_no_record_holds_a_token(world: World) -> None:
    """Neither the one that came in nor the one that was made."""
    made = await world.exchange()
    assert made.reveal() not in str(world.records)
    assert "inbound" not in str(world.records)


async def test_a_token_without_its_record_is_not_used(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing goes out with it, and it is not kept for later."""

    def full(line: bytes) -> None:
        raise OSError("no space left at /secret/place")

    write, world.write = world.write, full  # type: ignore[method-assign]  # a disk that is full
    with pytest.raises(Unavailable):
        await world.exchange()
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text
    world.write = write  # type: ignore[method-assign]  # as above
    await world.exchange()
    assert len(world.server.forms) == 2
