"""What is unsafe by omission does not start: each defect alone is refused with its code, at its own line."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from msgspec import Meta

from narrows import (
    Answer,
    Bff,
    Caller,
    Id,
    Input,
    Moment,
    Narrow,
    NumberId,
    PageSize,
    Problem,
    ShortText,
    Upstream,
    read,
    write,
)
from narrows.declare.upstream import place_of
from narrows.errors import NotFound
from tests.flow.minimal import (
    FACTS,
    GUARDS,
    Booking,
    Gone,
    NewBooking,
    Order,
    People,
    Tables,
    Team,
    make_bff,
    refusals,
    start,
    started,
    tangled,
    without,
)

Declare = Callable[[Bff], object]
CASES: list[Any] = []
HERE = "# here"


def refused(*codes: str) -> Callable[[Declare], Declare]:
    """Put down a defect: the codes that it is refused with, at the line marked `# here`."""

    def keep(declare: Declare) -> Declare:
        CASES.append(pytest.param(declare, codes, id=declare.__name__))
        return declare

    return keep


def marked_line(declare: Declare) -> str:
    """Where the defect of a case stands."""
    lines, first = inspect.getsourcelines(declare)
    [line] = [number for number, text in enumerate(lines, first) if HERE in text]
    return f"{__file__}:{line}"


# --- what is missing ------------------------------------------------------------------------------------------------


@refused("input-untyped")
def input_without_type(bff):
    """Nobody knows what it takes."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, name) -> Team: ...


@refused("input-untyped")
def input_of_any_type(bff):
    """Any is no type."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, name: Any) -> Team: ...


@refused("answer-untyped")
def answer_without_type(bff):
    """Nothing narrows what it answers."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id): ...


@refused("answer-untyped")
def answer_of_any_type(bff):
    """Also deep inside."""

    class Loose(Narrow):
        """Holds anything."""

        inner: list[Any]

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> Loose: ...


@refused("answer-untyped")
def answer_of_any_type_in_a_dataclass(bff):
    """A dataclass hides nothing."""

    @dataclasses.dataclass
    class Loose:
        """Holds anything."""

        inner: Any

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> Loose: ...


@refused("answer-open")
def answer_of_any_keys(bff):
    """Whatever it is given goes out."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> dict[str, ShortText]: ...


@refused("answer-open", "answer-untyped")
def answer_of_a_bare_dictionary(bff):
    """Neither keys nor values are known."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> dict: ...


@refused("roles-missing")
def no_roles(bff):
    """Anybody with a token could call."""

    @bff.read("/x/{team_id}", **without("roles"))  # here
    async def x(team_id: Id) -> Team: ...


@refused("roles-missing")
def empty_roles(bff):
    """None is as good as left out."""

    @bff.read("/x/{team_id}", **without("roles", roles=set()))  # here
    async def x(team_id: Id) -> Team: ...


@refused("scope-missing")
def no_scope(bff):
    """Every token of the issuer would do."""

    @bff.read("/x/{team_id}", **without("scope"))  # here
    async def x(team_id: Id) -> Team: ...


@refused("uses-missing")
def no_uses(bff):
    """What it may touch is not said."""

    @bff.read("/x/{team_id}", **without("uses"))  # here
    async def x(team_id: Id) -> Team: ...


@refused("rate-missing")
def no_rate(bff):
    """It could be called without end."""

    @bff.read("/x/{team_id}", **without("rate"))  # here
    async def x(team_id: Id) -> Team: ...


@refused("rate-missing")
def empty_rate(bff):
    """None is as good as left out."""

    @bff.read("/x/{team_id}", **without("rate", rate=[]))  # here
    async def x(team_id: Id) -> Team: ...


@refused("roles-missing", "scope-missing", "uses-missing", "rate-missing")
def nothing_at_all(bff):
    """All that is missing is told at once."""

    @bff.read("/x")  # here
    async def x() -> Team: ...


@refused("input-untyped", "roles-missing", "scope-missing", "uses-missing", "rate-missing")
def nothing_at_all_and_no_types(bff):
    """Also when the signature cannot be read."""

    @bff.read("/x")  # here
    async def x(name) -> Team: ...


# --- what it takes and gives ----------------------------------------------------------------------------------------


@refused("input-unbounded")
def text_without_bound(bff):
    """A text of any length."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, name: str) -> Team: ...


@refused("input-unbounded")
def path_without_bound(bff):
    """Also in the path."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: str) -> Team: ...


