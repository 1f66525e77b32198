from typing import Any

import pytest

from narrows import NumberId
from narrows.call import Call, Credential
from narrows.declare.endpoint import Endpoint
from narrows.errors import (
    AmbiguousCredentials,
    ConnectorRefused,
    CredentialsMissing,
    InvalidToken,
    Problem,
    QuotaExceeded,
    Unavailable,
)
from narrows.pipeline import authenticate
from narrows.testing import Clock
from tests.unit.pipeline import calls

CHALLENGE = 'Bearer resource_metadata="https://bff.test/.well-known/oauth-protected-resource"'


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


class Identity:
    """Knows the token `good`, and `seen` after it has been verified once; the issuer of `away` is down."""

    def __init__(self) -> None:
        self.verified: list[str] = []
        self.seen: dict[str, Credential] = {}

    def known(self, token: str) -> Credential | None:
        return self.seen.get(token)

    async def verify(self, token: str) -> Credential:
        self.verified.append(token)
        if token.startswith("away"):
            raise Unavailable(headers={"Retry-After": "7"})
        if not token.startswith("good"):
            raise InvalidToken("the signature does not hold")
        self.seen[token] = calls.credential(subject=token.partition(".")[2] or "anna")
        return self.seen[token]


ENDPOINT = calls.declared(team)


def prepared(identity: Identity | None = None, clock: Clock | None = None, **over: Any) -> Any:
    """The step, with a rate of two unverified tokens a minute."""
    limits = {"unverified": "2/minute"}
    return calls.made(authenticate, ENDPOINT, identity=identity or Identity(), clock=clock, limits=limits, **over)


def asking(*values: str, peer: str = "192.0.2.1", query: Any = (), endpoint: Endpoint = ENDPOINT) -> Call:
    """A call with these values of `Authorization`."""
    headers = {"authorization": values} if values else {}
    return calls.call(endpoint, anonymous=True, headers=headers, peer=peer, query=query)


async def problem_of(call: Call, step: Any = None) -> Problem:
    """The problem that the step ends in."""
    with pytest.raises(Problem) as caught:
        await (step or prepared())(call)
    return caught.value


@pytest.mark.parametrize("value", ["Bearer good", "bearer good", "BEARER good", "Bearer   good", "Bearer good=="])
async def test_a_good_token_tells_who_calls(value: str) -> None:
    """The caller, the program and what the token says are known afterwards."""
    call = asking(value)
    await prepared()(call)
    assert call.caller is not None
    assert (call.caller.issuer, call.caller.subject, call.caller.kind) == ("corp", "anna", "person")
    # A low-code program rehearses before it writes, wherever it is registered.
    assert call.connector == calls.connector(commit="receipt")
    assert call.credential is not None


async def test_actors_and_services_are_told_apart() -> None:
    """A token of a program for itself is a service's, and the chain of actors is kept for the record."""

    class Service(Identity):
        async def verify(self, token: str) -> Credential:
            return calls.credential(subject="lunch-app", actors=("agent",))

    call = asking("Bearer good")
    await prepared(Service())(call)
    assert call.caller is not None
    assert (call.caller.kind, call.caller.actors) == ("service", ("agent",))


@pytest.mark.parametrize(
    "values", [(), ("",), ("Basic YTpi",), ("DPoP good",), ("Bearerx good",), ("Bearer\tgood",), (" Bearer good",)]
)
async def test_without_a_bearer_token_there_is_a_challenge_and_no_error_code(values: tuple[str, ...]) -> None:
    """No credentials, or those of another scheme, are no error of the client (RFC 6750, 3.1)."""
    problem = await problem_of(asking(*values))
    assert isinstance(problem, CredentialsMissing)
    assert problem.headers == {"WWW-Authenticate": CHALLENGE}


