import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from narrows import NumberId
from narrows.call import NOTHING, Call, Reply
from narrows.child import ChildCall
from narrows.current import current
from narrows.errors import Forbidden
from narrows.pipeline import ORDER, prepare, run
from tests.unit.pipeline import calls
from tests.unit.pipeline.test_settle import Ended


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


ENDPOINT = calls.declared(team, within="team:{team_id}")
WRITE = calls.declared(team, writes=True, within="team:{team_id}")


async def answer(call: Call) -> None:
    """A step that makes the reply."""
    call.reply = Reply(200, [], b"{}")
    call.answer = {}


async def taken(ended: Ended, *steps: Any, call_s: float = 5.0, call: Call | None = None) -> Reply:
    """A call that was taken through steps."""
    return await run(call or ended.call(answered=False), steps, ended.settle, call_s)


def type_of(reply: Reply) -> str:
    """The type of a problem."""
    return str(msgspec.json.decode(reply.body)["type"]).rpartition(":")[2]


def names(steps: Sequence[Any]) -> list[str]:
    """What the steps are called."""
    return [step.__qualname__.rpartition(".")[2] for step in steps]


def test_the_order_of_the_steps() -> None:
    """Nothing is decoded before somebody was let in, and nothing is done before it was decided."""
    before = ["receive", "authenticate", "admit", "rate", "decode", "budget", "decide"]
    expected = [*before, "claim", "handle", "narrow", "volume"]
    assert [step.__name__.rpartition(".")[2] for step in ORDER] == expected
    assert names(prepare(calls.preparing(WRITE)).steps) == expected


def test_a_step_with_nothing_to_do_is_left_out() -> None:
    """A read claims nothing; a public endpoint asks nobody."""
    assert "claim" not in names(prepare(calls.preparing(ENDPOINT)).steps)
    public = msgspec.structs.replace(ENDPOINT, public="It tells nothing.")
    assert names(prepare(calls.preparing(public)).steps) == ["receive", "decode", "handle", "narrow"]


async def test_steps_run_one_after_the_other_with_the_call_as_the_current_one() -> None:
    """Each sees what the one before it wrote; afterwards there is no call."""
    ended, seen = Ended(), []
    call = ended.call(answered=False)

    async def look(call: Call) -> None:
        """Note the call that runs here."""
        seen.append((current.get(None), call.open, call.deadline - call.started))

    assert (await taken(ended, look, answer, call=call)).status == 200
    assert seen == [(call, True, 5.0)]
    assert current.get(None) is None
    assert call.open is False


async def test_a_problem_ends_the_call_at_its_step() -> None:
    """What comes later is not done."""
    ended, done = Ended(), []

    async def deny(call: Call) -> None:
        """Deny."""
        raise Forbidden("no")

    async def late(call: Call) -> None:
        """Come too late."""
        done.append(call)

    reply = await taken(ended, deny, late, answer)
    assert (reply.status, done) == (403, [])
    assert len(ended.records.all()) == len(ended.span.ends) == 1


@pytest.mark.parametrize("fault", [LookupError("52000"), TimeoutError("52000"), RecursionError()])
async def test_a_fault_ends_the_call_as_a_500(fault: Exception) -> None:
    """A time-out of the handler's own making is no deadline of the call."""
    ended = Ended()

    async def fail(call: Call) -> None:
        """Fail."""
        raise fault

    reply = await taken(ended, fail, answer)
    assert (reply.status, type_of(reply)) == (500, "internal-error")
    assert b"52000" not in reply.body


async def test_the_deadline_ends_the_call() -> None:
    """Whatever a step waits for."""
    ended = Ended()

    async def wait(call: Call) -> None:
        """Wait for what does not come."""
        await asyncio.Event().wait()

    reply = await taken(ended, wait, answer, call_s=0.01)
    assert (reply.status, type_of(reply)) == (504, "upstream-timeout")
    assert ended.records.all()[0]["outcome"] == "failed"


