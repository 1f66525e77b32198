"""Cases 14 to 26, 28 and 30 through the whole application: broken servers, and whose token an upstream gets."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tests.abuse.attack import (
    Got,
    Instead,
    ask,
    claims_of,
    everything_sent,
    json_answer,
    mirrored,
    part,
    post,
    sent_tokens,
    to_upstreams,
)
from tests.flow.world import World, world

PATH = "/teams/7/dining-suggestions"
BOOKINGS = "/teams/7/bookings"
NEW = {"place_id": "node-1", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}


def fetched_keys(w: World) -> int:
    """How often the BFF asked the issuer for its keys; the upstreams, which ask too, say so in another way."""
    return sum(
        request.url.path == "/jwks" and "accept-encoding" in request.headers for request in w.network.to("issuer.test")
    )


def asked_tokens(w: World) -> list[dict[str, str]]:
    """The forms that the token endpoint got."""
    asked = [request for request in w.network.to("issuer.test") if request.url.path == "/token"]
    return [{name: values[0] for name, values in parse_qs(request.content.decode()).items()} for request in asked]


def instead(w: World, path: str, respond: Any) -> None:
    """Answer one path of the issuer in another way from now on."""
    w.network.add({"issuer.test": Instead(w.authority.app, path, respond)})


def always(answer: Any) -> Any:
    """The same answer to everything."""

    async def respond(_: bytes) -> Any:
        return answer

    return respond


# --- B. keys and the authorization server ---------------------------------------------------------------------------


async def test_case_14_a_thousand_unknown_keys_are_one_fetch() -> None:
    """A flood of tokens with made-up key ids asks the issuer once, and callers who are known already go on."""
    async with world() as w:
        known = w.token()
        assert (await ask(w.app, BOOKINGS, token=known)).status == 200
        w.clock.move(31)
        before = fetched_keys(w)
        tokens = [
            w.authority.issue("anna", "where2eat-copilot", "where2eat-api", "dining:read", header={"kid": f"k{n}"})
            for n in range(1000)
        ]
        statuses = Counter([(await ask(w.app, PATH, token=token)).status for token in tokens])
        assert fetched_keys(w) - before == 1
        assert set(statuses) == {401, 429}
        assert (await ask(w.app, BOOKINGS, token=known)).status == 200


async def test_case_15_a_rotated_key_needs_no_restart() -> None:
    """After a rotation fifty new tokens at once cost one fetch, and the old key's tokens are 401, cached or not."""
    async with world() as w:
        old = w.token()
        assert (await ask(w.app, BOOKINGS, token=old)).status == 200
        w.clock.move(31)
        w.authority.rotate_keys(keep_old=False)
        before = fetched_keys(w)
        got = await asyncio.gather(*(ask(w.app, BOOKINGS, token=w.token()) for _ in range(50)))
        assert {one.status for one in got} == {200}
        assert fetched_keys(w) - before == 1
        assert (await ask(w.app, BOOKINGS, token=old)).kind == "invalid-token"


BAD_KEYS = {
    "500": (500, {"content-type": "application/json"}, b"{}"),
    "html": (200, {"content-type": "text/html"}, b"<html>"),
    "50 MB": (200, {"content-type": "application/json", "content-length": "50000000"}, b""),
    "redirect": (302, {"location": "http://127.0.0.1:9/admin"}, b""),
    "no keys, but a secret": json_answer({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}),
}


@pytest.mark.parametrize("name", BAD_KEYS)
async def test_case_16_17_bad_keys_leave_the_good_ones_in_force_and_then_nothing(name: str) -> None:
    """New tokens are verified with the last good keys for the grace, then 503; nothing is followed."""
    async with world() as w:
        assert (await ask(w.app, BOOKINGS, token=w.token())).status == 200
        instead(w, "/jwks", always(BAD_KEYS[name]))
        w.clock.move(700)
        hosts = {request.url.host for request in w.network.sent}
        # The upstreams trust the same issuer and cannot get its keys either: what is judged here is the way in.
        assert (await ask(w.app, "/sandbox" + BOOKINGS, token=w.token())).status == 200
        w.clock.move(4200)
        got = await ask(w.app, "/sandbox" + BOOKINGS, token=w.token())
        assert (got.status, got.kind) == (503, "unavailable")
        assert int(got.header("retry-after") or 0) >= 1
        assert {request.url.host for request in w.network.sent} == hosts


