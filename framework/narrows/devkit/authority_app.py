"""The embedded authorization server as an ASGI application: routes, and the door before them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Litestar, Request, Response
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Method, Receive, Scope, Send

from narrows.devkit.authority_http import Inbound, Reply, reply
from narrows.devkit.authority_metadata import metadata
from narrows.devkit.authority_realm import Realm
from narrows.devkit.authority_server import Server
from narrows.devkit.authority_signin import SignIn

_LONGEST_BODY = 65_536
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_DECIDING = (b"host", b"origin", b"authorization", b"content-type", b"cookie")
_WELL_KNOWN = ("oauth-authorization-server", "openid-configuration")
_JSON = [("Content-Type", "application/json"), ("Cache-Control", "no-cache")]


def build(realm: Realm) -> ASGIApp:
    """The application. It answers with the path of the issuer before its own paths, and without it.

    So it stands alone, or is mounted at the issuer's path by a host that cuts this path off or leaves it on.
    """
    server = Server(realm)
    sign_in = SignIn(realm, server)
    prefix = urlsplit(realm.issuer).path
    routes: list[tuple[Method, str, Callable[[Inbound], Reply]]] = [
        ("GET", "/authorize", sign_in.show),
        ("POST", "/authorize", sign_in.decide),
        ("POST", "/token", server.token),
        ("POST", "/introspect", server.introspection),
        ("POST", "/revoke", server.revocation),
        ("GET", "/jwks", lambda _: reply(200, realm.keyring.jwks(), _JSON)),
    ]
    handlers = [_route(realm, method, _both(prefix, path), act) for method, path, act in routes]
    handlers.append(_route(realm, "GET", _well_known(prefix), lambda _: reply(200, metadata(realm), _JSON)))
    litestar = Litestar(
        route_handlers=handlers,
        openapi_config=None,
        logging_config=None,
        request_max_body_size=_LONGEST_BODY,
        exception_handlers={Exception: _failed},
        # Both would else be read from the environment, and the one shows stacks while the other stops to ask.
        debug=False,
        pdb_on_exception=False,
    )
    return Door(litestar, urlsplit(realm.issuer).netloc, realm)


class Door:
    """Lets in only requests that are meant for this server, and no form of another origin.

    Without it a page on the internet could reach the server through a name that it lets point to 127.0.0.1.
    """

    def __init__(self, app: ASGIApp, host: str, realm: Realm) -> None:
        self._app = app
        self._host = host.lower()
        self._realm = realm

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400 to a doubled header, 421 to a foreign host and 403 to a foreign origin, else pass on."""
        refusal = self._refusal(scope) if scope["type"] == ScopeType.HTTP else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, what = refusal
        self._realm.journal.write("request_refused", status=status, reason=what)
        await _send(send, reply(status, {"error": "invalid_request", "error_description": what}, _JSON))

    def _refusal(self, scope: HTTPScope) -> tuple[int, str] | None:
        names = [name for name, _ in scope["headers"] if name in _DECIDING]
        if len(set(names)) < len(names):
            return 400, "A header came twice that may come once."
        headers = _headers(scope)
        host = headers.get("host", "").lower()
        if host != self._host and not _LOOPBACK.fullmatch(host):
            return 421, "This host is not served here. Use the host of the issuer."
        if scope["method"] != "GET" and not _same_origin(headers, host):
            return 403, "The request comes from a page of another origin."
        return None


def _same_origin(headers: Mapping[str, str], host: str) -> bool:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    return site in ("none", "same-origin") and (origin is None or origin.lower().partition("://")[2] == host)


def _headers(scope: HTTPScope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _both(prefix: str, path: str) -> list[str]:
    return sorted({path, f"{prefix}{path}"})


def _well_known(prefix: str) -> list[str]:
    """After the issuer as OpenID Connect has it, and before the issuer's path as RFC 8414, 3.1 has it."""
    paths = {f"/.well-known/{name}" for name in _WELL_KNOWN}
    return sorted(paths | {f"{prefix}{path}" for path in paths} | {f"{path}{prefix}" for path in paths})


def _route(realm: Realm, method: Method, paths: Sequence[str], act: Callable[[Inbound], Reply]) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        await realm.look()
        return _response(act(await _inbound(request)))

    return HTTPRouteHandler(list(paths), http_method=method, status_code=200, sync_to_thread=None)(handle)


async def _inbound(request: Request[Any, Any, Any]) -> Inbound:
    return Inbound(
        method=request.method,
        query=request.scope["query_string"].decode("latin-1"),
        headers=_headers(request.scope),
        cookies=request.cookies,
        body=await request.body(),
    )


def _response(answer: Reply) -> Response[bytes]:
    media_type = dict(answer.headers).get("Content-Type", "text/plain")
    headers = {name: value for name, value in answer.headers if name != "Content-Type"}
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=media_type)


def _failed(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What Litestar refuses keeps its status; anything else is a 500 that says nothing."""
    status = getattr(error, "status_code", 500)
    body = msgspec.json.encode({"error": "invalid_request" if status < 500 else "server_error"})
    headers = dict(getattr(error, "headers", None) or {})
    return Response(body, status_code=status, headers=headers, media_type="application/json")


async def _send(send: Send, answer: Reply) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
