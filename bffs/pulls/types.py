"""What GitHub answers, as far as a team needs it, and what the app shows of it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from narrows import Moment, Narrow

# A name of a repository on GitHub: also with dots, and never `.` or `..`, which no path can carry.
RepositoryName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+(?!\n)$")]
PullsListState = Literal["open", "closed", "all"]
PullsListSort = Literal["created", "updated", "popularity", "long-running"]
PullsListDirection = Literal["asc", "desc"]
PullNumber = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class Author(Narrow):
    """Who wrote something: the name on GitHub and nothing else of the person."""

    login: str


class PullRequest(Narrow):
    """A pull request."""

    number: int
    title: str
    html_url: str
    user: Author | None
    created_at: Moment
    updated_at: Moment
    draft: bool | None = None


class Review(Narrow):
    """A review of a pull request, without its text."""

    user: Author | None
    state: str
    submitted_at: Moment | None = None


# --- what clients get ---------------------------------------------------------------------------------------------


class Waiting(Narrow):
    """A pull request that waits for somebody."""

    number: int
    title: str
    author: str
    opened_at: Moment
    page: str


class Verdict(Narrow):
    """What somebody thinks of a pull request: their last review."""

    reviewer: str
    state: str
