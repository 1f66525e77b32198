"""How each kind of authorization server is asked for a token, and what is believed of its answer.

A dialect is chosen once for an issuer. It turns an `Ask` into form fields, and a 200 into an `Issued` token that has
been checked: kind, lifetime, scopes, and, as far as the token can be read, whose and whom it is for.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from narrows.call import Connector, Credential
from narrows.settings import IssuerSettings, Secret

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name, RFC 8693, 3
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant's name, RFC 8693, 2.1
ATTRIBUTION = "urn:narrows:attribution"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_TOKEN_BYTES = 16 * 1024
_LONGEST_S = 10_000_000


class AnswerRefused(Exception):
    """A token that is not believed. `rule` says what does not hold, in our own words and without the value.

    `readable` is False when the answer is no token response at all.
    """

    def __init__(self, rule: str, *, readable: bool = True) -> None:
        super().__init__(rule)
        self.rule = rule
        self.readable = readable


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What one token is wanted for; without `credential` the BFF asks for itself, as `client_id`.

    With a `connector` the token is to say for which program it is asked.
    """

    audience: str
    scopes: frozenset[str]
    client_id: str
    credential: Credential | None = None
    connector: Connector | None = None

    def token(self) -> str | None:
        """The caller's token, for the token endpoint alone."""
        return self.credential.token.reveal() if self.credential else None

    @property
    def for_person(self) -> bool:
        """Whether somebody stands behind it, who can do something about a 'no'."""
        return self.credential is not None


class CodeAsk(Ask, frozen=True, kw_only=True):
    """The token of a person who has just signed in here: the code, and the verifier that it is bound to (RFC 7636)."""

    code: Secret
    verifier: Secret
    redirect_uri: str

    @property
    def for_person(self) -> bool:
        """Always: a person waits for the sign-in to end."""
        return True


class Issued(msgspec.Struct, frozen=True):
    """A token that was checked; `lifetime_s` counts from its arrival and is None when the answer does not say."""

    token: Secret
    lifetime_s: int | None


class Dialect(Protocol):
    """One way to ask for tokens."""

    @property
    def name(self) -> str:
        """The name in cache keys: tokens of two dialects are never the same."""
        ...

    def fields(self, ask: Ask) -> dict[str, str]:
        """The form fields of the request, without those that prove the client."""
        ...

    def read(self, ask: Ask, body: bytes) -> Issued:
        """Check the body of a 200. Raises `AnswerRefused`."""
        ...


class _Dialect(msgspec.Struct, frozen=True):
    """The checks that all dialects share; `extra_scopes` may be given unasked (see `IssuerSettings`)."""

    name: ClassVar[str]
    extra_scopes: frozenset[str] = frozenset()

    def read(self, ask: Ask, body: bytes) -> Issued:
        """Check the body of a 200. Raises `AnswerRefused`."""
        answer = read_object(body)
        if answer is None:
            raise AnswerRefused("the answer is no JSON object with distinct keys", readable=False)
        token = _token(answer)
        if token == ask.token():
            raise AnswerRefused("access_token is the caller's own token")
        self._check_kind(answer)
        lifetime_s = _lifetime_s(answer)
        if "scope" in answer:
            self._check_scopes(ask, answer["scope"], "scope")
        claims = peek(token)
        if claims is not None:
            self._check_claims(ask, claims)
        return Issued(Secret(token), lifetime_s)

    def sent_scopes(self, ask: Ask) -> Collection[str]:
        """The scopes as this kind of server wants them spelt."""
        return ask.scopes

    def plain(self, ask: Ask, scope: str) -> str:  # noqa: ARG002 - other dialects strip the audience
        """A scope in the spelling in which scopes are compared."""
        return scope

    def owner(self, credential: Credential) -> Mapping[str, Any]:
        """Claims that say whose a token is, as the caller's own token says it."""
        return {"sub": credential.subject}

    def audiences(self, ask: Ask) -> Collection[str]:
        """The values of `aud` that name the audience."""
        return (ask.audience,)

    def _check_kind(self, answer: Mapping[str, Any]) -> None:
        kind = answer.get("token_type")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise AnswerRefused("token_type is not Bearer")

    def _check_scopes(self, ask: Ask, given: Any, name: str) -> None:
        """Never more than was asked for (RFC 6749, 5.1: without `scope` it is what was asked for)."""
        allowed = {self.plain(ask, scope) for scope in {*ask.scopes, *self.sent_scopes(ask), *self.extra_scopes}}
        if not {self.plain(ask, scope) for scope in _words(given, name)} <= allowed:
            raise AnswerRefused(f"{name} is broader than what was asked for")

    def _check_claims(self, ask: Ask, claims: Mapping[str, Any]) -> None:
        """What a JWT says is not verified here, but one that says something else is not what we asked for."""
        if ask.credential is not None:
            for name, value in self.owner(ask.credential).items():
                if claims.get(name) != value:
                    raise AnswerRefused(f"the token's {name} is not the caller's")
        if not _words(claims.get("aud", []), "aud", split=False) & set(self.audiences(ask)):
            raise AnswerRefused("the token's aud does not name the audience that was asked for")
        for name in ("scope", "scp"):
            if name in claims:
                self._check_scopes(ask, claims[name], f"the token's {name}")


