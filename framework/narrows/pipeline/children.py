"""Child calls: the fields of a document are asked of endpoints, and the guards of each decide on its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from narrows.call import Allowance, Call
from narrows.child import ChildCall
from narrows.current import current
from narrows.declare.endpoint import Endpoint
from narrows.errors import Problem
from narrows.pipeline.step import Step


class Prepared(Protocol):
    """An endpoint that is ready for child calls."""

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint itself."""
        ...

    @property
    def child_steps(self) -> tuple[Step, ...]:
        """The steps of its child calls."""
        ...

    @property
    def allowance(self) -> Allowance:
        """What they may send."""
        ...


class Children:
    """Takes child calls through their steps."""

    def __init__(self, entries: Mapping[str, Prepared]) -> None:
        self._entries = entries

    async def ask(self, call: Call, endpoint: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of an endpoint to arguments that a document resolved to; raises what the endpoint ends in."""
        entry = self._entries[endpoint]
        child = ChildCall(call, entry.endpoint, entry.allowance)
        child.arguments = dict(arguments)
        token = current.set(child)
        try:
            for step in entry.child_steps:
                await step(child)
        except Problem as problem:
            call.raised.append(problem)
            raise
        finally:
            current.reset(token)
        return child.answer
