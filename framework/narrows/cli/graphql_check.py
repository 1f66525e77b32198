"""`narrows graphql check`: which registered documents a change of the schema breaks, and who used them lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from narrows.cli.audit_opened import with_log
from narrows.cli.graphql_opened import schema_text, since, with_graphql
from narrows.cli.saying import one_line, say
from narrows.cli.target import SETTINGS_HELP, load_bff

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from narrows.declare.bff import Bff
    from narrows.surfaces.graphql.breaking import Change

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
Row = dict[str, Any]


@click.command("check", short_help="Say which documents a change of the schema breaks, and who used them lately.")
@click.argument("target")
@click.option("--before", type=_FILE, help="A schema that was saved: what changed since then?")
@click.option("--after", type=_FILE, help="A schema that is planned: what would change?")
@click.option("--since", callback=since, help="Say who used each since then, by the audit log: 30d, or a date in UTC.")
@click.option("--settings", type=click.Path(dir_okay=False), help=SETTINGS_HELP)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(
    target: str, before: Path | None, after: Path | None, since: str | None, settings: str | None, form: str
) -> None:
    """Say which registered documents of TARGET (module:attribute) do not fit its schema, or a change of it.

    With --before, its schema is compared with one that was saved; with --after, with one that is planned. A document
    that still fits is broken too when the type of what it selects or sends has changed. With --since, the settings and
    their secrets are read, and documents that programs used and that are registered no more are told as well.

    \b
    Examples:
      narrows graphql check bffs.where2eat.app:bff --before bffs/where2eat/schema.graphql
      narrows graphql check bffs.where2eat.app:bff --after planned.graphql --since 30d
    """
    if before is not None and after is not None:
        raise click.UsageError("--before and --after are two ways to say what changes. Give one of them.")
    bff = with_graphql(load_bff(target))
    changed, rows = _judged(bff, before, after)
    used = _used(target, settings, bff, since) if since is not None else None
    if used is not None:
        rows = [{**row, "used": used.pop(row["document"], [])} for row in rows]
        rows += [{"document": name, "file": None, "faults": [_GONE], "used": by} for name, by in used.items()]
    ok = not any(row["faults"] for row in rows)
    if form == "json":
        import json

        changes = [{"said": one.said, "breaking": one.breaking} for one in changed]
        say(json.dumps({"ok": ok, "changes": changes, "documents": rows}, indent=2))
    else:
        _tell(changed, rows)
    if not ok:
        raise click.exceptions.Exit(1)


_GONE = {"line": None, "said": "it is registered no more"}


def _judged(bff: Bff, before: Path | None, after: Path | None) -> tuple[list[Change], list[Row]]:
    """What changed, and each document with what is wrong with it."""
    from narrows.surfaces.graphql.breaking import broken, changes

    old, new = _schemas(bff, before, after)
    changed = changes(old, new) if old is not None else []
    rows = []
    for name, file in _files(bff):
        faults = [{"line": one.line, "said": one.said} for one in broken(_source(file), new, old, changed)]
        rows.append({"document": f"{bff.name}.{name}", "file": str(file), "faults": faults})
    return changed, rows


def _schemas(bff: Bff, before: Path | None, after: Path | None) -> tuple[GraphQLSchema | None, GraphQLSchema]:
    """The schema before and after; each is made of text, so that the two differ in nothing but what they say."""
    from narrows.surfaces.graphql.breaking import schema_of
    from narrows.surfaces.graphql.manifest import text_of

    own = schema_of(schema_text(bff), bff.where)
    if after is not None:
        return own, schema_of(text_of(after), str(after))
    return schema_of(text_of(before), str(before)) if before is not None else None, own


def _files(bff: Bff) -> list[tuple[str, Path]]:
    surface = bff.graphql_surface
    folder = surface.queries if surface is not None else bff.folder
    return [(declared.name, _near(folder / f"{declared.name}.graphql")) for declared in bff.documents]


def _near(file: Path) -> Path:
    """A file as it is named from the current folder, if it lies below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def _source(file: Path) -> str:
    from narrows.surfaces.graphql.manifest import text_of

    return text_of(file)


def _used(target: str, settings: str | None, bff: Bff, begun: str) -> dict[str, list[Row]]:
    """Who asked for documents since then: those of today, and others that were asked for as documents."""
    from narrows.audit.search import Wanted, search

    names = {f"{bff.name}.{declared.name}" for declared in bff.documents}
    others = {endpoint.id for endpoint in bff.endpoints}

    async def read(log: Any) -> dict[str, list[Row]]:
        found: dict[tuple[str, str], Row] = {}
        async for one in search(log.store, Wanted(event="call", since=begun)):
            name = str(one.record.get("endpoint"))
            is_gone = one.record.get("way") == "graphql" and one.record.get("bff") == bff.name and name not in others
            if name in names or (is_gone and name.startswith(f"{bff.name}.")):
                _count(found, name, one.record)
        used: dict[str, list[Row]] = {}
        for (name, _), row in sorted(found.items()):
            used.setdefault(name, []).append(row)
        return used

    return with_log(target, settings, read)


def _count(found: dict[tuple[str, str], Row], name: str, record: Mapping[str, Any]) -> None:
    """Count a call; the newest one says version and time."""
    connector = str(record.get("connector") or "")
    row = found.setdefault((name, connector), {"connector": connector or None, "version": None, "calls": 0})
    row.update(calls=row["calls"] + 1, version=record.get("connector_version"), last=record.get("time"))


def _tell(changed: Sequence[Change], rows: Sequence[Row]) -> None:
    for one in changed:
        say(one_line(f"schema: {one.said}{'' if one.breaking else ' (this breaks nobody for certain)'}"))
    for row in rows:
        for fault in row["faults"]:
            where = f"{row['file']}:{fault['line']}: " if row["file"] else ""
            say(one_line(f"{where}{row['document']}: {fault['said']}"))
        for used in row.get("used", ()):
            who = f"{used['connector'] or 'nobody registered'} {used['version'] or ''}".rstrip()
            say(one_line(f"    {row['document']} was used by {who}: {used['calls']} calls, last {used['last']}"))
    faulty = sum(bool(row["faults"]) for row in rows)
    say(f"{len(rows)} documents: {f'{faulty} broken' if faulty else 'ok'}")
