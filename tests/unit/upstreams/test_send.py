import asyncio
from typing import Any

import httpx
import pytest

from narrows import Money
from narrows.current import current
from narrows.errors import (
    ConnectorRefused,
    InvalidInput,
    OperationRefused,
    Problem,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
)
from narrows.gathering import gather
from narrows.settings import Secret
from narrows.testing import Clock
from tests.unit.upstreams.sending import BOOKING, Away, Booking, NewBooking, Tables, Taken, Upstreams

BOOKED = Booking(id="b1", team_id=7, note="n")
NEW = NewBooking(team_id=7)


async def refused(awaited: Any) -> str:
    """What a refused operation says."""
    with pytest.raises(OperationRefused) as caught:
        await awaited
    return str(caught.value)


# --- what may be sent -----------------------------------------------------------------------------------------------


async def test_an_operation_of_uses_is_sent() -> None:
    """Its answer is a value of its declared type."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call(Tables.booking)
    assert await call.perform(Tables.booking, ("b1",), {}) == BOOKED
    [request] = upstreams.requests
    assert request.headers["authorization"] == "Bearer token-1"
    assert upstreams.tokens.asked == [("anna", "app", frozenset({"bookings:read"}))]
    assert call.scopes_asked == {"bookings:read"}


async def test_an_operation_is_sent_as_often_as_declared() -> None:
    """Once, or as often as `.times` says; an attempt that failed counts."""
    upstreams = Upstreams(lambda _: BOOKING if len(upstreams.requests) > 1 else httpx.Response(404))
    call = upstreams.call(Tables.booking.times(2))
    with pytest.raises(UpstreamFailed):
        await call.perform(Tables.booking, ("b1",), {})
    await call.perform(Tables.booking, ("b1",), {})
    said = await refused(call.perform(Tables.booking, ("b1",), {}))
    assert said == "lunch.nothing: Tables.booking is refused: `uses` allows it 2 time(s)"
    assert len(upstreams.requests) == 2


async def test_an_operation_outside_uses_is_refused() -> None:
    """The reviewers did not see it."""
    upstreams = Upstreams(lambda _: BOOKING)
    said = await refused(upstreams.call(Tables.booking).perform(Tables.cancel, ("b1",), {}))
    assert said == "lunch.nothing: Tables.cancel is refused: it is not in `uses`"
    assert upstreams.requests == []


async def test_side_by_side_the_count_holds_too() -> None:
    """It is taken before anything is awaited."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call(Tables.booking)
    results = await asyncio.gather(
        *(call.perform(Tables.booking, ("b1",), {}) for _ in range(5)), return_exceptions=True
    )
    assert sum(result == BOOKED for result in results) == 1
    assert len(upstreams.requests) == 1


async def test_after_the_call_nothing_is_sent() -> None:
    """A task that was left behind finds its operations closed."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call()
    later = call.perform(Tables.book, (NEW,), {})
    call.open = False
    assert await refused(later) == "Tables.book was awaited after its call had ended"
    assert upstreams.requests == []


async def test_a_call_that_ends_while_the_token_is_fetched_sends_nothing() -> None:
    """The last look is taken just before the request leaves."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call()

    class Slow(type(upstreams.tokens)):  # type: ignore[misc]  # the fake's own class
        async def on_behalf_of(self, *args: Any) -> Secret:
            call.open = False
            return await super().on_behalf_of(*args)

    upstreams.sender._tokens = Slow()
    assert "about to be sent after its call" in await refused(call.perform(Tables.book, (NEW,), {}))
    assert (upstreams.requests, call.sent, call.unknown, call.price, call.in_flight) == ([], [], [], None, 0)


async def test_the_public_way_of_a_handler() -> None:
    """`await Tables.booking(...)` inside a call, side by side."""
    upstreams = Upstreams(lambda request: BOOKING if "b1" in str(request.url) else [BOOKING])
    token = current.set(upstreams.call())
    try:
        one, many = await gather(Tables.booking("b1"), Tables.of_team(team_id=7))
    finally:
        current.reset(token)
    assert (one, many) == (BOOKED, [BOOKED])


# --- as whom --------------------------------------------------------------------------------------------------------


async def test_a_service_is_called_as_the_service() -> None:
    """With a token of its own, and the same least scopes."""
    upstreams = Upstreams(lambda _: BOOKING, identity="service")
    await upstreams.call(Tables.booking).perform(Tables.booking, ("b1",), {})
    assert upstreams.requests[0].headers["authorization"] == "Bearer service-1"
    assert upstreams.tokens.asked == [("", "", frozenset({"bookings:read"}))]


