"""The watch over a log in PostgreSQL, by several processes."""

from narrows.stores.postgres_audit import PostgresAuditStore
from tests.flow.alert_processes import judge_and_kill


async def test_a_killed_watch_leaves_the_rest_to_others(postgres, postgres_url, tmp_path):
    """Three processes over one database, and the one that leads is killed in the middle of its telling."""
    await judge_and_kill(postgres_url, PostgresAuditStore(postgres), tmp_path)
