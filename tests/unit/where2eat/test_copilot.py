import json
from datetime import UTC, datetime

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider

from examples.where2eat.client import Bff, Refused, plain
from examples.where2eat.copilot import SALZBURG, _arguments, lunch, next_lunch

SERVER = "http://bff.test"
PLACE = {
    "place_id": "node-1",
    "name": "Café \x1b[2J",
    "cuisine": ["coffee_shop"],
    "distance_m": 12,
    "vegetarian": True,
    "vegan": False,
    "lat": 47.8,
    "lon": 13.0,
}
REHEARSAL = {
    "id": "r1",
    "receipt": "k.r1.9.s",
    "confirmation": "open",
    "effects": [
        {
            "operation": "Tables.book",
            "method": "POST",
            "path": "/bookings",
            "arguments": {"/booking/seats": 6, "/booking/note": "", "/booking/by": {"type": "string", "digest": "d"}},
            "price": "0.05 EUR",
        }
    ],
    "price": {"asked": "0.05 EUR", "ceiling": None},
    "left_out": [],
    "trace_id": "0" * 32,
}
BOOKING = {"id": "booking-1", "starts_at": "2026-11-23T11:30:00Z", "seats": 6}


CONFIRM = f"{SERVER}/confirm/r1"


class Server:
    """The BFF; `seen` holds the requests, `link` is where a rehearsal is said to be.

    `decided` is what the person decides once the page is opened; without it a booking is not stopped. `confirm_url` is
    where the person is said to confirm.
    """

    def __init__(self, link=f'<{SERVER}/rehearse/rehearsals/r1>; rel="describedby"', decided=None, confirm_url=CONFIRM):
        self.seen = []
        self.opened = []
        self.decided = decided
        self._confirm_url = confirm_url
        self._link = link

    async def show(self, url):
        """The person's browser."""
        self.opened.append(url)

    def __call__(self, request):
        self.seen.append(request)
        match (request.method, request.url.path):
            case ("GET", "/teams/7/dining-suggestions"):
                return httpx.Response(200, json=[PLACE])
            case ("POST", "/rehearse/teams/7/bookings"):
                return httpx.Response(201, json=BOOKING, headers={"link": self._link} if self._link else {})
            case ("GET", "/rehearse/rehearsals/r1"):
                decided = self.decided if self.opened and self.decided else "open"
                return httpx.Response(200, json={**REHEARSAL, "confirmation": decided})
            case ("POST", "/teams/7/bookings") if self.decided and not self.opened:
                problem = {"title": "Confirm first", "remedy": "Open it.", "confirm_url": self._confirm_url}
                return httpx.Response(428, json=problem)
            case ("POST", "/teams/7/bookings"):
                return httpx.Response(201, json=BOOKING)
        problem = {"title": "Not\x1b[31m allowed", "detail": "No.", "remedy": "Ask.", "trace_id": "t"}
        problem["errors"] = [{"pointer": "/body/seats", "detail": "Too many.", "remedy": "Send fewer."}]
        return httpx.Response(403, json=problem)


def answering(answer):
    """A person who answers so."""

    async def confirm():
        return answer

    return confirm


async def lunched(server, confirm, *argv):
    """Run the copilot against `server` with these arguments."""
    tracer = TracerProvider().get_tracer("test")
    async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as client:
        with tracer.start_as_current_span("test"):
            arguments = _arguments(["--at", "2026-11-23T12:30", *argv])
            bff = Bff(client, SERVER, "a token of the test", tracer)
            await lunch(bff, arguments, confirm, getattr(server, "show", None))


async def test_it_shows_the_effects_before_it_books(capsys):
    """The person reads effect and price of the rehearsal; only then goes the same booking out for real."""
    server = Server()
    await lunched(server, answering(True), "--note", "window")
    shown = capsys.readouterr().out
    assert "Tables.book: POST /bookings   0.05 EUR" in shown
    assert "(string, not shown)" in shown
    assert "Booked: booking-1" in shown
    rehearsed, live = [json.loads(request.content) for request in server.seen if request.method == "POST"]
    assert rehearsed == live == {**live, "place_id": "node-1", "starts_at": "2026-11-23T11:30:00Z", "note": "window"}


async def test_without_a_yes_nothing_is_booked(capsys):
    """Whoever does not confirm has rehearsed, and no more."""
    server = Server()
    await lunched(server, answering(False))
    assert [request.url.path for request in server.seen if request.method == "POST"] == ["/rehearse/teams/7/bookings"]
    assert "Nothing was booked." in capsys.readouterr().out


