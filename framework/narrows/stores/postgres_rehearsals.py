"""The store of rehearsals in PostgreSQL: sealed documents that every machine finds, nobody's name among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from narrows.stores import Owner
from narrows.stores.postgres_server import Connection, PostgresServer, Schema
from narrows.stores.rehearsals import Bounds, Envelope, Room, used_already

SCHEMA = Schema(
    "rehearsals",
    1,
    """
CREATE TABLE narrows_rehearsals (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    owner text NOT NULL,
    expires double precision NOT NULL,
    bytes integer NOT NULL,
    sealed bytea NOT NULL
);
CREATE INDEX narrows_rehearsals_owner ON narrows_rehearsals (owner, seq);
CREATE INDEX narrows_rehearsals_expires ON narrows_rehearsals (expires, bytes);
""",
)

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('narrows_rehearsals', 0))"


class PostgresRehearsals:
    """Keeps rehearsals for `lifetime_s` seconds where several processes share them.

    Documents are sealed with `key` (32 bytes), owners are keyed digests; `now` gives seconds of the wall clock. A
    document does not wait for the disk: were the last ones lost with the server, they would have to be rehearsed again.
    Its methods raise `Unavailable`. A put whose answer is lost may have happened; its id is then used.
    """

    def __init__(
        self,
        server: PostgresServer,
        now: Callable[[], float],
        lifetime_s: float,
        key: bytes,
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._server = server
        self._now = now
        self._lifetime_s = lifetime_s
        self._bounds = bounds or Bounds()
        self._envelope = Envelope(key, self._bounds)
        server.expect(SCHEMA)

    async def put(self, rehearsal_id: str, owner: Owner, document: bytes) -> None:
        """Keep a document under a new id. Raises `StoreRefused` for a used id or a document that is too large."""
        now, whose = self._now(), self._envelope.owner(owner)
        expires = now + self._lifetime_s
        sealed = self._envelope.seal(rehearsal_id, whose, expires, document)
        async with self._server.transaction("rehearsals", relaxed=True) as connection:
            # One at a time, so that the bounds are exact and nobody waits for what somebody else drops.
            await connection.execute(_LOCK)
            await connection.execute("DELETE FROM narrows_rehearsals WHERE expires <= %s", (now,))
            put = await connection.execute(
                "INSERT INTO narrows_rehearsals (id, owner, expires, bytes, sealed) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                (rehearsal_id, whose, expires, len(sealed), sealed),
            )
            if put.rowcount == 0:
                raise used_already(rehearsal_id)
            await self._keep_bounds(connection, whose)

    async def get(self, rehearsal_id: str, owner: Owner) -> bytes | None:
        """The document, or None: absent, expired and another's look alike."""
        found = await self.find(rehearsal_id, [owner])
        return None if found is None else found[1]

    async def find(self, rehearsal_id: str, owners: Sequence[Owner]) -> tuple[Owner, bytes] | None:
        """The one of these owners that a document belongs to, with it; None as for `get`."""
        if "\0" in rehearsal_id:  # which no text of PostgreSQL holds
            return None
        async with self._server.transaction("rehearsals") as connection:
            asked = await connection.execute(
                "SELECT owner, expires, sealed FROM narrows_rehearsals WHERE id = %s AND expires > %s",
                (rehearsal_id, self._now()),
            )
            row = await asked.fetchone()
        whose = {self._envelope.owner(owner): owner for owner in owners} if row else {}
        document = self._envelope.open(rehearsal_id, *row) if row and row[0] in whose else None
        return None if row is None or document is None else (whose[row[0]], document)

    async def newest(self, owner: Owner, count: int) -> list[bytes]:
        """The owner's newest documents, newest first."""
        whose = self._envelope.owner(owner)
        async with self._server.transaction("rehearsals") as connection:
            asked = await connection.execute(
                "SELECT id, expires, sealed FROM narrows_rehearsals WHERE owner = %s AND expires > %s"
                " ORDER BY seq DESC LIMIT %s",
                (whose, self._now(), max(count, 0)),
            )
            rows = await asked.fetchall()
        opened = [self._envelope.open(rehearsal_id, whose, expires, sealed) for rehearsal_id, expires, sealed in rows]
        return [document for document in opened if document is not None]

    async def close(self) -> None:
        """Nothing is held: the server belongs to all stores."""

    async def _keep_bounds(self, connection: Connection, owner: str) -> None:
        """Drop the oldest, of the owner first, as long as a bound is passed."""
        asked = await connection.execute("SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM narrows_rehearsals")
        room = Room(self._bounds, *(await asked.fetchall())[0])
        asked = await connection.execute(
            "SELECT seq, bytes FROM narrows_rehearsals WHERE owner = %s ORDER BY seq", (owner,)
        )
        await _drop(connection, room.own_excess(await asked.fetchall()))
        if room.is_full:
            asked = await connection.execute("SELECT seq, bytes FROM narrows_rehearsals ORDER BY seq")
            await _drop(connection, room.excess(await asked.fetchall()))


async def _drop(connection: Connection, numbers: Sequence[int]) -> None:
    if numbers:
        await connection.execute("DELETE FROM narrows_rehearsals WHERE seq = ANY(%s)", (list(numbers),))
