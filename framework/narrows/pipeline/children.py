"""Child calls: the fields of a document are asked of endpoints, and the guards of each decide on its arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from narrows.call import Allowance, Call
from narrows.child import ChildCall
from narrows.current import current
from narrows.declare.endpoint import Endpoint
from narrows.errors import OperationRefused, Problem
from narrows.pipeline.recorded import outcome_of
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
    """Takes child calls through their steps.

    Rates and price are reckoned from what a document selects, so that it is held to that here.
    """

    def __init__(self, entries: Iterable[Prepared]) -> None:
        self._entries = {entry.endpoint.id: entry for entry in entries}
        self._selected = {
            one.endpoint.id: {field.endpoint: field.times for field in one.endpoint.document.fields}
            for one in self._entries.values()
            if one.endpoint.document is not None
        }

    async def ask(self, call: Call, endpoint: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of an endpoint to arguments that a document resolved to; raises what the endpoint ends in.

        Raises `OperationRefused` for a field that the document does not select, or not as often.
        """
        entry = self._entered(call, endpoint)
        child = ChildCall(call, entry.endpoint, entry.allowance, dict(arguments))
        call.children.append(child)
        token = current.set(child)
        try:
            for step in entry.child_steps:
                await step(child)
        except Problem as problem:
            child.outcome, child.problem = outcome_of(problem), problem
            call.raised.append(problem)
            raise
        except Exception:
            child.outcome = "failed"
            raise
        finally:
            child.open = False
            current.reset(token)
        child.outcome = "ok"
        return child.answer

    def _entered(self, call: Call, endpoint: str) -> Prepared:
        """The endpoint that a call may ask now; of what was not registered the document itself says what it asks."""
        document = call.endpoint.document
        if document is not None and document.ad_hoc:
            selected = {field.endpoint: field.times for field in document.fields}
        else:
            selected = self._selected.get(call.endpoint.id, {})
        allowed = selected.get(endpoint, 0)
        if [child.endpoint.id for child in call.children].count(endpoint) >= allowed:
            raise OperationRefused(f"{call.endpoint.id}: {endpoint} is refused: it selects it {allowed} time(s)")
        return self._entries[endpoint]
