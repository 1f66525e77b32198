"""GraphQL as a team declares it: which fields it adds, and documents, each of them a narrow endpoint like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from narrows.declare.types import Money
from narrows.declare.upstream import Operation, Times


class Join(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A field that a team adds to a type: `function` takes the list of all parents, and answers one value for each.

    So that N items never mean N requests, a join is only ever asked for all of them at once.
    """

    on: type[msgspec.Struct]
    name: str
    function: Callable[..., Any]
    where: str
    uses: tuple[Operation[..., Any] | Times, ...] | None = None


class Graphql(msgspec.Struct, frozen=True, kw_only=True):
    """What a BFF says of its GraphQL: Strawberry fields of its own by type, the folder of its documents, its bounds.

    `ceiling` is the most that one document may cost (`0.50 EUR`), None: nothing that costs. `before` is where it was
    said first, if it was said twice.
    """

    where: str
    fields: Mapping[type[msgspec.Struct], type[Any]] = {}
    queries: Path
    depth: int = 8
    aliases: int = 15
    tokens: int = 1000
    ceiling: str | None = None
    before: str | None = None


class Declared(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One document as a team declares it: its name, which is that of its file, its guards, and other ids of it.

    `ids` are names under which programs know it already, such as those that another registry gave it.
    """

    name: str
    where: str
    guards: Mapping[str, Any]
    ids: tuple[str, ...] = ()


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint (by its id) that a document's fields resolve to, and how often one call asks for it at the most."""

    endpoint: str
    times: int


class Document(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A document, compiled at start: `sha256` is the hash of its source (64 lower-case hex digits).

    `normalised` is that of its tree, which is the same for documents that differ in spaces and comments alone.
    `variables` is the type that its variables are decoded by, all at once; unknown ones are refused. A variable that
    stands in places of several types must be of each: the others are in `also`. `defaults` are values of those that may
    be left out. `ceiling` is the most that a document of its BFF may cost, None: nothing that costs.
    `ids` are other ids that it is asked for by. `operation_name` is the name of its one operation. `ad_hoc` stands on
    text that was not registered, which `narrows dev` alone runs: its fields have guards, and it has none.
    """

    name: str
    source: str
    sha256: str
    operation: Literal["query", "mutation"]
    variables: type[msgspec.Struct]
    normalised: str = ""
    also: Mapping[str, Sequence[Any]] = {}
    defaults: Mapping[str, Any] = {}
    ceiling: Money | None = None
    fields: Sequence[Field] = ()
    ids: tuple[str, ...] = ()
    operation_name: str | None = None
    ad_hoc: bool = False
