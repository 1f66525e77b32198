"""Types of msgspec as types of GraphQL: exactly as nullable, as long and as large, or refused at start."""

from __future__ import annotations

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import msgspec
import pytest
from graphql import parse, parse_value, validate, value_from_ast
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from narrows import Id, Input, Moment, Money, Narrow, NumberId, PageSize, ShortText
from tests.unit.surfaces.graphql.schemas import codes, refused, schema_of, type_of

Item = TypeVar("Item")


class Colour(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    """How much."""

    LOW = 1
    HIGH = 2


class Odd(enum.Enum):
    """What GraphQL takes no name for."""

    ONE = "long-running"


class Mixed(enum.Enum):
    """Neither texts nor numbers."""

    ONE = 1
    TWO = "two"


class Plain(Narrow):
    """Something plain."""

    name: ShortText


class Node(Narrow):
    """Something that contains itself."""

    up: Node | None = None
    below: Annotated[list[Node], Meta(max_length=3)] = msgspec.field(default_factory=list)


class Renamed(Narrow, rename="camel"):
    """Whose names on the wire are others."""

    place_id: Id
    starts_at: Moment


class Cat(Narrow, tag="cat"):
    """A cat."""

    name: str


class Dog(Narrow, tag="dog"):
    """A dog."""

    barks: bool


class Both(Narrow):
    """Wrong in two places."""

    one: dict[Id, int]
    two: list[Both]


class Paged(Narrow, Generic[Item]):
    """A page of anything."""

    item: Item


class Row(Narrow, array_like=True):
    """Written as an array."""

    name: str


class Pair(NamedTuple):
    """No Struct."""

    one: int


class Absent(Narrow):
    """Whose field may be left out."""

    name: str | UnsetType = UNSET


class Changed(Input):
    """What is changed: what is left out stays as it is."""

    note: ShortText | UnsetType | None = UNSET


class Unclear(Input):
    """What may be left out, and must not be null."""

    note: ShortText | UnsetType = UNSET


class Wanted(Input, kw_only=True):
    """What is wanted."""

    seats: PageSize = 2
    at: Moment | None = None
    colour: Colour = Colour.RED
    notes: Annotated[list[ShortText], Meta(max_length=3)] = msgspec.field(default_factory=list)
    price: Money
    deep: Annotated[list[Plain], Meta(max_length=2)] | None = None


SCALARS: list[tuple[Any, str]] = [
    (bool, "Boolean!"),
    (str, "String!"),
    (float, "Float!"),
    (int, "Long!"),
    (PageSize, "Int!"),
    (Annotated[int, Meta(gt=-(2**31), lt=2**31 - 1)], "Int!"),
    (Annotated[int, Meta(ge=0, le=2**31)], "Long!"),
    (Annotated[int, Meta(ge=0)], "Long!"),
    (Annotated[int, Meta(ge=-(2**40), le=0)], "Long!"),
    (Id, "ID!"),
    (NumberId, "Long!"),
    (datetime, "DateTime!"),
    (Moment, "DateTime!"),
    (date, "Date!"),
    (time, "Time!"),
    (timedelta, "Duration!"),
    (Decimal, "Decimal!"),
    (UUID, "UUID!"),
    (bytes, "Base64!"),
    (None, "Nothing"),
    (str | None, "String"),
    (Id | None, "ID"),
    (Colour, "Colour!"),
    (Colour | None, "Colour"),
    (Level, "Int!"),
    (Odd, "String!"),
    (Literal["a", "b"], "found!"),
    (Literal["a", None], "found"),
    (Literal["a", "true"], "String!"),
    (Literal[1, 2], "Int!"),
    (Literal[1, 2**40], "Long!"),
    (Money, "Money!"),
    (Plain | None, "Plain"),
    (Cat | Dog, "CatOrDog!"),
    (Dog | Cat | None, "CatOrDog"),
    (Annotated[list[str], Meta(max_length=3)], "[String!]!"),
    (Annotated[list[str | None], Meta(max_length=3)] | None, "[String]"),
    (Annotated[set[int], Meta(max_length=3)], "[Long!]!"),
    (Annotated[frozenset[PageSize], Meta(max_length=3)], "[Int!]!"),
    (Annotated[tuple[Plain, ...], Meta(max_length=3)], "[Plain!]!"),
    (tuple[float, float], "[Float!]!"),
    (Annotated[list[Annotated[list[Cat | Dog], Meta(max_length=2)]], Meta(max_length=3)], "[[CatOrDog!]!]!"),
]


@pytest.mark.parametrize(("answer", "expected"), SCALARS, ids=[str(kind)[:40] for kind, _ in SCALARS])
def test_an_answer_has_the_type_that_it_has_in_rest(answer: Any, expected: str) -> None:
    """Each type becomes the one of GraphQL that holds the same, and no more."""
    assert type_of(schema_of(answer), "Query.found") == expected


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (dict[Id, int], "graphql-type"),
        (int | str, "graphql-type"),
        (Plain | Annotated[list[Plain], Meta(max_length=2)], "graphql-type"),
        (tuple[int, str], "graphql-type"),
        (tuple[()], "graphql-type"),
        (Any, "graphql-type"),
        (Mixed, "type-unsupported"),
        (Literal["a", 1], "graphql-type"),
        (Literal[None], "graphql-type"),
        (Paged[Plain], "graphql-type"),
        (Row, "graphql-type"),
        (Pair, "graphql-type"),
        (Absent, "graphql-type"),
        (list[str], "graphql-list-open"),
        (Annotated[list[set[int]], Meta(max_length=2)], "graphql-list-open"),
        (Annotated[tuple[str, ...], Meta(min_length=2)], "graphql-list-open"),
        (Plain | Pair | Money, "type-unsupported"),
        (complex, "graphql-type"),
    ],
    ids=str,
)
def test_what_graphql_does_not_have_is_refused_at_its_place(answer: Any, code: str) -> None:
    """A type that cannot be told is refused at the line of the endpoint, once, with what to do."""
    [found] = refused(answer)

    assert (found.code, found.subject) == (code, "lunch.found")
    assert found.where.partition(":")[0].endswith("schemas.py")
    assert any(place in found.rule for place in ("`found`", "its answer", "Absent.name"))
    assert found.remedy


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """One start tells all places, and a place that two ways lead to once."""
    assert codes(refused(Annotated[list[Both], Meta(max_length=2)], {"also": Literal["a", 1]}, body=Unclear)) == [
        "graphql-type",
        "graphql-type",
        "graphql-list-open",
        "graphql-type",
    ]


