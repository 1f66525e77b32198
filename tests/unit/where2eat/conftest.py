"""An issuer that signs real tokens, and a client for each service, all in this process."""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from joserfc import jwk, jwt
from litestar import Litestar

from examples.where2eat.people import people_app
from examples.where2eat.places import places_app
from examples.where2eat.tables import tables_app

ISSUER = "https://issuer.test"


class Clock:
    """A clock that stands until a test moves it; Monday, 23 November 2026, 09:00 UTC."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.at


class Issuer:
    """Publishes metadata and keys through `transport`, and signs; `asked` lists the paths it was asked for."""

    def __init__(self, now: Callable[[], float], url: str = ISSUER) -> None:
        self.now = now
        self.url = url
        self.asked: list[str] = []
        self.key = jwk.ECKey.generate_key("P-256", {"kid": "one"})
        self.published = [self.key.as_dict(private=False)]
        self.pages: dict[str, httpx.Response | Exception] = {}
        self.transport = httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path in self.pages:
            page = self.pages[path]
            if isinstance(page, Exception):
                raise page
            return page
        if path == "/.well-known/oauth-authorization-server":
            return httpx.Response(200, json={"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})
        if path == "/jwks":
            return httpx.Response(200, json={"keys": self.published})
        return httpx.Response(404)

    def rotate(self, kid: str) -> None:
        self.key = jwk.ECKey.generate_key("P-256", {"kid": kid})
        self.published = [self.key.as_dict(private=False)]

    def token(self, aud, scope="", sub="anna", header=None, key=None, algorithm="ES256", **claims) -> str:
        body = {"iss": self.url, "aud": aud, "sub": sub, "scope": scope, "exp": int(self.now()) + 60, **claims}
        head = {"alg": algorithm, "typ": "at+jwt", "kid": "one", **(header or {})}
        kept = {name: value for name, value in body.items() if value is not None}
        named = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(named, kept, key or self.key, algorithms=[algorithm])


class Service:
    """One service in this process, called with a token of its own audience unless a test says otherwise."""

    def __init__(self, name: str, app: Litestar, issuer: Issuer, scope: str) -> None:
        self.app = app
        self.issuer = issuer
        self.audience = f"{name}-api"
        self.scope = scope

    async def call(self, method, path, token="", client=("127.0.0.1", 4711), headers=None, **kwargs) -> httpx.Response:
        token = token or self.issuer.token(self.audience, self.scope)
        transport = httpx.ASGITransport(self.app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            return await http.request(
                method, path, headers={"authorization": f"Bearer {token}", **(headers or {})}, **kwargs
            )

    async def get(self, path, **kwargs) -> httpx.Response:
        return await self.call("GET", path, **kwargs)


@pytest.fixture
def clock() -> Clock:
    """The time of issuer and services."""
    return Clock()


@pytest.fixture
def issuer(clock) -> Issuer:
    """The one issuer the services trust."""
    return Issuer(clock)


@pytest.fixture
def people(issuer, clock) -> Service:
    """The staff directory."""
    return Service("people", people_app(ISSUER, issuer.transport, clock), issuer, "profiles:read")


@pytest.fixture
def places(issuer, clock) -> Service:
    """The places."""
    return Service("places", places_app(ISSUER, issuer.transport, clock), issuer, "places:read")


@pytest.fixture
def tables(issuer, clock) -> Service:
    """The bookings, in memory."""
    return Service("tables", tables_app(ISSUER, issuer.transport, clock), issuer, "bookings:read bookings:write")
