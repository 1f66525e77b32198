"""The server of `narrows run`: it says where it serves, and keeps the reason when a start is refused."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any, Self, TextIO

import uvicorn

from narrows.audit.diagnostics import install_json_logging
from narrows.errors import NarrowsError
from narrows.settings import Secret
from narrows.settings.absent import secrets_of
from narrows.surfaces.serving import GuardedConfig, listening, make_config

if TYPE_CHECKING:
    from narrows.surfaces.http import Application

_log = logging.getLogger("narrows.cli")


class Watched:
    """An application whose refused start is kept in `refused` as an error, instead of being logged as a stack."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.refused: NarrowsError | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self.application(scope, receive, send)

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        """Hold back a message that tells of a failure: it carries the whole stack, unmasked."""
        failed = ""

        async def hold(message: Any) -> None:
            nonlocal failed
            if message["type"].endswith(".failed"):
                failed = message["type"]
            else:
                await send(message)

        try:
            await self.application(scope, receive, hold)
        except (NarrowsError, BaseExceptionGroup) as error:
            fault = _innermost(error)
            if not isinstance(fault, NarrowsError):
                raise fault from None
            self.refused = fault
            await send({"type": failed, "message": ""})


def _innermost(error: BaseException) -> BaseException:
    """What went wrong itself: Litestar's lifespan wraps it in a group of one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Server(uvicorn.Server):
    """Serves one application in this process."""

    def __init__(self, config: GuardedConfig, application: Watched) -> None:
        super().__init__(config)
        self.application = application
        self._tls = config.tls is not None

    @classmethod
    def of(cls, application: Application, stream: TextIO) -> Self:
        """Make the server of an application as its settings say; diagnostics go to `stream`. Raises `StartRefused`."""
        settings = application.plan.settings
        watched = Watched(application)
        server = cls(make_config(watched, **listening(settings)), watched)
        _log_to(stream, list(secrets_of(settings)), watched)
        return server

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say where. Raises `SystemExit` when nothing can be served."""
        await super().startup(sockets)
        self.tell()

    def tell(self) -> None:
        """Say where it serves."""
        bff = self.application.application.plan.bff
        for listener in (bound for server in self.servers for bound in server.sockets):
            _log.info("%s %s serves on %s", bff.name, bff.version, url_of(*listener.getsockname()[:2], tls=self._tls))


def url_of(host: str, port: int, *, tls: bool) -> str:
    """Where what listens there can be called."""
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _log_to(stream: TextIO, secrets: list[Secret], watched: Watched) -> None:
    """Send warnings of the server and of the export of telemetry the same way.

    Of a refused start the reason is told instead.
    """
    handler = install_json_logging(stream, secrets=secrets)
    for name in ("uvicorn.error", "opentelemetry"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    logging.getLogger("uvicorn.error").addFilter(lambda _: watched.refused is None)
