"""Tokens for upstreams: the caller's token exchanged for one that is narrower, or a token of the BFF's own."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from narrows.audit.log import RecordLog
from narrows.call import Connector, Credential
from narrows.errors import Forbidden, Problem, Refusal, Unavailable
from narrows.settings import Secret, Settings, UpstreamSettings, is_loopback
from narrows.stores.tokens import Mark, Shared, SharedTokens
from narrows.transport import Dial
from narrows.upstreams.authority import Authority, away
from narrows.upstreams.dialects import Ask, AuthorizationCode, CodeAsk, Dialect, Issued
from narrows.upstreams.grants import put_down
from narrows.upstreams.token_cache import Denied, Epochs, Granted, Outcome, TokenCache

_CHANGED = Denied(
    kind=Unavailable,
    detail="What this caller or connector may do changed while the call ran.",
    headers={"Retry-After": "1"},
)

_CODE = AuthorizationCode()
_UNKNOWN = Denied(
    kind=Unavailable,
    detail="Nobody knows by now what this connector may do.",
    headers={"Retry-After": "1"},
)

_log = logging.getLogger("narrows.exchange")


async def _as_it_is(outcome: Outcome) -> Outcome:
    """A service's own token depends on nobody who could be revoked."""
    return outcome


async def _nothing() -> None:
    """Nobody else can change what this process knows."""


