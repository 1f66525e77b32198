"""Whatever process is killed, each record is judged once and each alert is told."""

from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.flow.alert_processes import judge_and_kill


async def test_a_killed_watch_leaves_the_rest_to_others(tmp_path):
    """Three processes over one file, and the one that leads is killed in the middle of its telling."""
    path = tmp_path / "audit.db"
    store = SqliteAuditStore(path)
    await judge_and_kill(str(path), store, tmp_path)
    await store.close()
