import msgspec
import pytest

from narrows import NumberId
from narrows.call import Mode
from narrows.errors import ConnectorRefused, PersonRequired, QuotaExceeded, ScopeMissing
from narrows.pipeline import admit
from narrows.settings import ConnectorState
from narrows.testing import Clock
from tests.unit.pipeline import calls


async def team(team_id: NumberId) -> calls.Team:
    """Handle one call."""


READ = calls.declared(team)
WRITE = calls.declared(team, writes=True)
ALLOWED = {
    "live": {("live", "read"), ("live", "write"), ("rehearse", "read"), ("rehearse", "write")}
    | {("sandbox", "read"), ("sandbox", "write")},
    "trial": {("live", "read"), ("rehearse", "read"), ("rehearse", "write"), ("sandbox", "read"), ("sandbox", "write")},
    "draft": {("sandbox", "read"), ("sandbox", "write")},
    "suspended": set(),
    "revoked": set(),
    "expired": set(),
}


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize("mode", ["live", "rehearse", "sandbox"])
@pytest.mark.parametrize("state", ALLOWED)
async def test_a_state_allows_what_the_table_says(state: str, mode: Mode, kind: str) -> None:
    """Draft: sandbox only; trial: no live write; live: all; any other state: nothing."""
    endpoint = READ if kind == "read" else WRITE
    step = calls.made(admit, endpoint)
    call = calls.call(endpoint, mode=mode, program=calls.connector(state=state))
    if (mode, kind) in ALLOWED[state]:
        await step(call)
    else:
        with pytest.raises(ConnectorRefused, match=state):
            await step(call)


async def test_the_scope_must_be_held() -> None:
    """Who lacks it reads which, where to ask for it, and all in one challenge."""
    call = calls.call(READ, known=calls.credential(scopes=frozenset({"teams:readall", "teams"})))
    with pytest.raises(ScopeMissing) as caught:
        await calls.made(admit, READ)(call)
    assert caught.value.members == {"scope": "teams:read"}
    assert caught.value.headers == {
        "WWW-Authenticate": 'Bearer resource_metadata="https://bff.test/.well-known/oauth-protected-resource", '
        'error="insufficient_scope", scope="teams:read"'
    }


async def test_a_service_needs_leave() -> None:
    """A program alone may not do what is meant for a person, unless the endpoint says so."""
    with pytest.raises(PersonRequired):
        await calls.made(admit, READ)(calls.call(READ, kind="service"))
    open_to_services = calls.declared(team, for_services=True)
    await calls.made(admit, open_to_services)(calls.call(open_to_services, kind="service"))


async def test_narrows_own_need_no_scope() -> None:
    """Whoever rehearsed something may read it again, a service too."""
    owned = msgspec.structs.replace(READ, owned=True, scope=None)
    step = calls.made(admit, owned)
    await step(calls.call(owned, known=calls.credential(scopes=frozenset()), kind="service"))


def test_an_endpoint_without_scope_does_not_start() -> None:
    """A token says what a person allowed a program; an endpoint must say which of it it needs."""
    assert calls.refused(admit, calls.declared(team, scope=None)) == ["scope-missing"]


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("draft", "Use a base path that its state allows"),
        ("suspended", "It goes on after: narrows connector resume."),
        ("expired", "a record with a later `expires`"),
        ("revoked", "This is for good."),
    ],
)
async def test_each_state_says_what_helps(state: ConnectorState, remedy: str) -> None:
    """No base path and no approval helps a program that was stopped."""
    with pytest.raises(ConnectorRefused) as caught:
        await calls.made(admit, READ)(calls.call(READ, program=calls.connector(state=state)))
    assert remedy in caught.value.said_remedy


def test_a_public_endpoint_has_no_such_step() -> None:
    """There is nobody to admit."""
    public = msgspec.structs.replace(READ, public="It tells nothing.")
    assert admit.prepare(calls.preparing(public)) is None


# --- attempts -------------------------------------------------------------------------------------------------------


async def test_attempts_come_to_an_end() -> None:
    """Every try counts, also one that is refused; the header says when to come again, rounded up."""
    clock = Clock()
    step = calls.made(admit, READ, clock=clock, limits={"attempts": "2/minute"})
    poor = calls.call(READ, known=calls.credential(scopes=frozenset()))
    for _ in range(2):
        with pytest.raises(ScopeMissing):
            await step(poor)
    clock.move(0.9)
    with pytest.raises(QuotaExceeded) as caught:
        await step(calls.call(READ))
    assert caught.value.headers["Retry-After"] == "60"
    assert caught.value.headers["RateLimit"].startswith('"attempts 2/minute";r=0;t=60;pk=:')
    assert caught.value.members == {"violated-policies": ["attempts 2/minute"]}
    clock.move(59.2)
    await step(calls.call(READ))


@pytest.mark.parametrize(
    ("known", "program"),
    [
        ({"subject": "bert"}, {}),
        ({"issuer": "partner"}, {}),
        ({}, {"id": "page"}),
        ({}, {"tenant": "other"}),
    ],
)
async def test_everybody_has_attempts_of_their_own(known: dict[str, str], program: dict[str, str]) -> None:
    """One caller with one program of one tenant uses up nobody else's."""
    step = calls.made(admit, READ, limits={"attempts": "1/minute"})
    await step(calls.call(READ))
    await step(calls.call(READ, known=calls.credential(**known), program=calls.connector(**program)))
    with pytest.raises(QuotaExceeded):
        await step(calls.call(READ))


async def test_the_base_paths_share_the_attempts() -> None:
    """Nobody gets three times as many by changing the base path."""
    step = calls.made(admit, READ, limits={"attempts": "2/minute"})
    await step(calls.call(READ, mode="live"))
    await step(calls.call(READ, mode="rehearse"))
    with pytest.raises(QuotaExceeded):
        await step(calls.call(READ, mode="sandbox"))
