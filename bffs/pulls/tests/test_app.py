"""What pulls answers, with GitHub inside the process."""

import pytest

from bffs.pulls.app import bff
from bffs.pulls.tests.fakes import OPENED, made_up
from narrows.devkit.drift import drift
from narrows.testing.open_places import open_places

WEB = "/organisations/acme/repositories/web/pulls"


def test_the_contract_is_as_agreed() -> None:
    """Another endpoint, or a wider one, is put down here and seen in a review."""
    assert [(e.kind, e.method, e.path, e.scope) for e in bff.endpoints] == [
        ("read", "GET", "/organisations/{organisation}/repositories/{repository}/pulls", "pulls:read"),
        (
            "read",
            "GET",
            "/organisations/{organisation}/repositories/{repository}/pulls/{number}/verdicts",
            "pulls:read",
        ),
    ]


def test_nothing_is_left_open() -> None:
    """It starts with the settings beside it."""
    assert open_places(bff) == ()


def test_it_fits_the_document_that_it_was_made_from() -> None:
    """Every field that it reads and every value that it sends is one of GitHub's."""
    assert drift(bff, "github", bff.folder / "upstream" / "github.json") == []


@pytest.mark.asyncio
async def test_what_waits_is_shown_without_drafts_and_without_the_text() -> None:
    """Only the declared fields; somebody whose account is gone is called ghost."""
    async with made_up() as w:
        answer = await w.get(WEB, "anna")
    page = "https://github.test/acme/web/pull/"
    assert answer.json() == [
        {"number": 1, "title": "Change 1", "author": "anna", "opened_at": OPENED, "page": f"{page}1"},
        {"number": 3, "title": "Change 3", "author": "ghost", "opened_at": OPENED, "page": f"{page}3"},
    ]


@pytest.mark.asyncio
async def test_github_is_asked_for_just_that() -> None:
    """Open ones, the oldest first, as many as were asked for."""
    async with made_up() as w:
        await w.get(f"{WEB}?limit=7", "anna")
        [request] = [r for host in w.upstream_hosts() for r in w.network.to(host)]
    assert request.url.path == "/repos/acme/web/pulls"
    assert dict(request.url.params) == {"state": "open", "sort": "created", "direction": "asc", "per_page": "7"}


@pytest.mark.asyncio
async def test_a_verdict_is_the_last_word_of_a_reviewer() -> None:
    """A comment after an approval takes nothing back."""
    async with made_up() as w:
        answer = await w.get(f"{WEB}/1/verdicts", "anna")
    assert answer.json() == [{"reviewer": "ben", "state": "APPROVED"}, {"reviewer": "cleo", "state": "COMMENTED"}]


@pytest.mark.parametrize(
    "path", ["/organisations/other/repositories/web/pulls", "/organisations/a%2Fb/repositories/web/pulls"]
)
@pytest.mark.asyncio
async def test_another_organisation_is_not_looked_at(path: str) -> None:
    """GitHub is not even asked."""
    async with made_up() as w:
        answer = await w.get(path, "anna")
        asked = [r for host in w.upstream_hosts() for r in w.network.to(host)]
    assert (400 <= answer.status_code < 500, asked) == (True, [])
