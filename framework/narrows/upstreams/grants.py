"""The record of each token that an authorization server was asked for."""

from __future__ import annotations

from narrows.audit.events import Event
from narrows.audit.log import RecordLog
from narrows.audit.record import timestamp
from narrows.call import Call
from narrows.current import current
from narrows.upstreams.dialects import Ask, Issued
from narrows.upstreams.token_cache import Denied


def put_down(log: RecordLog, now: float, issuer: str, ask: Ask, became: Issued | Denied) -> None:
    """Record what became of a request; what it was for stands in the record of the call, under the same trace id.

    `issuer` is its name in the settings. Raises what the log raises.
    """
    what = "made" if isinstance(became, Issued) else "refused" if became.clear else "failed"
    call = current.get(None)
    known = call if isinstance(call, Call) else None
    connector = known.connector if known else None
    named = known.named if known and ask.credential is not None else None
    log.append(
        Event(
            time=timestamp(now),
            event="grant",
            what=what,
            bff=known.endpoint.bff if known else "",
            tenant=connector.tenant if connector else None,
            connector=connector.id if connector else None,
            connector_version=connector.version if connector else None,
            caller=named.hash if named else None,
            endpoint=known.endpoint.id if known else None,
            trace_id=known.span.trace_id if known else None,
            audience=ask.audience,
            scopes=tuple(sorted(ask.scopes)),
            by=issuer,
        )
    )
