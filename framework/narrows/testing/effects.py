"""Effects as a rehearsal noted them, and as they left: the same operations with the same content, in any order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
import msgspec

from narrows.upstreams.sendable import Sendable, plain
from narrows.upstreams.standins import scalars

Digest = Callable[..., str]


class Sent(msgspec.Struct, frozen=True):
    """One write that left: its operation, and its content by JSON pointer; path and query are texts."""

    operation: str
    arguments: Mapping[str, Any]


def writes(sendables: Iterable[Sendable], requests: Iterable[httpx.Request]) -> list[Sent]:
    """The upstream writes among what was sent, as the declared operations that they are."""
    # Of two paths that match one request, the more literal one is meant.
    declared = sorted((s for s in sendables if s.operation.kind == "write"), key=lambda s: len(s.pieces))
    found = (next(filter(None, (_read(s, request) for s in declared)), None) for request in requests)
    return [sent for sent in found if sent is not None]


def _read(sendable: Sendable, request: httpx.Request) -> Sent | None:
    """A request as one use of an operation; None when it is no such."""
    path, _, query = request.url.raw_path.decode().partition("?")
    form = "".join(re.escape(text) + (f"(?P<{name}>[^/]+)" if name else "") for text, name in sendable.pieces)
    matched = re.fullmatch(form, path)
    at_home = (request.url.scheme, request.url.netloc) == (sendable.base.scheme, sendable.base.netloc)
    if matched is None or not at_home or request.method != sendable.operation.method:
        return None
    arguments: dict[str, Any] = {f"/{name}": unquote(text) for name, text in matched.groupdict().items()}
    own = {theirs: name for name, theirs in sendable.query}
    for theirs, texts in parse_qs(query, keep_blank_values=True).items():
        name = own[theirs]
        many = sendable.shape.parameters[name].many
        arguments |= {f"/{name}/{index}" if many else f"/{name}": text for index, text in enumerate(texts)}
    if request.content:
        document = msgspec.json.decode(request.content)
        arguments |= {f"/{sendable.body}{pointer}": leaf for pointer, leaf in scalars(document)}
    return Sent(sendable.operation.id, arguments)


def unlike(noted: Sequence[Mapping[str, Any]], sent: Sequence[Sent], digest: Digest) -> Iterator[tuple[str, str]]:
    """What was noted and did not leave so, and what left and was not noted so: (rehearsed, live)."""
    left = list(sent)
    missing = []
    for effect in noted:
        twin = next((one for one in left if not _content(effect, one, digest)), None)
        if twin is None:
            missing.append(effect)
        else:
            left.remove(twin)
    for effect in missing:
        near = next((one for one in left if one.operation == effect["operation"]), None)
        if near is None:
            yield effect["operation"], "not sent"
        else:
            left.remove(near)
            for rehearsed, live in _content(effect, near, digest):
                yield f"{effect['operation']} {rehearsed}", f"{near.operation} {live}"
    for one in left:
        yield "not noted", one.operation


def _content(effect: Mapping[str, Any], sent: Sent, digest: Digest) -> list[tuple[str, str]]:
    """Where the content of an effect and of what left differ; a stand-in is a slot for any value of its type."""
    if effect["operation"] != sent.operation:
        return [("", "")]
    if "arguments" not in effect:
        return []
    noted = {pointer: shown for pointer, shown in effect["arguments"].items() if shown is not None}
    found = []
    for pointer in sorted(noted.keys() | {p for p, leaf in sent.arguments.items() if leaf is not None}):
        if pointer not in sent.arguments:
            found.append((f"{pointer} = {_told(noted[pointer])}", f"without {pointer}"))
        elif pointer not in noted:
            found.append((f"without {pointer}", f"{pointer} = {sent.arguments[pointer]!r}"))
        elif not _same(noted[pointer], sent.arguments[pointer], digest):
            found.append((f"{pointer} = {_told(noted[pointer])}", f"{pointer} = {sent.arguments[pointer]!r}"))
    return found


def _told(shown: Any) -> str:
    return f"a hidden {shown['type']}" if isinstance(shown, dict) else repr(shown)


def _same(shown: Any, leaf: Any, digest: Digest) -> bool:
    """Whether a value that left is the one that was noted."""
    if not isinstance(shown, dict):
        return leaf in (shown, plain(shown))
    readings = list(_readings(leaf))
    if shown.get("stand_in"):
        return any(_JSON_TYPES.get(type(reading)) == shown["type"] for reading in readings)
    return any(digest("effect", repr(reading))[:16] == shown.get("digest") for reading in readings)


_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def _readings(leaf: Any) -> Iterator[Any]:
    """A value, and what a text of a path or query may stand for."""
    yield leaf
    if isinstance(leaf, str):
        try:
            yield msgspec.json.decode(leaf)
        except msgspec.DecodeError:
            return