def test_objects_contain_themselves_and_each_other() -> None:
    """A Struct that leads back to itself is one type."""
    schema = schema_of(Node)

    assert type_of(schema, "Node.up") == "Node"
    assert type_of(schema, "Node.below") == "[Node!]!"
    assert schema.structs == {"Node": Node}


def test_names_are_those_of_the_wire() -> None:
    """A Struct with other names on the wire has those in GraphQL too."""
    schema = schema_of(Renamed)

    assert (type_of(schema, "Renamed.placeId"), type_of(schema, "Renamed.startsAt")) == ("ID!", "DateTime!")


def test_inputs_show_what_stands_in_for_what_is_left_out() -> None:
    """What may be left out is told from what may be null, and defaults are shown as a client would write them."""
    sdl = schema_of(
        str,
        {
            "limit": (PageSize, 5),
            "at": (Moment | None, None),
            "least": (PageSize | None, 3),
            "colour": (Colour, Colour.BLUE),
            "days": (Annotated[list[date], Meta(max_length=2)], [date(2026, 1, 2)]),
        },
        body=Wanted,
    ).sdl()

    assert (
        "found(team_id: ID!, limit: Int! = 5, at: DateTime = null, least: Int! = 3, colour: Colour! = blue, "
        'days: [Date!]! = ["2026-01-02"]): String!'
    ) in sdl
    assert "put(team_id: ID!, sent: WantedInput!): Nothing" in sdl
    assert (
        "input WantedInput {\n  seats: Int! = 2\n  at: DateTime = null\n  colour: Colour! = red\n"
        "  notes: [String!]! = []\n  price: MoneyInput!\n  deep: [PlainInput!] = null\n}"
    ) in sdl


