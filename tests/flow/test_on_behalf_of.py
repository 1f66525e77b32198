"""An upstream is called on the caller's behalf: with a token of its own, which says who stands behind the call."""

from __future__ import annotations

import pytest

from tests.abuse.attack import claims_of, everything_sent, sent_tokens
from tests.flow.world import world


@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_the_people_service_sees_the_member_the_bff_and_the_copilot(base: str) -> None:
    """The token for people has the member as subject, the BFF as actor, the copilot behind it, and one scope."""
    async with world() as made:
        assert (await made.get(f"{base}/teams/7/dining-suggestions", "ben")).status_code == 200
        (seen,) = made.upstreams["people"].state.received
        assert seen["subject"] == "ben"
        assert seen["actors"] == ["where2eat-bff", "where2eat-copilot"]
        assert seen["audience"] == ["people-api"]
        assert seen["scopes"] == ["profiles:read"]


async def test_each_upstream_gets_a_token_for_itself_alone() -> None:
    """Two upstreams of one call get two tokens, each of its own audience, with the scopes that its operations ask."""
    async with world() as made:
        await made.get("/teams/7/dining-suggestions")
        people, places = (claims_of(sent_tokens(made, f"{name}.test")[0]) for name in ("people", "places"))
        assert (people["aud"], people["scope"]) == ("people-api", "profiles:read")
        assert (places["aud"], places["scope"]) == ("places-api", "places:read")


async def test_the_token_of_the_caller_stays_here() -> None:
    """The token that came in is in nothing that went to an upstream."""
    async with world() as made:
        token = made.token()
        await made.client.get("/teams/7/dining-suggestions", headers={"authorization": f"Bearer {token}"})
        sent = everything_sent(made)
        assert b"Bearer " in sent
        assert token.encode() not in sent
        assert token.split(".")[2].encode() not in sent


async def test_the_exchanged_token_ends_no_later_than_the_callers() -> None:
    """What was exchanged does not outlive the token that it stands for."""
    async with world() as made:
        token = made.token(exp=int(made.clock()) + 40)
        await made.client.get("/teams/7/bookings", headers={"authorization": f"Bearer {token}"})
        assert claims_of(sent_tokens(made, "tables.test")[0])["exp"] <= made.clock() + 40


async def test_the_record_says_who_acted() -> None:
    """The record of a call holds a keyed hash of the caller, the connector, the tenant and what was asked for."""
    async with world() as made:
        await made.get("/teams/7/bookings")
        record = made.records.calls()[-1]
        assert (record["connector"], record["tenant"], record["scopes_asked"]) == (
            "copilot",
            "example",
            ["bookings:read"],
        )
        assert len(record["caller"]) >= 16
        assert "anna" not in str(record)
