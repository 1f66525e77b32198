"""A builder sees the same data tomorrow, in every process, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from narrows.settings import Secret
from tests.flow.world import world

ROOT = Path(__file__).parents[2]
PATHS = ["/sandbox/teams/7/dining-suggestions", "/sandbox/teams/7/bookings"]

ASK = f"""
import asyncio
from tests.flow.world import world

async def main():
    async with world() as made:
        for path in {PATHS!r}:
            print((await made.get(path)).text)

asyncio.run(main())
"""


def in_a_process_of_its_own(hash_seed: str) -> str:
    """What the sandbox answers in a new process."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}:{ROOT / 'framework'}"}
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_every_process_answers_the_same() -> None:
    """Two processes, whose sets and hashes have another order, make up the same to the byte."""
    first = in_a_process_of_its_own("1")
    assert len(first.splitlines()) == len(PATHS)
    assert in_a_process_of_its_own("2") == first


async def test_a_restart_and_another_key_change_nothing() -> None:
    """Neither a key that ends with the process nor one of the settings goes into the seeds of the sandbox."""
    keys = [None, Secret("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), Secret("b" * 43 + "=")]
    told = []
    for key in keys:
        async with world(stores={} if key is None else {"key": key}) as made:
            told.append([(await made.get(path)).content for path in PATHS])
    assert told[0] == told[1] == told[2]


async def test_data_stays_for_the_day_and_its_times_move_with_the_days() -> None:
    """Within a day (UTC) every byte is the same; the next day the ids are, and the times are a day later."""
    async with world() as made:
        made.clock.move(86_400 - made.clock() % 86_400)
        first = (await made.get(PATHS[1])).json()
        made.clock.move(86_399)
        assert (await made.get(PATHS[1])).json() == first
        made.clock.move(1)
        later = (await made.get(PATHS[1])).json()
        assert [one["id"] for one in later] == [one["id"] for one in first]
        assert [one["starts_at"] for one in later] != [one["starts_at"] for one in first]


async def test_another_connector_caller_and_tenant_see_other_data() -> None:
    """Who asks, through which program and for which organisation each count."""
    async with world(connectors={"page": {"tenant": "other"}}) as made:
        path = PATHS[1]
        own = (await made.get(path)).content
        page = {"Authorization": f"Bearer {made.token(client_id='where2eat-page')}"}
        told = [own, (await made.get(path, "ben")).content, (await made.client.get(path, headers=page)).content]
        assert len(set(told)) == 3
    async with world(connectors={"copilot": {"tenant": "other"}}) as moved:
        assert (await moved.get(path)).content != own


async def test_what_a_rehearsal_makes_up_is_no_digest_that_others_can_work_out() -> None:
    """Its arguments may come from an upstream: without the key, a guess of them cannot be tried on the answer."""
    new = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
    told = set()
    for _ in range(2):
        async with world() as made:
            told.add((await made.post("/rehearse/teams/7/bookings", new)).json()["id"])
    assert len(told) == 2
