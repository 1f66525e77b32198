"""A browser without a person before it: walks sign-in and confirmation page for demonstrations and tests."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Literal
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from narrows.errors import NarrowsError

_MOST_STEPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


# What a browser and the page's script add to each request.
_PAGE = {"Narrows-Confirm": "1", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


class SignInFailed(NarrowsError):
    """The walk did not end at the program's redirect URI; the message holds no password and no code."""


async def sign_in(
    authorize_url: str, username: str, password: str, transport: httpx.AsyncBaseTransport | None = None
) -> str:
    """Sign `username` in at `authorize_url`, allow what is asked, and return the redirect URL with the code.

    It does what a browser does: keeps cookies, sends hidden fields and the origin, and follows redirects, but not to
    the redirect URI itself. Raises `SignInFailed` if the server shows no form, refuses, or leads astray.
    """
    home = _redirect_uri(authorize_url)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        answer = await client.get(authorize_url)
        for _ in range(_MOST_STEPS):
            if answer.status_code in _REDIRECTS:
                following = urljoin(str(answer.url), answer.headers.get("location", ""))
                if _without_query(following) == home:
                    return _allowed(following)
                answer = await client.get(following)
            else:
                answer = await _submit(client, answer, username, password)
    raise SignInFailed("the sign-in did not end; look at the authorize URL in a browser")


class Confirming:
    """A person's browser on a confirmation page. Use it with `async with`; it keeps the session until then."""

    def __init__(self, confirm_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._page = confirm_url
        base, self._rehearsal = confirm_url.rsplit("/confirm/", 1)
        parts = urlsplit(confirm_url)
        self._asked = f"{base}/confirmations/{self._rehearsal}"
        self._sign_in = f"{base}/confirm/sign-in"
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._transport = transport
        self._client = httpx.AsyncClient(transport=transport, trust_env=False)

    async def __aenter__(self) -> Confirming:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def sign_in(self, username: str, password: str) -> None:
        """Open the page, and sign in by its link. Raises `SignInFailed`."""
        await self._client.get(self._page)
        leaving = await self._client.get(self._sign_in, params={"rehearsal": self._rehearsal})
        if leaving.status_code not in _REDIRECTS:
            raise SignInFailed(f"the confirmation page answered {leaving.status_code} to the wish to sign in")
        back = await self._client.get(await sign_in(leaving.headers["location"], username, password, self._transport))
        if back.headers.get("location") != self._page:
            raise SignInFailed(f"the confirmation page answered {back.status_code} to a sign-in that went well")

    async def read(self) -> httpx.Response:
        """What the page asks for to show it."""
        return await self._client.get(self._asked, headers=_PAGE)

    async def decide(self, decision: Literal["allow", "refuse"] = "allow", **how: Any) -> httpx.Response:
        """What is sent when a button is pressed; `how` goes to httpx, headers beside those of a page."""
        headers = {**_PAGE, "Origin": self._origin, **how.pop("headers", {})}
        return await self._client.post(self._asked, json={"decision": decision}, headers=headers, **how)


async def _submit(client: httpx.AsyncClient, page: httpx.Response, username: str, password: str) -> httpx.Response:
    form = _Form()
    form.feed(page.text)
    if page.status_code != httpx.codes.OK or not form.found:
        raise SignInFailed(f"the server answered {page.status_code} and no form to fill; check name and password")
    url = urljoin(str(page.url), form.action)
    fields = {**form.fields, "username": username, "password": password, "decision": "allow"}
    parts = urlsplit(url)
    return await client.post(url, data=fields, headers={"Origin": f"{parts.scheme}://{parts.netloc}"})


def _redirect_uri(authorize_url: str) -> str:
    named = parse_qs(urlsplit(authorize_url).query).get("redirect_uri")
    if not named:
        raise SignInFailed("the authorize URL names no redirect_uri; add it")
    return _without_query(named[0])


def _without_query(url: str) -> str:
    return url.partition("?")[0]


def _allowed(redirect: str) -> str:
    parameters = parse_qs(urlsplit(redirect).query)
    if "code" not in parameters:
        raise SignInFailed(f"the server refused: {parameters.get('error', ['no code came back'])[0]}")
    return redirect


class _Form(HTMLParser):
    """The first form that posts, with its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form and its hidden inputs."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self.found, self.action = True, given.get("action", "")
        elif tag == "input" and given.get("type") == "hidden":
            self.fields[given.get("name", "")] = given.get("value", "")
