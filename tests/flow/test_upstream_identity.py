"""An upstream is called as the caller, as the service itself, or as nobody: as the settings say, and not otherwise."""

from __future__ import annotations

from typing import Any

from tests.abuse.attack import claims_of, everything_sent, sent_tokens
from tests.flow.world import world

SERVICE = {
    "authority": {"bff_grants": ("token_exchange", "client_credentials")},
    "upstreams": {"people": {"identity": "service", "issuer": "corp"}},
}


class Open:
    """A places service for everybody, which keeps the headers that it was sent."""

    def __init__(self) -> None:
        self.headers: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.headers.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"[]"})


async def test_as_the_service_itself() -> None:
    """With `identity = "service"` the upstream sees the BFF as subject, no caller, and the scopes of its operations."""
    async with world(**SERVICE) as made:
        assert (await made.get("/teams/7/dining-suggestions")).status_code == 200
        (seen,) = made.upstreams["people"].state.received
        assert (seen["subject"], seen["actors"]) == ("where2eat-bff", [])
        assert (seen["audience"], seen["scopes"]) == (["people-api"], ["profiles:read"])
        assert [exchange.audience for exchange in made.authority.exchanges] == ["places-api"]


async def test_the_services_token_is_shared_and_the_guards_are_not() -> None:
    """Two callers use one token of the service, and each is decided about for themselves."""
    async with world(**SERVICE) as made:
        for caller, status in (("anna", 200), ("ben", 200), ("olga", 403)):
            assert (await made.get("/teams/7/dining-suggestions", caller)).status_code == status
        assert len(set(sent_tokens(made, "people.test"))) == 1
        assert len(set(sent_tokens(made, "places.test"))) == 2
        assert {claims_of(token)["sub"] for token in sent_tokens(made, "places.test")} == {"anna", "ben"}


async def test_as_nobody() -> None:
    """With `identity = "none"` no credentials go out, of whatever kind, and no token is asked for."""
    places = Open()
    over = {"upstreams": {"places": {"identity": "none"}}, "hosts": {"places.test": places}}
    async with world(**over) as made:
        token = made.token()
        headers = {"authorization": f"Bearer {token}", "cookie": "session=1", "x-api-key": "secret"}
        answer = await made.client.get("/teams/7/dining-suggestions", headers=headers)
        assert (answer.status_code, answer.json()) == (200, [])
        assert {b"authorization", b"cookie", b"x-api-key"}.isdisjoint(places.headers[0])
        assert token.encode() not in everything_sent(made)
        assert [exchange.audience for exchange in made.authority.exchanges] == ["people-api"]
