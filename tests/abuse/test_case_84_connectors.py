"""Case 84: a connector named by header or body; approval by its owner; a widened record still live; an old credential
that outlives a compromise."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from narrows.errors import ConnectorError
from narrows.governance.connectors import Operator
from narrows.stores.registry import Approval, Change
from narrows.testing import bearer
from tests.flow.programs import DANA, ERIK, Programs, registered
from tests.flow.world import World

BOOKINGS = "/teams/7/bookings"
BOOKING = {"place_id": "node-268056345", "starts_at": "2099-05-04T10:30:00Z", "seats": 2}
NAMED = [
    {"X-Connector": "copilot"},
    {"Connector-Id": "copilot"},
    {"X-Client-Id": "where2eat-copilot"},
    {"Client-Id": "where2eat-copilot"},
    {"X-Forwarded-Client": "where2eat-copilot"},
    {"From": "where2eat-copilot"},
    {"X-Tenant": "example"},
]


@pytest.mark.parametrize("headers", NAMED)
async def test_no_header_names_a_connector(headers: dict[str, str]) -> None:
    """A program that is not registered is not the one that it says it is."""
    async with registered() as (made, _):
        known = {**bearer(made.token(client_id="where2eat-page")), **headers}
        assert (await made.client.get(BOOKINGS, headers=known)).status_code == 403
        assert made.records.calls()[-1]["connector"] is None


@pytest.mark.parametrize("name", ["connector", "client_id", "tenant", "issuer"])
async def test_neither_body_nor_query_names_a_connector(name: str) -> None:
    """What is not declared is refused, and what is refused changes nothing."""
    async with registered() as (made, _):
        token = bearer(made.token(client_id="where2eat-page"))
        for base in ("", "/rehearse", "/sandbox"):
            body = {**BOOKING, name: "copilot"}
            assert (await made.client.post(base + BOOKINGS, json=body, headers=token)).status_code == 403
            answer = await made.client.get(f"{base}{BOOKINGS}?{name}=copilot", headers=token)
            assert answer.status_code == 403
        assert {record["connector"] for record in made.records.calls()} == {None}


async def test_a_token_names_its_program_by_what_the_issuer_signed() -> None:
    """Other claims that name a program, such as one of its own making, count for nothing."""
    async with registered() as (made, _):
        claims: dict[str, Any] = {"connector": "copilot", "cid": "where2eat-copilot", "tenant": "example"}
        token = made.token(client_id="where2eat-page", **claims)
        assert (await made.client.get(BOOKINGS, headers=bearer(token))).status_code == 403


@pytest.mark.parametrize("name", ["lunch-tools@example.com", " LUNCH-TOOLS@EXAMPLE.COM", "Carla@example.com "])
async def test_its_owner_and_its_contact_do_not_approve_it(name: str) -> None:
    """Also where they are approvers for others, and however they write their name."""
    approvers = ["lunch-tools@example.com", "carla@example.com", DANA.name, ERIK.name]
    async with registered(steps=0, over={"approvers": approvers}) as (made, programs):
        with pytest.raises(ConnectorError, match="owner or contact cannot approve"):
            await programs.governor.approve("copilot", Operator(name=name))
        made.clock.move(1)
        assert (await made.get(BOOKINGS)).status_code == 403


async def test_an_approval_that_its_owner_slipped_in_does_not_hold() -> None:
    """Who writes into the registry past the command line, with its key, still has not approved it."""
    async with registered(steps=0) as (made, programs):
        entry = await programs.governor.find("copilot")
        forged = Approval(by="Lunch-Tools@example.com", at=0.0, digest=entry.record.digest())
        await slip(programs, state="live", approval=forged)
        made.clock.move(1)
        assert (await made.get(BOOKINGS)).status_code == 403


async def slip(programs: Programs, **over: Any) -> None:
    """Change an entry in the store itself."""
    entry = await programs.governor.find("copilot")
    change = Change(connector="copilot", at=0, by="x", os_user="x", action="apply", before=None, after=None, digest="")
    await programs.governor.store.put(msgspec.structs.replace(entry, **over), change, entry.generation)


@pytest.mark.parametrize(
    "over",
    [
        {"scopes": ["dining:read", "dining:book", "data:export"]},
        {"rates": ["100/minute"]},
        {"price_ceiling": "0.11 EUR"},
        {"kind": "low-code"},
        {"client_id": "where2eat-other"},
        {"purpose": "Sell lunch"},
    ],
    ids=lambda over: next(iter(over)),
)
async def test_a_widened_record_is_not_live(over: dict[str, Any]) -> None:
    """Neither when it is applied, nor when it is slipped into the registry: what was approved is what holds."""
    narrow = {"scopes": ["dining:read", "dining:book"], "rates": ["60/minute"], "kind": "copilot"}
    async with registered(record=narrow) as (made, programs):
        assert (await made.get(BOOKINGS)).status_code == 200
        before = await programs.governor.find("copilot")
        assert await programs.apply(**{**narrow, **over}) == "draft"
        assert await status(made, over) == 403
        widened = (await programs.governor.find("copilot")).record
        await slip(programs, state="live", approval=before.approval, record=widened)
        made.clock.move(1)
        assert await status(made, over) == 403


async def status(made: World, over: dict[str, Any]) -> int:
    """What a call of the program is answered, under the client that it has by then."""
    token = made.token(client_id=over.get("client_id", "where2eat-copilot"))
    return (await made.client.get(BOOKINGS, headers=bearer(token))).status_code


# --- a compromise ---------------------------------------------------------------------------------------------------


async def test_every_token_issued_before_a_compromise_is_refused() -> None:
    """Also one that was verified before and is remembered, for every person; what is issued afterwards holds."""
    async with registered() as (made, programs):
        old = [bearer(made.token(name)) for name in ("anna", "ben")]
        assert (await made.client.get(BOOKINGS, headers=old[0])).status_code == 200
        await programs.rotate(compromised=True)
        for headers in old:
            answer = await made.client.get(BOOKINGS, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (401, "urn:narrows:problem:invalid-token")
        assert (await made.get(BOOKINGS)).status_code == 200


async def test_an_ordinary_rotation_lets_its_tokens_be() -> None:
    """Nobody is thrown out because a secret was changed in time."""
    async with registered() as (made, programs):
        old = bearer(made.token())
        await programs.rotate()
        assert (await made.client.get(BOOKINGS, headers=old)).status_code == 200


async def sign_in(made: World, secret: str) -> int:
    """Ask for a token as the nightly job, with a secret."""
    proof = base64.b64encode(f"nightly:{secret}".encode()).decode()
    answer = await made.network.dial().handle_async_request(request_for(proof))
    await answer.aread()
    return answer.status_code


def request_for(proof: str) -> Any:
    """A request for a token of its own (RFC 6749, 4.4)."""
    import httpx

    form = {"grant_type": "client_credentials", "scope": "dining:read"}
    return httpx.Request("POST", "https://issuer.test/token", data=form, headers={"Authorization": f"Basic {proof}"})


async def test_an_old_secret_ends_at_the_authorization_server_too() -> None:
    """With an overlap it goes on for a while; after a compromise it is refused at once, as is what stood before."""
    from narrows.stores.connectors import MemoryConnectors

    store = MemoryConnectors()
    record = {"kind": "service", "client_id": "nightly"}
    async with registered(store=store, authority={"connectors": store}, record=record, steps=0) as (made, programs):
        first = (await programs.rotate()).secret.reveal()  # type: ignore[union-attr]  # there is one
        assert await sign_in(made, "nightly-secret") == 401, "what stands in the configuration does not count any more"
        assert await sign_in(made, first) == 200
        second = (await programs.rotate(overlap_s=3600)).secret.reveal()  # type: ignore[union-attr]  # as above
        assert [await sign_in(made, one) for one in (first, second)] == [200, 200]
        made.clock.move(3600)
        assert [await sign_in(made, one) for one in (first, second)] == [401, 200]
        third = (await programs.rotate(compromised=True)).secret.reveal()  # type: ignore[union-attr]  # as above
        assert [await sign_in(made, one) for one in (first, second, third)] == [401, 401, 200]
        await programs.governor.revoke("copilot", ERIK)
        assert await sign_in(made, third) == 401
