"""The types that the scaffold can write: what a schema becomes, before it is code."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Direction = Literal["in", "out"]
"""`in` goes to the upstream (a `narrows.Input`), `out` comes from it (a `narrows.Narrow`)."""


class Text(msgspec.Struct, frozen=True):
    """A text with its bounds; `form` says whether it is read as a time, a date or a UUID."""

    low: int | None = None
    high: int | None = None
    pattern: str | None = None
    form: Literal["text", "moment", "date", "uuid"] = "text"


class Whole(msgspec.Struct, frozen=True):
    """A whole number with its bounds, both included."""

    low: int | None = None
    high: int | None = None
    multiple: int | None = None


class Real(msgspec.Struct, frozen=True):
    """A number with its bounds; `above` and `under` are not included."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    under: float | None = None


class Flag(msgspec.Struct, frozen=True):
    """True or false."""


class Nothing(msgspec.Struct, frozen=True):
    """Only null, or no body at all."""


class Choice(msgspec.Struct, frozen=True):
    """One of these values."""

    values: tuple[str | int, ...]


class Many(msgspec.Struct, frozen=True):
    """A list."""

    item: Kind
    low: int | None = None
    high: int | None = None


class Keyed(msgspec.Struct, frozen=True):
    """An object of any keys with values of one kind."""

    value: Kind
    high: int | None = None


class Ref(msgspec.Struct, frozen=True):
    """A class, by its name."""

    name: str


class Either(msgspec.Struct, frozen=True):
    """One of several kinds that JSON can tell apart."""

    members: tuple[Kind, ...]


class Maybe(msgspec.Struct, frozen=True):
    """A kind, or null."""

    inner: Kind


class Missing(msgspec.Struct, frozen=True):
    """What could not be expressed: a hole in place of a type."""

    said: str
    pointer: str


class Loose(msgspec.Struct, frozen=True):
    """A kind that lets through more than the document does: a hole beside a type."""

    inner: Kind
    said: str
    pointer: str


class Marked(msgspec.Struct, frozen=True):
    """An object id, which an endpoint must bind."""

    inner: Text | Whole


Kind: TypeAlias = (
    Text | Whole | Real | Flag | Nothing | Choice | Many | Keyed | Ref | Either | Maybe | Missing | Loose | Marked
)


class Field(msgspec.Struct, frozen=True):
    """A field of a class; `wire` is its name in JSON."""

    name: str
    wire: str
    kind: Kind
    required: bool


class Model(msgspec.Struct):
    """A class to be written; `tag` is the field and the value that tell it from the others of a union."""

    name: str
    direction: Direction
    pointer: str
    fields: list[Field]
    tag: tuple[str, str] | None = None


def core(kind: Kind) -> Kind:
    """The kind itself: without null, and without what is said beside it."""
    while isinstance(kind, Maybe | Loose | Marked):
        kind = kind.inner
    return kind
