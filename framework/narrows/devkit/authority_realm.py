"""What the grants and endpoints of the embedded authorization server share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from narrows.devkit.authority_codes import Codes
from narrows.devkit.authority_config import Api, Client, Person, check
from narrows.devkit.authority_keys import Keyring
from narrows.devkit.authority_log import Journal
from narrows.devkit.authority_registry import RegisteredClients
from narrows.devkit.authority_tokens import Tokens

_EXCHANGES_KEPT = 10_000


class Exchange(Struct, frozen=True):
    """One request to exchange a token; `outcome` is `issued` or the OAuth error code. It holds no token."""

    client_id: str | None
    subject: str | None
    audience: str | None
    scopes: tuple[str, ...]
    outcome: str


class Realm:
    """The configuration, and the little that the server remembers while it runs."""

    def __init__(
        self,
        issuer: str,
        people: Sequence[Person],
        clients: Sequence[Client],
        apis: Sequence[Api],
        *,
        keyring: Keyring,
        lifetime: int,
        now: Callable[[], float],
        random: Callable[[int], bytes],
        log: Callable[[str], None] | None,
        on_behalf_of: bool,
        registered: RegisteredClients | None = None,
    ) -> None:
        check(issuer, people, clients, apis)
        self.issuer, self.keyring, self.on_behalf_of = issuer, keyring, on_behalf_of
        self.now, self.random = now, random
        self.registered = registered
        self.by_username = {person.username: person for person in people}
        self.by_subject = {person.subject: person for person in people}
        self.clients = {client.client_id: client for client in clients}
        self.apis = {api.audience: api for api in apis}
        self.tokens = Tokens(issuer, keyring, lifetime=lifetime, now=now, random=random)
        self.codes = Codes(now=now, random=random, revoke=self.tokens.revoke)
        self.journal = Journal(now, log)
        self.exchanges: deque[Exchange] = deque(maxlen=_EXCHANGES_KEPT)

    async def look(self) -> None:
        """See which credentials hold by now."""
        if self.registered is not None:
            await self.registered.look(self.now())

    def record(self, exchange: Exchange) -> None:
        """Keep what was asked in an exchange and how it ended, and write it down."""
        self.exchanges.append(exchange)
        self.journal.write(
            "exchange",
            client_id=exchange.client_id,
            subject=exchange.subject,
            audience=exchange.audience,
            scope=" ".join(exchange.scopes),
            outcome=exchange.outcome,
        )
