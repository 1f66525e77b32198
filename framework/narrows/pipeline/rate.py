"""Step 4: the rates of the endpoint, of the connector and of the tenant; and the ceiling of what one call can cost.

A document draws on its own rates once, on those of its fields as often as it asks for them (the buckets are those of
REST), and on the rates over all endpoints by the number of its fields: it is no cheaper way to ask for them. Of what
counts at once it takes as many places as run at once: fields of a query side by side, those of a mutation in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import NamedTuple

from narrows.call import Call, Mode, RateLeft
from narrows.declare.endpoint import Endpoint
from narrows.declare.rate import Rate
from narrows.declare.types import Money
from narrows.pipeline.quota import Counted, Policy, headers_of, policies_of, policy_of, shown
from narrows.pipeline.step import Preparing, Step, who
from narrows.settings import Settings
from narrows.stores import Allowed, Limiter, Wanted

_KEPT = 128


class _Whose(NamedTuple):
    """All that the buckets of a call depend on beside its mode."""

    tenant: str
    connector: str
    rates: tuple[Rate, ...]
    issuer: str
    subject: str


class _Drawn(NamedTuple):
    """What is drawn of for a call, as the limiter is asked for it, and what the client reads of the policies."""

    counted: Sequence[Counted]
    wanted: Sequence[Wanted]
    policies: str


def prepare(preparing: Preparing) -> Step | None:
    """Make the step for one endpoint; Narrows' own have none but the attempt bucket."""
    endpoint, ground = preparing.endpoint, preparing.ground
    preparing.ceiling = _ceiling(preparing)
    if endpoint.builtin:
        return None
    limiter, quotas = ground.limiter, ground.quotas
    buckets = _buckets(preparing)
    # What costs or writes does not go by one process's own count; in the sandbox nothing does.
    closed = endpoint.kind == "write" or preparing.ceiling is not None

    # The same caller comes again, and the names of its buckets do not change.
    @lru_cache(_KEPT)
    def drawn(mode: Mode, whose: _Whose) -> _Drawn:
        counted = [
            Counted(policy, quotas.bucket(key + _part(policy.rate, whose)), times)
            for policy, key, times in buckets(mode, whose)
        ]
        wanted = [(one.bucket, one.policy.rate) for one in counted for _ in range(one.times)]
        return _Drawn(tuple(counted), tuple(wanted), policies_of(counted))

    async def rate(call: Call) -> None:
        caller, connector, _ = who(call)
        whose = _Whose(connector.tenant, connector.id, connector.rates, caller.issuer, caller.subject)
        counted, wanted, policies = drawn(call.mode, whose)
        allowed = await _take(call, limiter, wanted, strict=closed and call.mode != "sandbox")
        if not allowed.allowed:
            raise quotas.refuse(call, counted, allowed, kind="rate", detail="Used up")
        call.limits = headers_of(policies, counted, allowed.each)
        call.rates_left = tuple(
            RateLeft(one.policy.name, shown(one, left)) for one, left in zip(counted, allowed.each, strict=True)
        )

    return rate


async def _take(call: Call, limiter: Limiter, wanted: Sequence[Wanted], *, strict: bool) -> Allowed:
    """Take of each rate; what counts at once is let go when the call has ended."""
    if not any(rate.is_concurrent for _, rate in wanted):
        return await limiter.take(wanted, strict=strict)
    lease = call.fresh_id()
    ending = partial(limiter.release, wanted, lease)
    # Before it is taken, for a client may go away in the middle of that.
    call.ending.append(ending)
    allowed = await limiter.take(wanted, lease, strict=strict)
    if not allowed.allowed:
        call.ending.remove(ending)
    return allowed


