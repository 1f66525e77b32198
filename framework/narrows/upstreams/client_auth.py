"""How this BFF proves at a token endpoint that it is its client: `client_secret_basic` or `private_key_jwt`."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from narrows.errors import SettingsError
from narrows.settings import ClientSettings, Secret
from narrows.settings.absent import AbsentSecret

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_ASSERTION_S = 60
_RSA_BITS = 2048

_Key = RSAKey | ECKey | OKPKey


class Proof:
    """Header fields and form fields that prove the client in one request; it prints as `Proof(***)`."""

    __slots__ = ("fields", "headers")

    def __init__(self, *, headers: Mapping[str, str] | None = None, fields: Mapping[str, str] | None = None) -> None:
        self.headers = dict(headers or {})
        self.fields = dict(fields or {})

    def __repr__(self) -> str:
        return "Proof(***)"


class ClientAuth(Protocol):
    """Proves one client."""

    def prove(self, audience: str) -> Proof:
        """Make the proof for one request to the authorization server that `audience` names."""
        ...


class SecretBasic:
    """The secret in HTTP Basic, id and secret form-encoded first (RFC 6749, 2.3.1)."""

    def __init__(self, client_id: str, secret: Secret) -> None:
        pair = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
        self._proof = Proof(headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()})

    def prove(self, audience: str) -> Proof:  # noqa: ARG002 - the same for every audience, by this protocol
        """Return the one proof there is."""
        return self._proof


class PrivateKeyJwt:
    """A short-lived assertion, signed and used once (RFC 7523, 2.2 and 3).

    `key_header` is the header field that takes `private_key_id`: `kid`, or `x5t#S256` where the server knows keys by
    their certificate. Raises `SettingsError` for a key that is not a private one, does not fit its algorithm or is
    too short.
    """

    def __init__(
        self, client: ClientSettings, *, now: Callable[[], float], key_header: str, new_id: Callable[[], str]
    ) -> None:
        self._client_id = client.id
        self._algorithm = client.private_key_algorithm
        self._key = _import_key(client)
        self._now = now
        self._new_id = new_id
        self._header: dict[str, Any] = {"alg": self._algorithm, "typ": "JWT"}
        if client.private_key_id is not None:
            self._header[key_header] = client.private_key_id
        try:
            self.prove("start")
        except (JoseError, ValueError):
            raise _bad_key(client, f"does not fit {self._algorithm}") from None

    def prove(self, audience: str) -> Proof:
        """Sign an assertion for `audience` alone: a list would let one server use it at another."""
        issued = int(self._now())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": audience,
            "jti": self._new_id(),
            "iat": issued,
            "exp": issued + _ASSERTION_S,
        }
        assertion = jwt.encode(self._header, claims, self._key, algorithms=[self._algorithm])
        return Proof(fields={"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion})


class AbsentAuth:
    """Stands where the credential was not read: settings without secrets are looked at, and nobody signs in by them."""

    def __init__(self, secret: AbsentSecret) -> None:
        self._secret = secret

    def prove(self, audience: str) -> Proof:  # noqa: ARG002 - as every client proves itself
        """Raise `SettingsError`."""
        self._secret.reveal()


def client_auth(
    client: ClientSettings,
    *,
    now: Callable[[], float],
    key_header: str = "kid",
    new_id: Callable[[], str] = secrets.token_urlsafe,
) -> ClientAuth:
    """Choose the way that the settings give. Raises `SettingsError` unless they give exactly one."""
    given = [secret for secret in (client.secret, client.private_key) if secret is not None]
    if len(given) == 1 and isinstance(given[0], AbsentSecret):
        return AbsentAuth(given[0])
    if client.secret is not None and client.private_key is None:
        return SecretBasic(client.id, client.secret)
    if client.private_key is not None and client.secret is None:
        return PrivateKeyJwt(client, now=now, key_header=key_header, new_id=new_id)
    raise SettingsError(f"the client {client.id!r} needs one of `secret` and `private_key`. Remedy: give exactly one.")


def _import_key(client: ClientSettings) -> _Key:
    """Read the PEM; a public or encrypted key, or one of another kind, does not get through."""
    pem = client.private_key.reveal() if client.private_key else ""
    kind = _kind(client.private_key_algorithm)
    try:
        private = load_pem_private_key(pem.encode(), None)
        if isinstance(private, RSAPrivateKey) and private.key_size < _RSA_BITS:
            raise _bad_key(client, f"is an RSA key of less than {_RSA_BITS} bits")
        return kind.import_key(private)  # type: ignore[arg-type]  # any other kind of key raises TypeError
    except (ValueError, TypeError):
        raise _bad_key(client, f"is no unencrypted private key in PEM for {client.private_key_algorithm}") from None


def _kind(algorithm: str) -> type[RSAKey] | type[ECKey] | type[OKPKey]:
    if algorithm.startswith("Ed"):
        return OKPKey
    return ECKey if algorithm.startswith("ES") else RSAKey


def _bad_key(client: ClientSettings, fault: str) -> SettingsError:
    return SettingsError(
        f"the private_key of client {client.id!r} {fault}. "
        "Remedy: give the PEM that belongs to private_key_algorithm and is registered at the issuer."
    )
