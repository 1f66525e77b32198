"""The review queue: what a policy held back until an approver decides, and every decision of the gate, append-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from narrows.stores.sealing import Sealer, frame
from narrows.stores.sqlite_file import SqliteFile

Verdict = Literal["waiting", "granted", "denied"]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a connector's record asks for, and that a policy denies without a grant.

    `digest` is that of the record: another record is another review. Times are seconds since 1970.
    """

    connector: str
    grant: str
    digest: str
    tenant: str
    owner: str
    contact: str
    policy: str
    rule: str
    message: str
    asked_at: float
    verdict: Verdict = "waiting"
    by: str = ""
    decided_at: float | None = None
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells reviews apart."""
        return (self.connector, self.grant, self.digest)


class Reviews(Protocol):
    """Keeps reviews and decisions, sealed at rest. Its methods raise `Unavailable` when the store is away."""

    async def open(self, reviews: Iterable[Review]) -> None:
        """Put reviews into the queue; one whose key is kept already stays as it is."""
        ...

    async def decide(self, review: Review, was: Verdict = "waiting") -> bool:
        """Keep the verdict on a review, and say whether its verdict was still `was`."""
        ...

    async def all(self) -> list[Review]:
        """Every review, in the order in which they were opened."""
        ...

    async def note(self, line: bytes) -> None:
        """Add a line to the history of decisions, which nobody alters."""
        ...

    async def history(self) -> list[bytes]:
        """The lines, oldest first."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class ReviewEnvelope:
    """Names and seals reviews and lines, wherever they lie: one that is moved, or whose verdict is changed beside it,
    does not open and counts for nothing. `key` has 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._sealer = Sealer(key, purpose="reviews")

    def row(self, review: Review) -> tuple[str, Verdict, bytes]:
        """The name, the verdict and the sealed text of a review."""
        name = self._sealer.digest("review", *review.key)
        return name, review.verdict, self._sealer.seal(msgspec.json.encode(review), frame(name, review.verdict))

    def reviews(self, rows: Iterable[tuple[str, str, bytes]]) -> list[Review]:
        """The reviews of rows, without those that do not open."""
        opened = [self._sealer.open(sealed, frame(name, verdict)) for name, verdict, sealed in rows]
        return [msgspec.json.decode(document, type=Review) for document in opened if document is not None]

    def seal_line(self, line: bytes) -> bytes:
        """Seal a line of the history."""
        return self._sealer.seal(line, frame("line"))

    def lines(self, rows: Iterable[tuple[bytes]]) -> list[bytes]:
        """The lines of rows, without those that do not open."""
        opened = [self._sealer.open(sealed, frame("line")) for (sealed,) in rows]
        return [line for line in opened if line is not None]


class MemoryReviews:
    """A queue that ends with the process: for tests and for development."""

    def __init__(self) -> None:
        self._reviews: dict[tuple[str, str, str], Review] = {}
        self._lines: list[bytes] = []

    async def open(self, reviews: Iterable[Review]) -> None:
        """Put reviews into the queue."""
        for review in reviews:
            self._reviews.setdefault(review.key, review)

    async def decide(self, review: Review, was: Verdict = "waiting") -> bool:
        """Keep the verdict on a review."""
        kept = self._reviews.get(review.key)
        if kept is None or kept.verdict != was:
            return False
        self._reviews[review.key] = review
        return True

    async def all(self) -> list[Review]:
        """Every review."""
        return list(self._reviews.values())

    async def note(self, line: bytes) -> None:
        """Add a line to the history."""
        self._lines.append(line)

    async def history(self) -> list[bytes]:
        """The lines, oldest first."""
        return list(self._lines)

    async def close(self) -> None:
        """Nothing is held."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS reviews (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, verdict TEXT NOT NULL, sealed BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS decisions (seq INTEGER PRIMARY KEY AUTOINCREMENT, sealed BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS reviews_kept BEFORE DELETE ON reviews BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER IF NOT EXISTS decisions_kept BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER IF NOT EXISTS decisions_fixed BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""


class SqliteReviews:
    """A queue in a file (mode 0600) that several processes share; it may be that of the registry of connectors.

    Rows are sealed with `key` (32 bytes): one that is moved, or whose verdict is changed in the file, does not open and
    counts for nothing. Raises OSError or sqlite3.Error when the file cannot be opened.
    """

    def __init__(self, path: str | Path, key: bytes) -> None:
        self._envelope = ReviewEnvelope(key)
        self._file = SqliteFile(path, _SCHEMA, "reviews", durable=True)

    async def open(self, reviews: Iterable[Review]) -> None:
        """Put reviews into the queue."""
        await self._file.run(self._open, list(reviews))

    async def decide(self, review: Review, was: Verdict = "waiting") -> bool:
        """Keep the verdict on a review."""
        return await self._file.run(self._decide, review, was)

    async def all(self) -> list[Review]:
        """Every review."""
        return await self._file.run(self._all)

    async def note(self, line: bytes) -> None:
        """Add a line to the history."""
        await self._file.run(self._note, line)

    async def history(self) -> list[bytes]:
        """The lines, oldest first."""
        return await self._file.run(self._history)

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()

    def _open(self, connection: sqlite3.Connection, reviews: list[Review]) -> None:
        with connection:
            for review in reviews:
                row = self._envelope.row(review)
                connection.execute("INSERT OR IGNORE INTO reviews (key, verdict, sealed) VALUES (?, ?, ?)", row)

    def _decide(self, connection: sqlite3.Connection, review: Review, was: Verdict) -> bool:
        name, verdict, sealed = self._envelope.row(review)
        with connection:
            changed = connection.execute(
                "UPDATE reviews SET verdict = ?, sealed = ? WHERE key = ? AND verdict = ?", (verdict, sealed, name, was)
            )
        return changed.rowcount == 1

    def _all(self, connection: sqlite3.Connection) -> list[Review]:
        return self._envelope.reviews(connection.execute("SELECT key, verdict, sealed FROM reviews ORDER BY seq"))

    def _note(self, connection: sqlite3.Connection, line: bytes) -> None:
        with connection:
            connection.execute("INSERT INTO decisions (sealed) VALUES (?)", (self._envelope.seal_line(line),))

    def _history(self, connection: sqlite3.Connection) -> list[bytes]:
        return self._envelope.lines(connection.execute("SELECT sealed FROM decisions ORDER BY seq"))
