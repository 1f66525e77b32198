"""What the three services have in common: who gets in, how input is read, and how an application is put together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
import msgspec
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from opentelemetry.trace import TracerProvider

from .bearer import TokenCheck
from .problem import Refusal, answer_fault, answer_http, answer_refusal
from .received import Received, Recording
from .tracing import Traced

MAX_BODY = 16_384  # bytes
LOOPBACK = {"loopback": True}

_T = TypeVar("_T")


async def admit(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of every route: a token with the scope of the route, or, for what only the demo asks, the same machine."""
    if handler.opt.get("loopback"):
        if connection.client is None or connection.client.host not in {"127.0.0.1", "::1"}:
            raise Refusal(404, "no-such-resource", "There is no such resource.")
        return
    bearer = await connection.app.state.tokens.check(connection.headers.getall("authorization", []))
    connection.scope["state"]["bearer"] = bearer
    bearer.require(handler.opt["scope"])


def subject(request: Request[Any, Any, Any]) -> str:
    """On whose behalf the request comes."""
    return str(request.scope["state"]["bearer"].subject)


def query(request: Request[Any, Any, Any], kind: type[_T]) -> _T:
    """The query as `kind`; 400 Refusal for what is unknown, repeated or out of bounds."""
    pairs = list(request.query_params.multi_items())
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise Refusal(400, "invalid-request", "A query parameter is given twice.")
    return _valid(lambda: msgspec.convert(dict(pairs), kind, strict=False))


async def body(request: Request[Any, Any, Any], kind: type[_T]) -> _T:
    """The JSON body as `kind`; 415 Refusal for another media type, 400 for what is not as `kind` says."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "unsupported-media-type", "Send application/json.")
    content = await request.body()
    return _valid(lambda: msgspec.json.decode(content, type=kind))


def _valid(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "invalid-request", str(error)) from error


@get("/_received", opt=LOOPBACK)
async def received(state: State) -> list[Received]:
    """What this service was sent since it started; asked by the demo, on loopback only."""
    return list(state.received)


def service_app(
    name: str,
    routes: Sequence[HTTPRouteHandler],
    state: Mapping[str, Any],
    *,
    issuer: str,
    transport: httpx.AsyncBaseTransport,
    now: Callable[[], float],
    tracer_provider: TracerProvider | None,
) -> Litestar:
    """The application of the service `name`, whose own audience is `<name>-api`."""
    log: list[Received] = []
    tokens = TokenCheck(issuer, f"{name}-api", transport, now)
    app = Litestar(
        route_handlers=[*routes, received],
        guards=[admit],
        state=State({**state, "tokens": tokens, "now": now, "received": log}, deep_copy=False),
        exception_handlers={Refusal: answer_refusal, HTTPException: answer_http, Exception: answer_fault},
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        logging_config=None,
    )
    # Litestar's own middleware never sees a 404 or 405, and these count as received too.
    app.asgi_handler = Traced(Recording(app.asgi_handler, log), tracer_provider)
    return app
