"""Arguments of a field are taken as strictly as those of the same endpoint by REST."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from narrows import Caller, Id, Input, Latitude, Moment, NumberId, ShortText
from narrows.call import Call
from narrows.declare.types import ID
from narrows.errors import InvalidInput
from narrows.pipeline import decode, resolve
from tests.unit.pipeline import calls

Uuid = Annotated[uuid.UUID, Meta(extra=ID)]


class Line(Input):
    """A line of an order."""

    amount: Decimal | None = None
    note: ShortText = "-"


class Order(Input):
    """An order."""

    team_id: NumberId | None = None
    lines: Annotated[list[Line], Meta(max_length=2)] = msgspec.field(default_factory=list)


async def read(
    team_id: NumberId,
    name: Id = "x",
    lat: Latitude | None = None,
    at: Moment | None = None,
    most: Annotated[int, Meta(ge=1, le=50)] = 10,
    strict: bool = False,
    these: Annotated[set[NumberId], Meta(max_length=3)] | None = None,
) -> calls.Team:
    """Read."""


async def order(team_id: NumberId, wanted: Order, caller: Caller, call: Call) -> calls.Team:
    """Write."""


async def exact(thing_id: Uuid, day: datetime.date | None = None) -> calls.Team:
    """Take an id that can be spelt in two ways."""


READ, ORDER = calls.declared(read), calls.declared(order, writes=True)
EXACT = calls.declared(exact, "/things/{thing_id}")


async def resolved(endpoint: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a field's arguments become."""
    call = calls.call(endpoint, arguments=arguments)
    await calls.made(resolve, endpoint)(call)
    assert call.decoded
    return call.arguments


async def faults(endpoint: Any, arguments: dict[str, Any]) -> list[str]:
    """The pointers of all that does not hold."""
    call = calls.call(endpoint, arguments=arguments)
    with pytest.raises(InvalidInput) as caught:
        await calls.made(resolve, endpoint)(call)
    assert not call.decoded
    return [error.pointer for error in caught.value.errors]


async def test_arguments_become_what_the_handler_gets() -> None:
    """Objects become their types, and what is left out its default."""
    assert await resolved(READ, {"team_id": 7, "these": [1, 2]}) == {
        "team_id": 7,
        "name": "x",
        "lat": None,
        "at": None,
        "most": 10,
        "strict": False,
        "these": {1, 2},
    }
    found = await resolved(ORDER, {"team_id": 7, "wanted": {"lines": [{"amount": "12.50"}]}})
    assert found["wanted"] == Order(lines=[Line(amount=Decimal("12.50"))])


async def test_a_value_that_has_its_type_already_stays_what_it_is() -> None:
    """Variables were decoded before: an object, which each field has for itself, a time and an exact number."""
    wanted, at = Order(team_id=7), datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)
    own = (await resolved(ORDER, {"team_id": 7, "wanted": wanted}))["wanted"]
    assert own == wanted
    assert own is not wanted
    assert (await resolved(READ, {"team_id": 7, "at": at}))["at"] == at
    assert (await resolved(EXACT, {"thing_id": uuid.UUID(int=7)}))["thing_id"] == uuid.UUID(int=7)


async def test_all_that_does_not_hold_is_named_at_once_by_field_and_argument() -> None:
    """A pointer leads to the field, its argument and the place in it; strangers are named too."""
    wanted = {"lines": [{"note": ""}, {"amount": "many"}], "odd": 1}
    assert sorted(await faults(ORDER, {"wanted": wanted, "stranger": 1})) == [
        "/order/stranger",
        "/order/team_id",
        "/order/wanted/lines/0/note",
        "/order/wanted/lines/1/amount",
        "/order/wanted/odd",
    ]


async def test_null_is_not_absent() -> None:
    """Null stands for nothing where nothing is the default, and is refused where a value is."""
    assert (await resolved(READ, {"team_id": 7, "lat": None}))["lat"] is None
    assert await faults(READ, {"team_id": None, "most": None}) == ["/read/team_id", "/read/most"]


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity", "1e9999"])
async def test_numbers_are_finite(odd: str) -> None:
    """A number that is none, or fills the memory once it is written out, is refused wherever it stands."""
    assert await faults(ORDER, {"team_id": 7, "wanted": {"lines": [{"amount": odd}]}}) == [
        "/order/wanted/lines/0/amount"
    ]
    assert await faults(READ, {"team_id": 7, "lat": float("nan")}) == ["/read/lat"]


async def test_an_id_in_the_body_is_that_of_the_path() -> None:
    """The guard decides about one id, so that the handler gets no second one."""
    assert await faults(ORDER, {"team_id": 7, "wanted": {"team_id": 8}}) == ["/order/wanted/team_id"]
    assert (await resolved(ORDER, {"team_id": 7, "wanted": {"team_id": 7}}))["wanted"].team_id == 7


async def test_an_id_is_spelt_as_it_would_be_written() -> None:
    """Another spelling of a literal is refused, as in a path; a date, which is no id, may have several."""
    written = "0193b5a2-1c7e-7c51-8a53-5d4e21a1f0aa"
    assert (await resolved(EXACT, {"thing_id": written, "day": "2026-11-25"}))["thing_id"] == uuid.UUID(written)
    assert await faults(EXACT, {"thing_id": written.upper()}) == ["/exact/thing_id"]
    assert await faults(EXACT, {"thing_id": written.replace("-", "")}) == ["/exact/thing_id"]


_NUMBERS = st.one_of(st.integers(-2, 60), st.sampled_from([2**53, 2**53 - 1, 2**70]))
_TEXTS = st.one_of(st.text(max_size=4), st.sampled_from(["x", "A_b-", "x\n", "07", " 7", "é", "a" * 64, "a" * 65]))


@given(
    team_id=_NUMBERS, name=_TEXTS, lat=st.one_of(_NUMBERS, st.floats(-200, 200)), most=_NUMBERS, strict=st.booleans()
)
async def test_what_rest_refuses_is_refused_and_what_it_takes_is_the_same(
    team_id: int, name: str, lat: float, most: int, strict: bool
) -> None:
    """For the same values, a field and the request by REST have one verdict, and the handler gets the same."""
    values: dict[str, Any] = {"team_id": team_id, "name": name, "lat": lat, "most": most, "strict": strict}
    query = [(key, _text(value)) for key, value in values.items() if key != "team_id"]
    rest, field = calls.call(READ, path={"team_id": str(team_id)}, query=query), calls.call(READ, arguments=values)
    assert await _verdict(decode, rest) == await _verdict(resolve, field)


async def _verdict(step: Any, call: Call) -> Any:
    try:
        await calls.made(step, READ)(call)
    except InvalidInput as refused:
        return {error.pointer.rpartition("/")[2] for error in refused.errors}
    return call.arguments


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def test_what_came_as_another_type_is_refused() -> None:
    """A literal `"7"` is no number, `7.0` no whole one, and 1 no truth value."""
    odd = {"team_id": "7", "most": 7.0, "strict": 1, "name": 7}
    assert await faults(READ, odd) == [f"/read/{name}" for name in ("team_id", "name", "most", "strict")]
