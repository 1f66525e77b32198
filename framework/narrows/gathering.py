"""Operations side by side: all of them, or the failure that says most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar, overload

from narrows.errors import Problem

T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")


# One overload for each arity: with a single variadic one, type checkers infer Any.
@overload
async def gather(a: Awaitable[T1], /) -> tuple[T1]: ...
@overload
async def gather(a: Awaitable[T1], b: Awaitable[T2], /) -> tuple[T1, T2]: ...
@overload
async def gather(a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], /) -> tuple[T1, T2, T3]: ...
@overload
async def gather(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], /
) -> tuple[T1, T2, T3, T4]: ...
@overload
async def gather(
    a: Awaitable[T1], b: Awaitable[T2], c: Awaitable[T3], d: Awaitable[T4], e: Awaitable[T5], /
) -> tuple[T1, T2, T3, T4, T5]: ...
@overload
async def gather(items: Iterable[Awaitable[T1]], /) -> list[T1]: ...
async def gather(*awaitables: Any) -> Any:
    """Run operations side by side; the first failure cancels the others and is the one that is raised.

    Takes one to five awaitables (answers a tuple) or one iterable of them (answers a list).
    """
    many = len(awaitables) == 1 and not isinstance(awaitables[0], Awaitable)
    parts = list(awaitables[0]) if many else awaitables
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_run(part)) for part in parts]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    answers = [task.result() for task in tasks]
    return answers if many else tuple(answers)


async def _run(part: Awaitable[T1]) -> T1:
    return await part


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """A declared problem says more than a fault, so it goes first."""
    for failure in failures.exceptions:
        if isinstance(failure, Problem):
            return failure
    return failures.exceptions[0]
