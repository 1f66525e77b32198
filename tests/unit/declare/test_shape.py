import dataclasses
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest
from msgspec import Meta
from msgspec import inspect as mi

from narrows import Answer, Bff, Caller, Id, Input, Moment, Narrow, NumberId, PageSize, ShortText, Upstream, read, write
from narrows.call import Call
from narrows.declare.endpoint import Endpoint
from narrows.declare.shape import (
    MOST_PLACES,
    REQUIRED,
    ShapeError,
    endpoint_shape,
    holds,
    id_places,
    leaves,
    needed_by,
    operation_shape,
    placeholders,
    walk,
)
from tests.flow.minimal import tangled


class Team(Narrow):
    """A team."""

    id: Id
    parts: "list[Team] | None" = None


class Line(Input):
    """A line of an order."""

    item_id: Id
    seats: PageSize = 1


class Order(Input, rename="camel"):
    """An order."""

    place_id: Id
    lines: Annotated[list[Line], Meta(max_length=5)]
    note: ShortText | None = None


class Tables(Upstream):
    """Bookings."""

    @read("/teams/{team_id}", asks="a")
    def team(self, team_id: Id, limit: PageSize = 5) -> Answer[Team]: ...

    @write("/orders/{team_id}", asks="a")
    def order(self, team_id: Id, order: Order, dry: bool = False) -> Answer[None]: ...

    @read("/search", asks="a")
    def search(self, order: Order) -> Answer[list[Team]]: ...

    @read("/bare", asks="a")
    def bare(self) -> Team: ...

    @read("/selfless", asks="a")
    def selfless(team_id: Id) -> Answer[Team]: ...  # noqa: N805 - what is forgotten here is what is tested

    @read("/nothing", asks="a")
    def nothing() -> Answer[Team]: ...


def declared(function, path="/x", **guards) -> Endpoint:
    """An endpoint of a function."""
    bff = Bff("lunch")
    bff.write(path, **guards)(function)
    return bff.endpoints[0]


def refused(function, path="/x", **guards) -> str:
    """The code of what is wrong with a signature."""
    with pytest.raises(ShapeError) as caught:
        endpoint_shape(declared(function, path, **guards))
    assert caught.value.rule == str(caught.value)
    assert caught.value.remedy
    return caught.value.code


def test_each_parameter_has_its_source():
    """Values come from the path, the query, the body, a read of `given`, or the call itself."""

    async def x(
        team_id: NumberId,
        order: Order,
        team: Team,
        caller: Caller,
        call: Call,
        at: Moment | None = None,
        limit: PageSize = 5,
    ) -> Team: ...

    shape = endpoint_shape(declared(x, "/teams/{team_id}", given={"team": Tables.team}))
    assert {name: parameter.source for name, parameter in shape.parameters.items()} == {
        "team_id": "path",
        "order": "body",
        "team": "given",
        "caller": "caller",
        "call": "call",
        "at": "query",
        "limit": "query",
    }
    assert shape.answer is Team
    assert shape.body.name == "order"
    assert [parameter.name for parameter in shape.of("query")] == ["at", "limit"]


def test_absence_is_not_part_of_a_type():
    """There is no null in a query, only a value that is not sent."""

    async def x(at: Moment | None = None, limit: PageSize = 5, name: ShortText | int | None = None) -> None: ...

    shape = endpoint_shape(declared(x))
    assert (shape.parameters["at"].type, shape.parameters["at"].default) == (Moment, None)
    assert shape.parameters["name"].type == ShortText | int
    assert not shape.parameters["limit"].required


def test_what_has_no_default_is_required():
    """A client must send it."""

    async def x(name: ShortText) -> None: ...

    parameter = endpoint_shape(declared(x)).parameters["name"]
    assert parameter.required
    assert parameter.default is REQUIRED


@pytest.mark.parametrize(
    ("kind", "many"),
    [(Annotated[list[Id], Meta(max_length=3)], True), (set[int], True), (tuple[int, ...], True), (frozenset[int], True),
     (Id, False), (int, False)],
)  # fmt: skip
def test_a_list_in_the_query_may_be_repeated(kind, many):
    """Nothing else may."""

    async def x(value) -> None: ...

    x.__annotations__["value"] = kind
    assert endpoint_shape(declared(x)).parameters["value"].many is many


