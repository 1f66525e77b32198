"""Where a running `narrows dev` can be found by the person who started it, and by nobody else: a file for its port."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from narrows.errors import NarrowsError


def _room() -> Path:
    """A folder of this user alone. Raises `NarrowsError` when somebody else has put something in its place."""
    folder = Path(tempfile.gettempdir()) / f"narrows-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise NarrowsError(f"{folder} is not a folder of yours alone. Remedy: remove it, or set TMPDIR to another.")
    return folder


@contextmanager
def announced(port: int, link: str) -> Iterator[None]:
    """Keep the link of a start where `link_of` finds it, until the block ends."""
    file = _room() / f"dev-{port}"
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
        out.write(link)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def link_of(port: int) -> str:
    """The link of the `narrows dev` on this port. Raises `NarrowsError` when there is none."""
    try:
        return (_room() / f"dev-{port}").read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = "start one in another terminal, or name its port with --port"
        raise NarrowsError(f"no `narrows dev` of yours serves on port {port}. Remedy: {remedy}.") from None
