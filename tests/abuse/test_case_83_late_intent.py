"""Case 83: what happens while a write waits for its intent to be durable still stops it."""

from __future__ import annotations

import pytest

from narrows.stores import Attempt, Found
from narrows.testing import bearer
from tests.abuse.test_case_83_suspension import HOST, RECORD, Host, twofold
from tests.flow.programs import ERIK, allow_open_writes, registered


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "k-1"}])
async def test_a_suspension_while_the_intent_waits_stops_the_write(
    monkeypatch: pytest.MonkeyPatch, key: dict[str, str]
) -> None:
    """A store on disk may keep a write waiting for seconds; the state is looked at again once it has answered."""
    allow_open_writes(monkeypatch)
    host = Host()
    async with registered(bff=twofold, record=RECORD, hosts={HOST: host}) as (made, programs):
        intend = made.app.plan.commits.intend

        async def slowly(attempt: Attempt, operation: str) -> Found:
            found = await intend(attempt, operation)
            await programs.suspend()
            return found

        monkeypatch.setattr(made.app.plan.commits, "intend", slowly)
        headers = bearer(made.token()) | key
        answer = await made.client.post("/teams/7/both", headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:narrows:problem:connector-refused")
        assert "effects" not in answer.json()
        assert host.written == []
        assert made.records.calls()[-1]["effects"] == []
        # Nothing left, so nothing is open, and the key is free for when the program may write again.
        assert await made.app.plan.commits.unsettled(10) == []
        monkeypatch.undo()
        allow_open_writes(monkeypatch)
        await programs.governor.resume("copilot", ERIK)
        made.clock.move(1)
        assert (await made.client.post("/teams/7/both", headers=headers)).status_code == 200
        assert host.written == ["/first", "/second"]
