"""What an upstream's answer means to the client; nothing of the peer is repeated."""

from __future__ import annotations

from typing import Any

from narrows.call import Call
from narrows.errors import Problem, Unavailable, UpstreamFailed, UpstreamTimeout
from narrows.transport import Failure, Fetched
from narrows.upstreams.narrowing import left_out
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.wire import BreakerOpen

_LONGEST_WAIT_S = 3600


def problem_of(failure: Failure) -> Problem:
    """The problem that a failure on the way is to the client."""
    if isinstance(failure, BreakerOpen):
        return Unavailable(headers={"Retry-After": str(failure.wait_s)})
    match failure.kind:
        case "timeout":
            return UpstreamTimeout()
        case "connect":
            return Unavailable(headers={"Retry-After": "1"})
    return UpstreamFailed()


def read_answer(call: Call, sendable: Sendable, answer: Fetched) -> Any:
    """Turn an answer into the narrow type, or raise the problem that its status stands for."""
    declared = sendable.operation.problems.get(answer.status)
    if declared is not None:
        raise declared()
    if answer.status in (429, 503):
        raise Unavailable(headers={"Retry-After": _wait(answer)})
    if not 200 <= answer.status < 300:
        raise UpstreamFailed(upstream_status=answer.status)
    if sendable.decoder is None:
        return None
    if answer.media_type != "application/json" and not answer.media_type.endswith("+json"):
        raise UpstreamFailed()
    try:
        value = sendable.decoder.decode(answer.body)
        if call.mode != "live":
            call.left_out |= left_out(sendable.operation.id, answer.body, value)
    except (ValueError, OverflowError, RecursionError):
        raise UpstreamFailed() from None
    return value


def _wait(answer: Fetched) -> str:
    """The upstream's own `Retry-After` in seconds, an hour at the most; one second when it says none."""
    asked = answer.headers.get("retry-after", "")
    if not (asked.isascii() and asked.isdecimal()):
        return "1"
    return str(min(max(1, int(asked[:9])), _LONGEST_WAIT_S))
