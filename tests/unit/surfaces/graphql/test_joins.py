"""Fields that a team adds: a join is asked once for all parents of a place, a plain field sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

import msgspec
import pytest
import strawberry
from graphql import parse, validate
from msgspec import Meta

from narrows import Answer, Bff, Id, Input, Narrow, NumberId, PageSize, Problem, ShortText, Upstream, read, write
from narrows.call import Call
from narrows.current import current
from narrows.errors import InvalidInput, OperationRefused
from narrows.pipeline.handle import HandlerFault
from narrows.surfaces.graphql.execution import execution
from narrows.surfaces.graphql.naming import Names
from narrows.surfaces.graphql.naming import Place as Where
from narrows.surfaces.graphql.schema import make_schema
from narrows.telemetry import CallSpan
from narrows.upstreams.send import enter
from tests.flow.minimal import FACTS, tangled, without
from tests.unit.pipeline.calls import raw
from tests.unit.surfaces.graphql.schemas import refusals

Bookings = Annotated[list["Booking"], Meta(max_length=20)]
Guests = Annotated[list["Guest"], Meta(max_length=5)]


class Place(Narrow):
    """Where somebody eats."""

    id: Id
    name: ShortText = ""


class Owner(Narrow):
    """Whose it is."""

    name: ShortText


class Guest(Narrow):
    """Who comes."""

    id: NumberId


class Booking(Narrow):
    """A table."""

    id: Id
    place_id: Id
    guests: Guests = msgspec.field(default_factory=list)


class Gone(Problem):
    """It is not there any more."""

    status = 410
    title = "It is gone"


class Asked(Input):
    """What is asked."""

    ids: Annotated[list[Id], Meta(max_length=20)]


class Places(Upstream):
    """Places."""

    @read("/places", asks="places:read")
    def by_ids(self, ids: Annotated[list[Id], Meta(max_length=20)]) -> Answer[list[Place]]: ...

    @read("/owners", asks="places:read")
    def owners(self, ids: Annotated[list[Id], Meta(max_length=20)]) -> Answer[list[Owner]]: ...

    @write("/places", asks="places:write")
    def build(self, asked: Asked) -> Answer[Place]: ...


async def bookings(team_id: NumberId) -> Bookings:
    """The team's bookings."""
    return []


async def place(of: list[Booking], most: PageSize = 3) -> list[Place | None]:
    """Where each of them is."""
    found = {one.id: one for one in await Places.by_ids([booking.place_id for booking in of])}
    return [found.get(booking.place_id) for booking in of]


async def owner(of: list[Place]) -> list[Owner]:
    """Whose each of them is."""
    return await Places.owners([one.id for one in of])


class Shown:
    """What is shown of a booking."""

    @strawberry.field
    def label(self, before: ShortText = "#") -> str:
        """How it is called."""
        booking = cast("Booking", self)
        return before + booking.id

    @strawberry.field
    async def slow(self, most: PageSize | None = None) -> int:
        """What takes a moment."""
        await asyncio.sleep(0)
        return most or 7

    @strawberry.field
    def where(self) -> Place:
        """The place, as far as the booking knows it."""
        return Place(id=cast("Booking", self).place_id)

    @strawberry.field
    async def sends(self) -> str:
        """What it must not do."""
        return str(await Places.by_ids([]))


def bff_of(**joins: tuple[Any, Callable[..., Any], Any]) -> Bff:
    """A BFF with bookings, `place` and `owner`, or other joins: on what, the function, and what it uses."""
    bff = Bff("lunch", **FACTS)
    bff.read("/teams/{team_id}/bookings", **without())(bookings)
    bff.graphql({Booking: Shown})
    for on, function, uses in (
        joins or {"a": (Booking, place, [Places.by_ids]), "b": (Place, owner, [Places.owners])}
    ).values():
        bff.join(on, uses=uses)(function)
    return bff


