"""Records of calls, and the lines that they become."""

from __future__ import annotations

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.audit.line import LONGEST, json_line
from narrows.audit.log import RecordLog
from narrows.audit.record import Record, caller_hash, timestamp

KEY = bytes(range(32))


def make(**more: object) -> Record:
    """A record of a call that went well."""
    return msgspec.structs.replace(
        Record(
            time=timestamp(1_795_262_400.1234),
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
            endpoint="book",
            bff="where2eat",
            mode="live",
            way="rest",
            method="POST",
            status=201,
            outcome="ok",
            tenant="acme",
            connector="lunch",
            connector_version="3",
            purpose="Order lunch",
            caller=caller_hash(KEY, "https://as.test", "ada"),
            actors=("copilot",),
            rule="role:organiser",
            domain="team:7",
            arguments={"team_id": 7},
            hidden=("note",),
            arguments_digest="d",
            effects=("Tables.book",),
            size=12,
            price="0.05 EUR",
            duration_ms=12.345,
            peer="192.0.2.7",
            scopes_asked=("bookings:write",),
            receipt="r-1",
            idempotency="first",
        ),
        **more,
    )


def test_record_is_one_canonical_line() -> None:
    """A record becomes one line of JSON, its keys in order, whole for whoever writes it."""
    lines: list[bytes] = []
    log = RecordLog(lines.append)
    log.append(make())
    log.append(make())

    assert lines[0] == lines[1]
    assert lines[0].endswith(b"\n")
    assert lines[0].count(b"\n") == 1
    read = json.loads(lines[0])
    assert list(read) == sorted(read)
    assert read == {
        "actors": ["copilot"],
        "bff": "where2eat",
        "caller": "94978c0991cce1420c0aae98deaf765e",
        "connector": "lunch",
        "connector_version": "3",
        "purpose": "Order lunch",
        "domain": "team:7",
        "duration_ms": 12.345,
        "arguments": {"team_id": 7},
        "hidden": ["note"],
        "arguments_digest": "d",
        "effects": ["Tables.book"],
        "size": 12,
        "records": 0,
        "endpoint": "book",
        "event": "call",
        "method": "POST",
        "mode": "live",
        "outcome": "ok",
        "peer": "192.0.2.7",
        "price": "0.05 EUR",
        "problem": None,
        "rule": "role:organiser",
        "scopes_asked": ["bookings:write"],
        "scenario": None,
        "rehearsal": None,
        "decision": None,
        "receipt": "r-1",
        "idempotency": "first",
        "fields": [],
        "status": 201,
        "tenant": "acme",
        "time": "2026-11-21T12:00:00.123Z",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "way": "rest",
    }


def test_record_that_cannot_be_written_is_an_error() -> None:
    """A record that is not kept does not pass for one that is."""

    def full(line: bytes) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        RecordLog(full).append(make())


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "1970-01-01T00:00:00.000Z"), (1.5, "1970-01-01T00:00:01.500Z")])
def test_timestamp_is_rfc_3339(seconds: float, text: str) -> None:
    """Times are UTC with milliseconds, and all of one length."""
    assert timestamp(seconds) == text


def test_caller_hash_is_known() -> None:
    """The hash stays the same from release to release, or records of one person would no longer meet."""
    assert caller_hash(KEY, "https://as.test", "ada") == "94978c0991cce1420c0aae98deaf765e"


def test_caller_hash_needs_its_key() -> None:
    """Another key gives another hash, and a short key is refused."""
    assert caller_hash(KEY, "i", "s") != caller_hash(KEY[::-1], "i", "s")
    with pytest.raises(ValueError, match="16 bytes"):
        caller_hash(KEY[:15], "i", "s")


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_callers_do_not_meet(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Two pairs of issuer and subject meet only when they are the same, wherever the border between them lies."""
    assert (caller_hash(KEY, *one) == caller_hash(KEY, *other)) == (one == other)
    assert caller_hash(KEY, "a", "bc") != caller_hash(KEY, "ab", "c")


@given(st.text(st.characters(codec=None)), st.lists(st.text()))
def test_any_text_is_one_bounded_line(text: str, more: list[str]) -> None:
    """Whatever the text, the line is one, has no active character, and reads back as the text's beginning."""
    line = json_line({"text": text, "more": tuple(more)})

    written = line.decode("utf-8")
    assert written[-1] == "\n"
    assert not [c for c in written[:-1] if unicodedata.category(c) == "Cc"]
    assert not set(written) & set("\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff")
    read = json.loads(line)
    assert len(read["text"]) <= LONGEST
    assert len(read["more"]) == len(more)
    if len(text) <= LONGEST and not any(unicodedata.category(c) == "Cs" for c in text):
        assert read["text"] == text


def test_long_text_says_that_it_was_cut() -> None:
    """A text of 512 characters is whole; a longer one ends with an ellipsis."""
    whole, cut = "x" * LONGEST, "x" * (LONGEST - 1) + "…"

    assert json.loads(json_line({"text": whole})) == {"text": whole}
    assert json.loads(json_line({"text": whole + "x"})) == {"text": cut}


def test_half_of_a_pair_does_not_stop_the_line() -> None:
    """A surrogate alone, which no encoder takes, is replaced."""
    assert json_line({"text": "a\ud800b"}) == b'{"text":"a?b"}\n'


def test_other_values_stay() -> None:
    """Numbers, truth values and nothing are written as they are."""
    assert json_line({"b": True, "a": None, "c": 1.5, "d": 7}) == b'{"a":null,"b":true,"c":1.5,"d":7}\n'


async def test_without_an_audit_log_the_lines_are_all_there_is() -> None:
    """There is always room, and nothing to open or to close."""
    lines: list[bytes] = []
    log = RecordLog(lines.append)
    log.open()
    await log.start()
    await log.room()
    await log.keep(make())
    await log.close()
    assert len(lines) == 1
