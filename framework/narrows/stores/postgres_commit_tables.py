"""The tables of the store of commits in PostgreSQL: what each row says, and how it is asked for and locked."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncCursor

from narrows.stores import Attempt
from narrows.stores.commits import KeyRow
from narrows.stores.postgres_server import Connection, Schema

Cursor = AsyncCursor[tuple[Any, ...]]

SCHEMA = Schema(
    "commits",
    1,
    """
CREATE TABLE narrows_confirmations (name text PRIMARY KEY, expires double precision NOT NULL);
CREATE TABLE narrows_receipts (name text PRIMARY KEY, attempt text NOT NULL, expires double precision NOT NULL);
CREATE TABLE narrows_keys (
    name text PRIMARY KEY,
    owner text NOT NULL,
    attempt text NOT NULL,
    request text NOT NULL,
    state text NOT NULL,
    until double precision NOT NULL,
    expires double precision NOT NULL,
    sealed bytea NOT NULL DEFAULT ''
);
CREATE TABLE narrows_intents (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    expires double precision NOT NULL,
    settled boolean NOT NULL DEFAULT false,
    sealed bytea NOT NULL
);
CREATE INDEX narrows_confirmations_expire ON narrows_confirmations (expires);
CREATE INDEX narrows_receipts_expire ON narrows_receipts (expires);
CREATE INDEX narrows_keys_expire ON narrows_keys (expires);
CREATE INDEX narrows_keys_owner ON narrows_keys (owner);
CREATE INDEX narrows_keys_bytes ON narrows_keys (octet_length(sealed)) WHERE octet_length(sealed) > 0;
CREATE INDEX narrows_intents_open ON narrows_intents (seq, expires) WHERE NOT settled;
""",
)


class Bound:
    """One bound of the store, which is not counted anew for each row: that takes the longer the more there is.

    Between two counts this process adds a hundredth of the bound at the most, so that a bound of all processes is
    passed by no more than a hundredth for each of them.
    """

    def __init__(self, most: int, counted: str) -> None:
        self.most = most
        self._counted = counted
        self._known = most
        self._since = 0

    async def used(self, connection: Connection, adding: int = 1) -> int:
        """How much there is, before `adding` is added."""
        if self._known + self._since + adding > self.most or self._since * 100 >= self.most:
            before = self._since
            asked = await connection.execute(self._counted.encode())
            self._known, self._since = int((await asked.fetchall())[0][0]), self._since - before
        used = self._known + self._since
        self._since += adding
        return used


async def forget(connection: Connection, table: str, now: float) -> None:
    """Drop what is over, but for what somebody works on, and not all at once."""
    only = " AND NOT settled" if table == "intents" else ""
    names = "seq" if table == "intents" else "name"
    await connection.execute(
        f"DELETE FROM narrows_{table} WHERE {names} IN (SELECT {names} FROM narrows_{table}"  # noqa: S608 # both names stand here
        f" WHERE expires <= %s{only} LIMIT 100 FOR UPDATE SKIP LOCKED)".encode(),
        (now,),
    )


async def look(connection: Connection, name: str) -> Cursor:
    """Ask what a key says; its row is locked."""
    return await connection.execute(
        "SELECT owner, attempt, request, state, until, expires, sealed FROM narrows_keys WHERE name = %s FOR UPDATE",
        (name,),
    )


async def look_at_intent(connection: Connection, attempt: Attempt) -> Cursor:
    """Ask for the intent of an attempt; its row is locked."""
    return await connection.execute("SELECT seq, sealed FROM narrows_intents WHERE id = %s FOR UPDATE", (attempt.id,))


async def hold_on(connection: Connection, name: str, attempt: Attempt) -> Cursor:
    """Ask whether an attempt still holds its key; its row is locked, so that nobody takes it over before this ends."""
    return await connection.execute(
        "SELECT 1 FROM narrows_keys WHERE name = %s AND attempt = %s FOR UPDATE", (name, attempt.id)
    )


async def key_row(looked: Cursor) -> KeyRow | None:
    """What a key says."""
    found = await looked.fetchone()
    if found is None:
        return None
    owner, attempt, request, state, until, expires, sealed = found
    return KeyRow(
        owner=owner, attempt=attempt, request=request, state=state, until=until, expires=expires, sealed=sealed
    )


async def spender(asked: Cursor | None) -> str | None:
    """Which attempt used a receipt; None when none did, and without a receipt."""
    row = None if asked is None else await asked.fetchone()
    return None if row is None else str(row[0])
