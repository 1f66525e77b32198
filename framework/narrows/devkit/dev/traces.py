"""What the last calls did and how long it took: steps, operations and requests, for the pages of `narrows dev`."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from narrows.call import Call, RateLeft
from narrows.pipeline.step import Step

Kind = Literal["call", "step", "operation", "request"]


class Bar(msgspec.Struct, kw_only=True):
    """One stretch of time in a trace; times are nanoseconds since 1970."""

    kind: Kind
    name: str
    start: int
    end: int
    failed: bool = False


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the waterfall; times are milliseconds from the beginning of the trace."""

    kind: Kind
    name: str
    start_ms: float
    took_ms: float
    failed: bool


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace as the page draws it, with what is known of its call."""

    trace_id: str
    lines: list[Line]
    rates: list[RateLeft] = []
    rule: str | None = None
    price: str | None = None
    sent: list[str] = []


class _Noted(msgspec.Struct):
    bars: list[Bar]
    call: Call | None = None


class Traces:
    """Keeps the newest traces; `watch` looks at the steps, and an exporter of spans brings the rest by `add`."""

    def __init__(self, clock: Callable[[], int] = time.time_ns, *, most: int = 200) -> None:
        self._clock = clock
        self._most = most
        self._traces: OrderedDict[str, _Noted] = OrderedDict()

    def watch(self, step: Step) -> Step:
        """A step that tells how long it took, and otherwise is the same."""
        name = _name(step)

        async def watched(call: Call) -> None:
            started, failed = self._clock(), True
            try:
                await step(call)
                failed = False
            finally:
                bar = Bar(kind="step", name=name, start=started, end=self._clock(), failed=failed)
                self.add(call.span.trace_id, bar)
                self._traces[call.span.trace_id].call = call

        return watched

    def add(self, trace_id: str, bar: Bar) -> None:
        """Note one stretch of a trace; the oldest traces are forgotten."""
        noted = self._traces.setdefault(trace_id, _Noted([]))
        noted.bars.append(bar)
        while len(self._traces) > self._most:
            self._traces.popitem(last=False)

    def of(self, trace_id: str) -> Trace | None:
        """A trace that is known."""
        noted = self._traces.get(trace_id)
        if noted is None:
            return None
        begin = min(bar.start for bar in noted.bars)
        # What begins first stands first, and of what begins together the longer: so the outer is above the inner.
        bars = sorted(noted.bars, key=lambda bar: (bar.start, -bar.end))
        lines = [
            Line(
                kind=bar.kind,
                name=bar.name,
                start_ms=round((bar.start - begin) / 1e6, 3),
                took_ms=round((bar.end - bar.start) / 1e6, 3),
                failed=bar.failed,
            )
            for bar in bars
        ]
        call = noted.call
        if call is None:
            return Trace(trace_id=trace_id, lines=lines)
        return Trace(
            trace_id=trace_id,
            lines=lines,
            rates=list(call.rates_left),
            rule=call.rule,
            price=str(call.price) if call.price else None,
            sent=[*call.sent, *call.unknown],
        )


def _name(step: Step) -> str:
    """The step that a function belongs to: `decide`, also for a function in `narrows.pipeline.decide.rules`."""
    return step.__module__.removeprefix("narrows.pipeline.").partition(".")[0]
