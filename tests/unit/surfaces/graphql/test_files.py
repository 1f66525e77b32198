"""Each file of the folder has its declaration, and each declaration its file; both hold on their own."""

from pathlib import Path
from typing import Any

import pytest

from narrows import Bff
from narrows.errors import Refusal, StartRefused
from narrows.surfaces.graphql.documents import make_documents
from narrows.surfaces.graphql.schema import make_schema
from narrows.surfaces.http import Application
from tests.unit.surfaces.graphql.kitchen import DOCUMENT, FACTS, Kitchen, Menu, compiled, make_bff, refused, surface_of
from tests.unit.surfaces.site import make_settings

LUNCH = "query lunch($team: Long!) { few(team_id: $team) }"


def why(bff: Bff) -> list[Refusal]:
    """Why the documents of a BFF do not start."""
    with pytest.raises(StartRefused) as caught:
        make_documents(bff, surface_of(bff), make_schema(bff))
    return list(caught.value.refusals)


def told(found: list[Refusal]) -> list[tuple[str, str]]:
    """Code and subject of each."""
    return [(one.code, one.subject) for one in found]


def test_a_declaration_without_its_file_is_refused_where_it_stands(tmp_path: Path) -> None:
    """There is nothing to run."""
    [found] = why(make_bff(tmp_path, {"lunch": DOCUMENT}))
    assert (found.code, found.subject) == ("document-missing", "cafe.lunch")
    assert "kitchen.py:" in found.where
    assert found.remedy == "write the document into lunch.graphql"


def test_a_file_without_its_declaration_is_refused_at_any_depth(tmp_path: Path) -> None:
    """A document that nobody declared has no roles."""
    (tmp_path / "old").mkdir()
    (tmp_path / "lunch.graphql").write_text(LUNCH, encoding="utf-8")
    (tmp_path / "old" / "lunch.graphql").write_text(LUNCH, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no document", encoding="utf-8")
    first, second = why(make_bff(tmp_path))
    assert told([first, second]) == [("document-undeclared", "cafe.lunch")] * 2
    assert first.remedy.startswith('declare it with bff.document("lunch", ')
    assert second.remedy.startswith(f"move it into {tmp_path}, ")
    assert second.where == f"{tmp_path / 'old' / 'lunch.graphql'}:1"


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "../lunch", "1st", "_own", "x" * 65, "a.b", "lünch", "lunch\n", "a-b", 7]
)
def test_a_name_that_no_path_and_no_policy_could_hold_is_refused(tmp_path: Path, name: Any) -> None:
    """It is never joined to a path of files either."""
    assert [one.code for one in why(make_bff(tmp_path, {name: DOCUMENT}))] == ["document-name"]


def test_two_documents_of_one_name_are_refused_whatever_their_case(tmp_path: Path) -> None:
    """Some file systems would keep one of them only."""
    for name in ("lunch", "Lunch"):
        (tmp_path / f"{name}.graphql").write_text(LUNCH.replace("lunch", name), encoding="utf-8")
    [found] = why(make_bff(tmp_path, {"lunch": DOCUMENT, "Lunch": DOCUMENT}))
    assert (found.code, found.subject) == ("document-twice", "cafe.Lunch")
    assert "is declared at" in found.rule


def test_a_document_named_like_an_endpoint_is_refused(tmp_path: Path) -> None:
    """Both would have one id, and a policy could mean either."""
    (tmp_path / "menu.graphql").write_text("query menu($team: Long!) { few(team_id: $team) }", encoding="utf-8")
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(tmp_path, {"menu": DOCUMENT}), make_settings())
    assert [one.code for one in caught.value.refusals] == ["id-twice"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xef\xbb\xbf" + LUNCH.encode(), "document-bytes"),
        (LUNCH.encode() + b"# \xff", "document-bytes"),
        (LUNCH.encode("utf-16"), "document-bytes"),
        (LUNCH.encode() + b" " * 262_144, "document-too-long"),
    ],
)
def test_bytes_that_do_not_mean_one_text_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    """The hash that names a document is that of its bytes."""
    (tmp_path / "lunch.graphql").write_bytes(content)
    assert [one.code for one in why(make_bff(tmp_path, {"lunch": DOCUMENT}))] == [code]


def test_the_source_is_kept_byte_for_byte(tmp_path: Path) -> None:
    """Line ends and spaces are part of what its hash names."""
    source = "# é\r\nquery lunch($team: Long!) {\r\n\tfew(team_id: $team)  \r\n}\r\n\r\n"
    document = compiled(tmp_path, source).document
    assert document is not None
    assert document.source.encode() == source.encode()


@pytest.mark.parametrize(
    ("guard", "value"),
    [
        ("uses", [Kitchen.menu]),
        ("given", {"menu": Kitchen.menu}),
        ("inside", {"team": (Kitchen.menu, "team")}),
        ("unbound", {"team": "why not"}),
        ("when", [bool]),
        ("roles_from", Kitchen.menu),
        ("problems", []),
    ],
)
def test_guards_that_speak_of_an_endpoints_arguments_are_refused(tmp_path: Path, guard: str, value: Any) -> None:
    """The endpoints of its fields have them, and decide on what its fields ask for."""
    [found] = refused(tmp_path, LUNCH, **{guard: value})
    assert (found.code, found.rule) == ("document-guard", f"`{guard}` is no guard of a document")


