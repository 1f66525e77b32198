"""The tutorial of the README, done in a copy of the tree exactly as it is written there."""

import re
import shutil
from pathlib import Path

from tests.docs.pages import ROOT, blocks

README = ROOT / "README.md"
_MARK = re.compile(r"# (bffs/\S+?\.py)(?:, (.+))?\n")
_ADDED = {"PlaceCard", "PlaceId"}


class Tutorial:
    """A copy of the tree, and the blocks of the tutorial by the place that each names in its first line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = {_MARK.match(block.text)[0].strip(): body(block.text) for block in tutorial_blocks()}
        for name in ("bffs", "examples", "tests/flow"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "tests/__init__.py"):
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, folder / name)

    def until_refused(self) -> None:
        """Steps 1 to 3: types, operation, endpoint."""
        upstreams, app = "bffs/where2eat/upstreams.py", "bffs/where2eat/app.py"
        self.append("bffs/where2eat/types.py")
        self.import_types(upstreams)
        self.edit(upstreams, "\nclass People(", f"\n{self.part(upstreams, 'above class People')}\n\nclass People(")
        self.edit(upstreams, "\n\n\nclass Tables(", f"\n\n{self.part(upstreams, 'in class Places')}\n\nclass Tables(")
        self.import_types(app)
        self.append(app)

    def until_it_starts(self) -> None:
        """Step 4: the line that was missing, and the one that lets the copilot call it."""
        app = "bffs/where2eat/app.py"
        head, mark, last = self.text(app).rpartition('    within="team:{team_id}",\n')
        self.write(app, head + mark + self.part(app, "below within") + last)
        (line,) = [block.text for block in blocks(README, "text") if block.text.startswith('  "where2eat.')]
        self.edit("bffs/where2eat/connectors/copilot.toml", "endpoints = [\n", f"endpoints = [\n{line}")

    def until_tested(self) -> None:
        """Step 6: the test in its new file."""
        test = "bffs/where2eat/tests/test_place_card.py"
        (self.folder / test).parent.mkdir(exist_ok=True)
        self.write(test, self.part(test))

    def part(self, file: str, place: str = "") -> str:
        """The block that is meant for a place of a file."""
        return self.parts[f"# {file}, {place}" if place else f"# {file}"]

    def text(self, file: str) -> str:
        """A file of the copy."""
        return (self.folder / file).read_text(encoding="utf-8")

    def write(self, file: str, text: str) -> None:
        """Write a file of the copy."""
        (self.folder / file).write_text(text, encoding="utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        """Put one text in the place of another, which stands there once."""
        text = self.text(file)
        assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times: the README is out of date"
        self.write(file, text.replace(old, new))

    def append(self, file: str) -> None:
        """Add the block of a file to its end."""
        self.write(file, f"{self.text(file)}\n\n{self.part(file)}")

    def import_types(self, file: str) -> None:
        """Put the new import in the place of the old one, which it must only add names to."""
        (old,) = re.findall(r"^from bffs\.where2eat\.types import (?:\([^)]*\)|.*)\n", self.text(file), re.MULTILINE)
        new = self.part(file, "the import")
        assert names(old) < names(new) <= names(old) | _ADDED, f"{file} imports {old}: the README is out of date"
        self.edit(file, old, new)


def names(line: str) -> set[str]:
    """The names that a line imports."""
    return set(re.findall(r"\w+", line.partition(" import ")[2]))


def tutorial_blocks() -> list:
    """The blocks of the README that belong to a file."""
    return [block for block in blocks(README, "python") if _MARK.match(block.text)]


def body(text: str) -> str:
    """A block without its first line, which says where it belongs."""
    return text.partition("\n")[2]
