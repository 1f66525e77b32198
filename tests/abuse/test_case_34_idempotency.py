"""Case 34: one key is one request of one caller; the same again is answered and never done twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from narrows.stores import memory_commits
from narrows.stores.commits import CommitBounds
from tests.abuse import apart
from tests.abuse.attack import Got, post
from tests.abuse.errands import LedgerHost, running
from tests.flow.world import World

PATH = "/teams/7/copies"
TEXT = {"text": "once"}
PROGRAMS = {
    name: {"issuer": "corp", "client_id": client, "tenant": tenant, "kind": "partner", "state": "live"}
    for name, client, tenant in (("page", "where2eat-page", "example"), ("neighbour", "elsewhere", "elsewhere"))
}


async def send(made: World, key: str = "k-1", path: str = PATH, body: Any = TEXT, **who: Any) -> Got:
    """A live write with a key."""
    return await post(made.app, path, body, token=made.token(**who), headers=[("idempotency-key", key)])


async def test_case_34_the_same_again_is_answered_and_not_done() -> None:
    """Byte for byte, marked as kept, quoted or bare; the upstream heard of it once."""
    async with running() as (made, host):
        first = await send(made)
        for key in ("k-1", '"k-1"'):
            again = await send(made, key)
            assert (again.status, again.body) == (first.status, first.body)
            assert (first.header("idempotency-replayed"), again.header("idempotency-replayed")) == (None, "true")
        assert len(host.writes) == 1
        assert [record["effects"] for record in made.records.calls()] == [["Ledger.add"], [], []]


async def test_case_34_the_same_key_with_another_request_is_a_422() -> None:
    """Another body, another object: refused, and the first answer is still there."""
    async with running() as (made, host):
        first = await send(made, teams=[7, 8])
        for path, body in ((PATH, {"text": "other"}), ("/teams/8/copies", TEXT)):
            got = await send(made, path=path, body=body, teams=[7, 8])
            assert (got.status, got.kind) == (422, "key-reused")
            assert first.body not in got.body
        assert (await send(made, teams=[7, 8])).body == first.body
        assert len(host.writes) == 1


async def test_case_34_two_at_once_are_one(place: apart.Place) -> None:
    """The second is a 409 while the first is on its way, in this process and in another; the write leaves once."""
    child = await apart.begin("race", place, {"idempotency-key": "k-1"})
    try:
        assert await child.said() == "ready"
        async with running(stores=apart.stores(place)) as (made, host):
            got = await send(made)
            assert (got.status, got.kind, got.header("retry-after")) == (409, "key-in-use", "15")
            await child.go()
            assert await child.said() == "[200, null, 1]"
            assert (await send(made)).header("idempotency-replayed") == "true"
            assert host.writes == []
    finally:
        await child.end()


async def test_case_34_a_hundred_at_once_are_one() -> None:
    """Whoever is first does it; the others read that it is on its way, or its answer."""
    async with running() as (made, host):
        answers = await asyncio.gather(*(send(made) for _ in range(100)))
        assert {one.status for one in answers} <= {200, 409}
        assert len(host.writes) == 1


@pytest.mark.parametrize(
    "other",
    [{"subject": "ben"}, {"client_id": "where2eat-page"}, {"client_id": "elsewhere"}],
    ids=["caller", "connector", "tenant"],
)
async def test_case_34_the_key_of_another_is_another_key(other: dict[str, str]) -> None:
    """Nobody reads another's answer, or is told that the key was used: each has a write of their own."""
    async with running(connectors=PROGRAMS) as (made, host):
        await send(made)
        got = await send(made, body={"text": "mine"}, **other)
        assert (got.status, got.header("idempotency-replayed")) == (200, None)
        assert len(host.writes) == 2


async def test_case_34_another_endpoint_is_another_key() -> None:
    """Keys of one endpoint say nothing at another."""
    async with running() as (made, host):
        for path in (PATH, "/teams/7/line"):
            assert (await send(made, path=path)).header("idempotency-replayed") is None
        assert len(host.writes) == 2


@pytest.mark.parametrize("full", [{"keys": 1}, {"keys_per_owner": 1}, {"open_intents": 0}])
async def test_case_34_a_full_store_is_a_503_and_never_a_silent_write(
    full: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room to remember a request, it is not carried out."""
    monkeypatch.setattr(memory_commits, "CommitBounds", lambda: CommitBounds(**full))
    async with running() as (made, host):
        answers = [await send(made, f"k-{number}") for number in range(3)]
        writes = 0 if "open_intents" in full else 1
        assert [one.status for one in answers] == [200] * writes + [503] * (3 - writes)
        assert len(host.writes) == writes
        if writes:
            assert (await send(made, "k-0")).header("idempotency-replayed") == "true"


class Shaky(LedgerHost):
    """Refuses the writes of these numbers, from 1, with a problem that the ledger declares, or fails at them."""

    def __init__(self, refused: set[int], status: int = 409) -> None:
        super().__init__()
        self.refused, self.status, self.count = refused, status, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.count += scope["method"] == "POST"
        if scope["method"] == "GET" or self.count not in self.refused:
            await super().__call__(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def test_case_34_a_failure_without_effect_may_be_tried_again() -> None:
    """A declared refusal of the upstream did nothing: the same key goes through once it would be accepted."""
    async with running(Shaky({1})) as (made, host):
        first = await send(made)
        assert (first.status, first.kind) == (409, "busy")
        got = await send(made)
        assert (got.status, got.header("idempotency-replayed"), len(host.writes)) == (200, None, 1)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        (Shaky({2}), {"effects": ["Ledger.add"], "effects_unknown": []}),
        (Shaky({2}, 500), {"effects": ["Ledger.add"], "effects_unknown": ["Ledger.add"]}),
    ],
    ids=["the second is refused", "of the second nobody knows"],
)
async def test_case_34_what_failed_after_an_effect_is_not_tried_again(host: Shaky, known: dict[str, Any]) -> None:
    """The first of two writes happened: the retry names it, and sends nothing."""
    async with running(host) as (made, _):
        path = "/teams/7/nested"
        assert (await send(made, path=path)).status in (409, 502)
        got = await send(made, path=path)
        assert (got.status, got.kind) == (409, "already-attempted")
        assert {name: got.problem[name] for name in known} == known
        assert host.count == 2


async def test_case_34_a_key_is_forgotten_after_its_time() -> None:
    """`stores.commit_s` later the key is new again."""
    async with running(stores={"commit_s": 60}) as (made, host):
        await send(made)
        made.clock.move(60)
        assert (await send(made)).header("idempotency-replayed") is None
        assert len(host.writes) == 2
