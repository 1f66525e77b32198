"""An operation goes out: within `uses`, with a token of its own, within the deadline, decoded into its narrow type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from narrows.call import Call, Connector, Credential
from narrows.declare.upstream import Operation
from narrows.errors import OperationRefused, UpstreamTimeout
from narrows.settings import Secret, UpstreamSettings
from narrows.transport import Failure, Fetched
from narrows.upstreams.answers import problem_of, read_answer
from narrows.upstreams.commitment import Committer
from narrows.upstreams.departure import Departure
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.wire import Clock, Wires

Sendables = Mapping[Operation[..., Any], Sendable]


class Tokens(Protocol):
    """Gets the token that an upstream is called with."""

    async def on_behalf_of(
        self, credential: Credential, connector: Connector, upstream: UpstreamSettings, scopes: frozenset[str]
    ) -> Secret:
        """Exchange the caller's token for one of this audience and these scopes."""
        ...

    async def as_service(self, upstream: UpstreamSettings, scopes: frozenset[str]) -> Secret:
        """Get a token for the service itself."""
        ...

    async def discard(self, token: Secret) -> None:
        """Forget a token that an upstream refused."""
        ...


class Programs(Protocol):
    """Knows whether the program of a call may still write."""

    async def check_write(self, connector: Connector, credential: Credential, endpoint: str) -> None:
        """Raise `ConnectorRefused` if it may not, and `Unavailable` if nobody knows."""
        ...


def enter(call: Call, operation: Operation[..., Any], sendables: Sendables) -> Sendable:
    """Let an operation run for a call: open, in `uses` and within its count. Raises `OperationRefused`."""
    if not call.open:
        raise OperationRefused(f"{operation.id} was awaited after its call had ended")
    allowed = call.allowance.counts.get(operation, 0)
    used = call.counts.get(operation, 0)
    if used >= allowed:
        rule = f"`uses` allows it {allowed} time(s)" if allowed else "it is not in `uses`"
        raise OperationRefused(f"{call.endpoint.id}: {operation.id} is refused: {rule}")
    call.counts[operation] = used + 1
    return sendables[operation]


class Sender:
    """Sends operations to their upstreams; what it may send is a matter of the wires that it is given."""

    def __init__(
        self,
        sendables: Sendables,
        wires: Wires,
        tokens: Tokens,
        programs: Programs,
        now: Clock,
        committer: Committer | None = None,
    ) -> None:
        self._committer = committer
        self._sendables = sendables
        self._wires = wires
        self._tokens = tokens
        self._programs = programs
        self._now = now

    async def perform(self, call: Call, operation: Operation[..., Any], args: Any, kwargs: Any) -> Any:
        """Send one operation for a call; raises declared problems and those of status 502 to 504."""
        sendable = enter(call, operation, self._sendables)
        return await self.send(call, sendable, sendable.bind(args, kwargs))

    async def send(self, call: Call, sendable: Sendable, values: Mapping[str, Any]) -> Any:
        """Send bound values: token, request, answer."""
        with call.span.child(sendable.operation.id) as span:
            token = await self._token(call, sendable)
            await self._check_program(call, sendable)
            headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
            request = sendable.request(values, headers)
            place = None
            if self._committer is not None and (sendable.operation.kind == "write" or call.commitment is not None):
                place = await self._committer.before(call, sendable, values)
                # The intent may have waited for the disk, and the answer of before is too old by then.
                await self._check_program(call, sendable)
            answer = await self._deliver(call, sendable, request)
            span.answered(len(answer.body))
            if answer.status == 401 and token:
                await self._tokens.discard(token)
            value = read_answer(call, sendable, answer)
            if place is not None and call.commitment is not None:
                call.commitment.after(place, value)
            return value

    async def _token(self, call: Call, sendable: Sendable) -> Secret | None:
        """The token for this upstream: as the caller, as the service, or none."""
        upstream = sendable.settings
        asked = call.allowance.asks if call.mode == "live" else call.allowance.read_asks
        scopes = asked.get(sendable.upstream, frozenset())
        if upstream.identity == "none":
            return None
        call.scopes_asked |= scopes
        if upstream.identity == "service":
            return await self._tokens.as_service(upstream, scopes)
        if call.credential is None or call.connector is None:
            raise OperationRefused(f"{sendable.operation.id} needs a caller")
        return await self._tokens.on_behalf_of(call.credential, call.connector, upstream, scopes)

    async def _check_program(self, call: Call, sendable: Sendable) -> None:
        """See that the connector may still write: it may have been suspended since the call began."""
        if sendable.operation.kind == "read":
            return
        if call.credential is None or call.connector is None:
            raise OperationRefused(f"{sendable.operation.id} needs a caller")
        await self._programs.check_write(call.connector, call.credential, call.called.id)

    async def _deliver(self, call: Call, sendable: Sendable, request: httpx.Request) -> Fetched:
        """Send over the wire within what is left of the call's time."""
        left = min(sendable.settings.deadline_s, call.deadline - self._now())
        if left <= 0:
            raise UpstreamTimeout()
        try:
            with Departure(call, sendable) as departure:
                answer = await self._wires[sendable.upstream].send(sendable, request, left)
                departure.answered(answer.status)
                return answer
        except Failure as failure:
            raise problem_of(failure) from None
