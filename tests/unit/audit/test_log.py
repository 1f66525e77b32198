"""What the framework says to its operators."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_span_id, get_current_span

from narrows.audit.diagnostics import install_json_logging
from narrows.current import current
from narrows.settings import Secret, Settings
from narrows.telemetry import CallSpan, Telemetry

NAMES = ("narrows", "httpx", "httpcore", "casbin")


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """Leave the process's loggers as they were."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger, logger.level, logger.propagate, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, propagate, handlers in before:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = handlers


def _read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_message_is_one_line_of_json() -> None:
    """What a part of the framework says is one line with time, level, logger and message."""
    stream = io.StringIO()
    install_json_logging(stream)
    logging.getLogger("narrows.upstreams").warning("the breaker of %s is open", "tables")

    (line,) = _read(stream)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "narrows.upstreams", "message": "the breaker of tables is open"}


def test_line_carries_the_span_in_which_it_was_said() -> None:
    """Within an operation that is its span, else that of the call; a span of another trace is none of it."""
    stream, provider = io.StringIO(), TracerProvider(shutdown_on_exit=False)
    install_json_logging(stream)
    telemetry = Telemetry.build(Settings(public_url="https://bff.test"), tracer_provider=provider)
    span = telemetry.start_call("GET", [])
    token = current.set(SimpleNamespace(span=span))
    log = logging.getLogger("narrows")
    try:
        log.info("in the call")
        with span.child("Tables.book"):
            log.info("in the operation")
            inner = format_span_id(get_current_span().get_span_context().span_id)
        with provider.get_tracer("other").start_as_current_span("of another trace"):
            log.info("beside it")
    finally:
        current.reset(token)
        provider.shutdown()

    assert [line["span_id"] for line in _read(stream)] == [span.span_id, inner, span.span_id]
    assert inner != span.span_id
    assert {line["trace_id"] for line in _read(stream)} == {span.trace_id}


def test_line_carries_the_trace_of_its_call() -> None:
    """Within a call a line has its trace id."""
    stream = io.StringIO()
    install_json_logging(stream)
    token = current.set(SimpleNamespace(span=CallSpan("ab" * 16)))
    try:
        logging.getLogger("narrows").info("inside")
    finally:
        current.reset(token)
    logging.getLogger("narrows").info("outside")

    assert [line.get("trace_id") for line in _read(stream)] == ["ab" * 16, None]
    assert not any("span_id" in line for line in _read(stream))


def test_error_tells_kind_and_way_but_no_value() -> None:
    """An error is its kind, its text and the frames it went through, without source lines and causes."""
    stream = io.StringIO()
    install_json_logging(stream)
    canary = "canary"
    try:
        try:
            raise KeyError(canary)
        except KeyError:
            raise RuntimeError("it failed")  # noqa: B904 - the context is what must not be written
    except RuntimeError:
        logging.getLogger("narrows").exception("the handler failed")

    (line,) = _read(stream)
    assert line["error"] == "RuntimeError: it failed"
    assert line["stack"][-1].endswith("test_error_tells_kind_and_way_but_no_value")
    assert "canary" not in stream.getvalue()


def test_no_error_is_no_error() -> None:
    """`exc_info` outside an error adds nothing."""
    stream = io.StringIO()
    install_json_logging(stream)
    logging.getLogger("narrows").error("said", exc_info=True)

    assert "error" not in _read(stream)[0]


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcDEF123456",
        "authorization: bearer  abcDEF123456==",
        "Basic YWRhOmNhbmFyeQ==",
        "DPoP abc.def-ghi",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln",
        "token=eyJhbGciOiJSUzI1NiJ9..c2ln.",
        f"Bearer {'a' * 2000}",
    ],
)
def test_tokens_are_masked(text: str) -> None:
    """What looks like a token is masked, in messages and in errors, before anything is cut."""
    stream = io.StringIO()
    install_json_logging(stream)
    try:
        raise ValueError(f"Illegal header value {text!r}")
    except ValueError:
        logging.getLogger("narrows").exception("%s", "x" * 500 + " " + text)

    for part in ("abc", "YWR", "eyJ", "c2ln", "aaaa"):
        assert part not in stream.getvalue().replace("abcde", "")


def test_secrets_of_the_settings_are_masked() -> None:
    """A secret that is named at start is masked wherever it stands, and a `Secret` masks itself."""
    stream = io.StringIO()
    secrets = [Secret("canary"), Secret("canary-longer"), Secret("abc"), Secret("")]
    install_json_logging(stream, secrets=secrets)
    logging.getLogger("narrows").info("%s and %s: canary-longer, xcanaryx, abc", Secret("other"), [Secret("third")])

    assert _read(stream)[0]["message"] == "Secret(***) and [Secret(***)]: ***, x***x, abc"


def test_arguments_that_do_not_fit_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A message with wrong arguments is written without them, and not to the console."""
    stream = io.StringIO()
    install_json_logging(stream)
    logging.getLogger("narrows").info("%d places", "canary")

    assert _read(stream)[0]["message"] == "%d places"
    assert capsys.readouterr().err == ""


def test_broken_stream_stays_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """A stream that is away loses the line; it is not printed elsewhere in clear."""
    stream = io.StringIO()
    install_json_logging(stream)
    stream.close()
    logging.getLogger("narrows").info("canary")

    assert capsys.readouterr() == ("", "")


def test_root_hears_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The lines go to the stream alone; the root logger is not touched."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    stream = io.StringIO()
    install_json_logging(stream)
    logging.getLogger("narrows").error("said")

    assert caplog.records == []
    assert (root.level, root.handlers) == (level, handlers)


def test_libraries_that_write_requests_are_kept_quiet(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """httpx writes URLs and casbin each denied request; neither comes out, not even by the last resort."""
    stream = io.StringIO()
    install_json_logging(stream)
    for name in ("httpx", "httpcore.http11", "casbin.enforcer"):
        logging.getLogger(name).error("canary")

    assert stream.getvalue() == ""
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_second_installation_replaces_the_first() -> None:
    """Installing twice gives one line, at the second's level, and leaves handlers of others alone."""
    first, second = io.StringIO(), io.StringIO()
    other = logging.NullHandler()
    logging.getLogger("narrows").addHandler(other)
    logging.getLogger("casbin").addHandler(other)
    install_json_logging(first)
    handler = install_json_logging(second, level=logging.WARNING)
    logging.getLogger("narrows").info("too little")
    logging.getLogger("narrows").warning("said")

    assert first.getvalue() == ""
    assert [line["message"] for line in _read(second)] == ["said"]
    assert logging.getLogger("narrows").handlers == [other, handler]
    assert logging.getLogger("casbin").handlers.count(other) == 1
