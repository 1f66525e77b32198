"""One file of SQLite that several stores of one process and other processes work on at the same time."""

import os
import subprocess
import sys

import pytest

from narrows.stores.sqlite_file import SqliteFile

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER)"
ELSEWHERE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
with connection:
    connection.execute("INSERT INTO numbers VALUES (7)")
connection.close()
"""


def read(connection):
    """What is in the table."""
    return [number for (number,) in connection.execute("SELECT number FROM numbers")]


def add(connection, number):
    """Put one more in."""
    with connection:
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))


def leave_by_another_process(path):
    """Let another process write, and be the last to close the file as far as it can see."""
    subprocess.run([sys.executable, "-c", ELSEWHERE, path], check=True)  # noqa: S603 # our own text


async def test_a_second_store_on_the_file_leaves_the_first_its_locks(tmp_path):
    """Else the next process to close the file takes the log away under it: its writes are lost, its reads are old."""
    first = SqliteFile(tmp_path / "n.db", SCHEMA, "numbers")
    await first.run(add, 1)
    second = SqliteFile(tmp_path / "n.db", SCHEMA, "numbers")
    leave_by_another_process(tmp_path / "n.db")
    assert (tmp_path / "n.db-wal").exists()
    await first.run(add, 2)
    assert [await file.run(read) for file in (first, second)] == [[1, 7, 2]] * 2
    await first.close()
    await second.close()


async def test_a_file_of_before_becomes_its_users_alone(tmp_path):
    """Whoever made it with a wider mode."""
    path = tmp_path / "n.db"
    path.touch(0o666)
    path.chmod(0o666)
    await SqliteFile(path, SCHEMA, "numbers").close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("what", ["link", "folder", "pipe"])
def test_what_is_no_plain_file_is_not_opened(tmp_path, what):
    """A link could lead to a file of somebody else."""
    path = tmp_path / "n.db"
    if what == "link":
        (tmp_path / "other").touch()
        path.symlink_to(tmp_path / "other")
    elif what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(OSError, match="not a plain file"):
        SqliteFile(path, SCHEMA, "numbers")
