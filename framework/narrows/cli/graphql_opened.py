"""What `narrows graphql` works on: the schema and the documents of a BFF, its calls of late, and files it writes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from narrows.cli.audit_opened import beginning
from narrows.cli.saying import say

if TYPE_CHECKING:
    from narrows.declare.bff import Bff
    from narrows.declare.document import Document

_AGO = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def since(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A time as records are compared with it: how long ago (`30d`), or its beginning. Raises `click.BadParameter`."""
    if value is not None and (ago := _AGO.fullmatch(value)):
        began = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return began.isoformat(timespec="seconds").removesuffix("+00:00")
    try:
        return beginning(context, parameter, value)
    except click.BadParameter as fault:
        raise click.BadParameter(f"write 30d, 12h or 2w; or {fault.message}", context, parameter) from None


def with_graphql(bff: Bff) -> Bff:
    """A BFF that answers GraphQL. Raises `click.UsageError` for any other, `StartRefused` without the extra."""
    if bff.graphql_surface is None:
        raise click.UsageError(f"{bff.name} answers no GraphQL. Declare it: {bff.name}'s Bff needs bff.graphql().")
    from narrows.surfaces.graphql.extra import refuse_without_extra

    refuse_without_extra(bff.name, bff.graphql_surface)
    return bff


def schema_text(bff: Bff) -> str:
    """Its schema as text. Raises `StartRefused`."""
    own = with_graphql(bff)
    from narrows.surfaces.graphql.schema import make_schema

    return make_schema(own).sdl()


def documents(bff: Bff) -> list[Document]:
    """Its registered documents. Raises `StartRefused`."""
    own = with_graphql(bff)
    from narrows.surfaces.http import documents_of

    return [endpoint.document for endpoint in documents_of(own) if endpoint.document is not None]


def put(text: str, out: Path | None) -> None:
    """Write a text into a file, byte for byte, or to the terminal, where nothing of it is active."""
    if out is None:
        say(text, nl=False)
        return
    try:
        out.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise click.UsageError(
            f"{out} cannot be written ({error.strerror}). Name a file in a folder that is there."
        ) from None
