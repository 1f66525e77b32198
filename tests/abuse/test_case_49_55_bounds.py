"""Cases 49 to 51, 54 and 55 through the whole application: times, leaks, memory, patterns and log lines."""

from __future__ import annotations

import asyncio
import gzip
import importlib
import io
import json
import logging
import pkgutil
import re
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import narrows
from examples.where2eat.staff import people
from narrows.audit.diagnostics import install_json_logging
from narrows.declare import types
from tests.abuse.attack import JSON, ask, mirrored, post, to_upstreams
from tests.abuse.sockets import answer, upstream
from tests.flow.world import World, world

BOOKINGS = "/teams/7/bookings"
NEW = {"place_id": "node-1", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}


EXTREMES = ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2025-12-24t12:00:00z", "2025-12-31T23:59:60Z"]


async def test_case_49_a_moment_at_the_end_of_time_is_no_fault() -> None:
    """A moment that no calendar can hold in UTC ends in a refusal of somebody, never in a 500."""
    async with world() as w:
        for text in EXTREMES:
            for prefix in ("", "/rehearse", "/sandbox"):
                token = w.token()
                got = await post(w.app, prefix + BOOKINGS, {**NEW, "starts_at": text}, token=token)
                assert got.status != 500, (prefix, text, got)
                query = text.replace("+", "%2B")
                read = await ask(w.app, f"{prefix}/teams/7/dining-suggestions?open_at={query}", token=token)
                assert read.status != 500, (prefix, text, read)
            w.clock.move(61)


async def test_case_50_what_an_upstream_sends_beyond_its_type_goes_nowhere() -> None:
    """Salaries, addresses and cards stand in no answer, record or rehearsal, but for names of fields in the last."""
    async with world() as w:
        bodies = []
        for prefix in ("", "/rehearse"):
            bodies.append((await ask(w.app, f"{prefix}/teams/7/dining-suggestions", token=w.token())).body)
            bodies.append((await post(w.app, f"{prefix}{BOOKINGS}", NEW, token=w.token())).body)
            bodies.append((await ask(w.app, f"{prefix}{BOOKINGS}", token=w.token())).body)
        listed = await ask(w.app, "/rehearsals", token=w.token())
        bodies += [listed.body, *w.records.lines]
        everything = b"\n".join(bodies).decode()
        assert "salary" in listed.body.decode()
        for one in people():
            for secret in (one.home_address, one.iban, one.email, one.private_phone, one.personnel_number, one.name):
                assert secret not in everything
        for secret in ("0000 0000 0000 0000", 'internal_margin":', 'no_show_score":', '0.17"'):
            assert secret not in everything


# --- sizes ----------------------------------------------------------------------------------------------------------

PIECE = b"x" * 65_536
ELEVEN = 11 * 1024 * 1024


