"""Case 80: a receipt holds for one caller, program, request and declaration, once; and the call does what it told."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from narrows import Answer, Bff, Call, Id, Input, Narrow, NumberId, ShortText, Upstream, gather, read, write
from narrows.settings import Secret
from tests.abuse import apart
from tests.abuse.attack import Got, post
from tests.abuse.errands import LedgerHost, errands, running
from tests.flow.world import World, world

PATH = "/teams/7/copies"
TEXT = {"text": "once"}
ANNA = {"subject": "anna"}


def program(client_id: str, tenant: str, **more: str) -> dict[str, str]:
    """A registered program of a kind that may write openly."""
    return {"issuer": "corp", "client_id": client_id, "tenant": tenant, "kind": "partner", "state": "live", **more}


PROGRAMS = {"page": program("where2eat-page", "example"), "neighbour": program("elsewhere", "elsewhere")}


async def receipt_of(made: World, path: str = PATH, base: str = "/rehearse", **who: Any) -> str:
    """The receipt of a rehearsal."""
    got = await post(made.app, f"{base}{path}", TEXT, token=made.token(**who))
    assert got.status == 200, got.body
    return got.header("rehearsal-receipt") or ""


async def spend(made: World, receipt: str, path: str = PATH, body: Any = TEXT, **who: Any) -> Got:
    """A live call with a receipt."""
    headers = [("rehearsal-receipt", receipt)]
    return await post(made.app, path, body, token=made.token(**who), headers=headers)


def on_disk(place: apart.Place, **receipts: Any) -> dict[str, Any]:
    """Settings with stores that outlive a world."""
    return {"stores": apart.stores(place), **({"receipts": receipts} if receipts else {})}


@pytest.mark.parametrize(
    "other",
    [{"subject": "ben"}, {"client_id": "where2eat-page"}, {"client_id": "elsewhere"}],
    ids=["caller", "connector", "tenant"],
)
async def test_case_80_a_receipt_of_another_is_unknown(other: dict[str, str]) -> None:
    """Another caller, program or tenant reads what they read of one that never was, and it stays good for its own."""
    async with running(connectors=PROGRAMS) as (made, host):
        receipt = await receipt_of(made)
        kid, rehearsal, expires, signature = receipt.split(".")
        forged = ".".join([kid, rehearsal, expires, signature[::-1]])
        answers = [await spend(made, one, **other) for one in (receipt, forged)]
        assert [(one.status, one.problem["reason"]) for one in answers] == [(409, "unknown")] * 2
        assert answers[0].problem == answers[1].problem
        assert host.writes == []
        assert (await spend(made, receipt)).status == 200


@pytest.mark.parametrize("part", range(4))
async def test_case_80_a_forged_receipt_is_unknown(part: int) -> None:
    """Whichever part is changed: the key's name, the rehearsal, the expiry, the signature."""
    async with running() as (made, host):
        parts = (await receipt_of(made)).split(".")
        parts[part] = {0: "other", 1: "x" * 22, 2: "9999999999", 3: "A" * 43}[part]
        got = await spend(made, ".".join(parts))
        assert (got.status, got.problem["reason"], host.writes) == (409, "unknown", [])


