"""Which store the settings name, and with which key."""

from __future__ import annotations

import base64
import binascii
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from narrows.errors import SettingsError
from narrows.settings import Settings
from narrows.stores import Commits, Limiter, Rehearsals
from narrows.stores.audit import AuditStore
from narrows.stores.budgets import Budgets, MemoryBudgets
from narrows.stores.commits import Lifetimes
from narrows.stores.connectors import MemoryConnectors, SqliteConnectors
from narrows.stores.ended import Ended, MemoryEnded, SqliteEnded
from narrows.stores.limits_away import Away, StandIn
from narrows.stores.limits_memory import MemoryLimiter
from narrows.stores.memory import MemoryRehearsals
from narrows.stores.memory_audit import MemoryAuditStore
from narrows.stores.memory_commits import MemoryCommits
from narrows.stores.redis_budgets import RedisBudgets
from narrows.stores.redis_tokens import RedisShelf
from narrows.stores.registry import Connectors
from narrows.stores.reviews import MemoryReviews, Reviews, SqliteReviews
from narrows.stores.revoked import MemoryRevoked, Revoked, SqliteRevoked
from narrows.stores.sealing import KEY_BYTES
from narrows.stores.servers import SERVERS, Servers, no_server
from narrows.stores.sqlite import SqliteRehearsals
from narrows.stores.sqlite_audit import SqliteAuditStore
from narrows.stores.sqlite_budgets import SqliteBudgets
from narrows.stores.sqlite_commits import SqliteCommits
from narrows.stores.tokens import Shelf

if TYPE_CHECKING:
    from narrows.stores.postgres_server import PostgresServer

_MAKE_KEY = (
    "make a key with `openssl rand -base64 32 > stores.key`, keep that file out of the repository, "
    'and set `stores.key = { file = "stores.key" }`'
)


_KINDS: Mapping[str, tuple[str, ...]] = {
    "rehearsals": ("memory", "sqlite", "postgres"),
    "commits": ("memory", "sqlite", "postgres"),
    "connectors": ("memory", "sqlite", "postgres"),
    "tokens": ("memory", "redis"),
    "audit": ("memory", "sqlite", "postgres"),
    "limits": ("memory", "redis"),
    "budgets": ("memory", "sqlite", "redis", "postgres"),
}
"""What each store of `[stores]` may lie on."""


class Place(NamedTuple):
    """Where one store lies: its kind, its file (`sqlite` alone), and the key that encrypts it."""

    kind: str
    path: Path | None
    key: bytes


def open_rehearsals(settings: Settings, now: Callable[[], float], servers: Servers | None = None) -> Rehearsals:
    """Open the store that `stores.rehearsals` names: `memory:`, `sqlite:<path>` (relative to the settings file) or
    `postgres:`, which lies on a server of `servers`; whoever made those closes them after the store.

    `now` gives seconds of the wall clock. Raises `SettingsError` for another store, a file that does not open, a server
    that nothing names, and a key that is missing or not 32 bytes in base64; memory without a key gets one that ends
    with the process. A server is not asked yet.
    """
    lifetime_s = _seconds(settings, "rehearsal_s")
    kind, path, key = _place(settings, "rehearsals")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_rehearsals import PostgresRehearsals  # an extra

        return PostgresRehearsals(server, now, lifetime_s, key)
    with _opening(settings, "rehearsals"):
        if path is None:
            return MemoryRehearsals(now, lifetime_s, key)
        return SqliteRehearsals(path, now, lifetime_s, key)


def open_commits(settings: Settings, now: Callable[[], float], servers: Servers | None = None) -> Commits:
    """Open the store that `stores.commits` names, under the conditions of `open_rehearsals`."""
    lifetimes = Lifetimes(_seconds(settings, "rehearsal_s"), _seconds(settings, "commit_s"))
    kind, path, key = _place(settings, "commits")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_commits import PostgresCommits  # an extra

        return PostgresCommits(server, now, lifetimes, key)
    with _opening(settings, "commits"):
        return MemoryCommits(now, lifetimes, key) if path is None else SqliteCommits(path, now, lifetimes, key)


def open_ended(settings: Settings, now: Callable[[], float], servers: Servers | None = None) -> Ended:
    """Open what keeps sessions that were ended: it lies where `stores.commits` does, under the same conditions."""
    kind, path, _ = _place(settings, "commits")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_ended import PostgresEnded  # an extra

        return PostgresEnded(server, now)
    with _opening(settings, "commits"):
        return MemoryEnded(now) if path is None else SqliteEnded(path, now)


