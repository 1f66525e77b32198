"""`narrows usage`: operators see exactly what is left; nothing is shown that cannot be known."""

import asyncio
import json
import socket
import time

import pytest
from click.testing import CliRunner

from narrows.call import Caller
from narrows.cli import main
from narrows.identity.connectors import of_entry
from narrows.pipeline.accounts import Accounts
from narrows.settings import load_settings
from narrows.stores.budgets import Charge
from narrows.stores.opening import open_budgets, open_connectors
from narrows.stores.sealing import Sealer, master_key
from narrows.stores.servers import Servers
from tests.unit.cli.lunch import KEY, write_governed
from tests.unit.cli.test_connector import RECORD

BUDGETS = """
price_ceiling = "0.10 EUR"
budgets = ["5.00 EUR/day", "0.50 EUR/day per caller"]
volumes = ["20 MB/day"]
"""
TENANT = """
budgets = "sqlite:budgets.db"

[tenants.acme]
budgets = ["50.00 EUR/month"]
"""


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF with two connectors whose budgets are kept in a file, of which some is used."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    name = f"usage_{abs(hash(request.node.name))}"
    write_governed(tmp_path, name, "dana@example.com")
    settings = tmp_path / "narrows.toml"
    settings.write_text(settings.read_text() + TENANT)
    (tmp_path / "connectors" / "app.toml").write_text(RECORD + BUDGETS)
    (tmp_path / "connectors" / "more.toml").write_text(RECORD.replace("lunch-app", "more-app"))
    run("connector", "apply", f"{name}:bff", "--by", "lena@example.com")
    asyncio.run(spend(tmp_path))
    return f"{name}:bff"


async def spend(folder):
    """Use some of it, as a serving process does."""
    settings = load_settings(folder / "narrows.toml")
    registry = open_connectors(settings)
    _, entries = await registry.all()
    await registry.close()
    connector = of_entry(next(entry for entry in entries if entry.id == "app"), 0)
    accounts = Accounts("lunch", settings, Sealer(master_key(settings.stores.key), purpose="budgets").digest)
    store = open_budgets(settings, time.time, Servers(settings.stores))
    caller = Caller(issuer="corp", subject="anna", kind="person")
    paid = accounts.money(connector, caller, "EUR")
    await store.count([Charge(held.account, 123_456) for held in paid])
    await store.count([Charge(held.account, 20_000_001) for held in accounts.volumes(connector, caller)], forced=True)
    await store.close()


def run(*arguments, code=0):
    """Run `narrows`, which must end with this exit code; what it prints."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


def test_what_is_left_is_told_exactly(lunch):
    """To the millionth, each shared budget once, with when it renews."""
    rows = json.loads(run("usage", lunch, "--format", "json"))
    assert [(row["of"], row["name"], row["budget"], row["used"], row["remaining"]) for row in rows] == [
        ("connector", "app", "20 MB/day", "20000001 bytes", "0 bytes"),
        ("connector", "app", "5.00 EUR/day", "0.123456 EUR", "4.876544 EUR"),
        ("tenant", "acme", "50.00 EUR/month per tenant", "0.123456 EUR", "49.876544 EUR"),
    ]
    assert all(row["renews_at"].endswith("T00:00:00Z") for row in rows)
    lines = run("usage", lunch, "app").splitlines()
    assert lines[0].split() == ["OF", "NAME", "BUDGET", "USED", "REMAINING", "RENEWS", "AT"]
    assert lines[2].split()[:8] == ["connector", "app", "5.00", "EUR/day", "0.123456", "EUR", "4.876544", "EUR"]


def test_the_budgets_of_a_caller_are_shown_by_name(lunch):
    """Only of the one that is named: a store holds no names."""
    rows = json.loads(run("usage", lunch, "app", "--caller", "corp", "anna", "--format", "json"))
    [own] = [row for row in rows if row["of"] == "caller"]
    assert (own["caller"], own["used"], own["remaining"]) == ("anna", "0.123456 EUR", "0.376544 EUR")
    rows = json.loads(run("usage", lunch, "app", "--caller", "corp", "ben", "--format", "json"))
    assert [row["remaining"] for row in rows if row["of"] == "caller"] == ["0.50 EUR"]


def test_what_cannot_be_shown_is_said(lunch, tmp_path):
    """A connector that is not there, one without budgets, and what is counted in the memory of another process."""
    assert "There is no connector 'nobody'. There are: app, more." in run("usage", lunch, "nobody", code=2)
    assert "There is no issuer 'crop' in the settings. There is: corp." in run(
        "usage", lunch, "--caller", "crop", "anna", code=2
    )
    settings = tmp_path / "narrows.toml"
    text = settings.read_text()
    settings.write_text(text.replace('budgets = ["50.00 EUR/month"]', ""))
    said = run("usage", lunch, "more")
    assert said.startswith("Nothing that is registered has a budget or a volume.")
    assert "narrows connector apply" in said
    settings.write_text(text.replace('budgets = "sqlite:budgets.db"', ""))
    assert "stores.budgets: what is counted in memory" in run("usage", lunch, code=2)


def test_a_server_that_is_away_is_told_with_what_helps(lunch, tmp_path, monkeypatch):
    """And at once: nobody waits for it, and its password is not told."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("AWAY", f"redis://:hidden-word@127.0.0.1:{port}/0")
    settings = tmp_path / "narrows.toml"
    where = 'budgets = "redis:"\nredis = { env = "AWAY" }'
    settings.write_text(settings.read_text().replace('budgets = "sqlite:budgets.db"', where))
    said = run("usage", lunch, code=2)
    assert "The store of budgets is away. Remedy: see whether what [stores] names" in said
    assert "hidden-word" not in said
