"""`narrows revoke`: an operator ends what was issued to somebody, for every process, and it is recorded."""

import json
import time

import pytest
from click.testing import CliRunner

from narrows.cli import main
from narrows.cli.target import load
from tests.unit.cli.lunch import KEY, write_governed
from tests.unit.upstreams.fake_authority import credential

BY = ("--by", "dana@example.com")


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF whose registry and audit log are files."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    name = f"revoke_{abs(hash(request.node.name))}"
    write_governed(tmp_path, name, "dana@example.com")
    settings = tmp_path / "narrows.toml"
    settings.write_text(settings.read_text().replace("[stores]\n", '[stores]\naudit = "sqlite:audit.db"\n'))
    return f"{name}:bff"


def run(*arguments, code=0):
    """Run `narrows revoke`, which must end with this exit code; what it prints."""
    result = CliRunner().invoke(main, ["revoke", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


async def test_what_was_issued_until_now_holds_no_more(lunch):
    """A process that runs refuses it at its next look, and what is issued later holds."""
    plan = load(lunch, None).plan
    before = time.time() - 60
    await plan.revoking.refresh()
    said = run_beside(lunch, "corp", "anna", *BY)
    assert said == "Revoked: what corp issued to anna until now holds no more.\n"
    plan.revoking._fresh._looked = float("-inf")
    await plan.revoking.refresh()
    assert plan.identity.is_revoked(credential("anna", claims={"iat": before}))
    assert not plan.identity.is_revoked(credential("anna", claims={"iat": time.time() + 1}))
    assert not plan.identity.is_revoked(credential("ben", claims={"iat": before}))
    await plan.close()


def run_beside(*arguments):
    """Run it in a thread, as another process would, since it has an event loop of its own."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as threads:
        return threads.submit(run, *arguments).result()


def test_it_is_recorded_without_the_name(lunch, tmp_path):
    """Who did it, why, and the hash of whom."""
    run(lunch, "corp", "canary-anna", *BY, "--reason", "laptop stolen")
    told = CliRunner().invoke(main, ["audit", "tail", lunch, "--format", "json"])
    assert told.exit_code == 0, told.output
    assert "canary" not in told.stdout
    assert "laptop stolen" in told.stdout
    assert '"revoked"' in told.stdout
    assert "dana@example.com" in told.stdout
    json.loads(told.stdout.splitlines()[-1])


def test_wrong_usage_says_what_would_be_right(lunch):
    """An issuer by its name in the settings, and somebody who does it."""
    assert "There is: corp." in run(lunch, "https://issuer.test", "anna", *BY, code=2)
    assert "Nobody is named" in run(lunch, "corp", "anna", "--by", " ", code=2)


def test_a_registry_in_memory_cannot_be_reached(lunch, tmp_path):
    """Nothing is revoked that no process would feel."""
    settings = tmp_path / "narrows.toml"
    settings.write_text(settings.read_text().replace('"sqlite:connectors.db"', '"memory:"'))
    assert "stores.connectors" in run(lunch, "corp", "anna", *BY, code=2)


def test_a_store_that_is_away_revokes_nothing_and_says_so(lunch, tmp_path, monkeypatch):
    """Nobody goes home in the belief that it is done."""
    from narrows.errors import Unavailable
    from narrows.stores.revoked import SqliteRevoked

    async def away(self, revocation):
        raise Unavailable("The store of revocations is away.")

    monkeypatch.setattr(SqliteRevoked, "add", away)
    assert "Nothing was revoked." in run(lunch, "corp", "anna", *BY, code=2)


def test_a_log_that_is_away_does_not_stop_it(lunch, tmp_path):
    """The revocation holds, and whoever did it reads that its record is missing."""
    (tmp_path / "audit.db").mkdir()
    assert "The revocation holds, but the audit log has no record" in run(lunch, "corp", "anna", *BY, code=2)


def test_a_log_in_memory_is_told(lunch, tmp_path):
    """In development the log is that of the process that runs."""
    settings = tmp_path / "narrows.toml"
    settings.write_text(settings.read_text().replace('audit = "sqlite:audit.db"\n', ""))
    result = CliRunner().invoke(main, ["revoke", lunch, "corp", "anna", *BY])
    assert (result.exit_code, "not in the audit log" in result.stderr) == (0, True)
