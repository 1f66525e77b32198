"""A small world around the embedded authorization server: people, programs, APIs and a clock that stands still."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jws
from joserfc.jwk import ECKey

from narrows.devkit.authority import Api, Authority, Client, Person
from narrows.devkit.browser import sign_in
from narrows.devkit.pkce import challenge, new_verifier

ORIGIN = "http://127.0.0.1:9000"
ISSUER = f"{ORIGIN}/as"
BFF = "http://127.0.0.1:8000"
PEOPLE = "api://people"
TABLES = "api://tables"
LOOPBACK = "http://127.0.0.1/done"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS_TYPE = "urn:ietf:params:oauth:token-type:access_token"
WORKER_KEY = ECKey.generate_key("P-256", auto_kid=True)

ANN = Person("ann", "ann-1", {"roles": ["member"]}, "apple-pie")
BOB = Person("bob", "bob-2", {}, "blue-berry", frozenset({"dining:read"}))
CARA = Person("cara", "cara-3")

APIS = (
    Api(BFF, {"dining:read": "See places to eat", "dining:book": "Book a table", "data:export": "Take all data out"}),
    Api(PEOPLE, {"profiles:read": "Read profiles", "profiles:write": "Change profiles"}),
    Api(TABLES, {"bookings:read": "Read bookings"}),
)

CLIENTS = (
    Client(
        "copilot", kind="desktop", redirect_uris=[LOOPBACK], scopes={"dining:read", "dining:book"}, audiences=[BFF],
        name="Lunch <Copilot>",
    ),
    Client(
        "page", "page-secret", redirect_uris=["https://lunch.example/done?x=1"],
        scopes={"dining:read", "profiles:read"}, audiences=[BFF, PEOPLE],
    ),
    Client(
        "bff", "bff-secret", "service", grants={"token_exchange"}, audience=BFF,
        may_exchange_to={PEOPLE: {"profiles:read"}, TABLES: {"bookings:read"}},
    ),
    Client(
        "people", "people-secret", "service", grants={"token_exchange", "client_credentials"}, audience=PEOPLE,
        may_exchange_to={TABLES: {"bookings:read"}}, audiences=[TABLES], scopes={"bookings:read"},
    ),
    Client(
        "worker", kind="service", grants={"client_credentials"}, scopes={"bookings:read"}, audiences=[TABLES],
        public_keys=[WORKER_KEY.as_dict(private=False)],
    ),
)  # fmt: skip


class Clock:
    """A clock that moves when it is told to; in seconds."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class World:
    """An authority with its clock, the lines it wrote, and a client that reaches it in this process."""

    def __init__(self, **changed: object) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        chosen = {"people": [ANN, BOB, CARA], "clients": CLIENTS, "apis": APIS, "algorithm": "ES256", **changed}
        self.issuer = str(chosen.pop("issuer", ISSUER))
        self.authority = Authority(
            self.issuer,
            now=self.clock,
            log=self.lines.append,
            **chosen,
        )
        self.transport = httpx.ASGITransport(app=self.authority.app)
        self.http = httpx.AsyncClient(transport=self.transport, base_url=self.issuer)

    def events(self, name: str) -> list[dict]:
        """The lines of one event."""
        return [line for line in map(json.loads, self.lines) if line["event"] == name]

    async def post(self, path: str, form: Mapping[str, object], client: str | None = None, **more) -> httpx.Response:
        """Post a form, authenticated as a client by its made-up secret."""
        auth = (client, f"{client}-secret") if client else None
        return await self.http.post(path, data=form, auth=auth, **more)

    async def code(self, username: str = "ann", password: str = ANN.password, **changed) -> tuple[str, dict[str, str]]:
        """Sign a person in as the copilot; gives the verifier and the parameters of the redirect."""
        verifier = new_verifier()
        url = authorize_url(code_challenge=challenge(verifier), **changed)
        return verifier, parameters(await sign_in(url, username, password, self.transport))

    async def token(self, **changed) -> httpx.Response:
        """The whole sign-in as the copilot, up to the token response."""
        verifier, came = await self.code(**changed)
        return await self.post("/token", code_form(came["code"], verifier))

    def exchange_form(self, **changed) -> dict[str, object]:
        """A request that exchanges Ann's token for the people API; `None` leaves a parameter out."""
        form = {
            "grant_type": EXCHANGE,
            "subject_token_type": ACCESS_TYPE,
            "audience": PEOPLE,
            "scope": "profiles:read",
            **changed,
        }
        if "subject_token" not in form:
            form["subject_token"] = self.authority.issue("ann-1", "copilot", BFF, "dining:read")
        return {name: value for name, value in form.items() if value is not None}


def authorize_url(**changed) -> str:
    """The copilot's authorize URL; `None` leaves a parameter out."""
    given = {
        "response_type": "code",
        "client_id": "copilot",
        "redirect_uri": "http://127.0.0.1:54321/done",
        "scope": "dining:read",
        "state": "st ate",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        **changed,
    }
    return f"{ISSUER}/authorize?" + urlencode([(n, v) for n, v in given.items() if v is not None], doseq=True)


def code_form(code: str, verifier: str, /, **changed) -> dict[str, object]:
    """The copilot's token request."""
    form = {
        "grant_type": "authorization_code",
        "client_id": "copilot",
        "code": code,
        "redirect_uri": "http://127.0.0.1:54321/done",
        "code_verifier": verifier,
        **changed,
    }
    return {name: value for name, value in form.items() if value is not None}


def parameters(url: str) -> dict[str, str]:
    """The parameters of a redirect, each once."""
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def claims(token: str) -> dict:
    """The claims of a token, unverified."""
    return json.loads(jws.extract_compact(token.encode()).payload)
