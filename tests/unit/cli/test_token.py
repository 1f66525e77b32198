"""`narrows token`: asks a running `narrows dev` as its pages do, and says who there is."""

import httpx
import pytest
from click.testing import CliRunner

from narrows.cli import main
from narrows.cli.token import token_of
from narrows.devkit.dev.running import announced
from narrows.errors import NarrowsError

LINK = "http://127.0.0.1:8000/dev/enter/secret"
BOARD = {"people": [{"name": "member"}, {"name": "stranger"}], "programs": [{"name": "desks-page"}]}


def pages(request: httpx.Request) -> httpx.Response:
    """The pages, as far as a token needs them."""
    if request.url.path == "/dev/enter/secret":
        return httpx.Response(303, headers={"set-cookie": "__Host-x=held; Secure; HttpOnly", "location": "/dev/"})
    if request.headers.get("cookie") != "__Host-x=held" or request.headers.get("origin") != "http://127.0.0.1:8000":
        return httpx.Response(403)
    if request.url.path == "/dev/api/board":
        return httpx.Response(200, json=BOARD)
    known = b'"member"' in request.content and b'"desks-page"' in request.content
    return httpx.Response(200, json={"token": "t", "expires_in": 1}) if known else httpx.Response(404)


def test_a_token_is_asked_for_with_the_secret_of_the_start():
    """The link becomes the cookie that a browser would hold."""
    assert token_of(LINK, "member", "desks-page", httpx.MockTransport(pages)) == "t"


def test_who_there_is_is_said_when_somebody_is_not_there():
    """Nobody has to look it up."""
    with pytest.raises(NarrowsError, match="people are member, stranger; programs are desks-page"):
        token_of(LINK, "nobody", "desks-page", httpx.MockTransport(pages))


def test_a_bff_that_did_not_start_is_said_so():
    """Its reasons stand in the other terminal."""
    refused = httpx.MockTransport(lambda _: httpx.Response(503))
    with pytest.raises(NarrowsError, match="did not start"):
        token_of(LINK, "member", "desks-page", refused)


def test_nothing_that_answers_is_said_so():
    """The run has ended without tidying up."""

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    with pytest.raises(NarrowsError, match=r"nothing answers on http://127.0.0.1:8000. Remedy"):
        token_of(LINK, "member", "desks-page", httpx.MockTransport(away))


def test_the_command_finds_the_run_by_its_port(tmp_path, monkeypatch):
    """And prints the token alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("narrows.cli.token.token_of", lambda *asked: "|".join(asked))
    assert CliRunner().invoke(main, ["token", "member"]).exit_code == 2
    with announced(8123, LINK):
        done = CliRunner().invoke(main, ["token", "member", "--program", "desks-page", "--port", "8123"])
    assert (done.exit_code, done.stdout) == (0, f"{LINK}|member|desks-page\n")