@refused("input-unbounded")
def list_without_bound(bff):
    """A list of any length."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, names: list[ShortText]) -> Team: ...


@refused("input-unbounded")
def text_without_bound_inside(bff):
    """Deep inside a body."""

    class Note(Input):
        """A note."""

        lines: Annotated[list[str], Meta(max_length=5)]

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, note: Note) -> Team: ...


@refused("input-open")
def body_with_unknown_keys(bff):
    """A body that takes more than it says."""

    class Loose(Input, forbid_unknown_fields=False):
        """Takes any keys."""

        name: ShortText

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, body: Loose) -> Team: ...


@refused("input-open")
def body_with_a_dataclass(bff):
    """A dataclass inside passes over keys that it does not know."""

    @dataclasses.dataclass
    class Loose:
        """Takes any keys."""

        name: ShortText

    class Body(Input):
        """A body."""

        loose: Loose

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, body: Body) -> Team: ...


@refused("input-open")
def body_with_a_typed_dictionary(bff):
    """So does a typed dictionary."""

    class Loose(TypedDict):
        """Takes any keys."""

        name: ShortText

    class Body(Input):
        """A body."""

        loose: Loose

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, body: Body) -> Team: ...


@refused("input-open")
def input_by_place(bff):
    """Arguments come by name."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, /) -> Team: ...


@refused("input-open")
def input_of_any_names(bff):
    """A handler that takes whatever is sent."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, **more: ShortText) -> Team: ...


@refused("input-object")
def list_in_the_path(bff):
    """A path holds single values."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Annotated[list[Id], Meta(max_length=3)]) -> Team: ...


@refused("input-object")
def list_of_lists_in_the_query(bff):
    """A query holds a list at the most."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(
        team_id: Id,
        rows: Annotated[list[Annotated[list[int], Meta(max_length=2)]], Meta(max_length=2)],
    ) -> Team: ...


@refused("read-with-body")
def read_with_a_body(bff):
    """A GET has none."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, booking: NewBooking) -> Team: ...


@refused("name-twice")
def query_and_body_of_one_name(bff):
    """A guard would look at one, the handler at the other."""

    class Body(Input):
        """A body."""

        team_id: Id

    @bff.write("/x", **GUARDS)  # here
    async def x(team_id: Id, body: Body) -> Team: ...


@refused("type-unknown")
def type_that_is_not_there(bff):
    """A type that is imported for type checkers only."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: "Nowhere") -> Team: ...  # noqa: F821 - it is not there


@refused("type-unsupported")
def input_that_cannot_be_read(bff):
    """Two objects that nothing tells apart."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, either: NewBooking | Order | None = None) -> Team: ...


@refused("type-unsupported")
def answer_that_cannot_be_read(bff):
    """Nor can they be answered."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> Team | Booking: ...


@refused("type-too-large")
def input_whose_types_contain_each_other(bff):
    """A place for every way through them: twelve have more than a thousand million."""

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, body: tangled(Input)) -> Team: ...  # type: ignore[valid-type] # made while it runs


@refused("type-too-large")
def answer_whose_types_contain_each_other(bff):
    """Nor can they be answered."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> tangled(Narrow): ...


@refused("pattern-slow")
def input_whose_pattern_tries_for_ever(bff):
    """Thirty letters and a sign that does not fit take longer than anybody waits."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, name: Annotated[str, Meta(pattern="^(a+)+$", max_length=200)]) -> Team: ...


@refused("default-wrong")
def default_out_of_bounds(bff):
    """A default that no client could send."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, limit: PageSize = 99) -> Team: ...


@refused("default-wrong")
def default_of_none(bff):
    """None where the type has none."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, limit: PageSize = None) -> Team: ...


@refused("default-wrong")
def default_out_of_bounds_in_a_body(bff):
    """msgspec hands it out without a look."""

    class Body(Input):
        """A body."""

        seats: PageSize = 99

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, body: Body) -> Team: ...


@refused("default-wrong")
def default_list_out_of_bounds_in_a_body(bff):
    """Also when it is made anew each time."""

    class Body(Input):
        """A body."""

        names: Annotated[list[ShortText], Meta(min_length=1, max_length=3)] = []  # noqa: RUF012 - msgspec copies it

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, body: Body) -> Team: ...


@refused("handler-sync")
def handler_that_is_not_async(bff):
    """It would hold up every other call."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    def x(team_id: Id) -> Team: ...


# --- what binds an object -------------------------------------------------------------------------------------------


@refused("id-unbound")
def path_id_unbound(bff):
    """Any path value is an object of somebody."""

    @bff.read("/x/{team_id}/days/{day}", **GUARDS)  # here
    async def x(team_id: Id, day: PageSize) -> Team: ...


