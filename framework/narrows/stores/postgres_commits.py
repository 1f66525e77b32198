"""The store of commits in PostgreSQL: what makes a live write happen once, whatever machine it comes to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

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
from narrows.stores.postgres_commit_tables import (
    SCHEMA,
    Bound,
    Cursor,
    forget,
    hold_on,
    key_row,
    look,
    look_at_intent,
    spender,
)
from narrows.stores.postgres_server import Connection, PostgresServer


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
        self._confirmations = Bound(bound.confirmations, "SELECT count(*) FROM narrows_confirmations")
        self._receipts = Bound(bound.receipts, "SELECT count(*) FROM narrows_receipts")
        self._keys = Bound(bound.keys, "SELECT count(*) FROM narrows_keys")
        self._open = Bound(bound.open_intents, "SELECT count(*) FROM narrows_intents WHERE NOT settled")
        self._answers = Bound(
            bound.answers_bytes,
            "SELECT coalesce(sum(octet_length(sealed)), 0) FROM narrows_keys WHERE octet_length(sealed) > 0",
        )
        server.expect(SCHEMA)

    async def confirm(self, rehearsal_id: str, owner: Owner) -> None:
        """Note a confirmation. Raises `Unavailable` when the store is full or away."""
        now, name = self._now(), self._envelope.rehearsal(rehearsal_id, owner)
        async with self._server.transaction("commits") as connection:
            await forget(connection, "confirmations", now)
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
        async with self._server.transaction("commits", relaxed=True, piped=True) as connection:
            await forget(connection, "keys", now)
            looked, spent = await look(connection, name), await self._ask_spender(connection, attempt)
            row = await key_row(looked)
            found = NEW if row is None or row.expires <= now else self._envelope.found(name, row, attempt, now)
            if found.state != "new":
                return found
            if await spender(spent) not in (None, attempt.id):
                return Found(state="spent")
            if not name or await self._hold(connection, name, attempt, now, is_held=row is not None):
                return NEW
        # Somebody else has claimed it at this instant; what of, the next look tells.
        return Found(state="running", wait_s=1.0)

    async def intend(self, attempt: Attempt, operation: str) -> Found:
        """Put down the intent and spend the receipt. Raises `Unavailable` when the store is full or away.

        If the answer is lost it may have been put down. Nothing is sent then; a retry of the client finds it begun.
        """
        try:
            async with self._server.transaction("commits", piped=True) as connection:
                await self._try_to_intend(connection, attempt, operation)
        except _Stopped as stopped:
            return Found(state=stopped.state)
        return NEW

    async def settle(self, attempt: Attempt, outcomes: Sequence[Outcome], answer: bytes | None) -> None:
        """Put down the end of an attempt. Raises `Unavailable` when the store is away, or full of receipts.

        If the answer is lost, it may have been put down: a second time changes nothing more.
        """
        ends, name = tuple(outcomes), self._envelope.key(attempt)
        async with self._server.transaction("commits", piped=True) as connection:
            # In the order of an intent, so that none of the two waits for the other.
            looked, kept = await look(connection, name), await look_at_intent(connection, attempt)
            row, intent = await key_row(looked), await kept.fetchone()
            if row is not None and row.attempt == attempt.id:
                await self._settle_key(connection, name, row, ends, answer)
            if intent is not None:
                await self._settle_intent(connection, attempt, intent[0], intent[1], ends)
        # With an effect it was spent by the intent.
        if answer is not None and not ends and attempt.receipt is not None:
            async with self._server.transaction("commits", piped=True) as connection:
                await self._check_receipts(connection, attempt)
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
        if await self._keys.used(connection) >= self._bounds.keys:
            raise full("idempotency key")
        counted = await connection.execute("SELECT count(*) FROM narrows_keys WHERE owner = %s", (owner,))
        put = await connection.execute(
            "INSERT INTO narrows_keys (owner, attempt, request, until, expires, name, state)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'running') ON CONFLICT (name) DO NOTHING RETURNING 1",
            values,
        )
        if (await counted.fetchall())[0][0] >= self._bounds.keys_per_owner:
            raise full("idempotency key")
        return await put.fetchone() is not None

    async def _try_to_intend(self, connection: Connection, attempt: Attempt, operation: str) -> None:
        """Send all of an intent at once. Raises `_Stopped` when an answer speaks against it; then nothing is kept."""
        now, name = self._now(), self._envelope.key(attempt)
        held = await hold_on(connection, name, attempt)
        await self._check_room(connection, attempt)
        spent = await self._spend(connection, attempt, now)
        await self._put_intent(connection, attempt, operation, now)
        if name and await held.fetchone() is None:
            raise _Stopped("running")
        if await spender(spent) not in (None, attempt.id):
            raise _Stopped("spent")

    async def _check_room(self, connection: Connection, attempt: Attempt) -> None:
        """Refuse what there is no room for."""
        await forget(connection, "intents", self._now())
        if await self._open.used(connection) >= self._bounds.open_intents:
            # Who lost key or receipt meanwhile is told that.
            if await spender(await self._ask_spender(connection, attempt)) not in (None, attempt.id):
                raise _Stopped("spent")
            raise full("intent")
        await self._check_receipts(connection, attempt)

    async def _check_receipts(self, connection: Connection, attempt: Attempt) -> None:
        """Refuse a receipt for which there is no room, unless it is spent already."""
        if attempt.receipt is None:
            return
        await forget(connection, "receipts", self._now())
        if await self._receipts.used(connection) < self._bounds.receipts:
            return
        if await spender(await self._ask_spender(connection, attempt)) is None:
            raise full("receipt")

    async def _put_intent(self, connection: Connection, attempt: Attempt, operation: str, now: float) -> None:
        if name := self._envelope.key(attempt):
            await connection.execute(
                "UPDATE narrows_keys SET state = 'intended' WHERE name = %s AND attempt = %s", (name, attempt.id)
            )
        await connection.execute(
            "INSERT INTO narrows_intents (id, expires, sealed) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING",
            (
                attempt.id,
                now + self._lifetimes.commit_s,
                self._envelope.seal_intent(intent_of(attempt, operation, now)),
            ),
        )

    async def _ask_spender(self, connection: Connection, attempt: Attempt) -> Cursor | None:
        """Ask which attempt used the receipt; None without a receipt."""
        if attempt.receipt is None:
            return None
        return await connection.execute(
            "SELECT attempt FROM narrows_receipts WHERE name = %s", (self._envelope.receipt(attempt),)
        )

    async def _spend(self, connection: Connection, attempt: Attempt, now: float) -> Cursor | None:
        """Note that the receipt is used, and ask by whom; of two at one instant the second waits for the first."""
        if attempt.receipt is None:
            return None
        return await connection.execute(
            "INSERT INTO narrows_receipts AS r VALUES (%s, %s, %s)"
            " ON CONFLICT (name) DO UPDATE SET attempt = r.attempt RETURNING attempt",
            (self._envelope.receipt(attempt), attempt.id, now + self._lifetimes.rehearsal_s),
        )

    async def _settle_intent(
        self, connection: Connection, attempt: Attempt, seq: int, sealed: bytes, outcomes: tuple[Outcome, ...]
    ) -> None:
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
        self, connection: Connection, name: str, row: KeyRow, outcomes: tuple[Outcome, ...], answer: bytes | None
    ) -> None:
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


class _Stopped(Exception):
    """Something that was asked along speaks against an intent."""

    def __init__(self, state: Literal["running", "spent"]) -> None:
        self.state: Literal["running", "spent"] = state
