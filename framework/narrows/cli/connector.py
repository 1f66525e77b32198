"""`narrows connector`: the registry of a BFF's connectors, as its operators see and change it."""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from narrows.declare.bff import Bff
    from narrows.declare.connectors import Written
    from narrows.governance.connectors import Difference, Governor, Operator
    from narrows.governance.reviews import Reviewer
    from narrows.settings import Settings
    from narrows.stores.registry import Change, Registered
    from narrows.stores.reviews import Review

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_SENSITIVE = "SENSITIVE: its endpoints answer personal or secret data; who approves it approves that"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group("connector", short_help="Register, approve, suspend and rotate the programs that call.")
def command() -> None:
    """Work on the registry of the connectors of a BFF.

    Their records are the files connectors/*.toml beside the file that declares the Bff. The registry is the store that
    `stores.connectors` of the settings names; it must be a file. Exit codes: 0 done, 1 something differs (diff alone),
    2 refused or wrong usage.
    """


def _shared(function: F) -> F:
    """What every subcommand takes."""
    form = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
    settings = click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
    return click.argument("target")(settings(form(function)))


def _changing(function: F) -> F:
    """What every subcommand takes that changes something."""
    return click.option("--by", required=True, help="Your name: it is kept with the change, as is your account.")(
        _shared(function)
    )


@command.command("diff", short_help="Show what apply would change; exit code 1 if anything.")
@_shared
def diff(target: str, settings: str | None, form: str) -> None:
    """Show what applying the files of TARGET (module:attribute) would change, field by field.

    WIDENING marks what lets a connector do more than was approved: it will be a draft again.

    \b
    Examples:
      narrows connector diff bffs.where2eat.app:bff
    """
    found = _run(target, settings, lambda governor: governor.diff(_files(governor)))
    _differences(found, form)
    sys.exit(1 if any(one.kind != "same" for one in found) else 0)


@command.command("apply", short_help="Put the files into the registry.")
@_changing
def apply(target: str, settings: str | None, form: str, by: str) -> None:
    """Put the records of the files of TARGET (module:attribute) into the registry.

    New and widened connectors are drafts until they are approved. If one file does not hold, none is applied.

    \b
    Examples:
      narrows connector apply bffs.where2eat.app:bff --by lena@example.com
    """
    _differences(_run(target, settings, lambda governor: governor.apply(_files(governor), _operator(by))), form)


@command.command("list", short_help="List the connectors and their states.")
@_shared
def listed(target: str, settings: str | None, form: str) -> None:
    """List the connectors of TARGET (module:attribute), with the states that hold now.

    \b
    Examples:
      narrows connector list bffs.where2eat.app:bff --format json
    """

    async def read(governor: Governor) -> list[dict[str, Any]]:
        _, entries = await governor.store.all()
        return [_summary(governor, entry) for entry in entries]

    _table(_run(target, settings, read), form)


@command.command("show", short_help="Show one connector: record, approval, credentials, history.")
@_shared
@click.argument("name")
@click.option("--jwks", "only_jwks", is_flag=True, help="Only its public keys, as an authorization server takes them.")
def show(target: str, name: str, settings: str | None, form: str, only_jwks: bool) -> None:
    """Show the connector NAME of TARGET (module:attribute). Secrets are not kept, so none is shown.

    \b
    Examples:
      narrows connector show bffs.where2eat.app:bff copilot
    """
    from narrows.governance.rotation import jwks
    from narrows.stores.registry import holding

    async def read(governor: Governor) -> dict[str, Any]:
        entry = await governor.find(name)
        if only_jwks:
            return jwks(holding(entry, time.time()))
        return _whole(governor, entry, await governor.store.history(name))

    found = _run(target, settings, read)
    if only_jwks or form == "json":
        _json(found)
    else:
        _sheet(found)


@command.command("approve", short_help="Take a draft to trial, or a trial to live.")
@_changing
@click.argument("name")
@click.option("--digest", help="The digest, or its beginning, of the record that you have looked at.")
def approve(target: str, name: str, settings: str | None, form: str, by: str, digest: str | None) -> None:
    """Approve the connector NAME of TARGET (module:attribute): draft → trial → live, one step at a time.

    You must stand in governance.approvers of the settings, and be neither its owner nor its contact. Your approval is
    of exactly this record: whatever widens it later makes it a draft again.

    \b
    Examples:
      narrows connector approve bffs.where2eat.app:bff copilot --by dana@example.com
    """
    row = _run(target, settings, lambda g: _entry(g, g.approve(name, _operator(by), digest=digest or None)))
    _changed(row, form, approving=True)


