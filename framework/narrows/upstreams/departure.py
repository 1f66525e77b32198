"""What a call knows of one request that leaves: its price, and of a write whether it happened."""

from __future__ import annotations

from types import TracebackType

from narrows.call import Call
from narrows.errors import OperationRefused
from narrows.transport import Failure
from narrows.upstreams.sendable import Sendable


class Departure:
    """One request on its way, as a context manager; `answered` tells it the status of the answer.

    The price counts from the start, unless the request surely never left. A write is `unknown` from the start; an
    answer makes it `sent` (below 400) or nothing (4xx: refused); a 5xx, a failure on the way and a cancellation leave
    it unknown.
    """

    def __init__(self, call: Call, sendable: Sendable) -> None:
        self._call = call
        self._sendable = sendable
        self._id = sendable.operation.id
        self._writes = sendable.operation.kind == "write"

    def __enter__(self) -> Departure:
        """Let it leave. Raises `OperationRefused` when the call has ended meanwhile."""
        if not self._call.open:
            raise OperationRefused(f"{self._id} was about to be sent after its call had ended")
        self._call.spend(self._sendable.price)
        if self._writes:
            self._call.unknown.append(self._id)
            self._call.in_flight += 1
        return self

    def answered(self, status: int) -> None:
        """Note what the status says of a write."""
        if self._writes and status < 500:
            self._call.unknown.remove(self._id)
            (self._call.sent if status < 400 else self._call.failed).append(self._id)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        left = not isinstance(error, Failure) or error.sent
        if not left:
            self._call.take_back(self._sendable.price)
        if self._writes:
            self._call.in_flight -= 1
            if not left:
                self._call.unknown.remove(self._id)
                self._call.failed.append(self._id)
