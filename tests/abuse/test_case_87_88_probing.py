"""Cases 87 and 88: who tries ids learns nothing and runs into a limit; who sends junk starves nobody."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from narrows.testing import bearer
from tests.abuse.attack import Got, ask, to_upstreams
from tests.flow.world import World, world

BASES = ["", "/rehearse"]
TEAM = "/teams/{}/dining-suggestions"
WHEN = {"starts_at": "2025-12-24T12:00:00Z", "seats": 4, "note": ""}


class Tables:
    """The tables service: one booking of a foreign team, and nothing under any other id."""

    def __init__(self, absent: int = 404) -> None:
        self.absent = absent
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        found = scope["path"] == "/bookings/foreign"
        body = (
            {"id": "foreign", "team_id": 12, "place_id": "node-1", **WHEN} if found else {"detail": "no such booking"}
        )
        headers = [(b"content-type", b"application/json"), (b"x-request-id", scope["path"].encode())]
        status = 200 if found else self.absent
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": msgspec.json.encode(body)})


def bare(got: Got) -> tuple[int, list[tuple[str, str]], bytes]:
    """An answer without its trace id, which is the only part that may differ; its length may not."""
    trace_id = msgspec.json.decode(got.body)["trace_id"].encode()
    return got.status, got.headers, got.body.replace(trace_id, b"")


# --- case 87 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("absent", [401, 403, 404, 410])
async def test_case_87_a_foreign_and_an_absent_object_are_alike_to_the_byte(base: str, absent: int) -> None:
    """Whatever the upstream says of what is not there, the denial is the same, headers and all."""
    tables = Tables(absent)
    async with world(hosts={"tables.test": tables}) as w:
        token = w.token()
        await ask(w.app, f"{base}/bookings/first", "DELETE", token=token)  # the token is exchanged
        seen, reads = [], []
        for name in ("foreign", "absent"):
            before = len(to_upstreams(w))
            seen.append(await ask(w.app, f"{base}/bookings/{name}", "DELETE", token=token))
            reads.append(len(to_upstreams(w)) - before)
    foreign, missing = map(bare, seen)
    assert foreign[0] == 403
    assert foreign == missing
    assert reads == [1, 1]
    assert tables.asked[-2:] == ["/bookings/foreign", "/bookings/absent"]
    assert not any(word in foreign[2] for word in (b"foreign", b"absent", b"team:12", b"no such"))


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
@pytest.mark.parametrize("path", [TEAM, "/teams/{}/bookings"])
async def test_case_87_a_foreign_and_an_absent_team_are_alike_to_the_byte(base: str, path: str) -> None:
    """A team is decided from the token alone, before anything is asked upstream."""
    async with world() as w:
        foreign, absent = [
            await ask(w.app, base + path.format(team_id), token=w.token()) for team_id in (12, 999_999)
        ]  # fmt: skip
        assert foreign.status == 403
        assert bare(foreign) == bare(absent)
        assert to_upstreams(w) == []


async def test_case_87_a_denial_is_the_same_for_a_rule_of_given_with_faults_told_apart() -> None:
    """An upstream that fails is a 502 or 503, which tells nothing of the object: foreign and absent are one."""
    for status, wanted in ((500, 502), (503, 503), (418, 502)):
        async with world(hosts={"tables.test": Tables(status)}) as w:
            one, two = [await ask(w.app, f"/bookings/{name}", "DELETE", token=w.token()) for name in ("a1", "b2")]
            assert one.status == wanted
            assert bare(one) == bare(two)


async def test_case_87_foreign_and_absent_take_the_same_time() -> None:
    """The medians of many denials lie close together; neither way does work that the other leaves out.

    It is the processor's time, in turns: whatever else the machine does falls on both alike.
    """
    took: dict[str, list[float]] = {"foreign": [], "absent": []}
    async with world(hosts={"tables.test": Tables()}) as w:
        for turn in range(40):
            w.clock.move(61)  # so that the rate of the endpoint lets the next ones in
            token = w.token()
            await ask(w.app, "/bookings/first", "DELETE", token=token)  # the token is exchanged
            for name in ("foreign", "absent") if turn % 2 else ("absent", "foreign"):
                began = time.process_time()
                got = await ask(w.app, f"/bookings/{name}", "DELETE", token=token)
                took[name].append(time.process_time() - began)
                assert got.status == 403
    foreign, absent = (statistics.median(times) for times in took.values())
    assert 0.4 < foreign / absent < 2.5


async def spray(w: World, paths: Sequence[str], token: str, method: str = "GET") -> list[int]:
    """Try paths, one after the other."""
    return [(await ask(w.app, path, method, token=token)).status for path in paths]


ALIKE = [TEAM, "/teams/{}/bookings", "/rehearse/teams/{}/bookings", "/sandbox/teams/{}/bookings"]


async def test_case_87_probing_runs_into_the_attempt_bucket() -> None:
    """All tries of a caller are one bucket, whatever the id, the endpoint and the base path; then nothing is asked."""
    async with world(limits={"attempts": "10/minute"}) as w:
        token = w.token()
        paths = [ALIKE[number % len(ALIKE)].format(100 + number) for number in range(16)]
        assert await spray(w, paths, token) == [403] * 10 + [429] * 6
        before = len(to_upstreams(w))
        got = await ask(w.app, "/bookings/foreign", "DELETE", token=token)
        assert (got.status, got.problem["type"].rpartition("#")[2]) == (429, "quota-exceeded")
        assert got.header("retry-after") == "60"
        assert len(to_upstreams(w)) == before
        # A new token of the same person, another address and another way to write it open no new bucket.
        assert await spray(w, [TEAM.format(7)], w.token()) == [429]
        assert (await ask(w.app, TEAM.format(7), token=token, peer="192.0.2.99")).status == 429
        assert (
            await ask(w.app, TEAM.format(7), token=token, headers=[("x-forwarded-for", "192.0.2.98")])
        ).status == 429
        # Somebody else is not held back, and neither is the prober once the minute is over.
        assert await spray(w, [TEAM.format(7)], w.token("chloe")) == [200]
        w.clock.move(61)
        assert await spray(w, [TEAM.format(7)], token) == [200]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/teams/x/bookings"), ("GET", "/teams/7/bookings?x=1"), ("GET", "/rehearsals/guess"),
        ("GET", "/rehearse/rehearsals/guess"), ("DELETE", "/bookings/absent"), ("DELETE", "/bookings/%40"),
    ],
)  # fmt: skip
async def test_case_87_every_kind_of_try_counts(method: str, path: str) -> None:
    """What is refused for its form, its id or its owner counts like what is denied."""
    async with world(hosts={"tables.test": Tables()}, limits={"attempts": "4/minute"}) as w:
        statuses = await spray(w, [path] * 6, w.token(), method)
        assert statuses[4:] == [429, 429]
        assert set(statuses[:4]) <= {400, 403, 404}


async def test_case_87_a_clock_that_goes_back_gives_no_new_tries() -> None:
    """The bucket is not refilled by a clock that is set back."""
    async with world(limits={"attempts": "3/minute"}) as w:
        token = w.token()
        assert await spray(w, [TEAM.format(12)] * 4, token) == [403, 403, 403, 429]
        w.clock.move(-3600)
        assert await spray(w, [TEAM.format(12)], w.token()) == [429]


async def test_case_87_a_rehearsal_of_another_is_as_absent_as_one_that_never_was() -> None:
    """Ids of rehearsals cannot be tried: another caller's and none are the same 404."""
    async with world() as w:
        made = await w.get("/rehearse" + TEAM.format(7))
        rehearsal = made.headers["link"].partition(">")[0].rpartition("/")[2]
        path = f"/rehearse/rehearsals/{rehearsal}"
        assert (await ask(w.app, path, token=w.token())).status == 200
        other = await ask(w.app, path, token=w.token("ben"))
        program = await ask(w.app, path, token=w.token(client_id="where2eat-page"))
        absent = await ask(w.app, "/rehearse/rehearsals/" + "x" * len(rehearsal), token=w.token("ben"))
    assert other.status == 404
    assert bare(other) == bare(program) == bare(absent)


