from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from narrows import Currency, Id, Input, LongText, NumberId, PageSize, ShortText
from narrows.errors import ContentTooLarge, FieldError, InvalidInput, MalformedRequest
from narrows.pipeline import decode
from narrows.pipeline.fields import CAP
from tests.unit.pipeline import calls


class Line(Input):
    item_id: Id
    count: PageSize = 1


class Sum(Input):
    amount: Decimal
    currency: Currency


class NewOrder(Input):
    note: LongText = ""
    lines: Annotated[list[Line], Meta(max_length=3)] = msgspec.field(default_factory=list)
    team_id: NumberId | None = None
    price: Sum | None = None


class Renamed(Input, rename={"team": "team_id"}):
    team: NumberId | UnsetType = UNSET


class Ordered(Input):
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("the first is over the last")


class Nested(Input):
    inner: "Nested | None" = None


async def look(
    team_id: NumberId, day: Id, limit: PageSize = 5, names: Annotated[list[ShortText], Meta(max_length=2)] | None = None
) -> calls.Team:
    """Handle one call."""


async def order(team_id: NumberId, body: NewOrder) -> calls.Team:
    """Handle one call."""


async def rename(team_id: NumberId, body: Renamed) -> calls.Team:
    """Handle one call."""


async def span(body: Ordered) -> calls.Team:
    """Handle one call."""


async def nest(body: Nested) -> calls.Team:
    """Handle one call."""


LOOK = calls.declared(look, path="/teams/{team_id}/days/{day}")
Query = Sequence[tuple[str, str]]


async def looked(query: Query = (), team_id: str = "7", day: str = "mon") -> dict[str, Any]:
    """The arguments of a read."""
    call = calls.call(LOOK, path={"team_id": team_id, "day": day}, query=query)
    await calls.made(decode, LOOK)(call)
    return call.arguments


async def sent(body: Any, function: Any = order, **over: Any) -> Any:
    """The body of a write, as a value."""
    path = "/teams/{team_id}" if "team_id" in function.__annotations__ else "/teams"
    endpoint = calls.declared(function, path, writes=True)
    written = body if isinstance(body, bytes) else msgspec.json.encode(body)
    call = calls.call(endpoint, path={"team_id": "7"}, body=written)
    ready = calls.preparing(endpoint, **over)
    await decode.prepare(ready)(call)
    return call.arguments["body"]


async def errors(sending: Any) -> list[str]:
    """Where a request does not hold."""
    with pytest.raises(InvalidInput) as caught:
        await sending
    assert all(isinstance(error, FieldError) for error in caught.value.errors)
    return [error.pointer for error in caught.value.errors]


# --- path and query -------------------------------------------------------------------------------------------------


async def test_text_becomes_typed_values() -> None:
    """The handler sees values of its types, and its own defaults."""
    assert await looked([("limit", "7"), ("names", "a"), ("names", "b")]) == {
        "team_id": 7,
        "day": "mon",
        "limit": 7,
        "names": ["a", "b"],
    }
    assert await looked() == {"team_id": 7, "day": "mon", "limit": 5, "names": None}


async def test_every_field_that_does_not_hold_is_named_at_once() -> None:
    """Path and query together, each once."""
    query = [("limit", "x"), ("odd", "1"), ("odd", "2"), ("a/b", ""), ("names", "a"), ("names", ""), ("", "")]
    assert await errors(looked(query, team_id="07", day="a b")) == [
        "/path/team_id",
        "/path/day",
        "/query/limit",
        "/query/names",
        "/query/odd",
        "/query/a~1b",
        "/query/",
    ]


async def test_a_value_may_come_once() -> None:
    """Two readers could take the first and the last."""
    assert await errors(looked([("limit", "5"), ("limit", "5")])) == ["/query/limit"]


async def test_names_have_case() -> None:
    """`Limit` is another name than `limit`."""
    assert await errors(looked([("Limit", "5")])) == ["/query/Limit"]


async def test_an_endpoint_without_query_takes_none() -> None:
    """What nobody declared is refused, and not passed over."""
    endpoint = calls.declared(order, writes=True)
    call = calls.call(endpoint, path={"team_id": "7"}, query=[("x", "1")], body=b"{}")
    assert await errors(calls.made(decode, endpoint)(call)) == ["/query/x"]


async def test_many_unknown_names_make_no_large_answer() -> None:
    """Four thousand names in eight kilobytes are answered with fifty."""
    assert len(await errors(looked([(str(n), "") for n in range(4000)]))) == CAP


# --- the body -------------------------------------------------------------------------------------------------------


async def test_a_body_becomes_one_value() -> None:
    """Its type is that of the parameter."""
    assert await sent({"note": "hi", "lines": [{"item_id": "a"}]}) == NewOrder(note="hi", lines=[Line(item_id="a")])


async def test_errors_of_path_and_body_come_together() -> None:
    """All of a request can be mended at once."""
    endpoint = calls.declared(order, writes=True)
    call = calls.call(
        endpoint,
        path={"team_id": "x"},
        query=[("y", "")],
        body=b'{"note":1,"note":2,"lines":[{"item_id":"a b"}],"z":{}}',
    )
    assert await errors(calls.made(decode, endpoint)(call)) == [
        "/path/team_id",
        "/query/y",
        "/body/note",
        "/body/z",
        "/body/note",
        "/body/lines/0/item_id",
    ]


