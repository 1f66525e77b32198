"""The production API behind visitors."""

from bffs.visitors.types import Day, SiteId, UpstreamVisit, Visit, VisitId
from narrows import Answer, Problem, Upstream, read, write


class NoSuchVisit(Problem):
    """The visit is not there any more."""

    status = 404
    title = "There is no such visit"
    remedy = "List the visits of the day and choose one of them."


class ReceptionClosed(Problem):
    """Nobody is at reception then."""

    status = 409
    title = "Reception is closed at that time"
    remedy = "Choose a time on a weekday between 07:00 and 19:00."


def stand_in(visit: UpstreamVisit) -> Visit:
    """What a rehearsal answers in place of the visit; only reception could give it an id."""
    return Visit(
        id="not-announced-yet",
        site_id=visit.site_id,
        guest=visit.guest,
        company=visit.company,
        expected_at=visit.expected_at,
        host=visit.host,
    )


class Reception(Upstream):
    """The reception service: who is expected, and who has come."""

    @read("/sites/{site_id}/visits", asks="visits:read")
    def of_day(self, site_id: SiteId, day: Day) -> Answer[list[Visit]]: ...

    @read("/visits/{visit_id}", asks="visits:read", problems={404: NoSuchVisit})
    def visit(self, visit_id: VisitId) -> Answer[Visit]: ...

    @write("/visits", asks="visits:write", price="0.20 EUR", problems={409: ReceptionClosed}, stand_in=stand_in)
    def announce(self, visit: UpstreamVisit) -> Answer[Visit]: ...

    @write("/visits/{visit_id}", method="DELETE", asks="visits:write", problems={404: NoSuchVisit})
    def cancel(self, visit_id: VisitId) -> Answer[None]: ...
