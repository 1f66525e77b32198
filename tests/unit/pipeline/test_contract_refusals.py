"""What would make the published contract untrue is refused at start, or is a fault when it happens."""

from collections.abc import Callable
from typing import Annotated

import pytest
from msgspec import Meta

from narrows import Bff, Id, PageSize, Problem, ShortText
from narrows.call import Page
from narrows.errors import StartRefused
from narrows.surfaces.http import Application
from tests.unit.sdk import lunch

GUARDS = {"roles": {"member"}, "within": "team:{team_id}", "scope": "lunch-read", "uses": [], "rate": "1/minute"}
NOTHING = object()
Declare = Callable[[Bff], object]


class NoFailure(Problem):
    """All is well."""

    status = 200
    title = "All is well"


def page(bff: Bff) -> None:
    """A team answers bytes."""

    @bff.read("/x/{team_id}", **GUARDS)
    async def x(team_id: Id) -> Page: ...


def taken(bff: Bff) -> None:
    """A team answers where Narrows does."""

    @bff.read("/health", **{**GUARDS, "roles": {"planner"}, "within": "bff:lunch"})
    async def x() -> lunch.Member: ...


def two_bodies(bff: Bff) -> None:
    """A team takes two bodies."""

    @bff.write("/x/{team_id}", **GUARDS)
    async def x(team_id: Id, one: lunch.Guest, two: lunch.Guest) -> lunch.Member: ...


def optional_body(bff: Bff) -> None:
    """A team takes a body or none."""

    @bff.write("/x/{team_id}", **GUARDS)
    async def x(team_id: Id, guest: lunch.Guest | None = None) -> lunch.Member: ...


def object_in_query(bff: Bff) -> None:
    """A team takes a dictionary in the query."""

    @bff.read("/x/{team_id}", **GUARDS)
    async def x(
        team_id: Id, names: Annotated[dict[ShortText, ShortText], Meta(max_length=5)] | None = None
    ) -> lunch.Member: ...


def default_too_high(bff: Bff) -> None:
    """A default breaks its own bound."""

    @bff.read("/x/{team_id}", **GUARDS)
    async def x(team_id: Id, limit: PageSize = 99) -> lunch.Member: ...


def default_of_no_type(bff: Bff) -> None:
    """A default cannot be written in a request."""

    @bff.read("/x/{team_id}", **GUARDS)
    async def x(team_id: Id, limit: PageSize = NOTHING) -> lunch.Member: ...


def no_failure(bff: Bff) -> None:
    """A problem has the status of a success."""

    @bff.read("/x/{team_id}", problems=[NoFailure], **GUARDS)
    async def x(team_id: Id) -> lunch.Member: ...


@pytest.mark.parametrize(
    ("declare", "code"),
    [
        (page, "answer-untyped"),
        (taken, "route-twice"),
        (two_bodies, "body-twice"),
        (optional_body, "input-object"),
        (object_in_query, "input-object"),
        (default_too_high, "default-wrong"),
        (default_of_no_type, "default-wrong"),
        (no_failure, "problem-status"),
    ],
)
def test_what_would_make_the_contract_untrue_does_not_start(declare: Declare, code: str) -> None:
    """Each is refused once, at the line of the team's own endpoint."""
    bff = lunch.make_bff()
    declare(bff)
    with pytest.raises(StartRefused) as refused:
        Application(bff, lunch.make_settings())
    [refusal] = refused.value.refusals
    assert (refusal.code, refusal.subject) == (code, "lunch.x")
    assert refusal.where.startswith(__file__)