async def test_public_data_are_read_without_a_token() -> None:
    """Nobody is told who asks."""
    upstreams = Upstreams(lambda _: BOOKING, identity="none")
    call = upstreams.call(Tables.booking)
    await call.perform(Tables.booking, ("b1",), {})
    assert "authorization" not in upstreams.requests[0].headers
    assert (upstreams.tokens.asked, call.scopes_asked) == ([], set())


@pytest.mark.parametrize("missing", ["credential", "connector"])
async def test_nobody_is_not_sent_for(missing: str) -> None:
    """Without a caller there is no token to exchange."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call()
    setattr(call, missing, None)
    assert await refused(call.perform(Tables.booking, ("b1",), {})) == "Tables.booking needs a caller"


@pytest.mark.parametrize("missing", ["credential", "connector"])
async def test_nobody_does_not_write(missing: str) -> None:
    """Also where no token is needed, it must be known whose program it is."""
    upstreams = Upstreams(lambda _: BOOKING, identity="none")
    call = upstreams.call()
    setattr(call, missing, None)
    assert await refused(call.perform(Tables.cancel, ("b1",), {})) == "Tables.cancel needs a caller"
    assert upstreams.requests == []


async def test_a_program_that_may_not_write_any_more_sends_nothing() -> None:
    """It is asked before each write and before no read."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call()
    await call.perform(Tables.booking, ("b1",), {})
    assert upstreams.programs.asked == []
    upstreams.programs.problem = ConnectorRefused("The connector is in state 'suspended' by now.")
    with pytest.raises(ConnectorRefused):
        await call.perform(Tables.cancel, ("b1",), {})
    assert upstreams.programs.asked == [("app", call.endpoint.id)]
    assert [request.method for request in upstreams.requests] == ["GET"]


@pytest.mark.parametrize(
    ("mode", "scopes"), [("live", {"bookings:read", "bookings:write"}), ("rehearse", {"bookings:read"})]
)
async def test_a_rehearsal_asks_for_the_scopes_of_reads_alone(mode: Any, scopes: set[str]) -> None:
    """Write scopes are listed, and not obtained."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call(Tables.booking, Tables.book, mode=mode)
    await call.perform(Tables.booking, ("b1",), {})
    assert upstreams.tokens.asked == [("anna", "app", frozenset(scopes))]


async def test_a_token_that_was_refused_is_forgotten() -> None:
    """The next call gets another one."""
    upstreams = Upstreams(lambda _: httpx.Response(401))
    with pytest.raises(UpstreamFailed) as caught:
        await upstreams.call().perform(Tables.booking, ("b1",), {})
    assert caught.value.upstream_status == 401
    assert upstreams.tokens.discarded == [Secret("token-1")]


async def test_a_401_to_nobody_forgets_nothing() -> None:
    """There was no token."""
    upstreams = Upstreams(lambda _: httpx.Response(401), identity="none")
    with pytest.raises(UpstreamFailed):
        await upstreams.call().perform(Tables.booking, ("b1",), {})
    assert upstreams.tokens.discarded == []


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "expected"), [(20.0, 5.0), (3.0, 3.0)])
async def test_an_operation_has_no_more_time_than_its_call(left: float, expected: float) -> None:
    """The shorter of the upstream's deadline and what is left."""
    upstreams = Upstreams(lambda _: BOOKING, deadline_s=5.0)
    call = upstreams.call()
    call.deadline = call.started + left
    await call.perform(Tables.booking, ("b1",), {})
    assert upstreams.requests[0].extensions["timeout"]["read"] == pytest.approx(expected)


@pytest.mark.parametrize("late", [15.0, 1000.0])
async def test_without_time_nothing_is_sent(late: float) -> None:
    """A deadline is never negative, and a clock that jumps ahead ends the call."""
    clock = Clock()
    upstreams = Upstreams(lambda _: BOOKING, clock=clock)
    call = upstreams.call()
    clock.move(late)
    with pytest.raises(UpstreamTimeout):
        await call.perform(Tables.book, (NEW,), {})
    assert (upstreams.requests, call.price, call.unknown) == ([], None, [])


# --- what an answer means -------------------------------------------------------------------------------------------


async def problem_of(answer: Any, operation: Any = Tables.booking, arguments: Any = ("b1",), **over: Any) -> Problem:
    """The problem that an answer becomes; it holds nothing of the upstream's text."""
    upstreams = Upstreams(lambda _: answer, **over)
    with pytest.raises(Problem) as caught:
        await upstreams.call().perform(operation, arguments, {})
    assert "52000" not in str(caught.value.body())
    return caught.value


