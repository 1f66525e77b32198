"""Keeps the whole world of Where2Eat running for a person to click and curl: `python -m examples.where2eat.dev`.

Three production APIs run as processes of their own; the BFF, its page and the embedded authorization server share one
origin. Everything listens on 127.0.0.1, and all but the logs is forgotten when it ends.
"""

import argparse
import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import msgspec
import uvicorn

import narrows
from bffs.where2eat.app import bff
from narrows.audit.diagnostics import install_json_logging
from narrows.errors import NarrowsError
from narrows.settings import Secret
from narrows.surfaces.serving import listening, make_server

from . import staff, world
from .client import rfc3339
from .copilot import DEFAULT_SERVER, next_lunch
from .one_origin import OneOrigin
from .serve import HOST, spans_to

SERVICES = ("people", "places", "tables")
FOLDER = Path("build") / "dev"
_STOP_SECONDS = 5.0
_PLACE = "node-268056323"


class Addresses(msgspec.Struct, frozen=True):
    """Where everything listens, and the folder of the logs and spans."""

    origin: str
    issuer: str
    people: str
    places: str
    tables: str
    folder: str


class _Announcement(msgspec.Struct):
    ready: str
    url: str


Announce = Callable[[Addresses], None]


@contextmanager
def services(
    issuer: str, folder: Path, elsewhere: Mapping[str, str], collector: str | None
) -> Iterator[dict[str, str]]:
    """Run those of the three production APIs that are not `elsewhere` as processes, which end with the block.

    Gives the URLs of all three by name. Their spans go to the collector, or into the folder.
    """
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in SERVICES:
            if name not in elsewhere:
                started[name] = _start(name, issuer, folder, collector or str(folder / f"{name}.spans"))
        yield {**elsewhere, **{name: _url(name, process) for name, process in started.items()}}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            _end(process)


def _start(name: str, issuer: str, folder: Path, spans: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "examples.where2eat.serve", name, "--issuer", issuer]
    command += ["--log", str(folder / f"{name}.log"), "--spans", spans]
    # A session of its own: Ctrl-C reaches this program alone, which then ends the services in order.
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603 # our own module


def _url(name: str, process: subprocess.Popen[bytes]) -> str:
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        raise NarrowsError(f"the service {name} did not start; what it says stands above or in {name}.log")
    return msgspec.json.decode(line, type=_Announcement).url


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def run(
    listener: socket.socket,
    folder: Path,
    secret: str,
    announce: Announce,
    elsewhere: Mapping[str, str],
    collector: str | None = None,
) -> None:
    """Run everything until SIGINT or SIGTERM; `announce` is called as soon as requests are answered.

    With the URL of a `collector`, all programs send their spans there instead of keeping them in the folder. Raises
    what keeps the BFF from starting, `StartRefused` above all.
    """
    origin = f"http://{HOST}:{listener.getsockname()[1]}"
    issuer = origin + world.ISSUER_PATH
    faults: list[BaseException] = []
    with ExitStack() as stack:
        upstreams = stack.enter_context(services(issuer, folder, elsewhere, collector))
        addresses = Addresses(origin, issuer, folder=str(folder), **upstreams)

        def stop(fault: BaseException) -> None:
            faults.append(fault)
            server.should_exit = True

        settings = world.settings(origin, upstreams, secret, collector, folder)
        app = _application(stack, addresses, settings, secret, started=lambda: announce(addresses), failed=stop)
        server: uvicorn.Server = make_server(app, **listening(settings))
        server.run(sockets=[listener])
    if faults:
        raise faults[0]


def _application(
    stack: ExitStack,
    addresses: Addresses,
    settings: narrows.Settings,
    secret: str,
    *,
    started: Callable[[], None],
    failed: Callable[[BaseException], None],
) -> OneOrigin:
    """The BFF and the authorization server, with their logs and spans in the folder."""
    folder = Path(addresses.folder)
    calls = stack.enter_context((folder / "calls.log").open("ab", buffering=0))
    diagnostics = stack.enter_context((folder / "bff.log").open("a", buffering=1, encoding="utf-8"))
    authority_log = stack.enter_context((folder / "authority.log").open("a", buffering=1, encoding="utf-8"))
    install_json_logging(diagnostics, secrets=[Secret(secret)])
    connectors = asyncio.run(world.registry(bff, settings))
    stack.callback(lambda: asyncio.run(connectors.close()))
    spans = None if settings.telemetry.otlp_endpoint else spans_to(folder / "bff.spans", "bff")
    around = narrows.Surroundings(tracer_provider=spans, write_record=calls.write, connectors=connectors)
    authority = world.authority(addresses.origin, secret, lambda line: print(line, file=authority_log), connectors)
    return OneOrigin(
        narrows.app(bff, settings, around), authority.app, world.ISSUER_PATH, started=started, failed=failed
    )


