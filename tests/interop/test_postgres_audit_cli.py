"""`narrows audit` as an operator types it, with the audit log in a real PostgreSQL."""

import pytest
from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli import test_audit
from tests.unit.cli.lunch import KEY, write_lunch
from tests.unit.cli.test_audit import (
    DANA,
    keep,
    run,
    told,
)
from tests.unit.cli.test_audit import (
    test_a_person_is_forgotten_by_an_eraser as test_a_person_is_forgotten_by_an_eraser,
)
from tests.unit.cli.test_audit import (
    test_nobody_else_learns_it_and_the_attempt_is_recorded as test_nobody_else_learns_it_and_the_attempt_is_recorded,
)
from tests.unit.cli.test_audit import (
    test_records_are_found_by_what_they_say as test_records_are_found_by_what_they_say,
)


@pytest.fixture
def lunch(tmp_path, monkeypatch, request, postgres_url):
    """The target of a BFF whose audit log lies on a server."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    monkeypatch.setenv("LUNCH_POSTGRES", postgres_url)
    monkeypatch.chdir(tmp_path)
    name = f"postgres_audit_{abs(hash(request.node.name))}"
    settings = write_lunch(tmp_path, name)
    where = 'audit = "postgres:"\npostgres = { env = "LUNCH_POSTGRES" }'
    settings.write_text(settings.read_text() + test_audit.STORES.replace('audit = "sqlite:audit.db"', where))
    return f"{name}:bff"


def test_the_log_of_a_server_is_whole_until_somebody_changes_a_byte(lunch, postgres_peer, postgres_url):
    """The first bad record is named, as in a file."""
    keep(lunch, {}, {}, {})
    assert run("verify", lunch) == "Whole: 3 records, all of them signed.\n"
    postgres_peer.ask("UPDATE narrows_audit_leaves SET leaf = leaf || ' '::bytea WHERE place = 1", postgres_url)
    done = CliRunner().invoke(main, ["audit", "verify", lunch])
    assert done.exit_code == 1
    assert done.stdout == "NOT whole. First bad record: 1: the record is not the one that was signed.\n"
    assert [one["index"] for one in told("search", lunch, "--connector", "copilot")] == [0, 1, 2]


def test_a_server_that_is_away_says_what_to_look_at(lunch, monkeypatch):
    """At once, and without what stands in the URL."""
    monkeypatch.setenv("LUNCH_POSTGRES", "postgresql://narrows:canary@127.0.0.1:1/narrows")
    said = run("resolve", lunch, "a" * 32, *DANA, code=2)
    assert "stores.postgres" in said
    assert "canary" not in said
