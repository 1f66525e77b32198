from typing import Any

import msgspec
import pytest

from narrows import (
    Answer,
    Call,
    Caller,
    Id,
    Input,
    Narrow,
    NumberId,
    PageSize,
    Problem,
    ShortText,
    Upstream,
    read,
    write,
)
from narrows.errors import Forbidden, InvalidInput, NotFound, Unavailable, UpstreamFailed
from narrows.pipeline import handle
from narrows.pipeline.handle import HandlerFault
from tests.unit.pipeline import calls


class Full(Problem):
    """No more fit in."""

    status = 409
    title = "The team is full"


class Closed(Full):
    """A kind of being full."""

    title = "The team is closed"


class Gone(Problem):
    """It is not there any more."""

    status = 404
    title = "It is gone"


class Booking(Narrow):
    id: Id


class Directory(Upstream):
    """Bookings."""

    @read("/bookings/{booking_id}", asks="a", problems={404: Gone})
    def booking(self, booking_id: Id) -> Answer[Booking]: ...

    @write("/bookings/{booking_id}", asks="a")
    def book(self, booking_id: Id) -> Answer[None]: ...


class Change(Input):
    note: ShortText


SEEN: dict[str, Any] = {}


async def everything(
    caller: Caller, call: Call, booking: Booking, team_id: NumberId, change: Change, limit: PageSize = 5
) -> calls.Team:
    """A handler over all that a handler can see."""
    SEEN.update(caller=caller, call=call, booking=booking, team_id=team_id, change=change, limit=limit)
    return calls.Team(id=team_id)


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


def failing(problem: Exception) -> Any:
    """A handler that ends in a problem of its own."""

    async def fails(team_id: NumberId) -> calls.Team:
        """Fail."""
        raise problem

    return fails


async def handled(function: Any, **how: Any) -> Call:
    """A call after the handler."""
    endpoint = calls.declared(function, within="team:{team_id}", **how)
    call = calls.call(endpoint, arguments={"team_id": 7})
    await calls.made(handle, endpoint)(call)
    return call


async def test_a_handler_is_given_what_its_parameters_name() -> None:
    """The caller, the call, what was read first, path, query and body."""
    endpoint = calls.declared(
        everything,
        "/teams/{team_id}/{booking_id}",
        writes=True,
        given={"booking": Directory.booking},
        within="team:{team_id}",
        unbound={"booking_id": "x"},
    )
    arguments = {"team_id": 7, "booking_id": "b", "change": Change(note="n"), "limit": 3}
    call = calls.call(endpoint, arguments=arguments)
    call.given["booking"] = Booking(id="b")
    await calls.made(handle, endpoint)(call)
    del arguments["booking_id"]  # only the read takes it
    assert {"caller": call.caller, "call": call, "booking": Booking(id="b"), **arguments} == SEEN
    assert call.answer == calls.Team(id=7)


# --- problems -------------------------------------------------------------------------------------------------------


async def test_a_declared_problem_goes_on() -> None:
    """It stands in the contract."""
    problem = Full("Team 7 is full.")
    with pytest.raises(Full) as caught:
        await handled(failing(problem), problems=[Full])
    assert caught.value is problem


async def test_a_problem_that_a_used_operation_declares_goes_on() -> None:
    """A handler may say itself that a booking is gone."""
    with pytest.raises(Gone):
        await handled(failing(Gone()), uses=[Directory.booking])


@pytest.mark.parametrize(
    "problem", [Full("52000"), Gone("52000"), Closed("52000"), Forbidden("52000"), NotFound(), Unavailable()]
)
async def test_another_problem_is_a_fault(problem: Problem) -> None:
    """The contract does not have it, so what it says may be meant for nobody outside."""
    declared = [Full] if isinstance(problem, Closed) else []
    with pytest.raises(HandlerFault) as caught:
        await handled(failing(problem), problems=declared)
    assert str(caught.value) == (
        f"{type(problem).__name__} is not in the `problems` of lunch.fails, and no operation raised it"
    )
    assert caught.value.__cause__ is problem


@pytest.mark.parametrize("problem", [UpstreamFailed(), Unavailable(), InvalidInput(), Forbidden(), Gone()])
async def test_what_an_operation_ends_in_goes_on(problem: Problem) -> None:
    """Narrows' own problems come out of operations, and mean what they say."""

    async def asks(call: Call, team_id: NumberId) -> calls.Team:
        """Ask an operation."""
        return await call.perform(Directory.booking, ("b",), {})

    endpoint = calls.declared(asks, within="team:{team_id}")
    call = calls.call(endpoint, arguments={"team_id": 7}, performer=calls.Performing({Directory.booking: problem}))
    with pytest.raises(type(problem)) as caught:
        await calls.made(handle, endpoint)(call)
    assert caught.value is problem


async def test_a_problem_like_that_of_an_operation_is_still_the_handlers_own() -> None:
    """A handler cannot borrow a kind of problem by having seen one."""

    async def asks(call: Call, team_id: NumberId) -> calls.Team:
        """Ask an operation, and fail with another problem of its kind."""
        try:
            await call.perform(Directory.booking, ("b",), {})
        except Unavailable:
            raise Unavailable("52000") from None

    endpoint = calls.declared(asks, within="team:{team_id}")
    performer = calls.Performing({Directory.booking: Unavailable()})
    with pytest.raises(HandlerFault):
        await calls.made(handle, endpoint)(calls.call(endpoint, arguments={"team_id": 7}, performer=performer))


async def test_other_faults_go_on_as_they_are() -> None:
    """They end the call as a 500."""
    with pytest.raises(LookupError):
        await handled(failing(LookupError()))


async def test_a_handler_that_leaves_a_write_behind_fails() -> None:
    """Nobody may read of a success while the write that it is about is on its way."""

    async def leaves(call: Call, team_id: NumberId) -> calls.Team:
        """Answer while a write runs."""
        call.in_flight += 1
        return calls.Team(id=team_id)

    with pytest.raises(HandlerFault, match="still on its way"):
        await handled(leaves)


async def test_a_forgotten_await_is_told_in_words() -> None:
    """The operators read which handler answers a coroutine, and what to write."""

    async def soon() -> calls.Team:
        """Never run: nobody awaits it."""
        raise AssertionError

    async def forgets(call: Call, team_id: NumberId) -> calls.Team:
        """Answer what was not awaited."""
        return soon()  # type: ignore[return-value]  # the mistake that is tried

    with pytest.raises(HandlerFault, match=r"test_handle\.py:\d+\) answered a coroutine: write `return await"):
        await handled(forgets)


# --- the start ------------------------------------------------------------------------------------------------------


def test_an_endpoint_without_uses_does_not_start() -> None:
    """`uses` is the data flow that reviewers read."""
    assert calls.refused(handle, calls.declared(team, uses=None)) == ["uses-missing"]


def test_a_read_that_uses_a_write_does_not_start() -> None:
    """A read has no effect, ever."""
    assert calls.refused(handle, calls.declared(team, uses=[Directory.book, Directory.booking])) == ["read-uses-write"]
    assert calls.refused(handle, calls.declared(team, writes=True, uses=[Directory.book])) == []


def test_narrows_own_use_nothing() -> None:
    """They reach no upstream."""
    owned = msgspec.structs.replace(calls.declared(team, uses=None), owned=True)
    assert calls.refused(handle, owned) == []
