from datetime import date
from typing import Annotated

import pytest
from msgspec import Meta

from narrows import Bff, Id, NumberId
from narrows.devkit.dev.issuers import scopes_of
from narrows.devkit.dev.people import people_of, places_of
from narrows.settings import RoleClaim
from tests.flow.minimal import FACTS
from tests.unit.devkit.dev.trial import make_trial


def claim(role, domain, name="teams", value=None):
    """How an issuer grants a role."""
    return RoleClaim(claim=name, role=role, domain=domain, value=value)


def bff_of(kind, within="team:{team_id}", roles=("member",)):
    """A BFF of one endpoint whose team has an id of some type."""
    bff = Bff("lunch", **FACTS)

    @bff.read("/teams/{team_id}", roles=set(roles), within=within, scope="s", uses=[], rate="1/minute")
    async def team(team_id: kind) -> None:
        """A team."""

    return bff


@pytest.mark.parametrize(
    ("kind", "here", "value"),
    [
        (NumberId, "7", 7),
        (Id, "7", "7"),
        (Annotated[str, Meta(pattern=r"^team-[0-9]$")], "team-7", "team-7"),
    ],
)
def test_the_object_of_a_domain_is_of_its_declared_type(kind, here, value):
    """The id that the form begins with is one that the endpoint takes."""
    places = places_of(bff_of(kind))
    assert (places.here["team"], places.fields) == (here, {"team_id": value})
    assert places.there["team"] != here


def test_a_type_that_takes_no_ready_value_is_asked_for_one():
    """A made value stands where no simple one holds."""
    places = places_of(bff_of(date))
    assert date.fromisoformat(places.here["team"]) == places.fields["team_id"]
    assert places_of(bff_of(Annotated[str, Meta(pattern=r"^(?=x)\d+$")])).here["team"] == "7"
    whole = places_of(bff_of(Annotated[int, Meta(ge=1000)]))
    assert int(whole.here["team"]) == whole.fields["team_id"] >= 1000


def test_people_hold_what_the_claims_of_the_issuer_grant():
    """The token of a holder says it in the words of the settings; a stranger's says nothing."""
    bff = bff_of(NumberId, roles=("member", "Head of team"))
    claims = [claim("member", "team:{value}"), claim("Head of team", "team:t-{value}", "heads"),
              claim("member", "bff:lunch", "staff"), claim("other", "team:{value}", "others")]  # fmt: skip
    people = {one.name: one for one in people_of(bff, claims, places_of(bff, claims))}
    assert people["member"].claims == {"teams": ["7"]}
    assert people["head-of-team"].claims == {"heads": ["7"]}
    assert people["neighbour"].claims == {"teams": ["8"], "heads": ["8"]}
    assert (people["stranger"].claims, people["stranger"].holds) == ({}, [])


def test_a_fixed_domain_or_value_of_a_claim_is_kept():
    """Where the settings name one team, the holder is of that team."""
    claims = [claim("member", "team:42", "groups", "staff")]
    bff = bff_of(NumberId)
    places = places_of(bff, claims)
    assert places.here["team"] == "42"
    assert people_of(bff, claims, places)[0].claims == {"groups": ["staff"]}


def test_without_an_object_there_is_nobody_next_door():
    """A role in the whole BFF has no other domain."""
    bff = bff_of(NumberId, within=None, roles=("!",))
    people = people_of(bff, [claim("!", "bff:lunch")], places_of(bff))
    assert [one.name for one in people] == ["holder", "stranger"]


def test_what_the_start_will_refuse_makes_no_fault_here():
    """A domain that names nothing is for the start to tell."""
    for within in ("team:{nothing}", "team:{given.field}"):
        assert places_of(bff_of(NumberId, within=within)).here["team"] == "7"


def test_documents_have_people_too():
    """Who may call a document alone is there, also in a domain that no endpoint has."""
    bff = bff_of(NumberId)
    bff.document("mine", roles={"guest"}, within="table:{table_id}", scope="tables")
    bff.document("all", roles={"host"})
    bff.document("nothing", within="team:{team_id}")
    places = places_of(bff)
    assert (places.here["table"], places.there["table"], places.here["bff"]) == ("7", "8", "lunch")
    assert {one.name: one.holds for one in people_of(bff, [], places)} == {
        "guest": ["guest in table:7"],
        "host": ["host in bff:lunch"],
        "member": ["member in team:7"],
        "neighbour": ["guest in table:8", "host in bff:lunch", "member in team:8"],
        "stranger": [],
    }
    assert scopes_of(bff) == {"s": "A team.", "tables": "Ask by the document mine"}


def test_the_objects_of_reads_are_of_the_same_places():
    """`{booking.team_id}` is the same team as `{team_id}`."""
    assert places_of(make_trial()).fields == {"team_id": 7}
