"""Step 3 of a child call: what was found out about its parent's caller and program allows this endpoint too.

The parent was admitted for all of its fields; what is asked here again holds for whatever else asks for a field.
"""

from __future__ import annotations

from narrows.call import Call
from narrows.pipeline.admission import NeededScopes, check_kind, check_scopes, check_state
from narrows.pipeline.step import Preparing, Step, who


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own are no fields."""
    endpoint = preparing.endpoint
    if endpoint.builtin:
        return None
    scopes = NeededScopes(preparing.ground.settings, preparing.scopes())
    writes, for_services = endpoint.kind == "write", endpoint.for_services

    async def inherit(call: Call) -> None:
        caller, connector, credential = who(call)
        check_state(connector, call.mode, write=writes)
        check_scopes(connector, scopes.all)
        check_kind(caller, for_services=for_services)
        scopes.check(credential.scopes)

    return inherit
