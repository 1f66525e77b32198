from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from narrows import Id, Input, Narrow, NumberId, ShortText
from narrows.pipeline import decode
from tests.unit.pipeline import calls


class Closed(Input):
    name: ShortText


class Open(Narrow):
    name: ShortText


class Deep(Input):
    inner: Open


class LongList(Input):
    names: list[ShortText]


class LongText(Input):
    names: Annotated[list[str], Meta(max_length=3)]


class Anything(Input):
    extra: Any


class Keys(Input):
    by_name: Annotated[dict[str, ShortText], Meta(max_length=3)]


class Loose(Input):
    by_name: dict[ShortText, ShortText]


class Unread(Input):
    extra: msgspec.Raw


class Bytes(Input):
    data: bytes


def codes(kind: Any, *, body: bool = True) -> list[str]:
    """Why an endpoint that takes this type does not start."""

    async def takes(team_id: NumberId, x: Any) -> calls.Team: ...

    takes.__annotations__ |= {"x": kind, "team_id": NumberId, "return": calls.Team}
    return calls.refused(decode, calls.declared(takes, writes=body))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Closed, []),
        (Annotated[Closed, Meta(description="A name.")], []),
        (Deep, ["input-open"]),
        (LongList, ["input-unbounded"]),
        (LongText, ["input-unbounded"]),
        (Anything, ["input-untyped"]),
        (Unread, ["input-untyped"]),
        (Keys, ["input-unbounded"]),
        (Loose, ["input-unbounded"]),
        (Bytes, ["input-unbounded"]),
    ],
)
def test_a_body_is_typed_bounded_and_closed(kind: Any, expected: list[str]) -> None:
    """What takes anything, or as much as somebody likes to send, does not start."""
    assert codes(kind) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ShortText, []),
        (Id, []),
        (int, []),
        (Annotated[list[ShortText], Meta(max_length=2)], []),
        (str, ["input-unbounded"]),
        (bytes, ["input-unbounded"]),
        (list[int], ["input-unbounded"]),
        (set[int], ["input-unbounded"]),
        (frozenset[int], ["input-unbounded"]),
        (tuple[int, ...], ["input-unbounded"]),
        (Any, ["input-untyped"]),
        (Open, ["input-object", "input-open"]),
        (Annotated[dict[ShortText, int], Meta(max_length=2)], ["input-object"]),
    ],
)
def test_a_query_is_typed_and_bounded(kind: Any, expected: list[str]) -> None:
    """A text becomes a value or a list of values, never an object."""
    assert codes(kind, body=False) == expected


def test_a_read_takes_no_body() -> None:
    """A read has no effect, so there is nothing to send."""
    assert codes(Closed, body=False) == ["read-with-body"]


def test_there_is_one_body() -> None:
    """A request has one."""

    async def takes(team_id: NumberId, one: Closed, two: Closed) -> calls.Team: ...

    assert calls.refused(decode, calls.declared(takes, writes=True)) == ["body-twice"]


NOTHING = object()


@pytest.mark.parametrize(("default", "expected"), [(5, []), (99, ["default-wrong"]), (NOTHING, ["default-wrong"])])
def test_a_default_is_of_its_own_type(default: Any, expected: list[str]) -> None:
    """A default is handed out without a look, so it is looked at once."""

    async def takes(team_id: NumberId, limit: Annotated[int, Meta(le=50)] = default) -> calls.Team: ...

    assert calls.refused(decode, calls.declared(takes)) == expected


def test_none_means_that_nothing_was_sent() -> None:
    """It is a default of every type that may be left out."""

    async def takes(team_id: NumberId, limit: Annotated[int, Meta(le=50)] | None = None) -> calls.Team: ...

    assert calls.refused(decode, calls.declared(takes)) == []
