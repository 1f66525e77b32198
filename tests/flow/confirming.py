"""A person's browser on the confirmation page, without a browser: it keeps cookies and sends what a page sends."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from narrows.devkit import browser
from tests.flow.world import BFF, World

PAGE = {"narrows-confirm": "1", "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}


class Visitor:
    """One browser of one person; `jar` holds its cookies by name."""

    def __init__(self, made: World) -> None:
        self.made = made
        self.jar: dict[str, str] = {}

    async def send(self, method: str, path: str, headers: dict[str, str] | None = None, **how: Any) -> httpx.Response:
        """One request with the cookies, and nothing else that a page would add."""
        cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}
        response = await self.made.client.request(method, path, headers={**cookie, **(headers or {})}, **how)
        # The client of the world is everybody's; what it keeps would be in each one's browser.
        self.made.client.cookies.clear()
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.jar[name] = value
            if "Max-Age=0" in line:
                del self.jar[name]
        return response

    async def fetch(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """One request as the page's script sends it; an empty header is left out."""
        sent = (
            PAGE | ({"origin": BFF} if method != "GET" else {}) | {k.replace("_", "-"): v for k, v in headers.items()}
        )
        sent = {name: value for name, value in sent.items() if value}
        return await self.send(method, path, sent, **({} if json is None else {"json": json}))

    async def leave(self, rehearsal: str, issuer: str | None = None) -> str:
        """Begin to sign in; where the issuer shows its page."""
        query = {"rehearsal": rehearsal} | ({"issuer": issuer} if issuer else {})
        response = await self.send("GET", "/confirm/sign-in", params=query)
        assert response.status_code == 303, response.text
        return response.headers["location"]

    async def at_issuer(self, location: str, name: str) -> str:
        """Sign in at the issuer; where it sends the browser back to."""
        return await browser.sign_in(location, name, f"lunch-{name}", self.made.network.dial())

    async def sign_in(self, rehearsal: str, name: str) -> httpx.Response:
        """The whole way; the answer to the browser that comes back."""
        back = await self.at_issuer(await self.leave(rehearsal), name)
        return await self.send("GET", back.removeprefix(BFF))

    async def decide(self, rehearsal: str, decision: str = "allow", **headers: str) -> httpx.Response:
        """Press one of the buttons."""
        return await self.fetch("POST", f"/confirmations/{rehearsal}", {"decision": decision}, **headers)


def query_of(url: str) -> dict[str, str]:
    """The parameters of a URL, each once."""
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}