@command.command("suspend", short_help="Stop a connector within a second, until it is resumed.")
@_changing
@click.argument("name")
@click.option("--reason", default="", help="Why; it is kept with the change.")
def suspend(target: str, name: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Suspend the connector NAME of TARGET (module:attribute); the next write of a running call is stopped too.

    \b
    Examples:
      narrows connector suspend bffs.where2eat.app:bff copilot --by lena@example.com --reason "it books twice"
    """
    _changed(_run(target, settings, lambda g: _entry(g, g.suspend(name, _operator(by), reason))), form)


@command.command("resume", short_help="Let a suspended connector go on.")
@_changing
@click.argument("name")
def resume(target: str, name: str, settings: str | None, form: str, by: str) -> None:
    """Resume the connector NAME of TARGET (module:attribute) in the state before; only who may approve it may do so.

    \b
    Examples:
      narrows connector resume bffs.where2eat.app:bff copilot --by dana@example.com
    """
    _changed(_run(target, settings, lambda g: _entry(g, g.resume(name, _operator(by)))), form)


@command.command("revoke", short_help="End a connector for good.")
@_changing
@click.argument("name")
@click.option("--reason", default="", help="Why; it is kept with the change.")
def revoke(target: str, name: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Revoke the connector NAME of TARGET (module:attribute). There is no way back; a new one needs another id.

    \b
    Examples:
      narrows connector revoke bffs.where2eat.app:bff copilot --by lena@example.com
    """
    _changed(_run(target, settings, lambda g: _entry(g, g.revoke(name, _operator(by), reason))), form)


@command.command("rotate", short_help="Give a connector a new secret or key.")
@_changing
@click.argument("name")
@click.option(
    "--public-key", type=click.Path(exists=True, dir_okay=False), help="The owner's public key (JWK or PEM); no secret."
)
@click.option("--overlap", default="24h", show_default=True, help="How long the old ones still hold; at the most 7d.")
@click.option("--compromised", is_flag=True, help="End the old ones and every token issued so far, at once.")
def rotate(
    target: str,
    name: str,
    settings: str | None,
    form: str,
    by: str,
    public_key: str | None,
    overlap: str,
    compromised: bool,
) -> None:
    """Give the connector NAME of TARGET (module:attribute) a new credential.

    A new secret is printed once, and kept nowhere. The authorization server of the issuer must be told of it too; the
    embedded one reads it from the registry.

    \b
    Examples:
      narrows connector rotate bffs.where2eat.app:bff copilot --by lena@example.com --overlap 24h
    """
    from narrows.governance.rotation import rotate as give

    seconds = _seconds(overlap)
    key = Path(public_key).read_bytes() if public_key else None

    async def work(governor: Governor) -> dict[str, Any]:
        rotated = await give(
            governor,
            name,
            _operator(by),
            now=time.time,
            public_key=key,
            overlap_s=seconds,
            compromised=compromised,
        )
        told = _summary(governor, rotated.entry)
        return {**told, "secret": rotated.secret.reveal()} if rotated.secret else told

    _changed(_run(target, settings, work), form)


@command.command("reviews", short_help="List what the policy holds back until an approver decides.")
@_shared
@click.option("--all", "everything", is_flag=True, help="Those that were decided too.")
@click.option("--history", "past", is_flag=True, help="Every decision of gate and approvers instead, as lines of JSON.")
def reviews(target: str, settings: str | None, form: str, everything: bool, past: bool) -> None:
    """List what the records of TARGET (module:attribute) ask for and a policy denies without a grant.

    \b
    Examples:
      narrows connector reviews bffs.where2eat.app:bff
      narrows connector reviews bffs.where2eat.app:bff --all --format json
    """

    if past:
        for line in _reviewing(target, settings, lambda reviewer: reviewer.history()):
            click.echo(line, nl=False)
        return

    async def read(reviewer: Reviewer) -> list[Review]:
        return await (reviewer.all() if everything else reviewer.waiting())

    found = _reviewing(target, settings, read)
    if form == "json":
        _json([_review(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.connector}: {one.grant} {_verdict(one)}, digest {one.digest[:12]}")
        click.echo(f"  {one.policy}/{one.rule}: {one.message}")
        click.echo(f"  owner {one.owner}, contact {one.contact}, tenant {one.tenant}, asked {_moment(one.asked_at)}")
    if not found:
        click.echo("Nothing waits for an approver.")


@command.command("grant", short_help="Grant what the policy holds back, to one record.")
@_changing
@click.argument("name")
@click.argument("what")
@click.option("--reason", default="", help="Why; it is kept with the decision.")
def grant(target: str, name: str, what: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Grant WHAT, such as data:export, to the connector NAME of TARGET (module:attribute), for exactly its record.

    You must stand in governance.approvers of the settings, and be neither its owner nor its contact. Then the owner
    applies again. A record that changes asks anew.

    \b
    Examples:
      narrows connector grant bffs.where2eat.app:bff reports data:export --by security@example.com
    """
    _decided(_reviewing(target, settings, lambda r: r.decide(name, what, "granted", by=by, reason=reason)), form)


@command.command("deny", short_help="Deny what the policy holds back, or take a grant back.")
@_changing
@click.argument("name")
@click.argument("what")
@click.option("--reason", default="", help="Why; it is kept with the decision.")
def deny(target: str, name: str, what: str, settings: str | None, form: str, by: str, reason: str) -> None:
    """Deny WHAT, such as data:export, to the connector NAME of TARGET (module:attribute); who may grant it may deny it.

    A connector that was approved with a grant that is taken back stays as it is: suspend or revoke it too.

    \b
    Examples:
      narrows connector deny bffs.where2eat.app:bff reports data:export --by security@example.com --reason "too wide"
    """
    _decided(_reviewing(target, settings, lambda r: r.decide(name, what, "denied", by=by, reason=reason)), form)


def _decided(review: Review, form: str) -> None:
    """What became of one review."""
    if form == "json":
        _json(_review(review))
    else:
        click.echo(f"{review.connector}: {review.grant} {_verdict(review)}, digest {review.digest[:12]}")


def _verdict(review: Review) -> str:
    return f"{review.verdict} by {review.by}" if review.by else review.verdict


def _review(review: Review) -> dict[str, Any]:
    """A review for a program, its times as RFC 3339."""
    import msgspec

    decided = None if review.decided_at is None else _moment(review.decided_at)
    return {**msgspec.to_builtins(review), "asked_at": _moment(review.asked_at), "decided_at": decided}


def _reviewing(target: str, settings: str | None, work: Callable[[Reviewer], Awaitable[T]]) -> T:
    """Do something with the review queue of a target."""

    async def opened() -> T:
        async with _reviewer(target, settings) as (_, _, reviewer):
            return await work(reviewer)

    return asyncio.run(opened())


def _run(target: str, settings: str | None, work: Callable[[Governor], Awaitable[T]]) -> T:
    """Do something with the registry of a target."""

    async def opened() -> T:
        async with _governor(target, settings) as governor:
            return await work(governor)

    return asyncio.run(opened())


@asynccontextmanager
async def _governor(target: str, settings: str | None) -> AsyncIterator[Governor]:
    from narrows.governance.connectors import Governor
    from narrows.governance.reviews import judge_of
    from narrows.stores.opening import open_connectors

    async with _reviewer(target, settings) as (bff, read, reviewer):
        store = open_connectors(read)
        try:
            yield Governor(bff, read, store, now=time.time, judge=judge_of(reviewer))
        finally:
            await store.close()


@asynccontextmanager
async def _reviewer(target: str, settings: str | None) -> AsyncIterator[tuple[Bff, Settings, Reviewer]]:
    """The policy gate with its queue, which lies in the file of the registry."""
    from narrows.errors import SettingsError
    from narrows.governance.policy import Gate
    from narrows.governance.reviews import Reviewer
    from narrows.settings import load_settings
    from narrows.stores.opening import open_reviews

    bff = load_bff(target)
    read = load_settings(settings or bff.folder / "narrows.toml")
    if read.stores.connectors == "memory:":
        raise SettingsError(
            "stores.connectors: a registry in memory is that of one running process, and cannot be reached from here. "
            'Remedy: set stores.connectors = "sqlite:connectors.db" and stores.key.'
        )
    reviews = open_reviews(read)
    try:
        approvers = read.governance.approvers
        yield bff, read, Reviewer(bff, lambda: Gate.of(bff), reviews, approvers=approvers, now=time.time)
    finally:
        await reviews.close()


def _files(governor: Governor) -> Sequence[Written]:
    from narrows.declare.connectors import read_records

    return read_records(governor.bff.folder / "connectors")


def _operator(by: str) -> Operator:
    from narrows.governance.connectors import Operator

    return Operator(name=by, os_user=_account())


def _account() -> str:
    """The account that this runs in; containers often have none with a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def _seconds(text: str) -> float:
    """Read `24h`. Raises `click.BadParameter`."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit():
        raise click.BadParameter("write a number and s, m, h or d, as in 24h", param_hint="--overlap")
    return float(int(number) * _UNITS[unit])


async def _entry(governor: Governor, change: Awaitable[Registered]) -> dict[str, Any]:
    return _summary(governor, await change)


def _summary(governor: Governor, entry: Registered) -> dict[str, Any]:
    """One connector in a line."""
    return {
        "connector": entry.id,
        "state": governor.state(entry),
        "version": entry.version,
        "kind": entry.record.kind,
        "template": entry.record.template,
        "owner": entry.record.owner,
        "digest": entry.record.digest(),
        "sensitive": entry.record.sensitive,
    }


def _whole(governor: Governor, entry: Registered, history: list[Change]) -> dict[str, Any]:
    """All that may be shown of one connector."""
    import msgspec

    from narrows.stores.registry import credential_end, holding

    approval = entry.approval
    return {
        **_summary(governor, entry),
        "record": {name: value for name, value in msgspec.to_builtins(entry.record).items() if name != "id"},
        "approval": {**msgspec.to_builtins(approval), "at": _moment(approval.at)} if approval else None,
        "credentials": [
            {
                "id": one.id,
                "kind": "secret" if one.jwk is None else "public key",
                "made": _moment(one.made),
                "ends": _moment(credential_end(entry.record, one)),
            }
            for one in holding(entry, time.time())
        ],
        "tokens_after": _moment(entry.tokens_after) if entry.tokens_after is not None else None,
        "history": [{**msgspec.to_builtins(change), "at": _moment(change.at)} for change in history],
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _differences(found: list[Difference], form: str) -> None:
    if form == "json":
        import msgspec

        _json([{**msgspec.to_builtins(one), "widening": one.widening} for one in found])
        return
    for one in found:
        state = f"{one.before or 'nothing'} → {one.after}" if one.before != one.after else f"stays {one.after}"
        click.echo(f"{one.connector}: {_KINDS[one.kind]}" + ("" if one.kind in ("same", "absent") else f", {state}"))
        for field in one.fields:
            mark = "  WIDENING" if field.widening and one.kind == "changed" else ""
            click.echo(f"  {field.field}: {_change(field.before, field.after)}{mark}")
    if not found:
        click.echo("There is no file, and nothing in the registry.")


_KINDS = {"new": "new", "changed": "changed", "same": "the same", "absent": "in the registry, and no file: revoke it"}


def _change(before: Any, after: Any) -> str:
    """A change of one field; of a list, what came and what went."""
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        parts = [f"+{value}" for value in after if value not in before]
        return ", ".join(parts + [f"-{value}" for value in before if value not in after]) or "in another order"
    return _shown(after) if before is None else f"{_shown(before)} → {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _table(rows: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        _json(rows)
        return
    if not rows:
        click.echo("The registry is empty. Put your files into it: narrows connector apply.")
        return
    columns = ("connector", "state", "version", "kind", "template", "owner")
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in columns]
    for row in [{name: name.upper() for name in columns}, *rows]:
        line = "  ".join(str(row[name]).ljust(width) for name, width in zip(columns, widths, strict=True))
        click.echo(line.rstrip())


def _changed(row: dict[str, Any], form: str, *, approving: bool = False) -> None:
    """What became of one connector."""
    if form == "json":
        _json(row)
        return
    click.echo(f"{row['connector']}: {row['state']}, version {row['version']}, digest {row['digest'][:12]}")
    if row["sensitive"] and approving:
        click.echo(_SENSITIVE)
    if "secret" in row:
        click.echo(f"secret: {row['secret']}")
        click.echo("It is shown this once, and kept nowhere: hand it to the owner by a safe way.")


def _sheet(whole: dict[str, Any]) -> None:
    """All of one connector, for a person."""
    click.echo(f"{whole['connector']}: {whole['state']}, version {whole['version']}")
    click.echo(f"digest {whole['digest']}")
    if whole["sensitive"]:
        click.echo(_SENSITIVE)
    for name, value in whole["record"].items():
        click.echo(f"  {name}: {_shown(value)}")
    approval = whole["approval"]
    carried = " (of a wider record before)" if approval and approval["carried_from"] else ""
    click.echo(f"approved: {approval['by']}, {approval['at']}{carried}" if approval else "approved: by nobody")
    for one in whole["credentials"]:
        click.echo(f"credential {one['id']}: {one['kind']}, made {one['made']}, ends {one['ends']}")
    if whole["tokens_after"]:
        click.echo(f"tokens: only those issued after {whole['tokens_after']}")
    click.echo("history:")
    for change in whole["history"]:
        states = f"{change['before'] or 'nothing'} → {change['after'] or 'nothing'}"
        by = f"{change['by']} ({change['os_user'] or 'no account'})"
        note = f": {change['note']}" if change["note"] else ""
        click.echo(f"  {change['at']}  {change['action']}  {states}  by {by}  {change['digest'][:12]}{note}")
