"""`narrows openapi`: the contract on standard output."""

import json

from click.testing import CliRunner

from narrows.cli import main
from tests.unit.cli.lunch import write_lunch


def test_the_document_is_printed_without_a_server(tmp_path):
    """The contract can be had in a build, where there is no issuer and no network."""
    write_lunch(tmp_path, "lunch_contract")
    result = CliRunner().invoke(main, ["openapi", "lunch_contract:bff"])
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert document["openapi"].startswith("3.1")
    assert "/lunch" in document["paths"]


def test_what_would_not_start_has_no_contract(tmp_path):
    """Every reason is listed with its remedy, and the exit code tells a build to stop."""
    write_lunch(tmp_path, "lunch_unready", more='bare = Bff("bare")\n')
    result = CliRunner().invoke(main, ["openapi", "lunch_unready:bare"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "bare: the BFF does not say its owner [fact-missing]\n    remedy: add owner=" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_secret_is_needed_for_a_contract(tmp_path):
    """Neither of a BFF nor of its stores; an application that is made has read its settings already."""
    settings = write_lunch(tmp_path, "lunch_secret", more="from narrows import app, load_settings\nmade = app(bff)\n")
    before = settings.read_text()
    assert CliRunner().invoke(main, ["openapi", "lunch_secret:made"]).exit_code == 0
    settings.write_text(before + '[stores]\nrehearsals = "sqlite:r.db"\nkey = { env = "NOBODY_SETS_THIS" }\n')
    assert CliRunner().invoke(main, ["openapi", "lunch_secret:bff"]).exit_code == 0
    assert not (tmp_path / "r.db").exists()
