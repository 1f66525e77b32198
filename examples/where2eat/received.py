"""What reached a service, so that a test can prove what was sent to it, and what was not."""

import hashlib
import logging
from typing import Any, TypedDict

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry.trace import format_trace_id, get_current_span

KEPT = 10_000  # requests
OWN_PATHS = {"/_received", "/_count"}  # what the demo asks of the service itself

_log = logging.getLogger(__name__)


class Received(TypedDict):
    """One request; `subject` to `scopes` come from a verified token and stay empty without one."""

    method: str
    path: str
    status: int | None
    subject: str | None
    actors: list[str]
    audience: list[str]
    scopes: list[str]
    token_sha256: str | None
    trace_id: str


def digest(token: str) -> str:
    """What stands for a token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode("latin-1", "replace")).hexdigest()


def _entry(scope: Any) -> Received:
    credentials = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
    return {
        "method": scope["method"],
        "path": scope["path"],
        "status": None,
        "subject": None,
        "actors": [],
        "audience": [],
        "scopes": [],
        "token_sha256": digest(credentials[0].partition(" ")[2]) if credentials else None,
        "trace_id": format_trace_id(get_current_span().get_span_context().trace_id),
    }


class Recording:
    """ASGI application that notes each request to `app` in `log`, but not those to `OWN_PATHS`."""

    def __init__(self, app: ASGIApp, log: list[Received]) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the request, then hand it on."""
        if scope["path"] in OWN_PATHS:
            await self._app(scope, receive, send)
            return
        entry = _entry(scope)
        self._log.append(entry)
        del self._log[:-KEPT]

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                _identify(entry, scope)
            await send(message)

        await self._app(scope, receive, watch)
        _log.info("request", extra={"fields": _logged(entry, scope)})


def _identify(entry: Received, scope: Any) -> None:
    bearer = scope["state"].get("bearer")
    if bearer is not None:
        entry["subject"] = bearer.subject
        entry["actors"] = list(bearer.actors)
        entry["audience"] = list(bearer.audience)
        entry["scopes"] = list(bearer.scopes)


def _logged(entry: Received, scope: Any) -> dict[str, Any]:
    """The log names no person: the route instead of the path, and no subject."""
    return {
        "method": entry["method"],
        "route": scope.get("path_template") or None,
        "status": entry["status"],
        "trace_id": entry["trace_id"],
    }
