"""Every type through a whole document call: what GraphQL answers and takes is what REST answers and takes."""

from __future__ import annotations

import enum
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from narrows import Bff, Id, Input, Moment, Money, Narrow, NumberId, PageSize, ShortText
from narrows.testing import bearer
from tests.flow.canteen import FACTS
from tests.flow.world import World, world


class Colour(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    """How much."""

    LOW = 1
    HIGH = 2


class Cat(Narrow, tag="cat"):
    """A cat."""

    name: ShortText
    lives: PageSize = 9


class Dog(Narrow, tag="dog"):
    """A dog."""

    name: ShortText
    barks: bool = True


class Inner(Narrow, rename="camel"):
    """Whose names are others on the wire."""

    place_id: Id
    deep_down: Annotated[list[Annotated[list[PageSize], Meta(max_length=3)]], Meta(max_length=3)]


class Tree(Narrow):
    """What contains itself."""

    id: NumberId
    below: Annotated[list[Tree], Meta(max_length=3)] = msgspec.field(default_factory=list)


class All(Narrow, kw_only=True):
    """One of each."""

    yes: bool
    small: PageSize
    large: int
    broken: float
    text: str
    id: Id
    number: NumberId
    at: datetime
    moment: Moment
    day: date
    clock: time
    long: timedelta
    exact: Decimal
    uuid: UUID
    raw: bytes
    price: Money
    colour: Colour
    level: Level
    diet: Literal["none", "vegan"]
    odd: Literal["long-running", "short"]
    number_of: Literal[1, 2] | None
    nothing: ShortText | None = None
    inner: Inner | None
    tree: Tree
    unique: Annotated[frozenset[PageSize], Meta(max_length=3)]
    pair: tuple[float, float]
    some: Annotated[tuple[ShortText, ...], Meta(max_length=3)]


ALL = All(
    yes=True,
    small=5,
    large=2**60,
    broken=0.5,
    text="é\u2028",
    id="a-1",
    number=2**53 - 1,
    at=datetime(2026, 1, 2, 3, 4, 5),
    moment=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    day=date(2026, 1, 2),
    clock=time(3, 4, 5),
    long=timedelta(minutes=90),
    exact=Decimal("0.10"),
    uuid=UUID(int=7),
    raw=b"\x00\xff",
    price=Money(Decimal("1.50"), "EUR"),
    colour=Colour.BLUE,
    level=Level.HIGH,
    diet="vegan",
    odd="long-running",
    number_of=None,
    inner=Inner(place_id="p", deep_down=[[1], [], [2, 3]]),
    tree=Tree(id=1, below=[Tree(id=2), Tree(id=3, below=[Tree(id=4)])]),
    unique=frozenset({3}),
    pair=(1.0, 2.5),
    some=("a", "b"),
)


class Line(Input):
    """A line."""

    item: ShortText
    colour: Colour = Colour.RED
    many: PageSize | None = None


class Wanted(Input, kw_only=True):
    """What is wanted."""

    at: Moment
    lines: Annotated[list[Line], Meta(max_length=3)]
    note: ShortText | None = None
    unique: Annotated[set[PageSize], Meta(max_length=3)] = msgspec.field(default_factory=set)


class Said(Narrow):
    """What arrived."""

    what: str


PLAIN = (
    "yes small large broken text id number at moment day clock long exact uuid raw colour level diet odd number_of "
    "nothing unique pair some"
)
DOCUMENTS = {
    "every_doc": f"query every_doc {{ every {{ {PLAIN} price {{ amount currency }} inner {{ placeId deepDown }} "
    "tree { id below { id below { id below { id } } } } } }",
    "pets_doc": "query pets_doc { pets { __typename ... on Cat { name lives } ... on Dog { name barks } } }",
    "taken_doc": "query taken_doc($at: DateTime, $day: Date!, $colour: Colour! = red, $diet: All_diet, $ids: [Long!]!, "
    "$exact: Decimal!) { taken(at: $at, day: $day, colour: $colour, diet: $diet, ids: $ids, exact: $exact) { what } "
    'fixed: taken(day: "2026-01-02", colour: blue, diet: vegan, ids: [1, 2], exact: 0.10) { what } }',
    "put_doc": "mutation put_doc($sent: WantedInput!) { put(sent: $sent) { what } }",
    "nothing_doc": "mutation nothing_doc { nothing }",
}
GUARDS: dict[str, Any] = {"roles": {"member"}, "scope": "dining:read", "rate": "100000/minute", "uses": []}


def make_bff(folder: Path) -> Bff:
    """A BFF that answers and takes one of each."""
    bff = Bff("types", **FACTS)
    guards = {**GUARDS, "within": "team:7"}

    @bff.read("/every", **guards)
    async def every() -> All:
        """One of each."""
        return ALL

    @bff.read("/pets", **guards)
    async def pets() -> Annotated[list[Cat | Dog], Meta(max_length=5)]:
        """One of several."""
        return [Cat(name="Tom"), Dog(name="Rex")]

    @bff.read("/taken", unbound={"ids[]": "they are nobody's"}, **guards)
    async def taken(
        day: date,
        ids: Annotated[list[NumberId], Meta(max_length=3)],
        exact: Decimal,
        at: Moment | None = None,
        colour: Colour = Colour.RED,
        diet: Literal["none", "vegan"] | None = None,
    ) -> Said:
        """What arrived."""
        return Said(what=repr((day, ids, exact, at, colour, diet)))

    @bff.write("/put", **guards)
    async def put(sent: Wanted) -> Said:
        """What arrived."""
        return Said(what=repr(sent))

    @bff.write("/nothing", **guards)
    async def nothing() -> None:
        """Nothing."""

    folder.mkdir()
    bff.graphql(queries=str(folder))
    for name, source in DOCUMENTS.items():
        (folder / f"{name}.graphql").write_text(source, encoding="utf-8")
        bff.document(name, **{key: value for key, value in guards.items() if key != "uses"})
    return bff


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[World]:
    """The BFF, running."""
    async with world(bff=make_bff(folder / "queries")) as made:
        yield made


async def ask(made: World, method: str, path: str, **how: Any) -> Any:
    """Call something as Anna."""
    answer = await made.client.request(method, path, headers=bearer(made.token("anna")), **how)
    assert answer.status_code in (200, 201, 204), answer.text
    return answer.json() if answer.content else None


async def test_every_type_is_answered_as_in_rest(tmp_path: Path) -> None:
    """Leaf by leaf, a document answers the JSON that REST answers."""
    async with served(tmp_path) as made:
        rest = await ask(made, "GET", "/every")
        document = await ask(made, "GET", "/graphql/every_doc")

    every = document["data"]["every"]
    assert every.pop("tree") == {
        "id": 1,
        "below": [{"id": 2, "below": []}, {"id": 3, "below": [{"id": 4, "below": []}]}],
    }
    assert every == {key: value for key, value in rest.items() if key != "tree"}


async def test_a_union_is_answered_by_what_it_is(tmp_path: Path) -> None:
    """Each object has what was selected of its own type; `__typename` stands for the tag."""
    async with served(tmp_path) as made:
        found = await ask(made, "GET", "/graphql/pets_doc")

    assert found["data"]["pets"] == [
        {"__typename": "Cat", "name": "Tom", "lives": 9},
        {"__typename": "Dog", "name": "Rex", "barks": True},
    ]


@pytest.mark.parametrize("sent", [{}, {"at": None}, {"at": "2026-01-02T03:04:05Z", "diet": "none", "colour": "blue"}])
async def test_every_type_is_taken_as_in_rest(tmp_path: Path, sent: dict[str, Any]) -> None:
    """Variables and literals arrive at the function as the values that REST gives it."""
    whole = {"day": "2026-01-02", "ids": [1, 2], "exact": "0.10", **sent}
    async with served(tmp_path) as made:
        query = {key: value for key, value in whole.items() if value is not None}
        rest = await ask(made, "GET", "/taken", params=query)
        document = await ask(made, "GET", "/graphql/taken_doc", params={"variables": json.dumps(whole)})

    assert document["data"]["taken"] == rest
    assert document["data"]["fixed"]["what"] == repr(
        (date(2026, 1, 2), [1, 2], Decimal("0.10"), None, Colour.BLUE, "vegan")
    )


@pytest.mark.parametrize("more", [{}, {"note": None}, {"note": "x", "unique": [3]}])
async def test_a_body_is_taken_as_in_rest(tmp_path: Path, more: dict[str, Any]) -> None:
    """What is left out, and what is null, is filled in by the same types, however deep it stands."""
    lines = [{"item": "soup"}, {"item": "tea", "colour": "blue", "many": 2}]
    sent = {"at": "2026-01-02T03:04:05Z", "lines": lines, **more}
    async with served(tmp_path) as made:
        rest = await ask(made, "POST", "/put", json=sent)
        document = await ask(made, "POST", "/graphql/put_doc", json={"variables": {"sent": sent}})

    assert document["data"]["put"] == rest


async def test_what_answers_nothing_is_null(tmp_path: Path) -> None:
    """A write without an answer is the scalar `Nothing`."""
    async with served(tmp_path) as made:
        assert await ask(made, "POST", "/graphql/nothing_doc", json={}) == {"data": {"nothing": None}}