async def test_case_18_a_hanging_authorization_server_holds_up_nobody_else() -> None:
    """Who needs a new token reads 503 in the issuer's deadline; meanwhile others with a kept token are answered."""
    async with world(issuers={"corp": {"deadline_s": 2.0}}) as w:
        olga = w.token("olga")
        assert (await ask(w.app, "/teams/8/bookings", token=olga)).status == 200
        hang, asked = asyncio.Event(), asyncio.Event()

        async def never(_: bytes) -> Any:
            asked.set()
            await hang.wait()

        instead(w, "/token", never)
        began = time.perf_counter()
        waiting = [asyncio.create_task(ask(w.app, BOOKINGS, token=w.token("anna"))) for _ in range(20)]
        await asked.wait()
        others = [await ask(w.app, "/teams/8/bookings", token=olga) for _ in range(10)]
        others.append(await ask(w.app, "/health"))
        assert {got.status for got in others} == {200}
        assert not any(task.done() for task in waiting)
        ended = await asyncio.gather(*waiting)
        assert time.perf_counter() - began < 7.5
        assert {(got.status, got.kind) for got in ended} == {(503, "unavailable")}
        assert all(int(got.header("retry-after") or 0) >= 1 for got in ended)


async def test_case_19_an_issuer_that_calls_itself_otherwise_refuses_the_start() -> None:
    """The application does not start when the metadata names another issuer, and says which setting to correct."""
    other = {"issuer": "https://issuer.test/", "jwks_uri": "https://issuer.test/jwks"}
    path = "/.well-known/oauth-authorization-server"
    with pytest.raises(RuntimeError, match=r"issuers\.corp[\s\S]*issuer-differs"):
        async with world(hosts={"issuer.test": Instead(None, path, always(json_answer(other)))}):
            pass


# --- C. exchange and cache ------------------------------------------------------------------------------------------


async def test_case_20_two_hundred_calls_of_two_people_never_mix() -> None:
    """Anna and Olga alternate, 200 at once: each request that the upstream gets has the subject who asked for it."""
    async with mirrored() as (w, _):
        tokens = {"anna": w.token("anna"), "olga": w.token("olga")}
        calls = [("anna", "olga")[n % 2] for n in range(200)]
        for attempt in range(2):
            got = await asyncio.gather(
                *(ask(w.app, f"/things/{who}-{attempt}-{n}", token=tokens[who]) for n, who in enumerate(calls))
            )
            assert {one.status for one in got} == {200}
        requests = w.network.to("mirror.test")
        assert len(requests) == 400
        for request in requests:
            who = request.url.path.rpartition("/")[2].partition("-")[0]
            claims = claims_of(request.headers["authorization"].removeprefix("Bearer "))
            assert claims["sub"] == who
        assert Counter(exchange.subject for exchange in w.authority.exchanges) == {"anna": 1, "olga": 1}


async def test_case_21_each_upstream_program_and_scope_has_its_own_token() -> None:
    """Audience, connector and scopes part the cache: the narrow request never gets the broad token."""
    async with world() as w:
        for client in ("where2eat-copilot", "where2eat-page"):
            token = w.token(client_id=client)
            booked = await post(w.app, BOOKINGS, {**NEW, "place_id": f"node-{len(client)}"}, token=token)
            booking = json.loads(booked.body)["id"]
            assert (await ask(w.app, f"/bookings/{booking}", "DELETE", token=token)).status == 204
            assert (await ask(w.app, BOOKINGS, token=token)).status == 200
            assert (await ask(w.app, PATH, token=token)).status == 200
        seen = set()
        for request in to_upstreams(w):
            claims = claims_of(request.headers["authorization"].removeprefix("Bearer "))
            seen.add((request.method, request.url.host, claims["aud"], claims["scope"], claims["act"]["act"]["sub"]))
        for client in ("where2eat-copilot", "where2eat-page"):
            assert {one[:4] for one in seen if one[4] == client} == {
                ("POST", "tables.test", "tables-api", "bookings:write"),
                ("GET", "tables.test", "tables-api", "bookings:read"),
                ("GET", "tables.test", "tables-api", "bookings:read bookings:write"),
                ("DELETE", "tables.test", "tables-api", "bookings:read bookings:write"),
                ("GET", "people.test", "people-api", "profiles:read"),
                ("GET", "places.test", "places-api", "places:read"),
            }
        listed = [r for r in w.network.to("tables.test") if r.url.path == "/teams/7/bookings"]
        tokens = [claims_of(r.headers["authorization"].removeprefix("Bearer "))["scope"] for r in listed]
        assert tokens == ["bookings:read", "bookings:read"]


