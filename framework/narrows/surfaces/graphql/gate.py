"""What answers GraphQL requests that lead to no document: an endpoint of Narrows, guarded like any other.

So who has no credentials reads a 401, and nothing of which documents there are; who has some has a number of attempts.
Of a program that is being moved (`documents: log`), unknown text is put down, so that the team can register it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from narrows.call import Call, Page
from narrows.declare.endpoint import Endpoint
from narrows.errors import (
    ContentTooLarge,
    DocumentNotFound,
    DocumentRequired,
    InvalidInput,
    MalformedRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    UnsupportedMediaType,
)
from narrows.plan import Plan
from narrows.surfaces.declaring import Declaring

if TYPE_CHECKING:
    from narrows.surfaces.graphql.unknown import Unknown

PATH = "/graphql"
PROBLEMS = (
    ContentTooLarge,
    DocumentNotFound,
    DocumentRequired,
    InvalidInput,
    MalformedRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestTimeout,
    UnsupportedMediaType,
)


def gates(plan: Callable[[], Plan]) -> list[Endpoint]:
    """The endpoints, one for each method; `plan` is asked when it is needed."""

    @cache
    def unknown() -> Unknown:
        from narrows.surfaces.graphql.unknown import Unknown  # an extra

        return Unknown([entry.endpoint for entry in plan().entries])

    async def refuse(call: Call) -> Page:
        """Refuse a request that leads to no document, for the reason that was found before."""
        posed, connector = call.raw.posed, call.connector
        if posed is None or posed.problem is None:
            raise DocumentRequired()
        if posed.text is not None and connector is not None and connector.documents == "log":
            plan().log.append(unknown().event(call, posed.text, call.now_s()))
        raise posed.problem

    own = Declaring()
    for method in ("GET", "POST"):
        own.add(PATH, refuse, method=method, owned=True, problems=PROBLEMS)
    return own.endpoints
