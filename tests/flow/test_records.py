"""What the audit log says of a whole call: of the call itself, of the tokens in it, and of the sessions beside it."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.errors import Unavailable
from narrows.testing import bearer
from tests.abuse.wire import get, served
from tests.flow.confirming import Visitor
from tests.flow.world import World, world

CANARY = "canary-51c0"
WANTED = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4, "note": f"{CANARY} for Ben"}
PATH = "/teams/7/bookings"


async def test_a_booking_answers_who_did_what() -> None:
    """When, by whom and through whom, with which program, from where, with which result and at which price."""
    async with world() as made:
        assert (await made.commit(PATH, WANTED)).status_code == 201
        rehearsed, live = made.records.calls()
    assert (live["tenant"], live["connector"], live["connector_version"]) == ("example", "copilot", "1")
    assert (live["endpoint"], live["mode"], live["outcome"], live["status"]) == (
        "where2eat.book_table",
        "live",
        "ok",
        201,
    )
    assert (live["effects"], live["price"], live["rule"]) == (
        ["Tables.book"],
        "0.05 EUR",
        "role:member in team:7 (claim), allowed by declaration of where2eat.book_table",
    )
    assert live["arguments"] == {
        "team_id": 7,
        "booking.seats": 4,
        "booking.starts_at": "2025-12-24T12:00:00+00:00",
    }
    assert live["hidden"] == ["booking.place_id", "booking.note"]
    assert live["peer"] == "127.0.0.1"
    assert live["size"] > 0
    assert len(live["caller"]) == 32
    # What was rehearsed is the same, and marked as what it is.
    same = ("caller", "arguments", "arguments_digest", "hidden", "effects")
    assert {name: rehearsed[name] for name in same} == {name: live[name] for name in same}
    assert (rehearsed["mode"], rehearsed["price"], live["receipt"]) == ("rehearse", None, rehearsed["rehearsal"])


async def test_records_of_an_answer_are_counted() -> None:
    """As many as its lists hold; of what was refused nothing went out."""
    async with world() as made:
        answers = [await made.get(f"/teams/7/dining-suggestions?limit={limit}") for limit in (1, 3)]
        await made.get("/teams/8/dining-suggestions")
        one, three, refused = (call["records"] for call in made.records.all() if call["event"] == "call")
    assert [len(answer.json()) for answer in answers] == [1, 3]
    assert 1 <= one < three
    assert refused == 0


async def test_no_free_text_is_recorded() -> None:
    """Neither what was sent nor what does not hold; of a person only a hash."""
    async with world() as made:
        await made.commit(PATH, WANTED)
        await made.post(PATH, {**WANTED, "seats": CANARY, CANARY: 1})
        await made.get(f"/teams/7/dining-suggestions?open_at={CANARY}")
        await made.get(f"/{CANARY}/{CANARY}")
        records = b"".join(made.records.lines).decode()
    assert CANARY not in records
    assert "anna" not in records.lower()


@pytest.mark.parametrize("base", ["", "/rehearse"])
async def test_each_token_that_was_asked_for_is_recorded(base: str) -> None:
    """Under the trace of the call, for its caller and program; a rehearsal's are for reads alone."""
    async with world() as made:
        headers = bearer(made.token())
        for _ in range(2):
            await made.client.get(f"{base}/teams/7/dining-suggestions", headers=headers)
        *granted, _ = made.records.all()[:3]
        assert len(made.records.all()) == 4
        call = made.records.calls()[0]
    assert {(one["what"], one["by"], one["audience"], *one["scopes"]) for one in granted} == {
        ("made", "corp", "people-api", "profiles:read"),
        ("made", "corp", "places-api", "places:read"),
    }
    same = ("caller", "connector", "connector_version", "tenant", "endpoint", "bff", "trace_id")
    assert all({name: one[name] for name in same} == {name: call[name] for name in same} for one in granted)


async def rehearsed(made: World) -> str:
    """The id of a booking that waits for Anna."""
    answer = await made.post(f"/rehearse{PATH}", WANTED)
    return answer.links["describedby"]["url"].rpartition("/")[2]


async def test_a_person_who_signs_in_and_out_is_recorded() -> None:
    """With the hash under which the calls of their programs stand, too."""
    async with world() as made:
        anna = Visitor(made)
        assert (await anna.sign_in(await rehearsed(made), "anna")).status_code == 303
        assert (await anna.fetch("DELETE", "/confirm/session")).status_code == 200
        sessions = [one for one in made.records.all() if one["event"] == "session"]
        caller = made.records.calls()[0]["caller"]
    assert [(one["what"], one["caller"], one["bff"]) for one in sessions] == [
        ("begun", caller, "narrows"),
        ("ended", caller, "narrows"),
    ]


async def test_nobody_is_signed_in_without_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser gets no session when nobody could tell later that there was one."""
    async with world() as made:
        anna = Visitor(made)
        back = await anna.at_issuer(await anna.leave(await rehearsed(made)), "anna")
        cookies = dict(anna.jar)

        async def full(record: Any) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(made.app.plan.log, "keep", full)
        answer = await anna.send("GET", back.removeprefix("https://bff.test"))
        assert answer.status_code == 500
        assert anna.jar == cookies


async def test_a_caller_without_a_name_in_the_log_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store of the log is away, nothing is done for somebody of whom nothing could be recorded."""
    async with world() as made:

        async def away(lookup: bytes) -> Any:
            raise Unavailable()

        monkeypatch.setattr(made.app.plan.audit, "person", away)
        answer = await made.get("/teams/7/bookings")
        assert answer.status_code == 503
        assert made.network.to("tables.test") == []


@pytest.mark.parametrize(("proxies", "peer"), [((), "127.0.0.1"), (("127.0.0.1",), "203.0.113.9")])
async def test_the_source_is_the_one_that_a_trusted_proxy_gives(proxies: tuple[str, ...], peer: str) -> None:
    """From anybody else the header counts for nothing."""
    async with world() as made, served(made.app, trusted_proxies=proxies) as site, site.client() as one:
        token = made.token()
        await one.send(get(PATH, f"Authorization: Bearer {token}", "X-Forwarded-For: 203.0.113.9"))
        assert (await one.answer()).status == 200
        assert made.records.calls()[-1]["peer"] == peer
