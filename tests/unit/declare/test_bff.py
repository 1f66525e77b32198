from pathlib import Path

import pytest

from narrows import Answer, Bff, Id, Narrow, Problem, Upstream, read
from narrows.declare.endpoint import counts


class Team(Narrow):
    """A team."""

    id: Id


class Gone(Problem):
    """It is not there any more."""

    status = 410
    title = "It is gone"


class People(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="profiles:read")
    def team(self, team_id: Id) -> Answer[Team]: ...

    @read("/lines/{line_id}", asks="profiles:read")
    def line(self, line_id: Id) -> Answer[Team]: ...


def holds(team_id: str) -> bool:
    """A rule."""
    return bool(team_id)


def test_a_bff_keeps_its_facts_and_its_place():
    """The facts are for those who answer for it; the place is the line that declares it."""
    bff = Bff("lunch", version="1", owner="o", purpose="p", exposure="internal", sensitivity="personal",
              importance="low", review_by="2027-05-01")  # fmt: skip
    assert (bff.name, bff.version, bff.owner, bff.purpose) == ("lunch", "1", "o", "p")
    assert (bff.exposure, bff.sensitivity, bff.importance, bff.review_by) == (
        "internal",
        "personal",
        "low",
        "2027-05-01",
    )
    file, _, line = bff.where.rpartition(":")
    assert file == __file__
    assert 'bff = Bff("lunch", version="1"' in Path(file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
    assert repr(bff) == "Bff('lunch', 0 endpoints)"


def test_a_page_is_a_folder_beside_the_declaring_file():
    """Wherever the process runs."""
    assert Bff("lunch", page="page").page == Path(__file__).parent / "page"
    assert Bff("lunch").page is None


def test_a_decorator_gives_the_function_back():
    """It can be called in a test as it is."""
    bff = Bff("lunch")

    async def menu() -> None:
        """What there is."""

    assert bff.read("/menu")(menu) is menu
    assert bff.write("/menu")(menu) is menu


def test_a_read_is_kept_as_it_is_declared():
    """What is left out stays left out, for the start to refuse."""
    bff = Bff("lunch")

    @bff.read("/menu")
    async def menu() -> None: ...

    [endpoint] = bff.endpoints
    assert (endpoint.id, endpoint.bff, endpoint.kind, endpoint.method) == ("lunch.menu", "lunch", "read", "GET")
    assert (endpoint.path, endpoint.status, endpoint.function) == ("/menu", 200, menu)
    assert (endpoint.roles, endpoint.scope, endpoint.uses, endpoint.rates) == (None, None, None, None)
    assert (endpoint.within, endpoint.roles_from, endpoint.unknown) == (None, None, ())
    assert endpoint.where.startswith(f"{__file__}:")
    assert not endpoint.builtin
    assert repr(endpoint) == "<read lunch.menu: GET /menu>"


@pytest.mark.parametrize(
    ("how", "method", "status"), [({}, "POST", 200), ({"method": "PUT", "status": 201}, "PUT", 201)]
)
def test_a_write_is_a_post_unless_it_says_otherwise(how, method, status):
    """And its success is a 200."""
    bff = Bff("lunch")
    bff.write("/menu", **how)(holds)
    assert (bff.endpoints[0].kind, bff.endpoints[0].method, bff.endpoints[0].status) == ("write", method, status)


def test_every_guard_is_kept():
    """Lists and mappings as ones that nobody changes later."""
    bff = Bff("lunch")
    given, roles, uses = {"team": People.team}, {"member"}, [People.team]
    bff.read("/x", roles=roles, within="team:{team_id}", given=given, inside={"line_id": (People.line, "team_id")},
             unbound={"a": "b"}, when=[holds], roles_from=People.team, scope="s", uses=uses, rate="1/minute",
             problems=[Gone], for_services=True)(holds)  # fmt: skip
    given.clear(), roles.clear(), uses.clear()
    [endpoint] = bff.endpoints
    assert (endpoint.roles, endpoint.within, endpoint.scope) == (frozenset({"member"}), "team:{team_id}", "s")
    assert (endpoint.given, endpoint.inside) == ({"team": People.team}, {"line_id": (People.line, "team_id")})
    assert (endpoint.unbound, endpoint.when, endpoint.roles_from) == ({"a": "b"}, (holds,), People.team)
    assert (endpoint.uses, endpoint.rates, endpoint.problems) == ((People.team,), ("1/minute",), (Gone,))
    assert endpoint.for_services is True


def test_several_rates_can_be_declared():
    """One for a minute, one for a day."""
    bff = Bff("lunch")
    bff.read("/x", rate=["1/minute", "10/day per tenant"])(holds)
    assert bff.endpoints[0].rates == ("1/minute", "10/day per tenant")


def test_what_is_not_of_its_kind_waits_for_the_start():
    """Declaring does not fail; the start refuses all at once, with places."""
    bff = Bff("lunch")
    bff.read("/x", roles="member", uses=People.team, rate=30, given=7, when=holds)(holds)
    [endpoint] = bff.endpoints
    assert (endpoint.roles, endpoint.uses, endpoint.rates) == ("member", People.team, 30)
    assert (endpoint.given, endpoint.when) == (7, holds)


@pytest.mark.parametrize("name", ["public", "owned", "role", "id", "method"])
def test_no_guard_of_narrows_own_can_be_declared(name):
    """A team cannot make an endpoint public, nor give it another id; the name waits to be refused."""
    bff = Bff("lunch")
    bff.read("/x", **{name: "because"})(holds)
    [endpoint] = bff.endpoints
    assert endpoint.unknown == (name,)
    assert (endpoint.public, endpoint.owned, endpoint.id, endpoint.method) == (None, False, "lunch.holds", "GET")


def test_the_docstring_becomes_summary_and_description():
    """The contract says what the team has said."""
    bff = Bff("lunch")

    @bff.read("/x")
    async def x() -> None:
        """What there is.

        More of it
          comes here.
        """

    @bff.read("/y")
    async def y() -> None: ...

    assert bff.endpoints[0].summary == "What there is."
    assert bff.endpoints[0].description == "What there is.\n\nMore of it\ncomes here."
    assert (bff.endpoints[1].summary, bff.endpoints[1].description) == ("", "")


def test_uses_are_counted():
    """Once each, or as often as `times` says; naming one twice allows it twice."""
    assert counts([People.team, People.line.times(5)]) == {People.team: 1, People.line: 5}
    assert counts([People.team, People.team]) == {People.team: 2}
    assert counts([]) == {}
