"""`narrows graphql import`: documents of another registry become files, and the lines that declare them."""

from __future__ import annotations

from pathlib import Path

import click

from narrows.cli.saying import one_line, say


@click.command("import", short_help="Take documents over from a manifest of Apollo or Relay, or a folder.")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder queries/.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def import_documents(source: Path, into: Path, form: str) -> None:
    """Write each document of SOURCE into a file named by its operation, and print the line that declares it.

    SOURCE is a manifest of Apollo or Relay, or a folder of .graphql files. Either everything is written or nothing; no
    file is written over. Each hash is recomputed. An id that is no SHA-256, such as Relay's, stands in the line as
    `ids`, so that clients which ship it already go on. What the line leaves as `...` is yours to say: until then the
    BFF does not start.

    \b
    Examples:
      narrows graphql import persisted-query-manifest.json --into bffs/where2eat/queries
    """
    from narrows.surfaces.graphql.extra import INSTALL, missing

    if (said := missing()) is not None:
        raise click.UsageError(f"It needs the extra `graphql`, which is not installed here: {said}. Remedy: {INSTALL}.")
    from narrows.surfaces.graphql.importing import plan_import, write_import
    from narrows.surfaces.graphql.manifest import read

    found = plan_import(read(source), into)
    write_import(found, into)
    if form == "json":
        import json

        rows = [{"name": one.name, "ids": one.ids, "file": str(one.file), "new": one.new} for one in found]
        say(json.dumps(rows, indent=2))
        return
    for one in found:
        say(one_line(f"# {one.file}: {'written' if one.new else 'stands there already'}"))
        say(one.declaration())
    if not found:
        say("It lists no document.", err=True)
