"""Step 7: what makes a live write happen once, and as it was rehearsed.

Idempotency keys are looked up and held, receipts checked. A receipt is spent later, together with the intent of the
first effect (upstreams/commitment.py), so that a call that ends before it sends anything has used nothing up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args
from urllib.parse import quote

import msgspec

from narrows.call import Call
from narrows.declare.commit import Commit, strictest
from narrows.declare.shape import placeholders
from narrows.errors import ConfirmationRequired, ReceiptRequired
from narrows.pipeline.claim.checking import Checking
from narrows.pipeline.claim.header import idempotency_key, receipt_text
from narrows.pipeline.claim.keys import refuse_or_replay
from narrows.pipeline.declared import declaration_digest
from narrows.pipeline.receipts import Signed
from narrows.pipeline.step import Preparing, Step, who
from narrows.stores import Attempt, Commits
from narrows.upstreams.commitment import Commitment, attempt_of, owner_of
from narrows.upstreams.made import digest_of


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; a read claims nothing, and Narrows' own writes send nothing upstream."""
    endpoint, ground = preparing.endpoint, preparing.ground
    if endpoint.kind == "read" or endpoint.builtin:
        return None
    preparing.declaration = declaration_digest(preparing)
    claiming = Claiming(
        # What each way in which a connector may commit comes to at this endpoint.
        needed={commit: strictest(endpoint.commit, commit) for commit in get_args(Commit)},
        commits=ground.commits,
        read_receipt=ground.receipts.read,
        checking=Checking.prepare(preparing),
        public_url=ground.settings.public_url.rstrip("/"),
    )
    return claiming.claim


class Claiming(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Claims for the calls of one endpoint."""

    needed: Mapping[Commit, Commit]
    commits: Callable[[], Commits]
    read_receipt: Callable[[str], Signed | None]
    checking: Checking
    public_url: str

    async def claim(self, call: Call) -> None:
        """Claim what a live write brings. In a rehearsal the headers are read, and nothing is kept of them."""
        key, text = idempotency_key(call.raw), receipt_text(call.raw)
        if call.mode != "live":
            return
        needed = self.needed[who(call).connector.commit]
        if key is not None or text is not None:
            signed = self.read_receipt(text) if text is not None else None
            commitment = await self._hold(call, key, signed)
            if commitment is None:
                return
            if text is not None:
                await self._check(call, commitment.attempt, signed, needed)
                return
        if needed != "open":
            raise self._receipt_required(call, needed)

    async def _hold(self, call: Call, key: str | None, signed: Signed | None) -> Commitment | None:
        """Look up key and receipt, and hold the key; None when a kept answer is replayed.

        Raises what they say against the request.
        """
        attempt = attempt_of(
            call,
            call.fresh_id(),
            key=key,
            request=digest_of(call.arguments) if key is not None else "",
            receipt=signed.rehearsal_id if signed is not None else None,
        )
        found = await self.commits().claim(attempt)
        if found.state != "new":
            refuse_or_replay(call, found)
            return None
        call.commitment = Commitment(attempt)
        return call.commitment

    async def _check(self, call: Call, attempt: Attempt, signed: Signed | None, needed: Commit) -> None:
        """Check the receipt, and hold the call to its rehearsal."""
        kept, binding = await self.checking.check(call, signed)
        if needed == "confirmed" and not await self.commits().is_confirmed(kept.id, owner_of(call)):
            raise ConfirmationRequired(
                members={"commit": needed, "confirm_url": f"{self.public_url}/confirm/{kept.id}"}
            )
        call.commitment = Commitment(attempt, kept.made)
        call.moment, call.ids_due = binding.moment, binding.ids

    def _receipt_required(self, call: Call, needed: Commit) -> ReceiptRequired:
        path = call.endpoint.path
        for name in placeholders(path):
            path = path.replace("{" + name + "}", quote(call.raw.path[name], safe=""))
        return ReceiptRequired(
            "A live write needs the receipt of a rehearsal here.",
            members={"commit": needed, "rehearse_url": f"{self.public_url}/rehearse{path}"},
        )
