import asyncio
from dataclasses import dataclass

import msgspec
import pytest

from narrows.audit.log import RecordLog
from narrows.errors import Forbidden, Unavailable
from narrows.settings import ClientSettings, ConnectorSettings, IssuerSettings, Secret, Settings, UpstreamSettings
from narrows.upstreams.exchange import Exchanger, refusals
from tests.unit.upstreams.fake_authority import PEOPLE, READ, SERVICE, START, TABLES, World, answer, connector


@pytest.fixture
def world():
    """An exchanger over a fake authorization server."""
    return World()


async def test_a_callers_token_is_exchanged_once_and_kept(world):
    """The first call asks, the second is answered from the cache with the same token."""
    first = await world.exchange()
    assert await world.exchange() is first
    assert first.reveal() != "alice~inbound"
    assert world.events == ["exchange", "hit"]
    form = world.server.forms[0]
    assert (form["subject_token"], form["audience"], form["scope"]) == (
        "alice~inbound",
        "https://people.test",
        "profiles:read",
    )


async def test_the_bff_gets_a_token_of_its_own(world):
    """Client credentials at the upstream's issuer, kept apart by audience and scopes."""
    first = await world.exchanger.as_service(SERVICE, READ)
    assert await world.exchanger.as_service(SERVICE, READ) is first
    assert await world.exchanger.as_service(SERVICE, frozenset({"teams:read"})) != first
    other = UpstreamSettings(url="https://x.test", audience="https://x.test", identity="service", issuer="partner")
    await world.exchanger.as_service(other, READ)
    assert world.server.hosts == ["corp.test", "corp.test", "partner.test"]
    assert {form["grant_type"] for form in world.server.forms} == {"client_credentials"}
    world.at += 290
    assert await world.exchanger.as_service(SERVICE, READ) != first


async def test_a_token_never_outlives_the_one_it_was_made_from(world):
    """Keycloak gives a full new life: it is cut at the end of the caller's token."""
    await world.exchange(expires_at=START + 60)
    world.at += 49.9
    await world.exchange(expires_at=START + 60)
    assert len(world.server.forms) == 1
    world.at += 0.1
    await world.exchange(expires_at=START + 60)
    await world.exchange(expires_at=START + 60)
    assert len(world.server.forms) == 3


async def test_a_token_without_a_life_is_not_kept(world):
    """An answer without `expires_in` serves those who wait, and nobody else."""
    world.server.say(200, answer("opaque", expires_in=None))
    assert await world.exchange() == await world.exchange()
    assert len(world.server.forms) == 2


async def test_a_discarded_token_is_obtained_anew(world):
    """After an upstream's 401 the next call asks again."""
    first = await world.exchange()
    await world.exchanger.discard(first)
    assert await world.exchange() != first


@pytest.mark.parametrize("mine", ["subject", "connector"])
async def test_forgetting_voids_what_is_kept_and_nothing_else(world, mine):
    """A revoked subject or a changed connector loses its tokens; all others keep theirs."""
    first, other = await world.exchange(), await world.exchange("bob", connector=connector("other"))
    if mine == "subject":
        world.exchanger.forget_subject("corp", "alice", 1)
        world.exchanger.forget_subject("partner", "bob", 2)
    else:
        world.exchanger.forget_connector("lunch", 1)
    assert await world.exchange() != first
    assert await world.exchange("bob", connector=connector("other")) is other


async def test_an_issuer_without_a_client_is_an_alarm(caplog):
    """No token can be asked for there: 503, and the operators read why."""
    world = World(client=None)
    with pytest.raises(Unavailable) as problem:
        await world.exchange()
    assert problem.value.headers == {"Retry-After": "5"}
    with pytest.raises(Unavailable):
        await world.exchanger.as_service(UpstreamSettings(url="https://x", audience="x", identity="service"), READ)
    assert caplog.messages == [
        "issuer 'corp' has no client, so no token can be asked for there",
        "issuer '' has no client, so no token can be asked for there",
    ]


@pytest.mark.parametrize("audience", [None, ""])
async def test_a_token_for_no_audience_is_never_asked_for(world, audience):
    """It would be good anywhere: 503, and nothing is sent."""
    with pytest.raises(Unavailable):
        await world.exchange(upstream=UpstreamSettings(url="https://people.test", audience=audience))
    assert world.server.forms == []


