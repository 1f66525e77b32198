"""What became of a rehearsal that a person has to confirm: for its page, and for the program that waits."""

from __future__ import annotations

from narrows.call import Call
from narrows.pipeline.rehearsal import ConfirmationState, RehearsalDocument
from narrows.stores import Attempt, Commits, Owner


def attempt_on(call: Call, owner: Owner, document: RehearsalDocument, attempt_id: str) -> Attempt:
    """An attempt without a key: it holds nothing, and asks for, or spends, the receipt alone."""
    return Attempt(
        id=attempt_id,
        owner=owner,
        endpoint=document.endpoint,
        until=call.deadline,
        trace_id=call.span.trace_id,
        receipt=document.id,
    )


async def state_of(commits: Commits, document: RehearsalDocument, owner: Owner, attempt: Attempt) -> ConfirmationState:
    """Whether it still waits for the person, is confirmed, or is over: done, or not allowed."""
    if (await commits.claim(attempt)).state == "spent":
        return "spent"
    return "confirmed" if await commits.is_confirmed(document.id, owner) else "open"
