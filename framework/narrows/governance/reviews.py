"""The gate with its memory: what was granted, what it decided, and what waits for an approver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from narrows.audit.decision import DecisionRecord
from narrows.audit.line import json_line
from narrows.audit.nowhere import Keeper, Nowhere
from narrows.audit.record import timestamp
from narrows.declare.bff import Bff
from narrows.declare.connectors import ConnectorRecord
from narrows.declare.endpoint import Endpoint
from narrows.errors import NarrowsError
from narrows.governance.asked import Grant, Occasion, asked
from narrows.governance.connectors import Judge
from narrows.governance.policy import Decision, Gate
from narrows.stores.registry import same_name
from narrows.stores.reviews import Review, Reviews, Verdict


class ReviewRefused(NarrowsError):
    """An approver's verdict is not taken: nothing waits for it, or it is not theirs to give."""


class Reviewer:
    """The gate of one BFF, with its queue.

    `gate` makes the gate when it is first asked, because its tests take time, and `documents` the GraphQL documents of
    the BFF; `now` gives seconds since 1970, and `log` takes each record.
    """

    def __init__(
        self,
        bff: Bff,
        gate: Callable[[], Gate],
        reviews: Reviews,
        *,
        approvers: Sequence[str] = (),
        now: Callable[[], float],
        log: Keeper | None = None,
        documents: Callable[[], Sequence[Endpoint]] = tuple,
    ) -> None:
        self._bff = bff
        self._documents = documents
        self._gate = cache(gate)
        self._reviews = reviews
        self._approvers = approvers
        self._now = now
        self._log = log or Nowhere()

    async def judge(self, occasion: Occasion, record: Any, *, digest: str, by: str) -> Decision:
        """Decide over a connector's record (a Struct or a mapping) whose digest is `digest`; `by` is who asks.

        The decision is recorded. What could be granted goes into the queue, unless it is a mere check.
        """
        grants = await granted_in(self._reviews, _name(record), digest)
        documents = self._documents()
        decision = self._gate().decide(
            asked(occasion, record, self._bff, digest=digest, grants=grants, documents=documents)
        )
        if occasion == "check":
            return decision
        owned = _owned(record)
        await self._record(
            DecisionRecord(
                time=timestamp(self._now()),
                event="policy",
                asked=occasion,
                bff=self._bff.name,
                connector=owned["connector"],
                tenant=owned["tenant"],
                owner=owned["owner"],
                digest=digest,
                by=by,
                allowed=decision.allowed,
                policies=decision.policies,
                denied=tuple(f"{denial.policy}/{denial.rule}" for denial in decision.denials),
                grants=tuple(grant.grant for grant in grants),
            )
        )
        await self._reviews.open(self._held_back(owned, digest, decision))
        return decision

    def _held_back(self, owned: dict[str, str], digest: str, decision: Decision) -> Iterator[Review]:
        """What of a decision an approver could grant."""
        for denial in decision.denials:
            if denial.grant:
                yield Review(
                    connector=owned["connector"],
                    tenant=owned["tenant"],
                    owner=owned["owner"],
                    contact=owned["contact"],
                    digest=digest,
                    grant=denial.grant,
                    policy=denial.policy,
                    rule=denial.rule,
                    message=denial.message,
                    asked_at=self._now(),
                )

    async def decide(self, connector: str, grant: str, verdict: Verdict, *, by: str, reason: str = "") -> Review:
        """Grant or deny what waits; what was granted can still be denied. It leaves the queue, and is recorded.

        Of several records of one connector the newest is meant. Raises `ReviewRefused`.
        """
        open_for = ("waiting",) if verdict == "granted" else ("waiting", "granted")
        found = [r for r in await self._reviews.all() if (r.connector, r.grant) == (connector, grant)]
        review = next((r for r in reversed(found) if r.verdict in open_for), None)
        if review is None:
            raise ReviewRefused(
                f"{connector}: nothing waits there for {grant}. Remedy: see `narrows connector reviews`."
            )
        self._may(review, by)
        decided = msgspec.structs.replace(review, verdict=verdict, by=by.strip(), decided_at=self._now(), reason=reason)
        if not await self._reviews.decide(decided, review.verdict):
            raise ReviewRefused(f"{connector}: somebody else decided it meanwhile. Remedy: look at it again.")
        await self._record(
            DecisionRecord(
                time=timestamp(self._now()),
                event="review",
                asked=verdict,
                bff=self._bff.name,
                connector=connector,
                tenant=review.tenant,
                owner=review.owner,
                digest=review.digest,
                by=by.strip(),
                allowed=verdict == "granted",
                grants=(grant,),
                reason=reason,
            )
        )
        return decided

    async def all(self) -> list[Review]:
        """Every review, also those that were decided, the oldest first."""
        return await self._reviews.all()

    async def waiting(self) -> list[Review]:
        """What waits for an approver, the oldest first."""
        return [review for review in await self._reviews.all() if review.verdict == "waiting"]

    async def history(self) -> list[bytes]:
        """Every decision, of the gate and of approvers, as a line of JSON each, the oldest first."""
        return await self._reviews.history()

    def _may(self, review: Review, by: str) -> None:
        """Refuse a verdict of those who answer for the connector, and of those who are no approvers."""
        if not by.strip():
            raise ReviewRefused("a verdict needs a name. Remedy: say --by.")
        if same_name(by, review.owner, review.contact):
            raise ReviewRefused(
                f"{review.connector}: {by} answers for it. Remedy: have an approver decide who is neither its owner "
                "nor its contact."
            )
        if not same_name(by, *self._approvers):
            listed = ", ".join(self._approvers) or "nobody yet"
            raise ReviewRefused(f"{by} is no approver ({listed}). Remedy: set governance.approvers in the settings.")

    async def _record(self, record: DecisionRecord) -> None:
        """Keep a record in the audit log, and in the history. Raises `Unavailable`."""
        await self._log.keep(record)
        await self._reviews.note(json_line(msgspec.structs.asdict(record)))


async def granted_in(reviews: Reviews, connector: str, digest: str) -> list[Grant]:
    """What approvers have granted to exactly this record of a connector."""
    return [
        Grant(grant=review.grant, digest=review.digest, by=review.by)
        for review in await reviews.all()
        if (review.connector, review.digest, review.verdict) == (connector, digest, "granted")
    ]


def judge_of(reviewer: Reviewer) -> Judge:
    """The gate as the registry of connectors asks it."""

    async def judge(
        occasion: Literal["apply", "approve"], record: ConnectorRecord, *, digest: str, by: str
    ) -> Sequence[str]:
        return told(await reviewer.judge(occasion, record, digest=digest, by=by), record)

    return judge


def told(decision: Decision, record: Any) -> list[str]:
    """A denial as its owner reads it: every reason with its remedy, whom to ask, and where it waits."""
    contact = _owned(record)["contact"]
    lines = []
    for denial in decision.denials:
        field = f"{denial.field}: " if denial.field else ""
        waits = f" {denial.grant} waits for an approver, see narrows connector reviews." if denial.grant else ""
        rule = f"{field}{denial.message} [{denial.policy}/{denial.rule}]"
        lines.append(f"{rule}. Remedy: {denial.remedy}.{waits} Contact: {contact}.")
    return lines


def _owned(record: Any) -> dict[str, str]:
    fields = msgspec.to_builtins(record)
    named = {name: str(fields.get(name) or "") for name in ("tenant", "owner", "contact")}
    return {"connector": str(fields.get("id") or ""), **named}


def _name(record: Any) -> str:
    return _owned(record)["connector"]