async def test_case_22_a_token_after_step_up_has_its_own_entry() -> None:
    """After a stronger sign-in the upstream gets a token made from the new one, not the one kept from before."""
    async with world() as w:
        await ask(w.app, BOOKINGS, token=w.token(acr="1"))
        await ask(w.app, BOOKINGS, token=w.token(acr="2"))
        assert [claims_of(token).get("acr") for token in sent_tokens(w, "tables.test")] == ["1", "2"]


async def test_case_23_a_kept_token_is_not_used_up_to_its_last_second() -> None:
    """A kept token serves until shortly before its end; then a new one is got, so that no upstream sees it expired."""
    async with world() as w:
        token = w.token(exp=int(w.clock()) + 3600)
        for moved, exchanges in ((0, 1), (280, 1), (15, 2), (280, 2), (15, 3)):
            w.clock.move(moved)
            assert (await ask(w.app, BOOKINGS, token=token)).status == 200
            assert len(w.authority.exchanges) == exchanges
        for request in w.network.to("tables.test"):
            assert claims_of(request.headers["authorization"].removeprefix("Bearer "))["exp"] <= w.clock() + 300


async def test_case_23_a_token_that_an_upstream_refuses_is_not_used_again() -> None:
    """A 401 of the upstream drops the kept token: the caller reads a fault, and the next call gets a new one."""
    async with world() as w:
        token = w.token()
        assert (await ask(w.app, BOOKINGS, token=token)).status == 200
        honest = w.upstreams["tables"]
        w.network.add({"tables.test": Instead(honest, "/teams/7/bookings", always((401, {}, b"")))})
        assert (await ask(w.app, BOOKINGS, token=token)).status == 502
        w.network.add({"tables.test": honest})
        assert (await ask(w.app, BOOKINGS, token=token)).status == 200
        first, refused, third = sent_tokens(w, "tables.test")
        assert first == refused != third


def forged(**claims: Any) -> str:
    """A token of an authorization server gone wrong; nobody in front of the upstream can verify it."""
    return f"{part({'alg': 'ES256', 'typ': 'at+jwt'})}.{part({'sub': 'anna', 'aud': 'tables-api', **claims})}.AAAA"


WRONG = {
    "broader scope": {"scope": "bookings:read bookings:write data:export"},
    "another kind": {"issued_token_type": "urn:ietf:params:oauth:token-type:id_token"},
    "another subject": {"access_token": forged(sub="olga")},
    "another audience": {"access_token": forged(aud="people-api")},
    "broader in the token": {"access_token": forged(scope="bookings:read data:export")},
    "no life": {"expires_in": 0},
    "negative life": {"expires_in": -1},
    "endless life": {"expires_in": 10**12},
    "MAC": {"token_type": "MAC"},
    "no token": {"access_token": ""},
    "header in the token": {"access_token": "a\r\nX-Evil: 1"},
}


@pytest.mark.parametrize("name", WRONG)
async def test_case_24_a_token_that_was_not_asked_for_is_not_used(name: str) -> None:
    """Whatever is wrong with the server's answer: 503, an entry in the record, and nothing goes to the upstream."""
    async with world() as w:
        good = {
            "access_token": forged(),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "bookings:read",
        }
        instead(w, "/token", always(json_answer({**good, **WRONG[name]})))
        got = await ask(w.app, BOOKINGS, token=w.token())
        assert (got.status, got.kind) == (503, "unavailable")
        assert to_upstreams(w) == []
        record = w.records.calls()[-1]
        assert (record["outcome"], record["status"], record["problem"]) == (
            "failed",
            503,
            "urn:narrows:problem:unavailable",
        )


async def test_case_24_what_the_wrong_answers_differ_from_is_used() -> None:
    """The answer that the case above makes wrong is used as it is, so that each refusal is for its own reason."""
    async with world() as w:
        good = {
            "access_token": forged(),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "bookings:read",
        }
        instead(w, "/token", always(json_answer(good)))
        await ask(w.app, BOOKINGS, token=w.token())
        assert sent_tokens(w) == [good["access_token"]]


class Failing(httpx.AsyncBaseTransport):
    """An upstream that fails in one way, then in the next; the last goes on for ever."""

    def __init__(self, *ways: Any) -> None:
        self.ways = list(ways)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        way = self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]
        if isinstance(way, Exception):
            raise way
        return way() if callable(way) else way


def bookings() -> httpx.Response:
    """An answer that holds."""
    return httpx.Response(200, json=[])


WAYS: dict[str, Any] = {
    "success": bookings,
    "retry": (httpx.ReadError("x"), bookings),
    "reset": (httpx.ReadError("x"), httpx.ReadError("x")),
    "refused": httpx.ConnectError("x"),
    "500": lambda: httpx.Response(500, text="x"),
    "401": lambda: httpx.Response(401, headers={"www-authenticate": "Bearer"}),
    "redirect": lambda: httpx.Response(302, headers={"location": "https://evil.test/"}),
    "redirect to http": lambda: httpx.Response(308, headers={"location": "http://tables.test/"}),
    "html": lambda: httpx.Response(200, html="<p>"),
}


