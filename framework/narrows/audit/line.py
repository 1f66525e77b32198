"""One line of JSON from anything that came in, so that no value can begin a line, move a cursor or fill a disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

Text = str | int | float | bool | None
Document = Mapping[str, Text | tuple[str, ...] | tuple[Mapping[str, Text], ...] | Mapping[str, Text]]

LONGEST = 512

# JSON escapes U+0000 to U+001F. What else ends a line, moves a cursor or turns the direction of text, in UTF-8: DEL,
# C1 controls, U+061C, U+200B to U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF.
_ACTIVE = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf")
# Most of a record is nothing at all, or a number; a call is recorded within its time.
_AS_THEY_ARE = frozenset({type(None), bool, int, float})
_encode = msgspec.json.Encoder(order="sorted").encode


def json_line(document: Document) -> bytes:
    """Write a document as one line that ends with a newline; the same document gives the same bytes.

    Keys are sorted, texts are cut to 512 characters, and every control is escaped.
    """
    return line_of(bounded(document))


def line_of(document: Document) -> bytes:
    """The line of a document that is `bounded` already."""
    line = _encode(document)
    # Most lines are plain ASCII, and to know that takes a hundredth of the search's time.
    return (line if line.isascii() and b"\x7f" not in line else _ACTIVE.sub(_escape, line)) + b"\n"


def document_of(record: msgspec.Struct) -> dict[str, Any]:
    """What a record says, with its texts bounded: what its line and its leaf are made of."""
    return bounded(msgspec.structs.asdict(record))


def bounded(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its texts cut to 512 characters, and no half of a surrogate pair in them."""
    return {key: value if type(value) in _AS_THEY_ARE else _bounded(value) for key, value in document.items()}


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and len(value) <= LONGEST else _short(value)
    if isinstance(value, tuple):
        return _each(value)
    # To ask whether it is any mapping takes longer than all that is done to one of a few texts.
    if type(value) is dict or isinstance(value, Mapping):
        return {_short(key): _bounded(inner) for key, inner in value.items()}
    return value


def _each(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_bounded(value) for value in values)


def _short(text: str) -> str:
    """Cut a text, and replace halves of surrogate pairs, which no encoder takes."""
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode("utf-8"))
