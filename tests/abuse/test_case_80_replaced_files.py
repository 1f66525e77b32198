"""Cases 80 and 83: a file of a store that is taken away, or that another is put in the place of, is not worked on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from narrows.errors import Unavailable
from narrows.stores.connectors import SqliteConnectors
from tests.abuse.apart import PATH, TEXT, stores
from tests.abuse.attack import post
from tests.abuse.errands import running


async def test_case_80_a_receipt_is_not_spent_twice_beside_a_file_that_was_put_aside(tmp_path: Path) -> None:
    """Another process on a new file would not know what this one spends: neither knows, so nothing is sent."""
    async with running(stores=stores(tmp_path)) as (made, host):
        rehearsed = await post(made.app, f"/rehearse{PATH}", TEXT, token=made.token())
        receipt = [("rehearsal-receipt", rehearsed.header("rehearsal-receipt") or "")]
        for name in ("commits.db", "commits.db-wal", "commits.db-shm"):
            (tmp_path / name).rename(tmp_path / f"old-{name}")
        async with running(host, stores=stores(tmp_path)) as (other, _):
            answers = [await post(one.app, PATH, TEXT, token=one.token(), headers=receipt) for one in (made, other)]
        assert [one.status for one in answers] == [503, 200]
        assert len(host.writes) == 1


@pytest.mark.parametrize("gone", [True, False])
async def test_case_83_a_registry_that_was_replaced_decides_nothing(
    tmp_path: Path, gone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What is changed in the new file would not be felt; the operators are told once what to do."""
    path = tmp_path / "connectors.db"
    store = SqliteConnectors(path, b"k" * 32)
    assert await store.generation() == 0
    path.rename(tmp_path / "old.db")
    if not gone:
        await SqliteConnectors(path, b"k" * 32).close()
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                await store.generation()
    assert str(tmp_path) not in str(caught.value.detail)
    assert len(caplog.messages) == 1
    assert "restart" in caplog.messages[0]
    await store.close()