def test_what_may_be_left_out_of_a_body_must_be_sayable() -> None:
    """A field that may be absent or null has no default; one that may be absent but not null is refused."""
    assert "input ChangedInput {\n  note: String\n}" in schema_of(body=Changed).sdl()
    [found] = refused(body=Unclear)
    assert (found.code, found.subject) == ("graphql-type", "lunch.put")


def test_a_body_takes_no_one_of_several_objects() -> None:
    """GraphQL has unions in answers alone."""
    assert codes(refused(arguments={"pet": Cat | Dog})) == ["graphql-type"]


def test_a_class_may_be_taken_and_answered() -> None:
    """One Struct is an output type under its name, and an input type with `Input` behind it, never twice."""

    class GuestInput(Input):
        name: ShortText

    schema = schema_of(Money, body=Wanted)
    assert {"Money", "MoneyInput"} <= schema.core.type_map.keys()
    assert "GuestInput" in schema_of(body=GuestInput).core.type_map


def test_the_same_texts_are_one_enum() -> None:
    """A variable can stand for an argument and another one of the same texts; the first place names it."""
    schema = schema_of(Literal["b", "a"], {"kind": (Literal["a", "b"] | None, None), "other": (Literal["c"], "c")})

    assert type_of(schema, "Query.found") == "found_kind!"
    assert "kind: found_kind = null, other: found_other! = c" in schema.sdl()


@pytest.mark.parametrize("name", ["__Secret", "Größe", "Query", "Mutation", "ID", "Long", "DateTime"])
def test_names_that_graphql_keeps_or_does_not_take_are_refused(name: str) -> None:
    """A class of such a name cannot stand in a schema."""
    made = msgspec.defstruct(name, [("one", int)], bases=(Narrow,), kw_only=True)

    [found] = refused(made)
    assert found.code == ("graphql-name" if name in ("__Secret", "Größe") else "graphql-name-twice")


def test_two_classes_of_one_name_are_refused() -> None:
    """Of two Structs, enums or unions with one name, a document could mean either."""
    other = msgspec.defstruct("Plain", [("one", int)], bases=(Narrow,), kw_only=True)
    both = msgspec.defstruct("Both", [("one", Plain), ("two", other)], bases=(Narrow,), kw_only=True)
    union = msgspec.defstruct("CatOrDog", [("pet", Cat | Dog)], bases=(Narrow,), kw_only=True)
    cat = msgspec.defstruct("Cat", [("one", int)], bases=(Narrow,), kw_only=True, tag="other")
    unions = msgspec.defstruct("Unions", [("a", Cat | Dog), ("b", cat | Dog)], bases=(Narrow,), kw_only=True)
    taken = msgspec.defstruct("PlainInput", [("one", int)], bases=(Input,), kw_only=True)
    wanted = msgspec.defstruct("Both", [("one", taken), ("two", Plain)], bases=(Input,), kw_only=True)

    assert codes(refused(both)) == ["graphql-name-twice"]
    assert codes(refused(union)) == ["graphql-name-twice"]
    assert set(codes(refused(unions))) == {"graphql-name-twice"}
    assert codes(refused(body=wanted)) == ["graphql-name-twice"]


def test_a_name_on_the_wire_that_graphql_does_not_take_is_refused() -> None:
    """Names are not changed on the way: they would be others than those of REST."""
    made = msgspec.defstruct("Odd", [("one_two", int)], bases=(Narrow,), kw_only=True, rename="kebab")

    [found] = refused(made)
    assert (found.code, "'one-two'" in found.rule) == ("graphql-name", True)