@pytest.mark.parametrize("endpoint", ["http://corp.test/token", "HTTP://corp.test", "ftp://corp.test", "//corp.test"])
async def test_a_token_endpoint_without_tls_gets_nothing(world, endpoint):
    """A caller's token does not go out in the clear, whatever the metadata say."""
    world.endpoints["corp"] = endpoint
    with pytest.raises(Unavailable):
        await world.exchange()
    assert world.server.forms == []


async def test_a_token_endpoint_on_this_machine_needs_no_tls(world):
    """The embedded authorization server is reached over loopback."""
    world.endpoints["corp"] = "http://127.0.0.1:9000/token"
    assert await world.exchange()


async def test_a_callers_token_goes_to_its_own_issuer_only(world):
    """An upstream that trusts another issuer is refused before that issuer sees the token."""
    foreign = UpstreamSettings(url="https://people.test", audience="https://people.test", issuer="partner")
    with pytest.raises(Forbidden):
        await world.exchange(upstream=foreign)
    assert world.server.forms == []
    assert await world.exchange(upstream=foreign, issuer="partner")
    assert world.server.hosts == ["partner.test"]


async def test_closing_forgets_tokens_and_closes_connections(world):
    """After it, a call in flight reads a 503 and every transport is closed."""

    @dataclass
    class Transport:
        closed: bool = False

        async def aclose(self):
            self.closed = True

    made = []

    def dial(ca):
        made.append(Transport())
        return made[-1]

    exchanger = Exchanger(
        world.settings, token_endpoint=str, dial=dial, now=lambda: START, key=b"k", log=RecordLog(print)
    )
    await exchanger.close()
    assert [transport.closed for transport in made] == [True, True]
    world.server.gate.clear()
    waiting = asyncio.create_task(world.exchange())
    await world.server.arrivals.get()
    await world.exchanger.close()
    with pytest.raises(Unavailable, match="stopping"):
        await waiting


def test_each_issuer_is_dialled_with_its_own_certificates():
    """`ca` is found beside the settings file; without it the system's certificates hold."""
    assert World().dialled == [None, None]
    world = World(ca="corp.pem")
    settings = msgspec.structs.replace(world.settings, base="/etc/narrows")
    Exchanger(settings, token_endpoint=str, dial=world.dial, now=lambda: START, key=b"k", log=RecordLog(print))
    assert world.dialled[-1] == "/etc/narrows/corp.pem"


def test_what_the_settings_lack_is_refused_at_the_start():
    """Every upstream with an identity needs an audience, an issuer and our client there; each lack has a remedy."""
    issuer = IssuerSettings(url="https://corp.test", audience="bff")
    settings = Settings(
        public_url="https://bff.test",
        issuers={"corp": issuer, "unused": issuer},
        connectors={"lunch": ConnectorSettings(issuer="corp", client_id="app", tenant="acme", kind="low-code")},
        upstreams={
            "weather": UpstreamSettings(url="https://weather.test", identity="none"),
            "people": UpstreamSettings(url="https://people.test"),
            "tables": UpstreamSettings(url="https://tables.test", audience="t", identity="service"),
            "places": UpstreamSettings(url="https://places.test", audience="p", identity="service", issuer="corp"),
        },
    )
    found = refusals(settings)
    assert [(refusal.code, refusal.subject) for refusal in found] == [
        ("upstream-audience", "upstreams.people"),
        ("issuer-client", "upstreams.people"),
        ("upstream-issuer", "upstreams.tables"),
        ("issuer-client", "upstreams.places"),
    ]
    assert found[1].remedy == "add a table [issuers.corp.client]"
    ready = msgspec.structs.replace(issuer, client=ClientSettings(id="bff", secret=Secret("x")))
    good = msgspec.structs.replace(settings, issuers={"corp": ready}, upstreams={"people": PEOPLE, "tables": TABLES})
    assert refusals(good) == []


@pytest.mark.parametrize(
    ("may_act", "allowed"),
    [
        ({"sub": "bff"}, True),
        ({"client_id": "bff", "iss": "https://corp.test"}, True),
        ({"sub": "bff", "iss": "https://partner.test"}, False),
        ({"sub": "other"}, False),
        ("bff", False),
    ],
)
async def test_may_act_must_name_this_client(world, may_act, allowed):
    """RFC 8693, 4.4: a token that says who may act for its subject is exchanged only if that is us."""
    if allowed:
        assert await world.exchange(claims={"may_act": may_act})
    else:
        with pytest.raises(Forbidden, match="act for its subject"):
            await world.exchange(claims={"may_act": may_act})
    assert len(world.server.forms) == allowed
