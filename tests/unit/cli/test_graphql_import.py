"""`narrows graphql import`: what strangers list becomes files and declarations, or is refused whole."""

import hashlib
import json
import sys

import pytest

from narrows.surfaces.graphql import manifest
from narrows.surfaces.graphql.importing import plan_import, write_import
from tests.unit.cli.graphql_lunch import SOUP, run, write_graphql

OTHER = "query Other { lunch { name } }"


def sha(text):
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def apollo(*operations, **over):
    """A manifest of Apollo; each operation a text, or what it says."""
    listed = [
        {"id": sha(SOUP), "name": "Soup", "type": "query", "body": SOUP, **one}
        if isinstance(one, dict)
        else {"id": sha(one), "name": one.split()[1].partition("(")[0], "type": one.split()[0], "body": one}
        for one in operations
    ]
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": listed, **over}


@pytest.fixture
def put(tmp_path):
    """Write a manifest; its path."""

    def written(value):
        path = tmp_path / "manifest.json"
        path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return path

    return written


def test_a_manifest_of_apollo_becomes_files_and_lines(put, tmp_path):
    """Byte for byte, named by the operations; a second time everything stands there already."""
    into = tmp_path / "bffs" / "queries"
    said = run("import", put(apollo(SOUP, OTHER)), "--into", into).splitlines()
    assert said == [
        f"# {into / 'Other.graphql'}: written",
        'bff.document("Other", roles=..., scope=..., rate=...)',
        f"# {into / 'Soup.graphql'}: written",
        'bff.document("Soup", roles=..., scope=..., rate=...)',
    ]
    assert (into / "Soup.graphql").read_bytes() == SOUP.encode()
    again = run("import", put(apollo(SOUP, OTHER)), "--into", into)
    assert again.count("stands there already") == 2


def test_foreign_ids_go_on_by_the_declaration(put, tmp_path):
    """Those of Relay stand in the line; one document under two of them is one; a hash needs none."""
    ids = ["0123456789abcdef0123456789abcdef", "second"]
    rows = json.loads(
        run("import", put({ids[0]: SOUP, ids[1]: SOUP, sha(OTHER): OTHER}), "--into", tmp_path, "--format", "json")
    )
    assert [(row["name"], row["ids"], row["new"]) for row in rows] == [("Other", [], True), ("Soup", ids, True)]
    said = run("import", put({ids[0]: SOUP}), "--into", tmp_path)
    assert f'bff.document("Soup", ids=["{ids[0]}"], roles=..., scope=..., rate=...)' in said


def test_a_line_as_it_is_printed_does_not_start(put, tmp_path, monkeypatch):
    """What it leaves open is the team's to say."""
    target = write_graphql(tmp_path, "graphql_imported", monkeypatch)
    said = run("import", put({"old": SOUP}), "--into", tmp_path / "queries")
    module = tmp_path / "graphql_imported.py"
    declared = module.read_text()
    module.write_text(f"{declared}\n{said.splitlines()[1]}\n")
    with pytest.raises(AssertionError, match="Soup"):
        run("manifest", target, "--format", "relay", code=1)


def test_a_folder_of_documents_is_taken_over(tmp_path):
    """At any depth; each is named by its operation."""
    folder = tmp_path / "client" / "deep"
    folder.mkdir(parents=True)
    (folder / "soup.graphql").write_text(SOUP)
    (folder.parent / "lunch.graphql").write_text(OTHER)
    run("import", tmp_path / "client", "--into", tmp_path / "queries")
    assert sorted(file.name for file in (tmp_path / "queries").iterdir()) == ["Other.graphql", "Soup.graphql"]


def test_an_empty_manifest_is_told(put, tmp_path):
    """Nothing is written, and that is no fault."""
    assert run("import", put({}), "--into", tmp_path / "queries") == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"\xff", "it is not UTF-8"),
        (b"{", "no manifest (Expecting property name"),
        (b"[" * 100_000, "no manifest (nested too deep)"),
        (b"[]", "no JSON object"),
        (b'{"a": "{ a }", "a": "{ b }"}', "'a' stands there twice"),
        ({"a": 7}, "the value of 'a' is no text"),
        (apollo(format="other"), "no manifest of Apollo in its version 1"),
        (apollo(version=2), "no manifest of Apollo in its version 1"),
        (apollo({"body": 7}), "no manifest of Apollo in its version 1"),
        (apollo({"type": "any"}), "no manifest of Apollo in its version 1"),
        (apollo({"body": SOUP + " "}), "operations[0]: its id is a SHA-256, and not that of its text"),
        (apollo({"id": sha(SOUP).upper()}), "its id is a SHA-256, and not that of its text"),
        (apollo({"id": "../../x"}), "its id is none: '../../x'"),
        (apollo({"name": "Soups"}), "it is listed as 'Soups' and is Soup"),
        (apollo({"type": "mutation"}), "it is listed as a mutation and is a query"),
        ({"a": "query A { a } query B { b }"}, "it is not one query or one mutation"),
        ({"a": "subscription A { a }"}, "it is not one query or one mutation"),
        ({"a": "fragment A on B { a }"}, "it is not one query or one mutation"),
        ({"a": "{ a }"}, "'' is no name for a document"),
        ({"a": "query _A { a }"}, "'_A' is no name for a document"),
        ({"a": f"query {'a' * 65} {{ a }}"}, "is no name for a document"),
        ({"a": "query A {"}, "it is no GraphQL (Syntax Error"),
        ({"a": "query A " + "{a" * 9000}, "Document is nested too deeply"),
        ({"a": "\ufeffquery A { a }"}, "or begins with a byte order mark"),
        ({"a": "query A { a } #" + "a" * 256 * 1024}, "it is longer than 262144 bytes"),
        (b'{"a": "query A { a(b: \\"\\ud800\\") }"}', "it holds half a character"),
        ({"a": "query A { a }", "b": "query A { b }"}, "entry 1: another document is called A"),
        ({"a": "query A { a }", "b": "query a { b }"}, "it differs from A in case alone"),
        ({str(n): f"query A{n} {{ a }}" for n in range(2001)}, "it lists more than 2000 documents"),
    ],
)
def test_what_a_stranger_wrote_is_refused_whole(put, tmp_path, value, said):
    """Each fault is told with its place, and nothing is written."""
    assert said in run("import", put(value), "--into", tmp_path / "queries", code=2)
    assert not (tmp_path / "queries").exists()


