"""Upstreams that are made up: operations are answered from their declared types, and what is written is remembered.

They stand behind the transport, so that a live call takes its whole way: token, request, deadline, narrow type.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import msgspec

from narrows.declare.shape import placeholders
from narrows.declare.types import Narrow
from narrows.devkit.dev.madeup_memory import Memory
from narrows.upstreams.sendable import Sendable

Place = tuple[str, str, str]

_DAY = 86_400


class MadeUp(httpx.AsyncBaseTransport):
    """Answers the operations that it knows; `fields` are values of the objects that the made-up people belong to."""

    def __init__(
        self, fields: Mapping[str, Any], roles_of: Callable[[str | None], list[str]], now: Callable[[], float]
    ) -> None:
        self._fields = fields
        self._roles_of = roles_of
        # Made-up times are within seven days of this: to come, because few rules want the past; and they stay.
        self._now = datetime.fromtimestamp((now() // _DAY + 9) * _DAY, UTC)
        self._known: dict[Place, Sendable] = {}
        self._roles_from: set[str] = set()
        self._seen: dict[str, Any] = {}
        self._memory = Memory()

    def know(self, sendables: Iterable[Sendable], roles_from: Iterable[str] = ()) -> None:
        """Learn which operations there are, and which of them answer the roles of a caller (by id)."""
        sendables = list(sendables)
        for sendable in sendables:
            operation = sendable.operation
            self._known.setdefault((sendable.settings.url, operation.method, operation.path), sendable)
        self._roles_from = set(roles_from)
        self._memory.know(sendables)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request with what its operation declares; 404 for what is not one, or was deleted."""
        await request.aread()
        base = f"{request.url.scheme}://{request.url.netloc.decode()}"
        place = (base, request.method, request.extensions.get("narrows.template", ""))
        sendable = self._known.get(place)
        if sendable is None:
            return _json(404, {})
        answer = self._answer(sendable, request)
        if answer is Memory.GONE:
            return _json(404, {})
        return httpx.Response(204) if answer is None else _json(200, answer)

    def _answer(self, sendable: Sendable, request: httpx.Request) -> Any:
        values = _path_values(sendable, request)
        self._seen |= {name: value for name, value in values.items() if name.endswith("_id")}
        if sendable.operation.id in self._roles_from:
            return self._roles(sendable, request)
        if sendable.generator is None:
            return self._memory.answer(sendable, values, None)
        seed = hashlib.sha256(b"\n".join((request.method.encode(), request.url.raw_path, request.content))).digest()
        chance = Random(seed)  # noqa: S311  (made-up data must be repeatable, not unpredictable)
        echo = {**self._fields, **self._seen, **_sent(sendable, request), **values, **_own_id(sendable, values)}
        made = sendable.generator.make(chance, now=self._now, echo=echo)
        return self._memory.answer(sendable, values, made)

    def _roles(self, sendable: Sendable, request: httpx.Request) -> Any:
        """The roles that a made-up person holds, in the form that the operation answers."""
        held = self._roles_of(_subject(request))
        answer = sendable.shape.answer
        is_object = isinstance(answer, type) and issubclass(answer, msgspec.Struct)
        return {"roles": held} if is_object else held


def _json(status: int, value: Any) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": "application/json"}, content=msgspec.json.encode(value))


def _path_values(sendable: Sendable, request: httpx.Request) -> dict[str, Any]:
    """The values in the path, of their declared types; each is one segment."""
    segments = request.url.raw_path.partition(b"?")[0].decode("ascii").split("/")
    declared = {parameter.name: parameter.type for parameter in sendable.shape.of("path")}
    found: dict[str, Any] = {}
    for part, segment in zip(sendable.operation.path.split("/"), segments, strict=False):
        for name in placeholders(part):
            before, _, after = part.partition("{" + name + "}")
            text = unquote(segment).removeprefix(before).removesuffix(after)
            found[name] = msgspec.convert(text, declared[name], strict=False)
    return found


def _sent(sendable: Sendable, request: httpx.Request) -> dict[str, Any]:
    """The fields of the body and the values of the query, so that an answer can repeat them."""
    found: dict[str, Any] = {}
    given = dict(parse_qsl(request.url.query.decode("ascii")))
    for parameter in sendable.shape.of("query"):
        if parameter.name in given and not parameter.many:
            found[parameter.name] = msgspec.convert(given[parameter.name], parameter.type, strict=False)
    body = msgspec.json.decode(request.content) if request.content else None
    return found | (body if isinstance(body, dict) else {})


def _own_id(sendable: Sendable, values: Mapping[str, Any]) -> dict[str, Any]:
    """`/bookings/{booking_id}` answers the object whose `id` that is."""
    answer = sendable.shape.answer
    names = placeholders(sendable.operation.path.rpartition("/")[2])
    if not names or not isinstance(answer, type) or not issubclass(answer, Narrow):
        return {}
    return {"id": values[names[-1]]}


def _subject(request: httpx.Request) -> str | None:
    """Whom the exchanged token is for; nobody judges it here, because nothing real is behind this."""
    parts = request.headers.get("authorization", "").split(".")
    if len(parts) < 2:
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    return str(json.loads(urlsafe_b64decode(padded)).get("sub"))
