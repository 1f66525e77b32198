"""Step 7: what makes a live write happen once.

Idempotency keys are looked up here, and receipts checked and spent; both come with the registry of connectors. Until
then a write that names either is refused, because doing less than a client asks for would lose or double a write.
"""

from __future__ import annotations

from narrows.call import Call
from narrows.errors import MalformedRequest
from narrows.pipeline.step import Preparing, Step

_PROMISES = ("idempotency-key", "rehearsal-receipt")


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; a read claims nothing, and Narrows' own writes send nothing upstream."""
    if preparing.endpoint.kind == "read" or preparing.endpoint.builtin:
        return None

    async def claim(call: Call) -> None:
        for name in _PROMISES:
            if name in call.raw.headers:
                raise MalformedRequest(
                    f"`{name}` is not kept by this version.", remedy=f"Send the request without `{name}`."
                )

    return claim
