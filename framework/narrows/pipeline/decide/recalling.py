"""`Rehearsal: {id}`: a rehearsal that builds on an earlier one knows what that one made up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from narrows.call import Call
from narrows.errors import MalformedRequest, NotFound
from narrows.pipeline.rehearsal import owner_of, read_kept
from narrows.pipeline.step import Preparing
from narrows.upstreams.made import recall

HEADER = "rehearsal"


def recaller(preparing: Preparing) -> Callable[[Call], Awaitable[None]]:
    """What reads the header for the calls of one endpoint."""
    rehearsals = preparing.ground.rehearsals

    async def recall_named(call: Call) -> None:
        """Let the call know the rehearsal that it names; absent, expired and another's are alike."""
        if call.mode == "live":
            raise MalformedRequest(
                "`Rehearsal` names a rehearsal to build on, and a live call builds on none.",
                remedy="Send it under /rehearse or /sandbox, or leave it out.",
            )
        named = call.raw.header(HEADER)
        document = await rehearsals().get(named, owner_of(call)) if named is not None else None
        kept = read_kept(document) if document is not None else None
        # What was rehearsed on real reads has no place in the sandbox, which a draft may use.
        if kept is None or (call.mode == "sandbox" and kept.mode != "sandbox"):
            raise NotFound("There is no such rehearsal of yours.", remedy="Name the id of a rehearsal in /rehearsals.")
        recall(call, (*kept.recalled, *kept.made))

    return recall_named
