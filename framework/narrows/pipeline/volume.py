"""After step 9: the bytes and records of the answer are counted against the volumes; one that does not fit is refused.

So is what was rehearsed and is read again. Problems are counted where the handler raises them (handle.py).
"""

from __future__ import annotations

from typing import Any

from narrows.call import Call, Page
from narrows.pipeline.outgoing import Outgoing, records_in
from narrows.pipeline.step import Preparing, Step


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; most of Narrows' own have none, nor have pages, which hold no data."""
    outgoing = Outgoing(preparing.endpoint, preparing.ground)
    if not outgoing.counts or preparing.shape.answer is Page:
        return None

    records = _of_rehearsals if preparing.endpoint.builtin else records_in

    async def volume(call: Call) -> None:
        if call.reply is not None:
            await outgoing.count(call, len(call.reply.body), records(call.answer))

    return volume


def _of_rehearsals(answer: Any) -> int:
    """What of rehearsals may be an upstream's are their effects; their own scopes, prices and rates are no records."""
    documents = answer if isinstance(answer, list) else [answer]
    return max(1, sum(records_in(document.effects) for document in documents if document.effects))