@refused("id-unbound")
def query_id_unbound(bff):
    """An id in the query."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, place: NumberId | None = None) -> Team: ...


@refused("id-unbound")
def list_of_ids_unbound(bff):
    """Several ids."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, places: Annotated[list[Id], Meta(max_length=3)]) -> Team: ...


@refused("id-unbound")
def nested_body_id_unbound(bff):
    """An id deep inside a body."""

    @bff.write("/x/{team_id}", **GUARDS)  # here
    async def x(team_id: Id, order: Order) -> Team: ...


@refused("id-unbound")
def id_that_a_read_takes_by_default(bff):
    """A read that is not given the id says nothing about it."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/bookings", asks="a")
        def booking(self, booking_id: Id, place_id: Id = "x") -> Answer[Booking]: ...

    @bff.read(  # here
        "/x/{booking_id}", given={"b": Extra.booking}, **without("within", within="team:{b.team_id}", uses=[])
    )
    async def x(booking_id: Id, place_id: Id) -> Team: ...


@refused("reason-missing")
def unbound_without_reason(bff):
    """A reason is what a reviewer reads."""

    @bff.read("/x/{team_id}/{day}", unbound={"day": "  "}, **GUARDS)  # here
    async def x(team_id: Id, day: PageSize) -> Team: ...


@refused("id-unknown")
def unbound_of_nothing(bff):
    """An id that is not there."""

    @bff.read("/x/{team_id}", unbound={"place": "it is public"}, **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("id-unknown")
def inside_of_nothing(bff):
    """A proof about nothing."""

    @bff.read("/x/{team_id}", inside={"line": (Tables.line, "note")}, **GUARDS)  # here
    async def x(team_id: Id, line_id: ShortText, note: ShortText) -> Team: ...


@refused("inside-field")
def inside_by_a_field_that_is_not_there(bff):
    """It compares what the read does not answer."""

    @bff.read("/x/{team_id}/{line_id}", inside={"line_id": (Tables.line, "team_id")}, **GUARDS)  # here
    async def x(team_id: Id, line_id: Id) -> Team: ...


@refused("inside-loose")
def inside_by_a_value_that_the_client_chooses(bff):
    """Whoever sends both can make them equal."""

    @bff.read("/x/{team_id}/{line_id}", inside={"line_id": (Tables.line, "note")}, **GUARDS)  # here
    async def x(team_id: Id, line_id: Id, note: ShortText) -> Team: ...


@refused("inside-loose")
def inside_by_a_read_of_something_else(bff):
    """The read does not take the id, so it proves nothing about it."""

    @bff.read("/x/{team_id}/{booking_id}/{line_id}", **GUARDS,  # here
              inside={"booking_id": (Tables.booking, "team_id"), "line_id": (Tables.booking, "team_id")})  # fmt: skip
    async def x(team_id: Id, booking_id: Id, line_id: Id) -> Team: ...


@refused("guard-argument")
def given_without_its_argument(bff):
    """The read needs what nobody sends."""

    @bff.read("/x/{team_id}", given={"booking": Tables.booking}, **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("given-type")
def given_of_another_type(bff):
    """The handler would get what it does not expect."""

    @bff.read("/x/{team_id}", given={"team": People.team}, **GUARDS)  # here
    async def x(team_id: Id, team: Booking) -> Team: ...


@refused("guard-argument")
def roles_from_without_its_argument(bff):
    """The roles of which team?"""

    @bff.read("/x", roles_from=People.roles, **without("within"))  # here
    async def x() -> Team: ...


@refused("roles-from-type")
def roles_from_what_is_no_list(bff):
    """A team is no list of roles."""

    @bff.read("/x/{team_id}", roles_from=People.team, **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("rule-argument")
def when_with_an_argument_that_is_not_there(bff):
    """A rule about nothing."""

    @bff.read("/x/{team_id}", when=[started], **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("role-ungrantable")
def role_that_nobody_can_hold(bff):
    """A typing error would lock everybody out."""

    @bff.read("/x/{team_id}", **without("roles", roles={"membr"}))  # here
    async def x(team_id: Id) -> Team: ...


@pytest.mark.parametrize(
    "within",
    ["team", "team:", ":{team_id}", "{team_id}", "team:{team_id}-{team_id}", "team:x{team_id}", "team:{other}",
     "team:{booking.other}", "team:{other.team_id}", "{team_id}:x"],
)  # fmt: skip
def test_a_domain_that_is_not_one_value_is_refused(within: str) -> None:
    """A domain put together from several values could be made to look like another."""
    bff = make_bff()

    @bff.read("/x/{team_id}", given={"booking": Tables.booking}, **without("within", within=within))
    async def x(team_id: Id, booking_id: Id, booking: Booking) -> Team: ...

    found = refusals(bff)
    assert found[0].code == "id-unbound" or found[0].code == "within-unclear"
    [unclear] = [refusal for refusal in found if refusal.code == "within-unclear"]
    assert unclear.where == place_of(x)
    assert repr(within) in unclear.rule


# --- reads have no effect -------------------------------------------------------------------------------------------


@refused("read-uses-write")
def read_that_uses_a_write(bff):
    """A read has no effect, ever."""

    @bff.read("/x/{team_id}", **without("uses", uses=[People.team, Tables.book]))  # here
    async def x(team_id: Id) -> Team: ...


@refused("guard-writes")
def given_that_writes(bff):
    """A guard has none either."""

    @bff.read("/x/{team_id}", given={"booked": Tables.book}, **GUARDS)  # here
    async def x(team_id: Id, seats: PageSize, booking: PageSize) -> Team: ...


@refused("guard-writes")
def given_that_writes_for_a_write(bff):
    """Also before a write: it has not been allowed yet."""

    @bff.write("/x/{team_id}", given={"booked": Tables.book}, **GUARDS)  # here
    async def x(team_id: Id, booking: PageSize) -> Team: ...


@refused("guard-writes")
def inside_that_writes(bff):
    """Nor does a proof."""

    class Extra(Upstream):
        """Another upstream."""

        @write("/lines/{line_id}", asks="a")
        def touch(self, line_id: Id) -> Answer[Booking]: ...

    @bff.read("/x/{team_id}/{line_id}", inside={"line_id": (Extra.touch, "team_id")}, **GUARDS)  # here
    async def x(team_id: Id, line_id: Id) -> Team: ...


@refused("guard-writes")
def roles_from_that_writes(bff):
    """Nor does the question for roles."""

    class Extra(Upstream):
        """Another upstream."""

        @write("/roles/{team_id}", asks="a")
        def roles(self, team_id: Id) -> Answer[list[ShortText]]: ...

    @bff.read("/x/{team_id}", roles_from=Extra.roles, **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


# --- guards that are not of their kind ------------------------------------------------------------------------------


async def always(team_id: Id) -> bool:
    """A coroutine is always true."""
    return False


def seldom(team_id: Id):
    """So is a generator."""
    yield False


@pytest.mark.parametrize(
    ("guards", "code"),
    [
        ({"roles": "member"}, "roles-unclear"),
        ({"roles": ["member"]}, "roles-unclear"),
        ({"roles": {7}}, "roles-unclear"),
        ({"roles": {" "}}, "roles-unclear"),
        ({"scope": ""}, "scope-unclear"),
        ({"scope": "a b"}, "scope-unclear"),
        ({"scope": 'a"'}, "scope-unclear"),
        ({"scope": ["a"]}, "scope-unclear"),
        ({"within": 7}, "within-unclear"),
        ({"roles_from": started}, "roles-from-unclear"),
        ({"for_services": "yes"}, "services-unclear"),
        ({"commit": "receipt"}, "commit-unclear"),
        ({"commit": "maybe"}, "commit-unclear"),
        ({"uses": People.team}, "uses-unclear"),
        ({"uses": [People]}, "uses-unclear"),
        ({"uses": ["People.team"]}, "uses-unclear"),
        ({"uses": {People.team}}, "uses-unclear"),
        ({"uses": [People.team.times(0)]}, "uses-count"),
        ({"uses": [People.team.times(-1)]}, "uses-count"),
        ({"uses": [People.team.times(True)]}, "uses-count"),
        ({"uses": [People.team.times(1.5)]}, "uses-count"),
        ({"rate": 30}, "rate-unclear"),
        ({"rate": [30]}, "rate-unclear"),
        ({"rate": "30/week"}, "rate-unclear"),
        ({"given": Tables.booking}, "given-unclear"),
        ({"given": {"booking": Tables}}, "given-unclear"),
        ({"given": {"booking": Tables.booking.times(2)}}, "given-unclear"),
        ({"inside": {"line_id": Tables.line}}, "inside-unclear"),
        ({"inside": {"line_id": (Tables.line, 7)}}, "inside-unclear"),
        ({"inside": {"line_id": (Tables.line, "a", "b")}}, "inside-unclear"),
        ({"inside": [("line_id", Tables.line)]}, "inside-unclear"),
        ({"unbound": {"place": 7}}, "unbound-unclear"),
        ({"unbound": "place"}, "unbound-unclear"),
        ({"when": started}, "when-unclear"),
        ({"when": ["started"]}, "when-unclear"),
        ({"when": [lambda now: now is not None]}, "when-unclear"),
        ({"when": [functools.partial(started)]}, "when-unclear"),
        ({"when": [always]}, "when-unclear"),
        ({"when": [seldom]}, "when-unclear"),
        ({"when": [bool]}, "when-unclear"),
        ({"problems": Gone}, "problems-unclear"),
        ({"problems": [Gone()]}, "problems-unclear"),
        ({"problems": [ValueError]}, "problems-unclear"),
        ({"slo": "100% under 300ms"}, "slo-unclear"),
        ({"slo": 99.5}, "slo-unclear"),
        ({"deprecated": "soon"}, "deprecated-unclear"),
        ({"deprecated": True}, "deprecated-unclear"),
        ({"sunset": "2027-01-01"}, "deprecated-unclear"),
        ({"deprecated": "2027-01-01", "sunset": "2026-12-31"}, "deprecated-unclear"),
        ({"public": "it is for everybody"}, "guard-unknown"),
        ({"owned": True}, "guard-unknown"),
        ({"role": {"member"}}, "guard-unknown"),
    ],
)
def test_a_guard_that_is_not_of_its_kind_is_refused(guards: dict[str, Any], code: str) -> None:
    """Nobody relies on a type checker having been run; above all, no endpoint of a team is public."""
    bff = make_bff()

    @bff.read("/x/{team_id}", **without(*guards, **guards))
    async def x(team_id: Id) -> Team: ...

    [refusal] = refusals(bff)
    assert (refusal.code, refusal.subject, refusal.where) == (code, "lunch.x", place_of(x))
    assert refusal.remedy


@pytest.mark.parametrize("over", [{"public": "it is for everybody"}, {"public": ""}, {"owned": True}])
def test_an_endpoint_of_a_team_that_is_made_public_by_hand_is_refused(over: dict[str, Any]) -> None:
    """The list of what is anonymous is closed, whichever way an endpoint got among those of the team."""
    bff = make_bff()
    bff.endpoints[0] = msgspec.structs.replace(bff.endpoints[0], **over)
    [refusal] = refusals(bff)
    assert (refusal.code, refusal.subject) == ("guard-unknown", "lunch.team")


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"method": "GET"}, "method-unclear"),
        ({"method": "put"}, "method-unclear"),
        ({"status": 302}, "status-unclear"),
        ({"commit": "sometimes"}, "commit-unclear"),
        ({"commit": None}, "commit-unclear"),
        ({"status": "201"}, "status-unclear"),
    ],
)
def test_a_write_with_another_method_or_status_is_refused(how: dict[str, Any], code: str) -> None:
    """A write never hides behind a GET, nor a failure behind a success."""
    bff = make_bff()

    @bff.write("/x/{team_id}", **how, **GUARDS)
    async def x(team_id: Id) -> Team: ...

    [refusal] = refusals(bff)
    assert (refusal.code, refusal.where) == (code, place_of(x))


# --- paths and ids --------------------------------------------------------------------------------------------------


@refused("path-unused")
def path_value_that_nobody_takes(bff):
    """A value that is looked at by nobody."""

    @bff.read("/x/{team_id}/{day}", **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("path-form")
def path_with_a_name_twice(bff):
    """Which one would count?"""

    @bff.read("/x/{team_id}/y/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("id-twice")
def one_id_twice(bff):
    """Policies, records and rates go by id."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def team(team_id: Id) -> Team: ...


