"""What `narrows connector` works on: the registry of a target and its review queue, opened for one command."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from narrows.audit.nowhere import Keeper
    from narrows.declare.bff import Bff
    from narrows.declare.connectors import Written
    from narrows.declare.endpoint import Endpoint
    from narrows.governance.connectors import Governor, Operator
    from narrows.governance.reviews import Reviewer
    from narrows.settings import Settings
    from narrows.stores.servers import Servers

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def shared(function: F) -> F:
    """What every subcommand takes."""
    form = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
    settings = click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
    return click.argument("target")(settings(form(function)))


def changing(function: F) -> F:
    """What every subcommand takes that changes something."""
    return click.option("--by", required=True, help="Your name: it is kept with the change, as is your account.")(
        shared(function)
    )


def governing(target: str, settings: str | None, work: Callable[[Governor], Awaitable[T]]) -> T:
    """Do something with the registry of a target."""

    async def opened() -> T:
        async with _governor(target, settings) as governor:
            return await work(governor)

    return asyncio.run(opened())


def reviewing(target: str, settings: str | None, work: Callable[[Reviewer], Awaitable[T]]) -> T:
    """Do something with the review queue of a target."""

    async def opened() -> T:
        async with _reviewer(target, settings) as (_, _, _, reviewer, _):
            return await work(reviewer)

    return asyncio.run(opened())


@asynccontextmanager
async def _governor(target: str, settings: str | None) -> AsyncIterator[Governor]:
    from narrows.governance.connectors import Governor
    from narrows.governance.reviews import judge_of
    from narrows.stores.opening import open_connectors

    async with _reviewer(target, settings) as (bff, read, servers, reviewer, log):
        store = open_connectors(read, servers)
        try:
            await servers.prepare()
            yield Governor(
                bff, read, store, now=time.time, judge=judge_of(reviewer), log=log, documents=partial(_documents, bff)
            )
        finally:
            await store.close()


@asynccontextmanager
async def _reviewer(
    target: str, settings: str | None
) -> AsyncIterator[tuple[Bff, Settings, Servers, Reviewer, Keeper]]:
    """The policy gate with its queue, which lies where the registry does, and the log of what is decided."""
    from narrows.cli.audit_change import change_log
    from narrows.errors import SettingsError, Unavailable
    from narrows.governance.policy import Gate
    from narrows.governance.reviews import Reviewer
    from narrows.settings import load_settings
    from narrows.stores.opening import open_reviews
    from narrows.stores.servers import Servers

    bff = load_bff(target)
    read = load_settings(settings or bff.folder / "narrows.toml")
    if read.stores.connectors == "memory:":
        raise SettingsError(
            "stores.connectors: a registry in memory is that of one running process, and cannot be reached from here. "
            'Remedy: set stores.connectors = "sqlite:connectors.db" and stores.key.'
        )
    servers = Servers(read.stores)
    reviews = open_reviews(read, servers)
    try:
        await servers.prepare()
        approvers = read.governance.approvers
        async with change_log(bff, read) as log:
            gate = Reviewer(
                bff,
                lambda: Gate.of(bff),
                reviews,
                approvers=approvers,
                now=time.time,
                log=log,
                documents=partial(_documents, bff),
            )
            yield bff, read, servers, gate, log
    except Unavailable as error:
        raise SettingsError(
            f"{error} It stands in {read.stores.connectors!r}. Remedy: see whether stores.key is the key that it was "
            "sealed with, and whether the file is whole (a new one begins where you move it away) or the server runs."
        ) from error
    finally:
        await reviews.close()
        await servers.close()


def _documents(bff: Bff) -> list[Endpoint]:
    """The GraphQL documents of a BFF, when a record is judged: what takes power away does not depend on them."""
    from narrows.surfaces.http import documents_of

    return documents_of(bff)


def files(governor: Governor) -> Sequence[Written]:
    """The records of the files beside the BFF. Raises `ConnectorError`."""
    from narrows.declare.connectors import read_records

    return read_records(governor.bff.folder / "connectors")


def operator(by: str) -> Operator:
    """Who changes something: the name given, and the account of the machine beside it, which nobody types in."""
    from narrows.governance.connectors import Operator

    return Operator(name=by, os_user=account())


def account() -> str:
    """The account that this runs in; containers often have none with a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
