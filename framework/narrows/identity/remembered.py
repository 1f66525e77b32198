"""What is remembered of tokens: those that were verified, and those that were revoked. Both are bounded."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from narrows.call import Credential
from narrows.identity.issuer import Issuer
from narrows.identity.jwt import LEEWAY_S, LIFE_S
from narrows.identity.keys import VerifyKey
from narrows.identity.tokens import token_id

REVOCATIONS = 100_000


class Verified(msgspec.Struct, frozen=True):
    """A token that was verified, and all that must still hold when it comes again."""

    credential: Credential
    issuer: Issuer
    key_id: str | None
    key: VerifyKey


class VerifiedTokens:
    """Verified tokens by their digest; the one that was not used for longest goes first when it is full."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._tokens: OrderedDict[bytes, Verified] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, digest: bytes) -> Verified | None:
        """Look a token up."""
        verified = self._tokens.get(digest)
        if verified is not None:
            self._tokens.move_to_end(digest)
        return verified

    def put(self, verified: Verified) -> None:
        """Remember a token."""
        self._tokens[verified.credential.token_digest] = verified
        if len(self._tokens) > self._capacity:
            self._tokens.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        """Forget a token."""
        self._tokens.pop(digest, None)


class Revocations:
    """What was revoked, until no token that it touches can be alive. Times are seconds since the epoch.

    When it is full, the oldest entry gives way to a mark for its whole issuer: every token issued up to that moment is
    refused. That is more than was asked for, and never less.
    """

    def __init__(self, capacity: int = REVOCATIONS) -> None:
        self._capacity = capacity
        self._at: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._marks: dict[str, float] = {}
        self._all = -1.0

    def __len__(self) -> int:
        return len(self._at)

    def add_subject(self, issuer: str, subject: str, at: float, now: float) -> None:
        """Refuse the tokens of a subject that were issued at or before `at`."""
        self._add(("sub", issuer, subject), at, now)

    def add_token(self, issuer: str, name: str, now: float) -> None:
        """Refuse one token; `name` is what `token_id` says of it."""
        self._add(("jti", issuer, name), now, now)

    def add_all(self, at: float) -> None:
        """Refuse every token that was issued at or before `at`, whoever issued it."""
        self._all = max(at, self._all)

    def cover(self, credential: Credential) -> bool:
        """Tell whether a token is revoked."""
        if not self._at and not self._marks and self._all < 0:
            return False
        issuer, issued = credential.issuer, float(credential.claims["iat"])
        return (
            issued <= self._at.get(("sub", issuer, credential.subject), -1.0)
            or ("jti", issuer, token_id(credential)) in self._at
            or issued <= max(self._all, self._marks.get(issuer, -1.0))
        )

    def _add(self, entry: tuple[str, str, str], at: float, now: float) -> None:
        self._at[entry] = max(at, self._at.get(entry, at))
        self._at.move_to_end(entry)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Let go of entries that outlived every token they touch, and of the oldest when there are too many."""
        while self._at:
            entry, at = next(iter(self._at.items()))
            is_over = at + LIFE_S + 2 * LEEWAY_S < now
            if not is_over and len(self._at) <= self._capacity:
                return
            del self._at[entry]
            if not is_over:
                # A token may be dated ahead by the leeway, so the mark is set ahead by it too.
                self._marks[entry[1]] = max(at + LEEWAY_S, self._marks.get(entry[1], 0.0))