async def test_a_fault_after_the_deadline_is_the_deadline() -> None:
    """A handler that turns the cancellation into its own error does not hide it."""
    ended = Ended()

    async def turn(call: Call) -> None:
        """Wait, and fail with something else."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LookupError from None

    assert type_of(await taken(ended, turn, call_s=0.01)) == "upstream-timeout"


async def test_a_cancelled_call_is_recorded_and_stays_cancelled() -> None:
    """The client went away; what waits for the call learns that it was cancelled."""
    ended, started = Ended(), asyncio.Event()

    async def wait(call: Call) -> None:
        """Wait for what does not come."""
        started.set()
        await asyncio.Event().wait()

    call = ended.call(answered=False)
    task = asyncio.create_task(taken(ended, wait, call=call))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [record["outcome"] for record in ended.records.all()] == ["cancelled"]
    assert call.open is False


class Held:
    """Something that a call holds until it has ended; it fails, or takes its time, where a test says so."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.begun = 0
        self.gone = 0
        self.go = asyncio.Event()
        self.go.set()
        self.started = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        self.started.set()
        await self.go.wait()
        if self.fault is not None:
            raise self.fault
        self.gone += 1


@pytest.mark.parametrize("fault", [None, Forbidden(), KeyError()])
async def test_what_a_call_held_is_let_go_however_it_ends(fault: Exception | None) -> None:
    """Before its answer goes out; what cannot be let go is told to the operators alone, and holds nothing else up."""
    ended = Ended()

    async def end(call: Call) -> None:
        """End as the test says."""
        if fault is not None:
            raise fault
        await answer(call)

    call = ended.call(answered=False)
    held = Held(), Held(OSError()), Held()
    call.ending += held
    reply = await taken(ended, end, call=call)
    assert reply.status == {type(None): 200, Forbidden: 403, KeyError: 500}[type(fault)]
    assert [(one.begun, one.gone) for one in held] == [(1, 1), (1, 0), (1, 1)]
    assert call.ending == []


async def test_what_a_cancelled_call_held_is_let_go_behind_it() -> None:
    """Whether the client went away before the call ended or while that was let go, and before the server ends."""
    ended = Ended()
    first, second = ended.call(answered=False), ended.call(answered=False)
    held = Held()
    first.ending.append(held)
    second.ending.append(held)
    ended.settle.cancelled(first)
    await ended.settle.close()
    assert held.gone == 1
    held.go.clear()
    held.started.clear()
    task = asyncio.create_task(taken(ended, answer, call=second))
    await held.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go.set()
    await ended.settle.close()
    assert (held.gone, second.ending) == (2, [])


async def test_a_call_that_is_cancelled_while_it_is_settled_is_recorded_once() -> None:
    """The rehearsal was not kept, so nobody reads of it; the record says so."""
    ended, started = Ended(), asyncio.Event()

    class Slow:
        async def put(self, *_: Any) -> None:
            started.set()
            await asyncio.Event().wait()

    ended.rehearsals = Slow()
    ended.settle = ended.make(ended.records.write)
    task = asyncio.create_task(taken(ended, answer, call=ended.call(answered=False, mode="rehearse")))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [record["outcome"] for record in ended.records.all()] == ["cancelled"]
    assert ended.span.ends == [(499, None)]


async def test_something_cancelled_that_a_handler_awaits_is_its_fault() -> None:
    """The client is still there, and gets an answer."""
    ended = Ended()

    async def awaits(call: Call) -> None:
        """Await a task that was cancelled."""
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    assert type_of(await taken(ended, awaits, answer)) == "internal-error"
    assert [record["status"] for record in ended.records.all()] == [500]


async def test_a_call_that_has_ended_keeps_none_of_its_fields() -> None:
    """They know their parent: as a circle both would stay until the collector comes, and slow every call after it."""
    ended = Ended()
    call = ended.call(answered=False)

    async def ask(call: Call) -> None:
        call.children.append(ChildCall(call, ENDPOINT, NOTHING, {}))

    await taken(ended, ask, answer, call=call)
    assert call.children == []
