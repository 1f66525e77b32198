"""A request of each endpoint, and the world that they are sent into.

`narrows rehearse bffs.where2eat.app:bff --compare` and tests/flow/test_fidelity.py rehearse each, and then send it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from narrows.testing import Request, Stage
from tests.flow.world import world

NEW = {"place_id": "node-268056325", "starts_at": "2025-12-01T12:00:00+01:00", "seats": 6, "note": "by the window"}
BOOK = Request("book_table", "/teams/7/bookings", body=NEW, caller="anna")

TEAM = "/graphql/lunch?variables=%7B%22team_id%22%3A7%7D"

REQUESTS = (
    Request("lunch", TEAM, caller="ben", first=(BOOK,)),
    Request("book", "/graphql/book", body={"variables": {"team_id": 7, "booking": NEW}}, caller="anna"),
    Request(
        "book", "/graphql/book", body={"variables": {"team_id": 8, "booking": NEW}}, caller="anna", label="not own"
    ),
    Request("team", "/teams/7", caller="ben"),
    Request("dining_suggestions", "/teams/7/dining-suggestions", caller="anna"),
    Request("dining_suggestions", "/teams/7/dining-suggestions?limit=2", caller="ben", label="two"),
    Request("team_bookings", "/teams/7/bookings", caller="ben", first=(BOOK,)),
    BOOK,
    Request("book_table", "/teams/8/bookings", body=NEW, caller="anna", label="of another team"),
    Request("cancel_booking", "/bookings/{id}", caller="anna", first=(BOOK,)),
    Request("cancel_booking", "/bookings/{id}", caller="ben", first=(BOOK,), label="by no organiser"),
)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Where2Eat with its issuer and its three services inside the process, called by its page."""
    async with world(connectors={"page": {"commit": "receipt"}}) as made:

        def token(subject: str) -> str:
            return made.token(subject, client_id="where2eat-page")

        yield Stage(made.app, made.client, made.network, made.records, token)
