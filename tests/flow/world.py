"""The whole world of Where2Eat inside the process: issuer, upstreams and the BFF, as flow and abuse tests use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from bffs.where2eat.app import bff as where2eat
from examples.where2eat.people import people_app
from examples.where2eat.places import places_app
from examples.where2eat.staff import people
from examples.where2eat.tables import tables_app
from narrows import Bff, Surroundings
from narrows.devkit.authority import Api, Authority, Client, Grant, Person
from narrows.settings import Secret, Settings, merge, read_settings
from narrows.stores import Owner
from narrows.surfaces.http import Application
from narrows.testing import Clock, Network, Records, bearer, serving

ISSUER = "https://issuer.test"
BFF = "https://bff.test"
SCOPES = {"dining:read": "See suggestions and bookings", "dining:book": "Book and cancel tables"}
SIGN_IN = {"confirm": "Know who you are, so that you can confirm what a program asks for"}
UPSTREAMS = {
    "people": ("people-api", {"profiles:read"}),
    "places": ("places-api", {"places:read"}),
    "tables": ("tables-api", {"bookings:read", "bookings:write"}),
}


def make_authority(
    clock: Clock,
    *,
    issuer: str = ISSUER,
    bff_grants: Iterable[Grant] = ("token_exchange", "authorization_code"),
    **kind: Any,
) -> Authority:
    """The issuer of the world, with the people of the staff directory."""
    return Authority(
        issuer,
        people=[Person(p["username"], p["subject"], p.get("claims", {}), p.get("password")) for p in _staff()],
        clients=[
            Client("where2eat-copilot", kind="desktop", redirect_uris=["http://127.0.0.1/"], scopes=set(SCOPES),
                   audiences=["where2eat-api"]),
            Client("where2eat-page", redirect_uris=[f"{BFF}/"], scopes=set(SCOPES), audiences=["where2eat-api"]),
            Client("nightly", secret="nightly-secret", kind="service", scopes={"dining:read"},
                   grants={"client_credentials"}, audiences=["where2eat-api"]),
            Client("where2eat-bff", secret="bff-secret", kind="service", grants=set(bff_grants),
                   audience="where2eat-api", redirect_uris=[f"{BFF}/confirm/callback"],
                   scopes=set().union(SIGN_IN, *(scopes for _, scopes in UPSTREAMS.values())),
                   audiences=["where2eat-api", *(audience for audience, _ in UPSTREAMS.values())],
                   may_exchange_to=dict(UPSTREAMS.values())),
        ],
        apis=[
            Api("where2eat-api", SCOPES | SIGN_IN),
            *(Api(audience, dict.fromkeys(scopes, "for the BFF")) for audience, scopes in UPSTREAMS.values()),
        ],
        **{"algorithm": "ES256", "now": clock, "log": lambda _: None, **kind},
    )  # fmt: skip


def _staff() -> list[dict[str, Any]]:
    from examples.where2eat.staff import claims

    return [{"username": p.id, "subject": p.id, "claims": claims(p.id), "password": f"lunch-{p.id}"} for p in people()]


def make_settings(**over: Any) -> Settings:
    """The settings of the BFF in this world."""
    return read_settings(
        merge(
            {
                "environment": "development",
                "public_url": BFF,
                "issuers": {
                    "corp": {
                        "url": ISSUER,
                        "audience": "where2eat-api",
                        "client": {"id": "where2eat-bff", "secret": Secret("bff-secret"), "sign_in_scope": "confirm"},
                        "roles": [
                            {"claim": "teams", "role": "member", "domain": "team:{value}"},
                            {"claim": "organises", "role": "organiser", "domain": "team:{value}"},
                        ],
                    }
                },
                "connectors": {
                    "copilot": _connector("where2eat-copilot", "copilot"),
                    "page": _connector("where2eat-page", "low-code"),
                    "nightly": _connector("nightly", "service"),
                },
                "upstreams": {
                    name: {"url": f"https://{name}.test", "audience": audience}
                    for name, (audience, _) in UPSTREAMS.items()
                },
            },
            over,
        ),
        environ={},
    )


def _connector(client_id: str, kind: str) -> dict[str, str]:
    # Most tests are about another guard than the receipt; those about receipts say so with `commit`.
    return {
        "issuer": "corp", "client_id": client_id, "tenant": "example", "kind": kind, "state": "live", "commit": "open",
    }  # fmt: skip


@dataclass
class World:
    """What a test looks at."""

    client: httpx.AsyncClient
    authority: Authority
    network: Network
    clock: Clock
    records: Records
    app: Application
    upstreams: dict[str, Any]

    def token(self, subject: str = "anna", scope: str = "dining:read dining:book", **claims: Any) -> str:
        """An access token for the BFF; claims can be overridden."""
        from examples.where2eat.staff import claims as staff_claims

        client_id = claims.pop("client_id", "where2eat-copilot")
        audience = claims.pop("audience", "where2eat-api")
        return self.authority.issue(subject, client_id, audience, scope, **{**staff_claims(subject), **claims})

    async def get(self, path: str, subject: str = "anna", **how: Any) -> httpx.Response:
        """GET as somebody."""
        return await self.client.get(path, headers=bearer(self.token(subject)), **how)

    async def post(self, path: str, json: Any, subject: str = "anna", **how: Any) -> httpx.Response:
        """POST as somebody."""
        return await self.client.post(path, json=json, headers=bearer(self.token(subject)), **how)

    async def delete(self, path: str, subject: str = "anna") -> httpx.Response:
        """DELETE as somebody."""
        return await self.client.delete(path, headers=bearer(self.token(subject)))

    async def commit(
        self, path: str, json: Any = None, *, method: str = "POST", confirmed: bool = True, **who: Any
    ) -> httpx.Response:
        """Rehearse, let the person confirm unless they do not, and send the same live with the receipt."""
        headers = bearer(self.token(**who))
        body = {} if json is None else {"json": json}
        rehearsed = await self.client.request(method, f"/rehearse{path}", headers=headers, **body)
        if not rehearsed.is_success:
            return rehearsed
        if confirmed:
            await self.confirm(rehearsed, **who)
        receipt = {"Rehearsal-Receipt": rehearsed.headers["rehearsal-receipt"]}
        return await self.client.request(method, path, headers=headers | receipt, **body)

    async def confirm(self, rehearsed: httpx.Response, subject: str = "anna", connector: str = "copilot") -> None:
        """Confirm a rehearsal as the person would on the page of the BFF."""
        rehearsal_id = rehearsed.links["describedby"]["url"].rpartition("/")[2]
        registered = self.app.plan.settings.connectors[connector]
        owner = Owner(registered.tenant, registered.issuer, subject, connector)
        await self.app.plan.commits.confirm(rehearsal_id, owner)

    def bookings(self) -> int:
        """How many bookings the tables service holds."""
        return int(self.upstreams["tables"].state.bookings.count())


@asynccontextmanager
async def world(
    *,
    bff: Bff = where2eat,
    hosts: Mapping[str, Any] | None = None,
    around: Mapping[str, Any] | None = None,
    authority: Mapping[str, Any] | None = None,
    tracers: Mapping[str, Any] | None = None,
    accepted: Sequence[str] = (),
    settings: Settings | None = None,
    **over: Any,
) -> AsyncIterator[World]:
    """The world, running.

    `bff` is another BFF to serve; `hosts` replaces hosts, `over` settings, `around` surroundings and `authority` what
    the issuer is made with; `tracers` gives tracer providers to upstreams by their names, `accepted` are the hosts that
    the BFF answers to (the setting is also called `hosts`). `settings` are whole ones, in place of the usual.
    """
    clock = Clock()
    issuer = make_authority(clock, **(authority or {}))
    network = Network({})
    transport = network.dial()
    made = {"people": people_app, "places": places_app, "tables": tables_app}
    upstreams = {n: make(issuer.issuer, transport, clock, (tracers or {}).get(n)) for n, make in made.items()}
    network.add({"issuer.test": issuer.app, **{f"{n}.test": app for n, app in upstreams.items()}, **(hosts or {})})
    records = Records()
    surroundings = {"dial": network.dial, "now": clock, "write_record": records.write, **(around or {})}
    chosen = settings or make_settings(hosts=tuple(accepted), **over)
    app = Application(bff, chosen, Surroundings(**surroundings))
    async with serving(app) as client:
        yield World(client, issuer, network, clock, records, app, upstreams)
