"""Case 79: a process that is killed between the intent of a write and its outcome; the retry doubles nothing.

The child is a second process on the same stores, killed by SIGKILL by its own upstream the moment the write is there.
"""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.abuse.apart import PATH, TEXT, Place, begin, stores
from tests.abuse.attack import Got, post
from tests.abuse.errands import running
from tests.flow.world import World


async def kill(place: Place, headers: dict[str, str], *, early: bool = False) -> list[str]:
    """Let a process send the write, and die of it, or kill it once its read is upstream; what it printed."""
    child = await begin("kill", place, headers)
    try:
        assert (await child.said()) == "ready"
        if early:
            child.process.send_signal(signal.SIGKILL)
        else:
            await child.go()
        printed, _ = await child.process.communicate()
        assert child.process.returncode == -signal.SIGKILL
        return printed.decode().split()
    finally:
        await child.end()


async def retry(made: World, headers: dict[str, str], body: Any = TEXT) -> Got:
    """The same request once more, in this process."""
    return await post(made.app, PATH, body, token=made.token(), headers=list(headers.items()))


async def rehearsed(place: Place) -> str:
    """The receipt of a rehearsal, kept in the stores."""
    async with running(stores=stores(place)) as (made, _):
        got = await post(made.app, f"/rehearse{PATH}", TEXT, token=made.token())
        assert got.status == 200
        return got.header("rehearsal-receipt") or ""


async def test_case_79_a_retry_with_the_same_key_is_never_sent_again(place: Place) -> None:
    """While the first could still be on its way and after that: 409, and the second names what may have happened."""
    headers = {"idempotency-key": "k-1"}
    assert await kill(place, headers) == ["written"]
    async with running(stores=stores(place)) as (made, host):
        first = await retry(made, headers)
        assert (first.status, first.kind, first.header("retry-after")) == (409, "key-in-use", "15")
        made.clock.move(20)
        late = await retry(made, headers)
        assert (late.status, late.kind) == (409, "already-attempted")
        assert (await retry(made, headers, {"text": "other"})).status == 422
        assert host.writes == []
        [left] = await made.app.plan.commits.unsettled(10)
        assert (left.endpoint, left.operation) == ("errands.copied", "Ledger.add")
        # Another key is another request.
        assert (await retry(made, {"idempotency-key": "k-2"})).status == 200
        assert len(host.writes) == 1


@pytest.mark.parametrize("key", [{}, {"idempotency-key": "k-1"}])
async def test_case_79_a_receipt_of_a_killed_call_is_spent(place: Place, key: dict[str, str]) -> None:
    """It was spent with the intent, in one step: the retry is a 409, and nothing is sent."""
    headers = {"rehearsal-receipt": await rehearsed(place), **key}
    assert await kill(place, headers) == ["written"]
    async with running(stores=stores(place)) as (made, host):
        made.clock.move(20)
        got = await retry(made, headers)
        assert (got.status, got.kind) == (409, "already-attempted" if key else "receipt-refused")
        alone = await retry(made, {"rehearsal-receipt": headers["rehearsal-receipt"]})
        assert (alone.status, alone.problem["reason"]) == (409, "spent")
        assert host.writes == []


async def test_case_79_a_call_killed_before_its_intent_is_carried_out_later(place: Place) -> None:
    """A key that is held and nothing more loses no write: once its call would have ended, the retry goes on."""
    headers = {"idempotency-key": "k-1"}
    assert await kill(place, headers, early=True) == []
    async with running(stores=stores(place)) as (made, host):
        assert (await retry(made, headers)).status == 409
        made.clock.move(20)
        assert (await retry(made, headers)).status == 200
        assert len(host.writes) == 1


async def test_case_79_the_next_start_tells_of_it(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Operators read which write is open and which trace leads to it, once its call has surely ended."""
    assert await kill(place, {}) == ["written"]
    async with running(stores=stores(place)) as (made, _):
        assert caplog.messages == []
        [left] = await made.app.plan.commits.unsettled(10)
        made.clock.move(20)
        await made.app.plan.start()
    assert caplog.messages == [f"errands.copied: nobody knows whether Ledger.add happened, trace {left.trace_id}"]


async def test_case_79_a_stored_answer_needs_todays_authorisation(place: Place) -> None:
    """Who has lost the role reads the denial that everybody reads, and not the answer of then."""
    async with running(stores=stores(place)) as (made, host):
        headers = {"idempotency-key": "k-1"}
        first = await retry(made, headers)
        assert (first.status, first.header("idempotency-replayed")) == (200, None)
        again = await retry(made, headers)
        assert (again.status, again.body, again.header("idempotency-replayed")) == (200, first.body, "true")
        for lost in ({"teams": []}, {"scope": "other"}):
            got = await post(made.app, PATH, TEXT, token=made.token(**lost), headers=list(headers.items()))
            assert got.status == 403
            assert first.body not in got.body
        assert len(host.writes) == 1
        assert [record["idempotency"] for record in made.records.calls()[:2]] == ["first", "replayed"]


async def test_case_79_without_a_durable_intent_nothing_leaves(tmp_path: Path) -> None:
    """Where the store does not take the intent, that is a 503, and the upstream hears nothing of the write."""
    async with running(stores=stores(tmp_path)) as (made, host):
        with sqlite3.connect(tmp_path / "commits.db") as other:
            other.execute("DROP TABLE intents")
        other.close()
        got = await post(made.app, PATH, TEXT, token=made.token())
        assert (got.status, got.header("retry-after")) == (503, "5")
        assert host.writes == []
        assert host.got != []