@pytest.mark.parametrize("status", [201, 299])
async def test_every_2xx_is_an_answer(status: int) -> None:
    """Upstreams differ."""
    upstreams = Upstreams(lambda _: httpx.Response(status, json=BOOKING))
    assert await upstreams.call().perform(Tables.booking, ("b1",), {}) == BOOKED


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/hal+json", "Application/JSON"]
)
async def test_json_has_many_names(content_type: str) -> None:
    """Every one of them is read."""
    upstreams = Upstreams(lambda _: httpx.Response(200, json=BOOKING, headers={"content-type": content_type}))
    assert await upstreams.call().perform(Tables.booking, ("b1",), {}) == BOOKED


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 410, 418, 422, 500, 502, 504])
async def test_an_undeclared_status_is_a_502(status: int) -> None:
    """It says nothing; the guards are told the status."""
    problem = await problem_of(httpx.Response(status, text="52000"))
    assert isinstance(problem, UpstreamFailed)
    assert problem.upstream_status == (None if status == 300 else status)


@pytest.mark.parametrize("operation", [Tables.book])
async def test_a_declared_status_is_its_problem(operation: Any) -> None:
    """A fresh one, without the upstream's words."""
    problem = await problem_of(httpx.Response(409, json={"salary": 52000}), operation, (NEW,))
    assert type(problem) is Taken
    problem = await problem_of(httpx.Response(503, json={"salary": 52000}), operation, (NEW,))
    assert type(problem) is Away


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, "1"),
        ("7", "7"),
        ("007", "7"),
        ("0", "1"),
        ("3600", "3600"),
        ("86400", "3600"),
        ("9" * 5000, "3600"),
        ("-1", "1"),
        ("1.5", "1"),
        ("\u00b2", "1"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "1"),
        ("", "1"),
    ],
)
async def test_an_upstream_that_wants_to_be_left_alone(status: int, asked: str | None, told: str) -> None:
    """The client hears how long, in sound seconds."""
    headers = [] if asked is None else [(b"retry-after", asked.encode("latin-1"))]
    problem = await problem_of(httpx.Response(status, headers=headers))
    assert isinstance(problem, Unavailable)
    assert problem.headers == {"Retry-After": told}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<p>52000</p>"),
        httpx.Response(200, content=b'{"id":"b1","team_id":7}'),
        httpx.Response(200, content=b"", headers={"content-type": "application/json"}),
        httpx.Response(204),
        httpx.Response(200, content=b'{"id":"b1"', headers={"content-type": "application/json"}),
        httpx.Response(200, json={"id": "b1", "team_id": "52000"}),
        httpx.Response(200, json={"id": "b1"}),
        httpx.Response(200, json=[52000]),
        httpx.Response(200, content=b'{"id":"\xff","team_id":7}', headers={"content-type": "application/json"}),
        httpx.Response(200, content=b'{"x":' + b"[" * 100_000, headers={"content-type": "application/json"}),
    ],
)
async def test_an_answer_that_is_not_of_its_type_is_a_502(answer: httpx.Response) -> None:
    """Nothing of it is repeated."""
    problem = await problem_of(answer)
    assert type(problem) is UpstreamFailed
    assert problem.upstream_status is None


@pytest.mark.parametrize(
    "answer", [httpx.Response(204), httpx.Response(200, json={"x": 52000}), httpx.Response(204, content=b"junk")]
)
async def test_an_operation_that_answers_nothing_reads_nothing(answer: httpx.Response) -> None:
    """Whatever the upstream sends along."""
    upstreams = Upstreams(lambda _: answer)
    assert await upstreams.call().perform(Tables.cancel, ("b1",), {}) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(302, headers={"location": "https://evil.test/52000"}), UpstreamFailed),
        (httpx.Response(200, json=BOOKING, headers={"content-encoding": "br"}), UpstreamFailed),
        (httpx.Response(200, json={**BOOKING, "x": "52000" * 1000}), UpstreamFailed),
    ],
)
async def test_an_answer_that_no_declaration_wants_is_a_502(answer: httpx.Response, expected: type[Problem]) -> None:
    """A redirect is not followed, nothing is unpacked, nothing is read past its cap."""
    assert type(await problem_of(answer, answer_bytes=1000)) is expected


@pytest.mark.parametrize(
    ("error", "expected", "wait"),
    [
        (httpx.ReadTimeout("52000"), UpstreamTimeout, None),
        (httpx.ConnectError("52000"), Unavailable, "1"),
        (httpx.RemoteProtocolError("52000"), UpstreamFailed, None),
    ],
)
async def test_a_failure_on_the_way_has_its_own_problem(
    error: Exception, expected: type[Problem], wait: str | None
) -> None:
    """504, 503 and 502; nothing of the peer is repeated."""

    def fail(_: httpx.Request) -> Any:
        raise error

    upstreams = Upstreams(fail)
    with pytest.raises(expected) as caught:
        await upstreams.call().perform(Tables.booking, ("b1",), {})
    assert caught.value.headers.get("Retry-After") == wait
    assert caught.value.__cause__ is None
    assert "52000" not in str(caught.value.body())


