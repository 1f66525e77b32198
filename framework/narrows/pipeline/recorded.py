"""What a call leaves behind for others: its record in the audit log, and what its span says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from narrows.audit.persons import arguments_digest
from narrows.audit.record import Record, timestamp
from narrows.audit.redaction import Redactor, Told, written
from narrows.call import Asked, Call, Mode, Reply, Way
from narrows.declare.endpoint import Endpoint
from narrows.errors import Problem
from narrows.pipeline.outgoing import records_in

_NOTHING = Told({}, [])


class Recorder:
    """Writes down calls that have ended, and requests that never became one. `redactors` are made once, at start."""

    def __init__(self, redactors: Mapping[Endpoint, Redactor], now: Callable[[], float]) -> None:
        self._redactors = redactors
        self._now = now

    def of(self, call: Call, reply: Reply, problem: Problem | None, outcome: str) -> Record:
        """The record of a call."""
        caller, connector, told = call.caller, call.connector, self._told(call)
        return Record(
            time=timestamp(call.started),
            trace_id=call.span.trace_id,
            endpoint=call.endpoint.id,
            bff=call.endpoint.bff,
            mode=call.mode,
            way=call.way,
            # A document that queries can also be asked for by POST.
            method=call.raw.posed.method if call.raw.posed else call.endpoint.method,
            status=reply.status,
            outcome=outcome,
            problem=problem.type if problem else None,
            tenant=connector.tenant if connector else None,
            connector=connector.id if connector else None,
            connector_version=connector.version if connector else None,
            purpose=(connector.purpose or None) if connector else None,
            caller=call.named.hash if call.named else None,
            actors=caller.actors if caller else (),
            rule=call.rule,
            domain=call.domain,
            arguments=told.shown,
            hidden=tuple(told.hidden),
            arguments_digest=_digest(call),
            effects=(*call.sent, *call.unknown, *(effect.operation for effect in call.effects)),
            size=len(reply.body),
            records=records_in(call.answer) if outcome == "ok" else 0,
            price=str(call.price) if call.price else None,
            duration_ms=round(max(0.0, self._now() - call.started) * 1000, 3),
            peer=call.raw.peer,
            scopes_asked=tuple(sorted(call.scopes_asked)),
            scenario=call.scenario,
            rehearsal=call.rehearsal_id,
            decision=call.decision,
            receipt=call.commitment.receipt if call.commitment else None,
            idempotency=_idempotency(call),
            fields=tuple(map(_field, call.children)),
        )

    def uncalled(
        self, trace_id: str, method: str, peer: str, problem: Problem, mode: Mode, way: Way = "rest"
    ) -> Record:
        """The record of a request that never became a call."""
        return Record(
            time=timestamp(self._now()),
            trace_id=trace_id,
            endpoint="",
            bff="",
            mode=mode,
            way=way,
            method=method[:16],
            status=problem.status,
            outcome=outcome_of(problem),
            problem=problem.type,
            duration_ms=0.0,
            peer=peer,
        )

    def _told(self, call: Call) -> Told:
        """What the record says of the arguments; nothing of those that do not hold what their types say."""
        redactor = self._redactors.get(call.endpoint) if call.decoded else None
        return redactor.tell(call.arguments) if redactor is not None else _NOTHING


def mark(call: Call, outcome: str) -> None:
    """Tell the span who called what, by which rule, and how it ended."""
    span, connector = call.span, call.connector
    span.set("narrows.outcome", outcome)
    if call.named is not None:
        span.set("narrows.caller", call.named.hash)
    if connector is not None:
        span.set("narrows.tenant", connector.tenant)
        span.set("narrows.connector", connector.id)
        span.set("narrows.connector.version", connector.version)
        span.set("narrows.purpose", connector.purpose)
    if call.rule is not None:
        span.set("narrows.rule", _without_id(call.rule, call))
    if call.price is not None:
        span.set("narrows.price", str(call.price))
    if call.children:
        # Of each field how it ended; which object it was about stands in the record alone.
        span.set("narrows.fields", ", ".join(f"{child.endpoint.id} {child.outcome}" for child in call.children))


def outcome_of(problem: Problem) -> str:
    """How a call ended that ended in a problem."""
    if problem.status >= 500:
        return "failed"
    return "denied" if problem.status in (401, 403) else "refused"


def _digest(call: Call) -> str | None:
    """The digest of what was sent; nothing was where an endpoint takes nothing."""
    if call.named is None or not call.decoded or not call.arguments:
        return None
    return arguments_digest(call.named, written(call.arguments))


def _field(child: Asked) -> dict[str, str]:
    """What is told of one field of a document."""
    problem = child.problem.type if child.problem is not None else None
    told = {"rule": child.rule, "domain": child.domain, "problem": problem}
    known = {name: text for name, text in told.items() if text is not None}
    return {"endpoint": child.endpoint.id, "outcome": child.outcome, **known}


def _idempotency(call: Call) -> Literal["first", "replayed"] | None:
    """Whether a call with an idempotency key was carried out or answered from the store."""
    if call.replayed:
        return "replayed"
    return "first" if call.commitment is not None and call.commitment.attempt.key is not None else None


def _without_id(rule: str, call: Call) -> str:
    """The rule with its domain as it is declared: `team:{team_id}`, because a trace holds no object's id."""
    within = call.endpoint.within
    return rule.replace(call.domain, within) if call.domain and within else rule
