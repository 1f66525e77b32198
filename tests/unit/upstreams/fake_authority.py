"""An authorization server in this process that records every byte it gets and answers as a test tells it."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec

from narrows.audit.log import RecordLog
from narrows.call import Connector, Credential
from narrows.settings import ClientSettings, IssuerSettings, Secret, Settings, UpstreamSettings
from narrows.stores.tokens import SharedTokens, Shelf
from narrows.upstreams.dialects import ACCESS_TOKEN
from narrows.upstreams.exchange import Exchanger

START = 1_800_000_000.0
READ = frozenset({"profiles:read"})
PEOPLE = UpstreamSettings(url="https://people.test", audience="https://people.test")
TABLES = UpstreamSettings(url="https://tables.test", audience="https://tables.test")
SERVICE = UpstreamSettings(url="https://people.test", audience="https://people.test", identity="service", issuer="corp")

Form = dict[str, str]


def jwt(**claims: Any) -> str:
    """A token in the form of a JWT; nobody verifies it here."""
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2ln"])


def answer(token: str, **members: Any) -> dict[str, Any]:
    """A token response that holds; a member that is None is left out."""
    document = {
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        **members,
    }
    return {name: value for name, value in document.items() if value is not None}


class FakeAuthority:
    """Mints for whoever's token it gets, unless `respond` says otherwise; `gate` holds the answers back."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.heads: list[httpx.Headers] = []
        self.forms: list[Form] = []
        self.bytes = bytearray()
        self.respond: Callable[[Form], httpx.Response] = self.mint
        self.gate = asyncio.Event()
        self.gate.set()
        self.held: set[str] = set()
        self.arrivals: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        self.hosts.append(request.url.host)
        self.arrivals.put_nowait(request.url.host)
        self.heads.append(request.headers)
        form = {name: "|".join(values) for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        self.forms.append(form)
        self.bytes += str(request.url).encode() + b"".join(b"%s: %s\n" % pair for pair in request.headers.raw) + body
        if not self.held or request.url.host in self.held:
            await self.gate.wait()
        return self.respond(form)

    def mint(self, form: Form) -> httpx.Response:
        """A new token for the subject of `<subject>.<anything>`, as it was asked for."""
        subject = form.get("subject_token", "bff").split("~")[0]
        token = jwt(sub=subject, aud=form["audience"], scope=form.get("scope", ""), jti=str(len(self.forms)))
        return httpx.Response(200, json=answer(token))

    def say(self, status: int, document: Any = None, **options: Any) -> None:
        """Answer this from now on."""
        given = {"json": document} if document is not None else options
        self.respond = lambda _: httpx.Response(status, **given)


class World:
    """An exchanger over one or more fake authorization servers, with a clock that a test moves.

    With a `shelf` and the `server` of another, it is a second process beside that.
    """

    def __init__(self, shelf: Shelf | None = None, server: FakeAuthority | None = None, **options: Any) -> None:
        self.at = START
        self.server = server or FakeAuthority()
        self.events: list[str] = []
        self.records: list[Any] = []
        self.dialled: list[str | None] = []
        self.endpoints: dict[str, str] = {}
        self.standing: Exception | None = None
        issuer = {"client": ClientSettings(id="bff", secret=Secret("s3cret")), "deadline_s": 30.0, **options}
        self.settings = Settings(
            public_url="https://bff.test",
            issuers={
                name: IssuerSettings(url=f"https://{name}.test", audience="https://bff.test", **issuer)
                for name in ("corp", "partner")
            },
        )
        self.exchanger = Exchanger(
            self.settings,
            token_endpoint=lambda name: self.endpoints.get(name, f"https://{name}.test/token"),
            dial=self.dial,
            now=lambda: self.at,
            key=b"k" * 32,
            on_event=self.events.append,
            shared=self.sharing(shelf) if shelf else None,
            recheck=self.recheck,
            log=RecordLog(lambda line: self.write(line)),
        )

    async def recheck(self) -> None:
        """Look who may still do what; a test may let nobody know."""
        if self.standing is not None:
            raise self.standing

    def sharing(self, shelf: Shelf) -> SharedTokens:
        """The tokens of a shelf, as this process uses them."""
        return SharedTokens(shelf, bytes(32), now=lambda: self.at, steady=lambda: self.at, on_event=self.events.append)

    def write(self, line: bytes) -> None:
        """Keep a record."""
        self.records.append(msgspec.json.decode(line))

    def dial(self, ca: str | None) -> httpx.AsyncBaseTransport:
        """Reach the fake server, whatever the host."""
        self.dialled.append(ca)
        return httpx.MockTransport(self.server)

    async def exchange(self, who: str = "alice", **changes: Any) -> Secret:
        """Exchange a caller's token; `connector`, `upstream`, `scopes` and parts of the credential may be given."""
        how = {"connector": connector(), "upstream": PEOPLE, "scopes": READ}
        how |= {name: changes.pop(name) for name in list(changes) if name in how}
        return await self.exchanger.on_behalf_of(credential(who, **changes), **how)


def credential(subject: str = "alice", **changes: Any) -> Credential:
    """What a verified token of a caller says."""
    token = changes.pop("token", f"{subject}~inbound")
    return Credential(
        **{
            "issuer": "corp",
            "subject": subject,
            "client_id": "app",
            "scopes": frozenset({"dining:read"}),
            "expires_at": START + 3600,
            "token": Secret(token),
            "token_digest": hashlib.sha256(token.encode()).digest(),
            "claims": {},
            **changes,
        }
    )


def connector(id: str = "lunch", tenant: str = "acme") -> Connector:  # noqa: A002 - the field's name
    """A registered program."""
    return Connector(
        id=id, issuer="corp", client_id=f"{id}-client", tenant=tenant, kind="low-code", state="live", version="1"
    )
