"""Access tokens of the embedded authorization server (RFC 9068): minted, read and revoked."""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from msgspec import Struct

from narrows.devkit.authority_keys import Keyring

ACCESS_TYP = "at+jwt"
_HEADER = {"alg", "kid", "typ"}
_JTI_BYTES = 16
_FIRST_SWEEP = 1000


class Minted(Struct, frozen=True):
    """A token with the facts of the answer that carries it; `expires_in` is in seconds."""

    value: str
    jti: str
    scope: str
    expires_in: int

    def __repr__(self) -> str:
        return f"Minted({self.jti!r}, {self.scope!r}, {self.expires_in})"


class Tokens:
    """Mints with the signing key, and knows which of its tokens have been revoked. `lifetime` is in seconds."""

    def __init__(
        self,
        issuer: str,
        keyring: Keyring,
        *,
        lifetime: int,
        now: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self.lifetime = lifetime
        self._issuer = issuer
        self._keyring = keyring
        self._now = now
        self._random = random
        self._alive: dict[str, tuple[str, float]] = {}
        self._revoked: dict[str, float] = {}
        self._sweep_at = _FIRST_SWEEP

    def mint(
        self,
        subject: str,
        client_id: str,
        audience: str | Sequence[str],
        scope: str,
        *,
        lifetime: int | None = None,
        claims: Mapping[str, Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> Minted:
        """Mint a token. `claims` add to the registered ones, `overrides` replace them (`None` leaves a claim out)."""
        issued, seconds = int(self._now()), self.lifetime if lifetime is None else lifetime
        standard = {
            "iss": self._issuer,
            "exp": issued + seconds,
            "aud": audience if isinstance(audience, str) else list(audience),
            "sub": subject,
            "client_id": client_id,
            "iat": issued,
            "jti": urlsafe_b64encode(self._random(_JTI_BYTES)).rstrip(b"=").decode("ascii"),
            "scope": scope,
        }
        whole = {**(claims or {}), **standard, **(overrides or {})}
        whole = {name: value for name, value in whole.items() if value is not None}
        self._remember(whole)
        value = self._keyring.sign(whole, {"typ": ACCESS_TYP, **(header or {})})
        return Minted(value, str(whole.get("jti")), scope, seconds)

    def read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that this server has issued and that still holds, else `None`."""
        read = self._keyring.read(token)
        if read is None:
            return None
        header, claims = read
        if header.get("typ") != ACCESS_TYP or set(header) != _HEADER or claims.get("iss") != self._issuer:
            return None
        texts = all(isinstance(claims.get(name), str) for name in ("sub", "client_id", "jti", "scope"))
        if not texts or not self._in_time(claims) or claims["jti"] in self._revoked:
            return None
        return claims

    def revoke(self, jti: str) -> None:
        """Let the token with this `jti` hold no longer."""
        if alive := self._alive.pop(jti, None):
            self._revoked[jti] = alive[1]

    def revoke_subject(self, subject: str) -> int:
        """Let no token that was issued for `subject` so far hold any longer; return how many there were."""
        theirs = [jti for jti, (owner, _) in self._alive.items() if owner == subject]
        for jti in theirs:
            self.revoke(jti)
        return len(theirs)

    def _in_time(self, claims: Mapping[str, Any]) -> bool:
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        return _finite(expires) and _finite(begins) and begins <= self._now() < expires

    def _remember(self, claims: Mapping[str, Any]) -> None:
        expires = claims.get("exp")
        if _finite(expires):
            self._alive[str(claims.get("jti"))] = (str(claims.get("sub")), float(expires))
        if len(self._alive) + len(self._revoked) >= self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        """Forget what has expired; the next sweep comes when as much again has gathered, so minting stays cheap."""
        now = self._now()
        self._alive = {jti: kept for jti, kept in self._alive.items() if kept[1] > now}
        self._revoked = {jti: until for jti, until in self._revoked.items() if until > now}
        self._sweep_at = 2 * (len(self._alive) + len(self._revoked)) + _FIRST_SWEEP


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The audiences of a token, whether its `aud` is one text or a list."""
    aud = claims.get("aud")
    if isinstance(aud, str):
        return (aud,)
    return tuple(value for value in aud if isinstance(value, str)) if isinstance(aud, list) else ()


def _finite(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
