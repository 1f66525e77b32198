import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from narrows import Id, Input, Moment, NumberId, PageSize, ShortText
from narrows.pipeline.fields import CAP, collect, describe, escape, missing, unknown, wrong


class Diet(Enum):
    VEGAN = "vegan"
    ANY = "any"


class Line(Input, rename="camel"):
    item_id: Id
    count: PageSize = 1


class Order(Input):
    team_id: NumberId
    lines: Annotated[list[Line], Meta(min_length=1, max_length=3)]
    note: ShortText | None = None
    extra: Line | None = None
    names: Annotated[list[ShortText], Meta(max_length=2)] | None = None
    by_day: dict[str, Line] = msgspec.field(default_factory=dict)


class Span(Input):
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"{self.first} is over {self.last}")


class Booked(Input):
    span: Span


class Card(Input, tag="card"):
    number: ShortText


class Cash(Input, tag="cash"):
    amount: int


class Pair(Input, array_like=True):
    one: int
    two: int


class Payment(Input):
    by: Card | Cash


def places(value: Any, kind: Any) -> list[str]:
    """Where the errors of a value are."""
    return [error.pointer for error in collect(value, kind, "/body")]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ({"team_id": 1, "lines": [{"itemId": "a"}]}, Order, []),
        ({}, Order, ["/body/team_id", "/body/lines"]),
        (7, Order, ["/body"]),
        ([], Order, ["/body"]),
        ({"team_id": 0, "lines": []}, Order, ["/body/team_id", "/body/lines"]),
        ({"team_id": 1, "lines": [{}] * 4}, Order, ["/body/lines"]),
        (
            {"team_id": "1", "lines": [{"itemId": "a b"}, {"item_id": "a", "count": True}]},
            Order,
            [
                "/body/team_id",
                "/body/lines/0/itemId",
                "/body/lines/1/item_id",
                "/body/lines/1/itemId",
                "/body/lines/1/count",
            ],
        ),
        ({"team_id": 1, "lines": [{"itemId": "a"}], "isAdmin": 1, "a/b": 2}, Order, ["/body/isAdmin", "/body/a~1b"]),
        ({"team_id": 1, "lines": [{"itemId": "a"}], "extra": {}}, Order, ["/body/extra/itemId"]),
        ({"team_id": 1, "lines": [{"itemId": "a"}], "extra": 7}, Order, ["/body/extra"]),
        ({"team_id": 1, "lines": [{"itemId": "a"}], "extra": None, "note": None}, Order, []),
        ({"team_id": 1, "lines": [{"itemId": "a"}], "names": ["", "a"]}, Order, ["/body/names/0"]),
        ({"team_id": 1, "lines": [{"itemId": "a"}], "names": ["a", "b", ""]}, Order, ["/body/names"]),
        (
            {"team_id": 1, "lines": [{"itemId": "a"}], "by_day": {"m/o": {"itemId": 1}}},
            Order,
            ["/body/by_day/m~1o/itemId"],
        ),
        ({"span": {"first": 2, "last": 1}}, Booked, ["/body/span"]),
        ({"span": {"first": 2, "last": "x"}}, Booked, ["/body/span/last"]),
        ({"first": 2, "last": 1}, Span, ["/body"]),
        ({"by": {"type": "card", "number": "1"}}, Payment, []),
        ({"by": {"type": "card", "number": ""}}, Payment, ["/body/by"]),
        ({"by": {"type": "coin"}}, Payment, ["/body/by"]),
        ({"type": "card", "number": ""}, Card, ["/body/number"]),
        ({"type": "cash", "number": "1"}, Card, ["/body"]),
        ([1, 2], Pair, []),
        ([1, "2"], Pair, ["/body"]),
        ({"one": 1, "two": 2}, Pair, ["/body"]),
        ([[1], ["x"]], list[list[int]], ["/body/1/0"]),
        ([1, 2], Annotated[list[int], Meta(description="d")], []),
    ],
)
def test_every_error_is_found_at_its_place(value: Any, kind: Any, expected: list[str]) -> None:
    """A client can mend all of its request at once."""
    assert places(value, kind) == expected


def test_errors_are_capped() -> None:
    """A small request has no large answer."""
    assert len(collect([""] * 10_000, list[ShortText], "/body")) == CAP


def test_a_large_body_takes_no_long_time() -> None:
    """The slow pass over a body of the largest size is not slow enough to be worth an attack."""
    value = {"team_id": 1, "lines": [], "by_day": {str(n): {"itemId": "a", "count": 1} for n in range(2500)}}
    started = time.perf_counter()
    assert places(value, Order) == ["/body/lines"]
    assert time.perf_counter() - started < 2