async def test_case_80_a_receipt_ends_with_its_time() -> None:
    """After that it is told to be expired, also while the rehearsal is still there."""
    async with running() as (made, host):
        receipt = await receipt_of(made)
        made.clock.move(3600)
        got = await spend(made, receipt)
        assert (got.status, got.problem["reason"], host.writes) == (409, "expired", [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"connectors": {"copilot": {"version": "2"}}}, "connector-version"),
        ({"upstreams": {"ledger": {"url": "https://ledger.test/v2", "audience": "tables-api"}}}, "declaration"),
    ],
)
async def test_case_80_what_has_changed_since_is_named(place: apart.Place, change: dict[str, Any], reason: str) -> None:
    """Another version of the program, another upstream: each is told, and nothing is sent."""
    async with running(**on_disk(place)) as (made, _):
        receipt = await receipt_of(made)
    async with running(**on_disk(place), **change) as (made, host):
        got = await spend(made, receipt)
        assert (got.status, got.problem["reason"], host.writes) == (409, reason, [])


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/teams/7/line", TEXT, "endpoint"),
        (PATH, {"text": "other"}, "arguments"),
        ("/teams/8/copies", TEXT, "arguments"),
    ],
)
async def test_case_80_a_receipt_is_of_one_request(path: str, body: Any, reason: str) -> None:
    """Another endpoint, another body, another object: refused, whatever role the caller holds there."""
    async with running() as (made, host):
        receipt = await receipt_of(made)
        got = await spend(made, receipt, path, body, teams=[7, 8])
        assert (got.status, got.problem["reason"], host.writes) == (409, reason, [])


async def test_case_80_a_sandbox_gives_no_receipt() -> None:
    """Nor does a rehearsal of a read."""
    async with running() as (made, _):
        got = await post(made.app, f"/sandbox{PATH}", TEXT, token=made.token())
        assert (got.status, got.header("rehearsal-receipt")) == (200, None)


async def test_case_80_two_processes_at_the_same_instant_spend_it_once(place: apart.Place) -> None:
    """Both have looked at the receipt and stand before their write; exactly one of them passes."""
    async with running(**on_disk(place)) as (made, _):
        receipt = await receipt_of(made)
    children = [await apart.begin("race", place, {"rehearsal-receipt": receipt}) for _ in range(2)]
    try:
        assert [await child.said() for child in children] == ["ready", "ready"]
        await asyncio.gather(*(child.go() for child in children))
        ends = sorted([json.loads(await child.said()) for child in children], key=lambda end: end[0])
    finally:
        for child in children:
            await child.end()
    assert ends == [[200, None, 1], [409, "spent", 0]]


async def test_case_80_a_hundred_at_once_in_one_process_spend_it_once() -> None:
    """One write, one success; all others are told that it is used."""
    async with running() as (made, host):
        receipt = await receipt_of(made)
        answers = await asyncio.gather(*(spend(made, receipt) for _ in range(100)))
        assert sorted(one.status for one in answers) == [200] + [409] * 99
        assert {one.problem["reason"] for one in answers if one.status == 409} == {"spent"}
        assert len(host.writes) == 1


def key(kid: str, byte: bytes) -> dict[str, Any]:
    """A key that signs receipts."""
    return {"kid": kid, "key": Secret(base64.b64encode(byte * 32).decode())}


async def test_case_80_keys_are_rotated_without_losing_a_receipt(place: apart.Place) -> None:
    """While the old key is listed its receipts hold; once it is gone they are unknown, under its name or another."""
    async with running(**on_disk(place, keys=[key("old", b"o")])) as (made, _):
        first, second = await receipt_of(made), await receipt_of(made)
    async with running(**on_disk(place, keys=[key("new", b"n"), key("old", b"o")])) as (made, _):
        assert (await spend(made, first)).status == 200
        assert (await receipt_of(made)).startswith("new.")
    for keys in ([key("new", b"n")], [key("old", b"n")]):
        async with running(**on_disk(place, keys=keys)) as (made, host):
            got = await spend(made, second)
            assert (got.status, got.problem["reason"], host.writes) == (409, "unknown", [])


# --- what is sent is what was told ----------------------------------------------------------------------------------


class Item(Narrow):
    """A thing with an id of the upstream's own making."""

    id: Id
    text: str = ""


class NewItem(Input):
    """What the store takes."""

    text: ShortText
    of: Id | None = None
    at: str = ""


class Wanted(Input):
    """What a client sends."""

    text: ShortText


