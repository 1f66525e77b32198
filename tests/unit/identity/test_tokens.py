"""What a verified token says, and how it is remembered, expires and is revoked."""

import hashlib
from typing import Any

import pytest

from narrows.call import Credential
from narrows.errors import InvalidToken
from narrows.identity import Identity
from narrows.identity.jwt import Reason
from narrows.identity.remembered import Revocations
from narrows.identity.tokens import is_service, make_credential, token_id
from narrows.settings import ClientSettings, Settings
from tests.abuse.tokens import (
    AUDIENCE,
    ISSUER,
    NOW,
    Authority,
    Clock,
    ec,
    ed25519,
    good_claims,
    issuer_settings,
    mint,
    rsa,
    started,
)

LOOSE = issuer_settings(typ=("JWT",))


def credential(**changes: Any) -> Credential:
    """A credential with changed claims."""
    return make_credential("corp", LOOSE, "a.b.c", good_claims(**changes))


async def reason(identity: Identity, token: str) -> Reason:
    """Why a token is refused."""
    with pytest.raises(InvalidToken) as caught:
        await identity.verify(token)
    return Reason(str(caught.value))


async def test_a_credential_says_what_the_token_says() -> None:
    """Issuer by its name, subject, client, scopes and times come out of the claims; the token itself is masked."""
    identity = await started(Authority())
    token = mint(act={"sub": "gateway"})
    got = await identity.verify(token)
    assert (got.issuer, got.subject, got.client_id, got.actors) == ("corp", "anna", "micro-app", ("gateway",))
    assert (got.scopes, got.expires_at) == (frozenset({"dining:read"}), NOW + 3600)
    assert got.token.reveal() == token
    assert got.token_digest == hashlib.sha256(token.encode()).digest()
    assert got.claims["jti"] == "token-1"
    assert token not in repr(got)


def test_claims_cannot_be_changed() -> None:
    """A credential is shared by all calls with its token, so nobody may write into it."""
    with pytest.raises(TypeError):
        credential().claims["sub"] = "mallory"  # type: ignore[index]  # that it cannot be written is what is tested


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "a b  c"}, {"a", "b", "c"}),
        ({"scope": ""}, set()),
        ({"scope": None}, set()),
        ({"scope": "a", "scp": "b"}, {"a"}),
        ({"scope": None, "scp": "a b"}, {"a", "b"}),
        ({"scope": None, "scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": "a\u00a0b"}, {"a\u00a0b"}),
    ],
)
def test_scopes(claims: dict[str, Any], scopes: set[str]) -> None:
    """`scope` is a text with spaces; `scp` is that or a list, and counts only without `scope`."""
    assert credential(**claims).scopes == scopes


@pytest.mark.parametrize(
    "claims", [{"scope": ["a"]}, {"scope": 7}, {"scope": None, "scp": [1]}, {"scope": None, "scp": 7}]
)
def test_scopes_of_another_form(claims: dict[str, Any]) -> None:
    """Scopes in a form that no issuer uses are not guessed at."""
    with pytest.raises(InvalidToken, match="claim"):
        credential(**claims)


@pytest.mark.parametrize(
    ("claims", "service"),
    [
        ({}, False),
        ({"sub": "micro-app"}, True),
        ({"sub": "micro-app@clients"}, True),
        ({"idtyp": "app"}, True),
        ({"gty": "client-credentials"}, True),
        ({"preferred_username": "service-account-micro-app"}, True),
        ({"preferred_username": "service-account-other"}, False),
        ({"tid": "t", "scope": None}, True),
        ({"tid": "t", "scope": None, "idtyp": "user"}, False),
        ({"tid": "t", "scope": None, "scp": "dining:read"}, False),
        ({"sub": "micro-app", "idtyp": "user"}, True),
    ],
)
def test_services_are_told_from_persons(claims: dict[str, Any], service: bool) -> None:
    """A program that calls for itself is known by what its issuer writes."""
    assert is_service(credential(**claims)) is service


async def test_tokens_of_entra() -> None:
    """A plain JWT with `azp`, `scp` and no `jti` is taken where the settings say so, and only there."""
    token = mint(header={"typ": "JWT"}, claims=good_claims(client_id=None, azp="app", jti=None, scope=None, scp="a b"))
    identity = await started(Authority(), typ=("JWT",))
    got = await identity.verify(token)
    assert (got.client_id, got.scopes) == ("app", {"a", "b"})
    assert await reason(await started(Authority()), token) is Reason.TYPE


