"""The embedded authorization server in place of the issuers of the settings, inside the process that serves the BFF."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from narrows.declare.bff import Bff
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.devkit.dev.arrange import Arranged, Embedded, Program, client_secret, upstreams_of
from narrows.devkit.dev.orders import Run
from narrows.devkit.dev.people import MadeUpPerson

TOKEN_SECONDS = 3600

_WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")

_CONFIRM = "Know who you are, so that you can confirm what a program asks for"

_log = logging.getLogger("narrows.authority")


class Issuers:
    """ASGI application: each embedded issuer under its path, and its metadata where RFC 8414 looks for them."""

    def __init__(self, bff: Bff, arranged: Arranged, people: Iterable[MadeUpPerson], run: Run) -> None:
        self.home = arranged.home
        people = list(people)
        self._by_path = {
            issuer.path: _authority(issuer, bff, arranged, people if issuer is self.home else [], run)
            for issuer in arranged.issuers
        }
        # What begins with the path of another is looked for under the longer one.
        self._paths = sorted(self._by_path, key=len, reverse=True)

    def serves(self, path: str) -> bool:
        """Whether a path belongs to one of the issuers."""
        return self._of(path) is not None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request that is for an issuer, as `serves` tells."""
        found = self._of(scope["path"])
        if found is None:
            raise ValueError("this path belongs to no issuer")
        await self._by_path[found].app(scope, receive, send)

    def token(self, subject: str, connector: Program, scopes: Iterable[str]) -> str:
        """An access token for a made-up person, as a program would get it by signing them in."""
        authority = self._by_path[self.home.path]
        service = connector.kind == "service"
        who = connector.client_id if service else subject
        return authority.issue(who, connector.client_id, self.home.audience, " ".join(scopes))

    def _of(self, path: str) -> str | None:
        named = (path.removeprefix(well_known) for well_known in _WELL_KNOWN if path.startswith(well_known))
        asked = next(named, None)
        if asked is not None:
            return asked if asked in self._by_path else None
        return next((known for known in self._paths if path.startswith(f"{known}/")), None)


def password(person: str, run: Run) -> str:
    """The password of a made-up person; another one in each run, so that no page can guess it."""
    return f"{person}-{run.derive(f'password {person}', 6)}"


def _authority(issuer: Embedded, bff: Bff, arranged: Arranged, people: Iterable[MadeUpPerson], run: Run) -> Authority:
    apis = _apis(issuer, bff, arranged)
    scopes = {api.audience: frozenset(api.scopes) for api in apis}
    return Authority(
        run.origin + issuer.path,
        people=[Person(p.name, p.name, p.claims, password(p.name, run)) for p in people],
        clients=[*_programs(issuer, arranged, scopes, run), _own_client(issuer, scopes, run)],
        apis=apis,
        algorithm="ES256",
        key=run.signing,
        lifetime=TOKEN_SECONDS,
        log=_log.debug,
    )


def _apis(issuer: Embedded, bff: Bff, arranged: Arranged) -> list[Api]:
    """The BFF and each upstream behind it, with all the scopes that the declarations name."""
    scopes: dict[str, dict[str, str]] = {issuer.audience: {issuer.sign_in_scope: _CONFIRM, **scopes_of(bff)}}
    for upstream in upstreams_of(bff):
        audience = arranged.settings.upstreams[upstream.key].audience
        if audience is not None:
            known = scopes.setdefault(audience, {})
            known |= {o.asks: o.id for o in upstream.operations.values() if isinstance(o.asks, str)}
    return [Api(audience, named) for audience, named in scopes.items()]


def scopes_of(bff: Bff) -> dict[str, str]:
    """The scopes that endpoints and documents ask of a token, each with what it lets a program do."""
    found: dict[str, str] = {}
    for endpoint in bff.endpoints:
        if isinstance(endpoint.scope, str):
            found.setdefault(endpoint.scope, endpoint.summary)
    for declared in bff.documents:
        if isinstance(scope := declared.guards.get("scope"), str):
            found.setdefault(scope, f"Ask by the document {declared.name}")
    return found


def _programs(issuer: Embedded, arranged: Arranged, scopes: Mapping[str, frozenset[str]], run: Run) -> list[Client]:
    """A client for each connector of this issuer, so that it can sign people in as it would elsewhere."""
    return [
        _program(program, issuer, frozenset(scopes[issuer.audience] - {issuer.sign_in_scope}), run)
        for program in arranged.programs
        if program.issuer == issuer.name and program.client_id != issuer.client_id
    ]


def _program(connector: Program, issuer: Embedded, scopes: frozenset[str], run: Run) -> Client:
    audiences = [issuer.audience]
    if connector.kind in ("low-code", "copilot"):
        desktop = connector.kind == "copilot"
        redirects = ["http://127.0.0.1/callback", "http://127.0.0.1/"] if desktop else [f"{run.origin}/"]
        return Client(
            connector.client_id,
            kind="desktop" if desktop else "web",
            redirect_uris=redirects,
            scopes=scopes,
            audiences=audiences,
        )
    return Client(
        connector.client_id,
        secret=run.derive(f"client {connector.client_id}"),
        kind="service",
        grants={"client_credentials"},
        scopes=scopes,
        audiences=audiences,
    )


def _own_client(issuer: Embedded, scopes: Mapping[str, frozenset[str]], run: Run) -> Client:
    """The BFF itself, which exchanges what it is given for the scopes that its operations ask for."""
    upstream = {audience: named for audience, named in scopes.items() if audience != issuer.audience}
    return Client(
        issuer.client_id,
        secret=client_secret(issuer, run),
        kind="service",
        grants={"token_exchange", "client_credentials", "authorization_code"},
        redirect_uris=[f"{run.origin}/confirm/callback"],
        audience=issuer.audience,
        may_exchange_to=upstream,
        audiences=[issuer.audience, *upstream],
        scopes=frozenset({issuer.sign_in_scope}).union(*upstream.values()),
    )


class Signed(msgspec.Struct, frozen=True):
    """A token for the page, and how many seconds it holds."""

    token: str
    expires_in: int = TOKEN_SECONDS