async def test_a_booking_that_is_stopped_goes_on_once_it_is_confirmed(capsys):
    """The same request with the same receipt, and nothing before the person has decided on the BFF's page."""
    server = Server(decided="confirmed")
    await lunched(server, answering(True))
    stopped, booked = [request for request in server.seen if request.url.path == "/teams/7/bookings"]
    assert server.opened == [CONFIRM]
    assert stopped.content == booked.content
    assert stopped.headers["rehearsal-receipt"] == booked.headers["rehearsal-receipt"] == REHEARSAL["receipt"]
    shown = capsys.readouterr().out
    assert f"Confirm it here: {CONFIRM}" in shown
    assert "Booked: booking-1" in shown


@pytest.mark.parametrize(("decided", "told"), [("spent", "did not allow"), ("open", "not confirmed in time")])
async def test_what_is_not_confirmed_is_not_booked(decided, told):
    """Whether the person refuses or does nothing; the copilot cannot decide for them."""
    server = Server(decided=decided)
    with pytest.raises(Refused, match=told):
        await lunched(server, answering(True), "--wait", "0")
    assert [request.url.path for request in server.seen].count("/teams/7/bookings") == 1


async def test_a_page_elsewhere_is_not_opened():
    """A place to confirm that is not the server's own is only told of."""
    server = Server(decided="confirmed", confirm_url="http://bff.test.evil.test/confirm/r1")
    with pytest.raises(Refused, match="Confirm first"):
        await lunched(server, answering(True))
    assert server.opened == []


@pytest.mark.parametrize("link", [None, '<http://evil.test/rehearse/rehearsals/r1>; rel="describedby"'])
async def test_without_a_rehearsal_nothing_is_booked(link):
    """A server that does not say what it rehearsed, or sends elsewhere for it, is not trusted with the real thing."""
    server = Server(link)
    with pytest.raises(Refused, match="nothing is booked"):
        await lunched(server, answering(True))
    assert all(request.url.host == "bff.test" for request in server.seen)
    assert [request.url.path for request in server.seen][-1] == "/rehearse/teams/7/bookings"


async def test_every_request_carries_the_same_trace():
    """A trace that begins at the copilot goes on at the BFF (W3C Trace Context)."""
    server = Server()
    await lunched(server, answering(True))
    assert len({request.headers["traceparent"].split("-")[1] for request in server.seen}) == 1
    assert len({request.headers["traceparent"] for request in server.seen}) == len(server.seen)


async def test_a_refusal_is_told_with_its_remedy(capsys):
    """A problem (RFC 9457) becomes lines that a person can act on."""
    with pytest.raises(Refused) as refused:
        await lunched(Server(), answering(True), "--team", "8")
    assert "What helps: Ask." in str(refused.value)
    assert "/body/seats: Too many. Send fewer." in str(refused.value)
    assert "\x1b" not in str(refused.value)
    assert "\x1b" not in capsys.readouterr().out


async def test_what_is_no_problem_document_is_told_by_its_status():
    """A proxy in between may answer in its own words, which are not repeated."""
    with pytest.raises(Refused, match=r"The server answered 502\.$"):
        await lunched(lambda _: httpx.Response(502, text="<html>"), answering(True))


async def test_only_what_was_suggested_can_be_picked():
    """A number that is not in the list books nothing."""
    with pytest.raises(Refused, match="no such suggestion"):
        await lunched(Server(), answering(True), "--pick", "2")


def test_text_from_elsewhere_cannot_move_the_cursor():
    """Controls of a terminal are replaced, letters of every script stay."""
    assert (
        plain("Café\x1b[2J\r\u202e日本\n")
        == "Café\N{REPLACEMENT CHARACTER}[2J" + "\N{REPLACEMENT CHARACTER}" * 2 + "日本\n"
    )


@pytest.mark.parametrize("server", ["http://example.com", "ftp://127.0.0.1", "127.0.0.1:8000"])
def test_a_token_is_never_sent_in_the_clear(server, capsys):
    """Plain HTTP is for this machine alone."""
    with pytest.raises(SystemExit):
        _arguments(["--server", server])
    assert "https" in capsys.readouterr().err


def test_lunch_is_on_a_working_day_at_noon_in_salzburg():
    """After a Friday comes Monday, whatever the clock of this machine is set to."""
    assert next_lunch(datetime(2026, 11, 20, 23, tzinfo=UTC)) == datetime(2026, 11, 23, 12, 30, tzinfo=SALZBURG)
