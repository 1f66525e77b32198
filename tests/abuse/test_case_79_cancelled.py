"""Case 79: a live write that is cancelled in its midst, as at the end of a server, leaves word of what it did."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.abuse.apart import PATH, TEXT, Place, stores
from tests.abuse.attack import post
from tests.abuse.errands import LedgerHost, running


class Waiting(LedgerHost):
    """Does not answer a request of this method."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.method = method
        self.arrived = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == self.method:
            self.got.append((scope["method"], scope["path"]))
            self.arrived.set()
            await asyncio.Event().wait()
        await super().__call__(scope, receive, send)


async def cancelled(place: Place, method: str) -> None:
    """Cancel a write once a request of this method is upstream; the server ends at once after it."""
    host = Waiting(method)
    async with running(host, stores=stores(place)) as (made, _):
        key = [("idempotency-key", "k-1")]
        writing = asyncio.ensure_future(post(made.app, PATH, TEXT, token=made.token(), headers=key))
        await asyncio.wait_for(host.arrived.wait(), 10)
        writing.cancel()
        await asyncio.wait((writing,))
        assert writing.cancelled()
        [record] = made.records.calls()
        assert (record["status"], record["outcome"]) == (499, "cancelled")


async def test_case_79_a_cancelled_write_has_its_outcome(place: Place) -> None:
    """The intent does not stay open, and a retry reads at once which effect may have happened; it sends nothing."""
    await cancelled(place, "POST")
    async with running(stores=stores(place)) as (made, host):
        assert await made.app.plan.commits.unsettled(10) == []
        got = await post(made.app, PATH, TEXT, token=made.token(), headers=[("idempotency-key", "k-1")])
        assert (got.status, got.kind) == (409, "already-attempted")
        assert (got.problem["effects"], got.problem["effects_unknown"]) == ([], ["Ledger.add"])
        assert host.writes == []


async def test_case_79_a_call_cancelled_before_its_first_effect_frees_its_key(place: Place) -> None:
    """Nothing came of it, so the retry need not wait until the first would have ended."""
    await cancelled(place, "GET")
    async with running(stores=stores(place)) as (made, host):
        got = await post(made.app, PATH, TEXT, token=made.token(), headers=[("idempotency-key", "k-1")])
        assert (got.status, len(host.writes)) == (200, 1)
