"""The pipeline: the one way that every call takes, whichever way it came in.

receive → authenticate → admit → rate → decode → budget → decide → claim → handle → narrow, volume; settle around it
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from narrows.call import Call, Reply
from narrows.current import current
from narrows.errors import NarrowsError, UpstreamTimeout
from narrows.pipeline import (
    admit,
    authenticate,
    budget,
    claim,
    decide,
    decode,
    handle,
    inherit,
    narrow,
    rate,
    receive,
    resolve,
    volume,
)
from narrows.pipeline.settle import Settle
from narrows.pipeline.step import Preparing, Step

ORDER = (receive, authenticate, admit, rate, decode, budget, decide, claim, handle, narrow, volume)
"""What each does and what it answers when it fails: docs/architecture.md."""
CHILD_ORDER = (inherit, resolve, decide, handle)
"""The way of a child call: a field of a document that an endpoint resolves. All else its parent has done for it."""


class StrayCancel(NarrowsError):
    """A handler awaited something that was cancelled: a fault of the BFF."""


class Prepared(NamedTuple):
    """The steps of one endpoint: of its calls, and of its child calls."""

    steps: tuple[Step, ...]
    child_steps: tuple[Step, ...]


def prepare(preparing: Preparing) -> Prepared:
    """Make the steps of one endpoint ready; a step with nothing to do is left out."""
    made = {step: step.prepare(preparing) for step in (*ORDER, inherit, resolve)}

    def found(order: Sequence[ModuleType]) -> tuple[Step, ...]:
        return tuple(step for step in map(made.get, order) if step is not None)

    return Prepared(found(ORDER), found(CHILD_ORDER))


async def run(call: Call, steps: tuple[Step, ...], settle: Settle, call_s: float) -> Reply:
    """Take a call through its steps within `call_s` seconds; it always ends in one settled reply."""
    call.deadline = call.started + call_s
    token = current.set(call)
    try:
        fault = await _through(call, steps, call_s)
        return await settle.ended(call, fault)
    except asyncio.CancelledError:
        settle.cancelled(call)
        raise
    finally:
        current.reset(token)
        # They know their parent: as a circle all of it would stay until the collector comes, and slow what follows.
        call.children.clear()


async def _through(call: Call, steps: tuple[Step, ...], call_s: float) -> Exception | None:
    """Take the steps one after the other; what ends them early is returned. Nothing is sent for the call any more."""
    limit = asyncio.timeout(call_s)
    try:
        async with limit:
            for step in steps:
                await step(call)
    except Exception as fault:  # whatever a step raises, the call ends in one settled reply
        return UpstreamTimeout() if limit.expired() else fault
    except asyncio.CancelledError:
        if _is_cancelled():
            raise
        return StrayCancel("a step ended in a cancellation that was not the call's own")
    finally:
        call.open = False
    return None


def _is_cancelled() -> bool:
    """Whether the task of the call is cancelled, and not only something that a handler awaited."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
