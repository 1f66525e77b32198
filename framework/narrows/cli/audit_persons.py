"""Persons in the audit log: who is behind a hash, and how they are forgotten. Both need a role, and are recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import click

from narrows.cli.audit_opened import Opened, shared, with_log
from narrows.cli.saying import one_line, say

if TYPE_CHECKING:
    from narrows.errors import NarrowsError

F = TypeVar("F", bound=Callable[..., object])

Did = Literal["resolve", "search", "forget", "forgotten", "refused"]


class Role(NamedTuple):
    """Who may do something: the key of the settings, and the names that stand there."""

    key: str
    names: Sequence[str]


def _named(function: F) -> F:
    """What every subcommand takes that names persons."""
    by = click.option("--by", required=True, help="Your name: it is recorded, as is the account that you work in.")
    reason = click.option("--reason", default="", help="Why; it is recorded.")
    return by(reason(shared(function)))


@click.command("resolve", short_help="Tell who is behind a hash; it is recorded.")
@_named
@click.argument("hashed", metavar="HASH")
def resolve(target: str, settings: str | None, hashed: str, by: str, reason: str) -> None:
    """Tell who is behind the HASH of a caller in the audit log of TARGET (module:attribute).

    You must stand in audit.readers of the settings. It is recorded, durably, before anything is told.

    \b
    Examples:
      narrows audit resolve bffs.where2eat.app:bff 94978c0991cce1420c0aae98deaf765e --by dana@example.com
    """

    async def read(log: Opened) -> tuple[str, str] | None:
        await _allow(log, Role("audit.readers", log.settings.audit.readers), by, hashed)
        await _record(log, "resolve", by, hashed, reason)
        return await log.persons.resolve(hashed)

    found = with_log(target, settings, read)
    if found is None:
        say("It leads to nobody: it is not in this log, or the person was forgotten.", err=True)
        raise click.exceptions.Exit(1)
    issuer, subject = found
    say(one_line(f"{issuer}|{subject}"))


@click.command("forget", short_help="Destroy the key of a person, so that their records lead to nobody.")
@_named
@click.argument("person", metavar="HASH_OR_PERSON")
def forget(target: str, settings: str | None, person: str, by: str, reason: str) -> None:
    """Forget the person of a hash, or of issuer|subject, in the audit log of TARGET (module:attribute). For good.

    Their records stay, and the log is still whole; nobody can tell any more whose they are, or try what was in the
    arguments that they hide. You must stand in audit.erasers of the settings. It is recorded before and after.

    \b
    Examples:
      narrows audit forget bffs.where2eat.app:bff "corp|anna" --by dpo@example.com --reason "request 12"
    """
    from narrows.audit.persons import HELD_S

    async def erase(log: Opened) -> str | None:
        by_hash = None if "|" in person else person
        await _allow(log, Role("audit.erasers", log.settings.audit.erasers), by, by_hash)
        named = _split(person) if by_hash is None else await log.persons.resolve(by_hash)
        hashed = await log.persons.find(*named) if named is not None else None
        if hashed is None or named is None:
            # Whoever forgot them may have been cut short between the key and what the disk still had of it.
            await log.persons.scrub()
            return None
        await _record(log, "forget", by, hashed, reason)
        await log.persons.forget(*named)
        await _record(log, "forgotten", by, hashed, reason)
        return hashed

    hashed = with_log(target, settings, erase)
    if hashed is None:
        say("There is nobody to forget: they are not in this log, or were forgotten already.", err=True)
        raise click.exceptions.Exit(1)
    say(f"Forgotten: {hashed} leads to nobody. A process that runs uses what it knows for up to {HELD_S:.0f} s more.")


async def hash_of(log: Opened, person: str, by: str) -> str:
    """The hash of issuer|subject, for somebody who may know it. Raises `AuditRefused`; ends with 1 if there is none."""
    named = _split(person)
    # Of a refusal the log holds no hash: whoever read it there would know whose records those are.
    await _allow(log, Role("audit.readers", log.settings.audit.readers), by, None)
    hashed = await log.persons.find(*named)
    await _record(log, "search", by, hashed, "")
    if hashed is None:
        say("This person is not in this log, or was forgotten: look for their calls by what they did.", err=True)
        raise click.exceptions.Exit(1)
    return hashed


def _split(person: str) -> tuple[str, str]:
    issuer, bar, subject = person.partition("|")
    if not bar or not issuer or not subject:
        raise click.UsageError("A person is issuer|subject, such as corp|anna, by the issuer's name in the settings.")
    return issuer, subject


async def _allow(log: Opened, role: Role, by: str, hashed: str | None) -> None:
    """Refuse whoever has not the role, and record that they tried."""
    from narrows.stores.registry import same_name

    if by.strip() and same_name(by, *role.names):
        return
    await _record(log, "refused", by, hashed, role.key)
    who = f"{by.strip()!r} is not in {role.key}" if by.strip() else f"nobody is named, and {role.key} says who may"
    raise _refused(who, "say --by with a name that is there, or let somebody who is do it")


async def _record(log: Opened, what: Did, by: str, hashed: str | None, note: str) -> None:
    """Record what is done with the log itself; it is on the disk when this returns."""
    from narrows.audit.events import Event
    from narrows.audit.record import timestamp
    from narrows.cli.connector_registry import account

    await log.log.keep(
        Event(
            time=timestamp(time.time()),
            event="audit",
            what=what,
            bff=log.bff.name,
            caller=hashed,
            by=by.strip() or None,
            account=account() or None,
            note=note,
        )
    )


def _refused(rule: str, remedy: str) -> NarrowsError:
    from narrows.errors import AuditRefused

    return AuditRefused(f"{rule}. Remedy: {remedy}.")
