"""Case 81 through the whole application: a rehearsal is its owner's, tells nothing undeclared, and is sealed."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Any

import msgspec
import pytest

from narrows.settings import Secret
from tests.abuse.attack import Got, ask, post
from tests.abuse.bookings import put
from tests.abuse.errands import LedgerHost, running
from tests.flow.second import second_issuer
from tests.flow.world import World, world

CANARY = "canary-9d2f41"
NEW = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4, "note": CANARY}
CONNECTORS = {
    "neighbour": {
        "issuer": "corp",
        "client_id": "where2eat-page",
        "tenant": "elsewhere",
        "kind": "low-code",
        "state": "live",
    },
    "page": {
        "issuer": "corp",
        "client_id": "where2eat-page-2",
        "tenant": "example",
        "kind": "low-code",
        "state": "live",
    },
}
READERS = {
    "another caller": {"subject": "ben"},
    "an organiser of another team": {"subject": "olga"},
    "another connector": {"client_id": "where2eat-page-2"},
    "another tenant": {"client_id": "where2eat-page"},
}


def link_of(got: Got) -> str:
    """The path that an answer leads to."""
    link = got.header("link") or ""
    assert link.startswith("<https://bff.test/")
    assert link.endswith('>; rel="describedby"')
    return link.partition(">")[0].removeprefix("<https://bff.test")


async def rehearsed(made: World, base: str = "/rehearse", **who: Any) -> str:
    """Rehearse a booking; where its rehearsal lies."""
    got = await post(made.app, f"{base}/teams/7/bookings", NEW, token=made.token(**who))
    assert got.status == 201
    return link_of(got)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_81_a_rehearsal_of_another_is_not_there(base: str, reader: dict[str, Any]) -> None:
    """Another caller, connector or tenant reads what they would read if the rehearsal had never been."""
    async with world(connectors=CONNECTORS) as made:
        path = await rehearsed(made, base)
        assert (await ask(made.app, path, token=made.token())).status == 200
        for prefix in ("", "/rehearse", "/sandbox"):
            there = path.replace(base, prefix, 1)
            absent = there.rpartition("/")[0] + "/" + secrets.token_urlsafe(16)
            token = made.token(**reader)
            foreign, nothing = await ask(made.app, there, token=token), await ask(made.app, absent, token=token)
            assert foreign.status == 404
            assert (foreign.headers, foreign.problem) == (nothing.headers, nothing.problem)
            listed = await ask(made.app, f"{prefix}/rehearsals", token=token)
            assert (listed.status, listed.body) == (200, b"[]")


async def test_case_81_a_rehearsal_of_the_same_name_at_another_issuer_is_not_there() -> None:
    """The anna of another issuer, of the same tenant, does not read the rehearsal of this one."""
    async with world(**second_issuer()) as made:
        path = await rehearsed(made)
        assert (await ask(made.app, path, token=second_issuer.token("anna"))).status == 404


async def test_case_81_without_credentials_nothing_is_told() -> None:
    """Without a token, an id that is there and one that is not are the same 401."""
    async with world() as made:
        path = await rehearsed(made)
        there, absent = await ask(made.app, path), await ask(made.app, path[:-4] + "zzzz")
        assert there.status == 401
        assert (there.headers, there.problem) == (absent.headers, absent.problem)


async def test_case_81_ids_cannot_be_guessed() -> None:
    """Ids are random, with 128 bits each, and neither neighbours nor beginnings of one lead anywhere."""
    async with world() as made:
        paths = [await rehearsed(made) for _ in range(4)]
        ids = [path.rpartition("/")[2] for path in paths]
        assert all(len(base64.urlsafe_b64decode(one + "==")) == 16 for one in ids)
        assert len({one[:4] for one in ids}) == 4
        one = ids[0]
        other = "A" if one[-2] != "A" else "B"
        guesses = [one[:-1], one + "A", one.swapcase(), one[::-1], "*", "%", "_" * len(one), one[:-2] + other + one[-1]]
        for guess in {*guesses, "1", "0", "..", "%2e%2e", f"{one}%00", f"{one}%0a", f"{one}'--", "' OR '1'='1"} - {one}:
            got = await ask(made.app, f"/rehearsals/{guess.replace(' ', '%20')}", token=made.token())
            assert got.status in (400, 404), guess


async def test_case_81_a_rehearsal_ends_with_its_time() -> None:
    """After its lifetime its owner reads what everybody reads."""
    async with world(stores={"rehearsal_s": 60}) as made:
        path = await rehearsed(made)
        made.clock.move(61)
        assert (await ask(made.app, path, token=made.token())).status == 404
        assert (await ask(made.app, "/rehearsals", token=made.token())).body == b"[]"


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_81_effects_hold_no_upstream_value(base: str) -> None:
    """A value that an upstream told and a write would carry on stands as type and digest; undeclared ones nowhere."""
    async with running(LedgerHost(CANARY)) as (made, _):
        got = await post(made.app, f"{base}/teams/7/copies", {"text": "from-the-client"}, token=made.token())
        document = await ask(made.app, link_of(got), token=made.token())
        assert document.status == 200
        (effect,) = msgspec.json.decode(document.body)["effects"]
        assert effect["arguments"]["/line/text"] == "from-the-client"
        assert set(effect["arguments"]["/line/about"]) <= {"type", "digest", "stand_in"}
        assert effect["arguments"]["/line/about"]["type"] == "string"
        assert CANARY.encode() not in document.body
        assert CANARY.encode() not in b"".join(made.records.lines)


async def test_case_81_what_narrowing_left_out_is_told_by_name_alone() -> None:
    """The rehearsal of a read names the fields of the directory that were dropped, and no value of them."""
    async with running(LedgerHost(CANARY)) as (made, _):
        got = await ask(made.app, "/rehearse/teams/7/line", token=made.token())
        document = await ask(made.app, link_of(got), token=made.token())
        left_out = msgspec.json.decode(document.body)["left_out"]
        assert any("salary" in name for name in left_out)
        assert CANARY.encode() not in document.body


async def test_case_81_a_rehearsed_cancellation_holds_nothing_of_the_booking() -> None:
    """The effect of a cancellation names the booking of the request, and no card, margin or note of it."""
    async with world() as made:
        booking = put(made, 7)
        got = await ask(made.app, f"/rehearse/bookings/{booking}", "DELETE", token=made.token())
        document = (await ask(made.app, link_of(got), token=made.token())).body
        (effect,) = msgspec.json.decode(document)["effects"]
        assert effect["arguments"] == {"/booking_id": booking}
        for undeclared in (b"0000 0000", b"0.17", b"of team 7", b"somebody"):
            assert undeclared not in document


async def test_case_81_nothing_of_a_rehearsal_is_readable_in_the_database(tmp_path: Path) -> None:
    """Neither a value nor a name of a rehearsal is found in the file, its log or its index, open or closed."""
    file = tmp_path / "rehearsals.db"
    stores = {"rehearsals": f"sqlite:{file}", "key": Secret(base64.b64encode(b"k" * 32).decode())}
    named = [CANARY, "anna", "where2eat-copilot", "example", "Tables.book", "team:7", "node-268056325", "book_table"]
    async with world(stores=stores) as made:
        path = await rehearsed(made)
        for _ in range(5):
            await rehearsed(made, "/sandbox")
            made.clock.move(60)
        document = await ask(made.app, path, token=made.token())
        assert CANARY.encode() in document.body
        _hold_no(tmp_path, named, files=3)
    _hold_no(tmp_path, named, files=1)


async def test_case_81_a_rehearsal_outlives_the_process_only_with_its_key(tmp_path: Path) -> None:
    """After a restart its owner reads it again; with another key it is not there, and no fault says more."""
    file = tmp_path / "rehearsals.db"

    def stores(key: bytes) -> dict[str, Any]:
        return {"rehearsals": f"sqlite:{file}", "key": Secret(base64.b64encode(key * 32).decode())}

    async with world(stores=stores(b"k")) as made:
        path = await rehearsed(made)
    async with world(stores=stores(b"k")) as made:
        assert (await ask(made.app, path, token=made.token())).status == 200
        assert (await ask(made.app, path, token=made.token("ben"))).status == 404
    async with world(stores=stores(b"x")) as made:
        assert (await ask(made.app, path, token=made.token())).status == 404


def _hold_no(folder: Path, texts: list[str], files: int) -> None:
    """Hold that the files of a folder (`-wal`, `-shm` beside an open one) are private and contain none of the texts."""
    found = list(folder.iterdir())
    assert len(found) == files
    for file in found:
        assert file.stat().st_mode & 0o077 == 0
        content = file.read_bytes()
        assert content
        assert [text for text in texts if text.encode() in content] == []
