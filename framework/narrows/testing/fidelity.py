"""Fidelity: one request as a rehearsal and live, and every difference in status, schema, effects and price.

docs/guide/fidelity.md tells how a BFF declares its example requests.

```python
async with stage() as made:
    comparison = await compare(made, Request("book_table", "/teams/7/bookings", body=NEW, caller="anna"))
assert not comparison.differences
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from narrows.declare.bff import Bff
from narrows.declare.types import Money
from narrows.errors import NarrowsError
from narrows.plan.entries import Entry
from narrows.stores import Owner
from narrows.surfaces.http import Application
from narrows.testing.effects import Sent, unlike, writes
from narrows.testing.fakes import Network, Records, bearer
from narrows.testing.structure import differences, faults


class NotCompared(NarrowsError):
    """A request that cannot be compared: it names no endpoint, leads to another, or what goes before it failed."""


@dataclass(frozen=True)
class Request:
    """An example request of one endpoint: `endpoint` is its id or the name of its function.

    `path` holds no base path; `{name}` in it stands for that field of what the last of `first` answered. `caller` is
    what the stage makes a token for. `first` is sent live before it. `label` tells two requests of one endpoint apart.
    """

    endpoint: str
    path: str
    body: Any = None
    caller: str = ""
    first: tuple[Request, ...] = ()
    label: str = ""

    def __str__(self) -> str:
        return f"{self.endpoint} ({self.label})" if self.label else self.endpoint


@dataclass(frozen=True)
class Stage:
    """The example world of a BFF, running: `token` makes an access token for a caller."""

    app: Application
    client: httpx.AsyncClient
    network: Network
    records: Records
    token: Callable[[str], str]


class Difference(msgspec.Struct, frozen=True):
    """One thing in which a rehearsal and the live call differ."""

    what: Literal["status", "schema", "effects", "price"]
    rehearsed: str
    live: str

    def __str__(self) -> str:
        return f"{self.what}: rehearsed {self.rehearsed}, live {self.live}"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of the request came to: `effects` are the ids of operations, `price` what it costs."""

    status: int
    effects: tuple[str, ...] = ()
    price: str | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request, rehearsed and live; `live` is None where it was rehearsed only."""

    request: str
    endpoint: str
    rehearsed: Told
    live: Told | None = None
    differences: tuple[Difference, ...] = ()


async def compare(stage: Stage, request: Request) -> Comparison:
    """Rehearse a request, send it live, and tell what differs. Raises `NotCompared`.

    Where a live call needs a receipt it brings that of the rehearsal, confirmed for the caller if it must be.
    """
    entry, request = await _ready(stage, request)
    rehearsal = await _rehearse(stage, entry, request)
    live = await _send_live(stage, entry, request, rehearsal)

    def digest(*parts: str) -> str:
        return stage.app.plan.digest(*parts, rehearsal.id)

    found = (
        *_status(rehearsal.answer, live.answer),
        *_schema(entry, rehearsal.answer, live.answer),
        *(Difference("effects", *pair) for pair in unlike(rehearsal.effects, live.effects, digest)),
        *_price(rehearsal.price, live.price),
    )
    return Comparison(
        request=str(request),
        endpoint=entry.endpoint.id,
        rehearsed=rehearsal.told(),
        live=live.told(),
        differences=found,
    )


async def rehearse(stage: Stage, request: Request) -> Comparison:
    """Rehearse a request and do no more. Raises `NotCompared`."""
    entry, request = await _ready(stage, request)
    rehearsal = await _rehearse(stage, entry, request)
    return Comparison(request=str(request), endpoint=entry.endpoint.id, rehearsed=rehearsal.told())


def unasked(bff: Bff, requests: Iterable[Request]) -> list[str]:
    """The endpoints of a BFF that no example request is for."""
    asked = {request.endpoint for request in requests}
    return [one.id for one in bff.every if one.id not in asked and one.function.__name__ not in asked]


@dataclass(frozen=True)
class _Rehearsal:
    """What a rehearsal said."""

    answer: httpx.Response
    effects: list[dict[str, Any]]
    price: Money | None
    receipt: str | None = None
    id: str = ""

    def told(self) -> Told:
        """The same, to be told."""
        return Told(
            status=self.answer.status_code,
            effects=tuple(effect["operation"] for effect in self.effects),
            price=None if self.price is None else str(self.price),
        )


@dataclass(frozen=True)
class _Live:
    """What a live call did."""

    answer: httpx.Response
    effects: list[Sent]
    price: Money | None

    def told(self) -> Told:
        """The same, to be told."""
        return Told(
            status=self.answer.status_code,
            effects=tuple(effect.operation for effect in self.effects),
            price=None if self.price is None else str(self.price),
        )


async def _ready(stage: Stage, request: Request) -> tuple[Entry, Request]:
    """Do what goes before the request, and fill its path from that."""
    answered: Any = {}
    for before in request.first:
        entry, ready = await _ready(stage, before)
        live = await _send_live(stage, entry, ready, await _rehearse(stage, entry, ready))
        if not live.answer.is_success:
            raise NotCompared(f"{request}: before it, {before} was answered {live.answer.status_code}")
        answered = live.answer.json() if live.answer.content else {}
    fields = answered if isinstance(answered, Mapping) else {}
    try:
        path = request.path.format_map(fields)
    except KeyError as missing:
        raise NotCompared(f"{request}: nothing before it answered {missing}") from None
    return _entry(stage, request), _with_path(request, path)


def _with_path(request: Request, path: str) -> Request:
    return Request(request.endpoint, path, request.body, request.caller, (), request.label)


def _entry(stage: Stage, request: Request) -> Entry:
    for entry in stage.app.plan.entries:
        if request.endpoint in (entry.endpoint.id, entry.endpoint.function.__name__) and not entry.endpoint.builtin:
            return entry
    raise NotCompared(f"{request.endpoint!r} is no endpoint of {stage.app.plan.bff.name}")


async def _rehearse(stage: Stage, entry: Entry, request: Request) -> _Rehearsal:
    recorded = len(stage.records.lines)
    answer = await _ask(stage, entry, request, "/rehearse", {})
    record = _record(stage, entry, request, recorded)
    if "describedby" not in answer.links:
        # It ended in a problem: there is no document, and of effects only the operations are known.
        return _Rehearsal(answer, [{"operation": one} for one in record["effects"]], _sum(record["price"]))
    link = urlsplit(answer.links["describedby"]["url"]).path
    read = await stage.client.get(link, headers=bearer(stage.token(request.caller)))
    if not read.is_success:
        raise NotCompared(f"{request}: its rehearsal was answered {read.status_code}")
    document = read.json()
    if document["confirm_url"]:
        await _confirm(stage, document["id"], request, record)
    receipt = document["receipt"] if document["commit"] != "open" else None
    price = _sum(record["price"], document["price"]["asked"])
    return _Rehearsal(answer, document["effects"], price, receipt, document["id"])


async def _confirm(stage: Stage, rehearsal_id: str, request: Request, record: Mapping[str, Any]) -> None:
    """Confirm a rehearsal for its caller, as the caller would on the page of the BFF."""
    known = await stage.app.plan.identity.verify(stage.token(request.caller))
    owner = Owner(record["tenant"], known.issuer, known.subject, record["connector"])
    await stage.app.plan.commits.confirm(rehearsal_id, owner)


async def _send_live(stage: Stage, entry: Entry, request: Request, rehearsal: _Rehearsal) -> _Live:
    receipt = rehearsal.receipt
    before, recorded = len(stage.network.sent), len(stage.records.lines)
    answer = await _ask(stage, entry, request, "", {"Rehearsal-Receipt": receipt} if receipt else {})
    record = _record(stage, entry, request, recorded)
    used = (stage.app.plan.sendables[operation] for operation in entry.uses)
    return _Live(answer, writes(used, stage.network.sent[before:]), _sum(record["price"]))


def _record(stage: Stage, entry: Entry, request: Request, since: int) -> dict[str, Any]:
    """The record of the call that was just made, which proves that the request led to its endpoint."""
    own = [record for record in stage.records.all()[since:] if record["endpoint"] == entry.endpoint.id]
    if not own:
        raise NotCompared(f"{request}: {request.path} does not lead to {entry.endpoint.id}")
    return own[-1]


async def _ask(stage: Stage, entry: Entry, request: Request, base: str, more: Mapping[str, str]) -> httpx.Response:
    content = None if request.body is None else msgspec.json.encode(request.body)
    headers = {**bearer(stage.token(request.caller)), **more}
    if content is not None:
        headers["Content-Type"] = "application/json"
    return await stage.client.request(entry.endpoint.method, base + request.path, content=content, headers=headers)


def _sum(*prices: str | None) -> Money | None:
    known = [Money.parse(price) for price in prices if price]
    return sum(known[1:], known[0]) if known else None


def _status(rehearsed: httpx.Response, live: httpx.Response) -> Iterator[Difference]:
    if rehearsed.status_code != live.status_code:
        yield Difference("status", str(rehearsed.status_code), str(live.status_code))


def _schema(entry: Entry, rehearsed: httpx.Response, live: httpx.Response) -> Iterator[Difference]:
    """Media type, each body against the declared type, and both against each other; problems by their kind."""
    media = rehearsed.headers.get("content-type", "none"), live.headers.get("content-type", "none")
    if media[0] != media[1]:
        yield Difference("schema", *media)
    if not (rehearsed.is_success and live.is_success):
        yield from _problems(rehearsed, live)
        return
    kind = entry.shape.answer
    own, foreign = faults(rehearsed.content, kind), faults(live.content, kind)
    if own or foreign:
        yield Difference("schema", "; ".join(own) or "as declared", "; ".join(foreign) or "as declared")
        return
    for place, one, other in differences(rehearsed.content, live.content, kind):
        yield Difference("schema", f"`{place}` {one}", f"`{place}` {other}")


def _problems(rehearsed: httpx.Response, live: httpx.Response) -> Iterator[Difference]:
    """Two problems are alike when they are of one type; a problem and a success differ in their media type already."""
    if not rehearsed.is_success and not live.is_success:
        kinds = _kind(rehearsed.json()), _kind(live.json())
        if kinds[0] != kinds[1]:
            yield Difference("schema", *kinds)


def _kind(problem: Mapping[str, Any]) -> str:
    """The type of a problem; a document's is in its one error of GraphQL."""
    if "type" not in problem and problem.get("errors"):
        problem = problem["errors"][0].get("extensions", {})
    return str(problem.get("type", "none"))


def _price(rehearsed: Money | None, live: Money | None) -> Iterator[Difference]:
    if rehearsed != live:
        yield Difference("price", str(rehearsed or "nothing"), str(live or "nothing"))
