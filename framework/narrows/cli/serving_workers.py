"""What `narrows run --workers N` does before it keeps workers: settings without secrets, refusals, one socket."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TextIO

from narrows.audit.diagnostics import install_json_logging
from narrows.checks.workers import port_refusals, worker_refusals
from narrows.cli.server import url_of
from narrows.cli.target import named
from narrows.cli.workers import bind, run_workers, this_command
from narrows.declare.bff import Bff
from narrows.errors import SettingsError, StartRefused
from narrows.settings import Settings, load_settings
from narrows.surfaces.serving import listening, make_config

if TYPE_CHECKING:
    import socket

_log = logging.getLogger("narrows.cli")


def serve_workers(target: str, settings: str | None, count: int, stream: TextIO) -> int:
    """Serve a target with `count` workers until INT or TERM; diagnostics go to `stream`. Answers the exit code.

    Raises `StartRefused` for stores that workers cannot share, and `SettingsError`.
    """
    value = named(target)
    bff = value if isinstance(value, Bff) else value.plan.bff
    read = _read(bff, settings) if value is bff else value.plan.settings
    if refusals := [*worker_refusals(read), *port_refusals(read, count)]:
        raise StartRefused(refusals)
    how = listening(read)
    make_config(None, **how)
    install_json_logging(stream)
    with _bound(read) as listener:
        url = url_of(*listener.getsockname()[:2], tls=bool(read.serving.tls_certificate))

        def serving() -> None:
            _log.info("%s %s serves on %s with %d workers", bff.name, bff.version, url, count)

        return run_workers(this_command(target, settings), count, listener, serving)


def _read(bff: Bff, settings: str | None) -> Settings:
    """The settings without their secrets, which workers read for themselves."""
    return load_settings(settings or bff.folder / "narrows.toml", secrets=False)


def _bound(settings: Settings) -> socket.socket:
    serving = settings.serving
    try:
        return bind(serving.host, serving.port)
    except OSError as error:
        raise SettingsError(
            f"serving.port: {serving.host} port {serving.port} cannot be listened on ({error.strerror}). "
            "Remedy: end what listens there, or set another port."
        ) from None
