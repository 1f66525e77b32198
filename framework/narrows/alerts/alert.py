"""An alert: what was seen, how much, against which baseline, since when, and what to do about it."""

from __future__ import annotations

import hashlib

import msgspec

from narrows.settings.alerting import AlertRule, Reaction


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found. `thing` is what of the connector it is about, so that two things are told apart."""

    rule: AlertRule
    what: str
    observed: str
    usual: str
    limit: str
    since: str
    remedy: str
    thing: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a finding. It holds no person, no secret and no argument of a call.

    `id` is the same whenever the same log is judged again; `time` is that of the record at `index` that was one too
    many, `trace_id` leads to its call. `connector` is none for programs that nobody knows. `again` says how often the
    same was found in the quiet time since it was last told; `then` is what follows.
    """

    id: str
    rule: AlertRule
    time: str
    bff: str
    what: str
    observed: str
    usual: str
    limit: str
    since: str
    remedy: str
    thing: str
    then: Reaction
    again: int = 0
    index: int = 0
    tenant: str | None = None
    connector: str | None = None
    connector_version: str | None = None
    trace_id: str = ""


def alert_id(bff: str, index: int, rule: str, connector: str | None, thing: str) -> str:
    """The id of an alert (32 hexadecimal digits), made from what it is about alone."""
    named = "\n".join((bff, str(index), rule, connector or "", thing))
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]
