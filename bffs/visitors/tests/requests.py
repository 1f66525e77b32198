"""Requests of each endpoint: a rehearsal of them must say what the live call then does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bffs.visitors.tests.fakes import made_up
from narrows.testing import Request, Stage

NEW = {"guest": "Noa New", "company": "Example Ltd", "expected_at": "2025-12-01T11:00:00Z", "note": "needs a lift"}
ANNOUNCE = Request("announce_visit", "/sites/1/visits", body=NEW, caller="anna")
AT_NIGHT = NEW | {"expected_at": "2025-12-01T23:00:00Z"}
PAST = NEW | {"expected_at": "2025-11-01T11:00:00Z"}

REQUESTS = (
    Request("expected_visits", "/sites/1/visits?day=2025-12-01", caller="ben"),
    Request("expected_visits", "/sites/2/visits?day=2025-12-01", caller="anna", label="of another site"),
    Request("one_visit", "/visits/v-1", caller="ben"),
    Request("one_visit", "/visits/{id}", caller="ben", first=(ANNOUNCE,), label="that was just announced"),
    Request("one_visit", "/visits/v-9", caller="anna", label="that is not there"),
    ANNOUNCE,
    Request("announce_visit", "/sites/2/visits", body=NEW, caller="anna", label="at another site"),
    Request("announce_visit", "/sites/1/visits", body=PAST, caller="anna", label="for a time that is over"),
    Request("cancel_visit", "/visits/{id}", caller="anna", first=(ANNOUNCE,)),
    Request("cancel_visit", "/visits/{id}", caller="ben", first=(ANNOUNCE,), label="by a colleague"),
    Request("cancel_visit", "/visits/v-3", caller="anna", label="of a guest who has come"),
)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """The made-up world, as `narrows rehearse --compare` wants it."""
    async with made_up() as w:
        yield Stage(w.app, w.client, w.network, w.records, w.token)
