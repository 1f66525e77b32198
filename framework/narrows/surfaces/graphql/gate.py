"""What answers GraphQL requests that lead to no document: an endpoint of Narrows, guarded like any other.

So who has no credentials reads a 401, and nothing of which documents there are; who has some has a number of attempts.
"""

from __future__ import annotations

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
from narrows.surfaces.declaring import Declaring

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


def gates() -> list[Endpoint]:
    """The endpoints, one for each method."""
    own = Declaring()
    for method in ("GET", "POST"):
        own.add(PATH, _refuse, method=method, owned=True, problems=PROBLEMS)
    return own.endpoints


async def _refuse(call: Call) -> Page:
    """Refuse a request that leads to no document, for the reason that was found before."""
    posed = call.raw.posed
    raise DocumentRequired() if posed is None or posed.problem is None else posed.problem