@pytest.mark.parametrize(
    "values",
    [
        ("Bearer good", "Bearer good"),
        ("Basic YTpi", "Bearer good"),
        ("Bearer",),
        ("Bearer ",),
        ("Bearer good good",),
        ("Bearer good, Bearer good",),
        ("Bearer good,Basic YTpi",),
        ("Bearer g\u00f6\u00f6d",),
        ("Bearer good\x00",),
        ("Bearer good\n",),
        ("Bearer =",),
    ],
)
async def test_a_token_in_an_odd_form_is_an_invalid_request(values: tuple[str, ...]) -> None:
    """Two tokens, or something that is none, is refused as RFC 6750, 3.1 says."""
    problem = await problem_of(asking(*values))
    assert isinstance(problem, AmbiguousCredentials)
    assert problem.status == 400
    assert problem.headers == {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_request"'}


@pytest.mark.parametrize("values", [(), ("Bearer good",)])
async def test_a_token_in_the_url_is_refused(values: tuple[str, ...]) -> None:
    """A URL is logged and kept, so a token in it is refused beside a good one too."""
    problem = await problem_of(asking(*values, query=[("access_token", "good")]))
    assert isinstance(problem, AmbiguousCredentials)
    assert problem.headers == {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_request"'}


async def test_a_token_that_does_not_hold_is_named_so() -> None:
    """The client learns that it needs another token."""
    problem = await problem_of(asking("Bearer bad"))
    assert isinstance(problem, InvalidToken)
    assert problem.headers == {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'}


async def test_an_issuer_that_is_away_is_a_503_with_its_wait() -> None:
    """Nothing is let in while the keys cannot be had."""
    problem = await problem_of(asking("Bearer away"))
    assert isinstance(problem, Unavailable)
    assert problem.headers == {"Retry-After": "7"}


async def test_a_program_that_is_not_registered_is_refused() -> None:
    """A valid token of an unknown client is not enough."""

    class Stranger(Identity):
        async def verify(self, token: str) -> Credential:
            return calls.credential(client_id="other-app")

    call = asking("Bearer good")
    problem = await problem_of(call, prepared(Stranger()))
    assert isinstance(problem, ConnectorRefused)
    assert call.caller is not None
    assert call.connector is None


async def test_one_client_id_at_two_issuers_is_two_programs() -> None:
    """The registered program is found by issuer and client together."""

    class Elsewhere(Identity):
        async def verify(self, token: str) -> Credential:
            return calls.credential(issuer="partner")

    assert isinstance(await problem_of(asking("Bearer good"), prepared(Elsewhere())), ConnectorRefused)


# --- the bucket of addresses ----------------------------------------------------------------------------------------


async def test_tokens_that_are_not_valid_use_up_their_address() -> None:
    """Guessing tokens ends; the header says when it may go on, rounded up."""
    clock = Clock()
    step = prepared(clock=clock)
    for token in ("one", "two"):
        assert isinstance(await problem_of(asking(f"Bearer {token}"), step), InvalidToken)
    clock.move(0.5)
    problem = await problem_of(asking("Bearer good"), step)
    assert isinstance(problem, QuotaExceeded)
    assert problem.headers["Retry-After"] == "60"
    assert problem.headers["RateLimit"].startswith('"unverified tokens 2/minute";r=0;t=60;pk=:')
    assert problem.members == {"violated-policies": ["unverified tokens 2/minute"]}
    await step(asking("Bearer good", peer="192.0.2.2"))
    clock.move(60)
    await step(asking("Bearer good"))


async def test_a_valid_token_gives_its_place_back() -> None:
    """People behind one address do not starve each other."""
    step = prepared()
    for name in range(10):
        await step(asking(f"Bearer good.{name}"))


async def test_a_known_token_takes_no_place() -> None:
    """Junk from a shared address does not keep those out whose token is known."""
    identity = Identity()
    step = prepared(identity)
    await step(asking("Bearer good"))
    for token in ("one", "two"):
        await problem_of(asking(f"Bearer {token}"), step)
    await step(asking("Bearer good"))
    assert identity.verified == ["good", "one", "two"]


async def test_an_issuer_that_is_away_takes_no_place() -> None:
    """Nothing was found out about the token, so nothing speaks against the address."""
    step = prepared()
    for _ in range(5):
        assert isinstance(await problem_of(asking("Bearer away"), step), Unavailable)
    await step(asking("Bearer good"))


async def test_a_host_with_a_whole_network_has_one_bucket() -> None:
    """An IPv6 host chooses among 2**64 addresses; the next network has its own bucket."""
    step = prepared()
    for token, peer in (("one", "2001:db8::1"), ("two", "2001:db8::ffff:2")):
        await problem_of(asking(f"Bearer {token}", peer=peer), step)
    assert isinstance(await problem_of(asking("Bearer good", peer="2001:db8::3"), step), QuotaExceeded)
    await step(asking("Bearer good", peer="2001:db8:0:1::1"))


async def test_mapped_addresses_are_those_of_their_hosts() -> None:
    """An IPv4 host written as IPv6 shares the bucket of that host, and not one with all others written so."""
    step = prepared()
    for token, peer in (("one", "::ffff:192.0.2.1"), ("two", "192.0.2.1")):
        await problem_of(asking(f"Bearer {token}", peer=peer), step)
    assert isinstance(await problem_of(asking("Bearer good", peer="::ffff:192.0.2.1"), step), QuotaExceeded)
    await step(asking("Bearer good", peer="::ffff:192.0.2.2"))


async def test_a_peer_without_address_has_a_bucket_too() -> None:
    """A Unix socket has no address, and still no end of guesses."""
    step = prepared()
    for token in ("one", "two"):
        await problem_of(asking(f"Bearer {token}", peer=""), step)
    assert isinstance(await problem_of(asking("Bearer good", peer=""), step), QuotaExceeded)


def test_a_public_endpoint_has_no_such_step() -> None:
    """Narrows' own anonymous endpoints ask nobody."""
    import msgspec

    public = msgspec.structs.replace(ENDPOINT, public="It tells nothing.")
    assert authenticate.prepare(calls.preparing(public)) is None
