"""The registry of connectors in PostgreSQL: all machines of a BFF decide by the same one."""

from __future__ import annotations

import msgspec

from narrows.stores.postgres_server import Connection, PostgresServer, Schema
from narrows.stores.registry import Change, Registered, changed_meanwhile
from narrows.stores.registry_sealing import RegistryEnvelope

SCHEMA = Schema(
    "connectors",
    1,
    """
CREATE TABLE narrows_connectors (name text PRIMARY KEY, generation bigint NOT NULL, sealed bytea NOT NULL);
CREATE TABLE narrows_changes (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, sealed bytea NOT NULL
);
CREATE INDEX narrows_changes_name ON narrows_changes (name, seq);
CREATE TABLE narrows_registry (one integer PRIMARY KEY CHECK (one = 1), generation bigint NOT NULL);
INSERT INTO narrows_registry VALUES (1, 0);
CREATE FUNCTION narrows_changes_append_only() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'append only'; END $$;
CREATE TRIGGER kept BEFORE DELETE OR UPDATE OR TRUNCATE ON narrows_changes
    EXECUTE FUNCTION narrows_changes_append_only();
""",
)


class PostgresConnectors:
    """A registry that several processes share; every change is on the disk before its method returns.

    Records and changes are sealed with `key` (32 bytes), and names are keyed digests; a sealed row that is moved or put
    back to an older generation does not open. Its methods raise `Unavailable`.
    """

    def __init__(self, server: PostgresServer, key: bytes) -> None:
        self._server = server
        self._envelope = RegistryEnvelope(key)
        server.expect(SCHEMA)

    async def generation(self) -> int:
        """A number that grows with every change; one read of one row."""
        async with self._server.transaction("connectors") as connection:
            return await _generation(connection)

    async def all(self) -> tuple[int, list[Registered]]:
        """The generation, and every connector as it was then, sorted by id."""
        async with self._server.transaction("connectors") as connection:
            # One statement sees one moment, so that the generation is that of the rows.
            asked = await connection.execute(
                "SELECT r.generation, c.name, c.generation, c.sealed"
                " FROM narrows_registry r LEFT JOIN narrows_connectors c ON true"
            )
            rows = await asked.fetchall()
        entries = [self._envelope.open(*row[1:]) for row in rows if row[1] is not None]
        return rows[0][0], sorted(entries, key=lambda entry: entry.id)

    async def get(self, connector_id: str) -> Registered | None:
        """One connector."""
        async with self._server.transaction("connectors") as connection:
            asked = await connection.execute(
                "SELECT name, generation, sealed FROM narrows_connectors WHERE name = %s",
                (self._envelope.name(connector_id),),
            )
            row = await asked.fetchone()
        return self._envelope.open(*row) if row else None

    async def put(self, entry: Registered, change: Change, was: int) -> Registered:
        """Keep a connector and the change that led to it. Raises `ConnectorError` when it was changed meanwhile.

        If the answer is lost, it may have been kept: whoever tries again from the same `was` is told of a change.
        """
        name = self._envelope.name(entry.id)
        async with self._server.transaction("connectors") as connection:
            # The one row of the registry is locked first, so that changes come one after the other.
            await connection.execute("UPDATE narrows_registry SET generation = generation + 1")
            asked = await connection.execute("SELECT generation FROM narrows_connectors WHERE name = %s", (name,))
            row = await asked.fetchone()
            if was != (row[0] if row else 0):
                raise changed_meanwhile(entry.id)
            made = msgspec.structs.replace(entry, generation=await _generation(connection))
            await connection.execute(
                "INSERT INTO narrows_connectors VALUES (%s, %s, %s)"
                " ON CONFLICT (name) DO UPDATE SET generation = excluded.generation, sealed = excluded.sealed",
                (name, made.generation, self._envelope.seal(made)),
            )
            await self._add(connection, change)
        return made

    async def note(self, change: Change) -> None:
        """Add to the history what changed nothing. If the answer is lost, it may have been added."""
        async with self._server.transaction("connectors") as connection:
            await self._add(connection, change)

    async def history(self, connector_id: str | None = None) -> list[Change]:
        """The changes of one connector or of all, oldest first."""
        name = None if connector_id is None else self._envelope.name(connector_id)
        async with self._server.transaction("connectors") as connection:
            asked = await connection.execute(
                "SELECT name, sealed FROM narrows_changes WHERE %(name)s::text IS NULL OR name = %(name)s ORDER BY seq",
                {"name": name},
            )
            rows = await asked.fetchall()
        return [self._envelope.open_change(name, sealed) for name, sealed in rows]

    async def close(self) -> None:
        """Nothing is held: the server belongs to all stores."""

    async def _add(self, connection: Connection, change: Change) -> None:
        row = (self._envelope.name(change.connector), self._envelope.seal_change(change))
        await connection.execute("INSERT INTO narrows_changes (name, sealed) VALUES (%s, %s)", row)


async def _generation(connection: Connection) -> int:
    rows = await (await connection.execute("SELECT generation FROM narrows_registry")).fetchall()
    return int(rows[0][0])
