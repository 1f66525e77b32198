from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from narrows.call import Call, Credential
from narrows.declare.endpoint import Endpoint
from narrows.errors import CredentialsMissing, CrossSite
from narrows.pipeline import authenticate
from narrows.pipeline.by_session import is_foreign, origin_of
from narrows.testing import Clock
from tests.unit.pipeline import calls

ORIGIN = "https://bff.test"


class Identity:
    """Knows no token; `revoked` says whether everybody's sign-in is."""

    revoked = False

    def is_revoked(self, credential: Credential) -> bool:
        return self.revoked


async def mine() -> calls.Team:
    """Handle one call."""
    raise NotImplementedError


def owned(kind: Any = "read") -> Endpoint:
    """An endpoint for a session."""
    return Endpoint(
        id="narrows.mine",
        bff="narrows",
        kind=kind,
        method="GET" if kind == "read" else "POST",
        path="/mine",
        function=mine,
        where="here:1",
        status=200,
        owned=True,
        session=True,
    )


class Ready:
    """The step, and what it stands on."""

    def __init__(self, kind: Any = "read", **over: Any) -> None:
        self.endpoint = owned(kind)
        self.identity = Identity()
        self.clock = Clock()
        preparing = calls.preparing(self.endpoint, identity=self.identity, clock=self.clock, **over)
        self.sessions = preparing.ground.sessions
        step = authenticate.prepare(preparing)
        assert step is not None
        self.step = step
        self.cookie = self.sessions.begin("corp", "anna", "Anna")

    async def ask(self, **headers: Any) -> Call:
        """One call with the session and the header, and with others in their place."""
        sent = {"cookie": f"{self.sessions.cookie.name}={self.cookie}", "narrows_confirm": "1", **headers}
        lists: Mapping[str, list[str]] = {
            name.replace("_", "-"): [value] if isinstance(value, str) else list(value)
            for name, value in sent.items()
            if value is not None
        }
        call = calls.call(self.endpoint, anonymous=True, headers=lists)
        await self.step(call)
        return call


async def test_a_session_tells_who_calls() -> None:
    """A person, with the BFF's own page as the program."""
    call = await Ready().ask()
    assert call.caller is not None
    assert call.connector is not None
    assert (call.caller.issuer, call.caller.subject, call.caller.kind) == ("corp", "anna", "person")
    assert (call.connector.id, call.connector.tenant, call.connector.client_id) == ("narrows.page", "", "lunch")


@pytest.mark.parametrize("cookie", [None, "x=1", "{name}=AAAA", "{name}=a; {name}=b"])
async def test_without_a_session_there_is_a_401(cookie: str | None) -> None:
    """It says where to sign in, and challenges with no `Bearer`."""
    ready = Ready()
    given = None if cookie is None else cookie.format(name=ready.sessions.cookie.name)
    with pytest.raises(CredentialsMissing) as caught:
        await ready.ask(cookie=given, authorization="Bearer good")
    assert caught.value.members == {"sign_in": ["corp"]}
    assert caught.value.headers == {"WWW-Authenticate": 'Session realm="confirmations"'}


async def test_a_revoked_sign_in_is_none() -> None:
    """A revocation reaches sessions too."""
    ready = Ready()
    ready.identity.revoked = True
    with pytest.raises(CredentialsMissing):
        await ready.ask()


@pytest.mark.parametrize("value", [None, "", "0", ["1", "1"]])
async def test_the_header_stands_on_every_request(value: Any) -> None:
    """Exactly once."""
    with pytest.raises(CrossSite):
        await Ready().ask(narrows_confirm=value)


async def test_a_change_names_its_origin() -> None:
    """A look-up need not: browsers leave it out there."""
    ready = Ready("write")
    with pytest.raises(CrossSite):
        await ready.ask()
    assert (await ready.ask(origin=ORIGIN)).caller is not None


async def test_a_foreign_request_is_refused_before_the_cookie_is_looked_at() -> None:
    """Whether there is a session is nothing that another site can find out."""
    with pytest.raises(CrossSite):
        await Ready().ask(cookie=None, sec_fetch_site="cross-site")


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": [ORIGIN]}, False),
        ({"sec-fetch-site": ["same-origin"], "sec-fetch-dest": ["empty"]}, False),
        ({"origin": ["null"]}, True),
        ({"origin": [ORIGIN, "https://evil.test"]}, True),
        ({"sec-fetch-site": ["same-origin", "cross-site"]}, True),
        ({"sec-fetch-site": [""]}, True),
        ({"sec-fetch-dest": ["frame"]}, True),
    ],
)
def test_what_a_browser_calls_foreign(headers: Mapping[str, list[str]], foreign: bool) -> None:
    """One header that says so is enough."""
    assert is_foreign(headers, ORIGIN) is foreign


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://BFF.test/base/", "https://bff.test"),
        ("https://bff.test:443", "https://bff.test"),
        ("https://bff.test:8443/", "https://bff.test:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_written_as_browsers_do(url: str, origin: str) -> None:
    """RFC 6454, 6.2."""
    assert origin_of(url) == origin


def test_no_token_counts_where_a_session_does() -> None:
    """The step of such an endpoint knows no identity's token."""
    step = authenticate.prepare(calls.preparing(owned(), identity=Identity()))
    assert step is not None
    assert "by_session" in step.__qualname__
    assert msgspec.structs.replace(owned(), session=False).builtin