class Sending:
    """Performs operations as they are allowed; `answers` are functions of their ids."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.fault: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.ended: list[str] = []
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    async def perform(self, call: Call, operation: Any, args: Any, _: Any) -> Any:
        enter(call, operation, {operation: operation})
        self.sent.append((operation.id, args[0]))
        self.begun.set()
        try:
            await (self.gate.wait() if self.gate is not None else asyncio.sleep(0))
        finally:
            self.ended.append(operation.id)
            self.over.set()
        if self.fault is not None:
            raise self.fault
        made: Any = Place if operation is Places.by_ids else Owner
        return [made(**{"id": one, "name": one} if made is Place else {"name": one}) for one in args[0] if one != "no"]


class Asking:
    """Answers the endpoint."""

    def __init__(self, answer: list[Booking]) -> None:
        self.answer = answer

    async def ask(self, *_: Any) -> Any:
        return self.answer


BOOKINGS = [Booking(id=f"b{n}", place_id=f"p{n}", guests=[Guest(id=1), Guest(id=2)]) for n in range(4)]


class Run:
    """One document, carried out."""

    def __init__(self, bff: Bff | None = None, answer: list[Booking] | None = None) -> None:
        self.schema = make_schema(bff or bff_of())
        self.sending = Sending()
        self.call = Call(
            self.schema.roots["bookings"].endpoint,
            "live",
            raw(),
            way="graphql",
            span=cast("CallSpan", None),
            now_s=lambda: 1_764_000_000.0,
            performer=self.sending,
            fields=Asking(BOOKINGS if answer is None else answer),
        )

    async def __call__(self, selected: str, variables: Mapping[str, Any] | None = None, declared: str = "") -> Any:
        tree = parse(f"query{declared} {{ bookings(team_id: 7) {{ {selected} }} }}")
        assert validate(self.schema.core, tree) == []
        token = current.set(self.call)
        try:
            done = await execution(self.schema, tree)(self.call, variables or {})
        finally:
            current.reset(token)
        return msgspec.to_builtins(done)["bookings"]


async def test_a_join_is_asked_once_for_all_parents() -> None:
    """N items are one operation, and each gets its own answer, or nothing."""
    run = Run(answer=[*BOOKINGS, Booking(id="b9", place_id="no")])

    found = await run("place { id name }")

    assert found == [*({"place": {"id": f"p{n}", "name": f"p{n}"}} for n in range(4)), {"place": None}]
    assert run.sending.sent == [("Places.by_ids", ["p0", "p1", "p2", "p3", "no"])]


async def test_joins_below_joins_are_asked_once_for_each_level() -> None:
    """Each level of a document is one operation, however many items stand there."""
    run = Run()

    found = await run("label place { name owner { name } } slow")

    assert found[2] == {"label": "#b2", "place": {"name": "p2", "owner": {"name": "p2"}}, "slow": 7}
    assert run.sending.sent == [
        ("Places.by_ids", ["p0", "p1", "p2", "p3"]),
        ("Places.owners", ["p0", "p1", "p2", "p3"]),
    ]


async def test_each_place_in_a_document_is_asked_once() -> None:
    """Under another alias, with other arguments, or below another field, it is another place."""
    run = Run()

    found = await run("one: place { id name } two: place(most: 4) { id name } where { owner { name } }")

    whole = {"id": "p1", "name": "p1"}
    assert found[1] == {"one": whole, "two": whole, "where": {"owner": {"name": "p1"}}}
    assert sorted(name for name, _ in run.sending.sent) == ["Places.by_ids", "Places.by_ids", "Places.owners"]


async def test_parents_of_one_place_are_found_wherever_they_stand() -> None:
    """In lists of lists, behind null, and within a union, all parents of a place are asked for at once."""

    class Table(Narrow, tag="table"):
        """A table."""

        place: Place

    class Bar(Narrow, tag="bar"):
        """A bar."""

        places: Annotated[list[Annotated[list[Place | None], Meta(max_length=3)]], Meta(max_length=3)]

    async def anywhere(team_id: NumberId) -> list[Any]:
        """Tables and bars."""
        return []

    anywhere.__name__ = "bookings"
    anywhere.__annotations__["return"] = Annotated[list[Table | Bar | None], Meta(max_length=5)]
    bff = Bff("lunch", **FACTS)
    bff.read("/teams/{team_id}/bookings", **without())(anywhere)
    bff.graphql()
    bff.join(Place, uses=[Places.owners.times(2)])(owner)
    a, b, c = (Place(id=name, name=name) for name in "abc")
    run = Run(bff, cast("list[Booking]", [Table(place=a), None, Bar(places=[[b, None], [], [c]]), Table(place=b)]))

    found = await run("... on Table { place { owner { name } } } ... on Bar { places { owner { name } } }")

    said = {name: {"owner": {"name": name}} for name in "abc"}
    assert found == [{"place": said["a"]}, None, {"places": [[said["b"], None], [], [said["c"]]]}, {"place": said["b"]}]
    assert sorted(run.sending.sent) == [("Places.owners", ["a", "b"]), ("Places.owners", ["b", "c"])]


async def test_nothing_is_asked_for_nobody() -> None:
    """Without a parent a join is not asked at all."""
    run = Run(answer=[])

    assert await run("place { name }") == []
    assert run.sending.sent == []


@pytest.mark.parametrize(
    ("selected", "sent", "declared", "pointer"),
    [
        ("place(most: $sent) { name }", 0, "($sent: Int!)", "/place/most"),
        ("place(most: $sent) { name }", 51, "($sent: Int!)", "/place/most"),
        ("label(before: $sent)", "", "($sent: String!)", "/label/before"),
        ("slow(most: $sent)", 51, "($sent: Int)", "/slow/most"),
    ],
)
async def test_arguments_of_added_fields_are_decoded_strictly(
    selected: str, sent: Any, declared: str, pointer: str
) -> None:
    """An argument outside its bounds is a 400 that names it, and the function is never called."""
    run = Run()

    with pytest.raises(InvalidInput) as caught:
        await run(selected, {"sent": sent}, declared)
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert caught.value in run.call.raised
    assert run.sending.sent == []


async def test_what_is_left_out_is_the_default_of_the_function() -> None:
    """An argument that is absent, or null where the function takes that, is what the function says."""
    found = await Run()('slow a: slow(most: null) b: slow(most: 9) label c: label(before: "=")')

    assert found[0] == {"slow": 7, "a": 7, "b": 9, "label": "#b0", "c": "=b0"}


class Wish(Input):
    """What somebody would like."""

    note: Annotated[str, Meta(max_length=9)]


async def near(of: list[Booking], wish: Wish) -> list[ShortText]:
    """What is wished for; it spoils the object that came."""
    wish.note += "!"
    return [wish.note for _ in of]


async def test_what_a_join_does_to_its_argument_reaches_no_other_place_and_no_later_call() -> None:
    """A variable in two places is new for each, and so is what a document has in its place."""
    run = Run(bff_of(a=(Booking, near, [])))
    wish = Wish(note="a")

    for _ in range(2):
        found = await run("near(wish: $w) b: near(wish: $w)", {"w": wish}, "($w: WishInput!)")
        assert found[0] == {"near": "a!", "b": "a!"}
    assert wish.note == "a"


async def test_a_join_sends_no_more_than_its_uses() -> None:
    """An operation that is not in its `uses`, or once too often, is refused, also when the document may send it."""

    async def twice(of: list[Booking]) -> list[str]:
        """Asks twice."""
        await Places.by_ids([])
        await Places.by_ids([])
        return [one.id for one in of]

    async def other(of: list[Booking]) -> list[str]:
        """Asks for something else."""
        await Places.owners([])
        return [one.id for one in of]

    bff = bff_of(a=(Booking, twice, [Places.by_ids]), b=(Booking, other, [Places.by_ids]))
    for name, rule in (("twice", "allows it 1 time"), ("other", "not in `uses`")):
        run = Run(bff)
        with pytest.raises(OperationRefused, match=rule):
            await run(name)
    allowed = bff_of(a=(Booking, twice, [Places.by_ids.times(2)]))
    assert (await Run(allowed)("twice"))[0] == {"twice": "b0"}


async def test_a_plain_field_sends_nothing() -> None:
    """A Strawberry field that asks an upstream is refused at run, whatever its document may send."""
    run = Run()

    with pytest.raises(OperationRefused, match="make it a join"):
        await run("sends")
    assert run.sending.sent == []


@pytest.mark.parametrize("answer", [[], ["one"], None, ("a", "b", "c", "d"), ["x"] * 5], ids=str)
async def test_a_join_answers_one_value_for_each_parent(answer: Any) -> None:
    """Too few, too many, or no list is a fault: no parent gets what is another's."""

    async def wrong(of: list[Booking]) -> list[str]:
        """Answers as it likes."""
        return cast("list[str]", answer)

    with pytest.raises(HandlerFault, match="one value for each"):
        await Run(bff_of(a=(Booking, wrong, [])))("wrong")