@refused("route-twice")
def one_route_twice(bff):
    """Only one could answer."""

    @bff.read("/teams/{team_id}", **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("route-twice")
def one_route_twice_by_other_names(bff):
    """The name of a place makes no other route."""

    @bff.read("/teams/{name}", **without("within", within="team:{name}"))  # here
    async def x(name: Id) -> Team: ...


@refused("path-names")
def one_path_by_two_names(bff):
    """The contract could not say what a place is called."""

    @bff.write("/teams/{name}", **without("within", within="team:{name}"))  # here
    async def x(name: Id) -> Team: ...


@refused("id-form")
def id_that_no_policy_can_name(bff):
    """Ids stand in policies."""

    @bff.read("/x/{team_id}", **GUARDS)  # here
    async def größe(team_id: Id) -> Team: ...


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/rehearse", "path-reserved"),
        ("/rehearse/teams", "path-reserved"),
        ("/sandbox/x", "path-reserved"),
        ("/rehearsals", "path-reserved"),
        ("/rehearsals/{team_id}/x", "path-reserved"),
        ("/health", "route-twice"),
        ("/openapi.json", "route-twice"),
        ("/.well-known/oauth-protected-resource", "route-twice"),
        ("/", "path-form"),
        ("", "path-form"),
        ("x", "path-form"),
        ("/x/", "path-form"),
        ("//x", "path-form"),
        ("/x/../y", "path-form"),
        ("/x/./y", "path-form"),
        ("/x y", "path-form"),
        ("/x%20y", "path-form"),
        ("/x?y", "path-form"),
        ("/x/{Team}", "path-form"),
        ("/x/{team_id", "path-form"),
        ("/x/a{team_id}", "path-form"),
        ("/x/{team_id:int}", "path-form"),
        ("/x/ü", "path-form"),
        (7, "path-form"),
    ],
)
def test_a_path_that_is_not_the_teams_or_not_plain_is_refused(path: Any, code: str) -> None:
    """Base paths, Narrows' own endpoints, and whatever could be read in two ways."""
    bff = make_bff()
    guards = without("within", within="bff:lunch")

    @bff.read(path, **guards)
    async def x() -> Team: ...

    found = [refusal for refusal in refusals(bff) if refusal.code != "path-unused"]
    assert [(refusal.code, refusal.where) for refusal in found] == [(code, place_of(x))]


