"""What a client is told of its rates, and what is put down of those that are used up.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10: `RateLimit-Policy` says what is allowed, `RateLimit`
what is left. Their partition key is a keyed hash of the bucket, by which nobody finds out whose it is.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import logging
import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec

from narrows.audit.events import Event
from narrows.audit.log import RecordLog
from narrows.audit.record import timestamp
from narrows.call import Call
from narrows.declare.rate import Rate
from narrows.errors import QuotaExceeded
from narrows.pipeline.faults import tell
from narrows.stores import Allowed, Left
from narrows.telemetry import Telemetry

LIMITS = POLICY, LEFT = "RateLimit-Policy", "RateLimit"

_BYTES = 12
_TOLD_S = 60.0
_TOLD = 10_000
_NAMED = 10_000
_log = logging.getLogger("narrows.pipeline")


class Policy(msgspec.Struct, frozen=True):
    """A rate as clients read it: its name, and what stands in the header before the partition key.

    Of one that is `shared` by callers of other programs, a caller reads only whether it sufficed: what is left would
    tell what others do.
    """

    name: str
    rate: Rate
    header: str
    shared: bool


class Counted(NamedTuple):
    """A policy, and the bucket in which a call was counted against it, as many times as it says."""

    policy: Policy
    bucket: str
    times: int = 1


def _bucket(key: bytes, text: str) -> str:
    hashed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=_BYTES)
    return base64.b64encode(hashed.digest()).decode()


def policy_of(rate: Rate, name: str | None = None) -> Policy:
    """Make ready what never changes of a rate; `name` holds printable ASCII without quotes and backslashes."""
    named = name or str(rate)
    unit = ';qu="concurrent-requests"' if rate.is_concurrent else f";w={rate.seconds}"
    return Policy(named, rate, f'"{named}";q={rate.amount}{unit}', rate.per in ("tenant", "endpoint"))


def shown(counted: Counted, left: Left) -> int | None:
    """How many more a rate allows after this call, which by then is under way no more; None for one that is shared."""
    policy = counted.policy
    if policy.shared:
        return None
    return left.remaining + counted.times if policy.rate.is_concurrent else left.remaining


def headers_of(policies: str, counted: Sequence[Counted], each: Sequence[Left]) -> dict[str, str]:
    """The headers of an answer: every policy (see `policies_of`), and what is left of those that are not shared."""
    left = [
        _left(one.policy, one.bucket, remaining, left.resets_s)
        for one, left in zip(counted, each, strict=True)
        if (remaining := shown(one, left)) is not None
    ]
    return _headers(policies, left)


def policies_of(counted: Sequence[Counted]) -> str:
    """What a client reads of its policies; it is the same for each of its calls."""
    return ", ".join([f"{policy.header};pk=:{bucket}:" for policy, bucket, _ in counted])


def _headers(policies: str, left: Sequence[str]) -> dict[str, str]:
    return {POLICY: policies, LEFT: ", ".join(left)} if left else {POLICY: policies}


def _left(policy: Policy, bucket: str, remaining: int, resets_s: float) -> str:
    # When something that is under way will end, nobody knows.
    until = "" if policy.rate.is_concurrent else f";t={math.ceil(resets_s)}"
    return f'"{policy.name}";r={remaining}{until};pk=:{bucket}:'


class Quotas:
    """Names buckets, and refuses what is over a rate: for the client, for the record and for the operators.

    Each refused call has its own record, which names the rate. The event beside it comes once for each bucket, until
    its window is over and for a minute at the least, so that a flood does not write two records for each call; of more
    than 10,000 such buckets at a time those that come last have none. `steady` gives seconds of a steady clock.
    """

    def __init__(
        self,
        key: bytes,
        log: RecordLog,
        telemetry: Callable[[], Telemetry],
        *,
        now: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._bucket = lru_cache(_NAMED)(partial(_bucket, key[:64]))
        self._log = log
        self._telemetry = telemetry
        self._now = now
        self._steady = steady
        self._told: set[str] = set()
        self._ends: list[tuple[float, str]] = []

    def bucket(self, text: str) -> str:
        """The name of a bucket: a keyed hash in base64, of 96 bits, so that a store and a header name nobody."""
        return self._bucket(text)

    def refuse(
        self, call: Call, counted: Sequence[Counted], allowed: Allowed, *, kind: str, detail: str
    ) -> QuotaExceeded:
        """The problem of a call that is over a rate: which one, and when to come again.

        It names all rates when it is the store that is full.
        """
        over = [(one, left) for one, left in zip(counted, allowed.each, strict=True) if not left.enough]
        named = [one.policy.name for one, _ in over] or [one.policy.name for one in counted]
        call.rule = f"rate {', '.join(named)}"
        for one, left in over:
            self._tell(call, one, left, kind)
        lefts = [_left(one.policy, one.bucket, left.remaining, left.resets_s) for one, left in over]
        # Whole seconds, rounded up: never before the `t` of a rate that is used up.
        wait = str(max(1, math.ceil(allowed.retry_after_s)))
        return QuotaExceeded(
            f"{detail}: {', '.join(named)}.",
            headers={"Retry-After": wait, **_headers(policies_of(counted), lefts)},
            members={"violated-policies": named},
            remedy=_remedy([one.policy for one, _ in over]),
        )

    def _tell(self, call: Call, one: Counted, left: Left, kind: str) -> None:
        """Count a refusal, and put down the first one of its bucket in a while."""
        connector, rule = call.connector, one.policy.name
        tenant, named = (connector.tenant, connector.id) if connector else (None, None)
        self._telemetry().count(
            "narrows.limit.breaches",
            endpoint=call.endpoint.id,
            tenant=tenant,
            connector=named,
            rule=rule,
            event=kind,
        )
        if not self._is_new(one.bucket, max(_TOLD_S, left.resets_s)):
            return
        event = Event(
            time=timestamp(self._now()),
            event="limit",
            what="breached",
            bff=call.endpoint.bff,
            tenant=tenant,
            connector=named,
            connector_version=connector.version if connector else None,
            caller=call.named.hash if call.named else None,
            endpoint=call.endpoint.id,
            trace_id=call.span.trace_id,
            rule=rule,
            amount=str(one.policy.rate.amount),
            note=kind,
        )
        try:
            self._log.append(event)
        except Exception as fault:  # whatever the sink raises: the call's own record meets it too, and answers for it
            _log.error("an event could not be written: %s", tell(fault))

    def _is_new(self, bucket: str, seconds: float) -> bool:
        """Whether nothing was told of a bucket yet; it counts as told from here on, until `seconds` have passed."""
        time = self._steady()
        while self._ends and self._ends[0][0] <= time:
            self._told.discard(heapq.heappop(self._ends)[1])
        if bucket in self._told or len(self._told) >= _TOLD:
            return False
        self._told.add(bucket)
        heapq.heappush(self._ends, (time + seconds, bucket))
        return True


def _remedy(over: Sequence[Policy]) -> str | None:
    if any(policy.rate.is_concurrent for policy in over):
        return "Wait until a call that is under way has ended, then wait as long as `Retry-After` says."
    return None
