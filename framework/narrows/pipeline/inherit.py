"""Step 3 of a child call: what was found out about its parent's caller and program allows this endpoint too."""

from __future__ import annotations

from narrows.call import Call
from narrows.errors import ScopeMissing
from narrows.pipeline.step import Preparing, Step, who


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own are no fields."""
    endpoint = preparing.endpoint
    if endpoint.builtin:
        return None

    async def inherit(call: Call) -> None:
        if endpoint.scope is not None and endpoint.scope not in who(call).credential.scopes:
            raise ScopeMissing(f"The token does not hold the scope {endpoint.scope!r}.")

    return inherit
