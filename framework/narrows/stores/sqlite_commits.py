"""The store of commits on disk: several processes of one machine share one file, and a kill loses nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from narrows.stores import Attempt, Found, Intent, Outcome, Owner
from narrows.stores.commits import (
    NEW,
    CommitBounds,
    CommitEnvelope,
    KeyRow,
    Lifetimes,
    end_state,
    full,
    intent_of,
)
from narrows.stores.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS confirmations (name TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS receipts (name TEXT PRIMARY KEY, attempt TEXT NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    attempt TEXT NOT NULL,
    request TEXT NOT NULL,
    state TEXT NOT NULL,
    until REAL NOT NULL,
    expires REAL NOT NULL,
    sealed BLOB NOT NULL DEFAULT x''
);
CREATE TABLE IF NOT EXISTS intents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    expires REAL NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS confirmations_expire ON confirmations (expires);
CREATE INDEX IF NOT EXISTS receipts_expire ON receipts (expires);
CREATE INDEX IF NOT EXISTS keys_expire ON keys (expires);
CREATE INDEX IF NOT EXISTS keys_owner ON keys (owner);
CREATE INDEX IF NOT EXISTS intents_open ON intents (seq, expires) WHERE settled = 0;
CREATE TABLE IF NOT EXISTS totals (kept TEXT PRIMARY KEY, count INTEGER NOT NULL, bytes INTEGER NOT NULL);
"""
# To count a table takes the longer the more it holds, so that each keeps its own count.
_COUNTED = """
INSERT OR IGNORE INTO totals VALUES ('{table}', 0, 0);
CREATE TRIGGER IF NOT EXISTS {table}_more AFTER INSERT ON {table} BEGIN
    UPDATE totals SET count = count + 1 WHERE kept = '{table}';
END;
CREATE TRIGGER IF NOT EXISTS {table}_less AFTER DELETE ON {table} BEGIN
    UPDATE totals SET count = count - 1, bytes = bytes - {bytes} WHERE kept = '{table}';
END;
"""
_ANSWERS = """
CREATE TRIGGER IF NOT EXISTS keys_end AFTER UPDATE OF sealed ON keys BEGIN
    UPDATE totals SET bytes = bytes + length(NEW.sealed) - length(OLD.sealed) WHERE kept = 'keys';
END;
"""
_SCRIPT = (
    _SCHEMA
    + _COUNTED.format(table="confirmations", bytes="0")
    + _COUNTED.format(table="receipts", bytes="0")
    + _COUNTED.format(table="keys", bytes="length(OLD.sealed)")
    + _ANSWERS
)

# Whether a commit waits for the disk. One that does takes all before it along.
_DURABLE = "PRAGMA synchronous = FULL"
_RELAXED = "PRAGMA synchronous = NORMAL"


