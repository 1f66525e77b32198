"""`narrows graphql`: schema and manifests are what the declarations say, and the same each time."""

import hashlib
import json

import pytest
from graphql import build_schema

from tests.unit.cli.graphql_lunch import SOUP, run, write_graphql
from tests.unit.cli.lunch import write_lunch

PIE = 'mutation Pie { order(order: { name: "pie" }) { name } }\n'


@pytest.fixture
def lunch(tmp_path, monkeypatch, request):
    """The target of a BFF with two documents."""
    return write_graphql(tmp_path, f"graphql_{abs(hash(request.node.name))}", monkeypatch, Soup=SOUP, Pie=PIE)


def test_the_schema_is_printed_and_kept_in_a_file(lunch, tmp_path):
    """As text that makes the same schema again."""
    printed = run("schema", lunch)
    assert set(build_schema(printed).query_type.fields) == {"lunch", "served"}
    assert run("schema", lunch, "--out", tmp_path / "schema.graphql") == ""
    assert (tmp_path / "schema.graphql").read_text(encoding="utf-8") == printed


def test_the_manifest_of_apollo_lists_documents_by_their_hashes(lunch, tmp_path):
    """Id, name, type and text of each."""
    manifest = json.loads(run("manifest", lunch, "--format", "apollo"))
    assert (manifest["format"], manifest["version"]) == ("apollo-persisted-query-manifest", 1)
    assert {one["id"]: (one["name"], one["type"], one["body"]) for one in manifest["operations"]} == {
        hashlib.sha256(SOUP.encode()).hexdigest(): ("Soup", "query", SOUP),
        hashlib.sha256(PIE.encode()).hexdigest(): ("Pie", "mutation", PIE),
    }


def test_the_manifest_of_relay_leads_from_hashes_to_texts(lunch, tmp_path):
    """And is the same each time, byte for byte."""
    out = tmp_path / "manifest.json"
    assert run("manifest", lunch, "--format", "relay", "--out", out) == f"{out}: 2 documents.\n"
    first = out.read_bytes()
    assert json.loads(first) == {hashlib.sha256(text.encode()).hexdigest(): text for text in (SOUP, PIE)}
    run("manifest", lunch, "--format", "relay", "--out", out)
    assert out.read_bytes() == first


@pytest.mark.parametrize("form", ["apollo", "relay"])
def test_a_manifest_leads_back_to_the_same_files(lunch, tmp_path, form):
    """Nothing is written, because every document stands there already, and none needs an id of its own."""
    out = tmp_path / "manifest.json"
    run("manifest", lunch, "--format", form, "--out", out)
    rows = json.loads(run("import", out, "--into", tmp_path / "queries", "--format", "json"))
    assert [(row["name"], row["ids"], row["new"]) for row in rows] == [("Pie", [], False), ("Soup", [], False)]


def test_what_cannot_be_done_is_said(lunch, tmp_path):
    """A BFF without GraphQL, a folder that is not there, and documents that do not hold."""
    assert "cannot be written" in run("schema", lunch, "--out", tmp_path / "none" / "schema.graphql", code=2)
    (tmp_path / "queries" / "Soup.graphql").write_text("query Soup { nothing }")
    assert "Cannot query field 'nothing'" in run("manifest", lunch, "--format", "relay", code=2)
    write_lunch(tmp_path, "graphql_without")
    assert "lunch answers no GraphQL" in run("schema", "graphql_without:bff", code=2)
    assert "lunch answers no GraphQL" in run("manifest", "graphql_without:bff", "--format", "relay", code=2)
