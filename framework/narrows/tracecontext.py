"""Trace context as W3C wrote it, read strictly: what does not hold starts a new trace.

The sender is not trusted. A `traceparent` counts only when exactly one came and every part of it holds, a `tracestate`
only beside such a `traceparent`, and `baggage` is never read (W3C Trace Context, 3.2 and 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from opentelemetry.trace import SpanContext, TraceFlags, TraceState

Headers = Sequence[tuple[bytes, bytes]]

TRACESTATE_MEMBERS = 32
TRACESTATE_BYTES = 512

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KEY = rb"[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13}"
_MEMBER = re.compile(rb"(" + _KEY + rb")=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])")
_NEWEST = b"00"
_NO_TRACE = b"0" * 32
_NO_SPAN = b"0" * 16
_KNOWN_FLAGS = TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID


def remote_parent(headers: Headers) -> SpanContext | None:
    """Read the caller's span from headers with lower-case names; None says that a new trace starts here."""
    parent = _read(headers)
    if parent is None:
        return None
    trace_id, span_id, flags = parent
    known = TraceFlags(int(flags, 16) & _KNOWN_FLAGS)
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, known, _read_state(headers))


def remote_trace_id(headers: Headers) -> str | None:
    """Read the caller's trace id alone, in hexadecimal digits, by the same rules; much quicker than the span."""
    parent = _read(headers)
    return None if parent is None else parent[0].decode("ascii")


def _read(headers: Headers) -> tuple[bytes, bytes, bytes] | None:
    """Read the only `traceparent` as trace id, span id and flags; a newer version may have more at its end (3.2.4)."""
    values = [value for name, value in headers if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(values[0].strip(b" \t")) if len(values) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    unsound = version == b"ff" or (version == _NEWEST and more is not None)
    return None if unsound or trace_id == _NO_TRACE or span_id == _NO_SPAN else (trace_id, span_id, flags)


def _read_state(headers: Headers) -> TraceState | None:
    """Read the `tracestate` headers as one list; one bad member, a double key or too much drops all of it (3.3.1)."""
    joined = b",".join([value for name, value in headers if name == b"tracestate"])
    if not joined or len(joined) > TRACESTATE_BYTES:
        return None
    parts = [part for part in (piece.strip(b" \t") for piece in joined.split(b",")) if part]
    members: dict[str, str] = {}
    for part in parts:
        found = _MEMBER.fullmatch(part)
        if found is None:
            return None
        members[found[1].decode("ascii")] = found[2].decode("ascii")
    whole = len(members) == len(parts) and 0 < len(parts) <= TRACESTATE_MEMBERS
    return TraceState(list(members.items())) if whole else None