@pytest.mark.parametrize("fault", [Gone("It is gone."), ZeroDivisionError("fault")])
async def test_what_a_join_ends_in_ends_its_document(fault: Exception) -> None:
    """The problem of its operation is the one that the document ends in."""
    run = Run()
    run.sending.fault = fault

    with pytest.raises(type(fault)) as caught:
        await run("place { name }")
    assert caught.value is fault
    assert (fault in run.call.raised) is isinstance(fault, Problem)


async def test_a_join_ends_with_those_who_wait_for_it() -> None:
    """A client that goes away cancels what its document's joins have on the way."""
    run = Run()
    run.sending.gate = asyncio.Event()
    waiting = asyncio.ensure_future(run("place { name }"))
    await run.sending.begun.wait()

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await run.sending.over.wait()
    assert run.sending.ended == ["Places.by_ids"]


# --- refused at start ---------------------------------------------------------------------------------------------


def codes_of(function: Any, on: Any = Booking, uses: Any = ()) -> list[str]:
    """Why a join is refused."""
    found = refusals(bff_of(a=(on, function, uses)))
    assert all(refusal.where.rpartition(":")[0].endswith("test_joins.py") for refusal in found)
    return [refusal.code for refusal in found]


async def untyped(of: list[Booking]):  # type: ignore[no-untyped-def]
    """Answers who knows what."""


