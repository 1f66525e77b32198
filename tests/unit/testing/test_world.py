"""The world of a BFF: made of its declarations and its own settings, and clear about what is missing."""

from typing import Any

import httpx
import pytest

from narrows import Answer, Bff, Id, Narrow, Upstream, read
from narrows.errors import NarrowsError
from narrows.testing import Clock
from narrows.testing.world import authority_of, settings_of, world
from tests.flow.minimal import FACTS, make_bff, make_settings, without

TEAM = {"id": "t-1", "name": "x", "salary": 7}


class Weather(Narrow):
    """What it is like outside."""

    sky: str


class Sky(Upstream):
    """Public data."""

    @read("/sky")
    def now(self) -> Answer[Weather]: ...


def answering(request: httpx.Request) -> httpx.Response:
    """An upstream with one team."""
    return httpx.Response(200, json=TEAM)


FAKES = {name: httpx.MockTransport(answering) for name in ("people", "tables")}


async def test_a_person_calls_and_is_answered_with_what_is_declared() -> None:
    """With the claims that the test gave them; the upstream is asked with another token than the BFF."""
    people = {"anna": {"teams": ["t-1"]}, "olga": {"teams": ["t-2"]}}
    async with world(make_bff(), FAKES, people=people, settings=make_settings()) as w:
        answers = [await w.get("/teams/t-1", person) for person in ("anna", "olga")]
        hosts = w.upstream_hosts()
        sent = w.network.to("people.test")
    assert [answer.status_code for answer in answers] == [200, 403]
    assert answers[0].json() == {"id": "t-1", "name": "x"}
    assert hosts[:2] == ["people.test", "tables.test"]
    assert [request.url.path for request in sent] == ["/teams/t-1"]


async def test_a_rehearsal_is_found_by_its_path() -> None:
    """As a client finds it, below the base path of the request."""
    async with world(make_bff(), FAKES, people={"anna": {"teams": ["t-1"]}}, settings=make_settings()) as w:
        answer = await w.get("/rehearse/teams/t-1", "anna")
        found = await w.client.get(w.rehearsal_of(answer), headers=w.headers("anna"))
    assert (found.status_code, found.json()["endpoint"]) == (200, "lunch.team")


async def test_what_is_missing_is_said_so() -> None:
    """A wrong name in a test is answered with what would be right."""
    with pytest.raises(NarrowsError, match="no fake: tables"):
        async with world(make_bff(), {"people": FAKES["people"]}, settings=make_settings()):
            pass
    async with world(make_bff(), FAKES, settings=make_settings()) as w:
        with pytest.raises(NarrowsError, match="nobody is called 'anna'"):
            w.token("anna")
        with pytest.raises(NarrowsError, match=r"no program is called 'x' here.*test-live"):
            w.token("a-member", connector="x")


async def test_public_data_needs_no_token_and_a_second_issuer_its_own_world() -> None:
    """What an upstream asks for nowhere is in no token, and each issuer knows its own programs."""
    bff = Bff("sky", **FACTS)

    @bff.read("/sky/{place_id}", **without("within", "uses", uses=[Sky.now], unbound={"place_id": "the sky is public"}))
    async def sky(place_id: Id) -> Weather:
        """The sky."""
        return await Sky.now()

    roles = [{"claim": "crew", "role": "member", "domain": "bff:sky"}]
    other = {"url": "https://other.test", "audience": "lunch-api"}
    over: dict[str, Any] = {
        "issuers": {"corp": {"roles": roles}, "other": other},
        "upstreams": {"sky": {"url": "https://sky.test", "identity": "none"}},
    }
    fake = httpx.MockTransport(
        lambda request: httpx.Response(200, json={"sky": request.headers.get("authorization", "-")})
    )
    async with world(bff, {"sky": fake}, people={"anna": {"crew": True}}, settings=make_settings(**over)) as w:
        answer = await w.get("/sky/here", "anna")
    assert answer.json() == {"sky": "-"}


def test_an_issuer_knows_the_bff_once_even_where_it_is_a_program_too() -> None:
    """Two clients of one id would not be told apart."""
    settings = make_settings(
        connectors={"itself": {"issuer": "corp", "client_id": "lunch-bff", "tenant": "x", "kind": "service"}}
    )
    assert authority_of(make_bff(), settings, "corp", {}, Clock())


def test_settings_come_from_the_file_beside_the_bff_with_made_up_secrets(tmp_path) -> None:
    """A test holds the file that is deployed, and needs none of its secrets."""
    bff = make_bff()
    bff.folder = tmp_path
    (tmp_path / "narrows.toml").write_text(
        """public_url = "https://bff.test"
[issuers.corp]
url = "https://issuer.test"
audience = "lunch-api"
client = { id = "lunch-bff", secret = { env = "NOBODY_SETS_THIS" } }
[[issuers.corp.roles]]
claim = "teams"
role = "member"
domain = "team:{value}"
""",
        encoding="utf-8",
    )
    settings = settings_of(bff)
    assert (settings.environment, settings.issuers["corp"].client is not None) == ("development", True)
