"""The fields of a document, at once or one after the other; which failure ends it depends on no upstream's speed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def in_turn(asking: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The answers of fields that are asked one after the other; those behind one that fails are not asked."""
    try:
        return [await one for one in asking]
    finally:
        for one in asking:
            one.close()


async def side_by_side(asking: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The answers of fields that are asked at once.

    The first failure in their order is raised, whichever was there first: else what a document answers would depend on
    how fast each upstream is. Those behind it are cancelled, and have ended when it is raised.
    """
    if len(asking) <= 1:
        return [await one for one in asking]
    first, *rest = asking
    begin = asyncio.get_running_loop().create_task
    tasks = [begin(one) for one in rest]
    try:
        # The first needs no task of its own.
        return [await first, *[await task for task in tasks]]
    finally:
        going = [task for task in tasks if task.cancel()]
        if going:
            await asyncio.wait(going)
        for task in tasks:
            # A failure that another came before is told to nobody; asyncio would complain.
            _ = task.cancelled() or task.exception()
