"""Settle: whatever became of a call, it ends in one reply, one record, one span."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from narrows.audit.log import RecordLog
from narrows.audit.record import Record
from narrows.call import Call, Claimed, Mode, Reply, Way
from narrows.declare.endpoint import Endpoint
from narrows.declare.types import Money
from narrows.errors import InternalError, Problem, Unavailable
from narrows.pipeline.faults import tell
from narrows.pipeline.measuring import measure
from narrows.pipeline.offering import Offers
from narrows.pipeline.recorded import Recorder, mark, outcome_of
from narrows.pipeline.rehearsal import owner_of, write_document
from narrows.pipeline.replies import JSON, SAFE, in_utf8, problem_reply
from narrows.stores import Commits, Rehearsals
from narrows.telemetry import CallSpan, Telemetry
from narrows.upstreams.commitment import outcomes_of

_CLOSED = 499
"""The status in records and spans of a call whose client went away; nobody reads it."""

REPLAYED = ("idempotency-replayed", "true")
"""The header of an answer that was kept: nothing was done for this request."""

PAUSES_S = (0.2, 1.0, 3.0, 8.0, 15.0)
"""How long the store of commits is waited for, time after time, until an outcome is given up: half a minute in all."""

_log = logging.getLogger("narrows.pipeline")


class Settle:
    """Ends calls, and requests that never became one.

    No answer goes out without its record: where that cannot be written, a 503 goes out in its place. `sensitive` says
    that the answers of this BFF hold personal or secret data.
    """

    def __init__(
        self,
        *,
        log: RecordLog,
        rehearsals: Rehearsals,
        commits: Commits,
        offers: Offers,
        telemetry: Telemetry,
        ceilings: Mapping[Endpoint, Money | None],
        scopes: Mapping[Endpoint, Sequence[str]],
        recorder: Recorder,
        sensitive: bool,
        new_id: Callable[[], str],
        public_url: str,
        ageing: Mapping[Endpoint, Sequence[tuple[str, str]]] | None = None,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._log = log
        self._rehearsals = rehearsals
        self._commits = commits
        self._offers = offers
        self._telemetry = telemetry
        self._ceilings = ceilings
        self._scopes = scopes
        self._recorder = recorder
        self._sensitive = sensitive
        self._new_id = new_id
        self._public_url = public_url.rstrip("/")
        self._ageing = ageing or {}
        self._pauses_s = pauses_s
        self._concluding: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    async def ended(self, call: Call, fault: Exception | None) -> Reply:
        """End a call: answered, refused with a problem, or failed, of which the client reads nothing."""
        await self._let_go(call)
        if call.commitment is not None:
            await self._conclude(call, call.commitment, fault)
        if fault is None:
            return await self._done(call)
        if isinstance(fault, Problem):
            return await self._refused(call, fault, call.at)
        return await self._failed(call, fault)

    def cancelled(self, call: Call) -> None:
        """End a call whose client went away, or whose server ends; what became of its writes is put down behind it."""
        if call.commitment is not None:
            self._behind(self._conclude(call, call.commitment, None))
        if call.ending:
            self._behind(self._let_go(call))
        reply = Reply(_CLOSED, [], b"")
        if not call.recorded:
            self._is_put_down(self._recorder.of(call, reply, None, "cancelled"))
        self._close(call, reply, None, "cancelled")

    def _behind(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something that no client waits for; a start that ends waits for it."""
        task = asyncio.ensure_future(doing)
        self._concluding.add(task)
        task.add_done_callback(self._concluding.discard)

    async def _let_go(self, call: Call) -> None:
        """Do what is due when a call has ended; what is cut short is done the next time."""
        while call.ending:
            try:
                await call.ending[-1]()
            except Exception as failure:  # whatever the store raises: what is held there ends by itself
                _log.error("what a call held could not be let go: %s", tell(failure))
            call.ending.pop()

    async def close(self) -> None:
        """Wait for what is still put down; the stores are closed by whoever opened them."""
        self._closing.set()
        while self._concluding:
            await asyncio.gather(*self._concluding)

    def uncalled(
        self,
        span: CallSpan,
        method: str,
        peer: str,
        problem: Problem,
        mode: Mode = "live",
        fault: Exception | None = None,
        *,
        media: str | None = None,
    ) -> Reply:
        """End a request that never became a call; `fault` is told to the operators, `media` is that of GraphQL."""
        if fault is not None:
            _log.error("a request failed outside the pipeline: %s", tell(fault))
        way: Way = "rest" if media is None else "graphql"
        record = self._recorder.uncalled(span.trace_id, method, peer, problem, mode, way)
        if not self._is_put_down(record):
            problem = Unavailable(headers={"Retry-After": "5"})
        span.end(problem.status, problem.type)
        return problem_reply(problem, span.trace_id, media=media)

    def unrecorded(self, span: CallSpan, fault: Exception, media: str | None = None) -> Reply:
        """End a request that could not be recorded, before anything of it was begun."""
        if not isinstance(fault, Unavailable):
            _log.error("the audit log does not open: %s", tell(fault))
        problem = Unavailable(headers={"Retry-After": "5"})
        span.end(problem.status, problem.type)
        return problem_reply(problem, span.trace_id, media=media)

    async def _done(self, call: Call) -> Reply:
        """End a call that was answered; a rehearsal is kept first, because the reply leads to it."""
        reply = call.reply
        if reply is None:
            return await self._failed(call, RuntimeError())  # a pipeline without its last step
        if call.mode != "live" and not call.endpoint.builtin:
            try:
                reply = await self._keep(call, reply)
            except Exception as fault:  # whatever the store raises: no answer without its rehearsal
                _log.error("a rehearsal could not be kept: %s", tell(fault))
                return await self._refused(call, Unavailable(headers={"Retry-After": "5"}))
        if call.limits:
            limits = [(name.lower(), value) for name, value in call.limits.items()]
            reply = reply._replace(headers=[*reply.headers, *limits])
        if call.replayed:
            reply = reply._replace(headers=[*reply.headers, REPLAYED])
        if (media := _media(call)) is not None:
            reply = reply._replace(headers=[_typed(header, media) for header in reply.headers])
        named = {name for name, _ in reply.headers}
        safe = [header for header in SAFE if header[0] not in named]
        # A page for a person can tell of a refusal too: its status says so.
        outcome = "ok" if reply.status < 400 else "refused"
        return await self._end(call, reply._replace(headers=[*reply.headers, *safe]), None, outcome)

    async def _refused(self, call: Call, problem: Problem, at: Sequence[str | int] = ()) -> Reply:
        reply = problem_reply(problem, call.span.trace_id, call.sent, call.unknown, media=_media(call), at=at)
        return await self._end(call, reply, problem, outcome_of(problem))

    async def _failed(self, call: Call, fault: Exception) -> Reply:
        _log.error("%s failed: %s", call.endpoint.id, tell(fault))
        return await self._refused(call, InternalError())

    async def _conclude(self, call: Call, commitment: Claimed, fault: Exception | None) -> None:
        """Put down what became of a live write, and its answer for who asks again with the same key.

        Should that fail, the client still reads what happened. A store that is away is asked again behind the answer;
        until it has the outcome a retry is refused, because its intent has none.
        """
        answer = call.reply.body if fault is None and call.reply is not None else None
        settling = partial(self._commits.settle, commitment.attempt, outcomes_of(call), answer)
        try:
            await settling()
        except Unavailable as failure:
            _log.warning("an outcome is not kept yet: %s", tell(failure))
            self._behind(self._conclude_later(settling))
        except Exception as failure:  # whatever the store raises: the effects cannot be undone by it
            _not_concluded(failure)

    async def _conclude_later(self, settling: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Ask a store that was away once more after each pause; a start that ends cuts the pauses short."""
        away: Exception = Unavailable()
        for pause in self._pauses_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            try:
                return await settling()
            except Unavailable as failure:
                away = failure
            except Exception as failure:  # whatever the store raises: it would raise it again
                return _not_concluded(failure)
        return _not_concluded(away)

    async def _keep(self, call: Call, reply: Reply) -> Reply:
        """Keep the rehearsal's document, link to it under the request's own base path, and give its receipt."""
        call.rehearsal_id = rehearsal_id = call.effects_id or self._new_id()
        offer = self._offers.of(call, rehearsal_id)
        document = write_document(
            call, rehearsal_id, self._ceilings.get(call.endpoint), self._scopes.get(call.endpoint, ()), offer
        )
        await self._rehearsals.put(rehearsal_id, owner_of(call), document)
        link = f'<{self._public_url}/{call.mode}/rehearsals/{rehearsal_id}>; rel="describedby"'
        receipt = [] if offer is None else [("rehearsal-receipt", offer.receipt)]
        return reply._replace(headers=[*reply.headers, ("link", link), *receipt])

    async def _end(self, call: Call, reply: Reply, problem: Problem | None, outcome: str) -> Reply:
        """Write the record and end the span."""
        if call.way != "self-test" and not await self._is_kept(call, self._recorder.of(call, reply, problem, outcome)):
            problem, outcome = Unavailable(headers={"Retry-After": "5"}), "failed"
            reply = problem_reply(problem, call.span.trace_id, call.sent, call.unknown, media=_media(call))
        self._close(call, reply, problem, outcome)
        if call.endpoint in self._ageing:
            return reply._replace(headers=[*reply.headers, *self._ageing[call.endpoint]])
        return reply

    def _close(self, call: Call, reply: Reply, problem: Problem | None, outcome: str) -> None:
        """Count what it took, and end the span."""
        mark(call, outcome)
        measure(self._telemetry, call, len(reply.body))
        call.span.end(reply.status, problem.type if problem else None)

    async def _is_kept(self, call: Call, record: Record) -> bool:
        """Write the record: on the disk before the answer where somebody's data go out, or something was changed."""
        call.recorded = True
        answers = record.outcome == "ok" and (call.endpoint.kind == "write" or self._sensitive)
        if not answers and not call.sent and not call.unknown:
            return self._is_put_down(record)
        try:
            await self._log.keep(record)
        except Exception as fault:  # whatever the sink raises: no success without its record
            return _not_kept(fault)
        return True

    def _is_put_down(self, record: Record) -> bool:
        """Write the record, which need not be on the disk yet."""
        try:
            self._log.append(record)
        except Exception as fault:  # whatever the sink raises: no success without its record
            return _not_kept(fault)
        return True


def _media(call: Call) -> str | None:
    """The type in which a GraphQL request is answered; None for any other."""
    return None if call.raw.posed is None else call.raw.posed.media


def _typed(header: tuple[str, str], media: str) -> tuple[str, str]:
    """A header of an answer to a GraphQL request: what is JSON has the type that was asked for."""
    return (header[0], in_utf8(media)) if header == JSON else header


def _not_concluded(fault: Exception) -> None:
    _log.error("an outcome could not be kept: %s", tell(fault))


def _not_kept(fault: Exception) -> Literal[False]:
    _log.error("a record could not be written: %s", tell(fault))
    return False
