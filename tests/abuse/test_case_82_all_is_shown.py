"""Case 82: a person confirms nothing that the program chose and that they could not read."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from narrows import Answer, Bff, Input, NumberId, Upstream, write
from narrows.settings import merge
from narrows.testing import bearer
from tests.abuse.errands import SETTINGS, Ledger, LedgerHost, Line, NewLine, NewText
from tests.flow.confirming import Visitor
from tests.flow.world import world

renaming = Bff(
    "errands",
    version="1.0.0",
    owner="red@example.com",
    purpose="Write what was sent under another name",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)


@renaming.write(
    "/teams/{team_id}/line",
    uses=[Ledger.line, Ledger.add],
    roles={"member"},
    within="team:{team_id}",
    scope="dining:read",
    rate="100/minute",
)
async def write_about(team_id: NumberId, new: NewText) -> Line:
    """Write a line about something."""
    line = await Ledger.line("line-7")
    return await Ledger.add(NewLine(text=line.text, about=f"{new.text}!"))


async def test_case_82_what_the_program_sent_is_shown_under_whatever_name_it_is_written() -> None:
    """An effect shows a value only under the name under which it was sent; what it hides so stands beside it."""
    settings = merge(SETTINGS, {"connectors": {"copilot": {"commit": "confirmed"}}})
    host = LedgerHost()
    async with world(bff=renaming, hosts={"ledger.test": host}, **settings) as made:
        token = bearer(made.token())
        answer = await made.client.post("/rehearse/teams/7/line", json={"text": "pay mallory"}, headers=token)
        rehearsal = answer.links["describedby"]["url"].rpartition("/")[2]
        anna = Visitor(made)
        assert (await anna.sign_in(rehearsal, "anna")).status_code == 303
        shown = await anna.fetch("GET", f"/confirmations/{rehearsal}")
        [effect] = shown.json()["effects"]
        assert [isinstance(value, dict) for value in effect["arguments"].values()] == [True, True]
        assert shown.json()["sent"] == {"/team_id": 7, "/new/text": "pay mallory"}
        # What an upstream told stays hidden, and who rehearsed it knows what they sent.
        assert host.canary not in shown.text
        assert "sent" not in (await made.get(f"/rehearse/rehearsals/{rehearsal}")).json()


class Payment(Input):
    """What is paid, and to which account."""

    account: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    memo: Annotated[int, Meta(ge=1, le=2**63 - 1)]


class Bank(Upstream):
    """Payments."""

    @write("/payments/{account}", asks="bookings:write")
    def pay(self, account: Annotated[int, Meta(ge=1, le=2**63 - 1)]) -> Answer[Line]: ...


paying = Bff(
    "errands",
    version="1.0.0",
    owner="red@example.com",
    purpose="Pay",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-01",
)


@paying.write(
    "/teams/{team_id}/payments",
    uses=[Bank.pay],
    roles={"member"},
    within="team:{team_id}",
    scope="dining:read",
    rate="100/minute",
)
async def pay(team_id: NumberId, payment: Payment) -> Line:
    """Pay."""
    return await Bank.pay(payment.account)


async def test_case_82_a_number_that_a_browser_would_round_is_shown_exactly() -> None:
    """Else a person would confirm the account next to the one that they read."""
    upstream = {"bank": {"url": "https://ledger.test", "audience": "tables-api"}}
    over = {"connectors": {"copilot": {"commit": "confirmed"}}, "upstreams": upstream}
    async with world(bff=paying, hosts={"ledger.test": LedgerHost()}, **merge(SETTINGS, over)) as made:
        body = {"account": 2**53 + 1, "memo": 2**53 - 1}
        answer = await made.client.post("/rehearse/teams/7/payments", json=body, headers=bearer(made.token()))
        rehearsal = answer.links["describedby"]["url"].rpartition("/")[2]
        anna = Visitor(made)
        assert (await anna.sign_in(rehearsal, "anna")).status_code == 303
        shown = (await anna.fetch("GET", f"/confirmations/{rehearsal}")).json()
        assert shown["effects"][0]["arguments"] == {"/account": "9007199254740993"}
        assert shown["sent"] == {"/team_id": 7, "/payment/memo": 2**53 - 1}


async def test_case_81_a_guess_that_is_written_elsewhere_confirms_nothing() -> None:
    """Who sends what an upstream may hold, written under another name, sees no digest that stands for it twice."""
    host = LedgerHost()
    async with world(bff=renaming, hosts={"ledger.test": host}, **SETTINGS) as made:
        token = bearer(made.token())
        seen = set()
        for _ in range(2):
            answer = await made.client.post("/rehearse/teams/7/line", json={"text": "guess"}, headers=token)
            path = answer.links["describedby"]["url"].removeprefix("https://bff.test")
            [effect] = (await made.get(path)).json()["effects"]
            seen |= {effect["arguments"]["/line/text"]["digest"], effect["arguments"]["/line/about"]["digest"]}
        assert len(seen) == 4


async def test_case_82_what_an_effect_shows_is_not_told_twice() -> None:
    """Beside the effects stands only what they do not show."""
    settings: dict[str, Any] = {"connectors": {"copilot": {"commit": "confirmed"}}}
    async with world(**settings) as made:
        wanted = {"place_id": "node-268056325", "starts_at": "2025-12-24T12:00:00Z", "seats": 4}
        answer = await made.client.post("/rehearse/teams/7/bookings", json=wanted, headers=bearer(made.token()))
        rehearsal = answer.links["describedby"]["url"].rpartition("/")[2]
        anna = Visitor(made)
        assert (await anna.sign_in(rehearsal, "anna")).status_code == 303
        assert (await anna.fetch("GET", f"/confirmations/{rehearsal}")).json()["sent"] == {}