def test_an_endpoint_that_answers_nothing_has_no_answer():
    """It is a 204."""

    async def x() -> None: ...

    assert endpoint_shape(declared(x)).answer is None
    assert endpoint_shape(declared(x)).body is None


def test_a_path_value_that_only_a_read_takes_is_decoded_by_its_type():
    """The handler need not take what it does not use."""

    async def x(team: Team) -> None: ...

    shape = endpoint_shape(declared(x, "/teams/{team_id}", given={"team": Tables.team}))
    assert (shape.parameters["team_id"].type, shape.parameters["team_id"].passed) == (Id, False)
    assert "limit" not in shape.parameters


def test_a_read_that_cannot_be_read_itself_gives_nothing():
    """It is refused at its own line."""

    async def x(team: Team) -> None: ...

    shape = endpoint_shape(declared(x, "/teams/{team_id}", given={"team": Tables.bare}))
    assert list(shape.parameters) == ["team"]
    assert needed_by(Tables.bare) == []


def test_a_guard_needs_what_has_no_default():
    """The rest of an operation is left as it is."""
    assert [parameter.name for parameter in needed_by(Tables.team)] == ["team_id"]


def test_an_operation_has_a_shape_without_self():
    """A Struct of a write is its body; in a read there is none."""
    shape = operation_shape(Tables.order)
    assert {name: parameter.source for name, parameter in shape.parameters.items()} == {
        "team_id": "path",
        "order": "body",
        "dry": "query",
    }
    assert shape.answer is type(None)
    assert operation_shape(Tables.search).body is None
    assert operation_shape(Tables.search).answer == list[Team]


@pytest.mark.parametrize(
    ("operation", "code"),
    [(Tables.bare, "answer-untyped"), (Tables.selfless, "operation-self"), (Tables.nothing, "operation-self")],
)
def test_an_operation_says_what_it_answers_and_takes_self(operation, code):
    """Without `self` its first parameter would be lost."""
    with pytest.raises(ShapeError) as caught:
        operation_shape(operation)
    assert caught.value.code == code


async def _untyped(name) -> None: ...


async def _unanswered(name: ShortText): ...


async def _unknown(name: "Nowhere") -> None: ...  # noqa: F821 - a type that is not there


async def _many(*names: ShortText) -> None: ...


async def _more(**names: ShortText) -> None: ...


async def _by_place(name: ShortText, /) -> None: ...


async def _null(limit: PageSize = None) -> None: ...


async def _nullable(limit: Annotated[int | None, Meta(description="How many")] = None) -> None: ...


async def _odd(value: Line | Order | None = None) -> None: ...


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (_untyped, "input-untyped"),
        (_unanswered, "answer-untyped"),
        (_unknown, "type-unknown"),
        (_many, "input-open"),
        (_more, "input-open"),
        (_by_place, "input-open"),
        (_null, "default-wrong"),
    ],
)
def test_a_signature_that_does_not_say_enough_is_refused(function, code):
    """The refusal names the parameter and what to write."""
    assert refused(function) == code


@pytest.mark.parametrize("function", [_nullable, _odd])
def test_none_is_a_default_where_the_type_allows_it(function):
    """Also inside `Annotated`; a type that msgspec cannot take is refused elsewhere."""
    [parameter] = endpoint_shape(declared(function)).parameters.values()
    assert parameter.default is None


class Pair(NamedTuple):
    """Two values."""

    left: Id
    right: int


class Record(TypedDict):
    """A typed dictionary."""

    name: str


@dataclasses.dataclass
class Point:
    """A dataclass."""

    label: str


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (Id, ["x"]),
        (
            Order,
            ["x", "x.placeId", "x.lines", "x.lines[]", "x.lines[].item_id", "x.lines[].seats"] + ["x.note"] * 3,
        ),
        (Team, ["x", "x.id", "x.parts", "x.parts", "x.parts[]", "x.parts"]),
        (dict[Id, int], ["x", "x{}", "x{}"]),
        (tuple[Id, int], ["x", "x[]", "x[]"]),
        (tuple[Id, ...], ["x", "x[]"]),
        (set[int], ["x", "x[]"]),
        (frozenset[int], ["x", "x[]"]),
        (Id | int, ["x", "x", "x"]),
        (Pair, ["x", "x.left", "x.right"]),
        (Record, ["x", "x.name"]),
        (Point, ["x", "x.label"]),
        (Literal["a"], ["x"]),
        (Any, ["x"]),
    ],
)  # fmt: skip
def test_every_place_of_a_type_is_walked_once(kind, paths):
    """Also through dataclasses and typed dictionaries; a type that contains itself ends."""
    assert [leaf.path for leaf in leaves(kind, "x")] == paths


