"""What of GitHub's answers the board shows."""

from collections.abc import Iterable

from bffs.pulls.types import Author, PullRequest, Review, Verdict, Waiting

# Somebody whose account is gone.
NOBODY = "ghost"


def waiting(pulls: Iterable[PullRequest]) -> list[Waiting]:
    """The pull requests that are no drafts, in their order."""
    return [
        Waiting(
            number=pull.number,
            title=pull.title,
            author=_name(pull.user),
            opened_at=pull.created_at,
            page=pull.html_url,
        )
        for pull in pulls
        if not pull.draft
    ]


def verdicts(reviews: Iterable[Review]) -> list[Verdict]:
    """The last review of each reviewer; a comment takes back no verdict."""
    last: dict[str, str] = {}
    for review in reviews:
        reviewer = _name(review.user)
        if review.state != "COMMENTED" or reviewer not in last:
            last[reviewer] = review.state
    return [Verdict(reviewer=reviewer, state=state) for reviewer, state in last.items()]


def _name(user: Author | None) -> str:
    return NOBODY if user is None else user.login