@pytest.mark.parametrize("key", [rsa(), ec(), ed25519()], ids=["RS256", "ES256", "Ed25519"])
async def test_every_key_type_verifies(key: Any) -> None:
    """Tokens signed with RSA, elliptic curves and Ed25519 are verified."""
    identity = await started(Authority(key), algorithms=("RS256", "ES256", "Ed25519"))
    assert (await identity.verify(mint(key))).subject == "anna"
    assert await reason(identity, mint(key)[:-8] + "AAAAAAAA") is Reason.SIGNATURE


async def test_a_known_token_is_not_verified_again() -> None:
    """The second time the same credential comes from memory, by both ways of asking."""
    identity = await started(Authority())
    token = mint()
    assert identity.known(token) is None
    first = await identity.verify(token)
    assert identity.known(token) is first
    assert await identity.verify(token) is first


async def test_a_changed_signature_is_never_known() -> None:
    """The whole token is looked up, so known claims under another signature help nobody."""
    identity = await started(Authority())
    token = mint()
    await identity.verify(token)
    other = token[:-8] + "AAAAAAAA"
    assert identity.known(other) is None
    assert await reason(identity, other) is Reason.SIGNATURE


async def test_expiry_holds_for_known_tokens() -> None:
    """A known token is refused a minute after it has expired, and not before."""
    clock = Clock()
    identity = await started(Authority(), clock)
    token = mint(exp=int(NOW) + 300)
    await identity.verify(token)
    clock.forward(359)
    assert identity.known(token) is not None
    clock.forward(1)
    assert identity.known(token) is None
    assert await reason(identity, token) is Reason.EXPIRED


async def test_few_tokens_are_remembered() -> None:
    """The memory is bounded; the token that was not used for longest is forgotten, and verified again if it comes."""
    identity = await started(Authority(), tokens=2)
    first, second, third = (mint(jti=str(number)) for number in range(3))
    for token in (first, second, first, third):
        await identity.verify(token)
    assert [identity.known(token) is not None for token in (first, second, third)] == [True, False, True]
    assert len(identity._cache) == 2
    assert (await identity.verify(second)).subject == "anna"


async def test_one_user_with_two_tokens_has_two_entries() -> None:
    """A token after a step-up is not mistaken for the one before (case 22)."""
    identity = await started(Authority())
    before, after = mint(acr="1"), mint(acr="2", jti="token-2")
    assert (await identity.verify(before)).claims["acr"] == "1"
    assert (await identity.verify(after)).claims["acr"] == "2"
    assert (await identity.verify(before)).claims["acr"] == "1"


async def test_issuers_do_not_share_subjects_or_keys() -> None:
    """A key of one issuer verifies nothing of another."""
    authority, other = Authority(rsa("a")), Authority(rsa("b"), url="https://other.example")

    def dial(ca: str | None) -> Any:
        return authority.dial(ca) if next(turn) else other.dial(ca)

    turn = iter([True, False])
    issuers = {"corp": issuer_settings(), "other": issuer_settings(url="https://other.example")}
    identity = Identity(Settings(public_url=AUDIENCE, issuers=issuers), dial=dial, now=Clock())
    await identity.start()
    assert (await identity.verify(mint(rsa("b"), iss="https://other.example"))).issuer == "other"
    assert await reason(identity, mint(rsa("b"), iss=ISSUER)) is Reason.KEY
    assert await reason(identity, mint(rsa("a"), iss="https://other.example")) is Reason.KEY


async def test_revoking_a_subject() -> None:
    """Tokens issued up to that moment are refused, known or new; later ones, other people and issuers are not."""
    clock = Clock()
    identity = await started(Authority(), clock)
    known, unseen = mint(jti="1"), mint(jti="2", iat=int(NOW) - 100)
    other = mint(sub="berta", jti="3")
    for token in (known, other):
        await identity.verify(token)
    identity.revoke("other", "anna", NOW)
    assert identity.known(known) is not None
    identity.revoke("corp", "anna", NOW)
    identity.revoke("corp", "anna", NOW - 500)
    assert identity.known(known) is None
    assert await reason(identity, known) is Reason.REVOKED
    assert await reason(identity, unseen) is Reason.REVOKED
    assert identity.known(other) is not None
    clock.forward(1)
    assert (await identity.verify(mint(jti="4", iat=int(NOW) + 1))).subject == "anna"