class Rfc8693(_Dialect, frozen=True):
    """OAuth 2.0 Token Exchange (RFC 8693, 2.1 and 2.2).

    There is no `actor_token`: the server knows the actor from the client's own proof.
    """

    name: ClassVar[str] = "rfc8693"

    def fields(self, ask: Ask) -> dict[str, str]:
        """The form fields of RFC 8693, 2.1; an endpoint without scopes sends none."""
        return {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": ask.token() or "",
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            "audience": ask.audience,
            **_scope(self.sent_scopes(ask)),
            **_attribution(ask.connector),
        }

    def _check_kind(self, answer: Mapping[str, Any]) -> None:
        if answer.get("issued_token_type") != ACCESS_TOKEN:
            raise AnswerRefused("issued_token_type is not what was asked for")
        super()._check_kind(answer)


class _Entra(_Dialect, frozen=True):
    """What is peculiar to Entra ID: scopes carry their audience, and `sub` is another one for every application.

    A scope with a slash in it is sent as it is, any other as `<audience>/<scope>`.
    """

    def sent_scopes(self, ask: Ask) -> Collection[str]:
        """Put the audience before each scope; Entra wants at least one, and `.default` is the one that always is."""
        asked = ask.scopes or {".default"}
        return {scope if "/" in scope else f"{ask.audience}/{scope}" for scope in asked}

    def plain(self, ask: Ask, scope: str) -> str:
        """A scope without its audience: answers have it, tokens do not."""
        return scope.removeprefix(f"{ask.audience}/")

    def owner(self, credential: Credential) -> Mapping[str, Any]:
        """Object and tenant id where the caller's token has them, since `sub` differs from API to API."""
        known = {name: credential.claims[name] for name in ("oid", "tid") if name in credential.claims}
        return known if "oid" in known else super().owner(credential)

    def audiences(self, ask: Ask) -> Collection[str]:
        """The application's id with and without `api://`: it depends on the version of the API's tokens."""
        bare = ask.audience.removeprefix("api://")
        return (ask.audience, bare, f"api://{bare}")


class EntraOnBehalfOf(_Entra, frozen=True):
    """Entra ID's on-behalf-of flow: the jwt-bearer grant (RFC 7523, 2.1) with `requested_token_use`."""

    name: ClassVar[str] = "entra"

    def fields(self, ask: Ask) -> dict[str, str]:
        """The form fields of the flow; `client_id` goes along with either proof."""
        return {
            "grant_type": JWT_BEARER,
            "client_id": ask.client_id,
            "assertion": ask.token() or "",
            "requested_token_use": "on_behalf_of",
            **_scope(self.sent_scopes(ask)),
        }


class ClientCredentials(_Dialect, frozen=True):
    """The BFF's own token (RFC 6749, 4.4). `audience` is sent too; servers that do not know it ignore it."""

    name: ClassVar[str] = "client-credentials"

    def fields(self, ask: Ask) -> dict[str, str]:
        """The form fields of RFC 6749, 4.4.2."""
        return {"grant_type": "client_credentials", "audience": ask.audience, **_scope(self.sent_scopes(ask))}


