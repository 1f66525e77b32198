"""An issuer that speaks Entra's dialect of on-behalf-of stands behind the same seam."""

from __future__ import annotations

from urllib.parse import parse_qs

from tests.abuse.attack import everything_sent
from tests.flow.world import world

ENTRA = {"authority": {"on_behalf_of": True}, "issuers": {"corp": {"exchange": "entra"}}}
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}


async def test_the_exchange_is_a_jwt_bearer_grant_on_behalf_of() -> None:
    """The request has the form of Entra's flow, and one API's scopes with their audience before them."""
    async with world(**ENTRA) as made:
        token = made.token()
        answer = await made.client.get("/teams/7/bookings", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        (request,) = [one for one in made.network.to("issuer.test") if one.method == "POST"]
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert form["requested_token_use"] == "on_behalf_of"
        assert form["assertion"] == token
        assert form["scope"].split() == ["tables-api/bookings:read"]
        assert token.encode() not in everything_sent(made)


async def test_the_upstream_sees_the_same_as_with_token_exchange() -> None:
    """Subject, actor, audience and scopes of the upstream's token do not depend on the dialect."""
    seen = []
    for dialect in ({}, ENTRA):
        async with world(**dialect) as made:
            assert (await made.get("/teams/7/dining-suggestions", "ben")).status_code == 200
            (one,) = made.upstreams["people"].state.received
            seen.append({name: one[name] for name in ("subject", "actors", "audience", "scopes")})
    assert seen[0] == seen[1]
    assert seen[0]["scopes"] == ["profiles:read"]


async def test_rehearsals_ask_for_no_write_scope_in_this_dialect_either() -> None:
    """What is booked live asks for the write scope, what is rehearsed does not."""
    async with world(**ENTRA) as made:
        assert (await made.post("/rehearse/teams/7/bookings", NEW)).status_code == 201
        assert (await made.get("/rehearse/teams/7/bookings")).status_code == 200
        assert [exchange.scopes for exchange in made.authority.exchanges] == [("bookings:read",)]
        assert (await made.post("/teams/7/bookings", NEW)).status_code == 201
        assert made.authority.exchanges[-1].scopes == ("bookings:write",)
        assert made.bookings() == 1
