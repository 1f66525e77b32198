"""GitHub, as far as this BFF uses it: made from its document, and narrowed by hand."""

from bffs.pulls.types import (
    PullNumber,
    PullRequest,
    PullsListDirection,
    PullsListSort,
    PullsListState,
    RepositoryName,
    Review,
)
from narrows import Answer, Id, PageSize, Upstream, read


class Github(Upstream):
    """The REST API of GitHub."""

    @read("/repos/{owner}/{repo}/pulls", asks="pulls:read")
    def pulls_list(
        self,
        owner: Id,
        repo: RepositoryName,
        state: PullsListState | None = None,
        sort: PullsListSort | None = None,
        direction: PullsListDirection | None = None,
        per_page: PageSize | None = None,
    ) -> Answer[list[PullRequest]]: ...

    @read("/repos/{owner}/{repo}/pulls/{pull_number}/reviews", asks="pulls:read")
    def pulls_list_reviews(
        self, owner: Id, repo: RepositoryName, pull_number: PullNumber, per_page: PageSize | None = None
    ) -> Answer[list[Review]]: ...
