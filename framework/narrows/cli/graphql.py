"""`narrows graphql`: the schema of a BFF, its documents as manifests, and what a change of either breaks."""

from __future__ import annotations

from pathlib import Path

import click

from narrows.cli.graphql_check import check
from narrows.cli.graphql_import import import_documents
from narrows.cli.graphql_opened import documents, put, schema_text
from narrows.cli.graphql_unknown import unknown
from narrows.cli.saying import say
from narrows.cli.target import load_bff


@click.group("graphql", short_help="Write schema and manifests of documents, import them, and see what breaks.")
def command() -> None:
    """Work on the GraphQL of a BFF: its schema, and the documents that are registered.

    Exit codes: 0 done, 1 a document breaks, or nothing was found; 2 refused or wrong usage.
    """


_OUT = click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A file to write it into.")

for _one in (check, import_documents, unknown):
    command.add_command(_one)


@command.command("schema", short_help="Print the schema of a BFF in GraphQL's own language.")
@click.argument("target")
@_OUT
def schema(target: str, out: Path | None) -> None:
    """Print the schema of TARGET (module:attribute), made from its endpoints and types; no settings are read.

    It is not answered to anybody by introspection. Keep a copy beside the BFF: `narrows graphql check` compares.

    \b
    Examples:
      narrows graphql schema bffs.where2eat.app:bff --out bffs/where2eat/schema.graphql
    """
    put(schema_text(load_bff(target)), out)


@command.command("manifest", short_help="Write the registered documents as a manifest of Apollo or Relay.")
@click.argument("target")
@click.option("--format", "form", type=click.Choice(["apollo", "relay"]), required=True, help="Whose form.")
@_OUT
def manifest(target: str, form: str, out: Path | None) -> None:
    """Write every registered document of TARGET (module:attribute), by the SHA-256 of its text.

    The same documents give the same bytes. Ids that a document has besides do not stand there: a client that is built
    with this manifest asks by the hash.

    \b
    Examples:
      narrows graphql manifest bffs.where2eat.app:bff --format apollo --out manifest.json
    """
    from narrows.surfaces.graphql.manifest import write

    found = documents(load_bff(target))
    put(write(found, "apollo" if form == "apollo" else "relay"), out)
    if out is not None:
        say(f"{out}: {len(found)} documents.")
