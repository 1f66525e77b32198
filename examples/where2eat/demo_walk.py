"""What every chapter of the demonstration uses: the claims, the people's tokens, and calls in their names."""

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from narrows.devkit.browser import Confirming

from . import world
from .client import rfc3339
from .copilot import opener
from .dev import Addresses
from .evidence import Answers, Witnesses
from .loopback import sign_in

TEAM = 7
SEATS = 6
_EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}


class Story:
    """Prints claims, and remembers those that did not hold."""

    def __init__(self) -> None:
        self.false: list[str] = []
        self.told = 0

    def chapter(self, title: str) -> None:
        """Begin a part."""
        print(f"\n{title}")

    def claim(self, text: str, holds: bool, seen: object = None) -> None:
        """Print a claim; one that does not hold is printed with what was seen instead."""
        self.told += 1
        print(f"  {'ok    ' if holds else 'NOT SO'}  {text}")
        if not holds:
            self.false.append(text)
            self.note(f"seen instead: {getattr(seen, 'text', seen)}")

    def note(self, text: str) -> None:
        """Print what belongs to the claim above."""
        print(f"          {text}")


class Walk:
    """One way through the running world; `secret` is that of the BFF's own client, `at` the time of the lunch."""

    def __init__(
        self, client: httpx.AsyncClient, addresses: Addresses, secret: str, answers: Answers, at: datetime
    ) -> None:
        self.client = client
        self.addresses = addresses
        self.secret = secret
        self.answers = answers
        self.at = at
        self.folder = Path(addresses.folder)
        self.story = Story()
        self.witnesses = Witnesses(client, addresses)
        self.tokens: dict[str, str] = {}
        self.pages: list[tuple[str, str]] = []

    async def sign_in(self, *names: str) -> None:
        """Sign people in as the copilot's users; their tokens are used by `call`."""
        for name in names:
            show = opener(self.client, name)
            token = await sign_in(self.client, self.addresses.origin, world.COPILOT_CLIENT, world.SCOPES, show)
            self.tokens[name] = token.access_token

    async def call(
        self, who: str, method: str, path: str, receipt: str | None = None, headers: Any = None, **more: Any
    ) -> httpx.Response:
        """A request to the BFF with the token that the copilot has in the name of a person."""
        headers = {"authorization": f"Bearer {self.tokens[who]}", **(headers or {})}
        headers |= {"rehearsal-receipt": receipt} if receipt else {}
        return await self.client.request(method, self.addresses.origin + path, headers=headers, **more)

    async def read_again(self, response: httpx.Response, who: str) -> httpx.Response | None:
        """The answer with the rehearsal that an answer leads to; None if it leads to none."""
        link = response.links.get("describedby", {}).get("url", "")
        if not link.startswith(f"{self.addresses.origin}/rehearse/rehearsals/"):
            return None
        return await self.call(who, "GET", link.removeprefix(self.addresses.origin))

    async def described(self, response: httpx.Response, who: str) -> dict[str, Any]:
        """The rehearsal that an answer leads to; empty if it leads to none."""
        read = await self.read_again(response, who)
        document: dict[str, Any] = {} if read is None else read.json()
        return document

    async def rehearsed(self, who: str, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Rehearse a write; what the rehearsal says of itself."""
        return await self.described(await self.call(who, method, f"/rehearse{path}", **more), who)

    async def commit(self, who: str, method: str, path: str, document: dict[str, Any], **more: Any) -> httpx.Response:
        """The live write with the receipt of its rehearsal."""
        return await self.call(who, method, path, receipt=str(document.get("receipt")), **more)

    async def confirm(self, who: str, url: str) -> dict[str, Any]:
        """Confirm as a person does: sign in on the page, in a browser that no program looks into."""
        async with Confirming(url) as page:
            await page.sign_in(who, world.password(who))
            answer = await page.decide()
        self.keep(who, answer)
        confirmed: dict[str, Any] = answer.json()
        return confirmed

    def keep(self, who: str, answer: httpx.Response) -> None:
        """Keep what the confirmation page showed to a person, for the look at the end."""
        self.pages.append((who, f"{answer.headers.multi_items()}\n{answer.text}"))

    async def exchange(self, who: str, scope: str) -> httpx.Response:
        """What the authorization server says to whoever holds the BFF's credentials and a person's token."""
        form = {**_EXCHANGE, "subject_token": self.tokens[who], "audience": "people-api", "scope": scope}
        credentials = (world.BFF_CLIENT, self.secret)
        return await self.client.post(f"{self.addresses.issuer}/token", data=form, auth=credentials)

    def origin(self) -> dict[str, str]:
        """What the browser would say of the page that a request comes from."""
        return {"origin": self.addresses.origin}

    def wanted(self, place: str) -> dict[str, Any]:
        """The booking that is rehearsed and then made."""
        return {"place_id": place, "starts_at": rfc3339(self.at), "seats": SEATS}


def reason(problem: httpx.Response) -> str:
    """What a problem says to the person."""
    said = problem.json()
    return f"{said.get('detail')} {said.get('remedy')}"


def same_but_for_trace(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two problems cannot be told apart."""
    bodies = [{name: value for name, value in it.json().items() if name != "trace_id"} for it in (one, other)]
    return bodies[0] == bodies[1] and one.status_code == other.status_code