async def test_revoking_one_token() -> None:
    """One token is refused by its `jti`; another token of the same person is not."""
    identity = await started(Authority())
    token, other = mint(jti="1"), mint(jti="2")
    await identity.verify(token)
    identity.revoke_token("corp", "1")
    assert identity.known(token) is None
    assert await reason(identity, token) is Reason.REVOKED
    assert (await identity.verify(other)).claims["jti"] == "2"


async def test_revoking_a_token_without_a_number() -> None:
    """A token without `jti` is named by what is signed, so that a rewritten ECDSA signature does not revive it."""
    identity = await started(Authority(ec()), typ=("JWT",))
    token = mint(ec(), header={"typ": "JWT"}, jti=None)
    identity.revoke_token("corp", token_id(await identity.verify(token)))
    assert await reason(identity, token) is Reason.REVOKED
    again = mint(ec(), header={"typ": "JWT"}, jti=None)
    assert again != token
    assert await reason(identity, again) is Reason.REVOKED


def test_revocations_end_with_the_tokens_they_touch() -> None:
    """An entry is kept as long as a token of it could live, and then let go."""
    revocations = Revocations()
    revocations.add_subject("corp", "anna", NOW, NOW)
    revocations.add_token("corp", "1", NOW)
    revocations.add_subject("corp", "berta", NOW + 48 * 3600 + 120, NOW + 48 * 3600 + 120)
    assert len(revocations) == 3
    revocations.add_token("corp", "2", NOW + 48 * 3600 + 121)
    assert len(revocations) == 2
    revocations.add_subject("corp", "long-ago", NOW, NOW + 500 * 3600)
    assert len(revocations) == 0


def test_too_many_revocations_refuse_more_never_less() -> None:
    """When there is no room, the oldest gives way to a mark for the whole issuer."""
    revocations = Revocations(capacity=2)
    for number, subject in enumerate(("anna", "berta", "carla", "dora")):
        revocations.add_subject("corp", subject, NOW + number, NOW)
    assert len(revocations) == 2
    assert revocations.cover(credential(sub="anna"))
    assert revocations.cover(credential(sub="somebody", iat=int(NOW) + 1))
    assert not revocations.cover(credential(sub="somebody", iat=int(NOW) + 62))
    assert revocations.cover(credential(sub="dora", iat=int(NOW) + 3))
    assert not revocations.cover(make_credential("other", LOOSE, "a.b.c", good_claims(sub="anna")))


OURS = issuer_settings(client=ClientSettings(id="bff"))


@pytest.mark.parametrize(
    "claims",
    [
        {"may_act": {"sub": "other"}},
        {"may_act": {}},
        {"may_act": "bff"},
        {"may_act": {"sub": "bff", "iss": "https://other.example"}},
        {"act": "gateway"},
        {"act": {"sub": "a", "act": {}}},
        {"act": {"sub": "1", "act": {"sub": "2", "act": {"sub": "3", "act": {"sub": "4", "act": {"sub": "5"}}}}}},
    ],
)
def test_actors_that_are_refused(claims: dict[str, Any]) -> None:
    """A chain that is too long or unclear, or that lets somebody else act, is refused."""
    with pytest.raises(InvalidToken, match="actors"):
        make_credential("corp", OURS, "a.b.c", good_claims(**claims))


def test_actors_that_are_recorded() -> None:
    """A chain within the limit is kept, the nearest first; a token that lets this BFF act is taken."""
    claims = good_claims(act={"sub": "1", "act": {"sub": "2"}}, may_act={"client_id": "bff", "iss": ISSUER})
    assert make_credential("corp", OURS, "a.b.c", claims).actors == ("1", "2")


async def test_text_that_is_no_token_is_not_known() -> None:
    """What cannot be a token is not even looked up."""
    identity = await started(Authority())
    assert identity.known("a" * 10_000) is None
    assert identity.known("\ud800.a.b") is None
    assert await reason(identity, "\ud800.a.b") is Reason.MALFORMED
    assert await reason(identity, mint(iss=[ISSUER])) is Reason.ISSUER
