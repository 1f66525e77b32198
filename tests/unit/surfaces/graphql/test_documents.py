"""Documents become endpoints at start, and what does not hold is refused with its place."""

import hashlib
from pathlib import Path

import pytest

from narrows.surfaces.http import Application
from tests.unit.surfaces.graphql.kitchen import DOCUMENT, compiled, make_bff, refused
from tests.unit.surfaces.site import make_settings, site

LUNCH = """# What a team eats.
#
# The best first.
query lunch($team: Long!) {
  menu(team_id: $team) { best { name } dishes { name cook { name } } }
}
"""


def test_a_document_is_an_endpoint_of_its_own(tmp_path: Path):
    """Its id, path, method, words, hash and fields follow from its file."""
    made = compiled(tmp_path, LUNCH)
    assert (made.id, made.kind, made.method, made.path) == ("cafe.lunch", "read", "GET", "/graphql/lunch")
    assert (made.summary, made.description) == ("What a team eats.", "What a team eats.\n\nThe best first.")
    assert made.document is not None
    assert made.document.sha256 == hashlib.sha256(LUNCH.encode()).hexdigest()
    assert [(field.endpoint, field.times) for field in made.document.fields] == [("cafe.menu", 1)]
    assert made.document.source == LUNCH


def test_a_mutation_is_a_write(tmp_path: Path):
    """It is sent by POST, and takes all that holds for writes."""
    made = compiled(
        tmp_path, "mutation lunch($team: Long!, $order: OrderInput!) { order(team_id: $team, order: $order) { size } }"
    )
    assert (made.kind, made.method) == ("write", "POST")
    assert made.document is not None
    assert made.document.operation == "mutation"


def test_documents_that_differ_in_spaces_alone_have_one_normalised_hash(tmp_path: Path):
    """A report may say that two hashes are one document; the hash that names it is that of its bytes."""
    wide = compiled(tmp_path, "# a\nquery lunch($team: Long!) {\n\n menu(team_id: $team) { team } }").document
    tight = compiled(tmp_path, "query lunch($team:Long!){menu(team_id:$team){team}}").document
    assert wide is not None
    assert tight is not None
    assert wide.normalised == tight.normalised
    assert wide.sha256 != tight.sha256


@pytest.mark.parametrize(
    ("source", "code", "place"),
    [
        ("query lunch($team: Long!) {\n  menu(team_id: $team) {", "document-invalid", ":2:25"),
        ("query lunch($team: Long!) {\n  nothing(team_id: $team) }", "document-invalid", ":2:3"),
        ("query lunch($team: Long!) { menu(team_id: $team) { recipe } }", "document-invalid", ":1:52"),
        ("query lunch($team: Long!, $more: Long) { menu(team_id: $team) { team } }", "document-invalid", ":1:27"),
        ("query lunch($team: Long!) { menu(team_id: $team) { } }", "document-invalid", ":1:52"),
        ("query other { menu(team_id: 7) { team } }", "document-operation", ":1:1"),
        ("{ menu(team_id: 7) { team } }", "document-operation", ":1:1"),
        ("query lunch { few(team_id: 7) } query b { few(team_id: 7) }", "document-operation", ":1:1"),
        ("fragment F on Menu { team }", "document-operation", ":1:1"),
        ("subscription lunch { menu(team_id: 7) { team } }", "document-operation", ":1:1"),
        ("query lunch { menu(team_id: 7) { team } } type Menu { team: Int }", "document-operation", ":1:43"),
        ("query lunch { menu(team_id: 7) { ...A } } fragment A on Menu { team ...B } fragment B on Menu { ...A }",
         "document-invalid", ":1:97"),
        ("query lunch { menu(team_id: 7) { ...Gone } }", "document-invalid", ":1:37"),
        ("query lunch { __schema { types { name } } }", "document-invalid", ":1:15"),
        ("", "document-invalid", ":1:1"),
    ],
)  # fmt: skip
def test_a_document_that_is_not_sound_is_refused_at_its_place(tmp_path: Path, source: str, code: str, place: str):
    """File, line and column, with a code that never changes."""
    found = refused(tmp_path, source, within="team:7")
    assert [(one.code, one.where) for one in found][:1] == [(code, f"{tmp_path / 'lunch.graphql'}{place}")]


def test_all_documents_and_endpoints_are_refused_at_once(tmp_path: Path):
    """Whoever starts a BFF reads every reason in one go."""
    (tmp_path / "lunch.graphql").write_text("query lunch {", encoding="utf-8")
    (tmp_path / "forgotten.graphql").write_text("query forgotten {", encoding="utf-8")
    bff = make_bff(tmp_path, {"lunch": DOCUMENT, "gone": DOCUMENT})
    bff.owner = None
    with pytest.raises(Exception, match="not safe to start") as caught:
        Application(bff, make_settings())
    codes = {refusal.code for refusal in caught.value.refusals}  # type: ignore[attr-defined]
    assert codes >= {"fact-missing", "document-invalid", "document-missing", "document-undeclared"}


async def test_a_document_answers_what_it_selects(tmp_path: Path):
    """One request, one pipeline, and no field that it does not name."""
    (tmp_path / "lunch.graphql").write_text(
        "query lunch($team: Long!) { dishes(team_id: $team) { title: name price cook { name } } few(team_id: $team) }",
        encoding="utf-8",
    )
    async with site(bff=make_bff(tmp_path, {"lunch": DOCUMENT})) as cafe:
        got = await cafe.ask('/graphql/lunch?variables={"team":7}')
    assert got.status == 200, got.json
    assert got.json == {
        "data": {
            "dishes": [
                {"title": "soup", "price": "2.50", "cook": {"name": "Carla"}},
                {"title": "pie", "price": "9.00", "cook": {"name": "Carla"}},
            ],
            "few": 1,
        }
    }
