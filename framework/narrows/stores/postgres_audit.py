"""The audit log in PostgreSQL, which the processes of a fleet share. BFFs that share a database share one log."""

from __future__ import annotations

from collections.abc import Sequence

from narrows.stores.audit import HASH_BYTES, Head, Kept, Node, Person
from narrows.stores.postgres_server import PostgresServer, Schema

SCHEMA = Schema(
    "audit",
    1,
    """
CREATE TABLE narrows_audit_head (
    one integer PRIMARY KEY CHECK (one = 1), size bigint NOT NULL, peaks bytea NOT NULL
);
INSERT INTO narrows_audit_head VALUES (1, 0, '');
CREATE TABLE narrows_audit_leaves (place bigint PRIMARY KEY, leaf bytea NOT NULL);
CREATE TABLE narrows_audit_nodes (
    level integer NOT NULL, place bigint NOT NULL, digest bytea NOT NULL, PRIMARY KEY (level, place)
);
CREATE TABLE narrows_audit_kept (name text PRIMARY KEY, version bigint NOT NULL, value bytea NOT NULL);
CREATE TABLE narrows_audit_persons (lookup bytea PRIMARY KEY, hash text NOT NULL UNIQUE, sealed bytea NOT NULL);
""",
)

_CALLED = "audit"
_FORGET = (
    # The rows that stay go into a new file, and the old one, with what was forgotten, is removed when this is over.
    "SET LOCAL statement_timeout TO '60s'",
    "CREATE TEMPORARY TABLE narrows_audit_staying ON COMMIT DROP AS SELECT * FROM narrows_audit_persons",
    "TRUNCATE narrows_audit_persons",
    "INSERT INTO narrows_audit_persons SELECT * FROM narrows_audit_staying",
)


class PostgresAuditStore:
    """Keeps an audit log where several processes share it; each `append` is one transaction."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        server.expect(SCHEMA)

    async def head(self) -> Head:
        """How far the log goes."""
        async with self._server.transaction(_CALLED) as connection:
            asked = await connection.execute("SELECT size, peaks FROM narrows_audit_head")
            [(size, peaks)] = await asked.fetchall()
        return Head(size, tuple(peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)))

    async def append(self, was: Head, head: Head, leaves: Sequence[bytes], nodes: Sequence[Node]) -> bool:
        """Add leaves durably, all or none; False when the head is not `was` any more.

        If the answer is lost they may have been added: whoever tries again finds them at their place.
        """
        async with self._server.transaction(_CALLED) as connection:
            set_ = await connection.execute(
                "UPDATE narrows_audit_head SET size = %s, peaks = %s WHERE size = %s AND peaks = %s",
                (head.size, b"".join(head.peaks), was.size, b"".join(was.peaks)),
            )
            if set_.rowcount == 0:
                return False
            await connection.execute(
                "INSERT INTO narrows_audit_leaves SELECT * FROM unnest(%s::bigint[], %s::bytea[])",
                (list(range(was.size, head.size)), list(leaves)),
            )
            levels, places, digests = map(list, zip(*nodes, strict=True))
            await connection.execute(
                "INSERT INTO narrows_audit_nodes SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::bytea[])",
                (levels, places, digests),
            )
        return True

    async def leaves(self, start: int, count: int) -> list[bytes]:
        """The leaves from an index on, in order; fewer at the end."""
        async with self._server.transaction(_CALLED) as connection:
            asked = await connection.execute(
                "SELECT leaf FROM narrows_audit_leaves WHERE place >= %s ORDER BY place LIMIT %s",
                (start, max(count, 0)),
            )
            return [leaf for (leaf,) in await asked.fetchall()]

    async def nodes(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        """The digests of complete subtrees. Raises `KeyError` for one that is none."""
        levels, places = [level for level, _ in wanted], [place for _, place in wanted]
        async with self._server.transaction(_CALLED) as connection:
            asked = await connection.execute(
                "SELECT level, place, digest FROM narrows_audit_nodes"
                " JOIN unnest(%s::integer[], %s::bigint[]) AS wanted (level, place) USING (level, place)",
                (levels, places),
            )
            found = {(level, place): digest for level, place, digest in await asked.fetchall()}
        return [found[place] for place in wanted]

    async def kept(self, name: str) -> Kept | None:
        """A small value that goes with the log."""
        async with self._server.transaction(_CALLED) as connection:
            asked = await connection.execute("SELECT version, value FROM narrows_audit_kept WHERE name = %s", (name,))
            return next((Kept(*row) for row in await asked.fetchall()), None)

    async def keep(self, name: str, was: int, value: bytes) -> bool:
        """Put a small value if its version is still `was`."""
        put = (
            "INSERT INTO narrows_audit_kept VALUES (%(name)s, 1, %(value)s) ON CONFLICT (name) DO NOTHING"
            if was == 0
            else "UPDATE narrows_audit_kept SET version = version + 1, value = %(value)s"
            " WHERE name = %(name)s AND version = %(was)s"
        )
        async with self._server.transaction(_CALLED) as connection:
            return (await connection.execute(put, {"name": name, "was": was, "value": value})).rowcount == 1

    async def person(self, lookup: bytes) -> Person | None:
        """Who was put under a lookup."""
        return await self._person("SELECT hash, sealed FROM narrows_audit_persons WHERE lookup = %s", lookup)

    async def put_person(self, lookup: bytes, person: Person) -> Person:
        """Put somebody unless somebody else did it first; answers what is kept then."""
        async with self._server.transaction(_CALLED) as connection:
            # What is there already is answered too, and nobody can take it away before this is over.
            asked = await connection.execute(
                "INSERT INTO narrows_audit_persons VALUES (%s, %s, %s)"
                " ON CONFLICT (lookup) DO UPDATE SET lookup = excluded.lookup RETURNING hash, sealed",
                (lookup, *person),
            )
            [row] = await asked.fetchall()
            return Person(*row)

    async def find_person(self, hash: str) -> Person | None:  # noqa: A002 # the protocol's name
        """Who a hash of the log leads to."""
        return await self._person("SELECT hash, sealed FROM narrows_audit_persons WHERE hash = %s", hash)

    async def forget_person(self, lookup: bytes) -> bool:
        """Destroy what leads to somebody, so that the table's file holds nothing of it; whether there was anything.

        The server's write-ahead log and its backups hold it until they are recycled.
        """
        async with self._server.transaction(_CALLED) as connection:
            await connection.execute("LOCK TABLE narrows_audit_persons IN ACCESS EXCLUSIVE MODE")
            gone = await connection.execute("DELETE FROM narrows_audit_persons WHERE lookup = %s", (lookup,))
            for statement in _FORGET if gone.rowcount else ():
                await connection.execute(statement)
            return gone.rowcount == 1

    async def close(self) -> None:
        """The connections belong to whoever made the servers."""

    async def _person(self, asking: str, value: bytes | str) -> Person | None:
        async with self._server.transaction(_CALLED) as connection:
            asked = await connection.execute(asking.encode(), (value,))
            return next((Person(*row) for row in await asked.fetchall()), None)
