"""A BFF whose endpoints are answered by a test, and documents that are carried out against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import strawberry
from graphql import parse
from msgspec import Meta, field

from narrows import Bff, Count, Id, Input, Moment, Narrow, NumberId, Problem, ShortText
from narrows.call import Call
from narrows.surfaces.graphql.execution import execution
from narrows.surfaces.graphql.schema import Schema, make_schema
from tests.unit.pipeline import calls

GUARDS: dict[str, Any] = {"roles": {"member"}, "scope": "teams:read", "uses": [], "rate": "2/minute"}


class Person(Narrow, omit_defaults=True):
    """Somebody."""

    id: NumberId
    name: ShortText = "nobody"


class PersonFields:
    """What is added to a person."""

    @strawberry.field
    def greeting(self: Person, word: ShortText = "Hello") -> str:
        """Say hello."""
        return f"{word}, {self.name}!"

    @strawberry.field
    async def later(self: Person) -> str:
        """Say goodbye."""
        await asyncio.sleep(0)
        return f"Goodbye, {self.name}!"


class Cat(Narrow, tag="cat"):
    """A cat."""

    name: ShortText
    owner: Person | None = None


class Dog(Narrow, tag="dog"):
    """A dog."""

    name: ShortText
    age: Count = 1


class Seat(Narrow, rename={"row": "rowNumber"}):
    """A seat."""

    row: NumberId
    person: Person | None = None


class Group(Narrow):
    """A team."""

    id: Id
    name: ShortText
    since: Moment
    chair: Person
    rows: Annotated[list[Annotated[list[Seat], Meta(max_length=5)]], Meta(max_length=5)]
    tags: Annotated[list[ShortText], Meta(max_length=5)] | None = None
    pets: Annotated[list[Cat | Dog], Meta(max_length=5)] = field(default_factory=list)


class Wish(Input):
    """What somebody wants."""

    dish: ShortText
    seats: Annotated[list[NumberId], Meta(max_length=3)] = field(default_factory=list)


class Order(Input):
    """Several wishes."""

    wishes: Annotated[list[Wish], Meta(max_length=3)]
    note: ShortText = "-"


def make_bff(queries: Path) -> Bff:
    """The declarations; the functions are never called."""
    bff = Bff("lunch", version="1", owner="o", purpose="p", exposure="internal", sensitivity="internal")

    @bff.read("/groups/{group_id}", **GUARDS)
    async def group(group_id: NumberId, limit: NumberId = 5, note: ShortText | None = None) -> Group: ...

    @bff.read("/people", **GUARDS)
    async def person() -> Person: ...

    @bff.write("/orders", **GUARDS)
    async def order(order: Order) -> Person: ...

    @bff.write("/cancels", **GUARDS)
    async def cancel(order: Order) -> Person: ...

    @bff.join(Person, uses=[])
    async def friend(people: list[Person], after: Count = 0) -> list[Person | None]:
        """Whoever comes next; nobody after the third."""
        JOINED.append([person.id for person in people])
        if any(person.name == "enemy" for person in people):
            raise Enemy()
        return [Person(id=one.id + 1 + after, name=f"friend of {one.name}") if one.id < 3 else None for one in people]

    bff.graphql({Person: PersonFields}, queries=str(queries))
    return bff


JOINED: list[list[int]] = []
"""The ids of the parents of each call of a join."""


class Enemy(Problem):
    """Somebody has no friends."""

    status = 409
    title = "No friends"


class Answering:
    """Answers fields with what a test says: a value, an exception to raise, or a function to await."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def ask(self, call: Call, endpoint: str, arguments: Mapping[str, Any]) -> Any:
        name = endpoint.partition(".")[2]
        self.asked.append((name, dict(arguments)))
        answer = self.answers[name]
        if isinstance(answer, Callable):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


def schema_of(queries: Path) -> Schema:
    """The schema alone."""
    return make_schema(make_bff(queries))


def calling(answering: Answering, variables: Mapping[str, Any] | None = None) -> Call:
    """A call of a document whose fields are answered by `answering`."""

    async def nothing() -> None: ...

    call = calls.call(calls.declared(nothing, "/nothing"), arguments=variables)
    call.fields = answering
    return call


def carried_out(schema: Schema, source: str, answering: Answering, variables: Mapping[str, Any] | None = None) -> Any:
    """What a document answers, as JSON before it is narrowed."""
    execute = execution(schema, parse(source))
    call = calling(answering, variables)
    return msgspec.to_builtins(asyncio.run(wait_for(execute(call, call.arguments))))


async def wait_for(one: Any) -> Any:
    """Await whatever can be awaited."""
    return await one
