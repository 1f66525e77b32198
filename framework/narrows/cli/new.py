"""`narrows new`: make a BFF that starts, is tested and is safe."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.devkit.scaffold.facts import Draft, Facts

_SHAPES = ("read-only", "limited-write", "aggregate")


@click.command("new", short_help="Make a new BFF.")
@click.argument("name", required=False)
@click.option("--shape", type=click.Choice(_SHAPES), help="What it does. Without it, and without --from: read-only.")
@click.option(
    "--from",
    "document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take upstream, operations and types from this OpenAPI document (2.0, 3.0 or 3.1).",
)
@click.option("--operations", help="With --from: the ids of the operations to take, with commas between them.")
@click.option("--upstream", help="With --from: the name of the upstream's class. Without it: taken from the title.")
@click.option(
    "--list", "listing", is_flag=True, help="With --from: list the operations of the document, and make nothing."
)
@click.option("--owner", help="Who answers for it: an address of a team. Asked for at a terminal.")
@click.option("--purpose", help="What it is for, in a sentence. Asked for at a terminal.")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("bffs"),
    show_default=True,
    help="The folder of the BFFs; its name is bffs.",
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(
    name: str | None,
    shape: str | None,
    document: Path | None,
    operations: str | None,
    upstream: str | None,
    listing: bool,
    owner: str | None,
    purpose: str | None,
    into: Path,
    form: str,
) -> None:
    """Make bffs/NAME: declarations, types, settings, connector files, a policy, tests that pass, a CI file and a page.

    Nothing is written over, and nothing is left behind when it fails.

    \b
    Shapes:
      read-only      a list and one object of one upstream
      limited-write  the same, and a write that wants the receipt of its rehearsal
      aggregate      two upstreams gathered into one answer

    \b
    Examples:
      narrows new lunch --owner lunch-tools@example.com --purpose "Book lunch"
      narrows new room_booking --shape limited-write
      narrows new pets --from openapi.json --operations getPetById,findPets
    """
    from narrows.devkit.scaffold.facts import checked_name
    from narrows.devkit.scaffold.writing import write

    if listing:
        _list(document, form)
        return
    _fit(shape, document, operations)
    if name is None:
        raise click.UsageError("NAME is missing: what the new BFF is called, as in: narrows new lunch")
    checked_name(name)
    if into.name != "bffs":
        remedy = f"Write --into {into / 'bffs'}"
        raise click.UsageError(
            f"--into {into}: its last part is the package by which a BFF imports its files. {remedy}"
        )
    facts = _facts(name, owner, purpose, shape or "read-only", ask=form == "text" and sys.stdin.isatty())
    draft = _draft(facts, shape or "read-only", document, operations, upstream)
    written = write(draft, name, into)
    _tell(form, facts, draft, [str(file) for file in written], into)


def _list(document: Path | None, form: str) -> None:
    """One operation a line, for eyes and for grep; as JSON with the same fields."""
    from narrows.devkit.scaffold.openapi import listed
    from narrows.devkit.scaffold.openapi.gaps import shown

    if document is None:
        raise click.UsageError("--list belongs to --from: name the OpenAPI document, as in --from openapi.json")
    found = listed(document)
    if form == "json":
        fields = ("id", "method", "path", "summary")
        say(json.dumps([{field: getattr(one, field) for field in fields} for one in found]))
        return
    lines = "".join(f"{shown(one.id)}\t{one.method} {shown(one.path)}\t{one.summary}\n" for one in found)
    click.echo_via_pager(lines) if sys.stdout.isatty() else say(lines, nl=False)


def _fit(shape: str | None, document: Path | None, operations: str | None) -> None:
    """Options that belong together, and those that do not."""
    if document is not None and shape is not None:
        raise click.UsageError("--from and --shape exclude each other: the document says what there is. Leave one out.")
    if document is not None and not operations:
        raise click.UsageError("--from wants --operations: the ids of those to take, as in --operations getPet,addPet")
    if operations and document is None:
        raise click.UsageError("--operations belongs to --from: name the OpenAPI document, as in --from openapi.json")


def _facts(name: str, owner: str | None, purpose: str | None, shape: str, *, ask: bool) -> Facts:
    from narrows.devkit.scaffold.facts import judged
    from narrows.devkit.scaffold.shapes import PURPOSES

    usual = {"owner": f"{name.replace('_', '-')}@example.com", "purpose": PURPOSES[shape]}  # type: ignore[index] # a choice of click
    given = {"owner": owner, "purpose": purpose}
    questions = {"owner": "Who answers for it", "purpose": "What is it for, in a sentence"}
    for what, value in given.items():
        if value is None:
            given[what] = click.prompt(questions[what], default=usual[what]) if ask else usual[what]
    return judged(name, owner=str(given["owner"]), purpose=str(given["purpose"]), today=date.today())


def _draft(facts: Facts, shape: str, document: Path | None, operations: str | None, upstream: str | None) -> Draft:
    if document is not None:
        wanted = [part.strip() for part in (operations or "").split(",") if part.strip()]
        from narrows.devkit.scaffold.openapi import from_document

        return from_document(document, wanted, facts, upstream)
    from narrows.devkit.scaffold.shapes import of_shape

    return of_shape(shape, facts)  # type: ignore[arg-type] # a choice of click


def _tell(form: str, facts: Facts, draft: Draft, files: list[str], into: Path) -> None:
    """What was made, what a person must know of it, and what comes next."""
    following = [
        *([shlex.join(["cd", str(into.parent)])] if into.parent != Path() else []),
        f"python -m pytest bffs/{facts.name}",
        f"narrows check bffs.{facts.name}.app:bff",
        f"narrows dev bffs.{facts.name}.app:bff",
    ]
    if form == "json":
        say(
            json.dumps(
                {
                    "name": facts.name,
                    "files": files,
                    "notes": list(draft.notes),
                    "holes": list(draft.holes),
                    "next": following,
                }
            )
        )
        return
    say(f"{facts.bff} is made. Its owner is {facts.owner}; it is to be reviewed by {facts.review_by}.\n")
    say("".join(f"  {file}\n" for file in files))
    say("".join(f"Note: {note}\n" for note in draft.notes), nl=False)
    say("".join(f"Hole: {hole}\n" for hole in draft.holes), nl=False)
    if draft.holes:
        say(f"The start is refused until {len(draft.holes)} marked hole(s) are filled; narrows check says where.")
    say("Next:\n" + "".join(f"  {line}\n" for line in following), nl=False)