def test_another_method_of_narrows_own_path_is_refused() -> None:
    """Whoever writes to /health means something else."""
    bff = make_bff()

    @bff.write("/health", **without("within"))
    async def x() -> Team: ...

    [refusal] = refusals(bff)
    assert (refusal.code, refusal.where) == ("path-reserved", place_of(x))


# --- operations -----------------------------------------------------------------------------------------------------


def endpoint_with(bff: Bff, *operations: Any) -> None:
    """An endpoint that uses operations."""

    @bff.write("/x/{team_id}", **without("uses", uses=list(operations)))
    async def x(team_id: Id) -> Team: ...


@refused("upstream-missing")
def upstream_without_settings(bff):
    """Nobody has said where it is."""

    class Unknown(Upstream):
        """An upstream that is not in the settings."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Unknown.x)


@refused("operation-homeless")
def operation_outside_an_upstream(bff):
    """It belongs to none."""

    @read("/x", asks="a")  # here
    def x(self) -> Answer[Team]: ...

    endpoint_with(bff, x)


@refused("operation-homeless")
def operation_of_another_class(bff):
    """A class that is no upstream has no settings."""

    class People:
        """Forgot to derive."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, People.x)


@refused("upstream-twice")
def two_upstreams_of_one_name(bff):
    """Their operations could not be told apart in effects and records."""

    class People(Upstream):
        """Another people."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, People.x)


@refused("asks-missing")
def operation_without_asks(bff):
    """Which scope its token would hold is not said."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("asks-unclear")
