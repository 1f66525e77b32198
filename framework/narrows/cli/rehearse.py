"""`narrows rehearse`: the example requests of a BFF, rehearsed and, to compare, sent live into its example world."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.saying import say
from narrows.cli.target import load_bff

if TYPE_CHECKING:
    from narrows.declare.bff import Bff
    from narrows.testing import Comparison, Request

_FILE = "tests/requests.py"


@click.command("rehearse", short_help="Rehearse the example requests of a BFF, and compare with live.")
@click.argument("target")
@click.option("--compare", is_flag=True, help="Send each request live too, and tell what differs.")
@click.option("--endpoint", "endpoints", multiple=True, help="Only requests of this endpoint; may be repeated.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(target: str, compare: bool, endpoints: tuple[str, ...], form: str) -> None:
    """Rehearse the example requests of TARGET (module:attribute) in its example world; no upstream of yours is called.

    They stand in tests/requests.py beside the file that declares the Bff. With --compare each is then sent live into
    that world, and every difference in status, schema, effects and price is told. The exit code is 1 when there is one,
    or when an endpoint has no request.

    \b
    Examples:
      narrows rehearse bffs.where2eat.app:bff
      narrows rehearse bffs.where2eat.app:bff --compare --format json
    """
    bff = load_bff(target)
    module = _requests_of(bff)
    wanted = _wanted(module.REQUESTS, endpoints)
    # The client of the example world tells each request, which here is noise.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asked: list[str] = [] if endpoints else _unasked(bff, module.REQUESTS)
    told = asyncio.run(_all(module, wanted, compare=compare, show=_line if form == "text" else None))
    if form == "json":
        _as_json(told, asked)
    else:
        _summary(told, asked, compare=compare)
    sys.exit(1 if asked or any(one.differences for one in told) else 0)


def _requests_of(bff: Bff) -> ModuleType:
    """The module with the requests, found beside the declaring file."""
    path = bff.folder / _FILE
    if not path.is_file():
        raise click.UsageError(f"{path} is not there. It holds REQUESTS and stage(), as docs/guide/fidelity.md shows.")
    name = f"narrows_requests_of_{bff.name}"
    loader = SourceFileLoader(name, str(path))
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    loader.exec_module(module)
    missing = [name for name in ("REQUESTS", "stage") if not hasattr(module, name)]
    if missing:
        raise click.UsageError(f"{path} does not have {' and '.join(missing)}; docs/guide/fidelity.md shows both.")
    return module


def _wanted(requests: Iterable[Request], endpoints: tuple[str, ...]) -> list[Request]:
    """The requests of the endpoints that were named, or all."""
    known = {request.endpoint for request in requests}
    for name in endpoints:
        if name not in known:
            raise click.UsageError(f"There is no request of {name!r}; there are some of: {', '.join(sorted(known))}.")
    return [request for request in requests if not endpoints or request.endpoint in endpoints]


def _unasked(bff: Bff, requests: Iterable[Request]) -> list[str]:
    from narrows.testing import unasked

    return unasked(bff, requests)


async def _all(module: ModuleType, requests: list[Request], *, compare: bool, show: Any) -> list[Comparison]:
    """Take each request into a fresh world, one after the other; each is shown when it is done."""
    from narrows.testing import fidelity

    told = []
    for request in requests:
        async with module.stage() as stage:
            one = await (fidelity.compare if compare else fidelity.rehearse)(stage, request)
        told.append(one)
        if show:
            show(one)
    return told


def _line(one: Comparison) -> None:
    """One request: what its rehearsal came to, and what differs."""
    rehearsed = one.rehearsed
    effects = ", ".join(rehearsed.effects) or "no effect"
    mark = "" if one.live is None else "  differs" if one.differences else "  same"
    say(f"{one.request}: {rehearsed.status}, {effects}, {rehearsed.price or 'no price'}{mark}")
    for difference in one.differences:
        say(f"    {difference}")


def _summary(told: list[Comparison], asked: list[str], *, compare: bool) -> None:
    for name in asked:
        say(f"{name}: no example request in {_FILE}", err=True)
    if compare:
        count = sum(bool(one.differences) for one in told)
        say(f"{len(told)} requests compared, {count} differ.")


def _as_json(told: list[Comparison], asked: list[str]) -> None:
    import msgspec

    document = {"requests": told, "without_request": asked}
    say(msgspec.json.format(msgspec.json.encode(document)).decode())
