"""The call that runs here: what an operation knows of it when it is called like a function."""

from __future__ import annotations

from collections.abc import Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from narrows.errors import OperationRefused

if TYPE_CHECKING:
    from narrows.telemetry import CallSpan


class Running(Protocol):
    """A call, as far as an operation needs it; declarations must not know more."""

    open: bool
    span: CallSpan

    def perform(self, operation: Any, args: Any, kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Bind an operation to this call."""
        ...


current: ContextVar[Running] = ContextVar("narrows.call")


def current_call(operation: str) -> Running:
    """The call that runs here. Raises `OperationRefused` outside one, or after it has ended."""
    call = current.get(None)
    if call is None:
        raise OperationRefused(f"{operation} was used outside a call")
    if not call.open:
        raise OperationRefused(f"{operation} was used after its call had ended")
    return call