KINDS: list[Any] = [Order, Booked, Payment, Pair, Line | None, list[Order], dict[str, Span], Union[Card, Cash]]  # noqa: UP007 - a form that teams write too
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 60)
    | st.floats(-2, 60)
    | st.sampled_from(["", "a", "a b", "vegan", "card", "2026-11-23T12:30:00Z", "1.5", "x" * 101])
)
KEYS = st.sampled_from(
    [
        *("team_id", "lines", "note", "extra", "names", "by_day", "itemId", "count", "span", "first", "last", "by"),
        *("type", "number", "amount", "one", "odd"),
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=15
)


@given(VALUES, st.sampled_from(KINDS))
def test_there_are_errors_exactly_when_msgspec_refuses(value: Any, kind: Any) -> None:
    """The slow pass and the fast decoder never disagree about whether something is wrong."""
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=kind)
        accepted = True
    except msgspec.ValidationError:
        accepted = False
    assert (collect(value, kind, "/body") == []) is accepted


@given(VALUES, st.sampled_from(KINDS))
def test_no_error_repeats_a_value(value: Any, kind: Any) -> None:
    """Errors name the rule and never what was sent."""
    marked = mark(value)
    for error in collect(marked, kind, "/body"):
        assert "CANARY" not in f"{error.detail} {error.remedy}"


def mark(value: Any) -> Any:
    """A value with a canary in each text."""
    if isinstance(value, dict):
        return {key: mark(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [mark(inner) for inner in value]
    return f"CANARY{value}" if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (str, "text of at least 0 characters"),
        (ShortText, "text of 1 to 100 characters"),
        (Annotated[str, Meta(pattern="^a$", max_length=1)], "text of 0 to 1 characters matching ^a$"),
        (int, "a whole number"),
        (PageSize, "a whole number, at least 1 and at most 50"),
        (Annotated[float, Meta(gt=0, lt=1)], "a number, over 0 and under 1"),
        (Annotated[int, Meta(multiple_of=5)], "a whole number, a multiple of 5"),
        (bool, "true or false"),
        (Diet, "one of: vegan, any"),
        (Literal["a", 1], "one of: a, 1"),
        (datetime, "a date and time with its offset (RFC 3339)"),
        (date, "a date (RFC 3339)"),
        (timedelta, "a duration (ISO 8601)"),
        (UUID, "a UUID (RFC 9562)"),
        (Decimal, "an exact decimal number"),
        (bytes, "bytes in base64 (RFC 4648)"),
        (None, "null"),
        (Line, "an object Line"),
        (list[int], "a list of at least 0 items, each a whole number"),
        (Annotated[set[int], Meta(min_length=1, max_length=2)], "a list of 1 to 2 items, each a whole number"),
        (PageSize | None, "a whole number, at least 1 and at most 50"),
        (int | ShortText, "a whole number or text of 1 to 100 characters"),
        (dict[str, int], "of the type in /openapi.json"),
    ],
)
def test_a_type_is_told_in_words(kind: Any, rule: str) -> None:
    """A person who builds a low-code app reads no schema."""
    assert words(describe(msgspec.inspect.type_info(kind))[0]) == words(rule)


def test_an_example_stands_in_the_remedy() -> None:
    """What to send is shown."""
    error = wrong(Moment, "/query/x", in_query=True)
    assert error.detail == "It must be a date and time with its offset (RFC 3339)."
    assert error.remedy == (
        "Send a date and time with its offset (RFC 3339), for example 2026-11-23T12:30:00+01:00 "
        "(in a URL, write `+` as `%2B`)."
    )


def test_what_is_missing_is_told_with_its_rule() -> None:
    """Nobody has to look up what is wanted."""
    assert missing(PageSize, "/query/limit").detail == "It is required: a whole number, at least 1 and at most 50."


def test_what_is_unknown_is_told_with_what_is_known() -> None:
    """Most unknown names are misspelled ones."""
    assert unknown("/query/x", ["b", "a"]).remedy == "Remove it; known are: a, b."
    assert unknown("/query/x", []).remedy == "Remove it; known are: none."


@pytest.mark.parametrize(
    ("name", "pointer"), [("a", "a"), ("a/b", "a~1b"), ("a~b", "a~0b"), ("~1", "~01"), ("x" * 200, "x" * 100)]
)
def test_a_name_is_escaped_in_a_pointer(name: str, pointer: str) -> None:
    """RFC 6901, 3; and what nobody declared is cut."""
    assert escape(name) == pointer


def words(text: str) -> list[str]:
    """The words of a text in no order: the members of a union come in none."""
    return sorted(text.replace(",", "").split())
