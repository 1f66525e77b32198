from typing import Any

import msgspec

from narrows import Answer, Id, Narrow, NumberId, ShortText, Upstream, read, write
from narrows.pipeline import decide
from tests.unit.pipeline import calls


class Booking(Narrow):
    id: Id
    team_id: NumberId


class Directory(Upstream):
    """Bookings of teams."""

    @read("/bookings/{booking_id}", asks="a")
    def booking(self, booking_id: Id, expand: ShortText | None = None) -> Answer[Booking]: ...

    @read("/days/{day}", asks="a")
    def day(self, day: Id) -> Answer[Booking]: ...

    @read("/names", asks="a")
    def names(self) -> Answer[list[ShortText]]: ...

    @write("/bookings/{booking_id}", asks="a")
    def book(self, booking_id: Id) -> Answer[Booking]: ...

    @read("/odd/{booking_id}", asks="a")
    def odd(self, booking_id) -> Answer[Booking]: ...


async def plain(booking_id: Id) -> Booking:
    """Handle one call."""


async def with_it(booking: Booking) -> Booking:
    """Handle one call."""


async def mistyped(booking: calls.Team) -> Booking:
    """Handle one call."""


def codes(function: Any, operation: Any, **guards: Any) -> list[str]:
    """Why an endpoint with this read in `given` does not start."""
    endpoint = calls.declared(
        function,
        "/bookings/{booking_id}",
        **{"given": {"booking": operation}, "within": "team:{booking.team_id}", **guards},
    )
    return calls.refused(decide, endpoint)


def test_a_sound_read_starts() -> None:
    """Its arguments are the endpoint's own by name; what it does not need is left out."""
    assert codes(with_it, Directory.booking) == []
    assert codes(plain, Directory.booking) == []


async def test_only_what_is_needed_is_sent() -> None:
    """A parameter with a default is the operation's own business."""
    endpoint = calls.declared(
        with_it, "/bookings/{booking_id}", given={"booking": Directory.booking}, within="team:{booking.team_id}"
    )
    performer = calls.Performing({Directory.booking: Booking(id="b", team_id=7)})
    await calls.made(decide, endpoint)(calls.call(endpoint, performer=performer, arguments={"booking_id": "b"}))
    assert performer.asked == [("Directory.booking", {"booking_id": "b"})]


def test_a_write_is_no_guard() -> None:
    """Whoever is denied has had no effect."""
    assert "guard-writes" in codes(with_it, Directory.book)


def test_a_read_whose_argument_is_not_there_is_refused() -> None:
    """It could not be asked."""
    assert "guard-argument" in codes(plain, Directory.day)


def test_a_handler_that_expects_another_type_is_refused() -> None:
    """It would be given what it does not know."""
    assert "given-type" in codes(mistyped, Directory.booking)


def test_a_read_whose_signature_is_refused_elsewhere_needs_nothing() -> None:
    """One fault is reported once."""
    assert "guard-argument" not in codes(plain, Directory.odd)


def test_the_name_of_a_type_without_name_is_told() -> None:
    """Lists have no name of their own."""

    async def listed(names: calls.Team, booking_id: Id) -> Booking: ...

    endpoint = calls.declared(
        listed, "/bookings/{booking_id}", given={"names": Directory.names}, within="team:{booking_id}"
    )
    ready = calls.preparing(endpoint)
    decide.prepare(ready)
    [refusal] = ready.refusals
    assert refusal.code == "given-type"
    assert refusal.remedy.startswith("annotate it `names: list")


def test_an_operation_that_is_not_ready_is_judged_where_it_is_made_ready() -> None:
    """Without settings for its upstream nothing is known of its answer."""
    given = {"booking": Directory.booking}
    ready = calls.preparing(calls.declared(with_it, "/bookings/{booking_id}", given=given, within="t:1"))
    ready.ground = msgspec.structs.replace(ready.ground, sendables={})
    decide.prepare(ready)
    assert "given-type" not in [refusal.code for refusal in ready.refusals]
