from typing import Any

import pytest

from narrows.call import Reply
from narrows.errors import MalformedRequest
from narrows.surfaces.asgi import headers_of, parse_query, send_reply


async def test_nothing_is_answered_without_body_and_length() -> None:
    """A 204 has neither (RFC 9110, 15.3.5)."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await send_reply(send, Reply(204, [("x", "y")], b""))
    assert sent == [
        {"type": "http.response.start", "status": 204, "headers": [(b"x", b"y")]},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


async def test_a_reply_without_body_says_so() -> None:
    """A client need not wait for more."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await send_reply(send, Reply(200, [("x", "a\r\nb"), ("y", "z")], b""))
    assert sent[0]["headers"] == [(b"y", b"z"), (b"content-length", b"0")]


def test_headers_are_known_by_their_lower_case_names() -> None:
    """In the order in which they came; an underscore is no dash."""
    found = headers_of([(b"X-A", b"1"), (b"x-a", b"2"), (b"x_a", b"3"), (b"caf\xe9", b"\xe9")])
    assert found == {"x-a": ["1", "2"], "x_a": ["3"], "caf\u00e9": ["\u00e9"]}


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"", []),
        (b"a", [("a", "")]),
        (b"a=", [("a", "")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=1&a=2&b=3", [("a", "1"), ("a", "2"), ("b", "3")]),
        (b"&a=1&&b=2&", [("a", "1"), ("b", "2")]),
        (b"=1", [("", "1")]),
        (b"a+b=c+d", [("a b", "c d")]),
        (b"a%26b=%3D", [("a&b", "=")]),
        (b"a=%C3%A9", [("a", "\u00e9")]),
        (b"a;b=c", [("a;b", "c")]),
        (b"a=%2541", [("a", "%41")]),
    ],
)
def test_a_query_is_read_as_pairs(raw: bytes, pairs: list[tuple[str, str]]) -> None:
    """As the URL standard reads it."""
    assert parse_query(raw) == pairs


@pytest.mark.parametrize(
    "raw", [b"a=%", b"a=%4", b"a=%4g", b"%zz=1", b"a=%ff", b"a=%ed%a0%80", b"a=%0a", b"%00", b"a=%7f", b"a=%C2%9F"]
)
def test_a_query_that_is_no_text_is_malformed(raw: bytes) -> None:
    """It is refused, and not replaced."""
    with pytest.raises(MalformedRequest):
        parse_query(raw)
