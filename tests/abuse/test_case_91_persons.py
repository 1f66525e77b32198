"""Case 91: a person can be forgotten in the audit log, and the tree still verifies.

That resolving a hash needs a role and is itself recorded: `tests/unit/cli/test_audit.py`. Two writers, and what is
durable before its answer: beside the log itself.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from narrows.audit.export import export
from narrows.audit.persons import HELD_S, Persons
from narrows.audit.verify import verify
from narrows.settings import Secret
from narrows.stores.sealing import master_key
from narrows.stores.sqlite_audit import SqliteAuditStore
from narrows.testing import bearer
from tests.flow.world import World, world

KEY = Secret("a2V5LWtleS1rZXkta2V5LWtleS1rZXkta2V5LWtleS0=")
BOOKINGS = "/teams/7/bookings"


@asynccontextmanager
async def logged(folder: Path) -> AsyncIterator[tuple[World, SqliteAuditStore]]:
    """The world, with its audit log in a file."""
    store = SqliteAuditStore(folder / "audit.db")
    try:
        async with world(around={"audit": store}, stores={"key": KEY}) as made:
            yield made, store
    finally:
        await store.close()


def on_disk(folder: Path) -> bytes:
    """Every byte of the files of the log."""
    return b"".join(file.read_bytes() for file in folder.iterdir())


def beside(store: SqliteAuditStore) -> Persons:
    """The names in the log as another process sees them, such as a command."""
    return Persons(lambda: store, key=master_key(KEY), steady=lambda: 0.0)


async def exported(made: World, store: SqliteAuditStore) -> list[bytes]:
    """The log as a file, signed as far as it goes."""
    writer = made.app.plan.log.writer
    assert writer is not None
    await writer.sign()
    return [line async for line in export(store, "bff.test/where2eat", (await store.head()).size)]


async def test_case_91_a_person_is_forgotten_and_the_log_is_whole(tmp_path: Path) -> None:
    """Their records stay and lead to nobody; those of others still do; who comes again is somebody new."""
    async with logged(tmp_path) as (made, store):
        for subject in ("anna", "ben"):
            assert (await made.get(BOOKINGS, subject)).status_code == 200
        anna, ben = (one["caller"] for one in made.records.calls())
        before = await exported(made, store)
        assert await beside(store).resolve(anna) == ("corp", "anna")
        assert await beside(store).forget("corp", "anna")
        made.clock.move(HELD_S)
        assert (await made.get(BOOKINGS)).status_code == 200
        again = made.records.calls()[-1]["caller"]
        lines = await exported(made, store)
        keys = made.app.plan.log.writer.signer.public  # type: ignore[union-attr]  # it is there, as above
        named = [await beside(store).resolve(one) for one in (anna, ben, again)]
    verdict = verify(lines, keys, hashes=before)
    assert (verdict.first_bad, verdict.why) == (None, "")
    assert named == [None, ("corp", "ben"), ("corp", "anna")]
    assert again != anna
    assert anna.encode() in b"".join(lines)


async def test_case_91_nothing_of_whoever_was_forgotten_can_be_tried(tmp_path: Path) -> None:
    """Neither who it was nor what their arguments were: what the digests were made with is on no disk any more."""
    async with logged(tmp_path) as (made, store):
        await made.get(BOOKINGS)
        await made.app.plan.log.writer.flush()  # type: ignore[union-attr]  # it is there
        lookup = beside(store)._lookup("corp", "anna")
        person = await store.person(lookup)
        assert person is not None
        assert person.sealed in on_disk(tmp_path)
        await beside(store).forget("corp", "anna")
        left = on_disk(tmp_path)
    assert person.sealed not in left
    assert lookup not in left


async def test_case_91_the_log_names_nobody(tmp_path: Path) -> None:
    """Of a person there is a hash, in records and in the file; whoever has no key of the store reads no more."""
    canary = "canary-anna-17"
    async with logged(tmp_path) as (made, store):
        await made.get(BOOKINGS)
        await made.client.get(BOOKINGS, headers=bearer(made.token("anna", sub=canary)))
        await made.app.plan.log.writer.flush()  # type: ignore[union-attr]  # it is there
        written = on_disk(tmp_path)
        records: list[Any] = [json.loads(leaf) for leaf in await store.leaves(0, 100)]
    assert canary.encode() not in written + b"".join(made.records.lines)
    assert len({one["caller"] for one in records if one["event"] == "call"}) == 2
