"""`narrows telemetry`: rules and a dashboard on standard output."""

import json

import pytest
import yaml
from click.testing import CliRunner

from narrows.cli import main

TARGET = "bffs.where2eat.app:bff"


@pytest.mark.parametrize("job", [(), ("--job", "lunch")])
def test_rules_are_printed(job):
    """As YAML that begins with how it was made."""
    done = CliRunner().invoke(main, ["telemetry", "rules", TARGET, *job])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("# Made by `narrows telemetry rules` from the declarations of where2eat 1.0.0;")
    assert [group["name"] for group in yaml.safe_load(done.output)["groups"]][-1] == "narrows-where2eat"
    assert ('job="lunch"' in done.output) == bool(job)


def test_a_dashboard_is_printed():
    """As JSON that Grafana imports."""
    done = CliRunner().invoke(main, ["telemetry", "dashboard", TARGET])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["title"] == "Narrows: where2eat"


def test_no_secret_is_read(monkeypatch):
    """Neither is needed to write rules, nor is it in them."""
    monkeypatch.setenv("WHERE2EAT_CLIENT_SECRET", "canary-7f3a")
    for kind in ("rules", "dashboard"):
        assert "canary" not in CliRunner().invoke(main, ["telemetry", kind, TARGET]).output
    monkeypatch.delenv("WHERE2EAT_CLIENT_SECRET")
    assert CliRunner().invoke(main, ["telemetry", "rules", TARGET]).exit_code == 0
