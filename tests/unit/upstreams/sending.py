"""Operations made ready, calls to send them for, and upstreams that answer what a test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from narrows import Answer, Id, Input, Narrow, NumberId, Problem, ShortText, Upstream, read, write
from narrows.call import Allowance, Call, Mode
from narrows.declare.endpoint import counts
from narrows.settings import Secret, UpstreamSettings
from narrows.testing import Clock
from narrows.upstreams.breaker import Breaker
from narrows.upstreams.send import Sender
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.wire import LiveWire
from tests.unit.pipeline import calls

Handler = Callable[[httpx.Request], Any]


class Taken(Problem):
    """Somebody was faster."""

    status = 409
    title = "The table is taken"


class Away(Problem):
    """It tells that it is away."""

    status = 503
    title = "The kitchen is away"


class Booking(Narrow):
    """A booking."""

    id: Id
    team_id: NumberId
    note: str = ""


class NewBooking(Input):
    """A booking to be."""

    team_id: NumberId
    note: ShortText = "n"


class Tables(Upstream):
    """Bookings."""

    @read("/bookings/{booking_id}", asks="bookings:read", price="0.01 EUR")
    def booking(self, booking_id: Id) -> Answer[Booking]: ...

    @read("/bookings", asks="bookings:read")
    def of_team(self, team_id: NumberId) -> Answer[list[Booking]]: ...

    @write("/bookings", asks="bookings:write", price="0.05 EUR", problems={409: Taken, 503: Away})
    def book(self, booking: NewBooking) -> Answer[Booking]: ...

    @write("/bookings/{booking_id}", method="DELETE", asks="bookings:write")
    def cancel(self, booking_id: Id) -> Answer[None]: ...


OPERATIONS = (Tables.booking, Tables.of_team, Tables.book, Tables.cancel)
BOOKING = {"id": "b1", "team_id": 7, "note": "n"}


class Tokens:
    """Hands out tokens by number, and keeps what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, frozenset[str]]] = []
        self.discarded: list[Secret] = []

    async def on_behalf_of(self, credential: Any, connector: Any, upstream: Any, scopes: frozenset[str]) -> Secret:
        self.asked.append((credential.subject, connector.id, scopes))
        return Secret(f"token-{len(self.asked)}")

    async def as_service(self, upstream: Any, scopes: frozenset[str]) -> Secret:
        self.asked.append(("", "", scopes))
        return Secret(f"service-{len(self.asked)}")

    async def discard(self, token: Secret) -> None:
        self.discarded.append(token)


class Programs:
    """Lets every program write, unless a test says what speaks against it; keeps who was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.problem: Exception | None = None

    async def check_write(self, connector: Any, credential: Any, endpoint: str) -> None:
        self.asked.append((connector.id, endpoint))
        if self.problem is not None:
            raise self.problem


class Upstreams:
    """One upstream, and what sends to it."""

    def __init__(self, handler: Handler, *, clock: Clock | None = None, **over: Any) -> None:
        self.clock = clock or Clock()
        self.settings = UpstreamSettings(**{"url": "https://tables.test", "audience": "tables-api", **over})
        self.sendables: dict[Any, Sendable] = {
            operation: Sendable.prepare(operation, "tables", self.settings) for operation in OPERATIONS
        }
        self.requests: list[httpx.Request] = []
        self.tokens = Tokens()
        self.programs = Programs()

        async def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            answer = handler(request)
            answer = await answer if hasattr(answer, "__await__") else answer
            return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

        breaker = Breaker(failures=self.settings.breaker_failures, open_s=self.settings.breaker_open_s, now=self.clock)
        self.wire = LiveWire(httpx.MockTransport(handle), self.settings, breaker)
        self.sender = Sender(self.sendables, {"tables": self.wire}, self.tokens, self.programs, self.clock)

    def call(self, *uses: Any, mode: Mode = "live", performer: Any = None, **how: Any) -> Call:
        """A call that may use these operations once each, or all of them."""
        endpoint = calls.declared(nothing, "/x", writes=True, uses=list(uses or OPERATIONS))
        call = calls.call(endpoint, mode=mode, performer=performer or self.sender, clock=self.clock, **how)
        allowed = counts(endpoint.uses or ())
        call.allowance = Allowance(
            allowed, _asks(allowed), _asks({o: n for o, n in allowed.items() if o.kind == "read"})
        )
        return call


def _asks(allowed: Mapping[Any, int]) -> dict[str, frozenset[str]]:
    return {"tables": frozenset(operation.asks for operation in allowed)}


async def nothing() -> None:
    """Do nothing."""
