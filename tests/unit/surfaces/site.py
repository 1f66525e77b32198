"""A small BFF, served in the process as a server would serve it: nothing in a request is made better on its way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote

import httpx
import msgspec

from narrows import (
    Answer,
    Bff,
    Id,
    Input,
    LongText,
    Narrow,
    NumberId,
    Problem,
    ShortText,
    Surroundings,
    Upstream,
    read,
    write,
)
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.settings import Secret, Settings, merge, read_settings
from narrows.surfaces.http import Application
from narrows.testing import Clock, Network, Records, running

ISSUER = "https://issuer.test"
GUARDS: dict[str, Any] = {"roles": {"cook"}, "within": "team:{team_id}", "scope": "cafe", "rate": "1000/minute"}


class Odd(Problem):
    """It has headers that it should not have."""

    status = 409
    title = "It is odd"


class Menu(Narrow):
    """What there is."""

    dishes: Annotated[list[str], msgspec.Meta(max_length=50)]


class Order(Input):
    """What somebody wants."""

    dish: ShortText


class Text(Narrow):
    """What somebody said."""

    text: str


class Kitchen(Upstream):
    """The kitchen."""

    @read("/menus/{team_id}")
    def menu(self, team_id: NumberId) -> Answer[Menu]: ...

    @write("/orders")
    def order(self, order: Order) -> Answer[None]: ...


def make_bff() -> Bff:
    """The declarations."""
    bff = Bff(
        "cafe",
        version="1.0.0",
        owner="cafe@example.com",
        purpose="Serve lunch",
        exposure="internal",
        sensitivity="internal",
        importance="low",
        review_by="2027-05-01",
    )

    @bff.read("/teams/{team_id}/menu", uses=[Kitchen.menu], **GUARDS)
    async def menu(team_id: NumberId) -> Menu:
        """What there is."""
        return await Kitchen.menu(team_id)

    @bff.write("/teams/{team_id}/orders", uses=[Kitchen.order], status=201, **GUARDS)
    async def order(team_id: NumberId, order: Order) -> Text:
        """Order a dish."""
        await Kitchen.order(order)
        return Text(text=order.dish)

    @bff.read("/teams/{team_id}/echo/{text}", uses=[], unbound={"text": "it is only said again"}, **GUARDS)
    async def echo(team_id: NumberId, text: ShortText, note: LongText = "") -> Text:
        """Say it again."""
        return Text(text=f"{text}|{note}")

    @bff.read("/teams/{team_id}/odd", uses=[], problems=[Odd], **GUARDS)
    async def odd(team_id: NumberId) -> Text:
        """End in a problem."""
        raise Odd("x\r\ny", headers={"X-Odd": "a\r\nset-cookie: stolen=1", "X-Even": "b"})

    @bff.read("/anything/{one}/{team_id}", uses=[], unbound={"one": "it is only said again"}, **GUARDS)
    async def anything(one: Id, team_id: NumberId) -> Text:
        """Take whatever path there is."""
        return Text(text=one)

    return bff


def make_settings(**over: Any) -> Settings:
    """The settings."""
    document = {
        "environment": "development",
        "public_url": "https://bff.test",
        "issuers": {
            "corp": {
                "url": ISSUER,
                "audience": "cafe-api",
                "algorithms": ["ES256"],
                "client": {"id": "cafe-bff", "secret": Secret("hidden")},
                "roles": [{"claim": "teams", "role": "cook", "domain": "team:{value}"}],
            }
        },
        "connectors": {
            "till": {
                "issuer": "corp",
                "client_id": "till",
                "tenant": "example",
                "kind": "low-code",
                "state": "live",
                "commit": "open",
            }
        },
        "upstreams": {"kitchen": {"url": "https://kitchen.test", "identity": "none"}},
    }
    return read_settings(merge(document, over), environ={})


class Got(NamedTuple):
    """What was answered; `headers` as they were sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of a header that was sent exactly once."""
        values = [value for key, value in self.headers if key == name]
        return values[0] if len(values) == 1 else None

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def kind(self) -> str:
        """The last part of the problem's type."""
        assert self.header("content-type") == "application/problem+json"
        assert self.json["status"] == self.status
        return str(self.json["type"]).rpartition(":")[2]


class Site:
    """The running application."""

    def __init__(self, kitchen: Any = None, bff: Bff | None = None, **over: Any) -> None:
        self.clock = Clock()
        self.records = Records()
        self.authority = Authority(
            ISSUER,
            people=[Person("anna", "anna", {"teams": [7]})],
            clients=[
                Client(
                    "till", kind="desktop", redirect_uris=["http://127.0.0.1/"], scopes={"cafe"}, audiences=["cafe-api"]
                )
            ],
            apis=[Api("cafe-api", {"cafe": "Eat"})],
            algorithm="ES256",
            now=self.clock,
            log=lambda _: None,
        )
        self.cooked: list[httpx.Request] = []
        self._kitchen = kitchen or (lambda _: httpx.Response(200, json={"dishes": ["soup"], "recipe": "secret"}))
        self.network = Network({"issuer.test": self.authority.app, "kitchen.test": httpx.MockTransport(self._cook)})
        self.around = Surroundings(dial=self.network.dial, now=self.clock, write_record=self.records.write)
        self.app = Application(bff or make_bff(), make_settings(**over), self.around)

    async def _cook(self, request: httpx.Request) -> httpx.Response:
        self.cooked.append(request)
        answer = self._kitchen(request)
        return await answer if hasattr(answer, "__await__") else answer

    def token(self, **claims: Any) -> str:
        """Anna's token."""
        return self.authority.issue("anna", "till", "cafe-api", "cafe", **claims)

    async def ask(
        self,
        target: str | bytes,
        method: str = "GET",
        *,
        token: str | None = "",
        headers: Sequence[tuple[str, str]] = (),
        host: str | None = "bff.test",
        body: bytes = b"",
        receive: Iterable[Any] | None = None,
        **scope: Any,
    ) -> Got:
        """Send a request as Anna (without token if it is None); `scope` replaces parts of the scope."""
        path, _, query = (target if isinstance(target, bytes) else target.encode("latin-1")).partition(b"?")
        fields = [("host", host)] if host is not None else []
        if token is not None:
            fields.append(("authorization", f"Bearer {token or self.token()}"))
        if body:
            fields += [("content-type", "application/json"), ("content-length", str(len(body)))]
        fields += headers
        sent = await self.exchange(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "https",
                "path": unquote(path),
                "raw_path": path,
                "query_string": query,
                "root_path": "",
                "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
                "client": ("192.0.2.1", 49152),
                "server": ("127.0.0.1", 443),
                "state": {},
                **scope,
            },
            receive if receive is not None else [{"type": "http.request", "body": body, "more_body": False}],
        )
        start, *rest = sent
        assert start["type"] == "http.response.start"
        return Got(
            start["status"],
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]],
            b"".join(message["body"] for message in rest),
        )

    async def exchange(self, scope: Any, messages: Iterable[Any]) -> list[Any]:
        """Bring messages to the application, then wait as a client does that stays; give what it sent."""
        waiting = iter(messages)
        sent: list[Any] = []

        async def receive() -> Any:
            message = next(waiting, None)
            if message is None:
                await asyncio.Event().wait()
            return await message if hasattr(message, "__await__") else message

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent


@asynccontextmanager
async def site(kitchen: Any = None, **how: Any) -> AsyncIterator[Site]:
    """A site that has started."""
    one = Site(kitchen, **how)
    async with running(one.app):
        yield one
