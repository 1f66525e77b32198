"""The way in by HTTP: Litestar routes; this file turns requests into `Raw`, and replies into bytes.

One outer layer sees every request, also those that lead nowhere (404, 405): before routing it has the head judged by
`check_head` and `enter` (host, target, mode), and it settles what never became a call. Every other guard is a step.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from narrows.alerts.arranging import watching
from narrows.call import Mode, Raw, Reply
from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint
from narrows.errors import InternalError, MethodNotAllowed, NarrowsError, NotFound, Problem, Refusal, StartRefused
from narrows.pipeline.receive import check_head, enter
from narrows.plan import Plan
from narrows.plan.entries import Entry
from narrows.plan.surroundings import Surroundings
from narrows.sdk.openapi import document
from narrows.settings import Settings, load_settings
from narrows.surfaces.asgi import body_reader, headers_of, parse_query, send_reply, unless_gone
from narrows.surfaces.builtins import builtins
from narrows.surfaces.confirming import confirming
from narrows.surfaces.graphql.accepting import media_for
from narrows.surfaces.graphql.dispatch import METHODS, Dispatch, Incoming, is_graphql
from narrows.surfaces.graphql.extra import refuse_without_extra
from narrows.surfaces.graphql.gate import PATH as GRAPHQL
from narrows.surfaces.graphql.gate import gates
from narrows.surfaces.selftest import prove, prove_graphql
from narrows.telemetry import CallSpan

_STATE = "narrows"
_NAME = "document"


class Arrival(msgspec.Struct):
    """A request between the outer layer and its route; `media` is that of the answer if it is GraphQL."""

    method: str
    mode: Mode
    span: CallSpan
    peer: str
    media: str | None = None


class Application:
    """The ASGI application of one BFF."""

    def __init__(self, bff: Bff, settings: Settings, around: Surroundings | None = None) -> None:
        """Make the plan and the routes. Raises `StartRefused`, `SettingsError` and `PolicyError`."""
        around = around or Surroundings()
        _refuse_ad_hoc(bff, settings, around)
        own = builtins(bff, settings, lambda: self.document, lambda: self.plan.rehearsals, lambda: self.plan.commits)
        own += confirming(lambda: self.plan)
        own += gates(lambda: self.plan) if bff.graphql_surface is not None else []
        self.plan = Plan(bff, settings, own, around, documents=lambda: documents_of(bff))
        self.document = document(self.plan)
        self._around = around
        self._hosts = settings.accepted_hosts()
        self._cap = settings.limits.target_bytes
        self._refusal = ""
        self._graphql = _dispatch(self.plan, around)
        self._litestar = Litestar(
            route_handlers=_routes(self.plan, self._graphql),
            openapi_config=None,
            logging_config=None,
            lifespan=[self._lifespan],
            exception_handlers={HTTPException: self._unrouted, Exception: self._broken},
            # Both would else be read from the environment, and the one shows stacks while the other stops to ask.
            debug=False,
            pdb_on_exception=False,
        )

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan. Raises `ValueError` for a scope that is neither, nor a WebSocket."""
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "lifespan":
                await self._live(scope, receive, send)
            case "websocket":
                arrival = self._arrive(scope, "GET")
                if await self.plan.room(arrival.span) is None:
                    self._uncalled(arrival, NotFound())
                # Before it is accepted, a closed WebSocket is a 403 to its client.
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
            case other:
                raise ValueError(f"this application does not serve {other!r}")

    def _arrive(self, scope: Any, method: str) -> Arrival:
        span = self.plan.telemetry.start_call(method, scope["headers"])
        media = media_for(scope["headers"]) if self._graphql is not None and is_graphql(scope["path"]) else None
        return Arrival(method, "live", span, scope["client"][0] if scope.get("client") else "", media)

    async def _serve(self, scope: Any, receive: Receive, send: Send) -> None:
        arrival = self._arrive(scope, scope["method"])
        if (unkept := await self.plan.room(arrival.span, arrival.media)) is not None:
            await send_reply(send, unkept)
            return
        # A server that does not keep the path as it came has decoded it: what is decoded once is not decoded again.
        raw_path = scope.get("raw_path") or quote(scope["path"], safe="/").encode()
        try:
            check_head(scope["headers"], self._hosts)
            arrival.mode, path = enter(raw_path, scope["query_string"], self._cap)
        except Problem as problem:
            await send_reply(send, self._uncalled(arrival, problem))
            return
        inner: Any = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        inner["state"] = {**scope.get("state", {}), _STATE: arrival}
        # Methods are judged by `_route`, which answers all of them. Litestar 2.25 also looks an ASGI handler's path
        # parameters up by method, where it never put them; without a method it looks in the right place.
        del inner["method"]
        await self._litestar(inner, receive, send)

    def _uncalled(self, arrival: Arrival, problem: Problem, fault: Exception | None = None) -> Reply:
        """Settle what never became a call."""
        return _settle(self.plan, arrival, problem, fault)

    def _unrouted(self, request: Request[Any, Any, Any], _: HTTPException) -> Response[bytes]:
        """A path that no route answers."""
        return _response(self._uncalled(request.scope["state"][_STATE], NotFound()))

    def _broken(self, request: Request[Any, Any, Any], fault: Exception) -> Response[bytes]:
        """A fault outside the pipeline; the client reads nothing of it."""
        return _response(self._uncalled(request.scope["state"][_STATE], InternalError(), fault))

    async def _live(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve the lifespan; a start that is refused tells its reasons, and not where in the code they were found."""

        async def readable(message: Any) -> None:
            if message["type"] == "lifespan.startup.failed" and self._refusal:
                message = {**message, "message": self._refusal}
            await send(message)

        await self._litestar(scope, receive, readable)

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        """Look up the issuers, prove that no route can be reached without credentials, and watch the log."""
        try:
            await self.plan.start()
            await prove(self.plan)
            if self._graphql is not None:
                await prove_graphql(self.plan, self._graphql)
            async with watching(self.plan, self._around):
                yield
        except NarrowsError as refused:
            self._refusal = str(refused)
            raise
        finally:
            await self.plan.close()


def _response(reply: Reply) -> Response[bytes]:
    """A reply as Litestar sends it."""
    headers = dict(reply.headers)
    media = headers.pop("content-type")
    return Response(reply.body, status_code=reply.status, headers=headers, media_type=media)


def app(bff: Bff, settings: Settings | None = None, around: Surroundings | None = None) -> Application:
    """Make the ASGI application of a BFF; without settings, those of `narrows.toml` beside it and the environment.

    Raises `StartRefused` with every reason at once, `SettingsError` and `PolicyError`.
    """
    return Application(bff, settings or load_settings(bff.folder / "narrows.toml"), around)


def _routes(plan: Plan, graphql: Dispatch | None) -> list[ASGIRouteHandler]:
    """Every path with its methods; those of GraphQL are led by what a request says, and not by its path alone."""
    routes = plan.routes()
    if graphql is None:
        return [_route(plan, path, methods) for path, methods in routes.items()]
    own = [_graphql_route(plan, path, graphql) for path in (GRAPHQL, f"{GRAPHQL}/{{{_NAME}}}")]
    documents = {entry.endpoint.path for entry in plan.entries if entry.endpoint.document is not None} | {GRAPHQL}
    return own + [_route(plan, path, methods) for path, methods in routes.items() if path not in documents]


def _route(plan: Plan, path: str, methods: Mapping[str, Entry]) -> ASGIRouteHandler:
    """One path with all its methods; a method that is not declared is answered 405 here (RFC 9110, 15.5.6)."""
    allow = ", ".join(sorted(methods))

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        arrival: Arrival = scope["state"][_STATE]
        entry = methods.get(arrival.method)
        if entry is None:
            await send_reply(send, _not_allowed(plan, arrival, path, allow))
        elif (reply := await _call(plan, entry, arrival, scope, receive)) is not None:
            await send_reply(send, reply)

    return ASGIRouteHandler(_template(path), copy_scope=False)(serve)


def _graphql_route(plan: Plan, path: str, graphql: Dispatch) -> ASGIRouteHandler:
    """A path of GraphQL: the same for all documents, so that it tells of none."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        arrival: Arrival = scope["state"][_STATE]
        if arrival.method not in METHODS:
            await send_reply(send, _not_allowed(plan, arrival, path, ", ".join(METHODS)))
        elif (reply := await _pose(plan, graphql, arrival, scope, receive)) is not None:
            await send_reply(send, reply)

    return ASGIRouteHandler(_template(path), copy_scope=False)(serve)


def _not_allowed(plan: Plan, arrival: Arrival, path: str, allow: str) -> Reply:
    arrival.span.name(arrival.method, path)
    return _settle(plan, arrival, MethodNotAllowed(headers={"Allow": allow}))


def _settle(plan: Plan, arrival: Arrival, problem: Problem, fault: Exception | None = None) -> Reply:
    """End what never became a call."""
    return plan.settle.uncalled(
        arrival.span, arrival.method, arrival.peer, problem, arrival.mode, fault, media=arrival.media
    )


def documents_of(bff: Bff) -> list[Endpoint]:
    """Make endpoints of a BFF's documents, which `Bff.every` then lists; without GraphQL nothing of it is imported."""
    if bff.graphql_surface is None:
        return []
    refuse_without_extra(bff.name, bff.graphql_surface)
    from narrows.surfaces.graphql.documents import make_documents  # an extra
    from narrows.surfaces.graphql.schema import make_schema

    bff.compiled = tuple(make_documents(bff, bff.graphql_surface, make_schema(bff)))
    return [*bff.compiled]


def _dispatch(plan: Plan, around: Surroundings) -> Dispatch | None:
    """What leads requests of GraphQL to documents; None without GraphQL."""
    surface = plan.bff.graphql_surface
    if surface is None:
        return None
    if not around.ad_hoc:
        return Dispatch(plan.entries, plan.settings.limits)
    from narrows.surfaces.graphql.ad_hoc import AdHoc  # an extra
    from narrows.surfaces.graphql.schema import make_schema

    return Dispatch(plan.entries, plan.settings.limits, AdHoc(plan, surface, make_schema(plan.bff)).entry)


def _refuse_ad_hoc(bff: Bff, settings: Settings, around: Surroundings) -> None:
    """Text that was not registered runs on the machine of a developer alone. Raises `StartRefused`."""
    if around.ad_hoc and settings.environment != "development":
        rule = f"it would run any GraphQL text in the environment {settings.environment!r}"
        remedy = "take ad_hoc=True out of its Surroundings, and declare documents with bff.document(…)"
        refusal = Refusal(
            code="ad-hoc-outside-development", subject=bff.name, where=bff.where, rule=rule, remedy=remedy
        )
        raise StartRefused([refusal])


def _template(path: str) -> str:
    """The path as Litestar writes it: `{team_id}` → `{team_id:str}`; decoding is the pipeline's."""
    return path.replace("}", ":str}")


async def _call(plan: Plan, entry: Entry, arrival: Arrival, scope: Any, receive: Receive) -> Reply | None:
    """Build the call and take it through the pipeline."""
    try:
        query = parse_query(scope["query_string"])
    except Problem as problem:
        return _settle(plan, arrival, problem)
    raw = Raw(
        path=scope["path_params"],
        query=query,
        headers=headers_of(scope["headers"]),
        peer=arrival.peer,
        read_body=body_reader(receive),
    )
    return await _unless_gone(plan.call(entry, arrival.mode, raw, way="rest", span=arrival.span), entry, receive)


async def _pose(plan: Plan, graphql: Dispatch, arrival: Arrival, scope: Any, receive: Receive) -> Reply | None:
    """The same for a request of GraphQL, once it is known which document it means."""
    try:
        query = parse_query(scope["query_string"])
    except Problem as problem:
        return _settle(plan, arrival, problem)
    incoming = Incoming(
        method=arrival.method,
        name=scope["path_params"].get(_NAME),
        query=query,
        headers=headers_of(scope["headers"]),
        peer=arrival.peer,
        read_body=body_reader(receive),
    )
    entry, raw = await graphql.lead(incoming)
    return await _unless_gone(plan.call(entry, arrival.mode, raw, way="graphql", span=arrival.span), entry, receive)


async def _unless_gone(calling: Coroutine[Any, Any, Reply], entry: Entry, receive: Receive) -> Reply | None:
    """A client that goes away cancels a read, never a write."""
    if entry.endpoint.kind == "write" or entry.endpoint.builtin:
        return await calling
    return await unless_gone(asyncio.ensure_future(calling), receive)
