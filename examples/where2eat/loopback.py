"""Signing in a person from a desktop program: authorization code with proof key over loopback (RFC 8252, RFC 7636)."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import msgspec

from narrows.devkit.pkce import challenge, new_verifier

_LONGEST_HEAD = 8_192  # bytes of a request to the listener
_PATIENCE = 5.0  # seconds for a browser to send its request
_SIGN_IN_SECONDS = 300.0
_REQUEST = re.compile(rb"GET (/callback\?[\x21-\x7E]*) HTTP/1\.[01]\r\n")
_THANKS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"Connection: close\r\nContent-Length: 56\r\n\r\nYou may close this window and go back to your copilot.\r\n"
)
_NOTHING = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class SignInRefused(Exception):
    """No token came of it; the message says why and holds neither code nor token."""


class Server(msgspec.Struct, frozen=True):
    """What a program needs of the authorization server's metadata (RFC 8414)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str


class Token(msgspec.Struct, frozen=True):
    """An access token; printing it shows how long it holds (seconds), and nothing else."""

    access_token: str
    token_type: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Token(expires_in={self.expires_in})"


class _Resource(msgspec.Struct):
    authorization_servers: list[str]


async def discover(client: httpx.AsyncClient, api: str) -> Server:
    """The authorization server that `api` names (RFC 9728); raises `SignInRefused` if it is not what it says."""
    resource = msgspec.json.decode(
        await _document(client, f"{api}/.well-known/oauth-protected-resource"), type=_Resource
    )
    issuer = urlsplit(resource.authorization_servers[0])
    well_known = f"{issuer.scheme}://{issuer.netloc}/.well-known/oauth-authorization-server{issuer.path}"
    server = msgspec.json.decode(await _document(client, well_known), type=Server)
    if server.issuer != issuer.geturl():
        raise SignInRefused("The authorization server's metadata is not its own (RFC 8414, 3.3).")
    return server


async def sign_in(
    client: httpx.AsyncClient,
    api: str,
    client_id: str,
    scopes: tuple[str, ...],
    open_url: Callable[[str], Awaitable[None]],
) -> Token:
    """Sign a person in at the authorization server of `api`; `open_url` shows them the page.

    Raises `SignInRefused`, also when nobody has signed in after five minutes.
    """
    server = await discover(client, api)
    verifier, state = new_verifier(), secrets.token_urlsafe(32)
    async with _listening() as (redirect_uri, answer):
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(scopes),
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        await open_url(f"{server.authorization_endpoint}?{urlencode(asked)}")
        try:
            target = await asyncio.wait_for(answer, _SIGN_IN_SECONDS)
        except TimeoutError:
            raise SignInRefused("Nobody signed in within five minutes.") from None
    code = _code(target, state, server.issuer)
    proof = {"code": code, "redirect_uri": redirect_uri, "client_id": client_id, "code_verifier": verifier}
    response = await client.post(server.token_endpoint, data={"grant_type": "authorization_code", **proof})
    if response.status_code != httpx.codes.OK:
        raise SignInRefused(f"The authorization server gave no token ({response.status_code}).")
    return msgspec.json.decode(response.content, type=Token)


async def _document(client: httpx.AsyncClient, url: str) -> bytes:
    response = await client.get(url)
    if response.status_code != httpx.codes.OK:
        raise SignInRefused(f"The sign-in cannot be looked up ({response.status_code}).")
    return response.content


def _code(target: str, state: str, issuer: str) -> str:
    """The code in what the browser brought back, once it is certain who sent it (RFC 6749, 10.12; RFC 9207)."""
    brought = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
    if not secrets.compare_digest(brought.get("state", "").encode(), state.encode()):
        raise SignInRefused("What came back belongs to another sign-in.")
    if brought.get("iss") != issuer:
        raise SignInRefused("Another server answered than was asked.")
    if "code" not in brought:
        raise SignInRefused(f"The authorization server refused: {brought.get('error', 'it gave no reason')}.")
    return brought["code"]


@asynccontextmanager
async def _listening() -> AsyncIterator[tuple[str, asyncio.Future[str]]]:
    """A listener on a free port of loopback, for one redirect: its URI, and what came back."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = await _target(reader)
        writer.write(_THANKS if target else _NOTHING)
        await writer.drain()
        writer.close()
        if target and not answer.done():
            answer.set_result(target)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, limit=_LONGEST_HEAD)
    async with listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/callback", answer


async def _target(reader: asyncio.StreamReader) -> str | None:
    """The target of the request if it is for the callback; a browser asks for icons too."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    found = _REQUEST.match(head)
    return found[1].decode("ascii") if found else None
