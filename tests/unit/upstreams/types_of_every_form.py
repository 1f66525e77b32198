"""Strategies that build types of every form that msgspec reads, each with some value: what an answer may be."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar
from uuid import UUID

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

from narrows.declare.types import (
    Count,
    Currency,
    Id,
    Latitude,
    Longitude,
    LongText,
    Moment,
    Money,
    Narrow,
    NumberId,
    PageSize,
    ShortText,
)

PATTERNS = [
    r"^[A-Za-z0-9_-]+(?!\n)$",
    r"^[A-Z]{3}$",
    r"^\d{4}-(0[1-9]|1[0-2])$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^(?:\+|00)[1-9][0-9]{6,14}$",
    r"^(a|bc)+d?e*?f{2,4}$",
    r"^(['\"]).*\1$",
    r"^[^a-zA-Z0-9]{2,}$",
    r"^\w+-\w{1,3}-\w+$",
    r"^(?!admin)[a-z]{5,}$",
    r"needle",
]
LONG = [PATTERNS[0], PATTERNS[3], PATTERNS[6], PATTERNS[7], PATTERNS[8], PATTERNS[9], PATTERNS[10]]


class Colour(enum.Enum):
    """Names of texts."""

    RED = "red"
    BLUE = "blue"


class Word(enum.StrEnum):
    """Texts."""

    YES = "yes"
    NO = "no"


class Level(enum.IntEnum):
    """Numbers."""

    LOW = 1
    HIGH = 2


T = TypeVar("T")


class Box(msgspec.Struct, Generic[T]):
    """Something in a box."""

    held: T
    label: str = ""


class Tree(Narrow):
    """A tree, which contains itself in lists, mappings and alone."""

    id: Id
    children: list[Tree]
    by_name: dict[ShortText, Tree] = msgspec.field(default_factory=dict)
    twin: Tree | None = None


class Chain(msgspec.Struct, array_like=True):
    """An array that ends in itself."""

    at: Moment
    next: Chain | None


class Even(msgspec.Struct, tag="even", tag_field="kind"):
    """One of two that contain each other."""

    odd: Odd | None = None


class Odd(msgspec.Struct, tag="odd", tag_field="kind"):
    """The other."""

    even: Even | None
    numbers: list[int | float] = msgspec.field(default_factory=list)


class Numbered(msgspec.Struct, tag=1):
    """Tagged by a number."""

    id: Id


class Other(msgspec.Struct, tag=2):
    """Tagged by another."""

    email: str


Plate = NewType("Plate", str)
Floor = NewType("Floor", int)


@st.composite
def int_types(draw: Any) -> Any:
    """Whole numbers with every combination of bounds that some number satisfies."""
    low = draw(st.integers(-(2**62), 2**62) | st.integers(-100, 100))
    span = draw(st.integers(1100, 2**61) | st.integers(2, 40))
    bounds: dict[str, int] = {}
    below, above = draw(st.sampled_from([None, "ge", "gt"])), draw(st.sampled_from([None, "le", "lt"]))
    if below:
        bounds[below] = low
    if above:
        bounds[above] = low + span
    if len(bounds) < 2 or span > 1000:
        step = draw(st.none() | st.integers(1, 500))
        bounds |= {} if step is None else {"multiple_of": step}
    return bounded(int, bounds)


@st.composite
def float_types(draw: Any) -> Any:
    """Numbers with every combination of bounds that some number satisfies."""
    low = draw(st.floats(-1e9, 1e9) | st.integers(-10, 10))
    bounds: dict[str, float] = {}
    below, above = draw(st.sampled_from([None, "ge", "gt"])), draw(st.sampled_from([None, "le", "lt"]))
    if below:
        bounds[below] = low
    if above:
        bounds[above] = low + draw(st.floats(0.001, 1e9))
    if not bounds or (len(bounds) == 1 and abs(low) < 1000):
        step = draw(st.none() | st.sampled_from([0.1, 0.25, 1.0, 3, 0.05]))
        bounds |= {} if step is None else {"multiple_of": step}
    return bounded(float, bounds)


@st.composite
def lengths(draw: Any, most: int) -> dict[str, int]:
    """Every combination of bounds of a length."""
    low, high = sorted(draw(st.tuples(st.integers(0, most), st.integers(0, most))))
    form = draw(st.sampled_from([(), ("min_length",), ("max_length",), ("min_length", "max_length")]))
    return {name: {"min_length": low, "max_length": high}[name] for name in form}


@st.composite
def text_types(draw: Any) -> Any:
    """Texts with a length, a pattern, or both."""
    match draw(st.sampled_from(["length", "pattern", "both"])):
        case "length":
            return bounded(str, draw(lengths(60)))
        case "pattern":
            return Annotated[str, Meta(pattern=draw(st.sampled_from(PATTERNS)))]
    low = draw(st.integers(10, 50))
    limits = {"min_length": low, "max_length": low + draw(st.integers(0, 20))}
    return Annotated[str, Meta(pattern=draw(st.sampled_from(LONG)), **limits)]


def bounded(kind: Any, bounds: dict[str, Any]) -> Any:
    """A type with its bounds."""
    return Annotated[kind, Meta(**bounds)] if bounds else kind


PLAIN: list[Any] = [
    *(bool, date, time, datetime, timedelta, UUID, Decimal, Money, None, Colour, Word, Level, Plate, Floor),
    *(Annotated[kind, Meta(tz=tz)] for kind in (datetime, time) for tz in (True, False)),
    *(Id, NumberId, ShortText, LongText, PageSize, Count, Currency, Latitude, Longitude, Moment),
    *(Literal["a", "b"], Literal[1, 2, None], Literal["x", 3], int | float, str | int | None),
    *(Tree, Chain, Even, Odd, Even | Odd, Numbered | Other, list[Numbered | Other | None], Box[int], Box[Box[Id]]),
]
LEAVES = st.one_of(
    st.sampled_from(PLAIN),
    st.sampled_from(PLAIN),
    int_types(),
    float_types(),
    text_types(),
    st.builds(bounded, st.sampled_from([bytes, bytearray]), lengths(20)),
)
HASHABLE = st.sampled_from([str, int, UUID, Id, date, Annotated[int, Meta(ge=0)], Annotated[str, Meta(max_length=40)]])
SETS = st.sampled_from([set, frozenset])
NAMES = ["id", "team_id", "name", "email", "url", "phone", "currency", "country", "language", "lat", "lon", "latitude"]
NAMES += ["lng", "starts_at", "note", "count", "price", "x1", "größe", "_", "isbn", "tags", "items"]


@st.composite
def struct_types(draw: Any, inner: Any, tag: Any = None) -> Any:
    """A Struct of some fields: as object or array, with defaults of every kind, renamed, tagged, strict or sparse."""
    fields: list[Any] = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=6, unique=True)):
        kind = draw(inner)
        match draw(st.sampled_from(["required", "required", "none", "unset", "factory"])):
            case "none" if optional(kind):
                fields.append((name, kind | None, None))
            case "unset" if optional(kind):
                fields.append((name, kind | msgspec.UnsetType, msgspec.UNSET))
            case "factory":
                fields.append((name, list[kind], msgspec.field(default_factory=list)))
            case _:
                fields.append((name, kind))
    as_array = tag is None and draw(st.booleans()) and not any("UnsetType" in str(field[1]) for field in fields)
    return msgspec.defstruct(
        "Made" if tag is None else str(tag),
        fields,
        kw_only=True,
        frozen=True,
        tag=tag if tag is not None else draw(st.sampled_from([None, "made", 7])),
        tag_field=draw(st.sampled_from([None, "kind"])) if tag is None else "form",
        rename=draw(st.sampled_from([None, "camel", "kebab"])),
        array_like=as_array,
        omit_defaults=draw(st.booleans()),
        forbid_unknown_fields=draw(st.booleans()),
    )


def optional(kind: Any) -> bool:
    """Whether `kind | None` is a form that Python and msgspec take."""
    return kind is not None and not isinstance(kind, NewType) and None not in getattr(kind, "__args__", ())


def data_class(one: Any, other: Any) -> Any:
    """A dataclass with a field that must be and two that need not."""
    more = [("note", str, ""), ("others", list[other], dataclasses.field(default_factory=list))]  # type: ignore[valid-type]
    return dataclasses.make_dataclass("Data", [("id", one), *more])


def typed_dict(one: Any, other: Any) -> Any:
    """A mapping of fields, one of which may be left out."""
    return TypedDict("Typed", {"id": one, "email": NotRequired[other]})  # type: ignore[misc]  # made from values


def named_tuple(one: Any, other: Any) -> Any:
    """A tuple with names."""
    return NamedTuple("Named", [("id", one), ("name", other)])  # type: ignore[misc]  # made from values


def groups(inner: Any) -> Any:
    """Lists, sets, tuples, mappings, unions and records over some types."""
    few = lengths(5)
    records = struct_types(inner)
    return st.one_of(
        records,
        records,
        records,
        st.builds(lambda item, limits: bounded(list[item], limits), inner, few),
        st.builds(lambda item, limits: bounded(tuple[item, ...], limits), inner, few),
        st.builds(lambda one, other: tuple[one, other], inner, inner),
        st.builds(lambda form, item, limits: bounded(form[item], limits), SETS, HASHABLE, few),
        st.builds(lambda key, value, limits: bounded(dict[key, value], limits), HASHABLE, inner, few),
        st.builds(
            lambda one, other: one | other | int | None,
            struct_types(inner, tag="One"),
            struct_types(inner, tag="Two"),
        ),
        st.builds(lambda one, other: one | other, struct_types(inner, tag=1), struct_types(inner, tag=2)),
        st.builds(lambda item: Box[item], inner),
        st.builds(data_class, inner, inner),
        st.builds(typed_dict, inner, inner),
        st.builds(named_tuple, inner, inner),
    )


TYPES = st.recursive(LEAVES, groups, max_leaves=9)
