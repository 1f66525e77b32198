"""`narrows graphql check`: which documents a change breaks, who used them lately, and what was sent that is none."""

import json
import re

import pytest
from click.testing import CliRunner

from narrows.audit.events import Event
from narrows.cli import main
from tests.unit.cli.graphql_lunch import SOUP, call, keep, run, write_graphql

PIE = "query Pie {\n  lunch { name }\n}\n"
SHA = "1" * 64


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF with two documents, and its schema in a file."""
    target = write_graphql(tmp_path, f"check_{abs(hash(request.node.name))}", monkeypatch, Soup=SOUP, Pie=PIE)
    run("schema", target, "--out", tmp_path / "schema.graphql")
    return target


@pytest.fixture
def changed(tmp_path):
    """Write the schema with a change of it; the file."""

    def written(old, new):
        text = (tmp_path / "schema.graphql").read_text(encoding="utf-8")
        assert old in text
        (tmp_path / "changed.graphql").write_text(text.replace(old, new), encoding="utf-8")
        return tmp_path / "changed.graphql"

    return written


def test_what_fits_is_told_as_such(lunch, tmp_path):
    """Against the own schema, and against one that was saved and is the same."""
    assert run("check", lunch) == "2 documents: ok\n"
    assert run("check", lunch, "--before", tmp_path / "schema.graphql") == "2 documents: ok\n"
    assert json.loads(run("check", lunch, "--after", tmp_path / "schema.graphql", "--format", "json"))["ok"]


def test_a_planned_change_tells_what_it_would_break(lunch, changed):
    """With file and line, and the exit code of other checks."""
    planned = changed("served(size: Int!)", "serving(size: Int!)")
    said = run("check", lunch, "--after", planned, code=1).splitlines()
    assert said[0] == "schema: Field Query.served was removed."
    assert said[1].startswith("queries/Soup.graphql:3: lunch.Soup: Cannot query field 'served' on type 'Query'")
    assert said[-1] == "2 documents: 1 broken"


def test_a_change_since_a_saved_schema_tells_what_it_broke(lunch, changed):
    """The documents still fit, and their answers are of another type."""
    saved = changed("served(size: Int!): Int!", "served(size: Int!): String!")
    told = json.loads(run("check", lunch, "--before", saved, "--format", "json", code=1))
    change = "Field Query.served changed type from String! to Int!."
    assert told["changes"] == [{"said": change, "breaking": True}]
    faults = {row["document"]: row["faults"] for row in told["documents"]}
    assert faults == {"lunch.Soup": [{"line": 3, "said": change}], "lunch.Pie": []}


def test_a_change_that_breaks_nobody_for_certain_is_told(lunch, changed):
    """And the documents are well."""
    planned = changed("served(size: Int!)", "served(size: Int!, more: Int)")
    said = run("check", lunch, "--after", planned)
    assert "(this breaks nobody for certain)" in said


def test_who_used_a_document_lately_is_told(lunch, changed):
    """Count, last time and last version of each program; and documents that are registered no more."""
    keep(
        lunch,
        call("lunch.Soup", time="2026-01-01T00:00:00.000Z"),
        call("lunch.Soup"),
        call("lunch.Soup", time="2026-11-25T11:00:00.000Z", connector_version="1.0+2"),
        call("lunch.Soup", "copilot"),
        call("lunch.Soup", None),
        call("lunch.lunch", way="rest"),
        call("lunch.served"),
        call("other.Gone", bff="other"),
        call("narrows.graphql"),
        call("lunch.Gone"),
        call("lunch.Elsewhere", way="rest"),
    )
    planned = changed("served(size: Int!)", "serving(size: Int!)")
    arguments = ("check", lunch, "--after", planned, "--since", "2026-11-01")
    rows = {one["document"]: one for one in json.loads(run(*arguments, "--format", "json", code=1))["documents"]}
    assert set(rows) == {"lunch.Soup", "lunch.Pie", "lunch.Gone"}
    assert rows["lunch.Soup"]["used"] == [
        {"connector": None, "version": None, "calls": 1, "last": "2026-11-25T10:00:00.000Z"},
        {"connector": "copilot", "version": "1.0+1", "calls": 1, "last": "2026-11-25T10:00:00.000Z"},
        {"connector": "page", "version": "1.0+2", "calls": 2, "last": "2026-11-25T11:00:00.000Z"},
    ]
    assert rows["lunch.Pie"]["used"] == []
    assert rows["lunch.Gone"]["faults"] == [{"line": None, "said": "it is registered no more"}]
    said = run(*arguments, code=1)
    assert "    lunch.Soup was used by page 1.0+2: 2 calls, last 2026-11-25T11:00:00.000Z\n" in said
    assert "    lunch.Soup was used by nobody registered: 1 calls" in said
    assert "\nlunch.Gone: it is registered no more\n" in said
    assert said.endswith("3 documents: 2 broken\n")


def test_since_may_be_a_span(lunch):
    """Of hours, days or weeks; anything else is refused with what to write."""
    keep(lunch, call("lunch.Gone", time="2020-01-01T00:00:00.000Z"))
    for span in ("12h", "30d", "2w"):
        assert run("check", lunch, "--since", span) == "2 documents: ok\n"
    for span in ("0d", "30", "d", "99999d", "yesterday"):
        assert "write 30d, 12h or 2w; or write it in UTC" in run("check", lunch, "--since", span, code=2)


def test_what_cannot_be_checked_is_said(lunch, tmp_path):
    """Two changes at once, a schema that is none, and a document that is not there."""
    schema = tmp_path / "schema.graphql"
    assert "Give one of them" in run("check", lunch, "--before", schema, "--after", schema, code=2)
    (tmp_path / "none.graphql").write_text("type")
    assert "none.graphql: no schema" in run("check", lunch, "--after", tmp_path / "none.graphql", code=2)
    (tmp_path / "queries" / "Pie.graphql").unlink()
    assert "Pie.graphql: cannot be read" in run("check", lunch, code=2)


def sent(**over):
    """The event of a text that was sent."""
    fields = {
        "time": "2026-11-25T10:00:00.000Z",
        "event": "document",
        "what": "unknown",
        "bff": "lunch",
        "connector": "page",
        "connector_version": "1.0+1",
        "digest": SHA,
        "operation": "Mine",
        "shape": ("query Mine{a(b:", '"")}'),
    }
    return Event(**{**fields, **over})


def test_what_connectors_sent_that_is_no_document_is_told(lunch):
    """The most sent first; by whom, how often, and what it asks for."""
    keep(
        lunch,
        sent(connector="copilot"),
        sent(),
        sent(time="2026-11-25T11:00:00.000Z", connector_version="1.0+2"),
        sent(digest="2" * 64, what="layout", endpoint="lunch.Soup"),
        sent(digest="3" * 64, what="unreadable", operation=None, shape=()),
        sent(time="2020-01-01T00:00:00.000Z"),
        call("lunch.Soup"),
    )
    said = run("unknown", lunch, "--since", "2026-11-01").splitlines()
    assert said[:3] == [
        "Mine: 2 times by page 1.0+2, last 2026-11-25T11:00:00.000Z",
        f"    sha256:{SHA}",
        '    query Mine{a(b:"")}',
    ]
    assert "    it is lunch.Soup in another layout: let the program send its id" in said
    assert said[-3].startswith("without a name: 1 times by page")
    assert said[-1] == "    it is no GraphQL, or longer than a document may be"
    shown = CliRunner().invoke(main, ["audit", "search", lunch, "--event", "document", "--connector", "copilot"])
    assert 'shape             query Mine{a(b:"")}' in shown.stdout
    rows = json.loads(run("unknown", lunch, "--since", "2026-11-01", "--connector", "copilot", "--format", "json"))
    assert [(row["connector"], row["count"], row["sha256"]) for row in rows] == [("copilot", 1, SHA)]


def test_a_log_without_unknown_documents_says_so(lunch):
    """With the exit code of a search that finds nothing; a record that somebody changed is shown harmlessly."""
    keep(lunch, call("lunch.Soup"))
    assert run("unknown", lunch, code=1) == ""
    keep(lunch, sent(time="2999-01-01T00:00:00.000Z", operation="A\x1b[2J", shape=("\u202e",)))
    said = run("unknown", lunch)
    assert not re.search("[\x1b\u202e]", said)