def test_an_id_of_two_documents_is_refused(put, tmp_path):
    """Nobody could tell which is meant."""
    value = apollo({"id": "one"}, {"id": "one", "name": "Other", "body": OTHER})
    assert "'one' is the id of Soup too" in run("import", put(value), "--into", tmp_path, code=2)


def test_every_fault_is_told_at_once(put, tmp_path):
    """So that whoever wrote it need not come back for each."""
    said = run("import", put({"a": "{", "b": "query B { b }", "c": "x"}), "--into", tmp_path / "queries", code=2)
    assert "entry 0: " in said
    assert "entry 1: " not in said
    assert "entry 2: " in said


def test_no_file_is_written_over(put, tmp_path):
    """Neither another document, nor through a link, nor a folder; and nothing else of it is written."""
    into = tmp_path / "queries"
    into.mkdir()
    for name in ("Soup", "Other"):
        (into / "Soup.graphql").write_text(OTHER)
        assert "something else stands there" in run("import", put(apollo(SOUP, OTHER)), "--into", into, code=2)
        assert not (into / "Other.graphql").exists(), name
    (into / "Soup.graphql").unlink()
    (into / "Soup.graphql").symlink_to(tmp_path / "elsewhere.graphql")
    assert "something else stands there" in run("import", put(apollo(SOUP)), "--into", into, code=2)
    assert not (tmp_path / "elsewhere.graphql").exists()
    (into / "Soup.graphql").unlink()
    (into / "Soup.graphql").mkdir()
    assert "something else stands there" in run("import", put(apollo(SOUP)), "--into", into, code=2)


def test_a_folder_that_cannot_be_written_is_told(put, tmp_path):
    """With what stands in the way."""
    (tmp_path / "queries").write_text("")
    said = run("import", put(apollo(SOUP)), "--into", tmp_path / "queries" / "deep", code=2)
    assert "cannot be written" in said


def test_what_comes_in_between_leaves_nothing_half_done(put, tmp_path):
    """Somebody else writes a file while they are written: those that were are taken back, and theirs stays."""
    found = plan_import(manifest.read(put(apollo(SOUP, OTHER))), tmp_path)
    (tmp_path / "Soup.graphql").write_text("theirs")
    with pytest.raises(manifest.ManifestError, match=r"Soup\.graphql: cannot be written"):
        write_import(found, tmp_path)
    assert not (tmp_path / "Other.graphql").exists()
    assert (tmp_path / "Soup.graphql").read_text() == "theirs"


def test_links_in_a_folder_are_not_followed(tmp_path):
    """They may lead to any file."""
    folder = tmp_path / "client"
    folder.mkdir()
    (tmp_path / "secret").write_text(SOUP)
    (folder / "soup.graphql").symlink_to(tmp_path / "secret")
    assert "it is a link, or no file" in run("import", folder, "--into", tmp_path / "queries", code=2)


def test_bounds_are_kept(put, tmp_path, monkeypatch):
    """Of a file, and of a folder."""
    monkeypatch.setattr(manifest, "MOST_BYTES", 10)
    assert "it is longer than 10 bytes" in run("import", put({"a": SOUP}), "--into", tmp_path, code=2)
    monkeypatch.setattr(manifest, "MOST", 1)
    folder = tmp_path / "client"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.graphql").write_text(f"query {name} {{ a }}")
    assert "it holds more than 1 documents" in run("import", folder, "--into", tmp_path, code=2)


def test_without_the_extra_it_says_what_to_install(put, tmp_path, monkeypatch):
    """And writes nothing."""
    monkeypatch.setitem(sys.modules, "narrows.surfaces.graphql.schema", None)
    assert "pip install 'narrows[graphql]'" in run("import", put(apollo({})), "--into", tmp_path / "queries", code=2)
    assert not (tmp_path / "queries").exists()


def test_a_folder_is_bounded_as_a_manifest_is(tmp_path, monkeypatch):
    """Many files, each of them small enough, would fill the memory: their sizes count together."""
    monkeypatch.setattr(manifest, "MOST_BYTES", 40)
    given = tmp_path / "given"
    given.mkdir()
    for name in "abc":
        (given / f"{name}.graphql").write_text(f"query {name} {{ a }}\n")
    said = run("import", given, "--into", tmp_path / "queries", code=2)
    assert f"{given}: its documents are longer than 40 bytes together" in said
    assert not (tmp_path / "queries").exists()