def open_connectors(settings: Settings, servers: Servers | None = None) -> Connectors:
    """Open the registry that `stores.connectors` names, under the conditions of `open_rehearsals`."""
    kind, path, key = _place(settings, "connectors")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_connectors import PostgresConnectors  # an extra

        return PostgresConnectors(server, key)
    with _opening(settings, "connectors"):
        return MemoryConnectors() if path is None else SqliteConnectors(path, key)


def open_revoked(settings: Settings, now: Callable[[], float], servers: Servers | None = None) -> Revoked:
    """Open what keeps revocations: it lies where the registry of connectors lies, under the same conditions."""
    kind, path, key = _place(settings, "connectors")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_revoked import PostgresRevoked  # an extra

        return PostgresRevoked(server, now, key)
    with _opening(settings, "connectors"):
        return MemoryRevoked(now) if path is None else SqliteRevoked(path, now, key)


def open_shelf(settings: Settings, servers: Servers) -> tuple[Shelf, bytes] | None:
    """Open where processes find each other's tokens for upstreams, and its key; None when each keeps its own.

    Raises `SettingsError` as `open_rehearsals` does, and for a registry in memory beside it.
    """
    kind, _, key = _place(settings, "tokens")
    if kind == "memory":
        return None
    if _named(settings, "connectors")[0] == "memory" and settings.environment != "development":
        raise SettingsError(
            "stores.tokens: tokens are shared with processes that do not know what is revoked in the registry of this "
            'one. Remedy: set stores.connectors = "sqlite:connectors.db", or tokens = "memory:".'
        )
    return RedisShelf(servers.redis), key


def open_budgets(settings: Settings, now: Callable[[], float], servers: Servers) -> Budgets:
    """Open what keeps count of budgets: `stores.budgets`, under the conditions of `open_rehearsals`."""
    kind, path, _ = _place(settings, "budgets")
    with _opening(settings, "budgets"):
        if path is not None:
            return SqliteBudgets(path, now)
    if kind == "redis":
        return RedisBudgets(servers.redis, now)
    if kind == "postgres":
        from narrows.stores.postgres_budgets import PostgresBudgets  # an extra

        return PostgresBudgets(servers.postgres, now)
    return MemoryBudgets(now)


def open_reviews(settings: Settings, servers: Servers | None = None) -> Reviews:
    """Open the review queue, which lies where `stores.connectors` says, under the conditions of `open_rehearsals`."""
    kind, path, key = _place(settings, "connectors")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_reviews import PostgresReviews  # an extra

        return PostgresReviews(server, key)
    with _opening(settings, "connectors"):
        return MemoryReviews() if path is None else SqliteReviews(path, key)


def open_audit(settings: Settings, servers: Servers | None = None) -> AuditStore:
    """Open the audit log that `stores.audit` names, under the conditions of `open_rehearsals`.

    Without a name it is in memory in development, and anywhere else in a file. Raises `SettingsError` for one in memory
    outside development: it would be lost with its process.
    """
    kind, path, _ = _place(settings, "audit")
    if kind == "postgres":
        server = _postgres(servers)
        from narrows.stores.postgres_audit import PostgresAuditStore  # an extra

        return PostgresAuditStore(server)
    with _opening(settings, "audit"):
        return MemoryAuditStore() if path is None else SqliteAuditStore(path)


def open_limiter(
    settings: Settings, servers: Servers, steady: Callable[[], float], name: str, tell: Callable[[Away], object]
) -> Limiter:
    """Open what counts against rates where `stores.limits` says: `memory:` or `redis:`; nothing is connected yet.

    `steady` gives seconds of a steady clock, all processes that count together give the same `name`, and `tell` hears
    when the server is away. Raises `SettingsError` under the conditions of `open_rehearsals`, and without a server.
    """
    kind, _, _ = _place(settings, "limits")
    lease_s = settings.limits.call_s
    local = MemoryLimiter(steady, lease_s=lease_s)
    if kind == "memory":
        return local
    server = servers.redis
    from narrows.stores.redis_limits import RedisLimiter  # an extra, which is there if its server's client is

    return StandIn(RedisLimiter(server, steady, name=name, lease_s=lease_s), local, steady, tell)


