"""What the audit log keeps beside calls: tokens that were obtained, limits reached, connectors changed, alarms."""

from __future__ import annotations

from typing import Literal

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    `time` is RFC 3339 in UTC; `what` says in one word what of its kind it was (`made`, `soft`, `hard`, `suspend`, …);
    `rule` is the limit, budget or policy, `amount` what was counted against it, `by` who did it, `note` their words.
    `trace_id` leads to the call in which it happened, `caller` is a `caller_hash`.
    """

    time: str
    event: Literal["grant", "limit", "budget", "connector", "alert", "audit"]
    what: str
    bff: str = ""
    tenant: str | None = None
    connector: str | None = None
    connector_version: str | None = None
    caller: str | None = None
    endpoint: str | None = None
    trace_id: str | None = None
    rule: str | None = None
    amount: str | None = None
    by: str | None = None
    note: str = ""
