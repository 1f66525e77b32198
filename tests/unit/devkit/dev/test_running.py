"""A running `narrows dev` is found by who started it, and by nobody else."""

import stat

import pytest

from narrows.devkit.dev.running import announced, link_of
from narrows.errors import NarrowsError

LINK = "http://127.0.0.1:8000/dev/enter/secret"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A place for temporary files of this test alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_link_is_there_while_it_runs_and_only_for_its_owner(own_folder):
    """Afterwards it is said that nothing runs."""
    with announced(8000, LINK):
        assert link_of(8000) == LINK
        [folder] = own_folder.iterdir()
        assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "dev-8000")] == [0o700, 0o600]
        with pytest.raises(NarrowsError, match="on port 8001"):
            link_of(8001)
    with pytest.raises(NarrowsError, match=r"no `narrows dev` of yours serves on port 8000\. Remedy: start one"):
        link_of(8000)


def test_what_an_ended_run_left_is_replaced():
    """A run that was killed had no time to tidy up."""
    with announced(8000, "old"), announced(8000, LINK):
        assert link_of(8000) == LINK


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_a_folder_that_others_can_get_at_is_refused(own_folder, kind):
    """Somebody else on this machine may have made it, to read the secret."""
    with announced(8000, LINK):
        [folder] = own_folder.iterdir()
    if kind == "open":
        folder.chmod(0o755)
    else:
        folder.rmdir()
    if kind == "link":
        (own_folder / "elsewhere").mkdir()
        folder.symlink_to(own_folder / "elsewhere")
    if kind == "file":
        folder.write_text("x")
    with pytest.raises(NarrowsError, match="not a folder of yours alone"):
        link_of(8000)
