"""What the registry of connectors keeps: each with its record, state, approval and credentials, and every change."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, time
from typing import Any, Literal, Protocol

import msgspec

from narrows.declare.connectors import ConnectorRecord
from narrows.declare.templates import TEMPLATES
from narrows.errors import ConnectorError
from narrows.settings import ConnectorState

Action = Literal[
    "apply", "deny", "approve", "suspend", "resume", "revoke", "rotate", "rotate-compromised"
]  # `deny`: the policy refused a record, which changes nothing else
DAY_S = 86_400.0
HAVE_CREDENTIALS = ("service", "partner")
"""Kinds that prove themselves; a page or a desktop program cannot keep a secret, and may have none (RFC 8252, 8.5)."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who approved which record. `carried_from` is the digest that was approved, when the record was narrowed since."""

    by: str
    at: float
    digest: str
    carried_from: str | None = None


class StoredCredential(msgspec.Struct, frozen=True, kw_only=True):
    """One credential: the salted digest (scrypt, RFC 7914) of a secret, or a public key (RFC 7517).

    `made` and `ends` are seconds since 1970; without `ends` it holds until it is past its age.
    """

    id: str
    made: float
    ends: float | None = None
    salt: str | None = None
    digest: str | None = None
    jwk: dict[str, Any] | None = None


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """One connector as the registry knows it.

    `state` is what was decided; `standing` gives what holds. `resumes` is the state that a suspended one goes back to.
    `digest` is that of `record` when it was applied, `revision` counts the changes of the record, `generation` is the
    registry's own at the last change of any kind. Tokens issued at or before `tokens_after` are refused.
    """

    id: str
    record: ConnectorRecord
    digest: str
    state: ConnectorState = "draft"
    resumes: ConnectorState | None = None
    approval: Approval | None = None
    credentials: tuple[StoredCredential, ...] = ()
    tokens_after: float | None = None
    revision: int = 1
    generation: int = 0

    @property
    def version(self) -> str:
        """The version in attribution, receipts and audit: the written one and the revision, as in `1.2+3`."""
        return f"{self.record.version}+{self.revision}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history; it is added and never altered. `at` is seconds since 1970, `by` who said that they did.

    `os_user` is the account that the command ran in, `digest` that of the record afterwards.
    """

    connector: str
    at: float
    by: str
    os_user: str
    action: Action
    before: ConnectorState | None
    after: ConnectorState | None
    digest: str
    note: str = ""


class Connectors(Protocol):
    """Keeps the registry of one BFF's connectors, sealed at rest. Its methods raise `Unavailable` when it is away."""

    async def generation(self) -> int:
        """A number that grows with every change; cheap to ask."""
        ...

    async def all(self) -> tuple[int, list[Registered]]:
        """The generation, and every connector as it was then, sorted by id."""
        ...

    async def get(self, connector_id: str) -> Registered | None:
        """One connector."""
        ...

    async def put(self, entry: Registered, change: Change, was: int) -> Registered:
        """Keep a connector and the change that led to it, and answer it with its new generation.

        `was` is the generation of the entry that the change was made from, 0 for a new one. Raises `ConnectorError`
        when somebody else changed it meanwhile.
        """
        ...

    async def note(self, change: Change) -> None:
        """Add to the history what changed nothing, such as a refusal of the policy."""
        ...

    async def history(self, connector_id: str | None = None) -> list[Change]:
        """The changes of one connector or of all, oldest first."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


def standing(entry: Registered, now: float) -> ConnectorState:
    """The state that holds now (seconds since 1970).

    A record past its day is expired. One that is not exactly what was approved, or that its own owner approved, is a
    draft, whatever the registry says: somebody changed it past `narrows connector`.
    """
    if entry.state == "revoked":
        return "revoked"
    ends = expiry(entry.record)
    if ends is not None and now >= ends:
        return "expired"
    if entry.state in ("trial", "live") and not is_approved(entry):
        return "draft"
    return entry.state


def is_approved(entry: Registered) -> bool:
    """Whether the approval is of exactly this record, and by neither its owner nor its contact."""
    approval = entry.approval
    return (
        approval is not None
        and approval.digest == entry.record.digest()
        and not same_name(approval.by, entry.record.owner, entry.record.contact)
    )


def same_name(name: str, *others: str) -> bool:
    """Whether a name is one of others, in whatever case, spacing and form (full width, ligatures) of its letters."""
    return _plain(name) in {_plain(other) for other in others}


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def expiry(record: ConnectorRecord) -> float | None:
    """The moment (seconds since 1970) from which a record holds no more."""
    if record.expires is None:
        return None
    return datetime.combine(record.expires, time(), UTC).timestamp()


def credential_end(record: ConnectorRecord, credential: StoredCredential) -> float:
    """The moment from which a credential holds no more: its own end, or its age by the template."""
    template = TEMPLATES.get(record.template)
    by_age = credential.made + (template.credential_days * DAY_S if template else 0.0)
    return by_age if credential.ends is None else min(by_age, credential.ends)


def holding(entry: Registered, now: float) -> list[StoredCredential]:
    """The credentials that hold now."""
    return [one for one in entry.credentials if now < credential_end(entry.record, one)]


def credentials_until(entry: Registered) -> float | None:
    """Until when the connector has a credential; None for one that needs none and never had one."""
    if not entry.credentials:
        return 0.0 if entry.record.kind in HAVE_CREDENTIALS else None
    return max(credential_end(entry.record, one) for one in entry.credentials)


def changed_meanwhile(connector_id: str) -> ConnectorError:
    """The refusal of a change that was made from what is not so any more."""
    return ConnectorError(f"{connector_id}: somebody else changed it meanwhile. Remedy: look at it, and try again.")
