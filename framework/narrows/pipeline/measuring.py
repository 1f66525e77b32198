"""What is counted of a call that has ended: bytes, price, what narrowing left out, rehearsals."""

from __future__ import annotations

from narrows.call import Call
from narrows.telemetry import Telemetry


def measure(telemetry: Telemetry, call: Call, size: int) -> None:
    """Count one call, which was answered with `size` bytes. What the proof at start asks for is not counted."""
    if call.way == "self-test":
        return
    endpoint, mode = call.endpoint.id, call.mode
    whose = {"tenant": call.connector.tenant, "connector": call.connector.id} if call.connector else {}
    telemetry.count("narrows.answer.size", size, endpoint=endpoint, mode=mode, **whose)
    if call.price is not None:
        currency = call.price.currency
        amount = float(call.price.amount)
        telemetry.count("narrows.price", amount, endpoint=endpoint, mode=mode, currency=currency, **whose)
    if call.span.received:
        left = max(0, call.span.received - size)
        telemetry.count("narrows.narrowed.size", left, endpoint=endpoint, mode=mode)
    if call.left_out:
        telemetry.count("narrows.narrowed.fields", len(call.left_out), endpoint=endpoint)
    if call.rehearsal_id is not None and mode != "live" and not call.endpoint.builtin:
        telemetry.count("narrows.rehearsals", endpoint=endpoint, mode=mode)
    for operation in (*call.sent, *call.unknown, *(effect.operation for effect in call.effects)):
        telemetry.effect(operation, mode)
