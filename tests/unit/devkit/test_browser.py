from urllib.parse import parse_qs

import httpx
import pytest

from narrows.devkit.browser import SignInFailed, sign_in

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
