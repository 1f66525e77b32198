"""Who may not call any more, as every process knows it: what was revoked in one is felt by all within half a second.

Nothing is decided by older knowledge, and while the store of revocations is away, nothing is decided at all. A process
that starts reads all of it first, so a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from narrows.identity.fresh import Fresh
from narrows.identity.jwt import LEEWAY_S, LIFE_S, Reason, refuse
from narrows.stores.revoked import Revocation

if TYPE_CHECKING:
    from narrows.call import Connector, Credential
    from narrows.identity import Identity
    from narrows.identity.connectors import Directory
    from narrows.stores.revoked import Revoked

KEPT_S = LIFE_S + 2 * LEEWAY_S
"""How long a revocation may touch a token: the longest life of one, and the leeway of both clocks."""


class Revoking:
    """Tells the identity of this process what was revoked, here and in others.

    `now` gives seconds since the epoch, `steady` seconds of a clock that nobody sets.
    """

    def __init__(self, identity: Identity, *, now: Callable[[], float], steady: Callable[[], float]) -> None:
        self._identity = identity
        self._now = now
        self._fresh = Fresh(self._look, steady)
        self._store: Revoked | None = None
        self._on_subject: Callable[[str, str, int], object] = lambda *_: None
        self._seen = 0

    def attach(self, store: Revoked, on_subject: Callable[[str, str, int], object]) -> None:
        """Take the store; `on_subject` hears issuer, subject and number of each revocation of somebody's tokens."""
        self._store, self._on_subject = store, on_subject

    async def refresh(self) -> None:
        """See that what is known is at most half a second old. Raises `Unavailable`."""
        await self._fresh.see()

    async def revoke(self, issuer: str, subject: str, at: float) -> None:
        """Refuse from now on what was issued to somebody at or before `at` (seconds since the epoch).

        It is kept for all processes when this returns. Raises `Unavailable`; then it does not hold.
        """
        await self._add(Revocation("subject", issuer, subject, at, max(at, self._now()) + KEPT_S))

    async def revoke_token(self, issuer: str, name: str) -> None:
        """Refuse one token from now on; `name` is its `jti`, or what `tokens.token_id` says. Raises `Unavailable`."""
        now = self._now()
        await self._add(Revocation("token", issuer, name, now, now + KEPT_S))

    async def check(self, credential: Credential) -> None:
        """Prove that a credential was not revoked. Raises `InvalidToken`, and `Unavailable` when nobody knows."""
        await self.refresh()
        if self._identity.is_revoked(credential):
            raise refuse(Reason.REVOKED)

    async def close(self) -> None:
        """Let a look that is under way end; the store is closed by whoever opened it."""
        await self._fresh.close()

    async def _add(self, revocation: Revocation) -> None:
        if self._store is None:
            raise AssertionError("no store was attached")
        self._take(await self._store.add(revocation), revocation)

    async def _look(self) -> None:
        if self._store is None:
            return
        for number, revocation in await self._store.since(self._seen):
            self._take(number, revocation)
            self._seen = number

    def _take(self, number: int, revocation: Revocation) -> None:
        """Put one down; a second time changes nothing."""
        if revocation.kind == "subject":
            self._identity.revoke(revocation.issuer, revocation.name, revocation.at)
            self._on_subject(revocation.issuer, revocation.name, number)
        elif revocation.kind == "token":
            self._identity.revoke_token(revocation.issuer, revocation.name)
        else:
            self._identity.revoke_all(revocation.at)


class Standing:
    """What a live write wants to know once more before it leaves: does the program still stand, and does the caller?"""

    def __init__(self, directory: Directory, revoking: Revoking) -> None:
        self._directory = directory
        self._revoking = revoking

    async def check_write(self, connector: Connector, credential: Credential, endpoint: str) -> None:
        """Raise `ConnectorRefused` or `InvalidToken` if one of them does not, and `Unavailable` if nobody knows."""
        await self._directory.check_write(connector, credential, endpoint)
        await self._revoking.check(credential)

    async def refresh(self) -> None:
        """See that what is known of both is fresh. Raises `Unavailable`."""
        await self._directory.refresh()
        await self._revoking.refresh()
