import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from narrows.upstreams.standins import (
    holds_stand_in,
    is_stand_in,
    pointers,
    remember,
    scalars,
    stand_ins_within,
    tracked,
)
from tests.unit.upstreams.sending import BOOKING, Booking, NewBooking, Upstreams


class Odd(msgspec.Struct, rename="camel"):
    booking_id: int
    at: datetime


def call() -> Any:
    """A call to remember for."""
    return Upstreams(lambda _: BOOKING).call()


def test_every_scalar_has_its_pointer() -> None:
    """As JSON would write it, escaped as RFC 6901 says."""
    value = {"a/b": [1, {"m~n": None}], "odd": Odd(7, datetime(2026, 1, 1, tzinfo=UTC)), 7: True}
    assert dict(scalars(value)) == {
        "/a~1b/0": 1,
        "/a~1b/1/m~0n": None,
        "/odd/bookingId": 7,
        "/odd/at": "2026-01-01T00:00:00Z",
        "/7": True,
    }
    assert list(scalars("x")) == [("", "x")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"note": "abcdef"}, ["/note"]),
        ({"note": "abcde"}, []),
        ({"count": 2**31}, ["/count"]),
        ({"count": -(2**31)}, ["/count"]),
        ({"count": 2**31 - 1}, []),
        ({"id": "b1"}, ["/id"]),
        ({"booking_id": 7}, ["/booking_id"]),
        ({"bookingId": 7}, ["/bookingId"]),
        ({"id": ""}, []),
        ({"id": True}, []),
        ({"id": 1.5}, []),
        ({"id": None}, []),
        ({"paid": 7}, []),
        ({"lines": [{"id": 3}, {"n": "abcdef"}]}, ["/lines/0/id", "/lines/1/n"]),
        ({"ids": [3]}, []),
    ],
)
def test_what_can_be_tracked(value: Any, expected: list[str]) -> None:
    """Long texts, wide numbers, and ids: what does not stand somewhere by chance."""
    assert [pointer for pointer, _ in tracked(value)] == expected


def test_what_was_made_up_is_remembered_and_what_was_echoed_is_not() -> None:
    """The team's id came from the arguments, and is real."""
    one = call()
    remember(one, Booking(id="b9", team_id=7, note="a long note"), {"team_id": 7})
    assert one.stand_ins == {"b9", "a long note"}
    remember(one, Booking(id="b8", team_id=8), {})
    assert one.stand_ins == {"b9", "a long note", "b8", 8}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"booking_id": "b9"}, True),
        ({"booking": NewBooking(team_id=8)}, True),
        ({"text": "about made-up-name!"}, True),
        ({"text": "order 4294967296"}, True),
        ({"x": 4294967296}, True),
        ({"text": "b9"}, False),
        ({"text": "about b9"}, False),
        ({"seats": 8}, False),
        ({"booking_id": "b1"}, False),
        ({"booking_id": True}, False),
        ({"text": None}, False),
        ({}, False),
    ],
)
def test_an_argument_that_holds_a_stand_in_is_found(values: Any, expected: bool) -> None:
    """Equal, or inside a text; a short one only where an id stands."""
    one = call()
    assert not holds_stand_in(one, values)
    one.stand_ins = {"b9", 8, "made-up-name", 4294967296}
    assert holds_stand_in(one, values) is expected


def test_stand_ins_inside_a_text() -> None:
    """However they begin and wherever they stand, one inside another too; those that come later are found as well."""
    one = call()
    one.stand_ins = {"made-up-name", "made-up-name-2", "-up-na", "short", 4294967296}
    text = "x made-up-name-2 short 4294967296"
    found = {"made-up-name", "made-up-name-2", "-up-na"}
    assert stand_ins_within(one, text) == {**{name: name for name in found}, "4294967296": 4294967296}
    one.stand_ins |= {"x made"}
    assert "x made" in stand_ins_within(one, text)
    assert stand_ins_within(one, "made-") == stand_ins_within(one, 4294967296) == {}


def test_many_stand_ins_and_a_long_request_take_no_time() -> None:
    """Else one rehearsal would hold up everybody's calls for seconds: both are for the client to choose."""
    one = call()
    one.stand_ins = {f"2026-11-24T{number:08}" for number in range(5000)}
    began = time.process_time()
    assert not holds_stand_in(one, {"lines": ["2026-11-24T0000"] * 4000})
    assert time.process_time() - began < 1


def test_where_stand_ins_are_in_an_answer() -> None:
    """By pointer, for those who show it."""
    one = call()
    one.stand_ins = {"b9", "a long note"}
    assert pointers(one, [Booking(id="b9", team_id=7, note="a long note"), Booking(id="b1", team_id=7)]) == [
        "/0/id",
        "/0/note",
    ]
    assert is_stand_in(one, "/x/id", "b9")
    assert not is_stand_in(one, "/x/note", "b9")