# --- case 88 --------------------------------------------------------------------------------------------------------

SHARED = "198.51.100.7"


def junk(number: int) -> str:
    """A token that is none, of the form of one."""
    return f"eyJhbGciOiJFUzI1NiJ9.e{number}.c2ln"


async def test_case_88_junk_does_not_starve_a_verified_token_of_its_address() -> None:
    """After a flood of junk the address is refused, but not who came from it with a token that was verified."""
    async with world(limits={"unverified": "20/minute", "attempts": "100000/minute"}) as w:
        tokens = [w.token(name) for name in ("anna", "chloe")]
        for token in tokens:
            assert (await ask(w.app, TEAM.format(7), token=token, peer=SHARED)).status == 200
        statuses = [(await ask(w.app, TEAM.format(7), token=junk(number), peer=SHARED)).status for number in range(500)]
        assert statuses[:20] == [401] * 20
        assert set(statuses[20:]) == {429}
        for token in tokens:
            assert (await ask(w.app, TEAM.format(7), token=token, peer=SHARED)).status == 200
        # Tokens never seen wait there, are let in from elsewhere, and after the minute here too.
        fresh = w.token("anna", jti="fresh")
        refused = await ask(w.app, TEAM.format(7), token=fresh, peer=SHARED)
        assert (refused.status, refused.header("retry-after")) == (429, "60")
        assert (await ask(w.app, TEAM.format(7), token=fresh, peer="198.51.100.8")).status == 200
        assert (await ask(w.app, TEAM.format(7), token=fresh, peer=SHARED)).status == 200