def operation_that_asks_for_two(bff):
    """One scope an operation."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a b")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("price-unclear")
def operation_with_an_unclear_price(bff):
    """Nobody knows what it costs."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", price="cheap")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("price-unclear")
def operation_with_a_number_as_price(bff):
    """A price has a currency."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", price=0.05)  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


def test_prices_in_two_currencies_are_refused() -> None:
    """A ceiling can be in one only; the endpoint that adds them is named."""
    bff = make_bff()

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", price="0.05 USD")
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, People.team, Extra.x)
    [refusal] = refusals(bff)
    assert (refusal.code, refusal.subject, refusal.where) == ("price-currencies", "lunch.x", bff.endpoints[-1].where)


@refused("path-form")
def operation_with_an_odd_path(bff):
    """A path template is plain."""

    class Extra(Upstream):
        """Another upstream."""

        @read("x?y=1", asks="a")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("path-form")
def operation_without_a_path(bff):
    """A number is no path."""

    class Extra(Upstream):
        """Another upstream."""

        @read(7, asks="a")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("path-unused")
def operation_with_a_path_value_that_nobody_gives(bff):
    """It could never be sent."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x/{other}", asks="a")  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("operation-self")
def operation_without_self(bff):
    """Its first parameter would be lost."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x/{team_id}", asks="a")  # here
        def x(team_id: Id) -> Answer[Team]: ...  # noqa: N805 - what is forgotten is what is tested

    endpoint_with(bff, Extra.x)


@refused("answer-untyped")
def operation_without_answer(bff):
    """Without `Answer[…]` nothing narrows."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self) -> Team: ...

    endpoint_with(bff, Extra.x)


@refused("answer-untyped")
def operation_that_answers_anything(bff):
    """Any narrows nothing."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[list[Any]]: ...

    endpoint_with(bff, Extra.x)


@refused("answer-open")
def operation_that_answers_any_keys(bff):
    """Nor does a dictionary."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[dict[str, int]]: ...

    endpoint_with(bff, Extra.x)


