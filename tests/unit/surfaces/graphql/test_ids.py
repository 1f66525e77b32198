"""Ids of documents: a hash is reckoned, a name is declared, and the ids that programs knew before go on."""

import msgspec
import pytest

from narrows import Bff
from narrows.declare.document import Document
from narrows.surfaces.graphql.ids import by_id, id_refusals
from tests.unit.pipeline import calls


async def of(team_id: int) -> calls.Team:
    """A team."""
    return calls.Team(id=team_id)


def test_a_document_is_found_by_every_id_of_it():
    """By its hash, its name, and what its declaration adds; what is no document is not found."""
    plain = calls.declared(of)
    document = Document(
        name="mine", source="{a}", sha256="0" * 64, operation="query", variables=msgspec.Struct, ids=("old", "older")
    )
    made = msgspec.structs.replace(plain, id="lunch.mine", document=document)
    found = by_id([plain, made])
    assert set(found) == {"mine", "sha256:" + "0" * 64, "old", "older"}
    assert set(map(id, found.values())) == {id(made)}


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ("abc", "ids='abc' is no list"),
        (["a:b"], "'a:b' is no id"),
        ([""], "'' is no id"),
        (["a" * 129], "is no id"),
        ([7], "7 is no id"),
        (["é"], "'é' is no id"),
        (["A" * 64], "which is reckoned and never declared"),
        (["other"], "'other' is a name or an id of other already"),
        (["taken"], "'taken' is a name or an id of other already"),
        (["mine"], "'mine' is a name or an id of mine already"),
        (["one", "one"], "'one' is a name or an id of mine already"),
    ],
)
def test_an_id_that_is_none_is_refused_with_its_place(ids, said):
    """One that another document has, one in the form of a hash, and one that no address takes."""
    bff = Bff("lunch")
    bff.document("other", ids=["taken", "0" * 32])
    bff.document("mine", ids=ids)
    [refusal] = id_refusals(bff)
    assert said in refusal.rule
    assert (refusal.code, refusal.subject) == ("document-id", "lunch.mine")
    assert refusal.where.rpartition(":")[0] == __file__