async def test_case_88_good_tokens_do_not_use_up_their_address() -> None:
    """However many people sign in from one address, only tokens that are not valid count against it."""
    async with world(limits={"unverified": "5/minute", "attempts": "100000/minute"}) as w:
        for number in range(25):
            got = await ask(w.app, TEAM.format(12), token=w.token(jti=f"t{number}"), peer=SHARED)
            assert got.status == 403


async def test_case_88_junk_pushes_no_verified_token_out_of_memory() -> None:
    """The memory of verified tokens is small here, and a thousand tokens that are none find no place in it."""
    async with world(limits={"unverified": "100000/minute", "tokens": 2, "attempts": "100000/minute"}) as w:
        token = w.token()
        assert (await ask(w.app, TEAM.format(7), token=token, peer=SHARED)).status == 200
        for number in range(1000):
            assert (await ask(w.app, TEAM.format(7), token=junk(number), peer=SHARED)).status == 401
        assert w.app.plan.identity.known(token) is not None


async def test_case_88_junk_from_many_networks_reaches_no_caller() -> None:
    """A flood from two thousand networks keeps nobody out, whether the token was verified before or not."""
    async with world() as w:
        token = w.token()
        assert (await ask(w.app, TEAM.format(7), token=token, peer=SHARED)).status == 200
        for number in range(2_000):
            peer = f"2001:db8:{number:x}::1"
            assert (await ask(w.app, TEAM.format(7), token=junk(0), peer=peer)).status == 401
        assert (await ask(w.app, TEAM.format(7), token=token, peer=SHARED)).status == 200
        assert (await ask(w.app, TEAM.format(7), token=w.token("chloe"), peer=SHARED)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("x-forwarded-for", "192.0.2.{}")], [("forwarded", "for=192.0.2.{}")], [("x-real-ip", "192.0.2.{}")],
        [("cf-connecting-ip", "192.0.2.{}")], [("true-client-ip", "192.0.2.{}")], [("x-client-ip", "192.0.2.{}")],
        [("x-forwarded-for", "192.0.2.{}"), ("x-forwarded-for", "192.0.2.{}")],
    ],
    ids=lambda headers: headers[0][0],
)  # fmt: skip
async def test_case_88_no_header_gives_junk_another_address(headers: list[tuple[str, str]]) -> None:
    """Who floods cannot choose whose bucket is filled."""
    async with world(limits={"unverified": "5/minute"}) as w:
        statuses = []
        for number in range(8):
            said = [(name, value.format(number)) for name, value in headers]
            statuses.append((await ask(w.app, TEAM.format(7), token=junk(number), peer=SHARED, headers=said)).status)
        assert statuses == [401] * 5 + [429] * 3


async def test_case_88_an_ipv6_host_has_one_bucket_for_all_its_addresses() -> None:
    """A host chooses among 2^64 addresses of its network; they are one, however they are written."""
    peers = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::9", "2001:0DB8:0000:0000::1", "2001:db8::ffff:1"]
    async with world(limits={"unverified": "5/minute"}) as w:
        statuses = [(await ask(w.app, TEAM.format(7), token=junk(n), peer=peers[n % 5])).status for n in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        assert (await ask(w.app, TEAM.format(7), token=junk(0), peer="2001:db8:0:1::1")).status == 401


async def test_case_88_requests_without_a_token_use_up_nothing() -> None:
    """Who brings no token is told to sign in, and takes nothing from those who share the address."""
    async with world(limits={"unverified": "3/minute"}) as w:
        for _ in range(50):
            assert (await ask(w.app, TEAM.format(7), peer=SHARED)).status == 401
        assert (await w.client.get(TEAM.format(7), headers=bearer(w.token()))).status_code == 200
        assert (await ask(w.app, TEAM.format(7), token=w.token("chloe"), peer=SHARED)).status == 200