def pieces() -> Iterator[bytes]:
    """Eleven megabytes, one piece at a time."""
    for _ in range(ELEVEN // len(PIECE)):
        yield PIECE


MULTIPART = (
    b"".join(b'--b\r\nContent-Disposition: form-data; name="a%d"\r\n\r\nx\r\n' % n for n in range(10_000))
    + b"--b--\r\n"
)
BOMB = gzip.compress(b" " * 60_000_000)


@pytest.fixture
def growth() -> Iterator[Any]:
    """Tells the most memory that Python had taken since the test began, in bytes."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    yield lambda: tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()


async def test_case_51_large_and_packed_bodies_are_refused_without_taking_memory(growth: Any) -> None:
    """11 MB with and without a length, gzip, multipart, other types: 413 or 415, and less than 50 MB of memory."""
    async with world() as w:
        token = w.token()
        typed = {"json": JSON, "gzip": [*JSON, ("content-encoding", "gzip")]}
        long = [("content-length", str(ELEVEN))]
        chunked = [("transfer-encoding", "chunked")]
        multipart = [("content-type", "multipart/form-data; boundary=b")]
        attempts: list[tuple[int, list[tuple[str, str]], Any]] = [
            (413, [*typed["json"], *long], pieces()),
            (413, [*typed["json"], *chunked], pieces()),
            (413, typed["json"], pieces()),
            (415, typed["gzip"], BOMB),
            (415, [*JSON, ("content-encoding", "identity")], b"{}"),
            (415, [*JSON, ("content-encoding", "br")], b"{}"),
            (413, multipart, MULTIPART),
            (415, multipart, MULTIPART[:60_000]),
            (415, [("content-type", "application/x-www-form-urlencoded")], b"a=1"),
            (415, [("content-type", "text/plain")], b"{}"),
            (415, [("content-type", "application/json; charset=utf-16")], b"{}"),
            (415, [("content-type", "application/json"), ("content-type", "text/plain")], b"{}"),
            (415, [], b"{}"),
            (415, [("content-type", "application/jsonp")], b"{}"),
            (400, [*JSON, ("content-length", "-1")], b"{}"),
            (400, [*JSON, ("content-length", "1"), ("content-length", "2")], b"{}"),
            (413, [*JSON, ("content-length", "9" * 40)], b"{}"),
        ]
        for status, headers, body in attempts:
            w.clock.move(61)
            got = await ask(w.app, BOOKINGS, "POST", token=w.token(), headers=headers, body=body)
            assert got.status == status, (headers, got)
        assert (await ask(w.app, BOOKINGS, token=token, headers=long, body=pieces())).status in (400, 413)
        assert to_upstreams(w) == []
    assert growth() < 50_000_000


async def test_case_51_no_body_is_read_before_the_caller_is_known() -> None:
    """Without a valid token not one piece of a body is taken from the connection."""
    async with world() as w:
        taken = []

        def counted() -> Iterator[bytes]:
            for piece in pieces():
                taken.append(len(piece))
                yield piece

        for token in (None, "a.b.c", w.token(scope="dining:read")):
            got = await ask(w.app, BOOKINGS, "POST", token=token, headers=JSON, body=counted())
            assert got.status in (401, 403)
        assert taken == []


async def test_case_51_large_answers_of_an_upstream_are_cut_off(growth: Any) -> None:
    """A gzip bomb, a huge length and a stream without an end: 502, and less than 50 MB of memory."""

    async def bomb(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(BOMB, "200 OK", "Content-Encoding: gzip"))

    async def length(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n[")

    async def endless(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + PIECE + b"\r\n")
            await writer.drain()

    async def headers(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-A: " + PIECE[:1000] + b"\r\n")
            await writer.drain()

    for behave in (bomb, length, endless, headers):
        async with upstream(behave) as site:
            where = {"tables": {"url": f"http://{site.netloc}"}}
            async with world(hosts={site.netloc: site.transport}, upstreams=where) as w:
                got = await ask(w.app, BOOKINGS, token=w.token())
                assert (got.status, got.kind) == (502, "upstream-failed")
    assert growth() < 50_000_000


@pytest.mark.parametrize(
    "filling",
    [b"{}," * 1_300_000 + b"{}", b",".join(b'{"k%d":1}' % n for n in range(300_000)), b"[" * 900 + b"]" * 900],
)
async def test_case_51_a_rehearsal_of_a_large_answer_takes_no_more_than_it(growth: Any, filling: bytes) -> None:
    """To name what narrowing left out of four megabytes does not take thirty times as much memory."""
    async with mirrored() as (w, host):
        host.body = b'{"name":"x","more":[' + filling + b"]}"
        for prefix in ("", "/rehearse"):
            assert (await ask(w.app, f"{prefix}/things/x", token=w.token())).status == 200
        (listed,) = msgspec.json.decode((await ask(w.app, "/rehearsals", token=w.token())).body)
        assert listed["left_out"][0].startswith("Mirror.thing")
    assert growth() < 50_000_000


async def test_case_51_a_small_request_makes_no_large_answer() -> None:
    """Eight kilobytes of unknown parameters or fields are not answered with a megabyte of complaints."""
    async with world() as w:
        query = await ask(w.app, f"{BOOKINGS}?" + "&".join(f"{n:x}" for n in range(1600)), token=w.token())
        assert query.status == 400
        assert len(query.body) < 20_000
        many = await post(w.app, BOOKINGS, {f"{n:x}": 1 for n in range(5000)}, token=w.token())
        assert many.status == 400
        assert len(many.body) < 20_000
        names = await post(w.app, BOOKINGS, {"n" * 500 + f"{n:x}": 1 for n in range(100)}, token=w.token())
        assert names.status == 400
        assert len(names.body) < 30_000


# --- patterns -------------------------------------------------------------------------------------------------------

CORES = [
    "a",
    "A",
    "0",
    " ",
    "-",
    ".",
    "/",
    "%",
    "%2",
    "%25",
    "\\",
    '"',
    "=",
    ",",
    ";",
    ":",
    "@",
    "_",
    "aA0",
    "a.",
    "a-",
    "a ",
    "eyJ",
]
CORES += ["bearer ", "a=b,", "/a", "\t", "\n", "\u00e4", "{", "a{b}"]
ENDS = ["", "!", "\n", "\x00", "\u2028", "a!"]


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every pattern of the framework, wherever it stands in a module, and those of the ready types."""
    found: dict[str, re.Pattern[Any]] = {}
    # A command would run when it is imported.
    named = (module.name for module in pkgutil.walk_packages(narrows.__path__, "narrows."))
    for module in (name for name in named if not name.endswith(".__main__")):
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, re.Pattern):
                found[f"{module}.{name}"] = value
    for name, value in vars(types).items():
        for meta in getattr(value, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.pattern:
                found[f"types.{name}"] = re.compile(meta.pattern)
    return found


def test_case_54_no_pattern_of_ours_can_be_made_slow() -> None:
    """Eight thousand characters of whatever a pattern likes, with an end that it does not: less than 50 ms each."""
    found = patterns()
    assert {"types.Id", "types.Currency", "narrows.pipeline.receive._PATH"} <= set(found)
    slow = []
    for name, pattern in found.items():
        for core in CORES:
            for end in ENDS:
                text: Any = core * (8000 // len(core)) + end
                if isinstance(pattern.pattern, bytes):
                    text = text.encode()
                if took(pattern, text) > 0.05 and min(took(pattern, text) for _ in range(5)) > 0.05:
                    slow.append((name, core, end))
    assert not slow


def took(pattern: re.Pattern[Any], text: Any) -> float:
    """How long a pattern works on a text, in seconds."""
    began = time.thread_time()
    pattern.fullmatch(text)
    return time.thread_time() - began


def test_case_54_the_ready_types_say_no_to_a_trailing_line_break() -> None:
    """`$` of Python also matches before a last line break; the ready types do not."""
    for name, pattern in patterns().items():
        if name.startswith("types."):
            assert pattern.search("AAA")
            assert not pattern.search("AAA\n")


# --- log lines ------------------------------------------------------------------------------------------------------

LINES = [
    'x\n{"event":"call","outcome":"ok"}',
    "x\r\x1b[2K\x1b[1A",
    "\x9b31m",
    "A" * 1_000_000,
    "\u2028".encode().decode("latin-1"),
    '","outcome":"ok","x":"',
]


@pytest.fixture
def diagnostics() -> Iterator[io.StringIO]:
    """What the framework says to its operators, as JSON lines."""
    names = ("narrows", "httpx", "httpcore", "casbin")
    before = [(logging.getLogger(n), logging.getLogger(n).propagate, logging.getLogger(n).handlers[:]) for n in names]
    level = logging.getLogger("narrows").level
    stream = io.StringIO()
    install_json_logging(stream, level=logging.DEBUG)
    yield stream
    for logger, propagate, handlers in before:
        logger.propagate, logger.handlers[:] = propagate, handlers
    logging.getLogger("narrows").setLevel(level)


async def test_case_55_a_hostile_request_is_one_plain_record(diagnostics: io.StringIO) -> None:
    """In method, user agent, token, peer or path: each request ends in one short line of JSON, and no log has more."""
    async with world() as w:
        for evil in LINES:
            before = len(calls(w))
            await ask(w.app, "/health", evil[:3000])
            await ask(w.app, BOOKINGS, token=w.token(), headers=[("user-agent", evil)])
            await ask(w.app, BOOKINGS, token=evil)
            await ask(w.app, BOOKINGS, token=w.token(), peer=evil)
            await ask(w.app, BOOKINGS, token=w.token(), headers=[("traceparent", evil), ("x-request-id", evil)])
            await ask(w.app, f"/{evil[:3000]}", token=w.token())
            assert len(calls(w)) - before == 6
        check_lines(w, diagnostics)


def calls(w: World) -> list[dict[str, Any]]:
    """The records of calls; tokens that were obtained for them have records beside them."""
    return [record for record in w.records.all() if record["event"] == "call"]


def check_lines(w: World, diagnostics: io.StringIO) -> None:
    """One line each, short, plain, and JSON."""
    for line in [*w.records.lines, *diagnostics.getvalue().encode().splitlines(keepends=True)]:
        assert line.endswith(b"\n")
        assert len(line) < 4000
        assert not re.search(rb"[\x00-\x1f\x7f]", line[:-1])
        assert len(line.decode().splitlines()) == 1
        json.loads(line)
