"""Who and what the embedded authorization server knows: people, clients and APIs, as frozen values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Literal
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, OctKey
from msgspec import Struct

from narrows.errors import SettingsError

Kind = Literal["web", "desktop", "service"]
Grant = Literal["authorization_code", "client_credentials", "token_exchange"]

_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+", re.ASCII)
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~:/-]{1,200}", re.ASCII)
_HTTP_REDIRECT = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?(/[\x21-\x22\x24-\x7E]*)?", re.ASCII)
_LOOPBACK_REDIRECT = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::\d{1,5})?(/[\x21-\x22\x24-\x7E]*)?", re.ASCII)


class Person(Struct, frozen=True, forbid_unknown_fields=True):
    """A made-up person who can sign in.

    `claims` are added to the person's access tokens. Without a `password` the person cannot sign in. `scopes` limits
    what any client may be given on the person's behalf; `None` leaves it to the clients.
    """

    username: str
    subject: str
    claims: Mapping[str, Any] = {}
    password: str | None = None
    scopes: Set[str] | None = None

    def __repr__(self) -> str:
        return f"Person({self.username!r}, {self.subject!r})"


class Api(Struct, frozen=True, forbid_unknown_fields=True):
    """An API that tokens can be meant for: its audience, and each of its scopes with what it lets a program do."""

    audience: str
    scopes: Mapping[str, str]


class Client(Struct, frozen=True, forbid_unknown_fields=True):
    """A program that is registered here.

    Without `secret` and `public_keys` (JWKs for `private_key_jwt`) it is public. A `desktop` client's redirect URIs on
    127.0.0.1 and [::1] hold for any port (RFC 8252, 7.3); all others must be met to the letter. `scopes` and
    `audiences` are what it may ask for directly, `audience` is its own resource id, which a subject token must carry
    before it may be exchanged, and `may_exchange_to` lists per audience the scopes it may exchange for.
    """

    client_id: str
    secret: str | None = None
    kind: Kind = "web"
    redirect_uris: Sequence[str] = ()
    scopes: Set[str] = frozenset()
    grants: Set[Grant] = frozenset({"authorization_code"})
    audiences: Sequence[str] = ()
    audience: str | None = None
    may_exchange_to: Mapping[str, Set[str]] = {}
    public_keys: Sequence[Mapping[str, Any]] = ()
    name: str | None = None

    def __repr__(self) -> str:
        return f"Client({self.client_id!r}, kind={self.kind!r}, public={self.public})"

    @property
    def public(self) -> bool:
        """Whether it has nothing to authenticate itself with."""
        return self.secret is None and not self.public_keys

    def redirects_to(self, uri: str) -> bool:
        """Whether a person may be sent to `uri` with a code (RFC 6749, 3.1.2.3; RFC 8252, 7.3)."""
        if uri in self.redirect_uris:
            return True
        return self.kind == "desktop" and any(_same_loopback(known, uri) for known in self.redirect_uris)


def check(issuer: str, people: Sequence[Person], clients: Sequence[Client], apis: Sequence[Api]) -> None:
    """Raise `SettingsError`, which lists everything that does not hold, unless all parts fit together."""
    wrong = [*_issuer(issuer), *_twice("people", "username", [person.username for person in people])]
    wrong += _twice("people", "subject", [person.subject for person in people])
    wrong += _twice("clients", "client_id", [client.client_id for client in clients])
    wrong += _twice("apis", "audience", [api.audience for api in apis])
    known = {api.audience: api.scopes for api in apis}
    wrong += [complaint for api in apis for complaint in _api(api)]
    wrong += [complaint for client in clients for complaint in _client(client, known)]
    if wrong:
        raise SettingsError("the embedded authorization server cannot start:\n" + "\n".join(wrong))


def _issuer(issuer: str) -> Iterator[str]:
    parts = urlsplit(issuer)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in issuer:
        yield "issuer: must be an http(s) URL with a host and without query, fragment or user; correct it"
    if issuer.endswith("/"):
        yield "issuer: must not end in '/', because it is compared to the letter; leave the slash out"


def _twice(where: str, field: str, values: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            yield f"{where}.{field}: {value!r} stands twice; give each its own"
        seen.add(value)


def _api(api: Api) -> Iterator[str]:
    for scope in api.scopes:
        if not _SCOPE.fullmatch(scope):
            yield f"apis[{api.audience}].scopes: {scope!r} is no scope (RFC 6749, 3.3); leave out spaces, '\"' and '\\'"


def _client(client: Client, known: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    at = f"clients[{client.client_id}]"
    if not _CLIENT_ID.fullmatch(client.client_id):
        yield f"{at}.client_id: must be 1 to 200 of A-Z a-z 0-9 . _ ~ : / -; rename it"
    if client.public and client.grants - {"authorization_code"}:
        yield f"{at}.grants: a public client gets codes only; give it a secret or public_keys, or drop the other grants"
    if "authorization_code" in client.grants and not client.redirect_uris:
        yield f"{at}.redirect_uris: the code grant needs one; add it or drop the grant"
    if not all(_public(key) for key in client.public_keys):
        yield f"{at}.public_keys: each must be the public JWK of an RSA or EC key; drop secrets and private parts"
    yield from _redirects(at, client)
    yield from _targets(at, client, known)


def _redirects(at: str, client: Client) -> Iterator[str]:
    for uri in client.redirect_uris:
        secure = uri.startswith("https://") and "#" not in uri and "@" not in uri
        if not secure and not _HTTP_REDIRECT.fullmatch(uri):
            yield f"{at}.redirect_uris: {uri!r} must be https or loopback http, without fragment or user; correct it"


def _targets(at: str, client: Client, known: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for audience in (*client.audiences, *client.may_exchange_to):
        if audience not in known:
            yield f"{at}: audience {audience!r} is no API here; add an Api for it"
    direct = {scope for audience in client.audiences for scope in known.get(audience, ())}
    if strange := client.scopes - direct:
        yield f"{at}.scopes: {sorted(strange)} belong to none of its audiences; add them to an Api or drop them"
    for audience, scopes in client.may_exchange_to.items():
        if strange := scopes - set(known.get(audience, scopes)):
            yield f"{at}.may_exchange_to[{audience}]: {sorted(strange)} are no scopes of that API; add or drop them"
    if client.may_exchange_to and ("token_exchange" not in client.grants or client.audience is None):
        yield f"{at}.may_exchange_to: needs the grant token_exchange and the client's own audience; add both"


def _public(jwk: Mapping[str, Any]) -> bool:
    try:
        key = JWKRegistry.import_key(dict(jwk))
    except (JoseError, ValueError):  # joserfc passes on what cryptography says about numbers that make no key
        return False
    return not isinstance(key, OctKey) and not key.is_private


def _same_loopback(known: str, uri: str) -> bool:
    left, right = _LOOPBACK_REDIRECT.fullmatch(known), _LOOPBACK_REDIRECT.fullmatch(uri)
    return left is not None and right is not None and left.groups() == right.groups()
