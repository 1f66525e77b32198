import re
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from msgspec import Meta

from narrows import Answer, Id, Input, Narrow, NumberId, ShortText, Upstream, read, write
from narrows.call import Call, Effect, Hidden
from narrows.declare.types import PREVIEW
from narrows.errors import InvalidInput, OperationRefused
from narrows.settings import UpstreamSettings
from narrows.stores.sealing import Sealer
from narrows.upstreams.rehearse import Rehearser
from narrows.upstreams.sandbox import Sandbox, Synthetic
from narrows.upstreams.send import Sender
from narrows.upstreams.sendable import Sendable
from narrows.upstreams.wire import ReadWire
from tests.unit.pipeline import calls
from tests.unit.upstreams.sending import BOOKING, OPERATIONS, Booking, NewBooking, Tables, Upstreams


class Order(Narrow):
    id: NumberId
    total: float = 0.0
    paid: bool = False


class Line(Input):
    item_id: Id
    note: Annotated[ShortText, Meta(extra=PREVIEW)] = "n"


class NewOrder(Input):
    booking_id: Id
    team_id: NumberId
    lines: list[Line] = []  # noqa: RUF012 - msgspec copies it
    share: float = 0.5
    rush: bool = False
    coupon: ShortText | None = None


def made_order(order: NewOrder) -> dict[str, Any]:
    """What the kitchen would answer."""
    return {"id": order.team_id + 1000, "total": 12.5}


class Kitchen(Upstream):
    """Orders."""

    @write("/orders", asks="orders:write", price="1 EUR", stand_in=made_order)
    def order(self, order: NewOrder) -> Answer[Order]: ...

    @read("/orders/{order_id}", asks="orders:read")
    def look(self, order_id: NumberId) -> Answer[Order]: ...

    @write("/orders/{order_id}", method="DELETE", asks="orders:write")
    def drop(self, order_id: NumberId) -> Answer[None]: ...


SEALER = Sealer(b"k" * 32, purpose="rehearse")
ALL = (*OPERATIONS, Kitchen.order, Kitchen.look, Kitchen.drop)