def _buckets(preparing: Preparing) -> Callable[[Mode, _Whose], Iterator[tuple[Policy, str, int]]]:
    """Each rate that holds for a call, with what does not depend on whose bucket it is, and how much is drawn of it.

    Neither version nor purpose of the connector is in it, nor the way in: whoever changes one would have the rate anew.
    """
    endpoint = preparing.endpoint
    drawn, tenants = _drawn(endpoint), _of_tenants(preparing.ground.settings)
    fields = max(1, sum(times for _, times in preparing.fields))
    rates = _rates(preparing)
    own = {
        mode: [
            *((policy_of(rate), _key(endpoint, bucket, rate), 1) for rate in rates),
            *_of_fields(preparing, mode),
        ]
        for mode, bucket in drawn.items()
    }

    def buckets(mode: Mode, whose: _Whose) -> Iterator[tuple[Policy, str, int]]:
        yield from own[mode]
        for policy in map(_over_all, dict.fromkeys(whose.rates)):
            yield policy, f"rate|connector|{drawn[mode]}|{policy.rate}|", _weight(endpoint, policy.rate, fields)
        for policy in tenants.get(whose.tenant, ()):
            yield policy, f"rate|tenant|{drawn[mode]}|{policy.rate}|", _weight(endpoint, policy.rate, fields)

    return buckets


def _weight(document: Endpoint, rate: Rate, fields: int) -> int:
    """How much so many fields draw of a rate: of what counts at once as many as run at once."""
    return 1 if rate.is_concurrent and document.kind == "write" else fields


def _drawn(endpoint: Endpoint) -> Mapping[Mode, str]:
    """Which bucket each mode draws on.

    A rehearsed read goes upstream like a live one, and draws on the same bucket; a rehearsed write has its own.
    """
    return {
        "live": "live",
        "rehearse": "rehearse" if endpoint.kind == "write" else "live",
        "sandbox": "sandbox",
    }


def _key(endpoint: Endpoint, bucket: str, rate: Rate) -> str:
    return f"rate|{endpoint.id}|{bucket}|{rate}|"


def _of_fields(preparing: Preparing, mode: Mode) -> Iterator[tuple[Policy, str, int]]:
    """The rates of the endpoints that a document asks for; the names of the policies say whose they are."""
    document = preparing.endpoint
    for field, times in preparing.fields:
        for rate in _parsed(field):
            yield (
                policy_of(rate, f"{rate} of {field.id}"),
                _key(field, _drawn(field)[mode], rate),
                _weight(document, rate, times),
            )


@lru_cache(1024)
def _over_all(rate: Rate) -> Policy:
    """A rate that holds over all endpoints: that of a connector or a tenant."""
    return policy_of(rate, f"{rate} over all endpoints")


def _of_tenants(settings: Settings) -> Mapping[str, list[Policy]]:
    """The rates of the settings, which `checks` has read before."""
    return {
        name: [_over_all(Rate.parse_for(text, "tenant")) for text in dict.fromkeys(tenant.rates)]
        for name, tenant in settings.tenants.items()
    }


def _rates(preparing: Preparing) -> list[Rate]:
    """Read the declared rates, and refuse what is not one, and a document that no rate of a field's could hold."""
    if not preparing.endpoint.rates and not preparing.endpoint.ad_hoc:
        preparing.refuse("rate-missing", "it has no rate", 'add rate="30/minute"')
        return []
    for field, times in preparing.fields:
        for rate in _parsed(field):
            if _weight(preparing.endpoint, rate, times) > rate.amount:
                preparing.refuse(
                    "field-over-rate",
                    f"it asks for {field.id} {times} times, and that allows {rate}",
                    f"ask for it at most {rate.amount} times, or raise the rate of {field.id}",
                )
    try:
        return list(dict.fromkeys(Rate.parse(text) for text in preparing.endpoint.rates or ()))
    except ValueError as error:
        preparing.refuse("rate-unclear", str(error), 'write rate="30/minute" or rate="1000/day per tenant"')
        return []


def _parsed(endpoint: Endpoint) -> list[Rate]:
    """The rates of a field; what is none is refused where that endpoint is made ready."""
    found: dict[Rate, None] = {}
    for text in endpoint.rates or ():
        with suppress(ValueError):
            found[Rate.parse(text)] = None
    return list(found)


def _part(rate: Rate, whose: _Whose) -> str:
    """Whose bucket it is: within a tenant, but for the rates of a whole endpoint."""
    match rate.per:
        case "endpoint":
            return ""
        case "tenant":
            return whose.tenant
        case "connector":
            return f"{whose.tenant}|{whose.connector}"
    return f"{whose.tenant}|{whose.connector}|{whose.issuer}|{whose.subject}"


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
