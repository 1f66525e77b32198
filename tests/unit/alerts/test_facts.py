"""What the rules of alerts know of a BFF, from its declarations alone."""

from narrows import Bff, Narrow
from narrows.alerts.arranging import facts_of


class Menu(Narrow):
    """What there is."""


def test_documents_are_known_like_endpoints_without_being_made_ready() -> None:
    """A log that is judged once more needs neither their files nor GraphQL itself."""
    bff = Bff("cafe")
    bff.document("lunch", scope="dining:read", deprecated="2027-01-01", sunset="2027-06-01")
    bff.document("open")

    @bff.read("/menu", scope="menu:read", deprecated="2027-02-01")
    async def menu() -> Menu: ...

    facts = facts_of(bff)
    assert facts.scopes == {"cafe.menu": "menu:read", "cafe.lunch": "dining:read"}
    # 2027-02-01 and 2027-01-01, 00:00 UTC
    assert facts.deprecated == {"cafe.menu": 1_801_440_000, "cafe.lunch": 1_798_761_600}
