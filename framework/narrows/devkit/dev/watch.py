"""Which files changed: their times and sizes are compared a few times a second, with no part of the system's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# What is made, fetched or kept beside the sources, and never declares anything.
_SKIPPED = frozenset({"__pycache__", "node_modules", "build", "dist", "venv"})
_ENDINGS = frozenset({
    ".py", ".toml", ".csv", ".conf", ".rego", ".json", ".html", ".css", ".js", ".svg", ".graphql", ".pem",
})  # fmt: skip

Stamp = tuple[int, int]


class Watch:
    """Files and folders that are looked at, `most` files in all; `changed` tells which differ from the last look."""

    def __init__(self, places: Iterable[Path], *, most: int = 5000) -> None:
        self._most = most
        self._places = {place.absolute() for place in places}
        self._known = self._look()

    def add(self, places: Iterable[Path]) -> None:
        """Look at more; what is there already counts as known."""
        new = {place.absolute() for place in places} - self._places
        if new:
            self._places |= new
            self._known |= {path: stamp for path, stamp in self._look().items() if path not in self._known}

    def changed(self) -> list[Path]:
        """The files that came, went or changed since the last look."""
        now = self._look()
        before, self._known = self._known, now
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _look(self) -> dict[Path, Stamp]:
        found: dict[Path, Stamp] = {}
        for place in sorted(self._places):
            for path, stamp in _files(place):
                if len(found) == self._most:
                    return found
                found[path] = stamp
        return found


def _files(place: Path) -> Iterator[tuple[Path, Stamp]]:
    """The files of a folder with their stamps, or the one file; what goes away meanwhile is left out."""
    try:
        if not place.is_dir():
            yield place, _stamp(place.stat())
            return
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and not entry.name.startswith("."):
                    yield from _files(path)
            elif path.suffix in _ENDINGS and not entry.name.startswith("."):
                yield path, _stamp(entry.stat())
    except OSError:
        return


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_size


def package_of(target: str, folder: Path) -> Path | None:
    """The folder of the module that a target names, found without importing anything of it."""
    parts = target.partition(":")[0].split(".")
    for root in (folder, *map(Path, sys.path)):
        module = root.joinpath(*parts)
        if (module / "__init__.py").is_file():
            return module
        if module.with_name(f"{module.name}.py").is_file():
            return module.parent
    return None
