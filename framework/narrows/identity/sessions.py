"""Sessions of persons in a browser on the BFF's own origin: short, sealed in a cookie, and ended at the server.

A session holds no token: whoever steals its cookie can ask no upstream and no other BFF for anything.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from typing import TypeVar

import msgspec

from narrows.call import Credential
from narrows.identity.cookies import Cookie
from narrows.settings import Secret, Settings
from narrows.stores.ended import Ended
from narrows.stores.sealing import Sealer

SESSION_S = 600
"""How long a session lasts: long enough to read what is asked and to confirm it."""

_T = TypeVar("_T", bound=msgspec.Struct)
_BOUND_TO = b"session"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signed in. `issuer` is its name in the settings, `name` what a page calls the person.

    `since` and `expires` are seconds since the epoch.
    """

    id: str
    issuer: str
    subject: str
    name: str
    since: float
    expires: float


class Sessions:
    """Begins, reads and ends sessions. `key` has 32 bytes, `now` gives seconds since the epoch.

    Processes that share the key know each other's sessions, and those that share the store of `ended` which of them
    were ended. It is asked for when it is needed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        key: bytes,
        now: Callable[[], float],
        ended: Callable[[], Ended],
        new_id: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self.cookie = Cookie("narrows-session", settings.public_url, same_site="Strict", seconds=SESSION_S)
        self._clients = {name: i.client.id for name, i in settings.issuers.items() if i.client is not None}
        self._sealer = Sealer(key, purpose="session")
        self._now = now
        self._new_id = new_id
        self._ended = ended

    def begin(self, issuer: str, subject: str, name: str) -> str:
        """Begin a session under a new id; returns the value of its cookie."""
        now = self._now()
        session = Session(
            id=self._new_id(), issuer=issuer, subject=subject, name=name, since=now, expires=now + SESSION_S
        )
        return pack(self._sealer, session, _BOUND_TO)

    async def open(self, value: str) -> Session | None:
        """The session of a cookie; None when it was not made here, has expired or was ended. Raises `Unavailable`."""
        session = unpack(self._sealer, value, Session, _BOUND_TO)
        if session is None or not session.since <= self._now() < session.expires:
            return None
        return None if await self._ended().holds(session.id, session.since) else session

    async def end(self, credential: Credential) -> None:
        """Let the session of a credential hold no more. Raises `Unavailable`."""
        await self._ended().add(credential.claims["jti"], credential.expires_at)

    def credential(self, session: Session) -> Credential:
        """The session as a credential: a person, this BFF's own client, no scope and no token."""
        return Credential(
            issuer=session.issuer,
            subject=session.subject,
            client_id=self._clients.get(session.issuer, ""),
            scopes=frozenset(),
            expires_at=session.expires,
            token=Secret(""),
            token_digest=b"",
            claims={"iat": session.since, "jti": session.id, "name": session.name},
        )


def pack(sealer: Sealer, value: msgspec.Struct, bound_to: bytes) -> str:
    """Seal a value for a cookie."""
    return base64.urlsafe_b64encode(sealer.seal(msgspec.msgpack.encode(value), bound_to)).rstrip(b"=").decode("ascii")


def unpack(sealer: Sealer, text: str, kind: type[_T], bound_to: bytes) -> _T | None:
    """Read what `pack` made; None for anything else."""
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    plain = sealer.open(sealed, bound_to)
    return None if plain is None else msgspec.msgpack.decode(plain, type=kind)