@refused("type-too-large")
def operation_whose_types_contain_each_other(bff):
    """What an upstream answers has an end as well."""
    answer = tangled(Narrow)

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[answer]: ...

    endpoint_with(bff, Extra.x)


@refused("type-unsupported")
def operation_that_answers_one_of_two(bff):
    """Two objects that nothing tells apart."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[Team | Booking]: ...

    endpoint_with(bff, Extra.x)


@refused("input-untyped")
def operation_without_input_types(bff):
    """What goes out is typed as well."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self, name) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("body-twice")
def operation_with_two_bodies(bff):
    """Only one could be sent."""

    class Extra(Upstream):
        """Another upstream."""

        @write("/x", asks="a")  # here
        def x(self, one: NewBooking, other: Order) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("default-wrong")
def operation_with_a_default_out_of_bounds(bff):
    """It would be sent so."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self, limit: PageSize = 99, at: Moment | None = None) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("default-wrong")
def operation_with_a_default_out_of_bounds_in_its_body(bff):
    """Also inside."""

    class Body(Narrow):
        """A body."""

        seats: PageSize = 99

    class Extra(Upstream):
        """Another upstream."""

        @write("/x", asks="a")  # here
        def x(self, body: Body) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("method-unclear")
def operation_with_another_method(bff):
    """A write that looks like a read."""

    class Extra(Upstream):
        """Another upstream."""

        @write("/x", method="GET", asks="a")  # here
        def x(self) -> Answer[None]: ...

    endpoint_with(bff, Extra.x)


@refused("stand-in-unclear")
def operation_with_a_stand_in_that_is_no_function(bff):
    """A rehearsal could not answer."""

    class Extra(Upstream):
        """Another upstream."""

        @write("/x", asks="a", stand_in=Team(id="a", name="b"))  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("problems-unclear")
def operation_that_makes_a_problem_of_a_success(bff):
    """Every answer would be a failure."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", problems={200: Gone})  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("problems-unclear")
def operation_with_a_problem_that_is_none(bff):
    """An exception of Python's is no answer."""

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", problems={409: ValueError})  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("problem-arguments")
def operation_with_a_problem_that_wants_arguments(bff):
    """It is made without any."""

    class Late(Problem):
        """It is late."""

        status = 409
        title = "Late"

        def __init__(self, minutes: int) -> None:
            super().__init__(f"{minutes}")

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", problems={409: Late})  # here
        def x(self) -> Answer[Team]: ...

    endpoint_with(bff, Extra.x)


@refused("sandbox-cannot-make")
def operation_whose_answer_cannot_be_made_up(bff):
    """The sandbox would fail."""

    class Odd(Narrow):
        """A pattern that nothing matches."""

        name: Annotated[str, Meta(pattern="^a(?!a)a$", max_length=5)]

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a")  # here
        def x(self) -> Answer[Odd]: ...

    endpoint_with(bff, Extra.x)


def test_a_guard_that_cannot_be_read_is_refused_at_its_own_line_alone() -> None:
    """The endpoint that reads by it has no fault of its own."""
    bff = make_bff()

    class Extra(Upstream):
        """Another upstream."""

        @read("/x/{booking_id}", asks="a")
        def x(self, booking_id) -> Answer[Booking]: ...

    @bff.read("/x/{booking_id}", given={"booking": Extra.x}, **without("within", within="team:{booking.team_id}"))
    async def x(booking_id: Id, booking: Booking) -> Team: ...

    found = refusals(bff)
    assert [refusal.where for refusal in found if refusal.code == "input-untyped"] == [Extra.x.where]


def test_an_operation_without_token_need_not_ask() -> None:
    """Public data are asked for by nobody."""
    bff = make_bff()

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", price="0 EUR")
        def x(self, kind: Literal["a", "b"] = "a") -> Answer[dict[Id, Team]]: ...

    endpoint_with(bff, Extra.x)
    assert start(bff, upstreams={"extra": {"identity": "none"}})


def test_a_problem_may_be_declared_wherever_it_ends_a_call() -> None:
    """By its operation, by its endpoint and by another one: it is the same problem."""
    bff = make_bff()

    class Extra(Upstream):
        """Another upstream."""

        @read("/x", asks="a", problems={410: Gone, 404: NotFound})
        def x(self) -> Answer[Team]: ...

    @bff.read("/x/{team_id}", **without("uses", uses=[Extra.x], problems=[Gone]))
    async def x(team_id: Id) -> Team: ...

    assert start(bff)


# --- problems -------------------------------------------------------------------------------------------------------


