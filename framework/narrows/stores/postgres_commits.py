"""The store of commits in PostgreSQL: what makes a live write happen once, whatever machine it comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
from narrows.stores.postgres_server import Connection, PostgresServer, Schema

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


class _Bound:
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


class PostgresCommits:
    """Keeps commits in tables, sealed and under keyed digests. `key` has 32 bytes; `now` gives wall-clock seconds.

    An intent, a confirmation and an end are on the disk before the method returns; a claim need not be: were it lost
    with the server, its attempt would not hold the key any more, and send nothing.
    """

    def __init__(
        self,
        server: PostgresServer,
        now: Callable[[], float],
        lifetimes: Lifetimes,
        key: bytes,
        *,
        bounds: CommitBounds | None = None,
    ) -> None:
        self._server = server
        self._now = now
        self._lifetimes = lifetimes
        self._bounds = bound = bounds or CommitBounds()
        self._envelope = CommitEnvelope(key, bound)
        self._confirmations = _Bound(bound.confirmations, "SELECT count(*) FROM narrows_confirmations")
        self._receipts = _Bound(bound.receipts, "SELECT count(*) FROM narrows_receipts")
        self._keys = _Bound(bound.keys, "SELECT count(*) FROM narrows_keys")
        self._open = _Bound(bound.open_intents, "SELECT count(*) FROM narrows_intents WHERE NOT settled")
        self._answers = _Bound(
            bound.answers_bytes,
            "SELECT coalesce(sum(octet_length(sealed)), 0) FROM narrows_keys WHERE octet_length(sealed) > 0",
        )
        server.expect(SCHEMA)

    async def confirm(self, rehearsal_id: str, owner: Owner) -> None:
        """Note a confirmation. Raises `Unavailable` when the store is full or away."""
        now, name = self._now(), self._envelope.rehearsal(rehearsal_id, owner)
        async with self._server.transaction("commits") as connection:
            await _forget(connection, "confirmations", now)
            expires = now + self._lifetimes.rehearsal_s
            known = await connection.execute(
                "UPDATE narrows_confirmations SET expires = %s WHERE name = %s", (expires, name)
            )
            if known.rowcount:
                return
            if await self._confirmations.used(connection) >= self._bounds.confirmations:
                raise full("confirmation")
            await connection.execute(
                "INSERT INTO narrows_confirmations VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET expires = excluded.expires",
                (name, expires),
            )

    async def is_confirmed(self, rehearsal_id: str, owner: Owner) -> bool:
        """Whether a rehearsal is confirmed."""
        name = self._envelope.rehearsal(rehearsal_id, owner)
        async with self._server.transaction("commits") as connection:
            asked = await connection.execute(
                "SELECT 1 FROM narrows_confirmations WHERE name = %s AND expires > %s", (name, self._now())
            )
            return await asked.fetchone() is not None

    async def claim(self, attempt: Attempt) -> Found:
        """Look up key and receipt, and hold the key. Raises `Unavailable` when the store is full or away.

        If the answer is lost the key may be held; it is free again when its attempt would have ended.
        """
        now, name = self._now(), self._envelope.key(attempt)
        async with self._server.transaction("commits", relaxed=True) as connection:
            await _forget(connection, "keys", now)
            row = await _row(connection, name) if name else None
            found = NEW if row is None or row.expires <= now else self._envelope.found(name, row, attempt, now)
            if found.state != "new":
                return found
            if await self._spender(connection, attempt) not in (None, attempt.id):
                return Found(state="spent")
            if not name or await self._hold(connection, name, attempt, now, is_held=row is not None):
                return NEW
        # Somebody else has claimed it at this instant; what of, the next look tells.
        return Found(state="running", wait_s=1.0)

    async def intend(self, attempt: Attempt, operation: str) -> Found:
        """Put down the intent and spend the receipt. Raises `Unavailable` when the store is full or away.

        If the answer is lost it may have been put down. Nothing is sent then; a retry of the client finds it begun.
        """
        now, name = self._now(), self._envelope.key(attempt)
        sealed = self._envelope.seal_intent(intent_of(attempt, operation, now))
        async with self._server.transaction("commits") as connection:
            await _forget(connection, "intents", now)
            # The row stays locked, so that nobody takes the key over before this ends.
            if name and not await _holds(connection, name, attempt):
                return Found(state="running")
            if await self._spender(connection, attempt) not in (None, attempt.id):
                return Found(state="spent")
            if await self._open.used(connection) >= self._bounds.open_intents:
                raise full("intent")
            if not await self._spend(connection, attempt, now):
                return Found(state="spent")
            if name:
                await connection.execute("UPDATE narrows_keys SET state = 'intended' WHERE name = %s", (name,))
            await connection.execute(
                "INSERT INTO narrows_intents (id, expires, sealed) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
                (attempt.id, now + self._lifetimes.commit_s, sealed),
            )
        return NEW

    async def settle(self, attempt: Attempt, outcomes: Sequence[Outcome], answer: bytes | None) -> None:
        """Put down the end of an attempt. Raises `Unavailable` when the store is away, or full of receipts.

        If the answer is lost, it may have been put down: a second time changes nothing more.
        """
        ends = tuple(outcomes)
        async with self._server.transaction("commits") as connection:
            # In the order of an intent, so that none of the two waits for the other.
            await self._settle_key(connection, attempt, ends, answer)
            await self._settle_intent(connection, attempt, ends)
        # With an effect it was spent by the intent.
        if answer is not None and not ends and attempt.receipt is not None:
            async with self._server.transaction("commits") as connection:
                await self._spend(connection, attempt, self._now())

    async def unsettled(self, count: int) -> list[Intent]:
        """The oldest intents without an outcome."""
        async with self._server.transaction("commits") as connection:
            asked = await connection.execute(
                "SELECT id, sealed FROM narrows_intents WHERE NOT settled ORDER BY seq LIMIT %s", (count,)
            )
            rows = await asked.fetchall()
        opened = [self._envelope.open_intent(name, sealed) for name, sealed in rows]
        return [intent for intent in opened if intent is not None]

    async def close(self) -> None:
        """Nothing is held: the server belongs to all stores."""

    async def _hold(self, connection: Connection, name: str, attempt: Attempt, now: float, *, is_held: bool) -> bool:
        """Let an attempt hold a key that is free, or that is taken over; False when somebody was faster."""
        owner = self._envelope.owner(attempt.owner)
        values = (owner, attempt.id, attempt.request, attempt.until, now + self._lifetimes.commit_s, name)
        if is_held:  # and locked, by the look at it
            await connection.execute(
                "UPDATE narrows_keys SET owner = %s, attempt = %s, request = %s, state = 'running', until = %s,"
                " expires = %s, sealed = '' WHERE name = %s",
                values,
            )
            return True
        asked = await connection.execute("SELECT count(*) FROM narrows_keys WHERE owner = %s", (owner,))
        own = (await asked.fetchall())[0][0]
        if own >= self._bounds.keys_per_owner or await self._keys.used(connection) >= self._bounds.keys:
            raise full("idempotency key")
        put = await connection.execute(
            "INSERT INTO narrows_keys (owner, attempt, request, until, expires, name, state)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'running') ON CONFLICT (name) DO NOTHING",
            values,
        )
        return put.rowcount == 1

    async def _spender(self, connection: Connection, attempt: Attempt) -> str | None:
        """Which attempt used the receipt; None when none did, and for an attempt without one."""
        if attempt.receipt is None:
            return None
        asked = await connection.execute(
            "SELECT attempt FROM narrows_receipts WHERE name = %s", (self._envelope.receipt(attempt),)
        )
        row = await asked.fetchone()
        return None if row is None else str(row[0])

    async def _spend(self, connection: Connection, attempt: Attempt, now: float) -> bool:
        """Note that the receipt is used, if it came with one; False when another attempt was faster."""
        if attempt.receipt is None:
            return True
        await _forget(connection, "receipts", now)
        if (spender := await self._spender(connection, attempt)) is not None:
            return spender == attempt.id
        if await self._receipts.used(connection) >= self._bounds.receipts:
            raise full("receipt")
        # Of two at one instant the second waits here until the first has ended.
        spent = await connection.execute(
            "INSERT INTO narrows_receipts VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING",
            (self._envelope.receipt(attempt), attempt.id, now + self._lifetimes.rehearsal_s),
        )
        return spent.rowcount == 1

    async def _settle_intent(self, connection: Connection, attempt: Attempt, outcomes: tuple[Outcome, ...]) -> None:
        asked = await connection.execute(
            "SELECT seq, sealed FROM narrows_intents WHERE id = %s FOR UPDATE", (attempt.id,)
        )
        row = await asked.fetchone()
        if row is None:
            return
        seq, sealed = row
        await connection.execute(
            "UPDATE narrows_intents SET settled = true, sealed = %s WHERE seq = %s",
            (self._envelope.settled(attempt.id, sealed, outcomes), seq),
        )
        await connection.execute(
            "DELETE FROM narrows_intents WHERE seq IN (SELECT seq FROM narrows_intents"
            " WHERE settled AND seq <= %s ORDER BY seq LIMIT 100 FOR UPDATE SKIP LOCKED)",
            (seq - self._bounds.intents,),
        )

    async def _settle_key(
        self, connection: Connection, attempt: Attempt, outcomes: tuple[Outcome, ...], answer: bytes | None
    ) -> None:
        name = self._envelope.key(attempt)
        row = await _row(connection, name) if name else None
        if row is None or row.attempt != attempt.id:
            return
        state = end_state(outcomes, answer)
        if state is None:
            await connection.execute("DELETE FROM narrows_keys WHERE name = %s", (name,))
            return
        # A call that is cancelled while its end is put down puts it down again.
        adding = 0 if row.sealed else len(answer or b"")
        used = await self._answers.used(connection, adding) - len(row.sealed)
        sealed = self._envelope.seal_end(name, outcomes, answer, self._bounds.answers_bytes - used)
        await connection.execute(
            "UPDATE narrows_keys SET state = %s, sealed = %s WHERE name = %s", (state, sealed, name)
        )


async def _forget(connection: Connection, table: str, now: float) -> None:
    """Drop what is over, but for what somebody works on, and not all at once."""
    only = " AND NOT settled" if table == "intents" else ""
    names = "seq" if table == "intents" else "name"
    await connection.execute(
        f"DELETE FROM narrows_{table} WHERE {names} IN (SELECT {names} FROM narrows_{table}"  # noqa: S608 # both names stand here
        f" WHERE expires <= %s{only} LIMIT 100 FOR UPDATE SKIP LOCKED)".encode(),
        (now,),
    )


async def _row(connection: Connection, name: str) -> KeyRow | None:
    """What a key says; its row is locked."""
    asked = await connection.execute(
        "SELECT owner, attempt, request, state, until, expires, sealed FROM narrows_keys WHERE name = %s FOR UPDATE",
        (name,),
    )
    found = await asked.fetchone()
    if found is None:
        return None
    owner, attempt, request, state, until, expires, sealed = found
    return KeyRow(
        owner=owner, attempt=attempt, request=request, state=state, until=until, expires=expires, sealed=sealed
    )


async def _holds(connection: Connection, name: str, attempt: Attempt) -> bool:
    """Whether an attempt still holds its key; its row is locked."""
    asked = await connection.execute(
        "SELECT 1 FROM narrows_keys WHERE name = %s AND attempt = %s FOR UPDATE", (name, attempt.id)
    )
    return await asked.fetchone() is not None