class SqliteCommits:
    """Keeps commits in a file, sealed and under keyed digests. `key` has 32 bytes; `now` gives wall-clock seconds.

    An intent and a confirmation reach the disk before the method returns. A claim and an end need not: were they lost
    with the power, the intent would still say that nothing may be sent again. Raises OSError or sqlite3.Error when
    the file cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        now: Callable[[], float],
        lifetimes: Lifetimes,
        key: bytes,
        *,
        bounds: CommitBounds | None = None,
    ) -> None:
        self._now = now
        self._lifetimes = lifetimes
        self._bounds = bounds or CommitBounds()
        self._envelope = CommitEnvelope(key, self._bounds)
        self._file = SqliteFile(path, _SCRIPT, "commits", durable=True)

    async def confirm(self, rehearsal_id: str, owner: Owner) -> None:
        """Note a confirmation. Raises `Unavailable` when the store is full or away."""
        await self._file.run(self._confirm, self._envelope.rehearsal(rehearsal_id, owner))

    async def is_confirmed(self, rehearsal_id: str, owner: Owner) -> bool:
        """Whether a rehearsal is confirmed."""
        return await self._file.run(self._is_confirmed, self._envelope.rehearsal(rehearsal_id, owner))

    async def claim(self, attempt: Attempt) -> Found:
        """Look up key and receipt, and hold the key. Raises `Unavailable` when the store is full or away."""
        return await self._file.run(self._claim, attempt)

    async def intend(self, attempt: Attempt, operation: str) -> Found:
        """Put down the intent and spend the receipt. Raises `Unavailable` when the store is full or away."""
        return await self._file.run(self._intend, attempt, operation)

    async def settle(self, attempt: Attempt, outcomes: Sequence[Outcome], answer: bytes | None) -> None:
        """Put down the end of an attempt. Raises `Unavailable` when the store is away, or full of receipts."""
        await self._file.run(self._settle, attempt, tuple(outcomes), answer)

    async def unsettled(self, count: int) -> list[Intent]:
        """The oldest intents without an outcome."""
        return await self._file.run(self._unsettled, count)

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        await self._file.close()

    def _confirm(self, connection: sqlite3.Connection, name: str) -> None:
        now = self._now()
        connection.execute(_DURABLE)
        with connection:
            connection.execute("DELETE FROM confirmations WHERE expires <= ?", (now,))
            known = connection.execute("SELECT 1 FROM confirmations WHERE name = ?", (name,)).fetchone()
            if known is None and _count(connection, "confirmations") >= self._bounds.confirmations:
                raise full("confirmation")
            expires = now + self._lifetimes.rehearsal_s
            connection.execute(
                "INSERT INTO confirmations VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET expires = excluded.expires",
                (name, expires),
            )

    def _is_confirmed(self, connection: sqlite3.Connection, name: str) -> bool:
        found = connection.execute(
            "SELECT 1 FROM confirmations WHERE name = ? AND expires > ?", (name, self._now())
        ).fetchone()
        return found is not None

    def _claim(self, connection: sqlite3.Connection, attempt: Attempt) -> Found:
        now, name = self._now(), self._envelope.key(attempt)
        connection.execute(_RELAXED)
        with connection:
            connection.execute("DELETE FROM keys WHERE expires <= ?", (now,))
            row = _row(connection, name)
            found = NEW if row is None else self._envelope.found(name, row, attempt, now)
            if found.state != "new":
                return found
            if self._is_spent(connection, attempt):
                return Found(state="spent")
            if name:
                self._hold(connection, name, attempt, now)
        return NEW

    def _hold(self, connection: sqlite3.Connection, name: str, attempt: Attempt, now: float) -> None:
        """Let an attempt hold a key that is free, or that is taken over."""
        owner = self._envelope.owner(attempt.owner)
        connection.execute("DELETE FROM keys WHERE name = ?", (name,))
        (own,) = connection.execute("SELECT count(*) FROM keys WHERE owner = ?", (owner,)).fetchone()
        if own >= self._bounds.keys_per_owner or _count(connection, "keys") >= self._bounds.keys:
            raise full("idempotency key")
        connection.execute(
            "INSERT INTO keys (name, owner, attempt, request, state, until, expires)"
            " VALUES (?, ?, ?, ?, 'running', ?, ?)",
            (name, owner, attempt.id, attempt.request, attempt.until, now + self._lifetimes.commit_s),
        )

    def _intend(self, connection: sqlite3.Connection, attempt: Attempt, operation: str) -> Found:
        now = self._now()
        sealed = self._envelope.seal_intent(intent_of(attempt, operation, now))
        connection.execute(_DURABLE)
        with connection:
            connection.execute("DELETE FROM intents WHERE settled = 0 AND expires <= ?", (now,))
            if (name := self._envelope.key(attempt)) and not _holds(connection, name, attempt):
                return Found(state="running")
            if self._is_spent(connection, attempt):
                return Found(state="spent")
            (open_,) = connection.execute("SELECT count(*) FROM intents WHERE settled = 0").fetchone()
            if open_ >= self._bounds.open_intents:
                raise full("intent")
            if not self._spend(connection, attempt, now):
                raise full("receipt")
            connection.execute("UPDATE keys SET state = 'intended' WHERE name = ?", (name,))
            connection.execute(
                "INSERT OR IGNORE INTO intents (id, expires, sealed) VALUES (?, ?, ?)",
                (attempt.id, now + self._lifetimes.commit_s, sealed),
            )
        return NEW

    def _is_spent(self, connection: sqlite3.Connection, attempt: Attempt) -> bool:
        """Whether another attempt used the receipt."""
        if attempt.receipt is None:
            return False
        row = connection.execute(
            "SELECT attempt FROM receipts WHERE name = ?", (self._envelope.receipt(attempt),)
        ).fetchone()
        return row is not None and row[0] != attempt.id

    def _spend(self, connection: sqlite3.Connection, attempt: Attempt, now: float) -> bool:
        """Note that the receipt is used, if it came with one; False when there is no room to note it."""
        if attempt.receipt is None:
            return True
        connection.execute("DELETE FROM receipts WHERE expires <= ?", (now,))
        connection.execute(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?)",
            (self._envelope.receipt(attempt), attempt.id, now + self._lifetimes.rehearsal_s),
        )
        return _count(connection, "receipts") <= self._bounds.receipts

    def _settle(
        self,
        connection: sqlite3.Connection,
        attempt: Attempt,
        outcomes: tuple[Outcome, ...],
        answer: bytes | None,
    ) -> None:
        connection.execute(_RELAXED)
        with connection:
            self._settle_intent(connection, attempt, outcomes)
            self._settle_key(connection, attempt, outcomes, answer)
        # With an effect it was spent by the intent.
        if answer is not None and not outcomes and not self._is_spent(connection, attempt):
            with connection:
                if not self._spend(connection, attempt, self._now()):
                    raise full("receipt")

    def _settle_intent(self, connection: sqlite3.Connection, attempt: Attempt, outcomes: tuple[Outcome, ...]) -> None:
        row = connection.execute("SELECT seq, sealed FROM intents WHERE id = ?", (attempt.id,)).fetchone()
        if row is None:
            return
        seq, sealed = row
        connection.execute(
            "UPDATE intents SET settled = 1, sealed = ? WHERE seq = ?",
            (self._envelope.settled(attempt.id, sealed, outcomes), seq),
        )
        connection.execute("DELETE FROM intents WHERE settled = 1 AND seq <= ?", (seq - self._bounds.intents,))

    def _settle_key(
        self,
        connection: sqlite3.Connection,
        attempt: Attempt,
        outcomes: tuple[Outcome, ...],
        answer: bytes | None,
    ) -> None:
        if not (name := self._envelope.key(attempt)):
            return
        state = end_state(outcomes, answer)
        if state is None:
            connection.execute("DELETE FROM keys WHERE name = ? AND attempt = ?", (name, attempt.id))
            return
        # A call that is cancelled while its end is put down puts it down again.
        (used,) = connection.execute(
            "SELECT bytes - coalesce((SELECT length(sealed) FROM keys WHERE name = ?), 0) FROM totals"
            " WHERE kept = 'keys'",
            (name,),
        ).fetchone()
        sealed = self._envelope.seal_end(name, outcomes, answer, self._bounds.answers_bytes - used)
        connection.execute(
            "UPDATE keys SET state = ?, sealed = ? WHERE name = ? AND attempt = ?", (state, sealed, name, attempt.id)
        )

    def _unsettled(self, connection: sqlite3.Connection, count: int) -> list[Intent]:
        rows = connection.execute(
            "SELECT id, sealed FROM intents WHERE settled = 0 ORDER BY seq LIMIT ?", (count,)
        ).fetchall()
        opened = [self._envelope.open_intent(name, sealed) for name, sealed in rows]
        return [intent for intent in opened if intent is not None]


def _row(connection: sqlite3.Connection, name: str) -> KeyRow | None:
    found = connection.execute(
        "SELECT owner, attempt, request, state, until, expires, sealed FROM keys WHERE name = ?", (name,)
    ).fetchone()
    if found is None:
        return None
    owner, attempt, request, state, until, expires, sealed = found
    return KeyRow(
        owner=owner, attempt=attempt, request=request, state=state, until=until, expires=expires, sealed=sealed
    )


def _holds(connection: sqlite3.Connection, name: str, attempt: Attempt) -> bool:
    """Whether an attempt still holds its key."""
    row = connection.execute("SELECT attempt FROM keys WHERE name = ?", (name,)).fetchone()
    return row is not None and row[0] == attempt.id


def _count(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute("SELECT count FROM totals WHERE kept = ?", (table,)).fetchone()
    return int(count)