async def test_a_key_that_stands_twice_is_refused_although_it_would_decode() -> None:
    """The last one does not win."""
    assert await errors(sent(b'{"note":"a","note":"b"}')) == ["/body/note"]
    assert await errors(sent(b'{"lines":[{"item_id":"a","item_id":"b"}]}')) == ["/body/lines/0/item_id"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf{}",
        b'{"note":"\\ud800"}',
        b'{"lines":[{"item_id":"a","count":NaN}]}',
        b'{"note":"\xff"}',
        b'{"lines":[{"count":' + b"9" * 5000 + b"}]}",
        b'{"note":' + b"[" * 100_000,
        b'{"ignored":' + b'{"a":' * 50 + b"1" + b"}" * 50 + b"}",
    ],
)
async def test_a_body_that_is_no_strict_json_is_malformed(body: bytes) -> None:
    """Never a 500, whatever it is that decodes later."""
    with pytest.raises(MalformedRequest):
        await sent(body, limits={"body_bytes": 1_000_000})


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"x"', b"true", b"[{}]"])
async def test_a_body_is_an_object(body: bytes) -> None:
    """Another JSON value is an error at the whole body."""
    assert await errors(sent(body)) == ["/body"]


async def test_unknown_properties_are_refused() -> None:
    """Mass assignment has nothing to hit."""
    assert await errors(sent({"isAdmin": True})) == ["/body/isAdmin"]


async def test_a_body_is_read_up_to_its_cap() -> None:
    """The reader is told the cap, and its problem goes on."""
    endpoint = calls.declared(order, writes=True)
    call = calls.call(endpoint, path={"team_id": "7"})
    asked: list[int] = []

    async def too_large(cap: int) -> bytes:
        asked.append(cap)
        raise ContentTooLarge

    call.raw.read_body = too_large
    with pytest.raises(ContentTooLarge):
        await calls.made(decode, endpoint, limits={"body_bytes": 10})(call)
    assert asked == [10]


async def test_what_only_the_type_itself_refuses_is_one_error() -> None:
    """A rule over two fields has no field of its own; the text of the team is not repeated."""
    assert await sent({"first": 1, "last": 2}, span) == Ordered(first=1, last=2)
    with pytest.raises(InvalidInput) as caught:
        await sent({"first": 2, "last": 1}, span)
    [error] = caught.value.errors
    assert (error.pointer, error.detail) == ("/body", "It must be an object Ordered.")


async def test_the_decoder_has_the_last_word() -> None:
    """Where the slow pass finds nothing although the decoder refused, there is still one error."""
    Counted.seen = 0
    assert await errors(sent({"x": 1}, count)) == ["/body"]


class Counted(Input):
    """Refuses the first time, as no real type should."""

    seen = 0
    x: int

    def __post_init__(self) -> None:
        Counted.seen += 1
        if Counted.seen == 1:
            raise ValueError


Counted.__annotations__.pop("seen", None)


async def count(body: Counted) -> calls.Team:
    """Handle one call."""


async def test_a_body_that_contains_itself_is_bounded_by_the_depth() -> None:
    """A type without an end has one here."""
    deep: Any = None
    for _ in range(31):
        deep = {"inner": deep}
    assert isinstance(await sent(deep, nest), Nested)
    with pytest.raises(MalformedRequest):
        await sent({"inner": {"inner": deep}}, nest)


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "1E+999999"])
async def test_a_decimal_is_a_number(amount: str) -> None:
    """It may come as text, and texts can spell what no handler expects."""
    sending = sent({"price": {"amount": amount, "currency": "EUR"}})
    with pytest.raises(InvalidInput) as caught:
        await sending
    assert "/body/price/amount" in [error.pointer for error in caught.value.errors]


async def test_a_sound_decimal_is_exact() -> None:
    """As text and as number."""
    for amount in ("12.50", 12.5):
        made = await sent({"price": {"amount": amount, "currency": "EUR"}}, cheap)
        assert made.price.amount == Decimal("12.50")


class Priced(Input):
    price: Sum


async def cheap(body: Priced) -> calls.Team:
    """Handle one call."""


# --- ids in path and body -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "function"), [({"team_id": 8}, order), ({"team_id": 8, "note": "x"}, order), ({"team_id": 8}, rename)]
)
async def test_an_id_in_the_body_is_the_one_in_the_path(body: Any, function: Any) -> None:
    """A guard looks at the path, so the handler must not be led elsewhere."""
    assert await errors(sent(body, function)) == ["/body/team_id"]


@pytest.mark.parametrize(
    ("body", "function"), [({"team_id": 7}, order), ({}, order), ({"team_id": None}, order), ({}, rename)]
)
async def test_an_id_in_the_body_may_be_the_same_or_left_out(body: Any, function: Any) -> None:
    """What is left out names no other object."""
    await sent(body, function)


async def test_a_path_that_does_not_hold_differs_from_every_body() -> None:
    """The body is compared with a value, never with a text."""
    endpoint = calls.declared(order, writes=True)
    call = calls.call(endpoint, path={"team_id": "07"}, body=b'{"team_id":7}')
    assert "/path/team_id" in await errors(calls.made(decode, endpoint)(call))


# --- what holds for every value -------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(-2, 60) | st.floats(-2, 60) | st.sampled_from(["", "a", "a b", "1.5"])
KEYS = st.sampled_from(["note", "lines", "team_id", "price", "item_id", "count", "amount", "currency", "odd"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
ORDER = calls.declared(order, "/orders/{team_id}", writes=True)
STEP = decode.prepare(calls.preparing(ORDER))


@given(VALUES)
async def test_a_body_is_taken_exactly_if_its_type_takes_it(value: Any) -> None:
    """Decoding adds no error and hides none, but for an id that differs from the path."""
    body = msgspec.json.encode(value)
    call = calls.call(ORDER, path={"team_id": "7"}, body=body)
    try:
        expected = msgspec.json.decode(body, type=NewOrder)
    except msgspec.ValidationError:
        expected = None
    if expected is None or expected.team_id not in (None, 7):
        assert await errors(STEP(call)) != []
    else:
        await STEP(call)
        assert call.arguments["body"] == expected
