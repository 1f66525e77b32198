import itertools

import pytest

from narrows.identity.sessions import SESSION_S, Ended, Session, Sessions, pack, unpack
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
    return Sessions(calls.settings(), key=key, now=clock, new_id=lambda: f"s{next(ids)}")


def test_a_session_is_read_from_its_cookie(clock):
    """Who signed in, by which issuer, from when until when; each has its own id."""
    sessions = make(clock)
    first, second = (sessions.open(sessions.begin("corp", "anna", "Anna A.")) for _ in range(2))
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
def test_what_was_not_made_here_is_no_session(clock, value):
    """Also what was sealed with another key, or for another purpose."""
    assert make(clock).open(value) is None


def test_a_cookie_of_another_key_or_purpose_is_no_session(clock):
    """The same key for another purpose, or the same purpose with another key."""
    sessions = make(clock)
    assert sessions.open(make(clock, bytes(32)).begin("corp", "anna", "")) is None
    session = Session(id="x", issuer="corp", subject="anna", name="", since=clock(), expires=clock() + 1)
    assert sessions.open(pack(Sealer(KEY, purpose="sign-in"), session, b"session")) is None
    assert sessions.open(pack(Sealer(KEY, purpose="session"), session, b"sign-in")) is None
    assert sessions.open(pack(Sealer(KEY, purpose="session"), session, b"session")) == session


def test_a_session_ends_with_its_time(clock):
    """At the second, and it does not begin before its beginning either (a clock that is set back)."""
    sessions = make(clock)
    cookie = sessions.begin("corp", "anna", "")
    clock.move(SESSION_S - 1)
    assert sessions.open(cookie)
    clock.move(1)
    assert sessions.open(cookie) is None
    clock.move(-SESSION_S - 1)
    assert sessions.open(cookie) is None


def test_a_session_that_was_ended_holds_no_more(clock):
    """And another of the same person does."""
    sessions = make(clock)
    one, other = sessions.begin("corp", "anna", ""), sessions.begin("corp", "anna", "")
    sessions.end(sessions.credential(sessions.open(one)))
    assert sessions.open(one) is None
    assert sessions.open(other)


def test_the_credential_of_a_session_can_do_nothing_else(clock):
    """A person, the BFF's own client, no scope, no token; it says since when, for revocations."""
    sessions = make(clock)
    credential = sessions.credential(sessions.open(sessions.begin("corp", "anna", "Anna A.")))
    assert (credential.issuer, credential.subject, credential.client_id) == ("corp", "anna", "lunch")
    assert (credential.scopes, credential.token.reveal()) == (frozenset(), "")
    assert credential.claims == {"iat": clock(), "jti": "s1", "name": "Anna A."}


def test_ended_ids_are_forgotten_when_they_would_have_expired(clock):
    """Until then they hold."""
    ended = Ended(clock, 2)
    for name in ("a", "b", "c", "d"):
        ended.add(name, clock() + 10)
        assert ended.holds(name, clock())
        clock.move(10)
        assert not ended.holds("z", clock())


def test_when_there_are_too_many_everything_older_is_ended(clock):
    """More than was asked for, and never less."""
    ended = Ended(clock, 2)
    for name in ("a", "b", "c"):
        ended.add(name, clock() + 100)
    since = clock()
    clock.move(1)
    assert all(ended.holds(name, since) for name in ("a", "b", "c", "never"))
    assert not ended.holds("later", clock())
    assert ended.holds("c", clock())


def test_what_does_not_open_is_none():
    """Bytes of another kind are no value."""
    sealer = Sealer(KEY, purpose="x")
    assert unpack(sealer, "AAAAA", Session, b"") is None
    assert unpack(sealer, "AA", Session, b"") is None
