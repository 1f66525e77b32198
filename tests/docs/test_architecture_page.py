"""The page of the architecture names what is there, and every room of the package has its place on it."""

import re

from narrows.pipeline import ORDER
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "framework" / "narrows"
# Files of a BFF, which each has, and those that a reader is told to make.
OTHER = {"app.py", "upstreams.py", "types.py", "narrows.toml", "records.py"}


def test_every_file_that_is_named_exists():
    """By its path from the root or in the package, or by its end: nobody is sent to a file that left."""
    there = [*PACKAGE.rglob("*"), *(ROOT / "tests").rglob("*"), *(ROOT / "docs").rglob("*")]
    known = {f"/{path.relative_to(ROOT)}" for path in there}
    named = set(re.findall(r"`([\w/]+\.py|[\w/]+/)`", PAGE)) - OTHER
    assert {name for name in named if not any(f"{path}/".endswith(f"/{name.rstrip('/')}/") for path in known)} == set()


def test_every_step_has_its_row_in_order():
    """The table of the steps is that of `ORDER`."""
    rows = re.findall(r"^\| \d (\w+) \| `pipeline/", PAGE, re.MULTILINE)
    assert rows == [step.__name__.rpartition(".")[2] for step in ORDER]


def test_every_room_is_on_the_floor_plan():
    """A folder or file at the top of the package that is not on the plan is one that nobody finds."""
    plan = PAGE.partition("```\nframework/narrows/")[2].partition("```")[0]
    rooms = {path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    missing = {room for room in rooms if not re.search(rf"\b{re.escape(room.removesuffix('.py'))}(\b|\*)", plan)}
    assert {name for name in missing if not name.startswith("telemetry_")} == set()
    assert "telemetry*.py" in plan
