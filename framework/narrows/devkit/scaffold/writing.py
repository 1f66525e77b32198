"""Puts a draft down: all of it or nothing, and never over something that is there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from narrows.devkit.scaffold.facts import Draft, ScaffoldRefused, checked_name

_ROOM = '"""The BFFs of this repository, one folder each, the same names in each."""\n'


def write(draft: Draft, name: str, into: Path) -> list[Path]:
    """Write the draft to `into/name` and return its files in order. `into` is made a package if it is not there.

    The folder appears under its name only when every file of it is written. Raises `ScaffoldRefused`.
    """
    target = into / checked_name(name)
    if target.exists() or target.is_symlink():
        raise ScaffoldRefused(f"{target} is there already, and nothing is written over. Remedy: choose another name.")
    inside = {path: _inside(path) for path in draft.files}
    try:
        made = _room(into)
        try:
            _write(draft, inside, into, target)
        except BaseException:
            if made:
                shutil.rmtree(into)
            raise
    except OSError as error:
        reason = error.strerror or error
        raise ScaffoldRefused(
            f"{target} cannot be written ({reason}). Remedy: name another folder with --into."
        ) from error
    return [target / inside[path] for path in sorted(draft.files)]


def _room(into: Path) -> bool:
    """Make the folder of the BFFs a package; whether it had to be made."""
    made = not into.exists()
    into.mkdir(parents=True, exist_ok=True)
    package = into / "__init__.py"
    if made:
        package.write_text(_ROOM, encoding="utf-8")
    return made


def _write(draft: Draft, inside: dict[str, PurePosixPath], into: Path, target: Path) -> None:
    # Beside the target, so that it can be renamed; with a dot, so that no test run takes it for a BFF.
    building = Path(tempfile.mkdtemp(prefix=".new-", dir=into))
    try:
        building.chmod(0o755)
        for path, text in draft.files.items():
            file = building / inside[path]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _inside(path: str) -> PurePosixPath:
    """A path that stays below the folder of the BFF. Raises `ScaffoldRefused`."""
    found = PurePosixPath(path)
    if found.is_absolute() or not found.parts or ".." in found.parts or "\\" in path or "\0" in path:
        raise ScaffoldRefused(f"{path!r} leads out of the folder of the BFF. Remedy: this is a fault of the scaffold.")
    return found
