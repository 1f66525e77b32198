"""Is this receipt one of this caller, for this very request, and is everything still as it was rehearsed?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from narrows.call import Call
from narrows.errors import ReceiptRefused
from narrows.pipeline.receipts import Signed
from narrows.pipeline.rehearsal import Binding, KeptRehearsal, owner_of, read_kept, text_of
from narrows.pipeline.step import Preparing, who
from narrows.settings import Environment
from narrows.stores import Rehearsals
from narrows.upstreams.commitment import receipt_refused
from narrows.upstreams.made import digest_of


class Checking(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Checks the receipts of one endpoint; `prices` are those of its operations today."""

    endpoint: str
    environment: Environment
    declaration: str
    ceiling: str | None
    prices: Mapping[str, str | None]
    rehearsals: Callable[[], Rehearsals]

    @classmethod
    def prepare(cls, preparing: Preparing) -> Checking:
        """Make the checks of an endpoint ready."""
        ground = preparing.ground
        used = [ground.sendables[operation] for operation in preparing.counts if operation in ground.sendables]
        return cls(
            endpoint=preparing.endpoint.id,
            environment=ground.settings.environment,
            declaration=preparing.declaration,
            ceiling=text_of(preparing.ceiling),
            prices={sendable.operation.id: text_of(sendable.price) for sendable in used},
            rehearsals=ground.rehearsals,
        )

    async def check(self, call: Call, signed: Signed | None) -> tuple[KeptRehearsal, Binding]:
        """The rehearsal of a receipt, and what it binds to. Raises `ReceiptRefused` with the first reason against it.

        Forged, absent and another's are one reason, so that nobody learns what somebody else rehearsed.
        """
        if signed is not None and signed.expires <= call.started:
            raise receipt_refused("expired", "The receipt's time is over.")
        document = await self.rehearsals().get(signed.rehearsal_id, owner_of(call)) if signed is not None else None
        kept = read_kept(document) if document is not None else None
        if kept is None or kept.binding is None:
            raise receipt_refused("unknown", "There is no such receipt of yours.")
        for refusal in self._drifts(call, kept, kept.binding):
            raise refusal
        return kept, kept.binding

    def _drifts(self, call: Call, kept: KeptRehearsal, binding: Binding) -> Iterator[ReceiptRefused]:
        """What is not as it was rehearsed."""
        if binding.endpoint != self.endpoint:
            yield receipt_refused("endpoint", "The receipt is for another endpoint.")
        if binding.environment != self.environment:
            yield receipt_refused("environment", "The receipt was given in another environment.")
        if binding.connector_version != who(call).connector.version:
            yield receipt_refused("connector-version", "The connector has another version than when it rehearsed.")
        if binding.arguments != digest_of(call.arguments):
            yield receipt_refused("arguments", "The request is not the one that was rehearsed.")
        asked = ((made.operation, made.price) for made in kept.made if made.writes)
        if binding.ceiling != self.ceiling or any(self.prices.get(name) != price for name, price in asked):
            yield receipt_refused("price", "What it costs has changed since it was rehearsed.")
        if binding.declaration != self.declaration:
            yield receipt_refused("declaration", "The endpoint has changed since this was rehearsed.")
