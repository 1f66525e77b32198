"""A made-up BFF whose writes try every way out, and an upstream that keeps what reached it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from narrows import Answer, Bff, Call, Id, Input, Narrow, NumberId, Problem, ShortText, Upstream, gather, read, write
from tests.abuse.attack import claims_of
from tests.flow.world import World, world

LIMIT = 3
KEPT: list[Coroutine[Any, Any, Any]] = []
TASKS: list[asyncio.Task[Any]] = []


class Busy(Problem):
    """The ledger wants to be asked again."""

    status = 409
    title = "The ledger is busy"
    remedy = "Try again."


class Line(Narrow):
    """What the ledger tells of a line; it holds more than is declared here."""

    id: Id
    team_id: int
    text: str = ""


class NewLine(Input):
    """What a client sends, and the ledger takes."""

    text: ShortText
    about: str | None = None


class NewText(Input):
    """What a client sends."""

    text: ShortText


class Ledger(Upstream):
    """Lines that belong to teams."""

    @read("/lines/{line_id}", asks="bookings:read", price="0.01 EUR")
    def line(self, line_id: Id) -> Answer[Line]: ...

    @write("/lines", asks="bookings:write", price="0.10 EUR", problems={409: Busy})
    def add(self, line: NewLine) -> Answer[Line]: ...

    @write("/lines/{line_id}", method="DELETE", asks="bookings:write")
    def remove(self, line_id: Id) -> Answer[None]: ...


errands = Bff(
    "errands",
    version="1.0.0",
    owner="red@example.com",
    purpose="Try every way out",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_BOUND = {"roles": {"member"}, "within": "team:{team_id}", "scope": "dining:read"}
_OFTEN = {**_BOUND, "rate": "100000/minute"}


@errands.read("/teams/{team_id}/line", uses=[Ledger.line], rate=f"{LIMIT}/minute", **_BOUND)
async def look(team_id: NumberId) -> Line:
    """Read one line."""
    return await Ledger.line("line-7")


@errands.read(
    "/teams/{team_id}/shared", uses=[Ledger.line], rate=["1000/minute", f"{LIMIT}/minute per tenant"], **_BOUND
)
async def shared(team_id: NumberId) -> Line:
    """Read one line, as often as the whole tenant may."""
    return await Ledger.line("line-7")


@errands.write("/teams/{team_id}/line", uses=[Ledger.add], rate=f"{LIMIT}/minute", **_BOUND)
async def note(team_id: NumberId, new: NewText) -> Line:
    """Write one line."""
    return await Ledger.add(NewLine(text=new.text))


@errands.write("/teams/{team_id}/copies", uses=[Ledger.line, Ledger.add], **_OFTEN)
async def copied(team_id: NumberId, new: NewText) -> Line:
    """Read a line, and write what was read."""
    line = await Ledger.line("line-7")
    return await Ledger.add(NewLine(text=new.text, about=line.text))


@errands.write("/teams/{team_id}/gathered", uses=[Ledger.add.times(3), Ledger.remove], **_OFTEN)
async def gathered(team_id: NumberId, new: NewText) -> list[Line]:
    """Write side by side."""
    *made, _ = await gather(*(Ledger.add(NewLine(text=new.text)) for _ in range(3)), Ledger.remove("line-8"))
    return list(made)


@errands.write("/teams/{team_id}/later", uses=[Ledger.add], **_OFTEN)
async def later(team_id: NumberId, new: NewText) -> None:
    """Leave a task behind that writes after the answer."""
    call = Ledger.add(NewLine(text=new.text))
    answered = asyncio.Event()

    async def behind() -> None:
        await answered.wait()
        await call

    TASKS.append(asyncio.create_task(behind()))
    asyncio.get_running_loop().call_later(0, answered.set)


@errands.write("/teams/{team_id}/beside", uses=[Ledger.add], **_OFTEN)
async def beside(team_id: NumberId, new: NewText) -> Line:
    """Write in a task of its own, which is awaited."""
    return await asyncio.create_task(Ledger.add(NewLine(text=new.text)))


@errands.write("/teams/{team_id}/threads", uses=[Ledger.add], **_OFTEN)
async def threaded(team_id: NumberId, new: NewText) -> Line:
    """Write from another thread, with a loop of its own."""

    def work() -> Line:
        return asyncio.run(Ledger.add(NewLine(text=new.text)))

    return await asyncio.to_thread(work)


@errands.write("/teams/{team_id}/retried", uses=[Ledger.add.times(4)], **_OFTEN)
async def retried(team_id: NumberId, new: NewText) -> list[Line]:
    """Write again and again, as a loop around a shaky service would."""
    made = []
    for _ in range(4):
        try:
            made.append(await Ledger.add(NewLine(text=new.text)))
        except Busy:
            continue
    return made


@errands.write("/teams/{team_id}/kept", uses=[Ledger.add], **_OFTEN)
async def kept(team_id: NumberId, new: NewText) -> None:
    """Keep a write for another call, or send one that another call kept."""
    if KEPT:
        await KEPT.pop()
    else:
        KEPT.append(Ledger.add(NewLine(text=new.text)))


@errands.read("/teams/{team_id}/keeping", uses=[Ledger.line], **_OFTEN)
async def keeping(team_id: NumberId) -> None:
    """Keep a read for another call, or send one that another call kept."""
    if KEPT:
        await KEPT.pop()
    else:
        KEPT.append(Ledger.line("line-7"))


@errands.write("/teams/{team_id}/nested", uses=[Ledger.add.times(2)], **_OFTEN)
async def nested(team_id: NumberId, new: NewText) -> Line:
    """Write by the functions of other endpoints."""
    await beside(team_id, new)
    return await note(team_id, new)


@errands.write("/teams/{team_id}/posing", uses=[Ledger.line, Ledger.add], **_OFTEN)
async def posing(team_id: NumberId, new: NewText, call: Call) -> Line:
    """Pass the call off as live before it writes."""
    call.mode = "live"
    await Ledger.line("line-7")
    return await Ledger.add(NewLine(text=new.text))


@errands.write(
    "/teams/{team_id}/lines/{line_id}",
    method="DELETE",
    inside={"line_id": (Ledger.line, "team_id")},
    uses=[Ledger.remove],
    **_OFTEN,
)
async def removed(team_id: NumberId, line_id: Id) -> None:
    """Remove a line of the team."""
    await Ledger.remove(line_id)


@errands.write(
    "/{shelf}/line",
    unbound={"shelf": "for the attack"},
    roles={"member"},
    scope="dining:read",
    rate="100000/minute",
    uses=[Ledger.add],
)
async def shelved(shelf: ShortText, new: NewText) -> Line:
    """Write below a first segment that is a value, so that `Rehearse` could pass for one."""
    return await Ledger.add(NewLine(text=new.text, about=shelf))


class LedgerHost:
    """The upstream: line `line-N` belongs to team N, and `line-0` to nobody.

    Every answer is full of what nobody declared.
    """

    def __init__(self, canary: str = "canary-4b1d") -> None:
        self.canary = canary
        self.got: list[tuple[str, str]] = []
        self.scopes: list[set[str]] = []
        self.busy = 0

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What would have changed something."""
        return [one for one in self.got if one[0] != "GET"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        method, path = scope["method"], scope["path"]
        token = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
        self.got.append((method, path))
        self.scopes.append(set(claims_of(token)["scope"].split()))
        self.busy -= method == "POST" and self.busy > 0
        status = 404 if path.endswith("/line-0") else 204 if method == "DELETE" else 200
        number = path.rpartition("-")[2]
        line = {
            "id": path.rpartition("/")[2] if method == "GET" else "line-1",
            "team_id": int(number) if number.isdigit() else 7,
            "text": f"told-{self.canary}",
            "salary": self.canary,
            "owner": {"iban": self.canary},
        }
        body = b"" if status != 200 else msgspec.json.encode(line)
        headers = [(b"content-type", b"application/json")] if body else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


SETTINGS: dict[str, Any] = {
    "upstreams": {"ledger": {"url": "https://ledger.test", "audience": "tables-api"}},
    "limits": {"attempts": "100000/minute"},
    "issuers": {
        "corp": {
            "roles": [
                {"claim": "teams", "role": "member", "domain": "team:{value}"},
                {"claim": "teams", "role": "member", "domain": "bff:errands"},
            ]
        }
    },
}


@asynccontextmanager
async def running(host: LedgerHost | None = None, **over: Any) -> AsyncIterator[tuple[World, LedgerHost]]:
    """The world with the BFF `errands` in it, and its upstream."""
    host = host or LedgerHost()
    async with world(bff=errands, hosts={"ledger.test": host}, **{**SETTINGS, **over}) as made:
        yield made, host
