"""Which program calls: the directory of connectors, a snapshot of the registry that is at most half a second old.

A change in the registry is felt by every process within `FRESH_S`, because nothing is decided from an older snapshot;
and while the registry is away, nothing is decided at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from narrows.call import Connector, Credential
from narrows.declare.commit import OF_KIND, strictest
from narrows.declare.connectors import ConnectorRecord
from narrows.declare.templates import TEMPLATES
from narrows.errors import ConnectorRefused
from narrows.identity.fresh import Fresh
from narrows.settings import Settings
from narrows.stores.registry import Connectors, Registered, credentials_until, expiry, standing

Client = tuple[str, str]


class _Known(NamedTuple):
    """One connector, and when it expires (seconds since 1970)."""

    connector: Connector
    ends: float | None


class Directory:
    """(issuer, `client_id`) → connector.

    `now` gives seconds of the wall clock, for what expires; `steady` seconds of a clock that nobody sets, for the age
    of the snapshot. Until a registry is attached it knows the connectors of the settings alone. For one event loop.
    """

    def __init__(self, settings: Settings, *, now: Callable[[], float], steady: Callable[[], float]) -> None:
        self._now = now
        self._fresh = Fresh(self._look, steady)
        self._store: Connectors | None = None
        self._on_change: Callable[[str, int], object] = lambda *_: None
        self._configured = {(c.issuer, c.client_id): c for c in configured(settings)}
        self._entries: Mapping[Client, _Known | None] = {}
        self._generations: Mapping[str, int] = {}
        self._generation = -1

    def attach(self, store: Connectors, on_change: Callable[[str, int], object]) -> None:
        """Take the registry; `on_change` hears id and generation of each connector whose entry changed."""
        self._store, self._on_change = store, on_change

    async def find(self, issuer: str, client_id: str) -> Connector | None:
        """The program of a verified token, or None. Raises `ConnectorRefused`, `Unavailable`."""
        await self.refresh()
        client = (issuer, client_id)
        if client not in self._entries:
            return self._configured.get(client)
        known = self._entries[client]
        if known is None or client in self._configured:
            raise ConnectorRefused("The program that this token was issued to is registered more than once.")
        connector, ends = known
        if ends is not None and self._now() >= ends and connector.state != "revoked":
            return msgspec.structs.replace(connector, state="expired")
        return connector

    async def check_write(self, connector: Connector, credential: Credential, endpoint: str) -> None:
        """Prove, before a live write leaves, that nothing speaks against it by now.

        Raises `ConnectorRefused`, and `Unavailable` when the registry is away.
        """
        current = await self.find(connector.issuer, connector.client_id)
        if current is None or current.id != connector.id:
            raise ConnectorRefused("The connector is not registered any more.")
        if current.state != "live":
            raise ConnectorRefused(f"The connector is in state {current.state!r} by now.")
        if current.endpoints is not None and endpoint not in current.endpoints:
            raise ConnectorRefused("The connector may not use this endpoint any more.")
        if is_void(current, credential):
            raise ConnectorRefused("The credentials of the connector were compromised.")

    def programs(self, issuer: str) -> list[Connector]:
        """The programs of one issuer, as they were when the registry was last read."""
        registered = [known.connector for known in self._entries.values() if known is not None]
        return [connector for connector in (*self._configured.values(), *registered) if connector.issuer == issuer]

    def twice(self) -> list[str]:
        """The ids of connectors of the settings whose client is in the registry too, as far as that was read."""
        return sorted(c.id for client, c in self._configured.items() if client in self._entries)

    async def refresh(self) -> None:
        """See that the snapshot is fresh; many who ask at once wait for one look. Raises `Unavailable`."""
        await self._fresh.see()

    async def close(self) -> None:
        """Let a look that is under way end; the store is closed by whoever opened it."""
        await self._fresh.close()

    async def _look(self) -> None:
        if self._store is not None and await self._store.generation() != self._generation:
            self._take(*await self._store.all())

    def _take(self, generation: int, entries: list[Registered]) -> None:
        """Put a new snapshot in place, and tell whose entry changed."""
        before, self._generations = self._generations, {entry.id: entry.generation for entry in entries}
        self._entries, self._generation = _by_client(entries, self._now()), generation
        for name in before.keys() | self._generations.keys():
            if before.get(name) != self._generations.get(name):
                self._on_change(name, self._generations.get(name, generation))


def _by_client(entries: list[Registered], now: float) -> dict[Client, _Known | None]:
    """The entries by client; a revoked one gives way, and None stands for a client that two others claim."""
    claims: dict[Client, list[Registered]] = {}
    for entry in entries:
        claims.setdefault((entry.record.issuer, entry.record.client_id), []).append(entry)
    found: dict[Client, _Known | None] = {}
    for client, claimed in claims.items():
        alive = [entry for entry in claimed if entry.state != "revoked"]
        entry = (alive or claimed)[0]
        found[client] = None if len(alive) > 1 else _Known(of_entry(entry, now), expiry(entry.record))
    return found


def configured(settings: Settings) -> Iterator[Connector]:
    """The connectors of the settings: for development alone, with no more limits than their tokens have."""
    for name, c in settings.connectors.items():
        yield Connector(
            id=name,
            issuer=c.issuer,
            client_id=c.client_id,
            tenant=c.tenant,
            kind=c.kind,
            state=c.state,
            version=c.version,
            purpose=c.purpose,
            commit=c.commit or OF_KIND[c.kind],
        )


def of_entry(entry: Registered, now: float) -> Connector:
    """A registered connector as calls carry it, at a time."""
    record = entry.record
    template = TEMPLATES.get(record.template) if _is_clear(record) else None
    return Connector(
        id=entry.id,
        issuer=record.issuer,
        client_id=record.client_id,
        tenant=record.tenant,
        kind=record.kind,
        # What this version does not know, template or budget, cannot have been approved for it.
        state=standing(entry, now) if template else "draft",
        version=entry.version,
        purpose=record.purpose,
        commit=strictest(OF_KIND[record.kind], template.commit if template else "confirmed"),
        endpoints=frozenset(record.endpoints),
        scopes=frozenset(record.scopes),
        rates=tuple(record.limits()),
        budgets=tuple(record.spending()) if template else (),
        volumes=tuple(record.answering()) if template else (),
        priced=True,
        price_ceiling=record.ceiling(),
        credentials_until=credentials_until(entry),
        tokens_after=entry.tokens_after,
        generation=entry.generation,
        documents=record.documents,
    )


def _is_clear(record: ConnectorRecord) -> bool:
    """Whether its budgets can be reckoned: an older version took some that are finer than a millionth."""
    try:
        record.spending()
        record.answering()
    except ValueError:
        return False
    return True


def is_void(connector: Connector, credential: Credential) -> bool:
    """Whether a token was issued before its program's credentials were known to be compromised."""
    return connector.tokens_after is not None and float(credential.claims["iat"]) <= connector.tokens_after