@refused("problem-twice")
def problem_with_the_name_of_another(bff):
    """A type names one problem."""

    class Gone(Problem):
        """Another one."""

        status = 404
        title = "Gone elsewhere"

    @bff.read("/x/{team_id}", problems=[Gone], **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("problem-twice")
def problem_with_the_name_of_narrows_own(bff):
    """Its page says something else."""

    own = type("NotFound", (Problem,), {"status": 404, "title": "No lunch"})

    @bff.read("/x/{team_id}", problems=[own], **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("problem-twice")
def problem_with_the_type_of_another(bff):
    """Whatever its class is called."""

    class Vanished(Problem):
        """Another one."""

        type = Gone.type
        status = 404
        title = "Vanished"

    @bff.read("/x/{team_id}", problems=[Vanished, Gone, NotFound], **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


@refused("problem-status")
def problem_that_is_none(bff):
    """A failure has the status of one."""

    class Fine(Problem):
        """All is well."""

        status = 200
        title = "Fine"

    @bff.read("/x/{team_id}", problems=[Fine], **GUARDS)  # here
    async def x(team_id: Id) -> Team: ...


# --- the tests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("declare", "codes"), CASES)
def test_a_defect_is_refused_with_its_code_at_its_line(declare: Declare, codes: tuple[str, ...]) -> None:
    """Nothing else is refused with it, and each refusal says what holds and what to write."""
    bff = make_bff()
    declare(bff)
    found = refusals(bff)
    assert sorted(refusal.code for refusal in found) == sorted(codes)
    assert {refusal.where for refusal in found} == {marked_line(declare)}
    assert all(refusal.rule and refusal.remedy and refusal.subject for refusal in found)


def test_the_minimal_bff_starts() -> None:
    """Without a defect nothing is refused, so that each test above sees its own defect alone."""
    assert len(start(make_bff()).plan.entries) > 4


def test_every_defect_of_a_bff_is_told_at_once() -> None:
    """Nobody has to start ten times to learn ten things."""
    bff = make_bff(owner=None)
    no_rate(bff)

    @bff.read("/y", **without("within", roles={"nobody"}))
    async def y() -> Team: ...

    @bff.read("/z/{team_id}", **without("scope"))
    async def z(team_id: Id, name) -> Team: ...

    found = refusals(bff, public_url="http://bff.test", limits={"attempts": "600/minute"})
    assert {refusal.code for refusal in found} == {
        "fact-missing",
        "rate-missing",
        "role-ungrantable",
        "scope-missing",
        "input-untyped",
        "public-url-plain",
    }


@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_bff_without_a_fact_is_refused(fact: str, value: str | None) -> None:
    """Somebody answers for it, and it is known for what."""
    bff = make_bff(**{fact: value})
    [refusal] = refusals(bff)
    assert (refusal.code, refusal.subject, refusal.where) == ("fact-missing", "lunch", bff.where)
    assert refusal.remedy.startswith(f"add {fact}=")


@pytest.mark.parametrize(
    ("fact", "value"),
    [("exposure", "world"), ("sensitivity", "none"), ("importance", "huge"), ("review_by", "soon"), ("owner", 7),
     ("review_by", "2027-13-01")],
)  # fmt: skip
def test_a_fact_that_is_unclear_is_refused(fact: str, value: Any) -> None:
    """A word of the list, or a date."""
    [refusal] = refusals(make_bff(**{fact: value}))
    assert refusal.code == "fact-unclear"
    assert refusal.remedy.startswith(f"write {fact}=")


@pytest.mark.parametrize("name", ["", "Lunch", "lunch tools", "7lunch", "lünch", "lunch.tools"])
def test_a_bff_whose_name_cannot_stand_in_an_id_is_refused(name: str) -> None:
    """Its name is part of every id and of its own domain."""
    bff = Bff(name, **FACTS)

    @bff.read("/x/{team_id}", **GUARDS)
    async def x(team_id: Id) -> Team: ...

    [refusal] = refusals(bff)
    assert (refusal.code, refusal.where) == ("name-form", bff.where)


def test_a_page_that_is_not_there_is_refused() -> None:
    """Clients would find nothing."""
    [refusal] = refusals(make_bff(page="nowhere"))
    assert (refusal.code, refusal.subject) == ("page-missing", "lunch")


def test_callers_are_no_input() -> None:
    """What Narrows gives to a handler is not asked of a client."""
    bff = make_bff()

    @bff.read("/x/{team_id}", when=[weekday], **GUARDS)
    async def x(team_id: Id, caller: Caller) -> Team: ...

    assert start(bff)


def weekday(now: datetime) -> bool:
    """A rule about the time alone."""
    return now.weekday() < 5
