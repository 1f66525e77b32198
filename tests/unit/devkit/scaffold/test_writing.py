"""A draft is written as a whole or not at all, and never over something."""

import pytest

from narrows.devkit.scaffold.facts import Draft, ScaffoldRefused
from narrows.devkit.scaffold.writing import write

DRAFT = Draft({"app.py": "x = 1\n", "tests/test_app.py": "y = 2\n"})


def tree(folder):
    """Every file below a folder with its text."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_of_the_bffs_is_made_a_package(tmp_path):
    """In an empty project everything that is needed comes with the first BFF."""
    written = write(DRAFT, "desks", tmp_path / "src" / "bffs")
    assert [str(file.relative_to(tmp_path)) for file in written] == [
        "src/bffs/desks/app.py",
        "src/bffs/desks/tests/test_app.py",
    ]
    assert tree(tmp_path / "src/bffs/desks") == {"app.py": "x = 1\n", "tests/test_app.py": "y = 2\n"}
    assert (tmp_path / "src/bffs/__init__.py").read_text().startswith('"""')
    assert (tmp_path / "src/bffs/desks").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    """What a team has put beside its BFFs is theirs."""
    (tmp_path / "keep.txt").write_text("mine")
    write(DRAFT, "desks", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desks", "keep.txt"]


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_written_over(tmp_path, kind):
    """Not even a link that leads nowhere."""
    there = tmp_path / "desks"
    {
        "file": lambda: there.write_text("mine"),
        "folder": there.mkdir,
        "link": lambda: there.symlink_to(tmp_path / "nowhere"),
    }[kind]()
    with pytest.raises(ScaffoldRefused, match="is there already"):
        write(DRAFT, "desks", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["desks"]


@pytest.mark.parametrize("path", ["../x.py", "/etc/x.py", "a/../../x", "", "a\\..\\x", "a\0b"])
def test_no_file_leaves_the_folder(tmp_path, path):
    """Paths come from templates alone, and are looked at nevertheless."""
    with pytest.raises(ScaffoldRefused, match="leads out"):
        write(Draft({"app.py": "", path: ""}), "desks", tmp_path / "bffs")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_behind(tmp_path):
    """A file that is in the way of a folder stops it in the midst."""
    with pytest.raises(ScaffoldRefused, match="cannot be written"):
        write(Draft({"a": "", "a/b": ""}), "desks", tmp_path / "bffs")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "bffs").mkdir()
    with pytest.raises(ScaffoldRefused, match="cannot be written"):
        write(Draft({"a": "", "a/b": ""}), "desks", tmp_path / "bffs")
    assert list((tmp_path / "bffs").iterdir()) == []
