import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from narrows import Answer, Bff, Id, Narrow, Upstream, read
from narrows.call import (
    NOTHING,
    Allowance,
    Call,
    Caller,
    Hidden,
    Raw,
)
from narrows.current import current, current_call
from narrows.declare.types import Money
from narrows.errors import OperationRefused, Problem
from narrows.gathering import gather


class Team(Narrow):
    """A team."""

    id: Id


class People(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="profiles:read")
    def team(self, team_id: Id) -> Answer[Team]: ...


class Gone(Problem):
    """It is not there any more."""

    status = 410
    title = "It is gone"


class Performing:
    """Performs operations by noting them."""

    def __init__(self):
        self.performed = []

    async def perform(self, call, operation, args, kwargs):
        self.performed.append((call, operation, args, kwargs))
        return Team(id="a")


async def menu() -> None:
    """What there is."""


async def no_body(cap: int) -> bytes:
    """No body."""
    return b""


def made(performer=None, **raw) -> Call:
    """A call of a made-up endpoint at a known time."""
    bff = Bff("lunch")
    bff.read("/menu")(menu)
    return Call(bff.endpoints[0], "live", Raw(read_body=no_body, **raw), way="rest", span=None,
                now_s=lambda: 1_764_000_000.5, performer=performer or Performing())  # fmt: skip


def test_a_call_begins_with_nothing():
    """Steps write what later steps read; nothing is shared between calls."""
    call, other = made(), made()
    assert (call.caller, call.connector, call.credential, call.reply, call.price) == (None,) * 5
    assert call.allowance is NOTHING
    assert call.open
    call.arguments["a"] = 1
    call.effects.append(None)
    assert (other.arguments, other.effects) == ({}, [])


def test_the_time_of_a_call_stands_still():
    """Whenever it is asked, in UTC."""
    call = made()
    assert call.now() == datetime(2025, 11, 24, 16, 0, 0, 500_000, tzinfo=UTC)
    assert call.now() == call.now()


def test_prices_are_counted():
    """What costs nothing changes nothing."""
    call = made()
    call.spend(None)
    assert call.price is None
    call.spend(Money.parse("0.05 EUR"))
    call.spend(Money.parse("0.10 EUR"))
    call.spend(None)
    assert call.price == Money.parse("0.15 EUR")


def test_a_call_shows_which_endpoint_it_is_of():
    """And nothing of the request."""
    assert repr(made(headers={"authorization": ["Bearer hidden"]})) == "Call(lunch.menu, live, rest)"


def test_a_request_does_not_print_its_headers():
    """They hold the caller's token."""
    assert repr(made(headers={"authorization": ["Bearer hidden"]}).raw) == "Raw(1 headers)"


async def test_an_operation_is_sent_for_the_current_call():
    """Its arguments come with it, by place and by name."""
    performer = Performing()
    call = made(performer)
    token = current.set(call)
    try:
        assert await People.team("a") == Team(id="a")
        await People.team(team_id="b")
    finally:
        current.reset(token)
    assert performer.performed == [
        (call, People.team, ("a",), {}),
        (call, People.team, (), {"team_id": "b"}),
    ]


async def test_what_an_operation_ends_in_is_kept():
    """So that a handler may pass on a problem of its operation, and no other."""
    problem = Gone()

    class Failing:
        """Fails every operation."""

        async def perform(self, *_):
            raise problem

    call = made(Failing())
    with pytest.raises(Gone):
        await call.perform(People.team, ("a",), {})
    assert call.raised == [problem]


async def test_an_operation_is_refused_after_its_call():
    """A task that outlives its call sends nothing."""
    call = made()
    token = current.set(call)
    try:
        assert current_call("People.team") is call
        call.open = False
        with pytest.raises(OperationRefused, match=r"People\.team was used after its call had ended"):
            People.team("a")
    finally:
        current.reset(token)


def test_an_operation_is_refused_outside_a_call():
    """There is nobody on whose behalf it could be sent."""
    with pytest.raises(OperationRefused, match=r"People\.team was used outside a call"):
        current_call("People.team")


@pytest.mark.parametrize(
    ("headers", "value"),
    [({"a": ["1"]}, "1"), ({"a": ["1", "2"]}, None), ({}, None), ({"a": []}, None)],
)
def test_a_header_counts_when_it_came_once(headers, value):
    """Two values are none: nobody knows which one is meant."""
    assert made(headers=headers).raw.header("a") == value


def test_what_is_hidden_shows_its_type_alone():
    """And no key that says nothing."""
    assert msgspec.to_builtins(Hidden(type="str")) == {"type": "str"}
    assert msgspec.to_builtins(Hidden(type="str", digest="d", stand_in=True)) == {
        "type": "str",
        "digest": "d",
        "stand_in": True,
    }


def test_a_caller_is_a_value():
    """It cannot be changed by a handler."""
    caller = Caller(issuer="corp", subject="anna", kind="person")
    assert caller == Caller(issuer="corp", subject="anna", kind="person", actors=())
    with pytest.raises(AttributeError):
        caller.subject = "ben"


def test_an_allowance_is_one_object():
    """It is made once at start, and compared by nobody."""
    assert Allowance({}, {}, {}) != Allowance({}, {}, {})


# --- gather ---------------------------------------------------------------------------------------------------------


async def give(value, *after):
    """A value, after others have had their turn."""
    for event in after:
        await event.wait()
    return value


async def fail(error):
    """Fail at once."""
    raise error


async def for_ever(cancelled):
    """Wait until cancelled, and say so."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        cancelled.append(True)
        raise


async def test_answers_come_in_the_order_asked():
    """Whichever is there first."""
    gate = asyncio.Event()

    async def open_gate():
        gate.set()
        return 2

    assert await gather(give(1, gate), open_gate()) == (1, 2)


@pytest.mark.parametrize("arity", range(6))
async def test_one_to_five_give_a_tuple(arity):
    """As many answers as were asked for."""
    assert await gather(*[give(n) for n in range(arity)]) == tuple(range(arity))


@pytest.mark.parametrize("kind", [list, tuple, iter])
async def test_an_iterable_gives_a_list(kind):
    """Also of none."""
    assert await gather(kind([give(1), give(2)])) == [1, 2]
    assert await gather(kind([])) == []


async def test_whatever_can_be_awaited_can_be_gathered():
    """A task or a future as well as an operation."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(2)
    assert await gather(asyncio.create_task(give(1)), future, give(3)) == (1, 2, 3)


async def test_a_failure_cancels_the_others_and_is_raised_alone():
    """No operation of a failed call goes on, and nobody has to unpack a group."""
    cancelled = []
    with pytest.raises(Gone):
        await gather(for_ever(cancelled), fail(Gone()))
    assert cancelled == [True]


async def test_a_declared_problem_goes_before_a_fault():
    """It says more to the client."""
    with pytest.raises(Gone):
        await gather(fail(RuntimeError("broken")), fail(Gone()))
    with pytest.raises(RuntimeError, match="one"):
        await gather(fail(RuntimeError("one")), fail(RuntimeError("two")))


async def test_being_cancelled_cancels_all():
    """The deadline of a call ends all that it has under way."""
    cancelled = []
    gathering = asyncio.create_task(gather(for_ever(cancelled), for_ever(cancelled)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gathering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering
    assert cancelled == [True, True]


async def test_what_cannot_be_awaited_is_an_error_of_the_handler():
    """It is raised as Python says it."""
    with pytest.raises(TypeError, match="await"):
        await gather([7])