class EntraClientCredentials(_Entra, frozen=True):
    """Entra ID gives an application what it was granted, and takes no other scope than `.default`."""

    name: ClassVar[str] = "entra-client-credentials"

    def sent_scopes(self, ask: Ask) -> Collection[str]:
        """All that was granted for the audience."""
        return (f"{ask.audience}/.default",)

    def fields(self, ask: Ask) -> dict[str, str]:
        """The form fields of RFC 6749, 4.4.2, as Entra wants them."""
        return {"grant_type": "client_credentials", "client_id": ask.client_id, **_scope(self.sent_scopes(ask))}


class AuthorizationCode(_Dialect, frozen=True):
    """The code grant (RFC 6749, 4.1.3). Its scopes do not matter: the token says who signed in, and is then dropped."""

    name: ClassVar[str] = "authorization-code"

    def fields(self, ask: Ask) -> dict[str, str]:
        """The form fields of the request; `client_id` goes along with either proof. Takes a `CodeAsk`."""
        if not isinstance(ask, CodeAsk):
            raise TypeError("this grant redeems a code")
        return {
            "grant_type": "authorization_code",
            "client_id": ask.client_id,
            "code": ask.code.reveal(),
            "redirect_uri": ask.redirect_uri,
            "code_verifier": ask.verifier.reveal(),
        }

    def _check_scopes(self, ask: Ask, given: Any, name: str) -> None:
        pass


def for_callers(issuer: IssuerSettings) -> Dialect:
    """The dialect in which the caller's token is exchanged."""
    extra = frozenset(issuer.extra_scopes)
    return EntraOnBehalfOf(extra) if issuer.exchange == "entra" else Rfc8693(extra)


def for_services(issuer: IssuerSettings) -> Dialect:
    """The dialect in which the BFF asks for itself."""
    extra = frozenset(issuer.extra_scopes)
    return EntraClientCredentials(extra) if issuer.exchange == "entra" else ClientCredentials(extra)


def read_object(body: bytes) -> dict[str, Any] | None:
    """Read a JSON object in UTF-8 without duplicate keys; None for anything else."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def peek(token: str) -> dict[str, Any] | None:
    """The claims of a token that is a JWT, unverified; None for one that is not. Raises `AnswerRefused`."""
    parts = token.split(".")
    header = _part(parts[0]) if len(parts) == 3 else None
    if header is None or "alg" not in header:
        return None
    claims = _part(parts[1])
    if claims is None:
        raise AnswerRefused("the token is a JWT without claims")
    return claims


def _part(text: str) -> dict[str, Any] | None:
    try:
        return read_object(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except ValueError:
        return None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key came twice")
    return found


def _token(answer: Mapping[str, Any]) -> str:
    token = answer.get("access_token")
    if not isinstance(token, str) or len(token) > _TOKEN_BYTES or not _B64TOKEN.fullmatch(token):
        raise AnswerRefused("access_token is missing or not of the form of RFC 6750, 2.1")
    return token


def _lifetime_s(answer: Mapping[str, Any]) -> int | None:
    if "expires_in" not in answer:
        return None
    lifetime_s = answer["expires_in"]
    # bool is an int to Python, not to JSON.
    if type(lifetime_s) is not int or not 0 < lifetime_s < _LONGEST_S:
        raise AnswerRefused("expires_in is no sensible number of seconds")
    return lifetime_s


def _scope(scopes: Collection[str]) -> dict[str, str]:
    return {"scope": " ".join(sorted(scopes))} if scopes else {}


def _attribution(connector: Connector | None) -> dict[str, str]:
    """What program a token is asked for (RFC 9396, 2 and 6); the caller is the token's own `sub`."""
    if connector is None:
        return {}
    said = {
        "type": ATTRIBUTION,
        "tenant": connector.tenant,
        "connector": connector.id,
        "version": connector.version,
        "purpose": connector.purpose,
    }
    return {"authorization_details": json.dumps([said])}


def _words(value: Any, name: str, *, split: bool = True) -> frozenset[str]:
    """The values of a claim that is a text or a list of texts."""
    if isinstance(value, str):
        return frozenset(value.split()) if split else frozenset((value,))
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return frozenset(value)
    raise AnswerRefused(f"{name} is neither text nor a list of texts")
