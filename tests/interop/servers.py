"""Real servers of others, started for the tests on loopback, on free ports, with folders of their own."""

import asyncio
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from narrows.errors import Unavailable

T = TypeVar("T")

TRIES, PAUSE_S = 1200, 0.05


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def back(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until a server that was started again is found, which takes what a pool leaves between two tries."""
    for _ in range(TRIES):
        try:
            return await ask()
        except Unavailable:
            await asyncio.sleep(PAUSE_S)  # its pool tries by real time
    return await ask()


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds that another program does."""
    for _ in range(TRIES):
        if holds():
            return
        await asyncio.sleep(PAUSE_S)  # another program can only be waited for
    raise AssertionError("it did not come to hold")


class Server:
    """One server: `start`, `stop`, and `kill` as a machine that loses its power would. Its port stays the same."""

    def __init__(
        self, name: str, folder: Path, command: Callable[[int], Sequence[str | Path]], user: int | None = None
    ):
        self.port = free_port()
        self.log = folder / f"{name}.log"
        self._name, self._folder, self._command, self._user = name, folder, command, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 # the server of the test
                [str(part) for part in self._command(self.port)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user and os.stat(self._folder).st_gid,
                extra_groups=[] if self._user is not None else None,
            )
        for _ in range(TRIES):
            if is_open(self.port) and self._is_ready():
                return
            if self._process.poll() is not None:
                break
            time.sleep(PAUSE_S)  # another program's start can only be waited for
        raise RuntimeError(f"{self._name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it; a second time does nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(30)

    def kill(self) -> None:
        """End it without a word."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: it takes connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _is_ready(self) -> bool:
        return True


class RedisPeer(Server):
    """Redis that puts every write on the disk before it answers."""

    def __init__(self, folder: Path) -> None:
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        super().__init__(
            "redis", folder, lambda port: ("redis-server", "--bind", "127.0.0.1", "--port", str(port), *durable)
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _is_ready(self) -> bool:
        # It listens while it still reads its file.
        with socket.create_connection(("127.0.0.1", self.port), 2) as asking:
            asking.sendall(b"PING\r\n")
            return asking.recv(64).startswith(b"+PONG")


class PostgresPeer(Server):
    """PostgreSQL with a database of its own, which refuses to run as root and so runs as `postgres` there.

    A `durable` one waits for the disk, for those who measure.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        found = postgres_bin()
        assert found is not None, "PostgreSQL is missing: `make interop` installs it"
        self._bin = found
        self._places = itertools.count()
        root = os.geteuid() == 0
        user = os.stat("/var/lib/postgresql").st_uid if root else None
        data = folder / "data"
        if user is not None:
            os.chown(folder, user, -1)
        subprocess.run(  # noqa: S603 # the server's own program
            [self._bin / "initdb", "-D", data, "-A", "trust", "-U", "narrows", "-E", "UTF8", "--no-instructions"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
        )
        # What a kill leaves is in the hands of the system, so that the tests need not wait for the disk.
        options = (
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=100"),
            *("-c", "max_wal_size=64MB", "-c", f"fsync={'on' if durable else 'off'}"),
        )
        super().__init__(
            "postgres", folder, lambda port: (self._bin / "postgres", "-D", data, "-p", str(port), *options), user
        )

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://narrows@127.0.0.1:{self.port}/postgres"

    def place(self) -> str:
        """Make a schema that nobody else uses; its URL."""
        name = f"place_{next(self._places)}"
        self.ask(f"CREATE SCHEMA {name}")
        return f"{self.url}?options=-csearch_path%3D{name}"

    def give_up(self, url: str) -> None:
        """Take a place away with all that is in it, so that the server has not ever more to look at after a crash."""
        place = url.rpartition("%3D")[2]
        self.ask(f"SET lock_timeout = '5s'; DROP SCHEMA {place} CASCADE")

    def ask(self, statement: str, url: str = "") -> list[tuple[Any, ...]]:
        """Do something past the pools of the tests; its rows, if it has any."""
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            answer = connection.execute(statement.encode())
            return answer.fetchall() if answer.description else []

    def let_in(self, rule: str) -> None:
        """Put a rule of who may come before the others of pg_hba.conf."""
        file = self._folder / "data" / "pg_hba.conf"
        file.write_text(f"{rule}\n{file.read_text()}")
        self.ask("SELECT pg_reload_conf()")

    def kill(self) -> None:
        """End it without a word, its children too, and take away the lock that a dead machine leaves."""
        process = self._process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        super().kill()
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                continue
        # A kill is an order: until it is carried out, a connection of before still answers.
        for _ in range(TRIES):
            if not any(_lives(child) for child in children):
                return
            time.sleep(PAUSE_S)  # another program's end can only be waited for
        raise RuntimeError("processes of PostgreSQL outlive their end")

    def _is_ready(self) -> bool:
        asked = [self._bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(asked, check=False).returncode == 0  # noqa: S603 # the server's own program


def _lives(pid: str) -> bool:
    """Whether a process is there that is not a mere entry which nobody has taken away yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "XZ"
    except (FileNotFoundError, ProcessLookupError):
        return False


def postgres_bin() -> Path | None:
    """The folder of the newest PostgreSQL; Debian keeps it off the path. None where there is no server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda at: int(at.parts[-3]))
    named = shutil.which("initdb")
    if found or named is None:
        return found[-1].parent if found else None
    return Path(named).parent
