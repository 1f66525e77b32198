"""Manifests of strangers: whatever stands in them, they become documents or are refused in words."""

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from narrows.surfaces.graphql.importing import plan_import, write_import
from narrows.surfaces.graphql.manifest import APOLLO, ManifestError, read

TEXT = st.text(max_size=40) | st.sampled_from(
    ["query A { a }", "query B { b }", "query a { a }", "mutation A { a }", "{ a }", "../x", "a" * 64, "query", "A"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda one: st.lists(one) | st.dictionaries(TEXT, one)
)
OPERATION = st.fixed_dictionaries(
    {"id": TEXT, "name": TEXT, "body": TEXT, "type": st.sampled_from(["query", "mutation", "subscription", "x"])}
)
MANIFESTS = st.one_of(
    ANY,
    st.dictionaries(TEXT, TEXT, max_size=4),
    st.fixed_dictionaries({"format": st.just(APOLLO), "version": st.just(1), "operations": st.lists(OPERATION)}),
)


@given(MANIFESTS)
def test_whatever_a_manifest_holds_it_is_taken_or_refused_in_words(value):
    """And what is taken lies in the folder, byte for byte, and nowhere else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manifest.json").write_text(json.dumps(value))
        found, told = [], "Remedy: "
        try:
            found = plan_import(read(folder / "manifest.json"), folder / "queries")
            write_import(found, folder / "queries")
        except ManifestError as error:
            told = str(error)
        assert all("Remedy: " in line and line.isprintable() for line in told.splitlines())
        files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
        assert files == {"manifest.json", *(f"queries/{one.name}.graphql" for one in found)}
        for one in found:
            assert one.file.read_bytes() == one.body.encode()