def test_docstrings_and_meanings_are_descriptions() -> None:
    """What a class says of itself, and a type of a field, stands in the schema."""
    kind = Annotated[int, Meta(description="How many.")]
    made = msgspec.defstruct("Counted", [("many", kind)], bases=(Narrow,), kw_only=True)
    sdl = schema_of(made, {"colour": Colour}).sdl()

    assert '"""What it looks like."""\nenum Colour' in sdl
    assert 'type Counted {\n  """How many."""\n  many: Long!' in sdl
    assert '"""What is called found."""\n  found(' in sdl


@pytest.mark.parametrize(
    ("kind", "literal", "value"),
    [
        ("Long", "9007199254740993", 9007199254740993),
        ("Decimal", "0.10", "0.10"),
        ("Decimal", '"0.10"', "0.10"),
        ("Decimal", "3", 3),
        ("DateTime", '"2026-01-02T03:04:05Z"', "2026-01-02T03:04:05Z"),
        ("Colour", "blue", "blue"),
    ],
)
def test_literals_of_documents_become_what_msgspec_reads(kind: str, literal: str, value: Any) -> None:
    """A literal keeps what is written, to the last digit."""
    schema = schema_of(str, {"a": int, "b": Decimal, "c": Moment, "d": Colour})
    found: Any = schema.core.type_map[kind]
    assert value_from_ast(parse_value(literal), found) == value


@pytest.mark.parametrize(("name", "literal"), [("a", '"7"'), ("a", "7.5"), ("b", "true"), ("c", "7"), ("d", "green")])
def test_literals_of_another_kind_do_not_validate(name: str, literal: str) -> None:
    """A document whose literal cannot be right is told so at start."""
    schema = schema_of(str, {name: {"a": int, "b": Decimal, "c": Moment, "d": Colour}[name]})
    assert len(validate(schema.core, parse(f'{{ found(team_id: "t", {name}: {literal}) }}'))) == 1


# --- made-up Structs ----------------------------------------------------------------------------------------------

LEAVES = st.sampled_from(
    [bool, str, float, int, PageSize, Id, datetime, date, Decimal, UUID, Colour, Literal["x", "y"]]
)


def _within(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.builds(lambda kind, most: Annotated[list[kind], Meta(max_length=most)], kinds, st.integers(1, 3))
    return kinds | lists | kinds.map(lambda kind: kind | None)


KINDS = st.recursive(LEAVES, _within, max_leaves=3)


@given(st.lists(st.tuples(KINDS, st.booleans()), min_size=1, max_size=4))
def test_made_up_structs_are_as_strict_as_msgspec(kinds: list[tuple[Any, bool]]) -> None:
    """What the schema says may be null, is a list, or may be left out, is what msgspec takes so, and nothing else."""
    fields: list[Any] = [
        (f"f{place}", kind | None, None) if optional else (f"f{place}", kind)
        for place, (kind, optional) in enumerate(kinds)
    ]
    made = msgspec.defstruct("Made", fields, bases=(Input,), kw_only=True)
    schema = schema_of(made, body=made)
    taken: Any = schema.core.type_map["MadeInput"]

    for name, kind, *_ in fields:
        said = type_of(schema, f"Made.{name}")
        assert said == str(taken.fields[name].type)
        assert _takes(kind, None) is not said.endswith("!")
        assert _takes(kind, []) is said.startswith("[")
        assert (taken.fields[name].default_value is None) is not any(
            field.required for field in msgspec.structs.fields(made) if field.name == name
        )
        core: Any = schema.core.type_map[said.strip("[]!")]
        if not said.startswith("["):
            texts = {text for text in ("red", "blue", "x", "y") if _takes(kind, text) and not _takes(kind, "other")}
            assert texts == set(getattr(core, "values", ()))


def _takes(kind: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
