"""The embedded store that outlives the process: one SQLite file, sealed documents, nobody's name in it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from narrows.errors import Unavailable
from narrows.stores import Owner
from narrows.stores.rehearsals import Bounds, Envelope, used_already

P = ParamSpec("P")
T = TypeVar("T")

_BUSY_S = 5.0
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS rehearsals (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    expires REAL NOT NULL,
    bytes INTEGER NOT NULL,
    sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS rehearsals_owner ON rehearsals (owner, seq);
CREATE INDEX IF NOT EXISTS rehearsals_expires ON rehearsals (expires, bytes);
"""


class SqliteRehearsals:
    """Keeps rehearsals for `lifetime_s` seconds in a file that several processes of one machine may share.

    The file belongs to its user alone (mode 0600); documents are sealed with `key` (32 bytes), owners are keyed
    digests. `now` gives seconds of the wall clock. One worker thread does the work, so that the loop never waits for
    the disk. Raises OSError or sqlite3.Error when the file cannot be opened; its methods raise `Unavailable`.
    """

    def __init__(
        self,
        path: str | Path,
        now: Callable[[], float],
        lifetime_s: float,
        key: bytes,
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._now = now
        self._lifetime_s = lifetime_s
        self._bounds = bounds or Bounds()
        self._envelope = Envelope(key, self._bounds)
        self._connection = _connect(Path(path))
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="narrows-rehearsals")
        self._closed = False

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id. Raises `StoreRefused` for a used id or a document that is too large."""
        await self._run(self._put, rehearsal_id, owner, document)

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        return await self._run(self._get, rehearsal_id, owner)

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        return await self._run(self._newest, owner, max(count, 0))

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        if not self._closed:
            self._closed = True
            await self._run(self._connection.close)
            self._worker.shutdown()

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it in the worker, one at a time."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, lambda: work(*args, **kwargs))
        except sqlite3.Error as error:
            raise Unavailable("The store of rehearsals is away.", headers={"Retry-After": "5"}) from error

    def _put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        now, whose = self._now(), self._envelope.owner(owner)
        expires = now + self._lifetime_s
        sealed = self._envelope.seal(rehearsal_id, whose, expires, document)
        with self._connection as connection:
            connection.execute("DELETE FROM rehearsals WHERE expires <= ?", (now,))
            try:
                connection.execute(
                    "INSERT INTO rehearsals (id, owner, expires, bytes, sealed) VALUES (?, ?, ?, ?, ?)",
                    (rehearsal_id, whose, expires, len(sealed), sealed),
                )
            except sqlite3.IntegrityError:
                raise used_already(rehearsal_id) from None
            self._keep_bounds(connection, whose)

    def _keep_bounds(self, connection: sqlite3.Connection, owner: str) -> None:
        connection.execute(
            "DELETE FROM rehearsals WHERE seq IN"
            " (SELECT seq FROM rehearsals WHERE owner = ? ORDER BY seq DESC LIMIT -1 OFFSET ?)",
            (owner, self._bounds.per_owner),
        )
        count, size = connection.execute("SELECT count(*), coalesce(sum(bytes), 0) FROM rehearsals").fetchone()
        while count > self._bounds.documents or size > self._bounds.total_bytes:
            oldest, freed = connection.execute("SELECT seq, bytes FROM rehearsals ORDER BY seq LIMIT 1").fetchone()
            connection.execute("DELETE FROM rehearsals WHERE seq = ?", (oldest,))
            count, size = count - 1, size - freed

    def _get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        whose = self._envelope.owner(owner)
        row = self._connection.execute(
            "SELECT expires, sealed FROM rehearsals WHERE id = ? AND owner = ? AND expires > ?",
            (rehearsal_id, whose, self._now()),
        ).fetchone()
        return self._envelope.open(rehearsal_id, whose, *row) if row else None

    def _newest(self, owner: Owner, count: int) -> list[bytes]:
        whose = self._envelope.owner(owner)
        rows = self._connection.execute(
            "SELECT id, expires, sealed FROM rehearsals WHERE owner = ? AND expires > ? ORDER BY seq DESC LIMIT ?",
            (whose, self._now(), count),
        ).fetchall()
        opened = [self._envelope.open(rehearsal_id, whose, expires, sealed) for rehearsal_id, expires, sealed in rows]
        return [document for document in opened if document is not None]


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, made with its mode before SQLite sees it: `-wal` and `-shm` take the mode over."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    # The worker alone uses it after this; IMMEDIATE lets two processes queue where DEFERRED would fail half-way.
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level="IMMEDIATE", check_same_thread=False)
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
