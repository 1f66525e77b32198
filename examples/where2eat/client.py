"""The BFF as a program of its own sees it: plain HTTP with a bearer token, nothing of Narrows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import urljoin

import httpx
import msgspec
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_T = TypeVar("_T")
_propagator = TraceContextTextMapPropagator()


class Suggestion(msgspec.Struct):
    """A place where everybody can eat."""

    place_id: str
    name: str
    cuisine: list[str]
    distance_m: int
    vegetarian: bool
    vegan: bool
    open: bool | None = None


class Booking(msgspec.Struct):
    """A booked table."""

    id: str
    starts_at: datetime
    seats: int


class Effect(msgspec.Struct):
    """One upstream write that a call would lead to; `arguments` by JSON pointer."""

    operation: str
    method: str
    path: str
    arguments: dict[str, Any]
    price: str | None = None


class Rehearsal(msgspec.Struct):
    """What a rehearsal says of itself, as far as it is needed here.

    `receipt` is what one live call shows; `confirmation` tells what the person has decided by now.
    """

    id: str
    effects: list[Effect]
    price: dict[str, str | None]
    left_out: list[str]
    trace_id: str
    receipt: str | None = None
    confirmation: Literal["open", "confirmed", "spent"] | None = None


class Refused(Exception):
    """The BFF said no; the message is what it said, for the person."""


class NotConfirmed(Refused):
    """The person has to confirm it first, on the BFF's own page; `url` is where."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class _FieldError(msgspec.Struct):
    pointer: str
    detail: str
    remedy: str


class _Problem(msgspec.Struct):
    title: str = "The request failed"
    detail: str = ""
    remedy: str = ""
    errors: list[_FieldError] = []
    trace_id: str = ""
    confirm_url: str = ""


class Bff:
    """The BFF as this person sees it. Each request is a span and carries its trace context (W3C)."""

    def __init__(self, client: httpx.AsyncClient, server: str, token: str, tracer: Tracer) -> None:
        self._client = client
        self._server = server
        self._authorization = f"Bearer {token}"
        self._tracer = tracer

    async def suggestions(self, team: int, open_at: datetime, limit: int) -> list[Suggestion]:
        """Places where the whole team can eat at that time, nearest first."""
        query: dict[str, str | int] = {"open_at": rfc3339(open_at), "limit": limit}
        path = f"/teams/{team}/dining-suggestions"
        response = await self._send("GET", path, "/teams/{team_id}/dining-suggestions", params=query)
        return _read(response, list[Suggestion])

    async def rehearse_booking(self, team: int, wanted: dict[str, Any]) -> Rehearsal:
        """What the booking would do; nothing is booked."""
        response = await self._send(
            "POST", f"/rehearse/teams/{team}/bookings", "/teams/{team_id}/bookings", json=wanted
        )
        described = urljoin(str(response.url), response.links.get("describedby", {}).get("url", ""))
        if not described.startswith(f"{self._server}/rehearse/rehearsals/"):
            raise Refused("The server did not say what it rehearsed, so nothing is booked.")
        return await self.rehearsal(described.rpartition("/")[2])

    async def rehearsal(self, rehearsal_id: str) -> Rehearsal:
        """One rehearsal of this person and program, as it stands now."""
        path = f"/rehearse/rehearsals/{rehearsal_id}"
        return _read(await self._send("GET", path, "/rehearsals/{rehearsal_id}"), Rehearsal)

    async def book(self, team: int, wanted: dict[str, Any], receipt: str) -> Booking:
        """Book for real what was rehearsed. Raises `NotConfirmed` until the person has confirmed it."""
        path, template = f"/teams/{team}/bookings", "/teams/{team_id}/bookings"
        response = await self._send("POST", path, template, json=wanted, headers={"rehearsal-receipt": receipt})
        return _read(response, Booking)

    async def _send(
        self, method: str, path: str, template: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        with self._tracer.start_as_current_span(f"{method} {template}", kind=SpanKind.CLIENT) as span:
            headers = {"authorization": self._authorization, **(headers or {})}
            _propagator.inject(headers)
            response = await self._client.request(method, self._server + path, headers=headers, **more)
            span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code >= 400:
            raise self._refused(response)
        return response

    def _refused(self, response: httpx.Response) -> Refused:
        """What a problem means; a page that is not the server's own is not opened."""
        text, problem = _explain(response)
        own = problem.confirm_url.startswith(f"{self._server}/confirm/")
        return NotConfirmed(text, problem.confirm_url) if response.status_code == 428 and own else Refused(text)


def _read(response: httpx.Response, kind: type[_T]) -> _T:
    return msgspec.json.decode(response.content, type=kind)


def _explain(response: httpx.Response) -> tuple[str, _Problem]:
    """A problem (RFC 9457) in lines for a person, and the problem itself."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        return f"The server answered {response.status_code}.", _Problem()
    lines = [f"{problem.title} ({response.status_code}).", problem.detail]
    lines += [f"  {error.pointer}: {error.detail} {error.remedy}" for error in problem.errors]
    lines += [f"What helps: {problem.remedy}" if problem.remedy else "", f"Trace {problem.trace_id}"]
    return plain("\n".join(line for line in lines if line)), problem


def plain(text: str) -> str:
    """Text from elsewhere without what could move the cursor of a terminal or begin a new line in a table."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def rfc3339(moment: datetime) -> str:
    """A time as the BFF takes it, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
