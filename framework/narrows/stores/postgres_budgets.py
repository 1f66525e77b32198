"""Budgets in PostgreSQL: every process that shares the database shares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from narrows.stores.budgets import (
    GRACE_S,
    Account,
    Charge,
    Row,
    Standing,
    Verdict,
    keep_until,
    settled,
    standings,
    taken,
)
from narrows.stores.postgres_server import Connection, PostgresServer, Schema

SCHEMA = Schema(
    "budgets",
    1,
    """
CREATE TABLE narrows_budgets (
    name text PRIMARY KEY,
    start bigint NOT NULL,
    used bigint NOT NULL,
    told smallint NOT NULL,
    until bigint NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE narrows_reservations (id text PRIMARY KEY, until double precision NOT NULL, starts jsonb NOT NULL);
CREATE INDEX narrows_budgets_until ON narrows_budgets (until);
CREATE INDEX narrows_reservations_until ON narrows_reservations (until);
""",
)
# Rows are made and locked in the order of their names, so that two questions never wait for each other in a circle.
# Each question is two statements, because others wait for its rows until it has ended.
_LOCK = """
INSERT INTO narrows_budgets AS kept
SELECT name, 0, 0, 0, until FROM unnest(%(names)s::text[], %(untils)s::bigint[]) AS new (name, until) ORDER BY name
ON CONFLICT (name) DO UPDATE SET until = kept.until RETURNING kept.name, kept.start, kept.used, kept.told
"""
_LOCK_TO_RESERVE = f"""
WITH kept AS ({_LOCK}) SELECT *, (SELECT starts FROM narrows_reservations WHERE id = %(id)s) FROM kept
"""  # noqa: S608 # all of it stands here
_LOCK_TO_SETTLE = f"""
WITH kept AS ({_LOCK}),
gone AS (
    DELETE FROM narrows_reservations WHERE id = %(id)s RETURNING CASE WHEN until >= %(since)s THEN starts END AS starts
)
SELECT *, (SELECT starts FROM gone) FROM kept
"""  # noqa: S608 # all of it stands here
_READ = "SELECT name, start, used, told FROM narrows_budgets WHERE name = ANY(%s)"
_WRITE = """
UPDATE narrows_budgets AS kept SET start = new.start, used = new.used, told = new.told, until = new.until
FROM unnest(%(names)s::text[], %(starts)s::bigint[], %(used)s::bigint[], %(told)s::smallint[], %(untils)s::bigint[])
    AS new (name, start, used, told, until)
WHERE kept.name = new.name
"""
_WRITE_AND_RESERVE = f"""
WITH made AS (INSERT INTO narrows_reservations VALUES (%(id)s, %(until)s, %(reserved)s::jsonb)) {_WRITE}
"""  # noqa: S608 # all of it stands here
# What somebody else is about to use is left to them.
_SWEEP = """
DELETE FROM narrows_budgets WHERE name IN (
    SELECT name FROM narrows_budgets WHERE until <= %s ORDER BY name LIMIT 100 FOR UPDATE SKIP LOCKED
)
"""
_SWEEP_RESERVATIONS = """
DELETE FROM narrows_reservations WHERE id IN (
    SELECT id FROM narrows_reservations WHERE until < %s ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED
)
"""
_SWEEP_EVERY_S = 60.0


class PostgresBudgets:
    """Keeps them in tables of their own; `now` gives seconds of the wall clock."""

    forgets = False

    def __init__(self, server: PostgresServer, now: Callable[[], float]) -> None:
        self._server = server
        self._now = now
        self._sweep_at = 0.0
        server.expect(SCHEMA)

    async def reserve(self, reservation: str, charges: Sequence[Charge], until: float) -> Verdict:
        """Take all charges or none, until `settle`. Raises `Unavailable` when the server is away."""
        now = self._now()
        await self._sweep(now)
        async with self._server.transaction("budgets") as connection:
            rows, reserved = await _lock(connection, _LOCK_TO_RESERVE, charges, now, id=reservation)
            if reserved is not None:
                return Verdict(True, standings([charge.account for charge in charges], rows, now))
            verdict, changed = taken(charges, rows, now, settles=True)
            if verdict.granted:
                starts = msgspec.json.encode({name: row.start for name, row in changed.items()}).decode()
                await _write(
                    connection, _WRITE_AND_RESERVE, charges, changed, id=reservation, until=until, reserved=starts
                )
            else:
                await _write(connection, _WRITE, charges, changed)
        return verdict

    async def settle(self, reservation: str, charges: Sequence[Charge], spent: int) -> Verdict:
        """Give back of each charge what was not spent. Raises `Unavailable`."""
        now = self._now()
        async with self._server.transaction("budgets") as connection:
            known = {"id": reservation, "since": now - GRACE_S}
            rows, reserved = await _lock(connection, _LOCK_TO_SETTLE, charges, now, **known)
            verdict, changed = settled(charges, reserved or {}, rows, spent, now)
            await _write(connection, _WRITE, charges, changed)
        return verdict

    async def count(self, charges: Sequence[Charge], *, forced: bool = False) -> Verdict:
        """Take all charges or none, for good. Raises `Unavailable`."""
        now = self._now()
        await self._sweep(now)
        async with self._server.transaction("budgets") as connection:
            rows, _ = await _lock(connection, _LOCK, charges, now)
            verdict, changed = taken(charges, rows, now, settles=False, forced=forced)
            await _write(connection, _WRITE, charges, changed)
        return verdict

    async def standing(self, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        """How accounts stand. Raises `Unavailable`."""
        async with self._server.transaction("budgets") as connection:
            found = await connection.execute(_READ, ([account.name for account in accounts],))
            return standings(accounts, _rows(await found.fetchall()), self._now())

    async def close(self) -> None:
        """Nothing is held: the server is closed by whoever opened it."""

    async def _sweep(self, now: float) -> None:
        """Forget what has long ended, now and then, and before a question: what it locks, no question waits for."""
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_EVERY_S
            async with self._server.transaction("budgets") as connection:
                await connection.execute(_SWEEP, (now,))
                await connection.execute(_SWEEP_RESERVATIONS, (now - GRACE_S,))


async def _lock(
    connection: Connection, statement: str, charges: Sequence[Charge], now: float, **more: object
) -> tuple[dict[str, Row], dict[str, int] | None]:
    """The rows, made if they are new, and locked until the transaction ends; with what was reserved, if asked."""
    accounts = [charge.account for charge in charges]
    # Until a first period stands in it, a row is kept as one of now would be.
    untils = [keep_until(account, Row(int(now))) for account in accounts]
    values = {"names": [account.name for account in accounts], "untils": untils, **more}
    found = await (await connection.execute(statement.encode(), values)).fetchall()
    return _rows(found), found[0][-1] if more else None


def _rows(found: Sequence[tuple[Any, ...]]) -> dict[str, Row]:
    return {name: Row(start, used, told) for name, start, used, told, *_ in found}


async def _write(
    connection: Connection, statement: str, charges: Sequence[Charge], changed: Mapping[str, Row], **more: object
) -> None:
    if not changed:
        return
    written = [(charge.account, changed[charge.account.name]) for charge in charges if charge.account.name in changed]
    values = {
        "names": [account.name for account, _ in written],
        "starts": [row.start for _, row in written],
        "used": [row.used for _, row in written],
        "told": [row.told for _, row in written],
        "untils": [keep_until(account, row) for account, row in written],
    }
    await connection.execute(statement.encode(), {**values, **more})
