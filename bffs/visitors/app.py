"""Visitors: who announces a guest, sees who is expected, and cancels a visit of their own."""

from datetime import datetime

from bffs.visitors.types import Day, NewVisit, SiteId, UpstreamVisit, Visit
from bffs.visitors.upstreams import Reception
from narrows import Bff, Caller, PageSize

bff = Bff(
    "visitors",
    version="1.0.0",
    owner="front-desk@example.com",
    purpose="Announce guests at reception, and see who is expected",
    exposure="internal",
    sensitivity="personal",
    importance="low",
    review_by="2027-05-23",
    page="page",
)


def to_come(new: NewVisit, now: datetime) -> bool:
    """Nobody is announced for a time that is over."""
    return new.expected_at > now


def by_the_host(visit: Visit, caller: Caller) -> bool:
    """A visit is cancelled by who announced it, and by nobody else."""
    return visit.host == caller.subject


def not_arrived(visit: Visit) -> bool:
    """Who is in the house already is not cancelled, but seen off at reception."""
    return not visit.arrived


@bff.read(
    "/sites/{site_id}/visits",
    roles={"employee"},
    within="site:{site_id}",
    scope="visitors:read",
    uses=[Reception.of_day],
    rate="30/minute",
)
async def expected_visits(site_id: SiteId, day: Day, limit: PageSize = 50) -> list[Visit]:
    """The guests who are expected at a site on one day, in the order in which they come."""
    visits = await Reception.of_day(site_id, day)
    return sorted(visits, key=lambda visit: visit.expected_at)[:limit]


@bff.read(
    "/visits/{visit_id}",
    given={"visit": Reception.visit},
    roles={"employee"},
    within="site:{visit.site_id}",
    scope="visitors:read",
    uses=[],
    rate="60/minute",
)
async def one_visit(visit: Visit) -> Visit:
    """One visit, for those who work at its site."""
    return visit


@bff.write(
    "/sites/{site_id}/visits",
    status=201,
    roles={"employee"},
    within="site:{site_id}",
    when=[to_come],
    scope="visitors:write",
    uses=[Reception.announce],
    rate="10/hour",
    commit="receipt",
)
async def announce_visit(site_id: SiteId, new: NewVisit, caller: Caller) -> Visit:
    """Announce a guest. A badge is printed for it; the caller is the host."""
    wanted = UpstreamVisit(
        site_id=site_id,
        guest=new.guest,
        company=new.company,
        expected_at=new.expected_at,
        host=caller.subject,
        note=new.note,
    )
    return await Reception.announce(wanted)


@bff.write(
    "/visits/{visit_id}",
    method="DELETE",
    given={"visit": Reception.visit},
    roles={"employee"},
    within="site:{visit.site_id}",
    when=[by_the_host, not_arrived],
    scope="visitors:write",
    uses=[Reception.cancel],
    rate="10/hour",
    commit="receipt",
)
async def cancel_visit(visit: Visit) -> None:
    """Cancel a visit of one's own before the guest has come."""
    await Reception.cancel(visit.id)
