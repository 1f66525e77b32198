import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from examples.where2eat.people import people_app

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def exporter():
    """Where the spans end up."""
    return InMemorySpanExporter()


@pytest.fixture
def traced(people, issuer, clock, exporter):
    """The directory, with spans."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    people.app = people_app("https://issuer.test", issuer.transport, clock, provider)
    return people


async def test_the_span_continues_the_callers_trace(traced, exporter):
    """A request that carries a trace context becomes a child in that trace, named by its template."""
    await traced.get("/teams/7/membership", headers={"traceparent": PARENT, "tracestate": "a=b"})
    (span,) = exporter.get_finished_spans()
    assert span.name == "GET /teams/{team_id}/membership"
    assert span.kind is SpanKind.SERVER
    assert format(span.context.trace_id, "032x") == TRACE
    assert format(span.parent.span_id, "016x") == "b7ad6b7169203331"
    assert span.context.trace_state == {"a": "b"}
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/teams/{team_id}/membership",
        "http.response.status_code": 200,
    }
    assert traced.app.state.received[0]["trace_id"] == TRACE


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-nonsense"}])
async def test_without_a_context_a_trace_begins(traced, exporter, headers):
    """A missing or broken context is no error: the service starts a trace of its own."""
    await traced.get("/teams/7", headers=headers)
    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert traced.app.state.received[0]["trace_id"] == format(span.context.trace_id, "032x")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [("GET", "/secret/4711", "GET"), ("POST", "/teams/7", "POST"), ("BREW", "/teams/7", "_OTHER")],
)
async def test_no_span_is_named_by_what_a_caller_can_choose(traced, exporter, method, path, name):
    """Paths without a route and odd methods add no names, so that telemetry stays bounded."""
    await traced.call(method, path)
    (span,) = exporter.get_finished_spans()
    assert span.name in {name, f"{name} /teams/{{team_id}}"}
    assert "4711" not in str(span.attributes)


async def test_a_fault_marks_the_span(traced, exporter):
    """A 5xx is an error of the span, a 4xx is not, and neither puts a stack into it."""
    await traced.get("/teams/99")
    traced.app.state.tokens = None
    await traced.get("/teams/7")
    absent, fault = exporter.get_finished_spans()
    assert (absent.status.status_code, fault.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert absent.events == fault.events == ()


async def test_without_a_provider_the_context_is_passed_on(people):
    """Untraced, the service still knows which trace a request belongs to."""
    await people.get("/teams/7", headers={"traceparent": PARENT})
    assert people.app.state.received[0]["trace_id"] == TRACE
