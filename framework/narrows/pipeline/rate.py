"""Step 4: the rates of the endpoint; and the ceiling of what one call can cost, for the plan and the contract.

Budgets are not kept yet; the ceiling stands here because reserving it will be this step's.
"""

from __future__ import annotations

from collections.abc import Sequence

from narrows.call import Call, RateLeft
from narrows.declare.rate import Rate
from narrows.declare.types import Money
from narrows.errors import QuotaExceeded
from narrows.pipeline.step import Preparing, Step, retry_after, who
from narrows.stores import Limiter


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own have none but the attempt bucket."""
    endpoint = preparing.endpoint
    preparing.ceiling = _ceiling(preparing)
    if endpoint.builtin:
        return None
    rates = _rates(preparing)
    limiter = preparing.ground.limiter
    texts = {rate: str(rate) for rate in rates}
    # A rehearsed read goes upstream like a live one, and draws on the same bucket; a rehearsed write has its own.
    buckets = {"live": "live", "rehearse": "rehearse" if endpoint.kind == "write" else "live", "sandbox": "sandbox"}

    async def rate(call: Call) -> None:
        bucket = buckets[call.mode]
        wanted = [(_key(call, bucket, index, rate), rate) for index, rate in enumerate(rates)]
        wanted += [(_own_key(call, bucket, rate), rate) for rate in who(call).connector.rates]
        allowed = await limiter.take(wanted)
        if not allowed.allowed:
            raise await _exceeded(limiter, wanted, allowed.retry_after_s)
        call.rates_left = tuple(
            RateLeft(texts.get(rate) or str(rate), left)
            for (_, rate), left in zip(dict.fromkeys(wanted), allowed.each, strict=True)
        )

    return rate


def _rates(preparing: Preparing) -> list[Rate]:
    """Read the declared rates, and refuse what is not one."""
    if not preparing.endpoint.rates:
        preparing.refuse("rate-missing", "it has no rate", 'add rate="30/minute"')
        return []
    try:
        return [Rate.parse(text) for text in preparing.endpoint.rates]
    except ValueError as error:
        preparing.refuse("rate-unclear", str(error), 'write rate="30/minute" or rate="1000/day per tenant"')
        return []


def _key(call: Call, bucket: str, index: int, rate: Rate) -> str:
    """The bucket of one rate: per caller and connector unless it says otherwise, always within a tenant.

    Neither version nor purpose is in it: whoever raises a version would have the rate anew.
    """
    caller, connector, _ = who(call)
    whose = {
        "tenant": "",
        "connector": connector.id,
        "caller": f"{connector.id}|{caller.issuer}|{caller.subject}",
    }[rate.per]
    return f"rate|{call.endpoint.id}|{index}|{bucket}|{connector.tenant}|{rate.per}|{whose}"


def _own_key(call: Call, bucket: str, rate: Rate) -> str:
    """The bucket of a rate of the connector's own, over all endpoints: for it all, or for each of its callers."""
    caller, connector, _ = who(call)
    whose = f"{caller.issuer}|{caller.subject}" if rate.per == "caller" else ""
    return f"rate|connector|{bucket}|{connector.tenant}|{connector.id}|{rate.amount}/{rate.seconds}|{rate.per}|{whose}"


async def _exceeded(limiter: Limiter, wanted: Sequence[tuple[str, Rate]], wait_s: float) -> QuotaExceeded:
    """The problem that names the rates that are used up; all of them when it is the store that is full."""
    used_up = [str(one[1]) for one in wanted if not (await limiter.ask([one])).allowed]
    named = used_up or [str(rate) for _, rate in wanted]
    return QuotaExceeded(
        f"The rate of this endpoint is used up: {', '.join(named)}.",
        headers=retry_after(wait_s),
        members={"violated-policies": named},
    )


def _ceiling(preparing: Preparing) -> Money | None:
    """The most that one call can cost: every operation as often as it may run."""
    total: Money | None = None
    for operation, count in preparing.counts.items():
        sendable = preparing.ground.sendables.get(operation)
        if sendable is None or sendable.price is None:
            continue
        cost = sendable.price * count
        try:
            total = cost if total is None else total + cost
        except ValueError:
            preparing.refuse(
                "price-currencies", "its operations are priced in more than one currency", "price them all in one"
            )
    return total
