"""The review queue in PostgreSQL: several machines share it, and nobody takes a line of its history out."""

from __future__ import annotations

from collections.abc import Iterable

from narrows.stores.postgres_server import PostgresServer, Schema
from narrows.stores.reviews import Review, ReviewEnvelope, Verdict

SCHEMA = Schema(
    "reviews",
    1,
    """
CREATE TABLE narrows_reviews (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    verdict text NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE narrows_decisions (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sealed bytea NOT NULL);
CREATE FUNCTION narrows_reviews_append_only() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'append only'; END $$;
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON narrows_reviews
    EXECUTE FUNCTION narrows_reviews_append_only();
CREATE TRIGGER kept BEFORE DELETE OR UPDATE OR TRUNCATE ON narrows_decisions
    EXECUTE FUNCTION narrows_reviews_append_only();
""",
)


class PostgresReviews:
    """A queue that several processes share; it lies beside the registry of connectors.

    Rows are sealed with `key` (32 bytes): one that is moved, or whose verdict is changed in the table, does not open
    and counts for nothing. Its methods raise `Unavailable`.
    """

    def __init__(self, server: PostgresServer, key: bytes) -> None:
        self._server = server
        self._envelope = ReviewEnvelope(key)
        server.expect(SCHEMA)

    async def open(self, reviews: Iterable[Review]) -> None:
        """Put reviews into the queue; two processes that open the same one at once open it once."""
        async with self._server.transaction("reviews") as connection:
            for review in sorted(reviews, key=lambda one: one.key):
                await connection.execute(
                    "INSERT INTO narrows_reviews (key, verdict, sealed) VALUES (%s, %s, %s)"
                    " ON CONFLICT (key) DO NOTHING",
                    self._envelope.row(review),
                )

    async def decide(self, review: Review, was: Verdict = "waiting") -> bool:
        """Keep the verdict on a review. If the answer is lost, it may have been kept: asking again then says False."""
        name, verdict, sealed = self._envelope.row(review)
        async with self._server.transaction("reviews") as connection:
            changed = await connection.execute(
                "UPDATE narrows_reviews SET verdict = %s, sealed = %s WHERE key = %s AND verdict = %s",
                (verdict, sealed, name, was),
            )
            return changed.rowcount == 1

    async def all(self) -> list[Review]:
        """Every review, in the order in which they were opened."""
        async with self._server.transaction("reviews") as connection:
            rows = await (
                await connection.execute("SELECT key, verdict, sealed FROM narrows_reviews ORDER BY seq")
            ).fetchall()
        return self._envelope.reviews(rows)

    async def note(self, line: bytes) -> None:
        """Add a line to the history. If the answer is lost, it may have been added."""
        async with self._server.transaction("reviews") as connection:
            row = (self._envelope.seal_line(line),)
            await connection.execute("INSERT INTO narrows_decisions (sealed) VALUES (%s)", row)

    async def history(self) -> list[bytes]:
        """The lines, oldest first."""
        async with self._server.transaction("reviews") as connection:
            rows = await (await connection.execute("SELECT sealed FROM narrows_decisions ORDER BY seq")).fetchall()
        return self._envelope.lines(rows)

    async def close(self) -> None:
        """Nothing is held: the server belongs to all stores."""
