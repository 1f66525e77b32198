"""An authorization server for development, tests and demonstrations, inside the process that needs it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from narrows.devkit.authority_app import build
from narrows.devkit.authority_config import Api, Client, Grant, Kind, Person
from narrows.devkit.authority_keys import Algorithm, Keyring
from narrows.devkit.authority_realm import Exchange, Realm
from narrows.devkit.authority_registry import RegisteredClients
from narrows.stores.registry import Connectors

if TYPE_CHECKING:
    from litestar.types import ASGIApp

__all__ = ["Algorithm", "Api", "Authority", "Client", "Exchange", "Grant", "Kind", "Person"]


class Authority:
    """Signs people in and issues, exchanges, introspects and revokes access tokens (RFC 6749, 7636, 8693, 9068).

    Its keys live in memory, so that no token outlives it, unless it is given its `key` (a private JWK). `issuer` is a
    URL; `app` answers under its path. `lifetime` is that of a token in seconds. `on_behalf_of` adds Entra's dialect of
    token exchange. `log` gets each JSON line in place of the logger `narrows.authority`. Of clients that have a
    credential in the registry `connectors`, under this issuer's `name` in the settings, only those credentials count.
    Raises `SettingsError` if people, clients and APIs do not fit together.
    """

    app: ASGIApp

    def __init__(
        self,
        issuer: str,
        *,
        people: Sequence[Person] = (),
        clients: Sequence[Client] = (),
        apis: Sequence[Api] = (),
        algorithm: Algorithm = "RS256",
        key: Mapping[str, Any] | None = None,
        lifetime: int = 300,
        on_behalf_of: bool = False,
        now: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = secrets.token_bytes,
        log: Callable[[str], None] | None = None,
        connectors: Connectors | None = None,
        name: str = "corp",
    ) -> None:
        self.issuer = issuer
        self._realm = Realm(
            issuer,
            people,
            clients,
            apis,
            keyring=Keyring(algorithm, key),
            lifetime=lifetime,
            now=now,
            random=random,
            log=log,
            on_behalf_of=on_behalf_of,
            registered=RegisteredClients(connectors, name) if connectors is not None else None,
        )
        self.app = build(self._realm)

    def __repr__(self) -> str:
        return f"Authority({self.issuer!r})"

    @property
    def exchanges(self) -> list[Exchange]:
        """The token exchanges asked for so far (the last 10,000), with their outcomes and without tokens."""
        return list(self._realm.exchanges)

    def issue(
        self,
        subject: str,
        client_id: str | None,
        audience: str | Sequence[str],
        scope: str | None,
        *,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Mint an access token (RFC 9068), whatever the configuration says.

        The claims of a known person are in it. `claims` and `header` replace what would stand there, unchecked; a
        claim of `None` is left out. That is how tests get tokens that no server should accept.
        """
        person = self._realm.by_subject.get(subject)
        minted = self._realm.tokens.mint(
            subject,
            client_id or "",
            audience,
            scope or "",
            claims=person.claims if person else {},
            overrides={"client_id": client_id, "scope": scope, **claims},
            header=header,
        )
        return minted.value

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517)."""
        return self._realm.keyring.jwks()

    def rotate_keys(self, keep_old: bool = True) -> str:
        """Sign with a new key and return its `kid`; without `keep_old` all tokens so far stop to hold."""
        return self._realm.keyring.rotate(keep_old=keep_old)

    def revoke_subject(self, subject: str) -> int:
        """Let no token or code issued for `subject` so far hold any longer; return how many tokens there were."""
        self._realm.codes.drop_subject(subject)
        return self._realm.tokens.revoke_subject(subject)