@pytest.mark.parametrize("name", WAYS)
async def test_case_25_the_inbound_token_goes_to_the_token_endpoint_alone(name: str) -> None:
    """In success, error, retry and redirect, live, rehearsed and in the sandbox: no upstream gets a byte of it."""
    ways = WAYS[name] if isinstance(WAYS[name], tuple) else (WAYS[name],)
    upstream = Failing(*ways)
    async with world(hosts={"tables.test": upstream}) as w:
        token = w.token()
        for prefix in ("", "/rehearse", "/sandbox"):
            await ask(w.app, prefix + BOOKINGS, token=token)
            await post(w.app, prefix + BOOKINGS, NEW, token=token)
            await ask(w.app, f"{prefix}/bookings/booking-1", "DELETE", token=token)
        assert to_upstreams(w)
        outside = everything_sent(w)
        for piece in (token, *token.split(".")[1:]):
            assert piece.encode() not in outside
        for request in w.network.to("issuer.test"):
            assert token.encode() not in bytes(str(request.url) + str(request.headers.raw), "utf-8")
            assert request.url.path == "/token" or token.encode() not in request.content
        assert token.encode() not in b"".join(w.records.lines)


async def test_case_26_a_herd_makes_one_exchange_and_fails_as_one() -> None:
    """A hundred calls that miss the same token ask once; when that fails all hundred fail, and nothing is kept."""
    async with mirrored() as (w, _):
        token = w.token()
        arrived, go, fail = asyncio.Event(), asyncio.Event(), True

        async def held(_: bytes) -> Any:
            arrived.set()
            await go.wait()
            return (500, {}, b"") if fail else None

        instead(w, "/token", held)
        for outcome in (503, 200):
            herd = [asyncio.create_task(ask(w.app, f"/things/{n}", token=token)) for n in range(100)]
            await arrived.wait()
            for task in herd[:10] if outcome == 200 else ():
                task.cancel()  # the leader among them
            go.set()
            ended = await asyncio.gather(*herd, return_exceptions=True)
            answered = [got.status for got in ended if isinstance(got, Got)]
            assert answered == [outcome] * (90 if outcome == 200 else 100)
            arrived.clear()
            go.clear()
            fail = False
        assert len(asked_tokens(w)) == 2
        assert len(w.network.to("mirror.test")) == 90


@pytest.mark.parametrize("prefix", ["", "/rehearse", "/sandbox"])
async def test_case_28_a_program_without_a_person_is_refused(prefix: str) -> None:
    """A token of client credentials cannot stand for a person, on no endpoint and in no mode."""
    async with world() as w:
        tokens = [
            w.authority.issue(
                "nightly", "nightly", "where2eat-api", "dining:read dining:book", teams=[7], organises=[7]
            ),
            w.authority.issue(
                "nightly@clients", "nightly", "where2eat-api", "dining:read dining:book", teams=[7], organises=[7]
            ),
        ]
        for token in tokens:
            got = [
                await ask(w.app, prefix + PATH, token=token),
                await ask(w.app, prefix + BOOKINGS, token=token),
                await post(w.app, prefix + BOOKINGS, NEW, token=token),
                await ask(w.app, f"{prefix}/bookings/booking-1", "DELETE", token=token),
            ]
            assert {(one.status, one.kind) for one in got} == {(403, "person-required")}
        assert to_upstreams(w) == []
        assert asked_tokens(w) == []


async def test_case_30_a_wish_for_interaction_reaches_the_client() -> None:
    """401 with the claims in the challenge, at once and again from memory; a token kept before is not used."""
    wish = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    refusal = json_answer({"error": "interaction_required", "claims": wish, "error_description": "CANARY"}, 400)
    async with world() as w:
        before, after = w.token(), w.token(acr="0")
        assert (await ask(w.app, BOOKINGS, token=before)).status == 200
        instead(w, "/token", always(refusal))
        for _ in range(2):
            got = await ask(w.app, BOOKINGS, token=after)
            assert (got.status, got.kind) == (401, "interaction-required")
            encoded = base64.b64encode(wish.encode()).decode()
            assert f'error="insufficient_claims", claims="{encoded}"' in (got.header("www-authenticate") or "")
            assert b"CANARY" not in got.body
        assert len(asked_tokens(w)) == 2
        assert len(w.network.to("tables.test")) == 1
