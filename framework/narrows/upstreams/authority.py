"""One authorization server as a giver of tokens: asked once for each need, and its answer read with distrust."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from narrows.errors import Forbidden, InteractionRequired, InvalidToken, Unavailable
from narrows.settings import ClientSettings, IssuerSettings
from narrows.transport import Dial, Failure, Fetched, fetch, new_request
from narrows.upstreams.breaker import Breaker
from narrows.upstreams.client_auth import client_auth
from narrows.upstreams.dialects import AnswerRefused, Ask, Dialect, Issued, for_callers, for_services, read_object
from narrows.upstreams.token_cache import Denied

RETRY_S: Final = "5"

_ANSWER_BYTES = 64 * 1024
_CLAIMS_BYTES = 4096
_FAILURES = 5
_OPEN_S = 10.0

_AWAY = "The authorization server gave no answer that can be used, and nothing was sent without it."
_INTERACTION = frozenset(
    ("interaction_required", "login_required", "consent_required", "basic_action", "additional_action")
)
_BAD_TOKEN = frozenset(("invalid_request", "invalid_grant"))
_NOT_ALLOWED = frozenset(
    ("invalid_target", "invalid_scope", "access_denied", "unauthorized_client", "invalid_resource")
)
_AILING = frozenset(("server_error", "temporarily_unavailable"))
_KNOWN = _INTERACTION | _BAD_TOKEN | _NOT_ALLOWED | {"invalid_client", "unsupported_grant_type"}

_log = logging.getLogger("narrows.exchange")


class Authority:
    """What does not depend on a call is prepared once: dialects, proof of the client, breaker and connections.

    `on_event` hears `exchange` for each request sent, `refused` for each clear 'no' and `failed` for all else that
    brought no token. Raises `SettingsError` for a client that cannot prove itself.
    """

    def __init__(
        self,
        name: str,
        issuer: IssuerSettings,
        client: ClientSettings,
        *,
        dial: Dial,
        ca: str | None,
        now: Callable[[], float],
        on_event: Callable[[str], None],
    ) -> None:
        entra = issuer.exchange == "entra"
        self.name = name
        self.url = issuer.url
        self.client_id = client.id
        self.attributes = issuer.attribution == "authorization_details"
        self.callers = for_callers(issuer)
        self.services = for_services(issuer)
        # Entra knows keys by certificate and expects its endpoint as audience; anywhere else the issuer's identifier
        # is the one value that no other server can be made to accept.
        self._auth = client_auth(client, now=now, key_header="x5t#S256" if entra else "kid")
        self._assertion_audience = None if entra else issuer.url
        self._deadline_s = issuer.deadline_s
        self._breaker = Breaker(failures=_FAILURES, open_s=_OPEN_S, now=now)
        self._transport = dial(ca)
        self._on_event = on_event

    async def obtain(self, endpoint: str, dialect: Dialect, ask: Ask) -> Issued | Denied:
        """Ask once, within the issuer's deadline; nothing of what the server says of a failure is passed on."""
        if not self._breaker.allow():
            self._on_event("failed")
            return away(self._breaker.wait_s())
        try:
            answer = await self._post(endpoint, dialect.fields(ask))
            return self._granted(dialect, ask, answer) if answer.status == 200 else self._denied(ask, answer)
        except Failure as failure:
            self._breaker.failed()
            return self._failed(failure.kind)
        except BaseException:
            # A cancelled request says nothing of the server, but a probe must not stay open for ever.
            self._breaker.released()
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _post(self, endpoint: str, fields: Mapping[str, str]) -> Fetched:
        proof = self._auth.prove(self._assertion_audience or endpoint)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            **proof.headers,
        }
        request = new_request("POST", endpoint, headers, urlencode({**fields, **proof.fields}).encode())
        self._on_event("exchange")
        return await fetch(self._transport, request, deadline_s=self._deadline_s, max_bytes=_ANSWER_BYTES)

    def _granted(self, dialect: Dialect, ask: Ask, answer: Fetched) -> Issued | Denied:
        try:
            issued = dialect.read(ask, answer.body)
        except AnswerRefused as refused:
            # An answer that is wrong for one upstream does not keep the others from being asked for.
            self._settle(refused.readable)
            return self._failed(refused.rule)
        self._settle(True)
        return issued

    def _denied(self, ask: Ask, answer: Fetched) -> Denied:
        said = read_object(answer.body) or {}
        denied = _read_no(answer.status, said, for_caller=ask.for_person)
        self._settle(denied is not None)
        if denied is None:
            return self._failed(f"status {answer.status}")
        self._on_event("refused")
        level = logging.ERROR if denied.kind is Unavailable else logging.WARNING
        _log.log(level, "issuer %s refuses a token for client %s: %s", self.name, self.client_id, _known(said))
        return denied

    def _settle(self, answered: bool) -> None:
        if answered:
            self._breaker.succeeded()
        else:
            self._breaker.failed()

    def _failed(self, why: str) -> Denied:
        self._on_event("failed")
        _log.warning("issuer %s gave no token: %s", self.name, why)
        return away(self._breaker.wait_s())


