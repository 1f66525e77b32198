"""The record of one decision of the policy gate: what was asked for which record, by whom, and what was decided."""

from __future__ import annotations

from typing import Literal

import msgspec


class DecisionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a decision.

    `time` is RFC 3339 in UTC; `by` who asked or decided, and `owner` who answers for the connector, as written in the
    registry. `digest` is that of the connector's record. `denied` are the rules that denied, as `policy/rule`.
    """

    time: str
    event: Literal["policy", "review"]
    asked: str
    bff: str
    connector: str
    tenant: str
    owner: str
    digest: str
    by: str
    allowed: bool
    policies: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    reason: str = ""