def banner(addresses: Addresses) -> str:
    """What a person wants to know who has just started all this."""
    return f"""
Where2Eat is running. It listens on {HOST} only; Ctrl-C ends it, and all but the logs is forgotten.

  the page        {addresses.origin}/
  the contract    {addresses.origin}/openapi.json
  signing in      {addresses.issuer}  (embedded authorization server)
  behind it       people {addresses.people}   places {addresses.places}   tables {addresses.tables}
  logs, spans     {addresses.folder}/

Who can sign in (all made up; the password is "lunch-" and the name):
{_teams()}

Try it:
{_commands(addresses.origin)}

Watch over it, in a terminal of its own:
  . {addresses.folder}/{world.OPERATOR}      # where its stores lie; guides as docs/guide/audit.md go on from here
  narrows usage bffs.where2eat.app:bff
  narrows audit tail bffs.where2eat.app:bff --follow
"""


def _teams() -> str:
    lines = []
    for team in staff.teams():
        named = [f"{name} (organiser)" if name in team.organisers else name for name in team.members]
        lines.append(f"  team {team.id:<2} {team.name:<14} {', '.join(named)}")
    return "\n".join(lines)


def _commands(origin: str) -> str:
    server = "" if origin == DEFAULT_SERVER else f"--server {origin} "
    copilot = f"{os.path.relpath(sys.executable)} -m examples.where2eat.copilot {server}--as anna"
    bearer, json = '-H "Authorization: Bearer $TOKEN"', '-H "Content-Type: application/json"'
    lunch = rfc3339(next_lunch(datetime.now(UTC)))
    body = f'{{"place_id": "{_PLACE}", "starts_at": "{lunch}", "seats": 6}}'
    return f"""  {copilot}      # looks, rehearses, asks, books
  TOKEN=$({copilot} --print-token)
  curl {bearer} "{origin}/teams/7/dining-suggestions?limit=3"
  curl {bearer} "{origin}/teams/8/dining-suggestions"      # anna is not in team 8
  curl -i {bearer} {json} {origin}/rehearse/teams/7/bookings -d '{body}'
  curl {bearer} {origin}/rehearse/rehearsals      # what that would have done; without /rehearse it is done"""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.where2eat.dev", description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8000, help="of the BFF and its page; 0 takes a free one")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for logs and spans; those of before are removed")
    parser.add_argument(
        "--upstream", type=_upstream, action="append", default=[], metavar="NAME=URL", help="use your own service"
    )
    parser.add_argument("--collector", metavar="URL", help="send spans and metrics there (OTLP over HTTP)")
    parser.add_argument("--json", action="store_true", help="say where everything listens as one line of JSON")
    return parser.parse_args(argv)


def _upstream(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if name not in SERVICES or not url:
        raise argparse.ArgumentTypeError(f"write NAME=URL with one of the names {', '.join(SERVICES)}")
    return name, url


def _fresh(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.log"), *folder.glob("*.spans"), *folder.glob("*.db*"), *folder.glob("*.jsonl")]:
        old.unlink()
    key = folder / world.STORES_KEY
    key.touch(0o600)
    key.write_bytes(b64encode(secrets.token_bytes(32)))


def _ended(*_: object) -> NoReturn:
    """Leave by an exception, so that the services are ended too; the default would end this process on the spot."""
    raise SystemExit(0)


def _announcing(arguments: argparse.Namespace) -> Announce:
    def announce(addresses: Addresses) -> None:
        upstreams = {name: getattr(addresses, name) for name in SERVICES}
        (arguments.folder / world.OPERATOR).write_text(
            world.operator_env(addresses.origin, upstreams, arguments.folder), encoding="utf-8"
        )
        text = msgspec.json.encode(addresses).decode() if arguments.json else banner(addresses)
        print(text, flush=True)

    return announce


def main(argv: Sequence[str] | None = None) -> None:
    """Run until Ctrl-C; exits with 1 and the reason if something cannot start."""
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, _ended)
    try:
        _fresh(arguments.folder)
        with socket.create_server((HOST, arguments.port)) as listener:
            secret = os.environ.get(world.SECRET_VARIABLE) or secrets.token_urlsafe(32)
            run(
                listener,
                arguments.folder,
                secret,
                _announcing(arguments),
                dict(arguments.upstream),
                arguments.collector,
            )
    except KeyboardInterrupt:
        print("\nEnded.", file=sys.stderr)
    except NarrowsError as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        remedy = "If the port is taken, end what listens there, or choose another: make dev PORT=8001"
        raise SystemExit(f"{error.strerror or error}. {remedy}") from None


if __name__ == "__main__":
    main()
