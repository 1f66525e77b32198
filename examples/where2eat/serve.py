"""Runs one of the three services as a process: `python -m examples.where2eat.serve people --issuer URL`.

It listens on loopback only. The one line on stdout is `{"ready": "people", "url": "http://127.0.0.1:PORT"}`; what
happens is logged as one JSON object a line on stderr or in `--log FILE`; `--spans FILE` keeps the spans, one a line.
"""

import argparse
import json
import logging
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import uvicorn
from litestar import Litestar
from opentelemetry.trace import TracerProvider

from .people import people_app
from .places import places_app
from .tables import tables_app

HOST = "127.0.0.1"


class JsonLines(logging.Formatter):
    """One JSON object a record; an exception is named by its type, for its text may hold anything."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line = {
            "at": round(record.created, 3),
            "service": self._service,
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


class AnnouncedServer(uvicorn.Server):
    """A server that says on stdout when, and where, it listens."""

    def __init__(self, config: uvicorn.Config, service: str) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then announce it."""
        await super().startup(sockets)
        for listening in sockets or []:
            port = listening.getsockname()[1]
            print(json.dumps({"ready": self._service, "url": f"http://{HOST}:{port}"}), flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.where2eat.serve", description="Serve one upstream.")
    services = parser.add_subparsers(dest="service", required=True)
    for name in ("people", "places", "tables"):
        service = services.add_parser(name)
        service.add_argument("--issuer", required=True, help="whose tokens are accepted: https, or http on loopback")
        service.add_argument("--port", type=int, default=0, help="0 takes a free one")
        service.add_argument("--log", type=Path, help="file for the log, else stderr")
        service.add_argument("--spans", help="file for the spans, or URL of a collector (OTLP); else none are kept")
        service.add_argument("--database", default=":memory:", help="SQLite file of the bookings (tables only)")
    return parser.parse_args(argv)


def _log_to(file: Path | None, service: str) -> None:
    handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def spans_to(place: str | Path, service: str) -> TracerProvider:
    """A tracer provider that appends each span to a file, one JSON object a line, or sends them to a collector."""
    # the SDK is needed only where spans are kept
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as SdkProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

    provider = SdkProvider(resource=Resource.create({"service.name": f"where2eat-{service}"}))
    if str(place).startswith("http"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        sender = OTLPSpanExporter(endpoint=f"{place}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(sender, schedule_delay_millis=200))
        return provider
    file = Path(place)
    out = file.open("a", encoding="utf-8")
    exporter = ConsoleSpanExporter(out=out, formatter=lambda span: str(span.to_json(indent=None)) + "\n")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def _app(arguments: argparse.Namespace) -> Litestar:
    transport = httpx.AsyncHTTPTransport()
    spans = spans_to(arguments.spans, arguments.service) if arguments.spans else None
    if arguments.service == "tables":
        return tables_app(arguments.issuer, transport, time.time, spans, arguments.database)
    factory = people_app if arguments.service == "people" else places_app
    return factory(arguments.issuer, transport, time.time, spans)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    arguments = _arguments(argv)
    _log_to(arguments.log, arguments.service)
    # the log of requests is our own; forwarded addresses would let a stranger pass for loopback
    config = uvicorn.Config(
        _app(arguments),
        log_config=None,
        access_log=False,
        ws="none",
        proxy_headers=False,
        server_header=False,
        lifespan="off",
    )
    listening = socket.create_server((HOST, arguments.port))
    AnnouncedServer(config, arguments.service).run(sockets=[listening])


if __name__ == "__main__":
    main()
