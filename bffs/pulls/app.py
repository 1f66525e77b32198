"""Pulls: a team sees which of its pull requests wait, and what reviewers said."""

from bffs.pulls.board import verdicts, waiting
from bffs.pulls.types import PullNumber, RepositoryName, Verdict, Waiting
from bffs.pulls.upstreams import Github
from narrows import Bff, Id, PageSize

bff = Bff(
    "pulls",
    version="1.0.0",
    owner="dev-tools@example.com",
    purpose="Show a team the pull requests that wait for a review",
    exposure="internal",
    sensitivity="internal",
    importance="low",
    review_by="2027-05-23",
)

BELOW_ITS_OWNER = "GitHub finds it only below the organisation that `within` binds, and for the caller alone"


@bff.read(
    "/organisations/{organisation}/repositories/{repository}/pulls",
    roles={"member"},
    within="organisation:{organisation}",
    unbound={"repository": BELOW_ITS_OWNER},
    scope="pulls:read",
    uses=[Github.pulls_list],
    rate="30/minute",
)
async def waiting_pulls(organisation: Id, repository: RepositoryName, limit: PageSize = 20) -> list[Waiting]:
    """The open pull requests of a repository that are no drafts, the one that waits longest first."""
    found = await Github.pulls_list(
        organisation, repository, state="open", sort="created", direction="asc", per_page=limit
    )
    return waiting(found)


@bff.read(
    "/organisations/{organisation}/repositories/{repository}/pulls/{number}/verdicts",
    roles={"member"},
    within="organisation:{organisation}",
    unbound={"repository": BELOW_ITS_OWNER, "number": BELOW_ITS_OWNER},
    scope="pulls:read",
    uses=[Github.pulls_list_reviews],
    rate="30/minute",
)
async def pull_verdicts(organisation: Id, repository: RepositoryName, number: PullNumber) -> list[Verdict]:
    """The last word of each reviewer of a pull request."""
    return verdicts(await Github.pulls_list_reviews(organisation, repository, number, per_page=50))
