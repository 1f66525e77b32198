"""The BFF and the embedded authorization server on one origin, as `make dev` and `make demo` serve them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# ASGI speaks in plain dictionaries; the type aliases of the libraries leave the lifespan out.
App = Callable[[Any, Any, Any], Awaitable[None]]

_WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
_LIFESPAN = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}


class OneOrigin:
    """ASGI application: what lies under `path` goes to `authority`, all else to `bff`.

    The BFF looks its issuer up while it starts, and that issuer is this very server. So the server starts first, and
    requests to the BFF wait until it has started too. Then `started` is called; or `failed` with the reason.
    """

    def __init__(
        self,
        bff: App,
        authority: App,
        path: str,
        *,
        started: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._bff = bff
        self._authority = authority
        self._path = path
        self._started = started
        self._failed = failed
        self._ready = asyncio.Event()
        self._orders: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._is_authority(scope["path"]):
            await self._authority(scope, receive, send)
        else:
            await self._ready.wait()
            await self._bff(scope, receive, send)

    def _is_authority(self, path: str) -> bool:
        named = [f"{well_known}{self._path}" for well_known in _WELL_KNOWN]
        return path.startswith(f"{self._path}/") or path in named

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        inner = asyncio.create_task(self._run_bff())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._orders.put({"type": "lifespan.shutdown"})
        await inner
        await send({"type": "lifespan.shutdown.complete"})

    async def _run_bff(self) -> None:
        """Take the BFF through its own lifespan."""
        await self._orders.put({"type": "lifespan.startup"})
        try:
            await self._bff(dict(_LIFESPAN), self._orders.get, self._heard)
        except Exception as error:  # whatever stops the start is told to the server that waits for it
            if self._ready.is_set():
                raise
            self._failed(error)

    async def _heard(self, message: Any) -> None:
        if message["type"] == "lifespan.startup.complete":
            self._ready.set()
            self._started()
