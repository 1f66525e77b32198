"""What `narrows audit` works on: the audit log of a target, opened for one command."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from narrows.audit.checkpoint import Signer
    from narrows.audit.log import RecordLog
    from narrows.audit.persons import Persons
    from narrows.declare.bff import Bff
    from narrows.settings import Settings
    from narrows.stores.audit import AuditStore

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d{1,3})?)?)?)?)?)?Z?", re.ASCII)


class Opened(NamedTuple):
    """The audit log of one BFF: what it lies on, what adds to it, who is in it, and what signs it."""

    bff: Bff
    settings: Settings
    store: AuditStore
    log: RecordLog
    persons: Persons
    signer: Signer


def beginning(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A time as records are compared with it. Raises `click.BadParameter` for one in another form."""
    if value is not None and not _TIME.fullmatch(value):
        raise click.BadParameter("write it in UTC, or its beginning: 2026-11-25, 2026-11-25T10:30", context, parameter)
    return value.removesuffix("Z") if value is not None else None


def shared(function: F) -> F:
    """What every subcommand with a target takes."""
    settings = click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
    return click.argument("target")(settings(function))


def with_log(target: str, settings: str | None, work: Callable[[Opened], Awaitable[T]]) -> T:
    """Do something with the audit log of a target."""

    async def opened() -> T:
        async with opened_log(target, settings) as log:
            return await work(log)

    return asyncio.run(opened())


@asynccontextmanager
async def opened_log(target: str, settings: str | None) -> AsyncIterator[Opened]:
    """Open it. Raises `SettingsError` for one in memory, which is that of a running process."""
    from narrows.settings import load_settings

    bff = load_bff(target)
    read = load_settings(settings or bff.folder / "narrows.toml")
    async with audit_of(bff, read) as opened:
        if opened is None:
            from narrows.errors import SettingsError

            raise SettingsError(
                "stores.audit: a log in memory is that of one running process, and cannot be reached from here. "
                'Remedy: set stores.audit = "sqlite:audit.db" and stores.key; that of `narrows dev` ends with its run.'
            )
        yield opened


@asynccontextmanager
async def audit_of(bff: Bff, settings: Settings) -> AsyncIterator[Opened | None]:
    """The audit log of a BFF; None for one in memory. What is added is on the disk at the end."""
    from narrows.audit.keys import signer_of
    from narrows.audit.log import RecordLog
    from narrows.audit.persons import Persons
    from narrows.audit.writer import Writer
    from narrows.stores.memory_audit import MemoryAuditStore
    from narrows.stores.opening import open_audit
    from narrows.stores.sealing import master_key
    from narrows.stores.servers import Servers

    key = master_key(settings.stores.key)
    signer = signer_of(settings, bff.name, key)
    servers = Servers(settings.stores)
    store = open_audit(settings, servers)
    if isinstance(store, MemoryAuditStore):
        yield None
        return
    log = RecordLog(_nothing, lambda: Writer(store, signer))
    try:
        await servers.prepare()
        yield Opened(bff, settings, store, log, Persons(lambda: store, key=key, steady=time.monotonic), signer)
    finally:
        await log.close()
        await store.close()
        await servers.close()


def _nothing(line: bytes) -> None:
    """The records of a command go into the log alone."""
