"""A BFF's whole world inside the process: its issuers, its own settings, and fakes of its upstreams.

Everything is taken from the declarations and the settings beside them: who may be asked for which scopes, which
audiences there are, where the upstreams are thought to be. So a test says who calls, and what an upstream holds.

```python
async with world(bff, {"items": items_service()}, people={"anna": {"teams": [7]}}) as w:
    answer = await w.get("/teams/7/items", "anna")
```
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from narrows.declare.bff import Bff
from narrows.declare.endpoint import Endpoint, counts
from narrows.declare.upstream import Operation
from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.errors import NarrowsError
from narrows.plan.surroundings import Surroundings
from narrows.settings import (
    AuditSettings,
    ConnectorSettings,
    ConnectorState,
    IssuerSettings,
    Secret,
    Settings,
    StoreSettings,
    load_document,
    read_settings,
)
from narrows.surfaces.http import Application
from narrows.testing.case import Case
from narrows.testing.fakes import Clock, Network, Records, bearer, serving

# It opens nothing but the issuer inside the process; 32 bytes, so that it can stand for a key of the stores too.
_SECRET = b64encode(b"made up for tests".ljust(32, b".")).decode()
CONNECTORS: Mapping[str, ConnectorState] = {"test-live": "live", "test-trial": "trial", "test-draft": "draft"}
"""The programs that tests call with, each in a state of its own; all are low-code apps."""
STRANGER = "a-stranger"


@dataclass(frozen=True)
class World:
    """The world, running. `issuers` are by their name in the settings, `people` the claims of each person by name."""

    bff: Bff
    settings: Settings
    app: Application
    client: httpx.AsyncClient
    issuers: Mapping[str, Authority]
    network: Network
    clock: Clock
    records: Records
    people: Mapping[str, Mapping[str, Any]]

    def token(self, person: str, *, scope: str | None = None, connector: str = "test-live", claims: Any = None) -> str:
        """An access token for this BFF, with every scope that it knows unless `scope` says which.

        Raises `NarrowsError` for a person that is not there and a program that is not registered.
        """
        if claims is None and person not in self.people:
            raise NarrowsError(f"nobody is called {person!r} here. Remedy: add them to people= of the world.")
        known = self.settings.connectors.get(connector)
        if known is None:
            raise NarrowsError(
                f"no program is called {connector!r} here. Remedy: {', '.join(self.settings.connectors)}."
            )
        scopes = " ".join(scopes_of(self.bff)) if scope is None else scope
        audience = self.settings.issuers[known.issuer].audience
        told = self.people[person] if claims is None else claims
        return self.issuers[known.issuer].issue(person, known.client_id, audience, scopes, **told)

    def headers(self, person: str, **how: Any) -> dict[str, str]:
        """The header with an access token; `how` is that of `token`."""
        return bearer(self.token(person, **how))

    def rehearsal_of(self, answer: httpx.Response) -> str:
        """The path of the rehearsal that an answer leads to. Raises `KeyError` for one that was not rehearsed."""
        return urlsplit(answer.links["describedby"]["url"]).path

    def upstream_hosts(self) -> list[str]:
        """The hosts of the upstreams, as `network.to` wants them."""
        return [_netloc(upstream.url) for upstream in self.settings.upstreams.values()]

    async def get(self, path: str, person: str, **how: Any) -> httpx.Response:
        """GET as somebody; `how` is what httpx takes."""
        return await self.send("GET", path, person, **how)

    async def post(self, path: str, json: Any, person: str, **how: Any) -> httpx.Response:
        """POST as somebody."""
        return await self.send("POST", path, person, json=json, **how)

    async def document(self, name: str, person: str, /, *, base: str = "", **variables: Any) -> httpx.Response:
        """Ask a GraphQL document as somebody, with its variables; `base` is `/rehearse` or `/sandbox`.

        Raises `NarrowsError` for a document that is not there.
        """
        path = f"/graphql/{name}"
        entry = self.app.plan.routes().get(path, {})
        if not entry:
            known = ", ".join(one.name for one in self.bff.documents)
            raise NarrowsError(f"no document is called {name!r} here. Remedy: {known or 'declare it'}.")
        if "POST" in entry:
            return await self.post(base + path, {"variables": variables}, person)
        return await self.get(base + path, person, params={"variables": msgspec.json.encode(variables).decode()})

    async def send(
        self, method: str, path: str, person: str, *, headers: Mapping[str, str] | None = None, **how: Any
    ) -> httpx.Response:
        """Send one request as somebody."""
        known = {**self.headers(person), **(headers or {})}
        return await self.client.request(method, path, headers=known, **how)

    async def ask(self, case: Case) -> httpx.Response:
        """Send the request of one case of a matrix."""
        headers = {"Content-Type": "application/json"} if case.body is not None else {}
        if case.claims is not None:
            token = self.token(case.subject, scope=case.scope, connector=f"test-{case.state}", claims=case.claims)
            headers |= bearer(token)
        base = "" if case.mode == "live" else f"/{case.mode}"
        return await self.client.request(case.method, base + case.path, headers=headers, content=case.body)


@asynccontextmanager
async def world(
    bff: Bff,
    upstreams: Mapping[str, Any],
    *,
    people: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[World]:
    """Run the world of a BFF.

    `upstreams` are ASGI applications or httpx transports by the name of the upstream in the settings; `people` the
    claims of each person. The settings are those beside the BFF unless they are given. Raises `NarrowsError` for an
    upstream that has no fake, and what a start raises.
    """
    known = with_connectors(settings or settings_of(bff))
    clock, records = Clock(), Records()
    missing = sorted(
        {operation.upstream.key for operation in operations_of(bff) if operation.upstream} - upstreams.keys()
    )
    if missing:
        raise NarrowsError(f"these upstreams have no fake: {', '.join(missing)}. Remedy: name one for each of them.")
    everybody: dict[str, Mapping[str, Any]] = {**{name: {} for name in anybody(bff, known)}, **(people or {})}
    issuers = {name: authority_of(bff, known, name, everybody, clock) for name in known.issuers}
    network = Network({_netloc(known.issuers[name].url): issuer.app for name, issuer in issuers.items()})
    network.add({_netloc(known.upstreams[name].url): fake for name, fake in upstreams.items()})
    app = Application(bff, known, Surroundings(dial=network.dial, now=clock, write_record=records.write))
    async with serving(app, known.public_url) as client:
        yield World(bff, known, app, client, issuers, network, clock, records, everybody)


def settings_of(bff: Bff) -> Settings:
    """The settings beside a BFF, as for development, with made-up secrets. Raises `SettingsError`."""
    file = bff.folder / "narrows.toml"
    document = load_document(file, {"NARROWS_ENVIRONMENT": "development"})
    return read_settings(_with_secrets(document), where=str(file), environ={})


def _with_secrets(value: Any) -> Any:
    """The same tables with a made-up secret where one stands in a file or a variable."""
    match value:
        case {"env": str(), **rest} | {"file": str(), **rest} if not rest:
            return Secret(_SECRET)
        case dict():
            return {name: _with_secrets(inner) for name, inner in value.items()}
        case list():
            return [_with_secrets(inner) for inner in value]
    return value


def with_connectors(settings: Settings) -> Settings:
    """The same settings with a program in each state, for tests to call with, and nothing kept on a disk.

    Programs that nobody approved are for development alone, so the world is one of development.
    """
    issuer = next(iter(settings.issuers))
    own = {
        name: ConnectorSettings(issuer=issuer, client_id=name, tenant="tests", kind="low-code", state=state)
        for name, state in CONNECTORS.items()
    }
    connectors = {**settings.connectors, **own}
    return msgspec.structs.replace(
        settings, environment="development", connectors=connectors, stores=StoreSettings(), audit=AuditSettings()
    )


def scopes_of(bff: Bff) -> list[str]:
    """Every scope that an endpoint or a document wants of a token."""
    own = [*(endpoint.scope for endpoint in bff.endpoints), *(one.guards.get("scope") for one in bff.documents)]
    return sorted({scope for scope in own if scope})


def operations_of(bff: Bff) -> list[Operation[..., Any]]:
    """Every operation that an endpoint may send, the reads of its guards included, or a join of its GraphQL."""
    own = [operation for endpoint in bff.endpoints for operation in _sent_by(endpoint)]
    joined = [operation for join in bff.joins for operation in counts(join.uses or ())]
    return list(dict.fromkeys([*own, *joined]))


def _sent_by(endpoint: Endpoint) -> Iterator[Operation[..., Any]]:
    yield from counts(endpoint.uses or ())
    yield from endpoint.given.values()
    yield from (operation for operation, _ in endpoint.inside.values())
    if endpoint.roles_from is not None:
        yield endpoint.roles_from


def anybody(bff: Bff, settings: Settings) -> list[str]:
    """The subjects that a matrix calls as: one for each role, and a stranger."""
    roles = {role for endpoint in bff.endpoints for role in endpoint.roles or ()}
    roles |= {role for one in bff.documents for role in one.guards.get("roles") or ()}
    roles |= {claim.role for issuer in settings.issuers.values() for claim in issuer.roles}
    return [holder_of(role) for role in sorted(roles)] + [STRANGER]


def holder_of(role: str) -> str:
    """The subject that a matrix calls as for a role."""
    return f"a-{role}"


def authority_of(bff: Bff, settings: Settings, name: str, people: Mapping[str, Any], clock: Clock) -> Authority:
    """An issuer that knows the programs of the settings, and lets the BFF exchange for what it declares."""
    issuer = settings.issuers[name]
    targets = _targets(operations_of(bff), settings, name)
    apis = [Api(issuer.audience, dict.fromkeys(scopes_of(bff), "for tests"))]
    apis += [Api(audience, dict.fromkeys(scopes, "for the BFF")) for audience, scopes in targets.items()]
    clients = [*_programs(settings, name, issuer), *_own(issuer, targets)]
    known = [Person(person, person, claims=claims) for person, claims in people.items()]
    quiet: dict[str, Any] = {"algorithm": "ES256", "now": clock, "log": lambda _: None}
    return Authority(issuer.url, people=known, clients=clients, apis=apis, **quiet)


def _targets(operations: Iterable[Operation[..., Any]], settings: Settings, issuer: str) -> dict[str, set[str]]:
    """The scopes that the BFF asks for at each audience whose tokens this issuer gives."""
    found: dict[str, set[str]] = {}
    for operation in operations:
        upstream = settings.upstreams.get(operation.upstream.key) if operation.upstream else None
        if upstream is not None and upstream.audience and operation.asks and upstream.issuer in (None, issuer):
            found.setdefault(upstream.audience, set()).add(operation.asks)
    return found


def _programs(settings: Settings, name: str, issuer: IssuerSettings) -> Iterator[Client]:
    for connector in settings.connectors.values():
        if connector.issuer == name and (issuer.client is None or connector.client_id != issuer.client.id):
            yield Client(connector.client_id, redirect_uris=["https://tests.example/"], audiences=[issuer.audience])


def _own(issuer: IssuerSettings, targets: Mapping[str, set[str]]) -> Iterator[Client]:
    if issuer.client is not None:
        yield Client(
            issuer.client.id,
            secret=issuer.client.secret.reveal() if issuer.client.secret else _SECRET,
            kind="service",
            grants={"token_exchange", "client_credentials"},
            audience=issuer.audience,
            audiences=list(targets),
            scopes=set().union(*targets.values()),
            may_exchange_to=targets,
        )


def _netloc(url: str) -> str:
    return urlsplit(url).netloc
