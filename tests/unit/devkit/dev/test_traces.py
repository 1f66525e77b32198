import sys

import pytest

from narrows.devkit.dev.stage import _provider
from narrows.devkit.dev.traces import Bar, Traces
from narrows.devkit.dev.traces_export import provider_for
from tests.unit.pipeline import calls


async def team(team_id: int) -> calls.Team:
    """Handle one call."""


async def fails(call):
    """A step that refuses."""
    raise ZeroDivisionError


async def test_a_step_is_timed_also_when_it_refuses():
    """The step itself is not changed: what it raises is raised."""
    ticks = iter(range(0, 100_000_000, 1_000_000))
    traces = Traces(lambda: next(ticks))
    call = calls.call(calls.declared(team))
    with pytest.raises(ZeroDivisionError):
        await traces.watch(fails)(call)
    trace = traces.of(call.span.trace_id)
    [line] = trace.lines
    assert (line.kind, line.start_ms, line.took_ms, line.failed) == ("step", 0.0, 1.0, True)
    assert (trace.rates, trace.rule, trace.price, trace.sent) == ([], None, None, [])


def test_the_outer_stands_above_the_inner_and_the_oldest_is_forgotten():
    """Lines are in the order of time, and memory is bounded."""
    traces = Traces(most=2)
    traces.add("a", Bar(kind="request", name="inner", start=2_000_000, end=3_000_000))
    traces.add("a", Bar(kind="call", name="outer", start=1_000_000, end=9_000_000))
    traces.add("a", Bar(kind="step", name="first", start=1_000_000, end=2_000_000))
    assert [line.name for line in traces.of("a").lines] == ["outer", "first", "inner"]
    traces.add("b", Bar(kind="call", name="x", start=1, end=2))
    traces.add("c", Bar(kind="call", name="x", start=1, end=2))
    assert traces.of("a") is None
    assert traces.of("nothing") is None


def test_spans_become_lines():
    """A span that ends is there at once, with its kind and whether it failed."""
    from opentelemetry.trace import SpanKind, StatusCode

    traces = Traces()
    tracer = provider_for(traces).get_tracer("test")
    with tracer.start_as_current_span("GET /a", kind=SpanKind.SERVER) as outer:
        with tracer.start_as_current_span("People.team"):
            pass
        with tracer.start_as_current_span("GET /b", kind=SpanKind.CLIENT) as inner:
            inner.set_status(StatusCode.ERROR)
        trace_id = f"{outer.get_span_context().trace_id:032x}"
    found = {(line.kind, line.name, line.failed) for line in traces.of(trace_id).lines}
    assert found == {("call", "GET /a", False), ("operation", "People.team", False), ("request", "GET /b", True)}


def test_without_the_sdk_there_are_steps_alone(monkeypatch):
    """The extra `telemetry` is not needed to try a BFF."""
    monkeypatch.setitem(sys.modules, "narrows.devkit.dev.traces_export", None)
    assert _provider(Traces()) is None
