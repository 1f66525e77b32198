"""`narrows connector`, `check` and `promote` as an operator types them, with the registry in a real PostgreSQL."""

import json
import socket

import pytest
from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli import test_connector, test_connector_reviews
from tests.unit.cli.conftest import in_a_folder_of_its_own
from tests.unit.cli.lunch import KEY, write_governed
from tests.unit.cli.test_connector import (
    BY,
    live,
    run,
    test_a_difference_is_shown_field_by_field,
    test_all_of_a_connector_is_shown_but_its_secrets,
    test_from_a_file_to_live,
    test_it_is_stopped_and_goes_on_and_is_ended,
)
from tests.unit.cli.test_connector_reviews import (
    test_a_connector_that_wants_data_in_bulk_is_stopped_and_queued,
    test_a_grant_that_is_taken_back_stops_the_next_approval,
    test_an_approver_who_does_not_answer_for_it_lets_it_through,
    test_check_tells_what_apply_would_be_refused,
    test_every_decision_is_recorded,
)

__all__ = [
    "in_a_folder_of_its_own",
    "test_a_connector_that_wants_data_in_bulk_is_stopped_and_queued",
    "test_a_difference_is_shown_field_by_field",
    "test_a_grant_that_is_taken_back_stops_the_next_approval",
    "test_all_of_a_connector_is_shown_but_its_secrets",
    "test_an_approver_who_does_not_answer_for_it_lets_it_through",
    "test_check_tells_what_apply_would_be_refused",
    "test_every_decision_is_recorded",
    "test_from_a_file_to_live",
    "test_it_is_stopped_and_goes_on_and_is_ended",
]


@pytest.fixture
def lunch(tmp_path, monkeypatch, request, postgres_url):
    """The target of a BFF with one connector file and a registry in PostgreSQL."""
    monkeypatch.setenv("LUNCH_KEY", KEY)
    monkeypatch.setenv("LUNCH_POSTGRES", postgres_url)
    name = f"postgres_{abs(hash(request.node.name))}"
    write_governed(tmp_path, name, "dana@example.com", "security@example.com", "amina@example.com")
    settings = tmp_path / "narrows.toml"
    where = 'connectors = "postgres:"\npostgres = { env = "LUNCH_POSTGRES" }'
    settings.write_text(settings.read_text().replace('connectors = "sqlite:connectors.db"', where))
    if request.function.__module__ == test_connector_reviews.__name__:
        (tmp_path / "connectors" / "reports.toml").write_text(test_connector_reviews.RECORD)
    else:
        test_connector.write(tmp_path)
    return f"{name}:bff"


def test_a_registry_of_another_key_says_what_to_look_at(lunch, monkeypatch):
    """The key, or the server."""
    run("apply", lunch, *BY)
    monkeypatch.setenv("LUNCH_KEY", "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q=")
    said = run("list", lunch, code=2)
    assert "The registry of connectors cannot be read. It stands in 'postgres:'." in said
    assert "stores.key" in said


def test_a_server_that_is_away_says_what_to_look_at(lunch, monkeypatch):
    """At once, with the key of the settings, and without what stands in the URL."""
    monkeypatch.setenv("LUNCH_POSTGRES", "postgresql://narrows:canary@127.0.0.1:1/narrows")
    said = run("list", lunch, code=2)
    assert "stores.postgres: it does not answer. Remedy: see whether it runs" in said
    assert "canary" not in said


def test_tables_of_another_version_are_told(lunch, postgres_peer, postgres_url):
    """Of the registry too, which is opened after the queue."""
    run("apply", lunch, *BY)
    postgres_peer.ask("UPDATE narrows_schemas SET version = 9 WHERE name = 'connectors'", postgres_url)
    assert "its tables of connectors were made by a newer Narrows" in run("list", lunch, code=2)


def test_promotion_compares_registries_on_servers(lunch, tmp_path, postgres_peer, postgres_url, monkeypatch):
    """Each environment has its own place; what one does not know is named."""
    live(lunch)
    other = postgres_peer.place()
    monkeypatch.setenv("LUNCH_OTHER", other)
    settings = tmp_path / "narrows.toml"
    more = '\n[environments.staging.stores]\npostgres = { env = "LUNCH_OTHER" }\n'
    settings.write_text(settings.read_text() + more)
    done = CliRunner().invoke(
        main, ["promote", lunch, "--from", "development", "--to", "staging", "--registry", "--format", "json"]
    )
    assert json.loads(done.stdout)["connectors"] == [
        {"connector": "app", "before": "live", "after": None, "record_differs": True}
    ], done.output


@pytest.mark.parametrize("command", [("connector", "list"), ("check", "--registry"), ("run",)])
def test_a_server_elsewhere_without_tls_is_refused_by_every_command(lunch, monkeypatch, command):
    """Before anything is sent to it: with the key, what to write, and nothing of the URL."""
    monkeypatch.setenv("LUNCH_POSTGRES", "postgresql://lunch:canary@db.example.com/lunch")
    done = CliRunner().invoke(main, [*command, lunch])
    said = " ".join((done.stdout + done.stderr).split())
    assert done.exit_code in (1, 2), said
    assert "stores.postgres" in said
    assert "does not ask for TLS" in said
    assert "verify-full" in said
    assert "canary" not in said
    assert "db.example.com" not in said


def run_usage(target, code):
    """Run `narrows usage`, which must end with this exit code; what it says: of what went well, else of why not."""
    result = CliRunner().invoke(main, ["usage", target])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout if code == 0 else result.stderr


def test_usage_of_a_server_that_does_not_answer_is_told_at_once(lunch, tmp_path, monkeypatch, postgres_peer):
    """Whether it is silent or away: what is asked for is told with the key of the settings, and no command hangs."""
    settings = tmp_path / "narrows.toml"
    settings.write_text(settings.read_text().replace("[stores]", '[stores]\nbudgets = "postgres:"'))
    assert run_usage(lunch, code=0).startswith("Nothing that is registered")
    postgres_peer.pause()
    try:
        assert "stores.postgres: it does not answer. Remedy:" in run_usage(lunch, code=2)
    finally:
        postgres_peer.resume()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("LUNCH_POSTGRES", f"postgresql://somebody:hidden-word@127.0.0.1:{port}/lunch")
    said = run_usage(lunch, code=2)
    assert "stores.postgres: it does not answer. Remedy:" in said
    assert "hidden-word" not in said
