import asyncio
from typing import Any

import httpx
import pytest

from narrows.errors import OperationRefused
from narrows.testing import Clock
from narrows.transport import Failure
from narrows.upstreams.wire import BreakerOpen, LiveWire, ReadWire
from tests.unit.upstreams.sending import BOOKING, NewBooking, Tables, Upstreams

ARGUMENTS: dict[Any, dict[str, Any]] = {
    Tables.booking: {"booking_id": "b1"},
    Tables.of_team: {"team_id": 7},
    Tables.book: {"booking": NewBooking(team_id=7)},
    Tables.cancel: {"booking_id": "b1"},
}


class Answers:
    """Answers in turn; an error is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def __call__(self, request: httpx.Request) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def sent(upstreams: Upstreams, operation: Any, wire: Any = None, deadline_s: float = 5.0) -> int:
    """The status of one operation that is sent over a wire."""
    sendable = upstreams.sendables[operation]
    request = sendable.request(ARGUMENTS[operation], {})
    return (await (wire or upstreams.wire).send(sendable, request, deadline_s)).status


async def failed(upstreams: Upstreams, operation: Any) -> Failure:
    """The failure of one operation that is sent."""
    with pytest.raises(Failure) as caught:
        await sent(upstreams, operation)
    return caught.value


@pytest.mark.parametrize("operation", [Tables.booking, Tables.book, Tables.cancel])
async def test_what_never_left_is_tried_once_more(operation: Any) -> None:
    """A connection that was not made has done nothing."""
    upstreams = Upstreams(Answers(httpx.ConnectError("x"), BOOKING))
    assert await sent(upstreams, operation) == 200
    assert len(upstreams.requests) == 2


async def test_a_read_that_was_cut_off_is_tried_once_more() -> None:
    """Reading twice does no harm."""
    upstreams = Upstreams(Answers(httpx.ReadError("x"), [BOOKING]))
    assert await sent(upstreams, Tables.of_team) == 200
    assert len(upstreams.requests) == 2


async def test_a_read_that_costs_is_paid_once() -> None:
    """What was cut off may be on the bill, and a second attempt would be on it too, past what was reserved."""
    upstreams = Upstreams(Answers(httpx.ReadError("x"), BOOKING))
    failure = await failed(upstreams, Tables.booking)
    assert (failure.kind, failure.sent, len(upstreams.requests)) == ("network", True, 1)


@pytest.mark.parametrize("operation", [Tables.book, Tables.cancel])
async def test_a_write_that_may_have_arrived_is_never_sent_again(operation: Any) -> None:
    """It could happen twice."""
    upstreams = Upstreams(Answers(httpx.ReadError("x"), BOOKING))
    failure = await failed(upstreams, operation)
    assert (failure.kind, failure.sent, len(upstreams.requests)) == ("network", True, 1)


@pytest.mark.parametrize(
    "answer", [httpx.ReadTimeout("x"), httpx.Response(302, headers={"location": "https://evil.test"})]
)
async def test_a_read_that_failed_otherwise_is_not_tried_again(answer: Any) -> None:
    """It would take as long again, or lead to the same."""
    upstreams = Upstreams(Answers(answer, BOOKING))
    await failed(upstreams, Tables.booking)
    assert len(upstreams.requests) == 1


async def test_there_is_one_more_attempt_and_no_third() -> None:
    """A peer that is away is not pestered."""
    upstreams = Upstreams(Answers(httpx.ReadError("x"), httpx.ConnectError("x"), [BOOKING]))
    assert (await failed(upstreams, Tables.of_team)).kind == "connect"
    assert len(upstreams.requests) == 2


async def test_both_attempts_share_the_deadline() -> None:
    """The second has what the first left over."""
    upstreams = Upstreams(Answers(httpx.ReadError("x"), [BOOKING]))
    await sent(upstreams, Tables.of_team, deadline_s=5.0)
    limits: list[float] = [request.extensions["timeout"]["read"] for request in upstreams.requests]
    assert limits[1] < 5.0


async def test_without_time_there_is_no_second_attempt() -> None:
    """An attempt that has no time left is not begun."""
    upstreams = Upstreams(Answers(httpx.ConnectError("x"), BOOKING))
    with pytest.raises(Failure):
        await sent(upstreams, Tables.booking, deadline_s=-1.0)
    assert len(upstreams.requests) <= 1


# --- the breaker ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(503), httpx.ReadTimeout("x")])
async def test_a_peer_that_fails_often_is_left_alone(answer: Any) -> None:
    """And asked once more when the time is over; the wait is told in whole seconds."""
    clock = Clock()
    handler = Answers(answer, answer, BOOKING, BOOKING)
    upstreams = Upstreams(handler, clock=clock, breaker_failures=2, breaker_open_s=10.0)
    for _ in range(2):
        try:
            await sent(upstreams, Tables.booking)
        except Failure:
            continue
    clock.move(3.5)
    failure = await failed(upstreams, Tables.booking)
    assert isinstance(failure, BreakerOpen)
    assert (failure.kind, failure.sent, failure.wait_s, len(upstreams.requests)) == ("open", False, 7, 2)
    clock.move(6.5)
    assert await sent(upstreams, Tables.booking) == 200
    assert await sent(upstreams, Tables.booking) == 200


@pytest.mark.parametrize("status", [200, 404, 409, 429])
async def test_an_answer_below_500_says_that_the_peer_is_there(status: int) -> None:
    """A client's mistakes do not cut off everybody."""
    upstreams = Upstreams(lambda _: httpx.Response(status, json=BOOKING), breaker_failures=1)
    for _ in range(3):
        assert await sent(upstreams, Tables.booking) == status


async def test_a_cancelled_probe_leaves_room_for_another() -> None:
    """A client that goes away says nothing of the peer."""
    clock, waiting = Clock(), asyncio.Event()

    async def wait(request: httpx.Request) -> Any:
        waiting.set()
        await asyncio.Event().wait()

    answers: list[Any] = [httpx.Response(500), wait, BOOKING]
    upstreams = Upstreams(
        lambda request: answer(request) if callable(answer := answers.pop(0)) else answer,
        clock=clock,
        breaker_failures=1,
    )
    assert await sent(upstreams, Tables.booking) == 500
    clock.move(11)
    probe = asyncio.create_task(sent(upstreams, Tables.booking))
    await waiting.wait()
    assert isinstance(await failed(upstreams, Tables.booking), BreakerOpen)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert await sent(upstreams, Tables.booking) == 200


# --- a wire without a way for writes --------------------------------------------------------------------------------


async def test_a_read_wire_sends_reads() -> None:
    """A rehearsal reads for real."""
    upstreams = Upstreams(Answers(BOOKING))
    assert await sent(upstreams, Tables.booking, ReadWire(upstreams.wire)) == 200


@pytest.mark.parametrize("operation", [Tables.book, Tables.cancel])
async def test_a_read_wire_has_no_way_to_send_a_write(operation: Any) -> None:
    """Even when it is asked directly, with a request that is ready."""
    upstreams = Upstreams(Answers())
    with pytest.raises(OperationRefused, match="no way to send it"):
        await sent(upstreams, operation, ReadWire(upstreams.wire))
    assert upstreams.requests == []


async def test_an_answer_over_its_cap_is_not_read() -> None:
    """The cap is that of the upstream's settings."""
    upstreams = Upstreams(Answers(BOOKING), answer_bytes=10)
    assert isinstance(upstreams.wire, LiveWire)
    assert (await failed(upstreams, Tables.booking)).kind == "too-large"
