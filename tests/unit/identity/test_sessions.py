import itertools

import pytest

from narrows.identity.sessions import SESSION_S, Session, Sessions, pack, unpack
from narrows.stores.ended import MemoryEnded
from narrows.stores.sealing import Sealer
from narrows.testing import Clock
from tests.unit.pipeline import calls

KEY = bytes(range(32))


@pytest.fixture
def clock():
    """The clock of a test."""
    return Clock()


def make(clock, key=KEY):
    """Sessions with ids that count."""
    ids = itertools.count(1)
    ended = MemoryEnded(clock)
    return Sessions(calls.settings(), key=key, now=clock, ended=lambda: ended, new_id=lambda: f"s{next(ids)}")


async def test_a_session_is_read_from_its_cookie(clock):
    """Who signed in, by which issuer, from when until when; each has its own id."""
    sessions = make(clock)
    first, second = [await sessions.open(sessions.begin("corp", "anna", "Anna A.")) for _ in range(2)]
    now = clock()
    assert first == Session(id="s1", issuer="corp", subject="anna", name="Anna A.", since=now, expires=now + SESSION_S)
    assert second.id == "s2"


def test_a_cookie_holds_nothing_that_can_be_read(clock):
    """Sealed with a key of its own purpose, and no two are alike."""
    sessions = make(clock)
    cookies = {sessions.begin("corp", "anna", "Anna A.") for _ in range(3)}
    assert len(cookies) == 3
    assert not any("anna" in cookie.lower() for cookie in cookies)


@pytest.mark.parametrize("value", ["", "A", "AAAA", "é", "!", "A" * 300])
async def test_what_was_not_made_here_is_no_session(clock, value):
    """Also what was sealed with another key, or for another purpose."""
    assert await make(clock).open(value) is None


async def test_a_cookie_of_another_key_or_purpose_is_no_session(clock):
    """The same key for another purpose, or the same purpose with another key."""
    sessions = make(clock)
    assert await sessions.open(make(clock, bytes(32)).begin("corp", "anna", "")) is None
    session = Session(id="x", issuer="corp", subject="anna", name="", since=clock(), expires=clock() + 1)
    assert await sessions.open(pack(Sealer(KEY, purpose="sign-in"), session, b"session")) is None
    assert await sessions.open(pack(Sealer(KEY, purpose="session"), session, b"sign-in")) is None
    assert await sessions.open(pack(Sealer(KEY, purpose="session"), session, b"session")) == session


async def test_a_session_ends_with_its_time(clock):
    """At the second, and it does not begin before its beginning either (a clock that is set back)."""
    sessions = make(clock)
    cookie = sessions.begin("corp", "anna", "")
    clock.move(SESSION_S - 1)
    assert await sessions.open(cookie)
    clock.move(1)
    assert await sessions.open(cookie) is None
    clock.move(-SESSION_S - 1)
    assert await sessions.open(cookie) is None


async def test_a_session_that_was_ended_holds_no_more(clock):
    """And another of the same person does."""
    sessions = make(clock)
    one, other = sessions.begin("corp", "anna", ""), sessions.begin("corp", "anna", "")
    await sessions.end(sessions.credential(await sessions.open(one)))
    assert await sessions.open(one) is None
    assert await sessions.open(other)


async def test_the_credential_of_a_session_can_do_nothing_else(clock):
    """A person, the BFF's own client, no scope, no token; it says since when, for revocations."""
    sessions = make(clock)
    credential = sessions.credential(await sessions.open(sessions.begin("corp", "anna", "Anna A.")))
    assert (credential.issuer, credential.subject, credential.client_id) == ("corp", "anna", "lunch")
    assert (credential.scopes, credential.token.reveal()) == (frozenset(), "")
    assert credential.claims == {"iat": clock(), "jti": "s1", "name": "Anna A."}


def test_what_does_not_open_is_none():
    """Bytes of another kind are no value."""
    sealer = Sealer(KEY, purpose="x")
    assert unpack(sealer, "AAAAA", Session, b"") is None
    assert unpack(sealer, "AA", Session, b"") is None
