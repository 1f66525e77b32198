"""Two issuers may know people of the same name; they are two callers in everything."""

from __future__ import annotations

from typing import Any

from narrows.testing import bearer
from tests.flow.second import second_issuer
from tests.flow.world import World, world

MEMBER = {"claim": "teams", "role": "member", "domain": "team:{value}"}
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}


async def other(made: World, path: str, **claims: Any) -> int:
    """What the anna of the other issuer is answered."""
    token = second_issuer.token("anna", **claims)
    return (await made.client.get(path, headers=bearer(token))).status_code


async def test_roles_are_those_of_the_tokens_own_issuer() -> None:
    """The claims of one issuer grant by its own settings: what the one maps, the other does not."""
    async with world(**second_issuer()) as made:
        assert (await made.get("/teams/7/bookings")).status_code == 200
        assert await other(made, "/teams/7/bookings", teams=[7]) == 403
    async with world(**second_issuer(maps=(MEMBER,))) as made:
        assert await other(made, "/sandbox/teams/7/bookings", teams=[7]) == 200
        assert await other(made, "/sandbox/teams/8/bookings", teams=[7]) == 403


async def test_rates_are_counted_apart() -> None:
    """One anna who used up her rate leaves the other's alone."""
    async with world(**second_issuer(maps=(MEMBER,))) as made:
        path = "/sandbox/teams/7/bookings"
        statuses = [(await made.get(path)).status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]
        assert await other(made, path, teams=[7]) == 200


async def test_records_and_rehearsals_are_apart() -> None:
    """The two have different hashes in the records, and neither reads the other's rehearsals."""
    async with world(**second_issuer(maps=(MEMBER,))) as made:
        rehearsed = await made.post("/sandbox/teams/7/bookings", NEW)
        first = made.records.calls()[-1]
        path = rehearsed.links["describedby"]["url"].removeprefix("https://bff.test")
        assert await other(made, path) == 404
        second = made.records.calls()[-1]
        assert first["caller"] != second["caller"]
        assert (await made.get(path)).status_code == 200


async def test_revoking_one_leaves_the_other() -> None:
    """A revocation is of a subject at an issuer."""
    async with world(**second_issuer(maps=(MEMBER,))) as made:
        await made.app.plan.revoke("corp", "anna", made.clock())
        assert (await made.get("/teams/7/bookings")).status_code == 401
        assert await other(made, "/sandbox/teams/7/bookings", teams=[7]) == 200


async def test_a_token_is_exchanged_at_its_own_issuer() -> None:
    """The token of one issuer is never shown to the other one."""
    async with world(**second_issuer(maps=(MEMBER,))) as made:
        await other(made, "/teams/7/bookings", teams=[7])
        asked = [request for request in made.network.sent if request.method == "POST"]
        assert {request.url.host for request in asked} == {"other.test"}
        assert made.authority.exchanges == []
        assert [exchange.subject for exchange in second_issuer.authority.exchanges] == ["anna"]
