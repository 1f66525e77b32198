"""`narrows alerts`: an operator looks back over a log."""

import asyncio
import json

import pytest
from click.testing import CliRunner

from narrows.audit.merkle import grow, leaf_hash
from narrows.cli import main
from narrows.stores.audit import Head
from narrows.stores.sqlite_audit import SqliteAuditStore
from tests.unit.alerts.traffic import DAY, MONDAY, leaf
from tests.unit.cli.lunch import KEY, write_governed
from tests.unit.cli.test_connector import RECORD

WEEKS_2 = MONDAY + 14 * DAY


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF whose log has two weeks of office life, refusals in the second, and a spike after them."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    name = f"alerts_{abs(hash(request.node.name))}"
    write_governed(tmp_path, name, "dana@example.com")
    monkeypatch.setenv("NARROWS_STORES__AUDIT", "sqlite:audit.db")
    days = [day for day in range(14) if day % 7 < 5]
    life = [leaf(MONDAY + day * DAY + 9 * 3600 + 60 * n, bff="lunch") for day in days for n in range(20)]
    refused = [leaf(WEEKS_2 - 3 * DAY + n, bff="lunch", status=403, outcome="denied") for n in range(25)]
    spike = [leaf(WEEKS_2 + 3 * 3600 + n, bff="lunch", tenant="ex\x1b[2Jample") for n in range(100)]
    leaves = [*life[:-1], *refused, *spike, leaf(WEEKS_2 + DAY, bff="lunch", connector=None, status=401)]
    leaves += [leaf(WEEKS_2 + DAY + n, bff="lunch", connector=None, status=401) for n in range(50)]
    asyncio.run(_put(tmp_path / "audit.db", leaves))
    return f"{name}:bff"


async def _put(path, leaves):
    store = SqliteAuditStore(path)
    head, nodes = grow(Head(), [leaf_hash(one) for one in leaves])
    assert await store.append(Head(), head, leaves, nodes)
    await store.close()


def run(*arguments, code=0):
    """Run `narrows alerts`, which must end with this exit code."""
    result = CliRunner().invoke(main, ["alerts", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code < 2 else result.stderr


def test_a_replay_tells_each_alert_with_its_reasons(lunch):
    """What, how much, against what, since when, what to do, and where in the log; an active character is shown."""
    said = run(lunch)
    assert "2026-01-19T03:01:00.000Z  spike  app of ex\\u001b[2Jample\n  more calls than usual in the hour" in said
    for line in (
        "  seen: 61 calls in this hour so far",
        "  limit: 60 calls an hour",
        "  since: 2026-01-19T03:00:00.000Z",
        f"  record: 284, trace {'t' * 32}",
    ):
        assert line in said
    assert "  refusals  nobody known\n" in said
    assert said.endswith("3 alerts. This was a replay: nothing was sent or changed.\n")
    assert run(lunch) == said


def test_some_of_them(lunch):
    """By time and by rule; what came before is learned from all the same."""
    assert "2 alerts since 2026-01-19 (UTC)." in run(lunch, "--since", "2026-01-19")
    assert "1 alert since 2026-01-20T00:00 (UTC)." in run(lunch, "--since", "2026-01-20T00:00Z")
    assert "write it in UTC, or its beginning" in run(lunch, "--since", "yesterday", code=2)
    found = json.loads(run(lunch, "--rule", "spike", "--format", "json"))
    assert [(one["rule"], one["connector"], one["then"]) for one in found] == [("spike", "app", "tell")]


def test_what_nobody_uses_is_told_too(lunch, tmp_path, monkeypatch):
    """The registry is opened beside the log."""
    (tmp_path / "connectors" / "app.toml").write_text(RECORD)
    monkeypatch.setattr("time.time", lambda: WEEKS_2)
    CliRunner().invoke(main, ["connector", "apply", lunch, "--by", "lena"], catch_exceptions=False)
    CliRunner().invoke(main, ["connector", "approve", lunch, "app", "--by", "dana@example.com"])
    monkeypatch.setattr("time.time", lambda: WEEKS_2 + 100 * DAY)
    said = run(lunch, "--rule", "unused")
    assert "  unused  app of acme\n  not used for 90 days: the connector\n" in said
    assert "record: " not in said


def test_what_follows_and_what_was_quiet_is_told(lunch, monkeypatch):
    """With the settings as they are now: a rule that suspends says so, and how often it was found again."""
    monkeypatch.setenv("NARROWS_ALERTS__RULES__SPIKE__THEN", "suspend")
    monkeypatch.setenv("NARROWS_ALERTS__RULES__SPIKE__QUIET_S", "20")
    said = run(lunch)
    assert "  spike  app of ex\\u001b[2Jample → suspend\n" in said
    assert "  found 19 times more since it was last told\n" in said


def test_a_log_in_memory_cannot_be_judged(lunch, monkeypatch):
    """It is that of another process."""
    monkeypatch.setenv("NARROWS_STORES__AUDIT", "memory:")
    monkeypatch.setenv("NARROWS_ENVIRONMENT", "development")
    assert "stores.audit: a log in memory is that of one running process" in run(lunch, code=2)