class Exchanger:
    """Gets and keeps the tokens that upstreams are called with; the caller's own token never leaves by it.

    `token_endpoint` gives the URL for an issuer's name, `key` (32 random bytes) hides what cache keys are made of,
    `now` gives seconds since the epoch. `on_event` hears `hit`, `joined` (one in flight),
    `exchange` (a request sent), `refused` and `failed`. `recheck` is awaited when an exchange has returned: it calls
    `forget_connector` for connectors that changed meanwhile, and raises `Unavailable` when nobody knows. `shared` is
    where processes find each other's tokens; `log` takes a record of each request, and a token without it is not used.
    Raises `SettingsError` for a client that cannot prove itself.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        token_endpoint: Callable[[str], str],
        dial: Dial,
        now: Callable[[], float],
        key: bytes,
        log: RecordLog,
        on_event: Callable[[str], None] = lambda _: None,
        recheck: Callable[[], Awaitable[None]] = _nothing,
        shared: SharedTokens | None = None,
    ) -> None:
        self._log = log
        self._recheck = recheck
        self._shared = shared
        self._authorities = {
            name: Authority(
                name,
                issuer,
                issuer.client,
                dial=dial,
                ca=str(settings.path(issuer.ca)) if issuer.ca else None,
                now=now,
                on_event=on_event,
            )
            for name, issuer in settings.issuers.items()
            if issuer.client is not None
        }
        self._audiences = {name: issuer.audience for name, issuer in settings.issuers.items()}
        self._token_endpoint = token_endpoint
        self._now = now
        self._key = key
        self._cache = TokenCache(now=now, on_event=on_event)
        self._subjects = Epochs()
        self._connectors = Epochs()

    async def on_behalf_of(
        self, credential: Credential, connector: Connector, upstream: UpstreamSettings, scopes: frozenset[str]
    ) -> Secret:
        """Exchange the caller's token for one of the upstream's audience and these scopes.

        Raises `InteractionRequired` (401), `InvalidToken` (401), `Forbidden` (403) or `Unavailable` (503).
        """
        if upstream.issuer not in (None, credential.issuer):
            raise Forbidden("A service behind this endpoint trusts another issuer than this caller's.")
        authority = self._authority(credential.issuer)
        _check_may_act(credential.claims, authority)
        ask = _ask(upstream, scopes, authority, credential, connector if authority.attributes else None)
        endpoint = self._endpoint(authority)
        epochs = self._epochs(credential, connector)
        key = self._digest(*_where(authority, endpoint, authority.callers, ask), *_who(credential, connector), *epochs)

        async def obtain() -> Outcome:
            return await self._obtain(authority, endpoint, authority.callers, ask)

        async def still(outcome: Outcome) -> Outcome:
            try:
                await self._recheck()
            except Unavailable:
                return _UNKNOWN
            # A revocation that came while the request ran, or the shelf was asked, also voids what it brought.
            return outcome if epochs == self._epochs(credential, connector) else _CHANGED

        marks = self._marks(credential, connector, epochs) if self._shared else ()
        return await self._cache.get(key, lambda: self._find(key, marks, obtain, still))

    async def as_service(self, upstream: UpstreamSettings, scopes: frozenset[str]) -> Secret:
        """Get the BFF's own token for the upstream's audience and these scopes. Raises `Unavailable` (503)."""
        authority = self._authority(upstream.issuer or "")
        ask = _ask(upstream, scopes, authority)
        endpoint = self._endpoint(authority)
        key = self._digest(*_where(authority, endpoint, authority.services, ask))

        async def obtain() -> Outcome:
            return await self._obtain(authority, endpoint, authority.services, ask)

        return await self._cache.get(key, lambda: self._find(key, (), obtain, _as_it_is))

    async def redeem(self, issuer: str, code: Secret, verifier: Secret, redirect_uri: str) -> Issued | Denied:
        """Redeem the code of a person who signed in with this BFF's own client; nothing of it is kept.

        `issuer` is its name in the settings. Raises `Unavailable` (503).
        """
        authority = self._authority(issuer)
        ask = CodeAsk(
            audience=self._audiences[issuer],
            scopes=frozenset(),
            client_id=authority.client_id,
            code=code,
            verifier=verifier,
            redirect_uri=redirect_uri,
        )
        return await self._ask(authority, self._endpoint(authority), _CODE, ask)

    def forget_subject(self, issuer: str, subject: str, epoch: int) -> None:
        """Void all tokens of a person or service from before this epoch, also those on their way: it was revoked."""
        self._subjects.advance((issuer, subject), epoch)

    def forget_connector(self, connector_id: str, epoch: int) -> None:
        """Void all tokens of a connector from before this epoch (its record or state changed), also those on their way.

        The epoch is the registry's generation.
        """
        self._connectors.advance(connector_id, epoch)

    async def discard(self, token: Secret) -> None:
        """Forget one token, because the upstream answered 401 to it."""
        for key in self._cache.discard(token):
            if self._shared is not None:
                await self._shared.drop(key)

    async def close(self) -> None:
        """Stop what is in flight, forget the tokens and close the connections."""
        await self._cache.close()
        for authority in self._authorities.values():
            await authority.close()

    async def _find(
        self,
        key: bytes,
        marks: Sequence[Mark],
        obtain: Callable[[], Awaitable[Outcome]],
        still: Callable[[Outcome], Awaitable[Outcome]],
    ) -> Outcome:
        """A token that another process has obtained already, else a new one, which the others may then have too.

        `still` says what either comes to once it is there.
        """
        if self._shared is None:
            return await still(await obtain())
        found = await self._shared.get(key, marks)
        if found is not None:
            return await still(Granted(found.token, found.until))
        outcome = await still(await obtain())
        if isinstance(outcome, Granted) and outcome.until is not None:
            await self._shared.put(key, marks, Shared(outcome.token, outcome.until))
        return outcome

    async def _obtain(self, authority: Authority, endpoint: str, dialect: Dialect, ask: Ask) -> Outcome:
        """Ask the server; the token holds from its arrival here, and no longer than the one it was made from."""
        issued = await self._ask(authority, endpoint, dialect, ask)
        if isinstance(issued, Denied):
            return issued
        return Granted(issued.token, self._until(issued, ask))

    async def _ask(self, authority: Authority, endpoint: str, dialect: Dialect, ask: Ask) -> Issued | Denied:
        issued = await authority.obtain(endpoint, dialect, ask)
        try:
            put_down(self._log, self._now(), authority.name, ask, issued)
        except Exception as fault:  # whatever the log raises: no token without its record
            _log.error("the record of a token could not be written: %s", type(fault).__name__)
            return away()
        return issued

    def _until(self, issued: Issued, ask: Ask) -> float | None:
        if issued.lifetime_s is None:
            return None
        until = self._now() + issued.lifetime_s
        return min(until, ask.credential.expires_at) if ask.credential else until

    def _authority(self, issuer: str) -> Authority:
        authority = self._authorities.get(issuer)
        if authority is None:
            raise _misconfigured(f"issuer {issuer!r} has no client, so no token can be asked for there")
        return authority

    def _endpoint(self, authority: Authority) -> str:
        endpoint = self._token_endpoint(authority.name)
        if not endpoint.startswith("https://") and not is_loopback(endpoint):
            raise _misconfigured(f"issuer {authority.name!r} names a token endpoint without TLS")
        return endpoint

    def _epochs(self, credential: Credential, connector: Connector) -> tuple[int, int]:
        return self._subjects.of((credential.issuer, credential.subject)), self._connectors.of(connector.id)

    def _marks(self, credential: Credential, connector: Connector, epochs: tuple[int, int]) -> tuple[Mark, Mark]:
        """What other processes are told of the epochs, without whose they are."""
        subject = self._digest("subject", credential.issuer, credential.subject)
        return Mark(subject, epochs[0]), Mark(self._digest("connector", connector.id), epochs[1])

    def _digest(self, *inputs: Any) -> bytes:
        """One key for all that a token depends on; MessagePack carries lengths, so that no two inputs look alike."""
        return hmac.digest(self._key, msgspec.msgpack.encode(inputs), "sha256")


def refusals(settings: Settings, where: str = "narrows.toml") -> list[Refusal]:
    """What the settings lack for the tokens of their upstreams; an empty list lets the start go on."""
    return [
        Refusal(code=code, subject=f"upstreams.{name}", where=where, rule=rule, remedy=remedy)
        for name, upstream in settings.upstreams.items()
        if upstream.identity != "none"
        for code, rule, remedy in _lacks(settings, upstream)
    ]


def _lacks(settings: Settings, upstream: UpstreamSettings) -> Iterator[tuple[str, str, str]]:
    """Code, rule and remedy of each thing that one upstream lacks."""
    if not upstream.audience:
        remedy = 'add `audience = "…"`, or `identity = "none"` if its data are public'
        yield "upstream-audience", "its tokens would have no audience", remedy
    issuers = {upstream.issuer} - {None}
    if not issuers and upstream.identity == "service":
        yield "upstream-issuer", "no issuer gives the service's token", 'add `issuer = "…"`, a name in [issuers]'
    elif not issuers:
        # The registry may know callers of any issuer.
        issuers = {connector.issuer for connector in settings.connectors.values()} or set(settings.issuers)
    for name, issuer in settings.issuers.items():
        if name in issuers and issuer.client is None:
            yield "issuer-client", f"the BFF has no client at {name!r}", f"add a table [issuers.{name}.client]"


def _ask(
    upstream: UpstreamSettings,
    scopes: frozenset[str],
    authority: Authority,
    credential: Credential | None = None,
    connector: Connector | None = None,
) -> Ask:
    """Say what is wanted; a token without an audience would be good anywhere, so it is never asked for."""
    if not upstream.audience:
        raise _misconfigured("an upstream with an identity has no audience")
    return Ask(
        audience=upstream.audience,
        scopes=scopes,
        client_id=authority.client_id,
        credential=credential,
        connector=connector,
    )


def _where(authority: Authority, endpoint: str, dialect: Dialect, ask: Ask) -> tuple[Any, ...]:
    """The part of a cache key that callers and services have in common."""
    return authority.name, dialect.name, endpoint, authority.client_id, ask.audience, sorted(ask.scopes)


def _who(credential: Credential, connector: Connector) -> tuple[Any, ...]:
    """The part of a cache key that says whose token it is, and which program it is for."""
    attributed = (connector.tenant, connector.id, connector.version, connector.purpose, connector.generation)
    return credential.token_digest, credential.subject, *attributed


def _check_may_act(claims: Mapping[str, Any], authority: Authority) -> None:
    """A token that says who may act for its subject must name this BFF's client (RFC 8693, 4.4)."""
    if "may_act" not in claims:
        return
    named = claims["may_act"]
    ours = isinstance(named, Mapping) and authority.client_id in (named.get("sub"), named.get("client_id"))
    if not ours or named.get("iss", authority.url) != authority.url:
        raise Forbidden(
            "The access token does not let this BFF act for its subject.",
            remedy="Ask the authorization server for a token whose `may_act` names this BFF, or has none.",
        )


def _misconfigured(what: str) -> Problem:
    """An alarm for the operators, and a 503 that says nothing of it."""
    _log.error("%s", what)
    return away().problem()
