"""After step 9: the bytes and records of the answer are counted against the volumes; one that does not fit is refused.

What is written upstream has happened, so the answer of a live write goes out, and is counted past the limit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from narrows.call import Call
from narrows.errors import Unavailable, VolumeExhausted
from narrows.pipeline.accounts import renews, short, tell
from narrows.pipeline.step import Preparing, Step, retry_after, who
from narrows.stores.budgets import Charge

_log = logging.getLogger("narrows.pipeline")


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own answer nothing of an upstream."""
    endpoint, ground = preparing.endpoint, preparing.ground
    if endpoint.builtin:
        return None
    accounts, writes = ground.accounts, endpoint.kind == "write"

    async def volume(call: Call) -> None:
        if call.mode == "sandbox" or call.reply is None:
            return
        caller, connector, _ = who(call)
        held = accounts.volumes(connector, caller)
        if not held:
            return
        sizes = {"bytes": len(call.reply.body), "records": records_in(call.answer)}
        charges = [Charge(one.account, sizes[one.budget.unit]) for one in held]
        forced = writes and call.mode == "live"
        try:
            verdict = await ground.budgets().count(charges, forced=forced)
        except Unavailable:
            if not forced:
                raise
            _log.error("the answer of %s went out uncounted", endpoint.id)
            return
        tell(ground.log, call, held, verdict)
        if not verdict.granted:
            raise VolumeExhausted(
                "This answer is larger than what is left of the volume.",
                headers=retry_after(renews(verdict) - call.now_s()),
                members={"volumes": short(held, verdict, [charge.amount for charge in charges])},
            )

    return volume


def records_in(answer: Any) -> int:
    """How many records an answer holds: the items of all its lists and mappings, at any depth; at least one."""
    return 0 if answer is None else max(1, _items(answer))


def _items(value: Any) -> int:
    if isinstance(value, msgspec.Struct):
        return sum(_items(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, Mapping):
        return len(value) + sum(map(_items, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return len(value) + sum(map(_items, value))
    return 0
