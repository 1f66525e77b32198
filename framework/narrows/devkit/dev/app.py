"""The outer application of `narrows dev`: pages and embedded issuers beside the BFF, which keeps its way."""

from __future__ import annotations

import mimetypes
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from narrows.devkit.dev.door import ENTER, Door, Refused, headers_of
from narrows.devkit.dev.faults import refusals_of
from narrows.devkit.dev.issuers import Signed
from narrows.devkit.dev.orders import Run
from narrows.devkit.dev.stage import Stage
from narrows.errors import ConnectorError, ContentTooLarge, MalformedRequest, Refusal
from narrows.surfaces.asgi import body_reader
from narrows.surfaces.declaring import PAGE_HEADERS
from narrows.testing import running

_PAGE = Path(__file__).parent / "page"
_JSON = "application/json"
_LONGEST_BODY = 4096

Answer = tuple[int, list[tuple[str, str]], bytes]


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose token the page wants, and for which program."""

    person: str
    program: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What the page asks for again and again: `generation` changes with each reload."""

    generation: int
    refusals: list[Refusal]


class DevApplication:
    """ASGI application; without a `stage`, or when its start is refused, the pages tell why and nothing else is served.

    `started` is called once the BFF serves or was refused, with the reasons.
    """

    def __init__(
        self,
        run: Run,
        generation: int,
        stage: Stage | None,
        refusals: list[Refusal],
        started: Callable[[list[Refusal]], None] = lambda _: None,
    ) -> None:
        self._run = run
        self._generation = generation
        self._stage = stage
        self._refusals = refusals
        self._started = started
        self._door = Door(run)
        self._files = {file.name: file.read_bytes() for file in sorted(_PAGE.iterdir()) if file.is_file()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        if scope["type"] == "http" and self._stage is not None and self._stage.issuers.serves(path):
            await self._stage.issuers(scope, receive, send)
        elif scope["type"] == "http" and (path == "/dev" or path.startswith("/dev/")):
            await _send(send, await self._answer(scope, receive))
        elif self._stage is not None:
            await self._stage.watched(scope, receive, send)
        elif scope["type"] == "http":
            await _send(send, _refused(Refused(503, "The BFF did not start", f"See {self._run.origin}/dev/ for why.")))
        else:
            await send({"type": "websocket.close", "code": 1013, "reason": ""})

    async def _live(self, receive: Any, send: Any) -> None:
        """Take the BFF through its lifespan; when its start is refused, go on without it."""
        await receive()
        async with AsyncExitStack() as stack:
            if self._stage is not None:
                await self._start(stack, self._stage)
            self._started(self._refusals)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, stack: AsyncExitStack, stage: Stage) -> None:
        try:
            await stage.register()
            await stack.enter_async_context(running(stage.watched))
        except ConnectorError as fault:
            self._refusals, self._stage = refusals_of(fault), None
        except RuntimeError:
            if stage.watched.refused is None:
                raise
            self._refusals = refusals_of(stage.watched.refused)
            self._stage = None

    async def _answer(self, scope: Any, receive: Any) -> Answer:
        """Answer for the pages, to who may come in."""
        refused = self._door.refusal(scope)
        if refused is not None:
            return _refused(refused)
        path, method = scope["path"], scope["method"]
        if path.startswith(ENTER) and method == "GET":
            return _redirect(303, "/dev/", ("set-cookie", self._door.cookie()))
        if method == "POST" and path == "/dev/api/token":
            return await self._token(scope, receive)
        if method != "GET":
            return _refused(Refused(405, "This method is not answered here", "Use GET."))
        return self._get(path)

    def _get(self, path: str) -> Answer:
        if path == "/dev":
            return _redirect(308, "/dev/")
        if path.startswith("/dev/page/"):
            return self._file(path.removeprefix("/dev/page/"))
        if path.startswith("/dev/api/"):
            return self._data(path.removeprefix("/dev/api/"))
        if path in ("/dev/", "/dev/graphql") or path.startswith("/dev/endpoints/"):
            return self._file("index.html")
        return _refused(Refused(404, "There is no such page", "Go to /dev/."))

    def _file(self, name: str) -> Answer:
        if name not in self._files:
            return _refused(Refused(404, "There is no such file", "Go to /dev/."))
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return 200, [("content-type", f"{media}; charset=utf-8")], self._files[name]

    def _data(self, path: str) -> Answer:
        """What the pages show, as JSON."""
        if path == "state":
            return _json(State(generation=self._generation, refusals=self._refusals))
        stage, (what, _, name) = self._stage, path.partition("/")
        if stage is None:
            return _refused(Refused(503, "The BFF did not start", "Correct what the page names."))
        found: dict[str, Callable[[], Any]] = {
            "board": stage.board,
            "endpoints": lambda: stage.view(name),
            "graphql": stage.asking,
            "traces": lambda: stage.traces.of(name),
        }
        value = found.get(what, lambda: None)()
        return _json(value) if value is not None else _refused(Refused(404, "There is nothing of this name", "Reload."))

    async def _token(self, scope: Any, receive: Any) -> Answer:
        """A token for a made-up person."""
        if (headers_of(scope) or {}).get("content-type") != _JSON or self._stage is None:
            return _refused(Refused(415, "This takes JSON, while a BFF is served", f"Send {_JSON}."))
        try:
            wanted = msgspec.json.decode(await body_reader(receive)(_LONGEST_BODY), type=Wanted)
        except (msgspec.MsgspecError, ContentTooLarge, MalformedRequest):
            return _refused(Refused(400, "This is not what was asked for", 'Send {"person": "…", "program": "…"}.'))
        token = self._stage.token(wanted.person, wanted.program)
        if token is None:
            return _refused(Refused(404, "There is no such person or program", "Reload the page."))
        return _json(Signed(token))


def _json(value: Any) -> Answer:
    return 200, [("content-type", _JSON)], msgspec.json.encode(value)


def _refused(refused: Refused) -> Answer:
    """What is refused, as text that a person reads."""
    text = f"{refused.title}.\n{refused.remedy}\n"
    return refused.status, [("content-type", "text/plain; charset=utf-8")], text.encode()


def _redirect(status: int, path: str, *more: tuple[str, str]) -> Answer:
    return status, [("location", path), ("content-type", "text/plain; charset=utf-8"), *more], b""


async def _send(send: Callable[[Any], Awaitable[None]], answer: Answer) -> None:
    """Send an answer with the headers of every page; nothing of it is kept by a browser."""
    status, own, body = answer
    pages = [(name, value) for name, value in PAGE_HEADERS if name != "cache-control"]
    whole = [*own, *pages, ("cache-control", "no-store"), ("content-length", str(len(body)))]
    headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in whole]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
