"""The types of visitors: what upstreams send is narrow, what clients send is bounded."""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta

from narrows import Id, Input, Moment, Narrow, NumberId, ShortText

SiteId = NumberId
VisitId = Id
Note = Annotated[str, Meta(max_length=200)]
Day = date

# --- what upstreams send ------------------------------------------------------------------------------------------


class Visit(Narrow):
    """What colleagues may know of a visit; telephone, number plate and identity card stay at reception."""

    id: VisitId
    site_id: SiteId
    guest: ShortText
    expected_at: datetime
    host: ShortText
    company: ShortText | None = None
    arrived: bool = False


class UpstreamVisit(Input):
    """What the reception service takes."""

    site_id: SiteId
    guest: ShortText
    expected_at: Moment
    host: ShortText
    company: ShortText | None = None
    note: Note = ""


# --- what clients send --------------------------------------------------------------------------------------------


class NewVisit(Input):
    """A guest whom somebody announces; the host is who announces them."""

    guest: ShortText
    expected_at: Moment
    company: ShortText | None = None
    note: Note = ""
