"""What really happened, read where it was recorded: at the services, in the logs and in the spans."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from . import staff
from .dev import Addresses
from .received import digest

_UNDECLARED = (
    "name",
    "email",
    "home_address",
    "iban",
    "birthday",
    "private_phone",
    "personnel_number",
    "emergency_contact",
)


class Request(msgspec.Struct):
    """One request as a service recorded it."""

    method: str
    path: str
    status: int | None
    subject: str | None
    actors: list[str]
    audience: list[str]
    scopes: list[str]
    token_sha256: str | None
    trace_id: str


class Span(msgspec.Struct):
    """One span of a file; ids as hexadecimal digits."""

    file: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str | None


class Witnesses:
    """The three services, asked over their own sockets."""

    def __init__(self, client: httpx.AsyncClient, addresses: Addresses) -> None:
        self._client = client
        self._addresses = addresses

    async def received(self, service: str) -> list[Request]:
        """Every request that the service got, in order."""
        response = await self._client.get(f"{getattr(self._addresses, service)}/_received")
        return msgspec.json.decode(response.content, type=list[Request])

    async def all_received(self) -> list[Request]:
        """The requests of all three."""
        return [request for service in ("people", "places", "tables") for request in await self.received(service)]

    async def bookings(self) -> int:
        """How many bookings the tables service holds."""
        response = await self._client.get(f"{self._addresses.tables}/_count")
        return int(response.json()["bookings"])


class Answers:
    """Keeps every answer of the BFF, headers included, for a look through all of them at the end."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.texts: list[str] = []

    async def keep(self, response: httpx.Response) -> None:
        """Keep an answer; a hook of the client. The authorization server's answers hold tokens by their nature."""
        url = str(response.url)
        if url.startswith(f"{self._origin}/") and not url.startswith(f"{self._origin}/as/"):
            await response.aread()
            self.texts.append(f"{response.headers.multi_items()}\n{response.text}")


def json_lines(file: Path) -> list[dict[str, Any]]:
    """A structured log, line by line."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def spans(folder: Path) -> list[Span]:
    """The spans of all programs."""
    return [_span(file.stem, found) for file in sorted(folder.glob("*.spans")) for found in json_lines(file)]


def _span(file: str, found: dict[str, Any]) -> Span:
    context = found["context"]
    return Span(
        file,
        found["name"],
        _hex(context["trace_id"]),
        _hex(context["span_id"]),
        found["parent_id"] and _hex(found["parent_id"]),
    )


def _hex(text: str) -> str:
    return text.removeprefix("0x")


def ancestors(found: list[Span], span: Span) -> Iterator[Span]:
    """The span's parent, the parent of that one, and so on."""
    by_id = {one.span_id: one for one in found}
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        yield span


def undeclared() -> dict[str, str]:
    """What the directory knows of everybody and no endpoint declares: each value, and whose it is."""
    values = {}
    for person in staff.people():
        values[str(person.salary.amount)] = f"{person.id}'s salary"
        values.update({str(getattr(person, field)): f"{person.id}'s {field}" for field in _UNDECLARED})
    return values


def leaks(values: dict[str, str], texts: dict[str, str]) -> list[str]:
    """Which of the values stand in which of the texts, as they are or as JSON escapes them."""
    return [
        f"{whose} in {where}"
        for value, whose in values.items()
        for where, text in texts.items()
        if value in text or json.dumps(value)[1:-1] in text
    ]


def written(folder: Path) -> dict[str, str]:
    """Every log, every file of spans, and what was written out of the audit log."""
    files = [*folder.glob("*.log"), *folder.glob("*.spans"), *folder.glob("*.jsonl")]
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files)}


def digests(tokens: list[str]) -> set[str]:
    """What stands for these tokens in the services' records."""
    return {digest(token) for token in tokens}
