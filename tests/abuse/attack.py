"""What the attacks on a whole application share: requests as bytes, forged tokens, and a BFF that passes values on."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from narrows import Answer, Bff, Id, Input, Narrow, NumberId, Problem, ShortText, Upstream, read, write
from narrows.settings import merge
from tests.flow.world import World, world

Headers = Sequence[tuple[str, str]]


class Got(NamedTuple):
    """What an application answered; `headers` as they were sent, doubled ones included."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header that was sent exactly once."""
        values = [value for key, value in self.headers if key == name]
        return values[0] if len(values) == 1 else None

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document (RFC 9457) without its trace id, which is the only part that may differ."""
        assert self.header("content-type") == "application/problem+json"
        document = msgspec.json.decode(self.body, type=dict[str, Any])
        assert document["status"] == self.status
        document.pop("trace_id")
        return document

    @property
    def kind(self) -> str:
        """The last part of the problem's type."""
        return str(self.problem["type"]).rpartition(":")[2]


async def ask(
    app: Any,
    target: str,
    method: str = "GET",
    *,
    token: str | None = None,
    headers: Headers = (),
    host: str | None = "bff.test",
    body: bytes | Iterable[bytes] = b"",
    peer: str = "127.0.0.1",
) -> Got:
    """Bring a request to an application as a server would: nothing in the target or the headers is made better."""
    path, _, query = target.partition("?")
    fields = [("host", host)] if host is not None else []
    fields += [("authorization", f"Bearer {token}")] if token is not None else []
    fields += headers
    if (
        isinstance(body, bytes)
        and body
        and not any(name in ("content-length", "transfer-encoding") for name, _ in fields)
    ):
        fields.append(("content-length", str(len(body))))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        "client": (peer, 49152),
        "server": ("127.0.0.1", 443),
        "state": {},
    }
    pieces = iter([body] if isinstance(body, bytes) else body)
    open_, sent = True, list[Any]()

    async def receive() -> Any:
        nonlocal open_
        if not open_:
            await asyncio.Event().wait()  # the client stays, and has nothing more to say
        piece = next(pieces, None)
        open_ = piece is not None and not isinstance(body, bytes)
        return {"type": "http.request", "body": piece or b"", "more_body": open_}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Got(start["status"], [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"]], content)


JSON = [("content-type", "application/json")]


async def post(
    app: Any, target: str, document: Any, *, token: str | None = None, headers: Headers = (), **how: Any
) -> Got:
    """POST a document, or bytes as they are."""
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return await ask(app, target, how.pop("method", "POST"), token=token, headers=[*JSON, *headers], body=body, **how)


# --- tokens ---------------------------------------------------------------------------------------------------------


def part(value: Any) -> str:
    """One part of a compact JWS."""
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpart(text: str) -> dict[str, Any]:
    """A header or the claims of a token."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unverified."""
    return unpart(token.split(".")[1])


def rewritten(token: str, header: Mapping[str, Any], signature: str | None = None) -> str:
    """A token with members laid over its header, and another signature if one is given."""
    head, claims, signed = token.split(".")
    return f"{part({**unpart(head), **header})}.{claims}.{signed if signature is None else signature}"


# --- the wire -------------------------------------------------------------------------------------------------------


def sent_tokens(world_: World, *hosts: str) -> list[str]:
    """The bearer tokens that upstreams got, in order."""
    wanted = hosts or tuple(f"{name}.test" for name in world_.upstreams)
    found = [request for request in world_.network.sent if request.url.netloc.decode() in wanted]
    return [
        request.headers["authorization"].removeprefix("Bearer ")
        for request in found
        if "authorization" in request.headers
    ]


def everything_sent(world_: World, *, but: str = "issuer.test") -> bytes:
    """All bytes that left the BFF for other hosts than one: request lines, headers and bodies."""
    parts: list[bytes] = []
    for request in world_.network.sent:
        if request.url.netloc.decode() != but:
            parts += [str(request.url).encode(), *(b"%b: %b" % field for field in request.headers.raw), request.content]
    return b"\n".join(parts)


def to_upstreams(world_: World) -> list[Any]:
    """Every request that left for anybody but the issuer."""
    return [request for request in world_.network.sent if request.url.netloc.decode() != "issuer.test"]


Answered = tuple[int, Mapping[str, str], bytes]
Respond = Callable[[bytes], Awaitable[Answered | None]]


class Instead:
    """An application of which one path is answered by `respond` (which gets the body), unless that gives None."""

    def __init__(self, app: Any, path: str, respond: Respond) -> None:
        self._app = app
        self._path = path
        self._respond = respond

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        answer = await self._respond(body)
        if answer is None:
            await self._app(scope, _once(body), send)
        else:
            await respond(send, *answer)


def _once(body: bytes) -> Any:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    return receive


async def respond(send: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Answer in one piece."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def json_answer(document: Any, status: int = 200, **headers: str) -> Answered:
    """An answer in JSON."""
    return status, {"content-type": "application/json", **headers}, msgspec.json.encode(document)


# --- a BFF that passes on what it gets ------------------------------------------------------------------------------


class Thing(Narrow):
    """What the upstream answers."""

    name: str = ""
    owner_id: int = 7


class Note(Input):
    """What the upstream takes."""

    text: ShortText


class NewNote(Input):
    """What a client sends: an id and more, in the body."""

    name: Annotated[str, Meta(min_length=1, max_length=20_000)]
    text: ShortText


class TeamNote(Input):
    """A body that names the team of the path once more."""

    team_id: NumberId
    text: ShortText


class LineNote(Input):
    """A body that names a part of something."""

    line_id: Id
    text: ShortText


class NoSuchLine(Problem):
    """The part is not there."""

    status = 404
    title = "There is no such part"
    remedy = "Name another."


class Mirror(Upstream):
    """Answers and keeps whatever it is asked."""

    @read("/base/things/{name}", asks="profiles:read")
    def thing(self, name: str) -> Answer[Thing]: ...

    @read("/base/owned/{thing_id}", asks="profiles:read")
    def owned(self, thing_id: Id) -> Answer[Thing]: ...

    @read("/base/search", asks="profiles:read")
    def search(self, url: str, host: str, callback: str) -> Answer[Thing]: ...

    @write("/base/things/{name}/notes", asks="profiles:read")
    def note(self, name: str, note: Note) -> Answer[Thing]: ...


Wide = Annotated[str, Meta(min_length=1, max_length=20_000)]
mirror = Bff(
    "mirror",
    version="1.0.0",
    owner="red@example.com",
    purpose="Pass values on",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)
_FREE = {"roles": {"member"}, "scope": "dining:read", "rate": "100000/minute"}


@mirror.read("/things/{name}", unbound={"name": "for the attack"}, uses=[Mirror.thing], **_FREE)
async def thing(name: Wide) -> Thing:
    """Pass a path value on."""
    return await Mirror.thing(name)


@mirror.read("/search", uses=[Mirror.search], **_FREE)
async def search(url: Wide = "-", host: Wide = "-", callback: Wide = "-") -> Thing:
    """Pass query values on."""
    return await Mirror.search(url, host, callback)


@mirror.write("/notes", uses=[Mirror.note], **_FREE)
async def note(new: NewNote) -> Thing:
    """Pass a value of the body on, in the path."""
    return await Mirror.note(new.name, Note(text=new.text))


@mirror.write("/teams/{team_id}/notes", within="team:{team_id}", uses=[Mirror.note], **_FREE)
async def team_note(team_id: NumberId, new: TeamNote) -> Thing:
    """A team stands in the path and in the body."""
    return await Mirror.note(str(new.team_id), Note(text=new.text))


@mirror.write(
    "/owned/{thing_id}/notes",
    within="team:{found.owner_id}",
    given={"found": Mirror.owned},
    uses=[Mirror.note],
    **_FREE,
)
async def owned_note(found: Thing, new: Note) -> Thing:
    """An object is read first, and says whose it is."""
    return await Mirror.note(f"{found.owner_id}", new)


class Line(Narrow):
    """A part of something that belongs to a team."""

    team_id: int


class Lines(Upstream):
    """The same upstream under another name, for what proves a part."""

    @read("/base/lines/{line_id}", asks="profiles:read", problems={404: NoSuchLine})
    def line(self, line_id: Id) -> Answer[Line]: ...


@mirror.write(
    "/teams/{team_id}/lines",
    within="team:{team_id}",
    inside={"line_id": (Lines.line, "team_id")},
    uses=[Mirror.note],
    **_FREE,
)
async def line_note(team_id: NumberId, new: LineNote) -> Thing:
    """A part is named in the body."""
    return await Mirror.note(f"{team_id}-{new.line_id}", Note(text=new.text))


@mirror.read("/fail", uses=[], **_FREE)
async def fail() -> Thing:
    """Fail in a way that no declaration names, with a text that is for nobody."""
    raise RuntimeError(f"CANARY {Mirror!r}")


class MirrorHost:
    """The upstream of `mirror`: it answers with `answer`, or with `body` if there is one, and keeps its targets."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"name": "x", "owner_id": 7}
        self.body: bytes | None = None
        self.targets: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        self.targets.append(scope["raw_path"].decode("latin-1"))
        body = msgspec.json.encode(self.answer) if self.body is None else self.body
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


MIRROR_ROLES = [
    {"claim": "teams", "role": "member", "domain": "bff:mirror"},
    {"claim": "teams", "role": "member", "domain": "team:{value}"},
]
MIRROR_SETTINGS: dict[str, Any] = {
    "upstreams": {
        "mirror": {"url": "https://mirror.test", "audience": "people-api"},
        "lines": {"url": "https://lines.test", "audience": "people-api"},
    },
    "issuers": {"corp": {"roles": MIRROR_ROLES}},
    "limits": {"attempts": "100000/minute", "target_bytes": 32_768},
}


@asynccontextmanager
async def mirrored(
    *, bff: Bff = mirror, hosts: Mapping[str, Any] | None = None, around: Any = None, **over: Any
) -> AsyncIterator[tuple[World, MirrorHost]]:
    """The world with the BFF `mirror` (or another that uses its upstream) in it, and this upstream."""
    host = MirrorHost()
    settings = merge(MIRROR_SETTINGS, over)
    async with world(bff=bff, hosts={"mirror.test": host, **(hosts or {})}, around=around, **settings) as made:
        yield made, host
