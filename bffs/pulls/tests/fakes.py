"""What pulls is tested with: as much of GitHub as it asks for, people, and the objects of the matrix."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from bffs.pulls.app import bff
from narrows.testing.world import World, world

OPENED = "2026-01-05T09:00:00Z"


def pull(number: int, **over: Any) -> dict[str, Any]:
    """A pull request with the fields that are read, and one that must not get out."""
    return {
        "number": number,
        "title": f"Change {number}",
        "html_url": f"https://github.test/acme/web/pull/{number}",
        "user": {"login": "anna", "email": "anna@example.com"},
        "created_at": OPENED,
        "updated_at": OPENED,
        "draft": False,
        "body": "not for everybody",
        **over,
    }


PULLS = [pull(1), pull(2, draft=True), pull(3, user=None)]
REVIEWS: list[dict[str, Any]] = [
    {"user": {"login": "ben"}, "state": "CHANGES_REQUESTED", "submitted_at": OPENED, "body": "no"},
    {"user": {"login": "cleo"}, "state": "COMMENTED", "submitted_at": OPENED, "body": "hm"},
    {"user": {"login": "ben"}, "state": "APPROVED", "submitted_at": OPENED, "body": "yes"},
    {"user": {"login": "ben"}, "state": "COMMENTED", "submitted_at": OPENED, "body": "thanks"},
]
PEOPLE: dict[str, dict[str, Any]] = {"anna": {"organisations": ["acme"]}, "olga": {"organisations": ["other"]}}

OWN = {"organisation": "acme", "repository": "web", "number": 1}
FOREIGN = {"organisation": "other", "repository": "web", "number": 1}
ABSENT = {"organisation": "nowhere", "repository": "none", "number": 9}


def github() -> Litestar:
    """Two organisations, each with one repository."""

    def known(repo: str) -> None:
        if repo != "web":
            raise NotFoundException

    @get("/repos/{owner:str}/{repo:str}/pulls")
    async def pulls_list(owner: FromPath[str], repo: FromPath[str]) -> list[dict[str, Any]]:
        known(repo)
        return PULLS

    @get("/repos/{owner:str}/{repo:str}/pulls/{pull_number:int}/reviews")
    async def reviews(owner: FromPath[str], repo: FromPath[str], pull_number: FromPath[int]) -> list[dict[str, Any]]:
        known(repo)
        return REVIEWS

    return Litestar([pulls_list, reviews], openapi_config=None)


def made_up() -> AbstractAsyncContextManager[World]:
    """The whole world of pulls inside the process."""
    return world(bff, {"github": github()}, people=PEOPLE)
