"""The staff directory: a production API that tells all it knows, to any service allowed to ask."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from litestar import Litestar, Request, get
from opentelemetry.trace import TracerProvider

from . import staff
from .problem import Refusal
from .service import service_app, subject

READ = "profiles:read"


class TeamRecord(msgspec.Struct, frozen=True):
    """A team with the whole record of each member."""

    id: int
    name: str
    office: staff.Office
    members: list[staff.Person]


class Membership(msgspec.Struct, frozen=True):
    """What the subject of the token is in a team: `member`, `organiser`, both or nothing."""

    roles: list[str]


def _team(request: Request[Any, Any, Any]) -> staff.Team:
    wanted = request.path_params["team_id"]
    for team in staff.teams():
        if team.id == wanted:
            return team
    raise Refusal(404, "no-such-team", "There is no such team.")


@get("/teams/{team_id:int}", opt={"scope": READ})
async def team(request: Request[Any, Any, Any]) -> TeamRecord:
    """A team, its office and all about its members."""
    found = _team(request)
    return TeamRecord(found.id, found.name, found.office, [staff.person(member) for member in found.members])


@get("/teams/{team_id:int}/membership", opt={"scope": READ})
async def membership(request: Request[Any, Any, Any]) -> Membership:
    """The roles in the team of the one on whose behalf is asked."""
    found, who = _team(request), subject(request)
    held = {"member": who in found.members, "organiser": who in found.organisers}
    return Membership([role for role, holds in held.items() if holds])


def people_app(
    issuer: str,
    transport: httpx.AsyncBaseTransport,
    now: Callable[[], float],
    tracer_provider: TracerProvider | None = None,
) -> Litestar:
    """The directory, for tokens of `issuer` (asked for its keys through `transport`) with the audience `people-api`."""
    return service_app(
        "people",
        [team, membership],
        {},
        issuer=issuer,
        transport=transport,
        now=now,
        tracer_provider=tracer_provider,
    )
