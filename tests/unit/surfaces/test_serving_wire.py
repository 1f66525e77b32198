"""The strict reading of bytes, without a socket."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.errors import ContentTooLarge, MalformedRequest
from narrows.surfaces.serving_wire import StrictConnection

HEAD = b"POST /a HTTP/1.1\r\nHost: bff.test\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
SIZED = HEAD + b"Content-Length: 5\r\n\r\nabcde"
FOLDED = HEAD + b"X-A: b\r\n c\r\n\r\n"
TWICE = HEAD + b"Content-Length: 0\r\ncontent-length: 0\r\n\r\n"
LONG = HEAD + b"X-Long: " + b"x" * 300 + b"\r\n\r\n"


def read(pieces: list[bytes], head_bytes: int = 256) -> list[object]:
    """The targets and content that come out, and the name of the problem at which reading ends."""
    conn, found, content = StrictConnection(head_bytes), [], b""
    for piece in pieces:
        conn.receive_data(piece)
        while True:
            try:
                event = conn.next_event()
            except h11.RemoteProtocolError:
                return [*found, content, type(conn.refusal or MalformedRequest())]
            if isinstance(event, h11.Request):
                found.append(bytes(event.target))
            elif isinstance(event, h11.Data):
                content += event.data
            elif event is h11.PAUSED or event is h11.NEED_DATA:
                break
    return [*found, content, conn.their_state]


@pytest.mark.parametrize("message", [CHUNKED, SIZED])
@given(data=st.data())
def test_the_reading_does_not_depend_on_how_the_bytes_are_cut(message, data):
    """However the network cuts a good request, it is read as the same request."""
    cuts = sorted(data.draw(st.lists(st.integers(1, len(message) - 1), unique=True)))
    pieces = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
    assert read(pieces) == [b"/a", b"abcde", h11.DONE]


@pytest.mark.parametrize(
    ("message", "problem"), [(FOLDED, MalformedRequest), (TWICE, MalformedRequest), (LONG, ContentTooLarge)]
)
@given(data=st.data())
def test_the_refusal_does_not_depend_on_how_the_bytes_are_cut(message, problem, data):
    """No cut lets an ambiguous or too long head through, and none hides which problem it has."""
    cuts = sorted(data.draw(st.lists(st.integers(1, len(message) - 1), unique=True, max_size=20)))
    pieces = [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
    assert read(pieces) == [b"", problem]


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=8))
def test_any_bytes_are_read_or_refused(pieces):
    """Whatever comes, reading ends in a state of h11 or in a problem, never in another exception."""
    assert read([HEAD, *pieces])[-1] is not None


@given(st.sampled_from([b"\r", b"\n", b" ", b"\t", b":", b",", b"\x00", b"\x0b", b"0", b"\r\n"]), st.integers(0, 400))
def test_one_odd_byte_never_makes_two_requests_of_one(odd, place):
    """A byte put anywhere into a request with a body cannot turn its content into a second request."""
    message = HEAD + b"Content-Length: 32\r\n\r\nGET /b HTTP/1.1\r\nHost: b.test\r\n\r\n"
    place %= len(message)
    assert b"/b" not in read([message[:place] + odd + message[place:]])


@pytest.mark.parametrize(
    ("request_bytes", "detail"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", "A line ends without CR."),
        (FOLDED, "A header is folded over two lines."),
        (TWICE, "Content-Length is given more than once."),
        (HEAD + b"Content-Length: 0, 0\r\n\r\n", "Content-Length is given more than once."),
        (
            HEAD + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Content-Length and Transfer-Encoding are given together.",
        ),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "The version is not HTTP/1.1."),
        (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0 has no Transfer-Encoding."),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "The request target is not a path."),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "Host is not a name or address with an optional port."),
    ],
)
def test_a_refusal_says_which_rule_does_not_hold(request_bytes, detail):
    """Each rule has its own sentence, and none repeats what was sent."""
    conn = StrictConnection(256)
    conn.receive_data(request_bytes)
    with pytest.raises(h11.RemoteProtocolError):
        conn.next_event()
    assert conn.refusal.detail == detail


def test_a_request_of_http_1_0_needs_no_host():
    """Old health probes send none; which host they meant is for the application to judge."""
    assert read([b"GET /a HTTP/1.0\r\n\r\n"]) == [b"/a", b"", h11.MUST_CLOSE]


def test_framing_up_to_the_content_is_allowed():
    """Chunks of five bytes, as streams of tokens have, may go on for ever."""
    chunks = [b"5\r\nhello\r\n"] * 500
    assert read([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunks])[-1] is h11.SEND_BODY


def test_every_request_may_use_its_own_framing():
    """What the chunks of one request cost is not held against the next one on the connection."""
    conn = StrictConnection(256)
    for _ in range(3):
        for piece in [
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
            *[b"1;" + b"x" * 196 + b"\r\na\r\n"] * 2,
            b"0\r\n\r\n",
        ]:
            conn.receive_data(piece)
            while conn.next_event() not in (h11.NEED_DATA, h11.PAUSED):
                pass
        conn.send(h11.Response(status_code=204, headers=[]))
        conn.send(h11.EndOfMessage())
        conn.start_next_cycle()
    assert conn.our_state is h11.IDLE


def test_framing_beyond_the_content_is_refused():
    """Chunks that are mostly framing end when they are over the cap of a head."""
    chunks = [b"1;xxxxxxxxxxxxxxxxxxxxx\r\na\r\n"] * 500
    assert read([HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunks])[-1] is MalformedRequest
