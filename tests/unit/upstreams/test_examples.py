"""Pinned examples: narrowed as an upstream's answer, found by their arguments, refused where they do not hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from narrows import Answer, Example, Id, Input, Moment, Narrow, NumberId, ShortText, Upstream, read, write
from narrows.declare.shape import operation_shape
from narrows.declare.upstream import Operation
from narrows.upstreams.examples import ExampleInvalid, Pinned, pin


class Line(Narrow):
    amount: Annotated[int, Meta(ge=1)]


class Order(Narrow):
    id: Id
    lines: list[Line] = msgspec.field(default_factory=list)
    by_place: dict[str, Line] = msgspec.field(default_factory=dict)


class NewOrder(Input, rename="camel"):
    team_id: NumberId
    note: ShortText = "-"


def orders(*examples: Example) -> Operation[..., object]:
    """A read with examples."""

    class Orders(Upstream):
        @read("/orders/{team_id}", examples=examples)
        def of_team(self, team_id: NumberId, at: Moment | None = None, limit: int = 5) -> Answer[Order]: ...

    return Orders.of_team


def taken(*examples: Example) -> Operation[..., object]:
    """A write with examples."""

    class Orders(Upstream):
        @write("/orders", examples=examples)
        def take(self, order: NewOrder) -> Answer[Order | None]: ...

    return Orders.take


def pinned(operation: Operation[..., object], cap: int = 1000) -> tuple[Pinned, ...]:
    """The examples of an operation, made ready."""
    return pin(operation, operation_shape(operation), cap)


def test_an_answer_is_narrowed_as_that_of_an_upstream():
    """Fields that are not declared are skipped, defaults are filled in, and a value of the type itself is taken too."""
    (plain, typed) = pinned(orders(Example({"id": "a", "iban": "x"}), Example(Order(id="b"))))
    assert msgspec.json.decode(plain.answer) == {"id": "a", "lines": [], "by_place": {}}
    assert msgspec.json.decode(typed.answer)["id"] == "b"


def test_an_example_for_certain_arguments_goes_before_one_for_all():
    """The order among those for certain arguments is that of the declaration."""
    found = pinned(orders(Example({"id": "all"}), Example({"id": "seven"}, team_id=7), Example({"id": "two"}, limit=2)))
    assert [msgspec.json.decode(one.answer)["id"] for one in found] == ["seven", "two", "all"]


NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "given", "fits"),
    [
        ({}, {"team_id": 7}, True),
        ({"team_id": 7}, {"team_id": 7, "limit": 5}, True),
        ({"team_id": 7}, {"team_id": 8, "limit": 5}, False),
        ({"team_id": 7, "limit": 2}, {"team_id": 7, "limit": 5}, False),
        ({"at": NOON}, {"at": "2026-05-05T12:00:00Z"}, True),
        ({"at": None}, {"at": None}, True),
        ({"order": {"teamId": 7}}, {"order": {"teamId": 7, "note": "n"}}, True),
        ({"order": {"teamId": 7, "note": "m"}}, {"order": {"teamId": 7, "note": "n"}}, False),
        ({"order": {"teamId": 7}}, {"order": None}, False),
        ({"order": NewOrder(team_id=7)}, {"order": {"teamId": 7, "note": "-"}}, True),
        ({"missing": 1}, {}, False),
    ],
)
def test_arguments_are_compared_as_json_would_write_them(arguments, given, fits):
    """What is named must be equal; of a body, only the fields that are named."""
    assert Pinned(msgspec.to_builtins(arguments, str_keys=True), b"").fits(given) is fits


INVALID = [
    (orders("no example"), "example 1 is no Example"),
    (orders(Example({})), "example 1: Object missing required field `id` (at the answer itself)"),
    (orders(Example({"id": 7})), "example 1: Expected `str`, got `int` at /id"),
    (orders(Example({"id": "a"}), Example({"id": "a", "lines": [{"amount": 1}, {"amount": 0}]})),
     "example 2: Expected `int` >= 1 at /lines/1/amount"),
    (orders(Example({"id": "a", "by_place": {"x": {"amount": "many"}}})),
     "example 1: Expected `int`, got `str` at /by_place/…/amount"),
    (orders(Example({"id": object()})), "example 1: Encoding objects of type object is unsupported"),
    (orders(Example({"id": "a", "lines": [{"amount": 1}] * 100})), "example 1: it has 1"),
    (orders(Example({"id": "a"}, team=7)), "example 1: `team` is no argument; there are: team_id, at, limit"),
    (orders(Example({"id": "a"}, team_id="seven")), "example 1: `team_id` cannot have that value"),
    (orders(Example({"id": "a"}, team_id={"id": 7})), "example 1: `team_id` cannot have that value"),
    (taken(Example({"id": "a"}, order={"team_id": 7})), "example 1: `order` has no field `team_id`"),
    (taken(Example({"id": "a"}, order=7)), "example 1: `order` cannot have that value"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "said"), INVALID)
def test_what_does_not_hold_is_refused_with_its_place(operation, said):
    """Which example, what is wrong with it, and where, as a JSON pointer."""
    with pytest.raises(ExampleInvalid) as caught:
        pinned(operation)
    assert str(caught.value).startswith(said)


def test_examples_that_hold_for_bodies_and_nothing():
    """A body by its fields, a value that is None, and an answer that is null."""
    found = pinned(taken(Example(None, order={"teamId": 7}), Example({"id": "a"}, order=NewOrder(team_id=8))))
    assert [one.answer for one in found] == [b"null", b'{"id":"a","lines":[],"by_place":{}}']
    assert len(pinned(orders(Example({"id": "a"}, at=None)))) == 1


def test_an_example_is_told_by_its_arguments():
    """Its answer may be long, and is not repeated."""
    assert repr(Example({"id": "a"}, team_id=7)) == "Example(…, team_id)"