def test_the_other_guards_are_those_of_its_endpoint(tmp_path: Path) -> None:
    """A document is held to them like any endpoint."""
    more: dict[str, Any] = {
        "rate": ["5/minute", "9/minute per tenant"],
        "slo": "99.9%",
        "deprecated": "2027-01-01",
        "sunset": "2027-06-01",
        "for_services": True,
        "holes": ["who reads it"],
    }
    made = compiled(tmp_path, LUNCH, **more)
    assert made.rates == ("5/minute", "9/minute per tenant")
    assert (made.slo, made.deprecated, made.sunset) == ("99.9%", "2027-01-01", "2027-06-01")
    assert (made.roles, made.within, made.scope) == (frozenset({"cook"}), "team:{team}", "cafe")
    assert (made.for_services, made.holes) == (True, ("who reads it",))


def test_a_guard_that_is_missing_or_unknown_is_refused_as_of_any_endpoint(tmp_path: Path) -> None:
    """A document without roles, scope or rate does not start."""
    (tmp_path / "lunch.graphql").write_text(LUNCH, encoding="utf-8")
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(tmp_path, {"lunch": {"cachable": True}}), make_settings())
    found = {(one.code, one.subject) for one in caught.value.refusals}
    assert ("guard-unknown", "cafe.lunch") in found
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(tmp_path, {"lunch": {}}), make_settings())
    found = {(one.code, one.subject) for one in caught.value.refusals}
    assert found == {(code, "cafe.lunch") for code in ("roles-missing", "scope-missing", "rate-missing")}


def test_documents_of_a_bff_without_graphql_are_refused() -> None:
    """Nobody could ask for them, and nothing of GraphQL is imported to say so."""
    bff = Bff("cafe", **FACTS)
    bff.document("lunch", roles={"cook"})

    @bff.read("/menu", roles={"cook"}, scope="cafe", rate="1/minute", uses=[])
    async def menu() -> Menu: ...

    with pytest.raises(StartRefused) as caught:
        Application(bff, make_settings())
    [found] = caught.value.refusals
    assert (found.code, found.subject) == ("graphql-missing", "cafe.lunch")
    assert found.where.startswith(f"{__file__}:")


@pytest.mark.parametrize(
    "bounds",
    [{"depth": 0}, {"aliases": -1}, {"tokens": "1000"}, {"depth": True}, {"ceiling": "much"}, {"ceiling": 5}],
    ids=str,
)
def test_bounds_that_bound_nothing_are_refused(tmp_path: Path, bounds: dict[str, Any]) -> None:
    """A bound is a whole number, the ceiling a price."""
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(tmp_path, **bounds), make_settings())
    [found] = caught.value.refusals
    assert (found.code, found.subject) == ("graphql-unclear", "cafe")
    assert found.rule.startswith(f"`{next(iter(bounds))}` is no ")


def test_graphql_that_is_said_twice_is_refused(tmp_path: Path) -> None:
    """The bounds of one would silently replace those of the other."""
    bff = make_bff(tmp_path)
    bff.graphql(queries=str(tmp_path))
    with pytest.raises(StartRefused) as caught:
        Application(bff, make_settings())
    [found] = caught.value.refusals
    assert (found.code, found.subject) == ("graphql-twice", "cafe")
    assert found.where.startswith(f"{__file__}:")
    assert "kitchen.py:" in found.rule


def test_within_of_a_document_that_names_no_variable_is_told_which_there_are(tmp_path: Path) -> None:
    """A document has variables, and nothing that was read before."""
    (tmp_path / "lunch.graphql").write_text(LUNCH, encoding="utf-8")
    (tmp_path / "none.graphql").write_text("query none { __typename }", encoding="utf-8")
    wrong = {**DOCUMENT, "within": "team:{teamId}"}
    with pytest.raises(StartRefused) as caught:
        Application(make_bff(tmp_path, {"lunch": wrong, "none": wrong}), make_settings())
    assert [(one.code, one.subject, one.remedy.rpartition("; ")[2]) for one in caught.value.refusals] == [
        ("within-unclear", "cafe.lunch", "it has: team"),
        ("within-unclear", "cafe.none", "it has: none"),
    ]


@pytest.mark.parametrize(
    ("ceiling", "starts"), [("0.03 EUR", True), ("0.029999 EUR", False), (None, False), ("9.00 CHF", False)]
)
def test_what_a_document_may_cost_is_held_against_the_ceiling(
    tmp_path: Path, ceiling: str | None, starts: bool
) -> None:
    """Each place counts, also one that `@skip` leaves out: three menus of 0.01 EUR."""
    source = """query lunch($team: Long!, $no: Boolean!) {
      menu(team_id: $team) { team } other: menu(team_id: $team) { team } third: menu(team_id: $team) @skip(if: $no)
      { team } few(team_id: $team) }"""
    (tmp_path / "lunch.graphql").write_text(source, encoding="utf-8")
    bff = make_bff(tmp_path, {"lunch": DOCUMENT}, ceiling=ceiling)
    if starts:
        Application(bff, make_settings())
        return
    with pytest.raises(StartRefused) as caught:
        Application(bff, make_settings())
    [found] = caught.value.refusals
    assert (found.code, found.subject) == ("document-ceiling", "cafe.lunch")
    assert found.rule.startswith("one call can cost 0.03 EUR, and ")
    assert found.remedy == 'ask for less, or write bff.graphql(ceiling="0.03 EUR")'
