"""What the audit log keeps beside calls: tokens, limits, changed connectors, alarms, sessions, unknown documents."""

from __future__ import annotations

from typing import Literal

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    `time` is RFC 3339 in UTC; `what` says in one word what of its kind it was (`made`, `soft`, `hard`, `suspend`, …);
    `rule` is the limit, budget or policy, `amount` what was counted against it, `by` who did it, `note` their words.
    `trace_id` leads to the call in which it happened, `caller` is a `caller_hash`.

    Of a token (`grant`): `made`, `refused` or `failed`, its `audience` and `scopes`, `by` the issuer's name in the
    settings; or `revoked` for all that a caller had, `by` who did it. Of a change of a connector: the states `before`
    and `after`, the `digest` of its record, and the `account` of the machine beside the name that was given. Of the
    log itself (`audit`): who was to `resolve` a hash, to `search` for whose it is, or to `forget` them, that they are
    `forgotten`, and that it was `refused`. Of the confirmation page (`session`): `begun` or `ended`.

    Of query text that a connector sent and that is no registered document (`document`): `unknown`; `layout` when it
    differs from that of `endpoint` in its layout alone; or `unreadable`. `digest` is the SHA-256 of the text,
    `operation` the name that it gives itself, and `shape` the text without any value, alias or comment, in pieces.
    """

    time: str
    event: Literal["grant", "limit", "budget", "connector", "alert", "audit", "session", "document"]
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
    audience: str | None = None
    scopes: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    digest: str | None = None
    account: str | None = None
    operation: str | None = None
    shape: tuple[str, ...] = ()
