"""The life of a connector: draft → trial → live → suspended → revoked, each change by somebody and with its reason.

This works on records and the registry alone: no request comes here. What a policy says is asked by `judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NoReturn, Protocol

import msgspec

from narrows.audit.nowhere import Keeper, Nowhere
from narrows.declare.bff import Bff
from narrows.declare.connectors import ConnectorRecord, Written
from narrows.declare.endpoint import Endpoint
from narrows.declare.templates import Outside, outside
from narrows.errors import ConnectorError
from narrows.governance.recording import record_change
from narrows.governance.widening import FieldChange, differences
from narrows.settings import ConnectorState, Settings
from narrows.stores.registry import (
    HAVE_CREDENTIALS,
    Action,
    Approval,
    Change,
    Connectors,
    Registered,
    holding,
    same_name,
    standing,
)

# What helps where an approval does not.
_UNAPPROVABLE: dict[ConnectorState, str] = {
    "live": "nothing is left to approve",
    "suspended": "let it go on first: narrows connector resume",
    "expired": "write a later day as expires into its file, and apply that first",
    "revoked": "this is for good; register another program under an id of its own",
}


# What takes power away is done even if it cannot be recorded, and that is told.
_AT_ONCE: tuple[Action, ...] = ("suspend", "revoke", "rotate-compromised")


class Judge(Protocol):
    """The policy, as it is asked at `apply` and at each approval; it keeps its own record of what it said."""

    async def __call__(
        self, occasion: Literal["apply", "approve"], record: ConnectorRecord, *, digest: str, by: str
    ) -> Sequence[str]:
        """Every reason against a record, with its remedy; nothing lets it be."""
        ...


async def no_policy(
    occasion: Literal["apply", "approve"],  # noqa: ARG001 - as `Judge` is called
    record: ConnectorRecord,  # noqa: ARG001 - as above
    *,
    digest: str,  # noqa: ARG001 - as above
    by: str,  # noqa: ARG001 - as above
) -> Sequence[str]:
    """No policy says anything: for tests, and for worlds that have none."""
    return ()


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a change: the name that they give (`--by`), and the account that they work in."""

    name: str
    os_user: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What applying one file would do; `absent` is a connector that the registry has and no file."""

    connector: str
    kind: Literal["new", "changed", "same", "absent"]
    before: ConnectorState | None
    after: ConnectorState | None
    fields: tuple[FieldChange, ...] = ()

    @property
    def widening(self) -> bool:
        """Whether it lets the connector do more than was approved."""
        return any(field.widening for field in self.fields)


class Governor:
    """Changes the registry of one BFF, by the rules.

    `now` gives seconds since 1970, `judge` is the policy, `log` takes a record of each change. `documents` makes the
    GraphQL documents of the BFF when a record is judged. Its methods raise `ConnectorError`, which tells connector,
    rule and remedy, and `Unavailable`.
    """

    def __init__(
        self,
        bff: Bff,
        settings: Settings,
        store: Connectors,
        *,
        now: Callable[[], float],
        judge: Judge = no_policy,
        log: Keeper | None = None,
        documents: Callable[[], Sequence[Endpoint]] = tuple,
    ) -> None:
        self._documents = documents
        self._log = log or Nowhere()
        self.bff = bff
        self.store = store
        self._settings = settings
        self._now = now
        self._judge = judge

    async def diff(self, written: Sequence[Written]) -> list[Difference]:
        """What `apply` would do: one for each file, and one for each connector that no file tells of."""
        _, entries = await self.store.all()
        known = {entry.id: entry for entry in entries}
        files = {one.record.id for one in written}
        told = [self._difference(known.get(one.record.id), one.record) for one in written]
        return told + [self._absent(entry) for entry in entries if entry.id not in files]

    async def apply(self, written: Sequence[Written], by: Operator) -> list[Difference]:
        """Put the records of the files into the registry; a wrong one keeps all of them out.

        A new or widened one is a draft; a narrowed one keeps its state, and its approval goes over to it.
        """
        _named(by)
        _, entries = await self.store.all()
        known = {entry.id: entry for entry in entries}
        faults = [fault for one in written for fault in self._faults(one, entries)]
        faults += [
            fault for one in written for fault in await self._denied("apply", one.record, known.get(one.record.id), by)
        ]
        if faults:
            raise ConnectorError("\n".join(faults))
        made = [self._difference(known.get(one.record.id), one.record) for one in written]
        for difference, one in zip(made, written, strict=True):
            if difference.kind != "same":
                await self._put(difference, one.record, known.get(one.record.id), by)
        return made

    async def approve(self, connector_id: str, by: Operator, *, digest: str | None = None) -> Registered:
        """Take a draft to trial, or a trial to live; `digest` (or its beginning) is what the approver has looked at."""
        entry = await self.find(connector_id)
        self._may_approve(entry, by)
        state = standing(entry, self._now())
        if state not in ("draft", "trial"):
            _refuse(connector_id, f"it is {state}, and only a draft or a trial is approved", _UNAPPROVABLE[state])
        if digest is not None and not entry.record.digest().startswith(digest):
            _refuse(
                connector_id,
                "its record is not the one that you looked at",
                "look at it again, and give that digest: narrows connector show",
            )
        await self._sound(entry, by)
        after: ConnectorState = "trial" if state == "draft" else "live"
        if after == "live" and entry.record.kind in HAVE_CREDENTIALS and not holding(entry, self._now()):
            _refuse(connector_id, f"a {entry.record.kind} has no credential that holds", "narrows connector rotate")
        now = self._now()
        approval = Approval(by=by.name.strip(), at=now, digest=entry.record.digest())
        changed = msgspec.structs.replace(entry, state=after, approval=approval, digest=approval.digest, resumes=None)
        return await self._change(entry, changed, "approve", by)

    async def suspend(self, connector_id: str, by: Operator, reason: str = "") -> Registered:
        """Stop a connector until it is resumed; the next write of its running calls is stopped too."""
        entry = await self.find(connector_id)
        if entry.state in ("suspended", "revoked"):
            _refuse(connector_id, f"it is {entry.state} already", "see narrows connector show")
        changed = msgspec.structs.replace(entry, state="suspended", resumes=entry.state)
        return await self._change(entry, changed, "suspend", by, reason)

    async def resume(self, connector_id: str, by: Operator) -> Registered:
        """Let a suspended connector go on where it was; who may approve it may resume it."""
        entry = await self.find(connector_id)
        self._may_approve(entry, by)
        if entry.state != "suspended":
            _refuse(connector_id, f"it is {entry.state}, not suspended", "see narrows connector show")
        changed = msgspec.structs.replace(entry, state=entry.resumes or "draft", resumes=None)
        return await self._change(entry, changed, "resume", by)

    async def revoke(self, connector_id: str, by: Operator, reason: str = "") -> Registered:
        """End a connector for good; its program needs a new registration under another id."""
        entry = await self.find(connector_id)
        if entry.state == "revoked":
            _refuse(connector_id, "it is revoked already", "there is nothing to do")
        changed = msgspec.structs.replace(entry, state="revoked", resumes=None, credentials=())
        return await self._change(entry, changed, "revoke", by, reason)

    async def find(self, connector_id: str) -> Registered:
        """One connector of the registry."""
        entry = await self.store.get(connector_id)
        if entry is None:
            _, entries = await self.store.all()
            known = ", ".join(one.id for one in entries) or "none"
            _refuse(connector_id, f"the registry has no such connector; it has {known}", "narrows connector apply")
        return entry

    async def change(self, was: Registered, entry: Registered, action: Action, by: Operator) -> Registered:
        """Keep a change that another part made of an entry, such as a rotation."""
        return await self._change(was, entry, action, by)

    def state(self, entry: Registered) -> ConnectorState:
        """The state that holds now."""
        return standing(entry, self._now())

    def _may_approve(self, entry: Registered, by: Operator) -> None:
        """Only a named approver, and never somebody who answers for the connector."""
        _named(by)
        if not same_name(by.name, *self._settings.governance.approvers):
            rule = f"{by.name.strip()!r} is not in governance.approvers"
            _refuse(entry.id, rule, "let somebody who is approve it, or add the name to the settings")
        if same_name(by.name, entry.record.owner, entry.record.contact):
            _refuse(entry.id, "its owner or contact cannot approve it", "let somebody else approve it")

    async def _sound(self, entry: Registered, by: Operator) -> None:
        """Template and policy hold for the record as it is kept, by what they are now."""
        found = [
            f"{entry.id}: {field}: {rule}. Remedy: {remedy}." for field, rule, remedy in self._outside(entry.record)
        ]
        found += await self._denied("approve", entry.record, entry, by)
        if found:
            raise ConnectorError("\n".join(found))

    def _outside(self, record: ConnectorRecord) -> list[Outside]:
        return outside(record, self.bff, list(self._settings.issuers), self._documents())

    def _faults(self, written: Written, entries: Sequence[Registered]) -> Iterator[str]:
        """What of one file its template, its BFF or the registry do not allow."""
        record = written.record
        for field, rule, remedy in self._outside(record):
            yield f"{written.where(field)}: {record.id}: {field}: {rule}. Remedy: {remedy}."
        for entry in entries:
            same_client = (entry.record.issuer, entry.record.client_id) == (record.issuer, record.client_id)
            if entry.id != record.id and entry.state != "revoked" and same_client:
                rule = f"{entry.id} has this client already. Remedy: give each its own, or revoke {entry.id}."
                yield f"{written.where('client_id')}: {record.id}: client_id: {rule}"
            if entry.id == record.id and entry.state == "revoked" and entry.record != record:
                yield f"{written.where()}: {record.id}: it is revoked for good. Remedy: register it under another id."

    async def _denied(
        self, occasion: Literal["apply", "approve"], record: ConnectorRecord, entry: Registered | None, by: Operator
    ) -> list[str]:
        """What the policy says against a record, which the history keeps."""
        denials = await self._judge(occasion, record, digest=record.digest(), by=by.name.strip())
        if denials:
            state = entry.state if entry else None
            await self.store.note(self._line(record, "deny", by, state, state, "; ".join(denials)))
        return [f"{record.id}: denied by policy (its owner is {record.owner}): {denial}" for denial in denials]

    def _difference(self, entry: Registered | None, record: ConnectorRecord) -> Difference:
        if entry is None:
            fields = tuple(differences(None, record))
            return Difference(connector=record.id, kind="new", before=None, after="draft", fields=fields)
        fields = tuple(differences(entry.record, record))
        widening = any(field.widening for field in fields)
        before = standing(entry, self._now())
        # An approver who has become its owner or contact has not approved it.
        approver = entry.approval.by if entry.approval else ""
        widening = widening or same_name(approver, record.owner, record.contact)
        after = before if not fields or not widening or before == "suspended" else "draft"
        return Difference(
            connector=record.id, kind="changed" if fields else "same", before=before, after=after, fields=fields
        )

    def _absent(self, entry: Registered) -> Difference:
        state = standing(entry, self._now())
        return Difference(connector=entry.id, kind="absent", before=state, after=state)

    async def _put(
        self, difference: Difference, record: ConnectorRecord, entry: Registered | None, by: Operator
    ) -> None:
        digest = record.digest()
        if entry is None:
            made = Registered(id=record.id, record=record, digest=digest)
            await self._change(None, made, "apply", by)
            return
        changed = msgspec.structs.replace(entry, record=record, digest=digest, revision=entry.revision + 1)
        approval = entry.approval
        if self._narrows(difference, entry, record) and approval is not None:
            approval = msgspec.structs.replace(approval, digest=digest, carried_from=approval.digest)
            changed = msgspec.structs.replace(changed, approval=approval)
        else:
            suspended = entry.state == "suspended"
            changed = msgspec.structs.replace(
                changed,
                state="suspended" if suspended else "draft",
                resumes="draft" if suspended else None,
                approval=None,
            )
        await self._change(entry, changed, "apply", by, _told(difference))

    def _narrows(self, difference: Difference, entry: Registered, record: ConnectorRecord) -> bool:
        """Whether the approval covers the new record: it is no wider, and the old one was exactly what was approved."""
        approval = entry.approval
        sound = approval is not None and approval.digest == entry.record.digest()
        return sound and not difference.widening and not same_name(approval.by, record.owner, record.contact)  # type: ignore[union-attr]  # `sound` says that it is there

    async def _change(
        self, was: Registered | None, entry: Registered, action: Action, by: Operator, note: str = ""
    ) -> Registered:
        _named(by)
        line = self._line(entry.record, action, by, was.state if was else None, entry.state, note)
        if action not in _AT_ONCE:
            await self._log.room()
        changed = await self.store.put(entry, line, was.generation if was else 0)
        await record_change(self._log, self.bff.name, changed, line)
        return changed

    def _line(
        self,
        record: ConnectorRecord,
        action: Action,
        by: Operator,
        before: ConnectorState | None,
        after: ConnectorState | None,
        note: str,
    ) -> Change:
        return Change(
            connector=record.id,
            at=self._now(),
            by=by.name.strip(),
            os_user=by.os_user,
            action=action,
            before=before,
            after=after,
            digest=record.digest(),
            note=note,
        )


def _named(by: Operator) -> None:
    if not by.name.strip():
        raise ConnectorError("Nobody is named who makes this change. Remedy: --by NAME.")


def _refuse(connector_id: str, rule: str, remedy: str) -> NoReturn:
    raise ConnectorError(f"{connector_id}: {rule}. Remedy: {remedy}.")


def _told(difference: Difference) -> str:
    """What changed, for the history: the names of the fields."""
    return ", ".join(f"{field.field}{' (widened)' if field.widening else ''}" for field in difference.fields)
