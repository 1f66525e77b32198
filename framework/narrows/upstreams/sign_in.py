"""A person signs in on the BFF's own origin: the code grant with the BFF's own, confidential client.

RFC 6749 with PKCE (RFC 7636), a state that is bound to the browser, and the issuer's name checked (RFC 9207). What has
to survive the way there and back lies in a sealed cookie, and nothing at the server. The token that comes back is
verified as any other, tells who signed in, and is dropped.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from narrows.call import Credential
from narrows.errors import NarrowsError, Problem, Unavailable
from narrows.identity import Identity
from narrows.identity.cookies import Cookie
from narrows.identity.sessions import pack, unpack
from narrows.identity.tokens import is_service
from narrows.settings import Secret, Settings
from narrows.stores.ended import Ended
from narrows.stores.sealing import Sealer
from narrows.upstreams.dialects import Issued
from narrows.upstreams.token_cache import Denied

SIGN_IN_S = 600
CALLBACK = "/confirm/callback"

_BOUND_TO = b"sign-in"
_NAME_CHARACTERS = 80
_AWAY = "The authorization server cannot be reached right now."

Redeem = Callable[[str, Secret, Secret, str], Awaitable[Issued | Denied]]

_log = logging.getLogger("narrows.identity")


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that has begun: what its cookie holds. `expires` is seconds since the epoch."""

    state: str
    verifier: str
    issuer: str
    rehearsal: str
    since: float
    expires: float

    def __repr__(self) -> str:
        return f"Begun({self.issuer!r}, {self.rehearsal!r})"


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in, by which issuer, and which rehearsal the person wants to see."""

    issuer: str
    subject: str
    name: str
    rehearsal: str


class SignInRefused(NarrowsError):
    """A sign-in that does not hold. `said` is for the person, `rehearsal` where to begin again, if that is known.

    `away` tells that nothing was found out, because the authorization server cannot be reached.
    """

    def __init__(self, said: str, rehearsal: str | None = None, *, away: bool = False) -> None:
        super().__init__(said)
        self.said = said
        self.rehearsal = rehearsal
        self.away = away


class SignIn:
    """Begins and ends sign-ins. `redeem` asks a token endpoint, `now` gives seconds, `key` has 32 bytes.

    `ended` keeps the states that were used.
    """

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        redeem: Redeem,
        *,
        key: bytes,
        now: Callable[[], float],
        ended: Ended,
        new_secret: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self.issuers = {name: issuer for name, issuer in settings.issuers.items() if issuer.client is not None}
        self.cookie = Cookie("narrows-sign-in", settings.public_url, same_site="Lax", seconds=SIGN_IN_S)
        self._identity = identity
        self._redeem = redeem
        self._redirect_uri = settings.public_url.rstrip("/") + CALLBACK
        self._sealer = Sealer(key, purpose="sign-in")
        self._now = now
        self._new_secret = new_secret
        self._ended = ended

    def begin(self, issuer: str, rehearsal: str) -> tuple[str, str]:
        """Where the browser goes, and the value of the cookie that it takes along. Raises `Unavailable`.

        `issuer` is one of `issuers`.
        """
        endpoint, _ = self._identity.authorization_endpoint(issuer)
        settings, now = self.issuers[issuer], self._now()
        begun = Begun(
            state=self._new_secret(),
            verifier=self._new_secret(),
            issuer=issuer,
            rehearsal=rehearsal,
            since=now,
            expires=now + SIGN_IN_S,
        )
        url: str = prepare_grant_uri(
            endpoint,
            self._client_of(issuer),
            "code",
            redirect_uri=self._redirect_uri,
            scope=settings.client.sign_in_scope if settings.client else None,
            state=begun.state,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
            # Entra knows the API by the scope, and refuses to be told twice.
            audience=None if settings.exchange == "entra" else settings.audience,
        )
        return url, pack(self._sealer, begun, _BOUND_TO)

    async def finish(self, cookie: str | None, answer: Mapping[str, str | None]) -> SignedIn:
        """Judge what a browser brings back, and learn who signed in. Raises `SignInRefused`."""
        begun = await self._begun(cookie, answer.get("state"))
        self._check_issuer(begun, answer.get("iss"))
        code = answer.get("code")
        if code is None or answer.get("error") is not None:
            raise SignInRefused("The sign-in was refused.", begun.rehearsal)
        credential = await self._redeemed(begun, code)
        return SignedIn(
            issuer=begun.issuer, subject=credential.subject, name=_name(credential), rehearsal=begun.rehearsal
        )

    async def _begun(self, cookie: str | None, state: str | None) -> Begun:
        """The sign-in that this browser began, used up by being looked at: a state holds once (RFC 9700, 4.7)."""
        begun = unpack(self._sealer, cookie, Begun, _BOUND_TO) if cookie else None
        now = self._now()
        if begun is None or not hmac.compare_digest(begun.state.encode(), (state or "").encode()):
            raise SignInRefused("This sign-in was not begun in this browser.")
        if not begun.since <= now < begun.expires:
            raise SignInRefused("The sign-in took too long.", begun.rehearsal)
        if begun.issuer not in self.issuers or not await self._is_first(begun):
            raise SignInRefused("This sign-in was used already.", begun.rehearsal)
        return begun

    async def _is_first(self, begun: Begun) -> bool:
        if await self._ended.holds(begun.state, begun.since):
            return False
        # Of two that come at once, one alone adds it.
        return await self._ended.add(begun.state, begun.expires)

    def _check_issuer(self, begun: Begun, named: str | None) -> None:
        """The server that answered is the one that was asked (RFC 9207, 2.4), if it can tell."""
        try:
            _, names_itself = self._identity.authorization_endpoint(begun.issuer)
        except Unavailable:
            raise SignInRefused(_AWAY, begun.rehearsal, away=True) from None
        if (named is None and names_itself) or named not in (None, self.issuers[begun.issuer].url):
            raise SignInRefused("Another server answered than was asked.", begun.rehearsal)

    async def _redeemed(self, begun: Begun, code: str) -> Credential:
        try:
            issued = await self._redeem(begun.issuer, Secret(code), Secret(begun.verifier), self._redirect_uri)
            if isinstance(issued, Denied):
                raise issued.problem()
            credential = await self._identity.verify(issued.token.reveal())
        except Unavailable:
            raise SignInRefused(_AWAY, begun.rehearsal, away=True) from None
        except Problem as problem:
            _log.warning("a sign-in at issuer %s brought no token that holds: %s", begun.issuer, problem.detail)
            raise SignInRefused("The sign-in does not hold.", begun.rehearsal) from None
        own = (begun.issuer, self._client_of(begun.issuer))
        if (credential.issuer, credential.client_id) != own or is_service(credential):
            _log.warning("a sign-in at issuer %s brought the token of another program", begun.issuer)
            raise SignInRefused("The sign-in does not hold.", begun.rehearsal)
        return credential

    def _client_of(self, issuer: str) -> str:
        client = self.issuers[issuer].client
        return client.id if client else ""


def _name(credential: Credential) -> str:
    """What a page calls the person: a name that the token gives, else the subject."""
    names = (credential.claims.get(claim) for claim in ("name", "preferred_username", "email"))
    found = next((name for name in names if isinstance(name, str) and name.strip()), credential.subject)
    return "".join(character for character in found if character.isprintable())[:_NAME_CHARACTERS]