def test_types_that_contain_each_other_have_a_bound():
    """A start neither hangs nor fills the memory, and is told which type it is."""
    kind = tangled(Narrow)
    with pytest.raises(ShapeError, match=f"^Tangle0 has more than {MOST_PLACES} places$") as caught:
        list(leaves(list[kind]))
    assert caught.value.code == "type-too-large"
    assert len(list(islice(leaves(kind), MOST_PLACES))) == MOST_PLACES


def test_a_few_types_that_contain_each_other_are_walked_whole():
    """No place is left out: one of an id would be one that no guard sees."""
    assert len(list(leaves(tangled(Narrow, 3)))) == 61


def test_a_type_is_as_deep_as_it_likes():
    """Ten thousand lists in one another are no reason to break, and a hundred classes none."""
    info = mi.IntType()
    for _ in range(5000):
        info = mi.ListType(info)
    assert len(list(walk(info, "x"))) == 5001


def test_the_frozen_dictionary_is_walked_like_the_other():
    """Python 3.15 brings it; what it holds is judged as well."""
    info = mi.FrozenDictType(mi.StrType(), mi.AnyType())
    assert [leaf.path for leaf in walk(info, "x")] == ["x", "x{}", "x{}"]


def test_a_type_without_a_name_begins_at_its_fields():
    """The fields of a body are named as a client writes them."""
    assert [leaf.path for leaf in leaves(Line)] == ["", "item_id", "seats"]


def test_ids_are_found_in_path_query_and_body():
    """Every path value is one; in query and body those of an id type, at any depth."""

    async def x(
        day: PageSize, order: Order, place: Id, seats: PageSize, friends: Annotated[list[NumberId], Meta(max_length=3)]
    ) -> None: ...

    assert id_places(endpoint_shape(declared(x, "/days/{day}"))) == [
        "day",
        "place",
        "friends[]",
        "placeId",
        "lines[].item_id",
    ]


def test_without_a_body_the_ids_are_in_path_and_query():
    """Most reads have no other."""

    async def x(place: Id | None = None) -> None: ...

    assert id_places(endpoint_shape(declared(x))) == ["place"]


def test_one_name_is_one_place():
    """An id in the body that repeats the one of the path is the same."""

    class Repeated(Input):
        """Repeats."""

        team_id: Id

    async def x(team_id, body) -> None: ...

    x.__annotations__.update(team_id=Id, body=Repeated)
    assert id_places(endpoint_shape(declared(x, "/teams/{team_id}"))) == ["team_id"]


@pytest.mark.parametrize(
    ("template", "names"),
    [("/teams/{team_id}/x/{b}", ["team_id", "b"]), ("team:{booking.team_id}", ["booking.team_id"]), ("/x", [])],
)
def test_placeholders_are_the_names_in_braces(template, names):
    """In order."""
    assert placeholders(template) == names


def test_parameters_are_values():
    """A shape is made once and never changed."""

    async def x(name: ShortText) -> None: ...

    with pytest.raises(AttributeError):
        endpoint_shape(declared(x)).parameters["name"].source = "body"
    assert issubclass(ShapeError, Exception)
    assert isinstance(endpoint_shape(declared(x)), msgspec.Struct)


@pytest.mark.parametrize(
    ("value", "kind", "answer"),
    [
        (5, PageSize, True),
        (99, PageSize, False),
        ("a", PageSize, False),
        (object(), PageSize, False),
        ([1], set[int], True),
    ],
)
def test_a_default_holds_when_it_is_of_its_type(value, kind, answer):
    """Its bounds included; what cannot be written in a request never does."""
    assert holds(value, kind) is answer