async def one_by_one(of: Booking) -> list[str]:
    """Takes one."""
    return []


async def nobody() -> list[str]:
    """Takes none."""
    return []


async def of_others(of: list[Place]) -> list[str]:
    """Takes others."""
    return []


async def one_value(of: list[Booking]) -> str:
    """Answers one."""
    return ""


async def by_id(of: list[Booking], place_id: Id) -> list[str]:
    """Takes an id."""
    return []


async def by_inner_id(of: list[Booking], asked: Asked) -> list[str]:
    """Takes an id within."""
    return []


async def without_type(of: list[Booking], most) -> list[str]:  # type: ignore[no-untyped-def]
    """Takes who knows what."""
    return []


async def open_ended(of: list[Booking], **rest: int) -> list[str]:
    """Takes everything."""
    return []


async def boundless(of: list[Booking], text: str) -> list[str]:
    """Takes as much as somebody sends."""
    return []


async def unresolved(of: list[Missing]) -> list[str]:  # type: ignore[name-defined]  # noqa: F821
    """Nobody knows of what."""
    return []


async def endless(of: list[Booking]) -> list[list[str]]:
    """Answers without a bound."""
    return []


def not_async(of: list[Booking]) -> list[str]:
    """Does not wait."""
    return []


async def guests(of: list[Booking]) -> list[int]:
    """Is there already."""
    return []


