"""The record of one call: who asked for what, by which rule it was decided, and what it did."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import msgspec

_KEY_BYTES = 16
_HASH_BYTES = 16


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a call. It holds no token, no name of a person, and of the arguments no free text.

    `time` is RFC 3339 in UTC (`timestamp`), `duration_ms` milliseconds. `outcome` is `ok`, `denied` (a rule or role
    said no), `refused` (anything else that the client could have sent better) or `failed`. `caller` is a `caller_hash`;
    `actors` are the `sub` of the `act` chain, nearest first; `effects` the operations of the writes that happened, that
    may have happened (their outcome is unknown), or that a rehearsal noted; `rule` and `domain` what decided, and both
    may hold that id; `purpose` what the connector is for; `price` such as `0.05 EUR`; `peer` the source address;
    `scenario` the bad day that a request to the sandbox asked for. `rehearsal` is the id of a rehearsal that was kept,
    or of which a person decided, and `decision` what: `allow` or `refuse`; `receipt` that of the rehearsal whose
    receipt a live call spent; `idempotency` says of a call with a key whether it was the `first`, or `replayed` from
    the store.

    `arguments` are those of the call that a record may show (`narrows.audit.redaction`), and the id in `domain` is one
    of them; `hidden` names the others, and `arguments_digest` is one of all of them under the caller's own key. `size`
    is that of the answer's body, in bytes, and `records` how many items its lists and mappings hold, at least one.
    `fields` are those that a document asked of endpoints, in that order: `endpoint`, `outcome`, and if they are known
    `rule`, `domain` and `problem`; one whose document ended before it is `cancelled`.
    """

    time: str
    event: Literal["call"] = "call"
    trace_id: str
    endpoint: str
    bff: str
    mode: str
    way: str
    method: str
    status: int
    outcome: str
    problem: str | None = None
    tenant: str | None = None
    connector: str | None = None
    connector_version: str | None = None
    purpose: str | None = None
    caller: str | None = None
    actors: tuple[str, ...] = ()
    rule: str | None = None
    domain: str | None = None
    arguments: Mapping[str, str | int | float | bool | None] = {}
    hidden: tuple[str, ...] = ()
    arguments_digest: str | None = None
    effects: tuple[str, ...] = ()
    size: int = 0
    records: int = 0
    price: str | None = None
    duration_ms: float
    peer: str = ""
    scopes_asked: tuple[str, ...] = ()
    scenario: str | None = None
    rehearsal: str | None = None
    decision: Literal["allow", "refuse"] | None = None
    receipt: str | None = None
    idempotency: Literal["first", "replayed"] | None = None
    fields: tuple[Mapping[str, str], ...] = ()


def timestamp(now_s: float) -> str:
    """Write seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def caller_hash(key: bytes, issuer: str, subject: str) -> str:
    """Hash a caller under a key (HMAC-SHA-256, its first 16 bytes in hexadecimal digits).

    Without the key nobody can try names; when the key is destroyed, the records no longer lead to a person. The length
    goes in front, so that no other pair of issuer and subject gives the same bytes. Raises `ValueError` for a key under
    16 bytes.
    """
    if len(key) < _KEY_BYTES:
        raise ValueError("the key of the audit hash has less than 16 bytes")
    named = f"{len(issuer)}:{issuer}{subject}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, named, "sha256")[:_HASH_BYTES].hex()
