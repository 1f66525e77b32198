"""Strict reading of the caller's trace context."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags

from narrows.tracecontext import remote_parent, remote_trace_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
SOUND = f"00-{TRACE}-{SPAN}-01"


def _parent(*values: str, state: tuple[str, ...] = ()) -> SpanContext | None:
    headers = [(b"host", b"bff.test")]
    headers += [(b"traceparent", value.encode("latin-1")) for value in values]
    headers += [(b"tracestate", value.encode("latin-1")) for value in state]
    context = remote_parent(headers)
    assert remote_trace_id(headers) == (None if context is None else f"{context.trace_id:032x}")
    return context


def _kept(*state: str) -> dict[str, str]:
    context = _parent(SOUND, state=state)
    assert context is not None
    return dict(context.trace_state)


def test_sound_header_gives_the_callers_span() -> None:
    """A sound header is taken over whole, as a remote span."""
    context = _parent(SOUND)

    assert context == SpanContext(int(TRACE, 16), int(SPAN, 16), True, TraceFlags(1))
    assert context is not None
    assert context.is_remote
    assert context.trace_flags == 1


def test_space_around_the_header_does_not_count() -> None:
    """Space around a header's value belongs to HTTP, not to the value."""
    assert _parent(f" \t{SOUND} ") == _parent(SOUND)


def test_unknown_flags_are_cleared() -> None:
    """Of the flags only sampled and random go on (W3C Trace Context, 3.2.2.5)."""
    context = _parent(f"00-{TRACE}-{SPAN}-ff")

    assert context is not None
    assert context.trace_flags == 3


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        SOUND.upper(),
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-0g",
        f"0-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"{SOUND}\n",
        f"{SOUND},{SOUND}",
        f"00-{TRACE}-{SPAN}-\u00b9\u00b2",
        "0" * 1_000_000,
    ],
)
def test_unsound_header_starts_a_new_trace(value: str) -> None:
    """Whatever is not exactly a traceparent counts as none."""
    assert _parent(value, state=("a=1",)) is None


def test_newer_version_may_be_longer() -> None:
    """A version that is not known yet is read as far as it is known (3.2.4)."""
    assert _parent(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") == _parent(SOUND)
    assert _parent(f"cc-{TRACE}-{SPAN}-01") == _parent(SOUND)


def test_two_headers_start_a_new_trace() -> None:
    """Two traceparents are a trick or a fault, also when they say the same."""
    assert _parent(SOUND, SOUND) is None


def test_no_header_starts_a_new_trace() -> None:
    """Without traceparent the tracestate means nothing."""
    assert _parent(state=("a=1",)) is None


def test_tracestate_is_taken_in_its_order() -> None:
    """Several tracestate headers are one list, and empty members are nothing (3.3.1)."""
    assert list(_kept("b=2, ,a=1", "\tc=3").items()) == [("b", "2"), ("a", "1"), ("c", "3")]


def test_tracestate_of_sound_members_is_kept() -> None:
    """Every form of key and value that the grammar allows goes through."""
    assert _kept("t@v=x y", "0t@v=!,z_-*/9=~") == {"t@v": "x y", "0t@v": "!", "z_-*/9": "~"}


@pytest.mark.parametrize(
    "state",
    [
        ("",),
        (" , ,",),
        ("a",),
        ("a=",),
        ("=1",),
        ("A=1",),
        ("0a=1",),
        ("a =1",),
        ("a=1,a=2",),
        ("a=1", "a=1"),
        ("a=1=2",),
        ("a=1", "B"),
        ("a@=1",),
        ("@v=1",),
        ("a@V=1",),
        ("a@0v=1",),
        ("a@b@c=1",),
        (f"t@{'v' * 15}=1",),
        ("a=\u00e9",),
        ("a=1\x00",),
        ("a=1\r\nb: 2",),
        (f"a={'v' * 257}",),
        (f"{'k' * 257}=1",),
        (",".join(f"k{n}=1" for n in range(33)),),
        tuple(f"k{n}={'v' * 100}" for n in range(6)),
    ],
)
def test_unsound_tracestate_is_dropped_whole(state: tuple[str, ...]) -> None:
    """One bad member, a double key or too much of it drops the tracestate, and the traceparent stays."""
    assert _kept(*state) == {}


def test_longest_tracestate_is_kept() -> None:
    """32 members and 512 characters are still allowed, one more is not."""
    members = ",".join(f"k{n:02}={'v' * 11}" for n in range(32))
    assert len(members) == 511
    assert len(_kept(members + "v")) == 32
    assert _kept(members + "vv") == {}


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_*/-]{0,9}(@[a-z][a-z0-9_*/-]{0,5})?", fullmatch=True),
        st.text(string.ascii_letters + string.digits + " !\"#$%&'()*+-./:;<>?@[]^_`{|}~", min_size=1, max_size=9).map(
            lambda text: text.rstrip() + "x"
        ),
        max_size=12,
    )
)
def test_no_sound_member_is_lost(members: dict[str, str]) -> None:
    """What the grammar allows, the library that carries it on keeps too."""
    stripped = {key: value.lstrip() for key, value in members.items()}
    assert _kept(",".join(f"{key}={value}" for key, value in stripped.items())) == stripped


@given(st.binary(max_size=80))
def test_bytes_never_raise(value: bytes) -> None:
    """No header makes the reading fail."""
    context = remote_parent([(b"traceparent", value), (b"tracestate", value)])
    assert context is None or context.is_valid
    with_state = remote_parent([(b"traceparent", SOUND.encode()), (b"tracestate", value)])
    assert with_state is not None
