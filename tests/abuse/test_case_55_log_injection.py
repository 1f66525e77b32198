"""Case 55: a newline, an ANSI sequence or a megabyte in what a client sends makes one escaped, cut line."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from narrows.audit.diagnostics import JsonHandler, install_json_logging
from narrows.audit.log import RecordLog
from narrows.audit.record import Record, timestamp

EVIL = [
    'x\n{"event":"call","outcome":"ok","endpoint":"forged"}',
    "x\r\x1b[2K\x1b[1Aall is well",
    "\x9b31mred\x9b0m",
    "x\u2028y\u2029z\u0085w\x0b\x0c",
    "safe\u202egnp.exe\u2066\u2069\u061c\u200f",
    "\x00\x07\x08\x7f",
    "A" * 1_000_000,
    "\U0001f4a9" * 1_000_000,
    "\ud800",
    '","outcome":"ok","x":"',
]
PLAIN = re.compile(rb"[^\x00-\x1f\x7f]*")


@pytest.fixture
def diagnostics() -> Iterator[io.StringIO]:
    """The stream of the logger `narrows`, which is put back after the test."""
    names = ("narrows", "httpx", "httpcore", "casbin")
    before = [(logging.getLogger(n), logging.getLogger(n).propagate, logging.getLogger(n).handlers[:]) for n in names]
    level = logging.getLogger("narrows").level
    stream = io.StringIO()
    install_json_logging(stream)
    yield stream
    for logger, propagate, handlers in before:
        logger.propagate, logger.handlers[:] = propagate, handlers
    logging.getLogger("narrows").setLevel(level)


def without_capture() -> None:
    """Take the test runner's own capture off the logger: it hands texts on to other processes, which a lone surrogate
    cannot be handed to."""
    logger = logging.getLogger("narrows")
    logger.handlers[:] = [handler for handler in logger.handlers if isinstance(handler, JsonHandler)]


def check(line: bytes) -> None:
    """One short line of JSON on which no terminal and no reader acts."""
    assert line.endswith(b"\n")
    assert len(line) < 20_000
    assert PLAIN.fullmatch(line[:-1])
    text = line.decode("utf-8")
    assert len(text.splitlines()) == 1
    assert not re.search("[\u0080-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", text)
    json.loads(line)


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_case_55_record_of_an_evil_request_is_one_line(evil: str) -> None:
    """Wherever a client's text gets into a record, the record stays one line with its own outcome."""
    lines: list[bytes] = []
    RecordLog(lines.append).append(
        Record(
            time=timestamp(0.0),
            trace_id="0" * 32,
            endpoint="unmatched",
            bff="where2eat",
            mode="live",
            way="rest",
            method=evil,
            status=404,
            outcome="refused",
            connector_version=evil,
            actors=(evil, evil),
            arguments={"team": evil},
            hidden=(evil,),
            duration_ms=0.1,
            peer=evil,
        )
    )

    (line,) = lines
    check(line)
    assert json.loads(line)["outcome"] == "refused"
    assert json.loads(line)["endpoint"] == "unmatched"


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
def test_case_55_message_with_an_evil_user_agent_is_one_line(evil: str, diagnostics: io.StringIO) -> None:
    """A message and an error that repeat what a client sent are one line together."""
    without_capture()
    try:
        raise ValueError(evil)
    except ValueError:
        logging.getLogger("narrows.surfaces").exception("user agent %s", evil)

    check(diagnostics.getvalue().encode("utf-8"))
