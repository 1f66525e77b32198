"""A request of each endpoint: a rehearsal of it must say what the live call then does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bffs.pulls.tests.fakes import made_up
from narrows.testing import Request, Stage

WEB = "/organisations/acme/repositories/web/pulls"

REQUESTS = (
    Request("waiting_pulls", WEB, caller="anna"),
    Request("waiting_pulls", f"{WEB}?limit=2", caller="anna", label="two"),
    Request("waiting_pulls", WEB, caller="olga", label="of another organisation"),
    Request("pull_verdicts", f"{WEB}/1/verdicts", caller="anna"),
)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """The made-up world, as `narrows rehearse --compare` wants it."""
    async with made_up() as w:
        yield Stage(w.app, w.client, w.network, w.records, w.token)
