from datetime import UTC, datetime
from typing import Any

import pytest

from narrows import Answer, Caller, Id, Input, Narrow, NumberId, ShortText, Upstream, read
from narrows.errors import Forbidden
from narrows.pipeline import decide
from narrows.testing import Clock
from tests.unit.pipeline import calls


class Booking(Narrow):
    team_id: NumberId
    starts_at: datetime


class Directory(Upstream):
    """Bookings of teams."""

    @read("/bookings/{booking_id}", asks="a")
    def booking(self, booking_id: Id) -> Answer[Booking]: ...


class Change(Input, rename="camel"):
    new_note: ShortText


SEEN: dict[str, Any] = {}


def seen(**values: Any) -> bool:
    """Note what a rule was given."""
    SEEN.update(values)
    return True


def everything(
    caller: Caller,
    now: datetime,
    booking: Booking,
    booking_id: Id,
    change: Change,
    newNote: str,  # noqa: N803 - JSON
) -> bool:
    """A rule over all that a rule can see."""
    return seen(caller=caller, now=now, booking=booking, booking_id=booking_id, change=change, note=newNote)


def nothing() -> bool:
    """A rule that always holds."""
    return True


def never() -> bool:
    """A rule that never holds."""
    return False


def odd() -> Any:
    """A rule that answers something true that is not True."""
    return "yes"


def failing() -> bool:
    """A rule that fails."""
    raise LookupError("a rule of the team")


def wants_more(seats: int) -> bool:
    """A rule over what is not there."""
    return seats > 1


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


async def change_booking(booking: Booking, booking_id: Id, change: Change) -> calls.Team:
    """Handle one call."""


def declared(*when: Any) -> Any:
    """An endpoint with these rules."""
    return calls.declared(team, within="team:{team_id}", when=list(when))


async def decided(*when: Any) -> Any:
    """A call that holds the role, after the rules."""
    endpoint = declared(*when)
    call = calls.call(endpoint, arguments={"team_id": 7})
    await calls.made(decide, endpoint)(call)
    return call


async def test_a_rule_is_given_what_it_names() -> None:
    """The caller, the time of the call, what was read, a path value, the body and a field of it."""
    endpoint = calls.declared(
        change_booking,
        "/bookings/{booking_id}",
        writes=True,
        given={"booking": Directory.booking},
        within="team:{booking.team_id}",
        when=[everything],
    )
    booking, body = Booking(team_id=7, starts_at=datetime(2026, 1, 1, tzinfo=UTC)), Change(new_note="n")
    performer, clock = calls.Performing({Directory.booking: booking}), Clock()
    call = calls.call(endpoint, performer=performer, clock=clock, arguments={"booking_id": "b", "change": body})
    clock.move(5)
    await calls.made(decide, endpoint)(call)
    assert {
        "caller": call.caller,
        "now": datetime.fromtimestamp(call.started, UTC),
        "booking": booking,
        "booking_id": "b",
        "change": body,
        "note": "n",
    } == SEEN


async def test_rules_that_hold_leave_the_role_as_the_rule_that_decided() -> None:
    """They only take away."""
    call = await decided(nothing, nothing)
    assert call.rule.startswith("role:member in team:7")


@pytest.mark.parametrize("rule", [never, odd])
async def test_a_rule_that_does_not_say_true_denies(rule: Any) -> None:
    """It is named to the caller, who holds the role, and in the record; something like True is not enough."""
    endpoint = declared(nothing, rule)
    call = calls.call(endpoint, arguments={"team_id": 7})
    with pytest.raises(Forbidden) as caught:
        await calls.made(decide, endpoint)(call)
    assert caught.value.detail == f"The rule {rule.__name__!r} does not hold."
    assert call.rule == f"when:{rule.__name__}"


def of_booking(booking: Booking) -> bool:
    """A rule over what was read, which does not hold."""
    return booking.team_id == 0


async def test_in_the_sandbox_a_rule_judges_nothing_that_was_made_up() -> None:
    """Whether it holds for a made-up object is chance; elsewhere it decides."""
    endpoint = calls.declared(
        change_booking,
        "/bookings/{booking_id}",
        writes=True,
        given={"booking": Directory.booking},
        within="team:{booking.team_id}",
        when=[of_booking],
    )
    step = calls.made(decide, endpoint)
    performer = calls.Performing({Directory.booking: Booking(team_id=7, starts_at=datetime(2026, 1, 1, tzinfo=UTC))})
    await step(calls.call(endpoint, mode="sandbox", performer=performer, arguments={"booking_id": "b"}))
    with pytest.raises(Forbidden):
        await step(calls.call(endpoint, mode="rehearse", performer=performer, arguments={"booking_id": "b"}))


async def test_a_rule_that_fails_lets_nobody_in() -> None:
    """The fault goes on as it is, and ends the call."""
    with pytest.raises(LookupError):
        await decided(failing)


async def test_rules_are_not_asked_about_strangers() -> None:
    """Who lacks the role learns nothing of the rules."""
    endpoint = declared(failing)
    call = calls.call(endpoint, arguments={"team_id": 8})
    with pytest.raises(Forbidden):
        await calls.made(decide, endpoint)(call)


def test_a_rule_over_what_is_not_there_does_not_start() -> None:
    """It could never be asked."""
    assert calls.refused(decide, declared(wants_more)) == ["rule-argument"]
