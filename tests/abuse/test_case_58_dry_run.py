"""Case 58: whatever else a request says of a dry-run, the base path alone decides; and a dry-run leaves nothing behind.

No write leaves and no idempotency record is made, the record says in which mode it ran, and every guard is asked.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from narrows.settings import Secret
from tests.abuse.attack import Got, ask, post
from tests.abuse.errands import running
from tests.flow.world import World

PATH = "/teams/7/copies"
TEXT = {"text": "once"}
# What other systems take for a dry-run, in several spellings.
HEADERS = [
    [("dry-run", "true")],
    [("Dry-Run", "1")],
    [("x-dry-run", "TRUE")],
    [("x-dry-run", "false"), ("x-dry-run", "true")],
    [("prefer", "handling=dry-run")],
    [("rehearse", "true")],
    [("x-narrows-mode", "rehearse")],
    [("x-narrows-mode", "sandbox"), ("x-narrows-mode", "live")],
]
ODD_TARGETS = [f"{PATH}?dry_run=true", f"{PATH}?dryRun=1&dryRun=0", f"{PATH}?mode=rehearse", f"{PATH}?rehearse"]
ODD_BODIES = [{**TEXT, "dry_run": True}, {**TEXT, "dryRun": "true"}, {**TEXT, "rehearse": 1}]


async def send(made: World, path: str = PATH, body: Any = TEXT, headers: Any = (), **who: Any) -> Got:
    """A write as anna."""
    return await post(made.app, path, body, token=made.token(**who), headers=list(headers))


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_case_58_a_header_makes_no_dry_run_and_unmakes_none(headers: list[tuple[str, str]]) -> None:
    """Without the base path it is live and says so; with it, nothing is written, whatever the header says."""
    async with running() as (made, host):
        for base, writes in (("/rehearse", 0), ("/sandbox", 0), ("", 1)):
            assert (await send(made, base + PATH, headers=headers)).status == 200
            assert len(host.writes) == writes
            assert made.records.calls()[-1]["mode"] == (base.removeprefix("/") or "live")


@pytest.mark.parametrize("base", ["", "/rehearse", "/sandbox"])
async def test_case_58_a_flag_in_query_or_body_is_an_unknown_field(base: str) -> None:
    """It is a 400 in every mode, so that nobody takes a live write for a dry-run."""
    async with running() as (made, host):
        for target in ODD_TARGETS:
            assert (await send(made, base + target)).status == 400
        for body in ODD_BODIES:
            assert (await send(made, base + PATH, body)).status == 400
        assert host.writes == []


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_58_a_dry_run_makes_no_idempotency_record(base: str, tmp_path: Path) -> None:
    """Neither a key nor a receipt is looked up, held or spent: the tables stay empty, and the live call is new."""
    file = tmp_path / "commits.db"
    stores = {"commits": f"sqlite:{file}", "key": Secret(base64.b64encode(b"k" * 32).decode())}
    async with running(stores=stores) as (made, host):
        receipt = (await send(made, f"/rehearse{PATH}")).header("rehearsal-receipt") or ""
        headers = [("idempotency-key", "k-1"), ("rehearsal-receipt", receipt)]
        for body in (TEXT, {"text": "other"}, TEXT):
            got = await send(made, base + PATH, body, headers)
            assert (got.status, got.header("idempotency-replayed")) == (200, None)
        with sqlite3.connect(file) as read:
            kept = {
                table: read.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("keys", "receipts", "intents", "confirmations")
            }
        read.close()
        assert kept == dict.fromkeys(kept, 0)
        assert [record["idempotency"] for record in made.records.calls()] == [None] * 4
        live = await send(made, headers=headers)
        assert (live.status, live.header("idempotency-replayed"), len(host.writes)) == (200, None, 1)


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_58_a_dry_run_is_marked_in_the_audit_log(base: str) -> None:
    """Nobody takes what would have happened for what did: neither when it went well nor when it was refused."""
    async with running() as (made, _):
        await send(made, base + PATH)
        await send(made, base + PATH, scope="other")
        await send(made)
        leaves = [json.loads(leaf) for leaf in await made.app.plan.audit.leaves(0, 100)]
        calls = [leaf for leaf in leaves if leaf["event"] == "call"]
        assert [one["mode"] for one in calls] == [base.strip("/"), base.strip("/"), "live"]
        assert [one["mode"] for one in made.records.calls()] == [one["mode"] for one in calls]


@pytest.mark.parametrize("base", ["/rehearse", "/sandbox"])
async def test_case_58_every_guard_is_asked_in_a_dry_run(base: str) -> None:
    """Who may not do it live may not rehearse it: no token, no scope, no role; and the denial is the same."""
    async with running() as (made, host):
        assert (await post(made.app, base + PATH, TEXT)).status == 401
        for who in ({"scope": "other"}, {"teams": []}, {"subject": "olga"}):
            live, dry = await send(made, **who), await send(made, base + PATH, **who)
            assert (dry.status, dry.problem) == (live.status, live.problem)
            assert dry.status == 403
        assert host.got == []


async def test_case_58_a_dry_run_reads_no_more_than_the_real_call() -> None:
    """The same operations go upstream, the write apart, and the answer holds the same fields and no other."""
    async with running() as (made, host):
        dry = await send(made, f"/rehearse{PATH}")
        rehearsed = list(host.got)
        live = await send(made)
        assert json.loads(dry.body).keys() == json.loads(live.body).keys()
        assert [one for one in host.got[len(rehearsed) :] if one[0] == "GET"] == rehearsed
        read = [await ask(made.app, f"{base}/teams/7/line", token=made.token()) for base in ("/rehearse", "")]
        assert read[0].body == read[1].body
