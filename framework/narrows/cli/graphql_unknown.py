"""`narrows graphql unknown`: query text that connectors sent and that is no registered document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from narrows.cli.audit_opened import shared, with_log
from narrows.cli.graphql_opened import since
from narrows.cli.saying import one_line, say

Row = dict[str, Any]


@click.command("unknown", short_help="Show the unknown documents that connectors sent, so that you can register them.")
@shared
@click.option("--since", callback=since, default="30d", show_default=True, help="30d, 12h, 2w, or a date in UTC.")
@click.option("--connector", help="The id of a program.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def unknown(target: str, settings: str | None, since: str, connector: str | None, form: str) -> None:
    """Show what connectors of TARGET (module:attribute) sent as text and no document is, the most sent first.

    Only what connectors with `documents = "log"` in their record sent is put down, by its hash and its shape: every
    value in it is emptied. What differs from a registered document in its layout alone says of which.

    \b
    Examples:
      narrows graphql unknown bffs.where2eat.app:bff --since 7d --connector page
    """
    from narrows.audit.search import Wanted, search

    async def read(log: Any) -> list[Row]:
        found: dict[tuple[str, str], Row] = {}
        async for one in search(log.store, Wanted(event="document", connector=connector, since=since)):
            _count(found, one.record)
        return sorted(found.values(), key=lambda row: (-row["count"], row["sha256"], row["connector"]))

    rows = with_log(target, settings, read)
    if form == "json":
        import json

        say(json.dumps(rows, indent=2))
    else:
        for row in rows:
            _tell(row)
    if not rows:
        say("Nothing was found.", err=True)
        raise click.exceptions.Exit(1)


def _count(found: dict[tuple[str, str], Row], record: Mapping[str, Any]) -> None:
    """Count a text of a connector; the newest record says version, time and what is meant."""
    digest, connector = str(record.get("digest")), str(record.get("connector"))
    row = found.setdefault((digest, connector), {"sha256": digest, "connector": connector, "count": 0})
    shape = record.get("shape")
    row.update(
        count=row["count"] + 1,
        version=record.get("connector_version"),
        last=record.get("time"),
        what=record.get("what"),
        means=record.get("endpoint"),
        operation=record.get("operation"),
        shape="".join(map(str, shape)) if isinstance(shape, list) else "",
    )


def _tell(row: Row) -> None:
    sent = f"{row['count']} times by {row['connector']} {row['version']}, last {row['last']}"
    say(one_line(f"{row['operation'] or 'without a name'}: {sent}"))
    if row["means"]:
        say(one_line(f"    it is {row['means']} in another layout: let the program send its id"))
    say(one_line(f"    sha256:{row['sha256']}"))
    say(one_line(f"    {row['shape'] or 'it is no GraphQL, or longer than a document may be'}"))
