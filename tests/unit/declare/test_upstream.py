import functools
from pathlib import Path

import pytest

from narrows import Answer, Id, Narrow, Problem, Upstream, read, write
from narrows.declare.upstream import Operation, Times, place_of
from narrows.errors import OperationRefused


class Team(Narrow):
    """A team."""

    id: Id


class Gone(Problem):
    """It is not there any more."""

    status = 410
    title = "It is gone"


def made_up(team_id: str) -> Team:
    """A stand-in."""
    return Team(id=team_id)


class People(Upstream):
    """The staff."""

    @read("/teams/{team_id}", asks="profiles:read", price="0.01 EUR", problems={410: Gone})
    def team(self, team_id: Id) -> Answer[Team]: ...

    @write("/teams/{team_id}", method="PUT", asks="profiles:write", stand_in=made_up)
    def rename(self, team_id: Id) -> Answer[Team]: ...

    @write("/teams")
    def add(self) -> Answer[None]: ...


class Elsewhere:
    """A class that is no upstream."""

    @read("/teams")
    def teams(self) -> Answer[None]: ...


@read("/free")
def _free(self) -> Answer[None]: ...


def test_a_read_is_a_get():
    """A declaration keeps all that it was told."""
    assert isinstance(People.team, Operation)
    assert (People.team.kind, People.team.method, People.team.path) == ("read", "GET", "/teams/{team_id}")
    assert (People.team.asks, People.team.price, People.team.problems) == ("profiles:read", "0.01 EUR", {410: Gone})
    assert People.team.stand_in is None


@pytest.mark.parametrize(
    ("operation", "method", "stand_in"), [(People.rename, "PUT", made_up), (People.add, "POST", None)]
)
def test_a_write_is_a_post_unless_it_says_otherwise(operation, method, stand_in):
    """What was left out has its default."""
    assert (operation.kind, operation.method, operation.stand_in) == ("write", method, stand_in)
    assert (People.add.asks, People.add.price, People.add.problems) == (None, None, {})


def test_an_operation_knows_its_upstream_and_its_name():
    """Plans, effects and telemetry call it so; the settings have it in lower case."""
    assert (People.team.upstream, People.team.id, People.key) == (People, "People.team", "people")
    assert repr(People.team) == "<read People.team: GET /teams/{team_id}>"


def test_an_upstream_lists_its_operations():
    """In the order in which they stand."""
    assert list(People.operations.items()) == [("team", People.team), ("rename", People.rename), ("add", People.add)]


@pytest.mark.parametrize(("operation", "name"), [(Elsewhere.teams, "teams"), (_free, "_free")])
def test_an_operation_outside_an_upstream_belongs_to_none(operation, name):
    """It is told apart at start."""
    assert (operation.upstream, operation.id) == (None, name)


def test_an_operation_outside_a_call_is_refused():
    """A declaration does no input or output of its own."""
    with pytest.raises(OperationRefused, match=r"People\.team was used outside a call"):
        People.team("a")


def test_times_allow_more_than_once():
    """The count stands beside the operation."""
    assert People.team.times(5) == Times(People.team, 5)


def test_the_place_is_that_of_the_first_decorator():
    """There the line is to be added."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.lstrip().startswith("@read"))
    assert People.team.where == f"{__file__}:{line}"


def test_the_place_of_a_wrapped_function_is_its_own():
    """A wrapper of another file is not where the declaration stands."""

    @functools.wraps(made_up)
    def wrapper(*args):
        return made_up(*args)

    assert place_of(wrapper) == place_of(made_up)


def test_the_place_of_what_has_no_code_is_unknown():
    """Nothing is made up."""
    assert place_of(len) == "unknown:0"
