"""Budgets in a file that several processes of one machine share: a kill loses nothing, and refills nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from narrows.stores.budgets import (
    GRACE_S,
    Account,
    Charge,
    Row,
    Standing,
    Verdict,
    full,
    keep_until,
    settled,
    standings,
    taken,
)
from narrows.stores.sqlite_file import SqliteFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY,
    start INTEGER NOT NULL,
    used INTEGER NOT NULL,
    told INTEGER NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reservations (id TEXT PRIMARY KEY, until REAL NOT NULL, starts BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS accounts_until ON accounts (until);
CREATE INDEX IF NOT EXISTS reservations_until ON reservations (until);
"""

Starts = dict[str, int]


class SqliteBudgets:
    """Keeps at most `cap` accounts; each change reaches the disk before it is told. `now` gives wall-clock seconds.

    Raises OSError or sqlite3.Error when the file cannot be opened.
    """

    forgets = False

    def __init__(self, path: str | Path, now: Callable[[], float], *, cap: int = 1_000_000) -> None:
        self._now = now
        self._cap = cap
        self._file = SqliteFile(path, _SCHEMA, "budgets", durable=True)

    async def reserve(self, reservation: str, charges: Sequence[Charge], until: float) -> Verdict:
        """Take all charges or none, until `settle`. Raises `Unavailable` when the store is full or away."""
        return await self._file.run(self._reserve, reservation, charges, until)

    async def settle(self, reservation: str, charges: Sequence[Charge], spent: int) -> Verdict:
        """Give back of each charge what was not spent. Raises `Unavailable`."""
        return await self._file.run(self._settle, reservation, charges, spent)

    async def count(self, charges: Sequence[Charge], *, forced: bool = False) -> Verdict:
        """Take all charges or none, for good. Raises `Unavailable` when the store is full or away."""
        return await self._file.run(self._count, charges, forced)

    async def standing(self, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        """How accounts stand. Raises `Unavailable`."""
        return await self._file.run(self._standing, accounts)

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        await self._file.close()

    def _reserve(
        self, connection: sqlite3.Connection, reservation: str, charges: Sequence[Charge], until: float
    ) -> Verdict:
        now, accounts = self._now(), [charge.account for charge in charges]
        with connection:
            connection.execute("DELETE FROM reservations WHERE until < ?", (now - GRACE_S,))
            rows = self._rows(connection, accounts, now)
            known = connection.execute("SELECT 1 FROM reservations WHERE id = ?", (reservation,)).fetchone()
            if known is not None:
                return Verdict(True, standings(accounts, rows, now))
            verdict, changed = taken(charges, rows, now, settles=True)
            _write(connection, accounts, changed)
            if verdict.granted:
                starts = msgspec.json.encode({name: row.start for name, row in changed.items()})
                connection.execute("INSERT INTO reservations VALUES (?, ?, ?)", (reservation, until, starts))
            return verdict

    def _settle(
        self, connection: sqlite3.Connection, reservation: str, charges: Sequence[Charge], spent: int
    ) -> Verdict:
        now, accounts = self._now(), [charge.account for charge in charges]
        with connection:
            found = connection.execute(
                "DELETE FROM reservations WHERE id = ? RETURNING starts, until >= ?", (reservation, now - GRACE_S)
            ).fetchone()
            starts = msgspec.json.decode(found[0], type=Starts) if found and found[1] else {}
            verdict, changed = settled(charges, starts, _read(connection, accounts), spent, now)
            _write(connection, accounts, changed)
            return verdict

    def _count(self, connection: sqlite3.Connection, charges: Sequence[Charge], forced: bool) -> Verdict:
        now, accounts = self._now(), [charge.account for charge in charges]
        with connection:
            rows = self._rows(connection, accounts, now)
            verdict, changed = taken(charges, rows, now, settles=False, forced=forced)
            _write(connection, accounts, changed)
            return verdict

    def _standing(self, connection: sqlite3.Connection, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        return standings(accounts, _read(connection, accounts), self._now())

    def _rows(self, connection: sqlite3.Connection, accounts: Sequence[Account], now: float) -> dict[str, Row]:
        """The rows of accounts that are about to be written; what has long ended makes room for new ones."""
        # A write first: two transactions that read first could not both go on.
        connection.execute("DELETE FROM accounts WHERE until <= ?", (now,))
        rows = _read(connection, accounts)
        new = len(accounts) - len(rows)
        if new and connection.execute("SELECT count(*) FROM accounts").fetchone()[0] + new > self._cap:
            raise full()
        return rows


def _read(connection: sqlite3.Connection, accounts: Sequence[Account]) -> dict[str, Row]:
    rows = {}
    for account in accounts:
        found = connection.execute("SELECT start, used, told FROM accounts WHERE name = ?", (account.name,)).fetchone()
        if found is not None:
            rows[account.name] = Row(*found)
    return rows


def _write(connection: sqlite3.Connection, accounts: Sequence[Account], changed: Mapping[str, Row]) -> None:
    for account in accounts:
        row = changed.get(account.name)
        if row is not None:
            connection.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)",
                (account.name, row.start, row.used, row.told, keep_until(account, row)),
            )