def place_faults(settings: Settings) -> Iterator[str]:
    """What of `[stores]` names no store, lasts no time or has no key; nothing is opened, and no key is read."""
    limited = sorted(name for name, tenant in settings.tenants.items() if tenant.budgets or tenant.volumes)
    if limited and settings.stores.budgets == "memory:" and settings.environment != "development":
        yield (
            f"stores.budgets: tenants have budgets or volumes ({', '.join(limited)}), and a restart would refill what "
            'is counted in memory. Remedy: set stores.budgets = "sqlite:budgets.db".'
        )
    for field, value in sorted(msgspec.structs.asdict(settings.stores).items()):
        try:
            if isinstance(value, float):
                _seconds(settings, field)
            if field in _KINDS:
                _check_kind(settings, _named(settings, field)[0])
        except SettingsError as error:
            yield str(error)


def _check_kind(settings: Settings, kind: str) -> None:
    """Raise `SettingsError` for a store whose kind needs a key or a server that nothing gives."""
    if kind != "memory" and settings.stores.key is None:
        raise _no_key()
    if kind in SERVERS and getattr(settings.stores, kind) is None:
        raise no_server(kind)


def _postgres(servers: Servers | None) -> PostgresServer:
    """The server of the settings. Raises `SettingsError` when nothing names it, or its client is not installed."""
    if servers is None:
        raise TypeError("a store on a server is opened with the servers of its process")
    return servers.postgres


def shareable(settings: Settings) -> dict[str, list[str]]:
    """The stores that are in memory although a promise depends on them, and what several processes could share instead.

    Tokens are none of them: each process may obtain its own.
    """
    alone = [field for field in _KINDS if field != "tokens" and _named(settings, field)[0] == "memory"]
    return {field: [f'"{form}"' for form in _forms(field) if form != "memory:"] for field in alone}


def _forms(field: str) -> list[str]:
    """What one store of `[stores]` may be set to."""
    return [f"{kind}:" if kind != "sqlite" else f"sqlite:{field}.db" for kind in _KINDS[field]]


def _place(settings: Settings, field: str) -> Place:
    """Where one store of `[stores]` lies."""
    kind, name = _named(settings, field)
    key = _key(settings)
    if kind == "memory":
        return Place(kind, None, key or secrets.token_bytes(KEY_BYTES))
    if key is None:
        raise _no_key()
    return Place(kind, settings.path(name) if kind == "sqlite" else None, key)


def _no_key() -> SettingsError:
    return SettingsError(
        f"stores.key: what is kept in a file or on a server is encrypted, and needs a key. Remedy: {_MAKE_KEY}."
    )


def _named(settings: Settings, field: str) -> tuple[str, str]:
    """The kind of one store of `[stores]`, and the file that `sqlite:` names."""
    named = _written(settings, field)
    kind, colon, name = named.partition(":")
    if kind not in _KINDS[field] or not colon or bool(name) != (kind == "sqlite"):
        forms = ", ".join(f"`{form}`" for form in _forms(field))
        raise SettingsError(f"stores.{field}: {named!r} names no store. Remedy: set one of {forms}.")
    if field == "audit" and kind == "memory" and settings.environment != "development":
        raise SettingsError(
            "stores.audit: a log in memory ends with its process. Remedy: leave it out, or set `sqlite:audit.db`."
        )
    return kind, name


def _written(settings: Settings, field: str) -> str:
    """What the settings say of one store; where nothing is said, the audit log alone needs more than a word."""
    named: str | None = getattr(settings.stores, field)
    if named is not None:
        return named
    return "memory:" if settings.environment == "development" else "sqlite:audit.db"


@contextmanager
def _opening(settings: Settings, field: str) -> Iterator[None]:
    """Tell why a store does not open, with its key and the remedy."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise SettingsError(
            f"stores.{field}: {_written(settings, field)!r} does not open ({error}). "
            "Remedy: name a plain file, new or made by Narrows, in an existing folder that this user may write."
        ) from None


def _seconds(settings: Settings, field: str) -> float:
    """A lifetime of `[stores]`."""
    seconds: float = getattr(settings.stores, field)
    if seconds <= 0:
        raise SettingsError(f"stores.{field}: the lifetime is not above 0. Remedy: give seconds, such as 3600.")
    return seconds


def _key(settings: Settings) -> bytes | None:
    """The key of the settings; what it holds is never repeated."""
    if settings.stores.key is None:
        return None
    try:
        key = base64.b64decode(settings.stores.key.reveal(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"stores.key: the key is not {KEY_BYTES} bytes in base64. Remedy: {_MAKE_KEY}.")
    return key
