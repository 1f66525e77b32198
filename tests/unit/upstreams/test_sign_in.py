from typing import Any

import pytest

from narrows.errors import Forbidden, InvalidToken, Unavailable
from narrows.settings import Secret
from narrows.stores.ended import MemoryEnded
from narrows.testing import Clock
from narrows.upstreams.dialects import Ask, AuthorizationCode, Issued
from narrows.upstreams.sign_in import SIGN_IN_S, SignedIn, SignIn, SignInRefused
from narrows.upstreams.token_cache import Denied
from tests.flow.confirming import query_of
from tests.unit.pipeline import calls

KEY = bytes(range(32))


class Identity:
    """An issuer whose metadata are there or not, and one token that holds."""

    def __init__(self) -> None:
        self.names_itself = True
        self.away = False
        self.credential = calls.credential(client_id="lunch", subject="anna")
        self.verified: list[str] = []

    def authorization_endpoint(self, issuer: str) -> tuple[str, bool]:
        if self.away:
            raise Unavailable
        return "https://issuer.test/authorize?tenant=1", self.names_itself

    async def verify(self, token: str) -> Any:
        self.verified.append(token)
        if token == "bad":
            raise InvalidToken("the signature does not hold")
        return self.credential


class Desk:
    """A sign-in desk whose token endpoint gives what the test says."""

    def __init__(self, **over: Any) -> None:
        self.identity = Identity()
        self.clock = Clock()
        self.asked: list[tuple[str, ...]] = []
        self.outcome: Any = Issued(Secret("good"), 60)
        settings = calls.settings(**over)
        self.sign_in = SignIn(
            settings, self.identity, self._redeem, key=KEY, now=self.clock, ended=MemoryEnded(self.clock)
        )  # type: ignore[arg-type]  # a fake

    async def _redeem(self, issuer: str, code: Secret, verifier: Secret, redirect_uri: str) -> Any:
        self.asked.append((issuer, code.reveal(), verifier.reveal(), redirect_uri))
        return self.outcome

    def begin(self) -> tuple[str, str]:
        """A state and its cookie."""
        url, cookie = self.sign_in.begin("corp", "r1")
        return query_of(url)["state"], cookie

    async def finish(self, **change: str | None) -> SignedIn:
        """Come back from the issuer."""
        state, cookie = self.begin()
        answer = {"state": state, "code": "c", "iss": "https://issuer.test", **change}
        return await self.sign_in.finish(cookie, answer)


def test_the_request_keeps_what_the_endpoint_has_and_names_the_api() -> None:
    """RFC 6749, 3.1: a query of the endpoint stays; the audience is this BFF's."""
    asked = query_of(Desk().sign_in.begin("corp", "r1")[0])
    assert (asked["tenant"], asked["audience"], asked["scope"], asked["client_id"]) == (
        "1",
        "lunch-api",
        "openid",
        "lunch",
    )


def test_entra_is_not_told_the_api_twice() -> None:
    """It knows it by the scope, which the settings name."""
    client = {"sign_in_scope": "api://lunch/confirm"}
    asked = query_of(Desk(issuers={"corp": {"exchange": "entra", "client": client}}).sign_in.begin("corp", "r1")[0])
    assert "audience" not in asked
    assert asked["scope"] == "api://lunch/confirm"


async def test_who_comes_back_is_signed_in() -> None:
    """The code goes with the verifier that only this browser's cookie holds, and the token is verified as any other."""
    desk = Desk()
    assert await desk.finish() == SignedIn(issuer="corp", subject="anna", name="anna", rehearsal="r1")
    [(issuer, code, verifier, redirect_uri)] = desk.asked
    assert (issuer, code, redirect_uri) == ("corp", "c", "https://bff.test/confirm/callback")
    assert len(verifier) == 43
    assert desk.identity.verified == ["good"]


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Anna A."}, "Anna A."),
        ({"preferred_username": "anna.a"}, "anna.a"),
        ({"name": " ", "email": "a@example.com"}, "a@example.com"),
        ({"name": 7}, "anna"),
        ({"name": "x" * 200}, "x" * 80),
        ({"name": "An\u202ena\n"}, "Anna"),
    ],
)
async def test_a_person_is_called_by_a_name_that_cannot_mislead(claims: dict[str, Any], name: str) -> None:
    """Without control characters and of a bounded length."""
    desk = Desk()
    desk.identity.credential = calls.credential(client_id="lunch", subject="anna", claims=claims)
    assert (await desk.finish()).name == name


async def test_an_issuer_that_does_not_name_itself_need_not() -> None:
    """RFC 9207, 2.4: only one that says it does must; a wrong name never holds."""
    desk = Desk()
    desk.identity.names_itself = False
    assert (await desk.finish(iss=None)).subject == "anna"
    with pytest.raises(SignInRefused):
        await desk.finish(iss="https://evil.test")


@pytest.mark.parametrize(
    ("outcome", "away"),
    [
        (Denied(kind=Unavailable, detail="away"), True),
        (Denied(kind=InvalidToken, detail="no"), False),
        (Denied(kind=Forbidden, detail="no"), False),
        (Issued(Secret("bad"), 60), False),
    ],
)
async def test_what_brings_no_token_signs_nobody_in(outcome: Any, away: bool) -> None:
    """And the person reads whether it makes sense to begin again at once."""
    desk = Desk()
    desk.outcome = outcome
    with pytest.raises(SignInRefused) as caught:
        await desk.finish()
    assert (caught.value.away, caught.value.rehearsal) == (away, "r1")


async def test_metadata_that_went_away_in_between() -> None:
    """Nothing is believed of an answer whose issuer cannot be looked up."""
    desk = Desk()
    state, cookie = desk.begin()
    desk.identity.away = True
    with pytest.raises(SignInRefused) as caught:
        await desk.sign_in.finish(cookie, {"state": state, "code": "c"})
    assert caught.value.away
    with pytest.raises(Unavailable):
        desk.begin()


async def test_a_sign_in_ends_with_its_time() -> None:
    """At the second; a clock that is set back makes none valid either."""
    desk = Desk()
    for seconds in (SIGN_IN_S, -1):
        state, cookie = desk.begin()
        desk.clock.move(seconds)
        with pytest.raises(SignInRefused, match="too long"):
            await desk.sign_in.finish(cookie, {"state": state, "code": "c", "iss": "https://issuer.test"})


async def test_an_issuer_that_lost_its_client_signs_nobody_in() -> None:
    """A sign-in that began before the settings changed does not hold after."""
    before, after = Desk(), Desk()
    state, cookie = before.begin()
    after.sign_in.issuers = {}
    with pytest.raises(SignInRefused):
        await after.sign_in.finish(cookie, {"state": state, "code": "c", "iss": "https://issuer.test"})


async def test_what_has_begun_prints_no_secret() -> None:
    """Neither state nor verifier stands in what a tool prints of it."""
    desk = Desk()
    state, cookie = desk.begin()
    begun = await desk.sign_in._begun(cookie, state)
    assert repr(begun) == "Begun('corp', 'r1')"


def test_the_code_grant_wants_a_code() -> None:
    """Another ask is a fault of ours."""
    with pytest.raises(TypeError):
        AuthorizationCode().fields(Ask(audience="a", scopes=frozenset(), client_id="c"))
