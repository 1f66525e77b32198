import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.errors import FieldError, MalformedRequest
from narrows.pipeline.strictjson import parse

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def read(body: bytes, depth: int = 32) -> Any:
    """Parse a body in which no key stands twice."""
    found: list[FieldError] = []
    plain = parse(body, depth, found)
    assert found == []
    return plain


@given(PLAIN)
def test_sound_json_is_read_as_it_is(value: Any) -> None:
    """Whatever can be written is read as it was, escaped or not."""
    for escaped in (True, False):
        text = json.dumps(value, ensure_ascii=escaped)
        try:
            body = text.encode("utf-8")
        except UnicodeEncodeError:
            continue
        if escaped and has_surrogate(value):
            continue
        assert read(body) == value


def has_surrogate(value: Any) -> bool:
    """Whether a text in a value is no Unicode text."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"nul",
        b"'a'",
        b'{"a":1,}',
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '"a"'.encode("utf-16"),
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b'{"a":NaN}',
        b"1e400",
        b"-1e99999",
        b"1" * 65,
        b"0." + b"1" * 64,
        b"9" * 5000,
        b"01",
        b"+1",
        b".5",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'{"a":{"b":["\\ud800"]}}',
        b'{"\\ud800":1}',
        b'"\\uD800 x"',
        b'"a\nb"',
        b'"\x00"',
    ],
)
def test_what_is_no_strict_json_is_malformed(body: bytes) -> None:
    """Two readers could disagree about each of these, so nobody reads them."""
    with pytest.raises(MalformedRequest, match="JSON in UTF-8"):
        read(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"1" * 64, int("1" * 64)),
        (b"-1" + b"1" * 62, -int("1" * 63)),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\u00e9"', "\u00e9"),
        (b'"\xc3\xa9"', "\u00e9"),
        (b" {} ", {}),
        (b"1.5e3", 1500.0),
    ],
)
def test_what_is_just_allowed(body: bytes, value: Any) -> None:
    """The bounds are as wide as real clients need."""
    assert read(body) == value


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"a":1,"a":2}', ["/body/a"]),
        (b'{"a":1,"a":1,"a":1}', ["/body/a"]),
        (b'{"a":1,"\\u0061":2}', ["/body/a"]),
        (b'{"x":{"a":1,"a":2}}', ["/body/x/a"]),
        (b'{"x":[{},{"a":1,"a":2}],"y":{"b":1,"b":2},"y":3}', ["/body/y", "/body/x/1/a"]),
        (b'[[{"a":1,"a":2}]]', ["/body/0/0/a"]),
        (b'{"a/b":1,"a/b":2,"m~n":1,"m~n":2}', ["/body/a~1b", "/body/m~0n"]),
        (b'{"a":{"a":1,"a":2}}', ["/body/a/a"]),
    ],
)
def test_a_key_that_stands_twice_is_named_at_its_place(body: bytes, pointers: list[str]) -> None:
    """The first and the last of two keys could be read by two readers."""
    found: list[FieldError] = []
    parse(body, 32, found)
    assert [error.pointer for error in found] == pointers
    assert {error.detail for error in found} == {"The key stands twice."}


def test_a_key_that_is_long_is_cut_in_the_answer() -> None:
    """The answer does not grow with the request."""
    found: list[FieldError] = []
    key = "k" * 500
    parse(f'{{"{key}":1,"{key}":2}}'.encode(), 32, found)
    assert found[0].pointer == "/body/" + "k" * 100


def test_many_keys_take_no_long_time() -> None:
    """One key too many among ten thousand is found without comparing each with each."""
    body = "{" + ",".join(f'"{n}":1' for n in range(10_000)) + ',"1":1}'
    found: list[FieldError] = []
    started = time.perf_counter()
    parse(body.encode(), 32, found)
    assert time.perf_counter() - started < 1
    assert [error.pointer for error in found] == ["/body/1"]


# --- depth ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"[" * 33, b"[" * 33 + b"]" * 33, b'{"a":' * 33 + b"1" + b"}" * 33, b"[" * 100_000, b'[{"a":' * 60_000],
)
def test_a_body_that_nests_too_deep_is_malformed(body: bytes) -> None:
    """Depth is counted before anything is built."""
    with pytest.raises(MalformedRequest, match="deeper than 32"):
        read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 32 + b"]" * 32,
        b"[" + b",".join([b"[]"] * 100) + b"]",
        b'["' + b"[{" * 100 + b'"]',
        b'["\\"' + b"[{" * 100 + b'"]',
        b'["\\\\","' + b"[" * 100 + b'"]',
        b'{"' + b"[" * 100 + b'":"' + b"{" * 100 + b'"}',
    ],
)
def test_width_and_brackets_in_texts_are_no_depth(body: bytes) -> None:
    """Only brackets outside of texts nest."""
    assert read(body) == json.loads(body)


def test_a_depth_beyond_what_python_can_is_malformed_too() -> None:
    """Whoever sets the depth to a million gets no 500."""
    with pytest.raises(MalformedRequest, match="JSON in UTF-8"):
        read(b"[" * 200_000 + b"]" * 200_000, depth=1_000_000)


def test_a_large_body_of_many_texts_takes_no_long_time() -> None:
    """Texts with many quotes and backslashes are passed over in one go."""
    body = json.dumps(['\\"' * 50] * 1000 + [[]] * 40).encode()
    started = time.perf_counter()
    read(body)
    assert time.perf_counter() - started < 1


def test_a_text_without_end_takes_no_long_time() -> None:
    """A quote that is never closed is looked at once."""
    started = time.perf_counter()
    with pytest.raises(MalformedRequest):
        read(b"[" * 33 + b'"\\' * 32_000)
    assert time.perf_counter() - started < 2