async def label(of: list[Booking]) -> list[str]:
    """Is added twice."""
    return []


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (untyped, "answer-untyped"),
        (one_by_one, "join-signature"),
        (nobody, "join-signature"),
        (of_others, "join-signature"),
        (one_value, "join-signature"),
        (not_async, "join-signature"),
        (by_id, "graphql-id"),
        (by_inner_id, "graphql-id"),
        (without_type, "input-untyped"),
        (open_ended, "input-untyped"),
        (boundless, "input-unbounded"),
        (unresolved, "type-unknown"),
        (endless, "graphql-list-open"),
        (guests, "graphql-name-twice"),
        (label, "graphql-name-twice"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_join_that_does_not_hold_is_refused(function: Any, expected: str) -> None:
    """What a join must not be is refused at its own line."""
    assert codes_of(function) == [expected]


@pytest.mark.parametrize("on", ["Booking", int, Booking(id="b", place_id="p"), list[Booking]], ids=str)
def test_fields_are_added_to_structs(on: Any) -> None:
    """What is added to anything else is refused, and not raised from somewhere."""
    assert codes_of(place, on=on) == ["join-signature"]
    bff = bff_of()
    bff.joins.clear()
    bff.graphql({"Booking" if isinstance(on, Booking) else on: Shown})
    [found] = refusals(bff)
    assert (found.code, found.where.rpartition(":")[0].endswith("test_joins.py")) == ("graphql-field", True)


def test_a_join_says_what_it_sends_and_writes_nothing() -> None:
    """Without `uses` there is no ceiling, and a write would be one that no guard was asked for."""
    assert codes_of(place, uses=None) == ["uses-missing"]
    assert codes_of(place, uses=[Places.build]) == ["read-uses-write"]
    assert codes_of(place, uses=[Places]) == ["uses-unclear"]
    assert codes_of(place, uses=[Places.by_ids.times(0)]) == ["uses-count"]


def test_a_field_is_added_to_what_is_answered() -> None:
    """A type that no endpoint answers, or another of its name, cannot be selected."""
    other = msgspec.defstruct("Booking", [("id", Id)], bases=(Narrow,), kw_only=True)

    async def added(of: Any) -> list[str]:
        """Added to another."""
        return []

    added.__annotations__["of"] = list[other]  # type: ignore[valid-type]
    assert [r.code for r in refusals(bff_of(a=(other, added, [])))] == ["graphql-unreachable"]


class Allowed(strawberry.permission.BasePermission):
    """A permission, which nothing would ask."""

    def has_permission(self, *_: Any, **__: Any) -> bool:
        """Never."""
        return False


class Yields:
    """Fields that do not hold."""

    @strawberry.field
    def many(self) -> str:  # type: ignore[misc]
        """Yields."""
        yield "a"


class Permitted:
    """A field with a permission."""

    @strawberry.field(permission_classes=[Allowed])
    def hidden(self) -> str:
        """Hidden."""
        return ""


class Bare:
    """A field without a function."""

    name: str = strawberry.field(description="Nothing.")


class Orphan:
    """A field that takes no parent."""

    @strawberry.field
    def nobody() -> str:  # type: ignore[misc]
        """Of whom?"""
        return ""


class Forgotten:
    """A class without Strawberry fields."""

    def label(self) -> str:
        """Not decorated."""
        return ""


class ByInfo:
    """A field that wants all of Strawberry."""

    @strawberry.field
    def info(self, info: strawberry.Info) -> str:
        """Asks for everything."""
        return str(info)


@strawberry.type
class Typed:
    """A type of Strawberry already."""

    @strawberry.field(name="renamed", deprecation_reason="old", description="What it says.")
    def method(self) -> str:
        """What it is."""
        return cast("Booking", self).id


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (Yields, "graphql-field"),
        (Permitted, "graphql-field"),
        (Bare, "graphql-field"),
        (Orphan, "graphql-field"),
        (Forgotten, "graphql-field"),
        (Shown(), "graphql-field"),
        (ByInfo, "type-unsupported"),
    ],
)
def test_a_strawberry_field_that_does_not_hold_is_refused(fields: type[Any], expected: str) -> None:
    """What nothing would ask, or what would come in pieces, is refused."""
    bff = bff_of()
    bff.joins.clear()
    bff.graphql({Booking: fields})

    assert [refusal.code for refusal in refusals(bff)] == [expected]


async def test_a_type_of_strawberry_gives_its_fields() -> None:
    """A class that is decorated already gives the same fields, under the names that they say."""
    bff = bff_of()
    bff.joins.clear()
    bff.graphql({Booking: Typed})
    run = Run(bff)

    assert (await run("renamed"))[3] == {"renamed": "b3"}
    assert '"""What it says."""\n  renamed: String! @deprecated(reason: "old")' in run.schema.sdl()
    assert run.schema.joins == {}


def test_joins_are_told_with_what_they_use() -> None:
    """Whoever reckons the price of a document finds the uses of each join by its type and name."""
    joins = make_schema(bff_of()).joins

    assert {key: join.uses for key, join in joins.items()} == {
        ("Booking", "place"): {Places.by_ids: 1},
        ("Place", "owner"): {Places.owners: 1},
    }


def test_a_type_that_has_no_end_is_refused() -> None:
    """Types that contain each other in too many ways are refused as those of REST are."""

    async def many(of: list[Booking], what: Any) -> list[str]:
        """Takes what nobody can send."""
        return []

    many.__annotations__["what"] = tangled(Input)
    assert codes_of(many) == ["type-too-large"]


def test_a_reason_is_told_once() -> None:
    """Two ways that lead to one fault tell it once."""
    names = Names(frozenset())
    for _ in range(2):
        names.refuse("graphql-type", Where("lunch.found", "app.py:1", "found"), "rule", "remedy")
    assert len(names.refusals) == 1
