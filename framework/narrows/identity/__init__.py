"""Who calls: access tokens are verified here, against keys that are fetched here (RFC 9068, 8725, 8414)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from narrows.call import Credential
from narrows.errors import Refusal, StartRefused
from narrows.identity import jwt
from narrows.identity.issuer import Issuer
from narrows.identity.jwt import LEEWAY_S, Reason, refuse
from narrows.identity.remembered import Revocations, Verified, VerifiedTokens
from narrows.identity.tokens import digest_of, make_credential
from narrows.settings import Settings
from narrows.transport import Dial, dial


class Identity:
    """Verifies the access tokens of every issuer in the settings.

    `dial` makes the transport to an issuer, `now` tells the time in seconds since the epoch. Used from one event loop.
    """

    def __init__(self, settings: Settings, *, dial: Dial = dial, now: Callable[[], float] = time.time) -> None:
        self.issuers = {
            name: Issuer(name, issuer, ca=str(settings.path(issuer.ca)) if issuer.ca else None, dial=dial, now=now)
            for name, issuer in settings.issuers.items()
        }
        self._by_url = {issuer.settings.url: issuer for issuer in self.issuers.values()}
        self._now = now
        self._cache = VerifiedTokens(settings.limits.tokens)
        self._revocations = Revocations()

    async def start(self) -> None:
        """Read every issuer's metadata and keys. Raises `StartRefused` naming each issuer that must not be believed."""
        refusals = [r for r in await asyncio.gather(*(i.start() for i in self.issuers.values())) if r is not None]
        refusals += [_refuse_twice(i) for i in self.issuers.values() if self._by_url[i.settings.url] is not i]
        if refusals:
            await self.close()
            raise StartRefused(refusals)

    async def close(self) -> None:
        """End what is under way and close the connections to the issuers."""
        await asyncio.gather(*(issuer.close() for issuer in self.issuers.values()))

    def known(self, token: str) -> Credential | None:
        """The credential of a token that was verified before and still holds (expiry, revocation, key), else None."""
        if len(token) > jwt.TOKEN_CHARACTERS or not token.isascii():
            return None
        digest = digest_of(token)
        verified = self._cache.get(digest)
        if verified is None:
            return None
        if self._holds(verified):
            return verified.credential
        self._cache.drop(digest)
        return None

    async def verify(self, token: str) -> Credential:
        """Verify a token, or find that it was verified before.

        Raises `InvalidToken`, whose detail is one of `Reason`, and `Unavailable` with `Retry-After` when the keys of
        the issuer cannot be had.
        """
        known = self.known(token)
        if known is not None:
            return known
        verified = await self._verify(token)
        if self._revocations.cover(verified.credential):
            raise refuse(Reason.REVOKED)
        self._cache.put(verified)
        return verified.credential

    def revoke(self, issuer: str, subject: str, at: float) -> None:
        """Refuse from now on every token of a subject that was issued at or before `at` (seconds since the epoch).

        `issuer` is the issuer's name in the settings. This holds for this process, until such tokens have expired;
        `revoking.Revoking` tells every process.
        """
        self._revocations.add_subject(issuer, subject, at, self._now())

    def revoke_all(self, at: float) -> None:
        """Refuse from now on every token that was issued at or before `at`, whoever issued it."""
        self._revocations.add_all(at)

    def is_revoked(self, credential: Credential) -> bool:
        """Tell whether what a credential was made from has been revoked: a token, or the sign-in of a session."""
        return self._revocations.cover(credential)

    def revoke_token(self, issuer: str, name: str) -> None:
        """Refuse one token from now on; `name` is its `jti`, or for one without what `tokens.token_id` says of it."""
        self._revocations.add_token(issuer, name, self._now())

    def token_endpoint(self, issuer: str) -> str:
        """The token endpoint of an issuer, by its name in the settings. Raises `Unavailable` while it is not known."""
        return self.issuers[issuer].token_endpoint()

    def authorization_endpoint(self, issuer: str) -> tuple[str, bool]:
        """Where persons sign in, and whether its answer names it (RFC 9207). Raises `Unavailable` while not known."""
        return self.issuers[issuer].authorization_endpoint()

    async def _verify(self, token: str) -> Verified:
        unverified = jwt.read(token)
        url = unverified.claims.get("iss")
        # Until the signature holds, `iss` is believed for nothing but the choice of the keys.
        issuer = self._by_url.get(url) if isinstance(url, str) else None
        if issuer is None:
            raise refuse(Reason.ISSUER)
        algorithm, key_id = jwt.check_header(unverified.header, issuer.settings)
        key = await issuer.ring.find(key_id, algorithm)
        if key is None:
            raise refuse(Reason.KEY)
        if not key.verifies(algorithm, unverified.signed, unverified.signature):
            raise refuse(Reason.SIGNATURE)
        jwt.check_claims(unverified.claims, issuer.settings, self._now())
        credential = make_credential(issuer.name, issuer.settings, token, unverified.claims)
        return Verified(credential, issuer, key_id, key)

    def _holds(self, verified: Verified) -> bool:
        credential = verified.credential
        return (
            self._now() < credential.expires_at + LEEWAY_S
            and verified.issuer.ring.holds(verified.key_id, verified.key)
            and not self._revocations.cover(credential)
        )


def _refuse_twice(issuer: Issuer) -> Refusal:
    return Refusal(
        code="issuer-twice",
        subject=f"issuers.{issuer.name}",
        where="settings",
        rule="another issuer has the same url",
        remedy="keep one of them: a token must have one issuer",
    )
