"""Effects that were noted and writes that left: the same, or told apart to the field."""

from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from msgspec import Meta

from narrows import Answer, Id, Input, Narrow, Upstream, read, write
from narrows.settings import UpstreamSettings
from narrows.testing.effects import Sent, unlike, writes
from narrows.upstreams.sendable import Sendable


class Line(Input):
    text: str
    price: float | None = None
    number: int = 1


class Made(Narrow):
    id: Id


class Shop(Upstream):
    @read("/orders/{order_id}")
    def order(self, order_id: Id) -> Answer[Made]: ...

    @write("/orders/{order_id}/lines")
    def add(self, order_id: Id, line: Line) -> Answer[Made]: ...

    @write("/orders/all/lines")
    def add_all(self, line: Line) -> Answer[Made]: ...

    @write("/orders/{number}", method="DELETE", names={"loud": "is-loud"})
    def drop(
        self, number: int, tags: Annotated[list[str], Meta(max_length=3)], loud: bool = False, why: str | None = None
    ) -> Answer[None]: ...


SENDABLES = [
    Sendable.prepare(operation, "shop", UpstreamSettings(url="https://shop.test/v1"))
    for operation in (Shop.order, Shop.add, Shop.add_all, Shop.drop)
]


def digest(*parts: str) -> str:
    """A digest that a test can read."""
    return "|".join(parts)


def request(name: str, **values: object) -> httpx.Request:
    """A request as it is sent."""
    sendable = next(s for s in SENDABLES if s.operation.name == name)
    return sendable.request(sendable.bind((), values), {})


def test_writes_are_read_as_the_operations_that_they_are():
    """Path, query and body by pointer; reads and what no operation sends are left out; the literal path goes first."""
    foreign = httpx.Request("POST", "https://other.test/v1/orders/all/lines", content=b"{}")
    found = writes(
        SENDABLES,
        [
            request("order", order_id="a"),
            foreign,
            request("add", order_id="a-1", line=Line(text="x")),
            request("add_all", line=Line(text="y")),
            request("drop", number=7, tags=["a b", "c"], loud=True),
            httpx.Request("PUT", "https://shop.test/v1/orders/7"),
        ],
    )
    assert found == [
        Sent("Shop.add", {"/order_id": "a-1", "/line/text": "x", "/line/price": None, "/line/number": 1}),
        Sent("Shop.add_all", {"/line/text": "y", "/line/price": None, "/line/number": 1}),
        Sent("Shop.drop", {"/number": "7", "/tags/0": "a b", "/tags/1": "c", "/loud": "true"}),
    ]


DROP = {"/number": 7, "/tags/0": "a", "/tags/1": "b", "/loud": True, "/why": None}


@pytest.mark.parametrize(
    "arguments",
    [
        DROP,
        {**DROP, "/number": {"type": "integer", "digest": "effect|7"}},
        {**DROP, "/tags/0": {"type": "string", "digest": "effect|'a'"}},
        {**DROP, "/number": {"type": "integer", "stand_in": True}},
        {**DROP, "/tags/1": {"type": "string", "stand_in": True}},
        None,
    ],
)
def test_the_same_content_is_alike(arguments):
    """Shown, hidden behind a digest, a stand-in, and where only the operation is known."""
    (sent,) = writes(SENDABLES, [request("drop", number=7, tags=["a", "b"], loud=True)])
    noted = {"operation": "Shop.drop"} | ({} if arguments is None else {"arguments": arguments})
    assert list(unlike([noted], [sent], digest)) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"/number": 8}, ("Shop.drop /number = 8", "Shop.drop /number = '7'")),
        ({"/loud": {"type": "boolean", "digest": "effect|False"}},
         ("Shop.drop /loud = a hidden boolean", "Shop.drop /loud = 'true'")),
        ({"/tags/0": {"type": "integer", "stand_in": True}},
         ("Shop.drop /tags/0 = a hidden integer", "Shop.drop /tags/0 = 'a'")),
        ({"/why": "so"}, ("Shop.drop /why = 'so'", "Shop.drop without /why")),
        ({"/tags/1": None}, ("Shop.drop without /tags/1", "Shop.drop /tags/1 = 'b'")),
    ],
)  # fmt: skip
def test_other_content_is_told_to_the_field(change, found):
    """Each field that differs, one that is missing and one too many."""
    (sent,) = writes(SENDABLES, [request("drop", number=7, tags=["a", "b"], loud=True)])
    assert list(unlike([{"operation": "Shop.drop", "arguments": {**DROP, **change}}], [sent], digest)) == [found]


def test_order_does_not_matter_and_numbers_do():
    """Effects are paired whatever their order; one too many on either side is told."""
    one, two = Sent("A.x", {"/n": 1}), Sent("A.x", {"/n": 2})
    noted = [{"operation": "A.x", "arguments": {"/n": 2}}, {"operation": "A.x", "arguments": {"/n": 1}}]
    assert list(unlike(noted, [one, two], digest)) == []
    hidden = [{"operation": "A.x", "arguments": {"/n": {"type": "integer", "digest": "effect|2"}}}]
    assert list(unlike(hidden, [two], digest)) == []
    assert list(unlike(noted[:1], [one, two], digest)) == [("not noted", "A.x")]
    assert list(unlike(noted, [two], digest)) == [("A.x", "not sent")]
    assert list(unlike([{"operation": "B.y", "arguments": {}}], [one], digest)) == [
        ("B.y", "not sent"),
        ("not noted", "A.x"),
    ]