class Store(Upstream):
    """A store that gives ids."""

    @read("/hint", asks="bookings:read")
    def hint(self) -> Answer[Item]: ...

    @read("/items/{item_id}", asks="bookings:read")
    def item(self, item_id: Id) -> Answer[Item]: ...

    @write("/items", asks="bookings:write", price="0.10 EUR")
    def add(self, item: NewItem) -> Answer[Item]: ...

    @write("/items/{item_id}/notes", asks="bookings:write")
    def note(self, item_id: Id, item: NewItem) -> Answer[Item]: ...


chains = Bff(
    "chains",
    version="1.0.0",
    owner="red@example.com",
    purpose="Write one after the other",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_GUARDS: dict[str, Any] = {"roles": {"member"}, "within": "team:{team_id}", "scope": "dining:read",
                           "rate": "100000/minute"}  # fmt: skip


@chains.write("/teams/{team_id}/chain", uses=[Store.add, Store.item, Store.note, Store.hint], **_GUARDS)
async def chain(team_id: NumberId, new: Wanted) -> Item:
    """Add an item, read it back, and note its id in itself, with a hint of the store."""
    hint = await Store.hint()
    made = await Store.add(NewItem(text=new.text))
    again = await Store.item(made.id)
    return await Store.note(again.id, NewItem(text=f"see {made.id}: {hint.text}", of=made.id))


@chains.write("/teams/{team_id}/stamps", uses=[Store.add.times(2)], **_GUARDS)
async def stamps(team_id: NumberId, new: Wanted, call: Call) -> Item:
    """Add two with the time and new ids, side by side."""
    first, _ = await gather(
        Store.add(NewItem(text=call.new_id(), at=call.now().isoformat())), Store.add(NewItem(text=call.new_id()))
    )
    return first


@chains.write("/teams/{team_id}/astray", uses=[Store.add, Store.note], **_GUARDS)
async def astray(team_id: NumberId, new: Wanted, call: Call) -> Item:
    """Add an item and note something in it, or when it is live in another one."""
    made = await Store.add(NewItem(text=new.text))
    return await Store.note("item-77" if call.mode == "live" else made.id, NewItem(text="noted"))


@chains.write("/teams/{team_id}/more", uses=[Store.add.times(3)], **_GUARDS)
async def more(team_id: NumberId, new: Wanted, call: Call) -> Item:
    """Add one, and when it is live another one."""
    made = await Store.add(NewItem(text=new.text))
    if call.mode == "live":
        await Store.add(NewItem(text=new.text))
    return made


class StoreHost:
    """The store: its items are `item-1`, `item-2` and so on."""

    def __init__(self) -> None:
        self.hint = "left"
        self.bodies: list[tuple[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more_ = b"", True
        while more_:
            message = await receive()
            body, more_ = body + message.get("body", b""), message.get("more_body", False)
        path = scope["path"]
        if scope["method"] == "POST":
            self.bodies.append((path, json.loads(body)))
        name = path.split("/")[2] if path.count("/") > 1 else f"item-{len(self.bodies)}"
        document = {"id": name, "text": self.hint if path == "/hint" else "t"}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(document).encode()})


@asynccontextmanager
async def chained() -> AsyncIterator[tuple[World, StoreHost]]:
    """The BFF with its store."""
    host = StoreHost()
    upstreams = {"store": {"url": "https://store.test", "audience": "tables-api"}}
    async with world(bff=chains, hosts={"store.test": host}, upstreams=upstreams) as made:
        yield made, host


async def test_case_80_slots_take_what_the_real_answers_gave() -> None:
    """The id that a rehearsal made up stands for the real one: in a path, in a field, and inside a text."""
    async with chained() as (made, host):
        receipt = await receipt_of(made, "/teams/7/chain")
        got = await spend(made, receipt, "/teams/7/chain")
        assert got.status == 200, got.body
        assert host.bodies == [
            ("/items", {"text": "once", "of": None, "at": ""}),
            ("/items/item-1/notes", {"text": "see item-1: left", "of": "item-1", "at": ""}),
        ]


@pytest.mark.parametrize("path", ["/teams/7/chain", "/teams/7/astray"])
async def test_case_80_drift_in_the_second_effect_names_what_was_sent(path: str) -> None:
    """What was read has changed, or the id is not the one that the first write gave: 409, with the first named."""
    async with chained() as (made, host):
        receipt = await receipt_of(made, path)
        host.hint = "changed"
        got = await spend(made, receipt, path)
        assert (got.status, got.kind) == (409, "effects-drifted")
        assert got.problem["effects"] == ["Store.add"]
        assert "Store.note" in got.problem["detail"]
        assert [where for where, _ in host.bodies] == ["/items"]
        assert made.records.calls()[-1]["effects"] == ["Store.add"]
        # It is used up: what it stood for has happened in part.
        assert (await spend(made, receipt, path)).problem["reason"] == "spent"


async def test_case_80_an_effect_that_was_not_told_is_not_sent() -> None:
    """A handler that writes more when it is live gets no further than what was rehearsed."""
    async with chained() as (made, host):
        receipt = await receipt_of(made, "/teams/7/more")
        got = await spend(made, receipt, "/teams/7/more")
        assert (got.status, got.problem["effects"], len(host.bodies)) == (409, ["Store.add"], 1)


async def test_case_80_time_and_ids_are_those_of_the_rehearsal() -> None:
    """However much later the call comes, it says what was rehearsed; an open call says what is now."""
    async with chained() as (made, host):
        receipt = await receipt_of(made, "/teams/7/stamps")
        made.clock.move(600)
        got = await spend(made, receipt, "/teams/7/stamps")
        assert got.status == 200, got.body
        assert {body["at"] for _, body in host.bodies} == {"", "2025-11-24T16:00:00+00:00"}
        first = sorted(body["text"] for _, body in host.bodies)
        host.bodies.clear()
        await post(made.app, "/teams/7/stamps", TEXT, token=made.token())
        assert {body["at"] for _, body in host.bodies} == {"", "2025-11-24T16:10:00+00:00"}
        assert set(first).isdisjoint(body["text"] for _, body in host.bodies)


async def test_case_80_a_receipt_that_is_required_is_required_of_everybody() -> None:
    """`commit="receipt"` on an endpoint asks it of a partner too, who elsewhere may write openly."""
    strict = Bff("errands", **{name: getattr(errands, name) for name in (
        "version", "owner", "purpose", "exposure", "sensitivity", "importance", "review_by")})  # fmt: skip

    @strict.write("/teams/{team_id}/chain", uses=[Store.add], commit="receipt", **_GUARDS)
    async def chain(team_id: NumberId, new: Wanted) -> Item:
        """Add one."""
        return await Store.add(NewItem(text=new.text))

    host = StoreHost()
    upstreams = {"store": {"url": "https://store.test", "audience": "tables-api"}}
    async with world(bff=strict, hosts={"store.test": host}, upstreams=upstreams) as made:
        got = await post(made.app, "/teams/7/chain", TEXT, token=made.token())
        assert (got.status, got.problem["commit"], host.bodies) == (428, "receipt", [])
        assert (await spend(made, await receipt_of(made, "/teams/7/chain"), "/teams/7/chain")).status == 200


async def test_case_80_nothing_of_a_receipt_can_be_read_or_moved(tmp_path: Path) -> None:
    """A receipt holds no name and no value; and its files hold none either."""
    async with running(LedgerHost("canary-80"), **on_disk(tmp_path)) as (made, _):
        receipt = await receipt_of(made)
        assert (await spend(made, receipt)).status == 200
        for text in ("anna", "copilot", "example", "errands", "once", "canary-80"):
            assert text not in receipt
            assert [file for file in listed(tmp_path) if text.encode() in file.read_bytes()] == []


def listed(folder: Path) -> list[Path]:
    """The files of a folder."""
    return list(folder.iterdir())