class Dry:
    """Upstreams, and what rehearses on them."""

    def __init__(self, handler: Any = lambda _: BOOKING) -> None:
        self.live = Upstreams(handler)
        self.slept: list[float] = []
        self.sendables = dict(self.live.sendables)
        settings = UpstreamSettings(url="https://kitchen.test", audience="kitchen-api")
        for operation in (Kitchen.order, Kitchen.look, Kitchen.drop):
            self.sendables[operation] = Sendable.prepare(operation, "tables", settings)
        self.synthetic = Synthetic(SEALER.digest)
        wires = {"tables": ReadWire(self.live.wire)}
        reading = Sender(self.sendables, wires, self.live.tokens, self.live.programs, self.live.clock)
        self.reading = reading
        self.rehearser = Rehearser(reading, self.sendables, self.synthetic, SEALER.digest)
        self.sandbox = Sandbox(self.sendables, self.synthetic, SEALER.digest, self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.slept.append(seconds)

    def call(self, *, sandbox: bool = False, **how: Any) -> Call:
        """A rehearsed call that may use everything ten times."""
        performer = self.sandbox if sandbox else self.rehearser
        uses = [operation.times(10) for operation in ALL]
        return self.live.call(*uses, mode="sandbox" if sandbox else "rehearse", performer=performer, **how)


# --- rehearse -------------------------------------------------------------------------------------------------------


async def test_a_read_is_real() -> None:
    """It goes upstream with the caller's rights, and costs what it costs."""
    dry = Dry()
    call = dry.call()
    assert await call.perform(Tables.booking, ("b1",), {}) == Booking(id="b1", team_id=7, note="n")
    assert len(dry.live.requests) == 1
    assert str(call.price) == "0.01 EUR"
    assert (call.effects, call.stand_ins) == ([], set())


async def test_a_write_becomes_an_effect() -> None:
    """It is not sent, asks for no scope and costs nothing; its answer is of its type and echoes what was sent."""
    dry = Dry()
    call = dry.call(arguments={"body": NewBooking(team_id=7)})
    made = await call.perform(Tables.book, (NewBooking(team_id=7),), {})
    assert isinstance(made, Booking)
    assert (made.team_id, made.note) == (7, "n")
    assert dry.live.requests == []
    assert (call.price, call.sent, call.scopes_asked) == (None, [], set())
    assert call.effects == [
        Effect(
            operation="Tables.book",
            method="POST",
            path="/bookings",
            asks="bookings:write",
            arguments={"/booking/team_id": 7, "/booking/note": "n"},
            price="0.05 EUR",
        )
    ]


async def test_a_write_that_answers_nothing_is_an_effect_too() -> None:
    """Its path is the template, and what stands in it an argument."""
    dry = Dry()
    call = dry.call(arguments={"booking_id": "b1"})
    assert await call.perform(Tables.cancel, ("b1",), {}) is None
    [effect] = call.effects
    assert (effect.method, effect.path, effect.arguments, effect.price) == (
        "DELETE",
        "/bookings/{booking_id}",
        {"/booking_id": "b1"},
        None,
    )


@pytest.mark.parametrize("sandbox", [False, True])
async def test_an_effect_shows_what_the_client_sent_and_hides_the_rest(sandbox: bool) -> None:
    """An upstream's value stands there as its type and a digest, unless it is marked for preview."""
    dry = Dry()
    call = dry.call(sandbox=sandbox, arguments={"team_id": 7, "note": "mine"})
    order = NewOrder(
        booking_id="secret-booking", team_id=7, lines=[Line(item_id="item-1", note="seen"), Line(item_id="i2")]
    )
    await call.perform(Kitchen.order, (order,), {})
    [effect] = call.effects
    shown = effect.arguments
    assert shown["/order/team_id"] == 7
    assert shown["/order/lines/0/note"] == "seen"
    assert shown["/order/lines/1/note"] == "n"
    assert shown["/order/coupon"] is None
    hidden = {pointer: value for pointer, value in shown.items() if isinstance(value, Hidden)}
    assert {pointer: value.type for pointer, value in hidden.items()} == {
        "/order/booking_id": "string",
        "/order/lines/0/item_id": "string",
        "/order/lines/1/item_id": "string",
        "/order/share": "number",
        "/order/rush": "boolean",
    }
    assert all(re.fullmatch("[0-9a-f]{16}", value.digest or "") for value in hidden.values())
    assert "secret" not in msgspec.json.encode(effect).decode()


async def test_a_guess_under_another_name_confirms_nothing() -> None:
    """A client that sends what it believes an upstream holds does not see in the effect whether it was right."""
    dry = Dry()
    call = dry.call(arguments={"note": "secret-booking"})
    await call.perform(Kitchen.order, (NewOrder(booking_id="secret-booking", team_id=7),), {})
    assert isinstance(call.effects[0].arguments["/order/booking_id"], Hidden)


async def test_equal_hidden_values_have_equal_digests() -> None:
    """Two can be told apart, and nothing else."""
    dry = Dry()
    call = dry.call()
    for name in ("x1", "x1", "x2"):
        await call.perform(Kitchen.order, (NewOrder(booking_id=name, team_id=7),), {})
    first, second, third = (effect.arguments["/order/booking_id"] for effect in call.effects)
    assert first == second != third


async def test_one_and_true_are_not_taken_for_each_other() -> None:
    """A value that the client sent is of the same type."""
    dry = Dry()
    call = dry.call(arguments={"order_id": True})
    await call.perform(Kitchen.drop, (1,), {})
    assert isinstance(call.effects[0].arguments["/order_id"], Hidden)


async def test_a_value_that_could_not_be_sent_is_refused_in_a_rehearsal_too() -> None:
    """What rehearses well must not fail live."""
    dry = Dry()
    call = dry.call()
    with pytest.raises(InvalidInput):
        await call.perform(Tables.cancel, ("..",), {})
    assert call.effects == []


@pytest.mark.parametrize("sandbox", [False, True])
async def test_counts_hold_in_a_rehearsal(sandbox: bool) -> None:
    """A rehearsal is no way to do more."""
    dry = Dry()
    call = dry.live.call(Tables.cancel, mode="rehearse", performer=dry.sandbox if sandbox else dry.rehearser)
    await call.perform(Tables.cancel, ("b1",), {})
    with pytest.raises(OperationRefused):
        await call.perform(Tables.cancel, ("b1",), {})
    call.open = False
    with pytest.raises(OperationRefused):
        await call.perform(Tables.booking, ("b1",), {})


async def test_nothing_that_a_rehearsal_is_given_can_send_a_write() -> None:
    """Its sender, asked directly, finds no way out."""
    dry = Dry()
    call = dry.call()
    with pytest.raises(OperationRefused, match="no way to send it"):
        await dry.reading.perform(call, Tables.cancel, ("b1",), {})
    assert dry.live.requests == []


# --- stand-ins ------------------------------------------------------------------------------------------------------


async def test_an_operation_with_a_stand_in_is_never_sent() -> None:
    """The id that the write would have given is no real one; the read is answered by the sandbox, and noted."""
    dry = Dry()
    call = dry.call()
    made = await call.perform(Tables.book, (NewBooking(team_id=7),), {})
    again = await call.perform(Tables.booking, (made.id,), {})
    assert isinstance(again, Booking)
    assert dry.live.requests == []
    assert call.notes == ["Tables.booking was answered by the sandbox: an argument is a stand-in"]


async def test_a_stand_in_of_a_stand_in_is_tracked_too() -> None:
    """What the sandbox answered is as little real."""
    dry = Dry()
    call = dry.call()
    made = await call.perform(Tables.book, (NewBooking(team_id=7),), {})
    second = await call.perform(Tables.booking, (made.id,), {})
    await call.perform(Tables.of_team, (second.team_id,), {})
    assert dry.live.requests == []
    assert len(call.notes) == 2


async def test_a_stand_in_in_a_later_effect_is_marked() -> None:
    """Live it will be the real value."""
    dry = Dry()
    call = dry.call()
    made = await call.perform(Tables.book, (NewBooking(team_id=7),), {})
    await call.perform(Tables.cancel, (made.id,), {})
    assert call.effects[1].arguments == {"/booking_id": Hidden(type="string", stand_in=True)}


async def test_a_team_can_make_better_stand_ins() -> None:
    """They are checked against the type, and tracked like others."""
    dry = Dry()
    call = dry.call(arguments={"team_id": 7})
    made = await call.perform(Kitchen.order, (NewOrder(booking_id="b1", team_id=7),), {})
    assert made == Order(id=1007, total=12.5)
    await call.perform(Kitchen.look, (made.id,), {})
    assert dry.live.requests == []
    await call.perform(Kitchen.drop, (made.id,), {})
    assert call.effects[1].arguments == {"/order_id": Hidden(type="integer", stand_in=True)}


async def test_a_stand_in_that_breaks_its_type_is_a_fault() -> None:
    """A rehearsal answers what the live call could answer."""
    dry = Dry()
    with pytest.raises(msgspec.ValidationError):
        await dry.call().perform(Kitchen.order, (NewOrder(booking_id="b1", team_id=-1001),), {})


async def test_a_real_id_is_read_for_real() -> None:
    """Only what was made up is kept from the upstream."""
    dry = Dry()
    call = dry.call()
    await call.perform(Tables.book, (NewBooking(team_id=7),), {})
    await call.perform(Tables.booking, ("b1",), {})
    assert len(dry.live.requests) == 1


# --- the sandbox ----------------------------------------------------------------------------------------------------


async def test_the_sandbox_calls_nobody() -> None:
    """Neither an upstream nor the authorization server."""

    def fail(_: httpx.Request) -> Any:
        raise AssertionError("the sandbox sends nothing")

    dry = Dry(fail)
    call = dry.call(sandbox=True)
    assert isinstance(await call.perform(Tables.booking, ("b1",), {}), Booking)
    assert all(isinstance(one, Booking) for one in await call.perform(Tables.of_team, (7,), {}))
    await call.perform(Tables.cancel, ("b1",), {})
    assert (dry.live.requests, dry.live.tokens.asked, call.scopes_asked, call.price) == ([], [], set(), None)
    assert [effect.operation for effect in call.effects] == ["Tables.cancel"]


async def test_the_sandbox_answers_the_same_to_the_same_question() -> None:
    """For one caller with one program; others see other data, so that nobody learns of another's sandbox."""
    dry = Dry()

    async def answer(*args: Any, **how: Any) -> Any:
        return await dry.call(sandbox=True, **how).perform(Tables.of_team, args, {})

    first = await answer(7)
    assert first == await answer(7)
    assert first != await answer(8)
    assert first != await answer(7, known=calls.credential(subject="bert"))
    assert first != await answer(7, program=calls.connector(id="page"))
    assert await answer(7, anonymous=True) == await answer(7, anonymous=True)


async def test_the_sandbox_echoes_what_was_asked_for() -> None:
    """A booking that is asked for by its id has that id."""
    dry = Dry()
    call = dry.call(sandbox=True)
    assert (await call.perform(Kitchen.look, (7,), {})).id != 0
    listed = await call.perform(Tables.of_team, (7,), {})
    assert {one.team_id for one in listed} == {7}
