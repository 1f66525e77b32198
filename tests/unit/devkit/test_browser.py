from urllib.parse import parse_qs

import httpx
import pytest

from narrows.devkit.browser import Confirming, SignInFailed, sign_in

HOME = "http://127.0.0.1:5000/done"
URL = f"http://as.test/authorize?redirect_uri={HOME}"
FORM = '<form action="/search"></form><form method="POST" action="/in"><input type=hidden name=a value=1><input name=u>'


def server(*answers):
    """A server that gives these answers one after the other, and keeps what it was asked."""
    left, seen = list(answers), []

    def handle(request):
        seen.append(request)
        return left.pop(0)

    return httpx.MockTransport(handle), seen


def to(location, status=302):
    """A redirect."""
    return httpx.Response(status, headers={"Location": location})


async def test_it_walks_the_form_as_a_browser_does():
    """Redirects on the way, cookies, hidden fields, the form's target and the origin are those of a browser."""
    page = httpx.Response(200, headers={"Set-Cookie": "c=1"}, html=FORM)
    transport, seen = server(to("/login", 307), page, to("/consent", 303), to(HOME + "?code=x&state=y"))
    assert await sign_in(URL, "ann", "pw", transport) == HOME + "?code=x&state=y"
    posted = seen[2]
    assert (posted.method, str(posted.url), posted.headers["cookie"]) == ("POST", "http://as.test/in", "c=1")
    assert posted.headers["origin"] == "http://as.test"
    assert parse_qs(posted.content.decode()) == {
        "a": ["1"],
        "username": ["ann"],
        "password": ["pw"],
        "decision": ["allow"],
    }
    assert [request.url.path for request in seen] == ["/authorize", "/login", "/in", "/consent"]


async def test_it_never_calls_the_redirect_uri():
    """The redirect to the program is returned, not followed."""
    transport, seen = server(to(HOME + "?code=x"))
    await sign_in(URL, "ann", "pw", transport)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ([httpx.Response(400, html=FORM)], "answered 400 and no form"),
        ([httpx.Response(200, html="<form>")], "answered 200 and no form"),
        ([to(HOME + "?error=access_denied")], "the server refused: access_denied"),
        ([to(HOME)], "no code came back"),
        ([to("/again")] * 7, "did not end"),
    ],
)
async def test_what_is_no_sign_in_fails_with_words(answers, named):
    """An error page, no form, a refusal and a circle end in SignInFailed, which does not repeat the password."""
    transport, _ = server(*answers)
    with pytest.raises(SignInFailed, match=named) as caught:
        await sign_in(URL, "ann", "hidden", transport)
    assert "hidden" not in str(caught.value)


async def test_an_authorize_url_without_a_redirect_uri_is_refused():
    """Without it nobody knows where to stop."""
    with pytest.raises(SignInFailed, match="redirect_uri"):
        await sign_in("http://as.test/authorize", "ann", "pw")


class Page:
    """A confirmation page with its issuer; `seen` holds the requests, `way` what goes otherwise."""

    def __init__(self, **way):
        self.seen = []
        self.way = way

    def __call__(self, request):
        self.seen.append(request)
        match (request.method, request.url.path):
            case ("GET", "/confirm/sign-in"):
                asked = f"http://as.test/in?redirect_uri={PAGE}/confirm/callback"
                return self.way.get("leave") or to(asked, 303)
            case ("GET", "/in"):
                return httpx.Response(200, html=FORM)
            case ("POST", "/in"):
                return to(f"{PAGE}/confirm/callback?code=x", 303)
            case ("GET", "/confirm/callback"):
                back = {"Location": f"{PAGE}/confirm/r1", "Set-Cookie": "session=s; Path=/"}
                return self.way.get("back") or httpx.Response(303, headers=back)
            case ("POST", "/confirmations/r1"):
                return httpx.Response(200, json={"state": "confirmed"})
        return httpx.Response(200, json={"state": "open"})


PAGE = "http://bff.test"


async def test_a_person_signs_in_and_confirms():
    """Each request of the page carries what a browser and the page's script add, and the session after the sign-in."""
    server = Page()
    async with Confirming(f"{PAGE}/confirm/r1", httpx.MockTransport(server)) as page:
        await page.sign_in("ann", "pw")
        assert (await page.read()).json() == {"state": "open"}
        assert (await page.decide()).json() == {"state": "confirmed"}
        await page.decide("refuse", headers={"Sec-Fetch-Site": "cross-site"})
    read, allowed, refused = server.seen[-3:]
    for request in (read, allowed, refused):
        assert (request.headers["narrows-confirm"], request.headers["cookie"]) == ("1", "session=s")
    assert read.headers["sec-fetch-site"] == "same-origin"
    assert "origin" not in read.headers
    assert (allowed.headers["origin"], allowed.content) == (PAGE, b'{"decision":"allow"}')
    assert (refused.headers["sec-fetch-site"], refused.content) == ("cross-site", b'{"decision":"refuse"}')


@pytest.mark.parametrize("way", [{"leave": httpx.Response(400)}, {"back": httpx.Response(400)}])
async def test_a_sign_in_that_does_not_hold_is_told(way):
    """The message names the status, and neither password nor code."""
    async with Confirming(f"{PAGE}/confirm/r1", httpx.MockTransport(Page(**way))) as page:
        with pytest.raises(SignInFailed, match="400"):
            await page.sign_in("ann", "pw")
