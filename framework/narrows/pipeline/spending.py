"""What a call has reserved of its budgets, until it is settled with what was really sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from narrows.audit.log import RecordLog
from narrows.call import Call
from narrows.declare.budget import millionths
from narrows.pipeline.accounts import Held, tell
from narrows.pipeline.faults import tell as told_of
from narrows.stores.budgets import Budgets, Charge

_log = logging.getLogger("narrows.pipeline")


class Reserved:
    """One reservation: what was sent is what is paid, and the rest goes back once."""

    def __init__(
        self, store: Budgets, log: RecordLog, reservation: str, held: Sequence[Held], charges: Sequence[Charge]
    ) -> None:
        self._store = store
        self._log = log
        self.reservation = reservation
        self._held = held
        self._charges = charges

    async def settle(self, call: Call) -> None:
        """Settle with the price of the call. What cannot be settled counts as spent, and the operators are told."""
        spent = millionths(call.price) if call.price is not None else 0
        try:
            verdict = await self._store.settle(self.reservation, self._charges, spent)
        except Exception as fault:  # whatever the store raises: the answer stands, and nothing is refunded
            _log.error(
                "what %s reserved counts as spent, it could not be settled: %s", call.endpoint.id, told_of(fault)
            )
        else:
            tell(self._log, call, self._held, verdict)