def away(wait_s: int = 0) -> Denied:
    """The 503 for everything that is not the caller's to mend."""
    return Denied(kind=Unavailable, detail=_AWAY, headers={"Retry-After": str(wait_s or RETRY_S)})


def _read_no(status: int, said: Mapping[str, Any], *, for_caller: bool) -> Denied | None:
    """What a refusal means to the client (RFC 6749, 5.2; RFC 8693, 2.2.2); None for what is no refusal but a fault."""
    codes = _codes(said)
    if status in (408, 429) or not 400 <= status < 500 or not codes or codes & _AILING:
        return None
    # 401 is about our own proof whatever its code is: Keycloak answers a wrong secret with `unauthorized_client`.
    if status == 401 or not for_caller or "invalid_client" in codes:
        return _own_fault()
    if "claims" in said or codes & _INTERACTION:
        return _interaction(said.get("claims"))
    if codes & _BAD_TOKEN:
        return _bad_token()
    if codes & _NOT_ALLOWED:
        return _not_allowed()
    return _own_fault()


def _own_fault() -> Denied:
    return Denied(kind=Unavailable, detail=_AWAY, headers={"Retry-After": RETRY_S}, clear=True)


def _bad_token() -> Denied:
    return Denied(
        kind=InvalidToken,
        detail="The authorization server does not accept this access token any more.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        clear=True,
    )


def _not_allowed() -> Denied:
    return Denied(
        kind=Forbidden,
        detail="The authorization server does not allow this endpoint's scopes for this caller.",
        remedy="Ask the owner of this endpoint to have its scopes allowed for you at the authorization server.",
        clear=True,
    )


def _interaction(claims: Any) -> Denied:
    """A challenge in the form that Entra's client libraries read; the claims go back as they came, in base64."""
    wanted = _claims(claims)
    challenge = 'Bearer error="interaction_required"'
    if wanted is not None:
        challenge = f'Bearer error="insufficient_claims", claims="{base64.b64encode(wanted).decode()}"'
    return Denied(
        kind=InteractionRequired,
        detail="The authorization server wants the person to act before it gives access.",
        headers={"WWW-Authenticate": challenge},
        clear=True,
    )


def _claims(claims: Any) -> bytes | None:
    """The claims of a challenge as JSON (Entra sends it as text); None if they are none or too long for a header."""
    text = claims if isinstance(claims, str) else json.dumps(claims)
    wanted = text.encode("utf-8", "replace")
    return wanted if len(wanted) <= _CLAIMS_BYTES and read_object(wanted) else None


def _known(said: Mapping[str, Any]) -> str:
    """The error codes for the log, as far as we know them: texts of others stay out of it."""
    return " ".join(sorted(_codes(said) & _KNOWN)) or "another error"


def _codes(said: Mapping[str, Any]) -> set[str]:
    return {code for code in (said.get("error"), said.get("suberror")) if isinstance(code, str)}
