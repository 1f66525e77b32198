"""What the framework itself has to say to its operators: the logger `narrows` as lines of JSON.

A second fence stands here against secrets in texts of errors: what looks like a token, and each secret of the settings
that is named at start, is masked in whatever is written.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from typing import TextIO

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

from narrows.audit.line import Text, json_line
from narrows.audit.record import timestamp
from narrows.current import current
from narrows.settings import Secret
from narrows.telemetry import CallSpan

MASK = "***"

# These write whole URLs with their queries and, at each denial, the request's values in clear.
_QUIET = ("httpx", "httpcore", "casbin")
_FRAMES = 32
_SHORTEST_SECRET = 4
_TOKEN = re.compile(r"\beyJ[\w-]{4,}(?:\.[\w-]*)*|(?i:\b(?:bearer|basic|dpop)\s+)[\w.~+/=-]{6,}")


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON with the ids of trace and span of the call that runs.

    An error gives its kind, its masked text and where it went through, but no source line and no value.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        # The longest first, so that a secret that is a part of another does not leave the rest of it in sight.
        found = {secret.reveal() for secret in secrets}
        self._secrets = sorted((text for text in found if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        document: dict[str, Text | tuple[str, ...]] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._mask(_message(record)),
        }
        call = current.get(None)
        if call is not None:
            document["trace_id"] = call.span.trace_id
            document |= _span(call.span)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            document["error"] = self._mask(f"{type(error).__qualname__}: {error}")
            document["stack"] = _stack(error)
        return json_line(document).decode("utf-8").removesuffix("\n")

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _TOKEN.sub(MASK, text)


class JsonHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream, and is silent about a stream that cannot be written to."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Do nothing: the method that this replaces prints the message and its arguments in clear."""


def install_json_logging(
    stream: TextIO, *, secrets: Iterable[Secret] = (), level: int = logging.INFO
) -> logging.Handler:
    """Send what the logger `narrows` says to a stream as JSON, and to nobody else; `secrets` are masked everywhere.

    The root logger stays as it is. Loggers that write requests in clear (httpx, httpcore, casbin) are kept from it. A
    second call replaces the handler of the first.
    """
    handler = JsonHandler(stream)
    handler.setFormatter(JsonFormatter(secrets))
    logger = logging.getLogger("narrows")
    for old in [old for old in logger.handlers if isinstance(old, JsonHandler)]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    for name in _QUIET:
        quiet = logging.getLogger(name)
        quiet.propagate = False
        if not quiet.handlers:
            quiet.addHandler(logging.NullHandler())
    return handler


def _span(of: CallSpan) -> dict[str, str]:
    """The span that runs: that of an operation, which is of the call's trace, or that of the call; or there is none."""
    inner = get_current_span().get_span_context()
    if format_trace_id(inner.trace_id) == of.trace_id and inner.span_id:
        return {"span_id": format_span_id(inner.span_id)}
    return {} if of.span_id is None else {"span_id": of.span_id}


def _message(record: logging.LogRecord) -> str:
    """The message; one whose arguments do not fit is given without them."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _stack(error: BaseException) -> tuple[str, ...]:
    """Where an error went through, the innermost frames last."""
    frames = traceback.extract_tb(error.__traceback__, limit=-_FRAMES)
    return tuple(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
