"""One SQLite file and the one thread that works on it: what the embedded stores on disk share."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from narrows.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("narrows.stores")

_BUSY_S = 5.0
_PRAGMAS = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = {synchronous};
PRAGMA secure_delete = ON;
"""


class SqliteFile:
    """A file that several processes of one machine may share. It belongs to its user alone (mode 0600).

    `schema` is run at opening; `called` names the store in what a client reads when it is away. `durable` makes each
    commit reach the disk before it returns. One worker thread does the work, so that the loop never waits for the disk.
    A file that was moved away or replaced is not worked on any more, because other processes would not know of it.
    Raises OSError or sqlite3.Error when the file cannot be opened.
    """

    def __init__(self, path: str | Path, schema: str, called: str, *, durable: bool = False) -> None:
        self._called = called
        self.connection = _connect(Path(path), _PRAGMAS.format(synchronous="FULL" if durable else "NORMAL") + schema)
        self._path = Path(path).absolute()
        self._opened = _place(self._path)
        self._told = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=f"narrows-{called.replace(' ', '-')}")
        self._closed = False

    async def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do it in the worker, one at a time. Raises `Unavailable` when SQLite fails, or the file is another by now."""

        def on_the_same_file() -> T:
            self._check_place()
            return work(self.connection, *args, **kwargs)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, on_the_same_file)
        except sqlite3.Error as error:
            raise self._away() from error

    async def close(self) -> None:
        """Close the file once what was begun has ended; a second time does nothing."""
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._worker, self.connection.close)
            self._worker.shutdown()

    def _check_place(self) -> None:
        if _place(self._path) == self._opened:
            return
        if not self._told:
            self._told = True
            _log.error("the file of the store of %s was moved or replaced: restart this process", self._called)
        raise self._away()

    def _away(self) -> Unavailable:
        return Unavailable(f"The store of {self._called} is away.", headers={"Retry-After": "5"})


def _place(path: Path) -> tuple[int, int] | None:
    """Which file a path names; None when there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path, script: str) -> sqlite3.Connection:
    """Open the file, made with its mode before SQLite sees it: `-wal` and `-shm` take the mode over."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # It is not opened here: closing it would end the locks that this process holds on it (POSIX advisory locks),
        # and the next process to leave the file would take away the log that another store here still writes to.
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(f"{path} is a symbolic link, or not a plain file") from None
        os.chmod(path, 0o600)
    # The worker alone uses it after this; IMMEDIATE lets two processes queue where DEFERRED would fail half-way.
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level="IMMEDIATE", check_same_thread=False)
    try:
        connection.executescript(script)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
