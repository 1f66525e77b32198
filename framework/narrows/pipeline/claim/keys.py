"""What an idempotency key says of a request that comes again: its answer, or why it is not sent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from narrows.call import Call
from narrows.errors import AlreadyAttempted, KeyInUse, KeyReused
from narrows.pipeline.step import retry_after
from narrows.stores import Found, Outcome
from narrows.upstreams.commitment import receipt_refused


def refuse_or_replay(call: Call, found: Found) -> None:
    """Answer with what is kept, or raise why the request goes no further."""
    match found.state:
        case "other":
            raise KeyReused()
        case "running":
            raise KeyInUse(headers=retry_after(found.wait_s))
        case "spent":
            raise receipt_refused("spent", "Another request used this receipt.")
    if found.answer is None or found.state != "done":
        raise _already(found)
    # It goes through step 9 once more, so that it holds what the endpoint declares today and nothing else.
    call.answer = msgspec.Raw(found.answer)
    call.replayed = True


def _already(found: Found) -> AlreadyAttempted:
    """What is known of an attempt of which no answer can be given."""
    if found.state == "done":
        return AlreadyAttempted(
            "It was carried out; its answer was too large to be kept.",
            members={"effects": _named(found.outcomes, "done")},
        )
    return AlreadyAttempted(
        members={
            "effects": _named(found.outcomes, "done"),
            "effects_unknown": _named(found.outcomes, "unknown"),
        }
    )


def _named(outcomes: Sequence[Outcome], state: str) -> list[str]:
    return [outcome.operation for outcome in outcomes if outcome.state == state]