async def test_a_peer_that_is_left_alone_is_a_503_with_its_wait() -> None:
    """The client learns when it is worth another try."""
    upstreams = Upstreams(lambda _: httpx.Response(500), breaker_failures=1, breaker_open_s=30.0)
    with pytest.raises(UpstreamFailed):
        await upstreams.call().perform(Tables.booking, ("b1",), {})
    upstreams.clock.move(0.5)
    call = upstreams.call()
    with pytest.raises(Unavailable) as caught:
        await call.perform(Tables.booking, ("b1",), {})
    assert caught.value.headers == {"Retry-After": "30"}
    assert (len(upstreams.requests), call.price) == (1, None)


async def test_a_value_that_is_no_segment_is_not_sent() -> None:
    """The client is told."""
    upstreams = Upstreams(lambda _: BOOKING)
    with pytest.raises(InvalidInput):
        await upstreams.call().perform(Tables.booking, ("..",), {})
    assert upstreams.requests == []


# --- what is known of it afterwards ---------------------------------------------------------------------------------


async def test_what_narrowing_left_out_is_noted_in_a_rehearsal() -> None:
    """By name; a live call does not spend the time."""
    upstreams = Upstreams(lambda _: {**BOOKING, "salary": 52000})
    for mode, expected in (("rehearse", {"Tables.booking.salary"}), ("live", set())):
        call = upstreams.call(mode=mode)
        await call.perform(Tables.booking, ("b1",), {})
        assert call.left_out == expected


@pytest.mark.parametrize(
    ("answer", "sent", "unknown", "price"),
    [
        (httpx.Response(201, json=BOOKING), ["Tables.book"], [], "0.05 EUR"),
        (httpx.Response(200, html="<p>"), ["Tables.book"], [], "0.05 EUR"),
        (httpx.Response(409), [], [], "0.05 EUR"),
        (httpx.Response(400), [], [], "0.05 EUR"),
        (httpx.Response(500), [], ["Tables.book"], "0.05 EUR"),
        (httpx.Response(503), [], ["Tables.book"], "0.05 EUR"),
        (httpx.ReadError("x"), [], ["Tables.book"], "0.05 EUR"),
        (httpx.ReadTimeout("x"), [], ["Tables.book"], "0.05 EUR"),
        (httpx.ConnectError("x"), [], [], None),
    ],
)
async def test_of_a_write_is_known_whether_it_happened(answer: Any, sent: Any, unknown: Any, price: str | None) -> None:
    """It did, it did not, or nobody can tell; the price counts unless it never left."""

    def handle(_: httpx.Request) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    upstreams = Upstreams(handle)
    call = upstreams.call()
    try:
        await call.perform(Tables.book, (NEW,), {})
    except Problem as problem:
        assert call.raised == [problem]  # noqa: PT017 - most of these answers are problems
    assert (call.sent, call.unknown, call.in_flight) == (sent, unknown, 0)
    assert (str(call.price) if call.price else None) == price


async def test_prices_add_up() -> None:
    """Reads and writes of one call, each as it is sent."""
    upstreams = Upstreams(lambda _: BOOKING)
    call = upstreams.call()
    await call.perform(Tables.booking, ("b1",), {})
    await call.perform(Tables.book, (NEW,), {})
    await call.perform(Tables.cancel, ("b1",), {})
    assert call.price == Money.parse("0.06 EUR")
    assert call.sent == ["Tables.book", "Tables.cancel"]


async def test_a_write_on_its_way_is_known_as_such() -> None:
    """Whoever is cancelled in its midst leaves it unknown."""
    arrived = asyncio.Event()

    async def hang(_: httpx.Request) -> Any:
        arrived.set()
        await asyncio.Event().wait()

    upstreams = Upstreams(hang)
    call = upstreams.call()
    task = asyncio.create_task(call.perform(Tables.book, (NEW,), {}))
    await arrived.wait()
    assert (call.in_flight, call.unknown) == (1, ["Tables.book"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (call.in_flight, call.unknown, call.sent) == (0, ["Tables.book"], [])
    assert call.price == Money.parse("0.05 EUR")


async def test_a_call_is_made_for_its_own_endpoint() -> None:
    """What one call may send says nothing of another's."""
    upstreams = Upstreams(lambda _: BOOKING)
    first, second = upstreams.call(Tables.booking), upstreams.call(Tables.booking)
    await first.perform(Tables.booking, ("b1",), {})
    assert await second.perform(Tables.booking, ("b1",), {}) == BOOKED
