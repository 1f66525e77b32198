"""A comparison finds what differs: in a world where the live call does other things than its rehearsal said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from narrows import Answer, Bff, Call, Id, Input, Narrow, NumberId, Problem, ShortText, Upstream, read, write
from narrows.testing import Difference, Request, Stage, compare, unasked
from narrows.testing.fidelity import NotCompared, rehearse
from tests.flow.world import world


class Full(Problem):
    """The list is full."""

    status = 409
    title = "The list is full"
    remedy = "Take something out."


class Item(Narrow):
    """An item."""

    id: Id
    text: str = ""


class Size(Narrow):
    """How large a list is, in numbers or in words."""

    value: int | ShortText


class NewText(Input):
    """What a client sends."""

    text: ShortText


class NewItem(Input):
    """What the list takes."""

    text: ShortText
    about: str | None = None


class Lists(Upstream):
    """Lists that belong to teams."""

    @read("/teams/{team_id}/list", asks="bookings:read", price="0.01 EUR")
    def item(self, team_id: NumberId) -> Answer[Item]: ...

    @write("/items", asks="bookings:write", price="0.10 EUR", problems={409: Full})
    def add(self, item: NewItem) -> Answer[Item]: ...

    @write("/size", asks="bookings:write", stand_in=lambda: Size(value=1))
    def grow(self) -> Answer[Size]: ...


bff = Bff(
    "lists",
    version="1.0.0",
    owner="red@example.com",
    purpose="Differ",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
GUARDS: dict[str, Any] = {
    "roles": {"member"}, "within": "team:{team_id}", "scope": "dining:read", "rate": "1000/minute",
}  # fmt: skip


@bff.read("/teams/{team_id}/item", uses=[Lists.item], **GUARDS)
async def item(team_id: NumberId) -> Item:
    """An item."""
    return await Lists.item(team_id)


@bff.write("/teams/{team_id}/add", uses=[Lists.add], **GUARDS)
async def add(team_id: NumberId, new: NewText) -> Item:
    """Add one."""
    return await Lists.add(NewItem(text=new.text))


@bff.write("/teams/{team_id}/copy", uses=[Lists.item, Lists.add], **GUARDS)
async def copy(team_id: NumberId, new: NewText) -> Item:
    """Add one with what was read."""
    found = await Lists.item(team_id)
    return await Lists.add(NewItem(text=new.text, about=found.text))


@bff.write("/teams/{team_id}/cheat", uses=[Lists.add.times(2)], **GUARDS)
async def cheat(team_id: NumberId, new: NewText, call: Call) -> Item:
    """Do live what was not rehearsed."""
    if call.mode == "live":
        await Lists.add(NewItem(text="more"))
    return await Lists.add(NewItem(text=new.text))


@bff.write("/teams/{team_id}/late", uses=[Lists.item, Lists.add], **GUARDS)
async def late(team_id: NumberId, new: NewText, call: Call) -> Item:
    """Write, and end in a problem if it is only rehearsed."""
    made = await Lists.add(NewItem(text=new.text))
    if call.mode == "rehearse":
        await Lists.item(0 + team_id)
    return made


@bff.write("/teams/{team_id}/grow", uses=[Lists.grow], **GUARDS)
async def grow(team_id: NumberId) -> Size:
    """Let the list grow."""
    return await Lists.grow()


@bff.write("/teams/{team_id}/nothing", uses=[Lists.add], **GUARDS)
async def nothing(team_id: NumberId, new: NewText) -> None:
    """Add one, and answer nothing."""
    await Lists.add(NewItem(text=new.text))


class Host:
    """The upstream: what it answers can be changed."""

    def __init__(self) -> None:
        self.reads = self.writes = 200
        self.size: Any = 2
        self.texts = ["told"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        reading = scope["method"] == "GET"
        text = self.texts.pop(0) if reading and len(self.texts) > 1 else self.texts[0]
        body = msgspec.json.encode({"id": "item-0001", "text": text, "value": self.size})
        status = self.reads if reading else self.writes
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def stage(host: Host, **over: Any) -> AsyncIterator[Stage]:
    """The BFF with its upstream."""
    upstreams = {"lists": {"url": "https://lists.test", "audience": "tables-api"}}
    async with world(bff=bff, hosts={"lists.test": host}, upstreams=upstreams, **over) as made:
        yield Stage(made.app, made.client, made.network, made.records, made.token)


def asking(endpoint: str, **more: Any) -> Request:
    """A request as anna."""
    body = None if endpoint in ("item", "grow") else {"text": "hello"}
    return Request(endpoint, f"/teams/7/{endpoint}", body=body, caller="anna", **more)


async def found(endpoint: str, host: Host | None = None) -> list[Difference]:
    """What differs."""
    async with stage(host or Host()) as made:
        return list((await compare(made, asking(endpoint))).differences)


@pytest.mark.parametrize("endpoint", ["item", "add", "copy", "grow", "nothing", "lists.add"])
async def test_an_honest_endpoint_has_no_difference(endpoint: str) -> None:
    """Reads, writes, a write of what was read, and an answer without a body."""
    async with stage(Host()) as made:
        name = endpoint.removeprefix("lists.")
        request = Request(endpoint, f"/teams/7/{name}", asking(name).body, "anna")
        comparison = await compare(made, request)
    assert comparison.differences == ()
    assert comparison.live == comparison.rehearsed


async def test_another_status_is_found() -> None:
    """An upstream that refuses what was rehearsed: the status, the media type, and an effect that did not happen."""
    host = Host()
    host.writes = 409
    told = {one.what: (one.rehearsed, one.live) for one in await found("add", host)}
    assert told["status"] == ("200", "409")
    assert told["schema"] == ("application/json", "application/problem+json")


async def test_another_schema_is_found() -> None:
    """An upstream that tells the size in words, where the rehearsal gave a number; the type allows both."""
    host = Host()
    host.size = "large"
    assert await found("grow", host) == [Difference("schema", "`/value` number", "`/value` string")]


async def test_an_extra_effect_and_its_price_are_found() -> None:
    """A handler that asks in which mode it runs, and writes once more when it is live."""
    assert await found("cheat") == [
        Difference("effects", "not noted", "Lists.add"),
        Difference("price", "0.10 EUR", "0.20 EUR"),
    ]


async def test_an_effect_with_other_content_is_found() -> None:
    """What was read has changed between rehearsal and commit, and the field that took it is named."""
    host = Host()
    host.texts = ["first", "second"]
    (one,) = await found("copy", host)
    assert str(one) == (
        "effects: rehearsed Lists.add /item/about = a hidden string, live Lists.add /item/about = 'second'"
    )


async def test_a_problem_after_an_effect_is_compared_too() -> None:
    """A rehearsal that ends in a problem has no document; its record still tells effects and price."""
    host = Host()
    host.reads, host.writes = 404, 409
    assert await found("late", host) == [
        Difference("status", "502", "409"),
        Difference("schema", "urn:narrows:problem:upstream-failed", "urn:narrows:problem:full"),
        Difference("price", "0.01 EUR", "0.10 EUR"),
    ]


async def test_what_cannot_be_compared_is_said() -> None:
    """An endpoint that is not there, a path that leads to another one, and what failed before."""
    async with stage(Host()) as made:
        for request, said in [
            (asking("unknown"), "'unknown' is no endpoint of lists"),
            (Request("item", "/teams/7/none", caller="anna"), "does not lead to lists.item"),
            (asking("item", first=(Request("item", "/teams/8/item", caller="anna", label="other"),)),
             "before it, item (other) was answered 403"),
            (Request("item", "/teams/{id}/item", caller="anna"), "nothing before it answered 'id'"),
            (Request("item", "/teams/{id}/item", caller="anna", first=(asking("nothing"),)), "nothing before it"),
        ]:  # fmt: skip
            with pytest.raises(NotCompared, match=said.replace("(", r"\(").replace(")", r"\)")):
                await compare(made, request)


async def test_a_request_can_be_rehearsed_alone() -> None:
    """Nothing is sent live, and what it would do is told."""
    host = Host()
    async with stage(host) as made:
        told = await rehearse(made, asking("copy"))
        assert [request.method for request in made.network.to("lists.test")] == ["GET"]
    assert (told.rehearsed.status, told.rehearsed.effects, told.rehearsed.price) == (200, ("Lists.add",), "0.11 EUR")
    assert told.live is None


async def test_a_rehearsal_that_cannot_be_read_is_said() -> None:
    """A token that lost its life between the rehearsal and its document: the comparison says so, and sends nothing."""
    host = Host()
    async with stage(host) as made:
        tokens = iter([made.token("anna"), "no-token"])
        with pytest.raises(NotCompared, match="its rehearsal was answered 401"):
            await compare(
                Stage(made.app, made.client, made.network, made.records, lambda _: next(tokens)), asking("add")
            )
        assert made.network.to("lists.test") == []


def test_an_endpoint_without_a_request_is_named() -> None:
    """By its id, whether requests name endpoints by function or by id."""
    requests = [asking("item"), asking("lists.add"), asking("copy"), asking("late"), asking("cheat"), asking("grow")]
    assert unasked(bff, requests) == ["lists.nothing"]


class Between(httpx.AsyncBaseTransport):
    """Stands between a client and a BFF: it keeps requests, and may add a field to live answers."""

    def __init__(self, client: httpx.AsyncClient, field: bytes = b"") -> None:
        self.client = client
        self.field = field
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = await self.client.request(
            request.method, str(request.url), content=request.content, headers=request.headers
        )
        live = request.url.path.startswith("/teams")
        content = answer.content[:-1] + self.field + b"}" if live and self.field else answer.content
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


async def compared(made: Stage, between: Between, request: Request) -> tuple[Difference, ...]:
    """What differs as seen through what stands between."""
    async with httpx.AsyncClient(transport=between, base_url="https://bff.test") as client:
        other = Stage(made.app, client, made.network, made.records, made.token)
        return (await compare(other, request)).differences


async def test_a_body_that_is_not_as_declared_is_found() -> None:
    """A field that live answers alone have: what the contract does not name counts."""
    async with stage(Host()) as made:
        found = await compared(made, Between(made.client, field=b',"more":1'), asking("add"))
    assert found == (Difference("schema", "as declared", "`/more` is not declared"),)


@pytest.mark.parametrize("commit", ["open", "receipt", "confirmed"])
async def test_a_live_call_brings_the_receipt_that_is_asked_for(commit: str) -> None:
    """Where its connector wants one, that of the rehearsal is sent once, confirmed if it must be; else none is."""
    async with stage(Host(), connectors={"copilot": {"commit": commit}}) as made:
        between = Between(made.client)
        assert await compared(made, between, asking("add")) == ()
        assert len(made.network.to("lists.test")) == 1
    receipts = [request.headers.get("rehearsal-receipt") for request in between.requests]
    assert receipts[:-1] == [None, None]
    assert (receipts[-1] is None) == (commit == "open")
